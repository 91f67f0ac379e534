"""Oblivious transfer and garbling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.ring import from_bits
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.builder import evaluate as evaluate_in_clear
from capc.two_party.garbling.hash_keys import KEY_ROWS
from capc.two_party.garbling.payload import chunk_instances
from capc.two_party.garbling.transfers.extension_check import answer, challenge, set_up_digest
from capc.two_party.garbling.transfers.ot_extension import transpose
from capc.two_party.garbling.transfers.ot_messages import checked_transfers
from capc.two_party.garbling.transfers.universal_hash import column_hashes
from capc_verify.vectors.build import FileBuilder, GroupBuilder, TestBuilder
from capc_verify.vectors.cases.common import expect_equal, invalid_points
from capc_verify.vectors.operation import SENDER, Fault
from capc_verify.vectors.operations.circuits import Family, circuit_from, circuit_name
from capc_verify.vectors.operations.labels import join_labels, split_labels
from capc_verify.vectors.operations.two_party import GARBLING, TRANSFERS
from capc_verify.vectors.values import Edited

_BASE = ("CAPC-OT-002",)
_EXTENSION = ("CAPC-OT-004",)
_HALF_GATES = ("CAPC-GC-002",)
_TREE_CHECK = ["CAPC-OT-008", "CAPC-ROLE-020"]
_CHECK = ["CAPC-OT-009", "CAPC-ROLE-020"]
_INCONSISTENT = ["Inconsistent"]
_LENGTH = Fault("malformed_length", SENDER)
_REFUSED = Fault("inconsistent_transfers", SENDER)
_DESTROYED = Fault.of_caller("state_reused")
_CONTEXT = b"context of a pair"


def oblivious_transfer() -> FileBuilder:
    """Base OTs and their extension."""
    file = FileBuilder(
        "oblivious_transfer",
        "CAPC-OT",
        [
            "Base OTs and extension from given seeds and contexts.",
            "`seeds_sha256` hashes the garbler's 128 seeds, or the evaluator's 256 as zero and one seed of each pair.",
            "Labels are 16 bytes each, little-endian, side by side.",
        ],
    )
    group = file.group(TRANSFERS)
    honest = group.test("base_ot", "Offer, choice, trees, and both keys.", [*_BASE, "CAPC-OT-006"])
    seed = honest.seed()
    offer = honest.run("base_ot_offer", seed=seed, label=b"offer", leaves=["sender"], snapshot=True)["offer"]
    chosen = honest.run(
        "base_ot_choose",
        offer=offer,
        context=_CONTEXT,
        seed=honest.seed(),
        label=b"choice",
        leaves=["seeds"],
        snapshot=True,
    )
    honest.run(
        "base_ot_finish",
        choice=chosen["choice"],
        context=_CONTEXT,
        states=["sender"],
        leaves=["pairs"],
        snapshot=True,
    )
    trees = honest.run(
        "grow_checked",
        context=_CONTEXT,
        offer=offer,
        choice=chosen["choice"],
        seed=honest.seed(),
        label=b"trees",
        states=["pairs"],
        leaves=["evaluator"],
        snapshot=True,
    )["trees"]
    honest.run("take_checked", trees=trees, states=["seeds"], leaves=["garbler"], snapshot=True)
    _refused_points(group, honest, offer, chosen["choice"])
    _trees(group, honest, trees, split_labels(chosen["delta"])[0])
    _extensions(group, honest, chosen["delta"])
    _hashes(group)
    set_up = set_up_digest(_CONTEXT, offer + chosen["choice"], trees)
    _checked(group, honest, chosen["delta"], set_up)
    return file


def _trees(group: GroupBuilder, honest: TestBuilder, trees: bytes, delta: int) -> None:
    """Wrong lengths; wrong sums and checks, each of which destroys the chosen seeds; and a sum that Delta ignores."""
    fields: dict[str, Any] = {"states": ["seeds"], "leaves": ["garbler"]}
    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        test = group.test(f"trees_{flag.lower()}", "One byte.", ["CAPC-WIRE-003"], [flag], after=(honest, 4))
        test.run("take_checked", trees=Edited(trees, edit), fault=_LENGTH, **fields)
    # The root's pair of tree 5 is base OT 23; its sum under the seed of Delta's bit is the one that is used.
    used = 16 * (2 * 20 + (delta >> 23 & 1))
    for name, at in (
        ("sum", used),
        ("last_sum", 16 * (2 * 127 + (delta >> 124 & 1))),
        ("total", 4096 + 64 * 5),
        ("digest", 4096 + 64 * 5 + 32),
        ("last_digest", 6143),
    ):
        test = group.test(
            f"trees_wrong_{name}",
            "One bit; the right trees come too late.",
            _TREE_CHECK,
            _INCONSISTENT,
            after=(honest, 4),
        )
        test.run("take_checked", trees=_flipped(trees, at), fault=_REFUSED, **fields)
        test.run("take_checked", trees=trees, fault=_DESTROYED, **fields)
    test = group.test(
        "trees_wrong_sum_of_the_other_bit",
        "A wrong sum that this Delta does not use: taken. The evaluator has guessed one bit of Delta.",
        _TREE_CHECK,
        after=(honest, 4),
    )
    test.run("take_checked", trees=_flipped(trees, used ^ 16), **fields)


def _hashes(group: GroupBuilder) -> None:
    test = group.test("column_hashes", "GHASH without the block of lengths: of 1, 2 and 5 blocks.", _CHECK)
    key = test.draw("key", 16)
    for blocks in (1, 2, 5):
        columns = [bytes(16 * blocks), *(test.draw(f"{blocks}/{n}", 16 * blocks) for n in range(2))]
        test.run("hash_columns", key=key, columns=columns)


def _checked(group: GroupBuilder, honest: TestBuilder, delta: bytes, set_up: bytes) -> None:
    """Extensions with their check: right ones, and every kind of wrong one, each of which destroys the key."""
    offset, payload = split_labels(delta)[0], b""
    for transfers, position in ((1, 0), (128, 1), (129, 1 << 32)):
        test = group.test(
            f"checked_extension_{transfers}",
            "Rows of whole blocks and one that is sacrificed, h(x), the digest; both parties' labels.",
            [*_CHECK, "CAPC-OT-001"],
            after=(honest, 5),
        )
        fields: dict[str, Any] = {"position": position, "transfers": transfers}
        received = test.run("receive_checked", states=["evaluator"], **fields)
        payload = received["payload"] if transfers == 128 else payload
        sent = test.run("send_checked", payload=received["payload"], states=["garbler"], **fields)
        _expect_transfers(received, sent, offset, test.name)
    fields = {"transfers": 128, "states": ["garbler"]}
    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        test = group.test(f"checked_{flag.lower()}", "One byte.", ["CAPC-WIRE-003"], [flag], after=(honest, 5))
        test.run("send_checked", position=1, payload=Edited(payload, edit), fault=_LENGTH, **fields)
    size = 32
    for name, at in (
        ("first_row", 0),
        ("last_row", 31 * size - 17),
        ("sacrificed_block", 7 * size + 16),
        ("hash_of_bits", 31 * size),
        ("digest", 31 * size + 16),
        ("last_byte", 31 * size + 47),
    ):
        test = group.test(
            f"checked_wrong_{name}",
            "One bit; the right message comes too late.",
            _CHECK,
            _INCONSISTENT,
            after=(honest, 5),
        )
        test.run("send_checked", position=1, payload=_flipped(payload, at), fault=_REFUSED, **fields)
        test.run("send_checked", position=1, payload=payload, fault=_DESTROYED, **fields)
    test = group.test("checked_wrong_position", "Of another position.", _CHECK, _INCONSISTENT, after=(honest, 5))
    test.run("send_checked", position=2, payload=payload, fault=_REFUSED, **fields)
    _guesses(group, honest, offset, set_up)


def _guesses(group: GroupBuilder, honest: TestBuilder, offset: int, set_up: bytes) -> None:
    """A cheat that flips a bit of row 9 and answers the check for a guess of 4 bits of Delta."""
    made, right = checked_transfers(128), offset >> 36 & 15
    for name, guess, fault in (("right", right, None), ("wrong", right ^ 1, _REFUSED)):
        comment = f"Bit 0 of row 9 is wrong, and the check is made for a {name} guess of bits 36 to 39 of Delta."
        test = group.test(f"checked_{name}_guess", comment, _CHECK, _INCONSISTENT if fault else [], after=(honest, 5))
        played = test.run("extend_receive", position=3, transfers=made, states=["evaluator"])
        wrong = bytearray(played["rows"])
        wrong[8 * made // 8] ^= 1
        rows = bytes(wrong)
        labels = split_labels(played["labels"])
        labels[0] ^= guess << 36
        columns = [
            column.to_bytes(made // 8, "little") for column in (from_bits(played["bits"]), *transpose(labels, 128))
        ]
        hashed_bits, *hashed = column_hashes(challenge(set_up, 3, rows), columns)
        payload = rows + answer(hashed_bits, hashed).to_bytes()
        test.run("send_checked", position=3, transfers=128, payload=payload, states=["garbler"], fault=fault)


def _flipped(payload: bytes, at: int) -> Edited:
    return Edited(payload, {"at": at, "replace": bytes([payload[at] ^ 1]).hex()})


def _refused_points(group: GroupBuilder, honest: TestBuilder, offer: bytes, choice: bytes) -> None:
    invalid = Fault("invalid_point", SENDER)
    length = ["CAPC-WIRE-003"]

    def choose(test: TestBuilder, fault: Fault, faulty: bytes | Edited) -> None:
        fields: dict[str, Any] = {"context": _CONTEXT, "seed": test.seed(), "label": b"choice"}
        test.run("base_ot_choose", offer=faulty, leaves=["seeds"], fault=fault, **fields)

    def finish(test: TestBuilder, fault: Fault, faulty: bytes | Edited) -> None:
        fields: dict[str, Any] = {"states": ["sender"], "leaves": ["pairs"], "fault": fault}
        test.run("base_ot_finish", choice=faulty, context=_CONTEXT, **fields)

    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        choose(group.test(f"offer_{flag.lower()}", "One byte.", length, [flag]), _LENGTH, Edited(offer, edit))
        test = group.test(f"choice_{flag.lower()}", "One byte.", length, [flag], after=(honest, 1))
        finish(test, _LENGTH, Edited(choice, edit))
    for name, point in invalid_points().items():
        flags, requirement = ["InvalidPoint"], ["CAPC-WIRE-005"]
        choose(group.test(f"offer_{name}", "An invalid offer.", requirement, flags), invalid, point)
        for position in (0, 127):
            test = group.test(f"choice_{name}_{position}", "One invalid point.", requirement, flags, after=(honest, 1))
            finish(test, invalid, Edited(choice, {"at": 32 * position, "replace": point.hex()}))
    test = group.test(
        "choice_equal_to_offer",
        "B_0 = A: a valid point, whose one key comes from the neutral element. No crash.",
        [*_BASE, "CAPC-WIRE-007"],
        after=(honest, 1),
    )
    edited = Edited(choice, {"at": 0, "replace": offer.hex()})
    test.run("base_ot_finish", choice=edited, context=_CONTEXT, states=["sender"], leaves=["pairs"])


def _expect_transfers(received: Mapping[str, Any], sent: Mapping[str, Any], offset: int, name: str) -> None:
    """Each label of the evaluator's is the garbler's zero label, plus Delta where its bit is 1."""
    pairs = zip(split_labels(sent["zero_labels"]), received["bits"], strict=True)
    expect_equal(split_labels(received["labels"]), [zero ^ (offset if bit else 0) for zero, bit in pairs], name)


def _extensions(group: GroupBuilder, honest: TestBuilder, delta: bytes) -> None:
    offset, rows = split_labels(delta)[0], b""
    for transfers, position in ((1, 0), (8, 1), (12, 1 << 32), (129, (1 << 64) - 1)):
        test = group.test(
            f"extension_{transfers}",
            "Bits and labels of the evaluator, and zero labels of the garbler.",
            [*_EXTENSION, "CAPC-OT-001"],
            after=(honest, 5),
        )
        fields: dict[str, Any] = {"position": position, "transfers": transfers}
        received = test.run("extend_receive", states=["evaluator"], **fields)
        rows = received["rows"] if transfers == 12 else rows
        sent = test.run("extend_send", rows=received["rows"], states=["garbler"], **fields)
        _expect_transfers(received, sent, offset, test.name)
    test = group.test(
        "extension_other_position", "Other bits, other rows.", ["CAPC-OT-003", *_EXTENSION], after=(honest, 5)
    )
    for position in (1 << 32, 2 << 32):
        test.run("extend_receive", position=position, transfers=40, states=["evaluator"])
    fields = {"position": 1 << 32, "transfers": 12, "states": ["garbler"]}
    for flag, edit in (("Short", {"truncate": 1}), ("Long", {"append": "00"})):
        test = group.test(f"rows_{flag.lower()}", "One byte.", ["CAPC-WIRE-003"], [flag], after=(honest, 5))
        test.run("extend_send", rows=Edited(rows, edit), fault=_LENGTH, **fields)
    for at in (1, 61):
        test = group.test(f"rows_padding_{at}", "One padding bit.", ["CAPC-WIRE-004"], ["Padding"], after=(honest, 5))
        edited = Edited(rows, {"at": at, "replace": bytes([rows[at] | 0x40]).hex()})
        test.run("extend_send", rows=edited, fault=Fault("non_canonical", SENDER), **fields)


def garbling() -> FileBuilder:
    """Half-gates."""
    file = FileBuilder(
        "garbling",
        "CAPC-GARBLING",
        [
            "Half-gates of a chunk of instances, from given labels, offset, hash key and position.",
            "Labels and table rows are 16 bytes, little-endian; labels wire by wire, for each instance.",
            "The lowest bit of a zero label of an input of the evaluator is 0.",
            "Tables stage by stage: the generator halves of all ANDs and instances, then the evaluator halves; of",
            "products of an input of the garbler and one of the evaluator the evaluator halves only.",
            "Rows and shares are empty where a circuit does not share its outputs. Tables are given",
            "in full for the smallest circuit, as SHA-256 and length for larger ones.",
            "`chunk_key` and `label_hash_rows` are about the hash's keys, which change after 2^17 rows of a chunk:",
            "label r of call n is AES-128 of r + 2^64 n under `label_key`; a digest is the SHA-256 of its labels.",
            "`garble_payload` garbles a batch of chunks that have more than 2^17 rows. Zero label r of its transfers",
            "is AES-128 of r under `transfers_key`; the garbler's words are the first bits, in a row, of the stream",
            "of AES-128 of i under `words_key`, the choice bits those of the stream of i + 2^64; `seed` and `label`",
            "are those of the step.",
            "The payload of garbled circuits and its malformed forms are in messages.json and protocol_*.json.",
        ],
    )
    smallest = circuit_name(Family.RELEASE, num_classes=2, vote_bits=2)
    _label_hash(file, smallest)
    _hash_keys(file, smallest)
    for name, fields in {
        "smallest": smallest,
        "relu": circuit_name(Family.RELU, logit_bits=12, fraction_bits=2),
        "vote": circuit_name(Family.VOTE, num_classes=3, logit_bits=12, vote_bits=10),
        "release": circuit_name(Family.RELEASE, num_classes=10, vote_bits=16),
        "worst_case": circuit_name(Family.CONFIDENT_RELEASE, num_classes=3, vote_bits=10, realised=False),
        "realised": circuit_name(Family.CONFIDENT_RELEASE, num_classes=3, vote_bits=10, realised=True),
    }.items():
        group = file.group(GARBLING, hashed=name != "smallest", **fields)
        for instances, position in ((1, 0), (3, (1 << 64) - 1)):
            _garble_case(group, f"{name}_{instances}", circuit_from(fields), instances, position)
        if name == "smallest":
            _cut_labels(group, circuit_from(fields))
    return file


def _cut_labels(group: GroupBuilder, circuit: Circuit) -> None:
    """Neither is a payload, so a wrong length is a caller's mistake."""
    labels = {"input_labels": bytes(LABEL_BYTES * circuit.inputs), "tables": bytes(2 * LABEL_BYTES * circuit.and_count)}
    for name, given in labels.items():
        cut: dict[str, Any] = {**labels, name: given[:-LABEL_BYTES], "hash_key": bytes(16), "position": 0, "rows": []}
        test = group.test(f"{name}_cut", "The last label is missing.", ["CAPC-GC-001"], ["CallerMistake"])
        test.run("garbled_evaluate", **cut, fault=Fault.of_caller("input_error"))


def _label_hash(file: FileBuilder, circuit: dict[str, Any]) -> None:
    group = file.group(GARBLING, **circuit)
    test = group.test(
        "label_hash", "Call n of a batch hashes row r under r + 2^40 n + 2^64 position.", _HALF_GATES, ["Extreme"]
    )
    labels = [0, (1 << 128) - 1, *split_labels(test.draw("labels", 48))]
    calls = [join_labels(labels), join_labels(labels[:1]), join_labels([labels[0]] * 2)]
    test.run("label_hash", hash_key=test.draw("hash_key", 16), position=(1 << 64) - 1, calls=calls)


def _hash_keys(file: FileBuilder, smallest: dict[str, Any]) -> None:
    """Keys of chunks, and rows that end at, before and after the last of a key."""
    rule = ["CAPC-GC-011"]
    group = file.group(GARBLING, **smallest)
    test = group.test("chunk_keys", "Key j of chunk c is the block j + 2^64 c under the hash key.", rule)
    hash_key = test.draw("hash_key", 16)
    for chunk, number in ((0, 0), (0, 1), (1, 0), (3, 2)):
        test.run("chunk_key", hash_key=hash_key, chunk=chunk, number=number)
    for name, chunk, rows in (
        ("one_row_less", 0, [KEY_ROWS - 1]),
        ("all_rows", 0, [KEY_ROWS]),
        ("one_row_more", 0, [KEY_ROWS + 1]),
        ("change_inside_a_call", 1, [KEY_ROWS - 1, 2, 1]),
    ):
        test = group.test(f"hash_{name}", "Rows of one chunk beside the change of the key.", rule, ["Extreme"])
        batch: dict[str, Any] = {"hash_key": test.draw("hash_key", 16), "position": 5, "chunk": chunk}
        test.run("label_hash_rows", label_key=test.draw("label_key", 16), rows=rows, **batch)
    fields = circuit_name(Family.RELU, logit_bits=20, fraction_bits=4)
    test = file.group(GARBLING, hashed=True, **fields).test(
        "payload_of_two_chunks", "A chunk of 2,048 instances with two keys, and one of 1.", rule, ["Instances"]
    )
    test.run(
        "garble_payload",
        seed=test.seed(),
        label=b"garble",
        position=5,
        instances=chunk_instances(circuit_from(fields)) + 1,
        delta=join_labels([split_labels(test.draw("delta", 16))[0] | 1]),
        transfers_key=test.draw("transfers_key", 16),
        words_key=test.draw("words_key", 16),
    )


def _garble_case(group: GroupBuilder, name: str, circuit: Circuit, instances: int, position: int) -> None:
    flags = ["Instances"] if instances > 1 else []
    requirements = [*_HALF_GATES, "CAPC-GC-001", *(["CAPC-GC-006"] if circuit.sharing else [])]
    test = group.test(name, "Garbled, and evaluated on one input per instance.", requirements, flags)
    zeros = split_labels(test.draw("input_zero_labels", 16 * circuit.inputs * instances))
    own = circuit.garbler_inputs * instances
    zeros = zeros[:own] + [zero & ~1 for zero in zeros[own:]]
    delta = split_labels(test.draw("delta", 16))[0] | 1
    bits = [byte & 1 for byte in test.draw("bits", circuit.inputs * instances)]
    batch: dict[str, Any] = {"hash_key": test.draw("hash_key", 16), "position": position}
    made = test.run("garble", input_zero_labels=join_labels(zeros), delta=join_labels([delta]), **batch)
    active = [zero ^ (delta if bit else 0) for zero, bit in zip(zeros, bits, strict=True)]
    found = test.run(
        "garbled_evaluate", input_labels=join_labels(active), tables=made["tables"], rows=made["rows"], **batch
    )
    clear = [_clear(circuit, bits[instance::instances]) for instance in range(instances)]
    outputs = [bit for wire in zip(*clear, strict=True) for bit in wire]
    pairs = zip(split_labels(made["output_zero_labels"]), outputs, strict=True)
    expected = [zero ^ (delta if bit else 0) for zero, bit in pairs]
    expect_equal(split_labels(found["output_labels"]), expected, name)
    if circuit.sharing is not None:
        words = [circuit.output_words(each) for each in clear]
        opened = [
            [(a + b) % (1 << circuit.sharing.width) for a, b in zip(*shares, strict=True)]
            for shares in zip(made["shares"], found["shares"], strict=True)
        ]
        expect_equal(opened, words, name)


def _clear(circuit: Circuit, bits: list[int]) -> list[int]:
    """The output bits for one instance's input bits."""
    words = [from_bits(bits[at : at + circuit.input_bits]) for at in range(0, len(bits), circuit.input_bits)]
    return evaluate_in_clear(circuit, words[: circuit.garbler_words], words[circuit.garbler_words :])
