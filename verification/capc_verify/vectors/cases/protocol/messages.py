"""Headers and payloads."""

from __future__ import annotations

from typing import Any

from capc.foundation import primitives
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.foundation.randomness import XofSource
from capc.session.envelope import Envelope, MessageType
from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.common import expect_equal, invalid_points, message_faults
from capc_verify.vectors.operation import SENDER, Fault
from capc_verify.vectors.operations.circuits import Family, circuit_name
from capc_verify.vectors.operations.labels import join_labels
from capc_verify.vectors.operations.protocol.payloads import PAYLOADS
from capc_verify.vectors.operations.protocol.sessions import ENVELOPE
from capc_verify.vectors.values import Edited


def messages() -> FileBuilder:
    """Headers and payload layouts."""
    file = FileBuilder(
        "messages",
        "CAPC-WIRE",
        [
            "The header of every message type, and the layout of every payload whose content the core defines.",
            "HE payloads are in he.json.",
        ],
    )
    _envelopes(file)
    _points(file)
    _transfers_and_shares(file)
    _circuits(file)
    _labels(file)
    return file


def _ends(kind: MessageType) -> tuple[Party, Party]:
    one, two = answering_party(1), answering_party(2)
    return {
        MessageType.MASK_KEY: (one, two),
        MessageType.SESSION_CHECK: (one, PRIVACY_GUARDIAN),
        MessageType.BASE_OT_CHOICE: (PRIVACY_GUARDIAN, QUERYING_PARTY),
        MessageType.LINEAR_RESPONSE: (one, QUERYING_PARTY),
        MessageType.GARBLED_CIRCUITS: (two, QUERYING_PARTY),
        MessageType.VOTE_SHARES: (two, PRIVACY_GUARDIAN),
        MessageType.ANSWERED_LABEL: (QUERYING_PARTY, PRIVACY_GUARDIAN),
    }.get(kind, (QUERYING_PARTY, two))


def _envelopes(file: FileBuilder) -> None:
    group = file.group(ENVELOPE)
    tag = file.source.draw("session_tag", 32)
    for kind in MessageType:
        name = kind.name.lower()
        sender, receiver = _ends(kind)
        in_setup = kind <= MessageType.BASE_OT_CHOICE or kind is MessageType.SESSION_CHECK
        fields: dict[str, Any] = {
            "type": int(kind),
            "session_tag": bytes(32) if kind is MessageType.HELLO else tag,
            "query": 0 if in_setup else 258,
            "layer": 1 if MessageType.LINEAR_REQUEST <= kind <= MessageType.GARBLED_CIRCUITS else 0,
            "sender": sender,
            "receiver": receiver,
        }
        payload = b"" if kind is MessageType.SESSION_CHECK else file.source.draw(f"{name}/payload", 4)
        test = group.test(f"{name}_header", "Header and payload, sealed and opened.", ["CAPC-WIRE-001"])
        message = test.run("message_seal", payload=payload, **fields)["message"]
        test.run("message_open", message=message, length=len(payload), **fields)
        for fault in message_faults(message, empty_payload=not payload):
            blamed = Fault.of_peer(fault.code, sender)
            group.case(
                "message_open",
                f"{name}_{fault.name}",
                "One fault.",
                [fault.requirement, "CAPC-ERR-002"],
                [fault.flag],
                message=fault.message,
                length=len(payload),
                fault=blamed,
                **fields,
            )
    sender, receiver = QUERYING_PARTY, PRIVACY_GUARDIAN
    honest = Envelope(MessageType.CHOICE_BITS, tag, 1, 0, sender, receiver)
    other = Envelope(MessageType.ANSWERED_LABEL, tag, 2, 0, sender, receiver)
    group.case(
        "message_open",
        "first_fault_counts",
        "Type and query are wrong: the type, which comes first, is told.",
        ["CAPC-WIRE-002"],
        ["WrongType"],
        message=other.seal(b"\x01"),
        length=1,
        fault=Fault.of_peer("wrong_message_type", sender),
        **{"type": int(honest.message_type), **{k: v for k, v in vars(honest).items() if k != "message_type"}},
    )


def _point(file: FileBuilder, label: str) -> bytes:
    return primitives.base_multiply(primitives.random_scalar(XofSource(file.source.step_seed(label), b"point")))


def _points(file: FileBuilder) -> None:
    group = file.group(PAYLOADS)
    choice = b"".join(_point(file, f"choice/{index}") for index in range(128))
    group.blobs["choice"] = choice.hex()
    for name, payload, position in (
        ("mask_key", _point(file, "mask_key"), 0),
        ("base_ot_offer", _point(file, "offer"), 0),
        ("base_ot_choice", choice, 32 * 5),
    ):
        op = f"decode_{name}"
        group.case(op, f"{name}_payload", "Read as it is.", ["CAPC-WIRE-008"], payload=payload)
        _lengths(group, op, payload)
        for problem, point in invalid_points().items():
            edited = Edited(payload, {"at": position, "replace": point.hex()})
            group.case(
                op,
                f"{name}_{problem}",
                "An invalid point.",
                ["CAPC-WIRE-005"],
                ["InvalidPoint"],
                payload=edited,
                fault=Fault("invalid_point", SENDER),
            )


def _lengths(group: GroupBuilder, op: str, payload: bytes, **fields: Any) -> None:  # noqa: ANN401
    fault = Fault("malformed_length", SENDER)
    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        name = f"{op.removeprefix('decode_')}_payload_{flag.lower()}"
        group.case(
            op,
            name,
            "The length is wrong by one byte.",
            ["CAPC-WIRE-003"],
            [flag],
            payload=Edited(payload, edit),
            fault=fault,
            **fields,
        )


def _transfers_and_shares(file: FileBuilder) -> None:
    group = file.group(PAYLOADS)
    trees = file.source.draw("trees", 4096 + 2048)
    group.blobs["trees"] = trees.hex()
    comment = "256 sums, 16 bytes each; of each tree the XOR of its tags and their digest, 32 bytes each."
    group.case("decode_ot_trees", "ot_trees_payload", comment, ["CAPC-WIRE-008"], payload=trees)
    _lengths(group, "decode_ot_trees", trees)
    rows = file.source.draw("rows", 31 * 32 + 48)
    group.blobs["rows"] = rows.hex()
    comment = "For 12 transfers 31 rows of two blocks, the second of which is sacrificed; h(x), and the digest."
    fields: dict[str, Any] = {"transfers": 12}
    found = group.case(
        "decode_ot_extension", "ot_extension_payload", comment, ["CAPC-WIRE-008"], payload=rows, **fields
    )
    expect_equal(found["payload"], rows, "ot_extension_payload")
    _lengths(group, "decode_ot_extension", rows, **fields)
    shares = b"".join(element.to_bytes(2, "little") for element in file.source.elements("shares", 3, 10))
    fields = {"num_classes": 3, "vote_bits": 10}
    group.case(
        "decode_vote_shares",
        "vote_shares_payload",
        "3 elements of Z_2^10, 2 bytes each.",
        ["CAPC-WIRE-008"],
        payload=shares,
        **fields,
    )
    _lengths(group, "decode_vote_shares", shares, **fields)
    edited = Edited(shares, {"at": 2, "replace": "0004"})
    group.case(
        "decode_vote_shares",
        "vote_shares_too_large",
        "The second share is 2^10.",
        ["CAPC-WIRE-004"],
        ["OutOfRange"],
        payload=edited,
        fault=Fault("value_out_of_range", SENDER),
        **fields,
    )


def _circuits(file: FileBuilder) -> None:
    """Three instances in chunks of two: the decoding bits of a label bit, and the projection rows of a ReLU."""
    release: dict[str, Any] = {
        "circuit": circuit_name(Family.RELEASE, num_classes=2, vote_bits=2),
        "instances": 3,
        "chunk": 2,
    }
    # Four ANDs, of which two are products: the lowest bits of two sums.
    tables = 4 * 32 - 2 * 16
    draw = file.source.draw
    payload = draw("circuits", 16 + 2 * tables) + b"\x01" + draw("circuits/rest", tables) + b"\x01"
    _circuits_of(file, "decoded", payload, release)
    for position, byte in ((16 + 2 * tables, "04"), (len(payload) - 1, "03")):
        _bad_outputs(file, f"garbled_circuits_padding_{position}", payload, (position, byte, "Padding"), release)
    relu: dict[str, Any] = {
        "circuit": circuit_name(Family.RELU, logit_bits=4, fraction_bits=1),
        "instances": 3,
        "chunk": 2,
    }
    tables = 6 * 32 - 16
    rows = [b"\x0f\x00" + b"\x07\x03", b"\x08" + b"\x01"]
    payload = draw("shared", 16 + 2 * tables) + rows[0] + draw("shared/rest", tables) + rows[1]
    _circuits_of(file, "shared", payload, relu)
    for position, byte in ((16 + 2 * tables, "10"), (len(payload) - 1, "08")):
        _bad_outputs(file, f"garbled_circuits_row_{position}", payload, (position, byte, "OutOfRange"), relu)


def _circuits_of(file: FileBuilder, name: str, payload: bytes, fields: dict[str, Any]) -> None:
    group = file.group(PAYLOADS)
    group.blobs["circuits"] = payload.hex()
    found = group.case(
        "decode_garbled_circuits",
        f"garbled_circuits_{name}",
        "Three garblings of one circuit, in two chunks.",
        ["CAPC-WIRE-008"],
        payload=payload,
        **fields,
    )
    expect_equal(found["payload"], payload, f"garbled_circuits_{name}")
    fault = Fault("malformed_length", SENDER)
    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        group.case(
            "decode_garbled_circuits",
            f"garbled_circuits_{name}_{flag.lower()}",
            "The length is wrong by one byte.",
            ["CAPC-WIRE-003"],
            [flag],
            payload=Edited(payload, edit),
            fault=fault,
            **fields,
        )


def _bad_outputs(
    file: FileBuilder, name: str, payload: bytes, patch: tuple[int, str, str], fields: dict[str, Any]
) -> None:
    position, byte, flag = patch
    group = file.group(PAYLOADS)
    group.blobs["circuits"] = payload.hex()
    code = "non_canonical" if flag == "Padding" else "value_out_of_range"
    edited = Edited(payload, {"at": position, "replace": byte})
    group.case(
        "decode_garbled_circuits",
        name,
        "An output that no garbler sends.",
        ["CAPC-WIRE-004"],
        [flag],
        payload=edited,
        fault=Fault(code, SENDER),
        **fields,
    )


def _labels(file: FileBuilder) -> None:
    group = file.group(PAYLOADS)
    zero, delta = file.source.elements("answered", 2, 128)
    delta |= 1
    fields: dict[str, Any] = {"zero_label": join_labels([zero]), "delta": join_labels([delta])}
    for bit, label in ((0, zero), (1, zero ^ delta)):
        expect_equal(
            group.case(
                "decode_answered_label",
                f"answered_label_{bit}",
                "One of the wire's two labels.",
                ["CAPC-WIRE-008", "CAPC-GC-005"],
                returned=join_labels([label]),
                **fields,
            )["bit"],
            bit,
            f"answered_label_{bit}",
        )
    honest, forged = join_labels([zero]), Fault("invalid_output_label", SENDER)
    for name, flag, returned in (
        ("bit_flipped", "ForgedLabel", join_labels([zero ^ 2])),
        ("delta", "ForgedLabel", join_labels([delta])),
        ("payload_short", "Short", honest[:-1]),
        ("payload_long", "Long", honest + b"\x00"),
        ("payload_empty", "Short", b""),
    ):
        group.case(
            "decode_answered_label",
            f"answered_label_{name}",
            "Not one of the two.",
            ["CAPC-GC-005"],
            [flag],
            returned=returned,
            fault=forged,
            **fields,
        )
