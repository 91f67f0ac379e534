"""Parameters, sessions, hellos."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.models.architecture import dense_architecture
from capc.session.envelope import HEADER
from capc.session.hello import HELLO_SLACK, hello
from capc.session.parameters import NoiseName, VoteVariant
from capc.session.session import Session
from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.common import confident, message_faults, policy, single_draw, toy_session
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.protocol.sessions import HANDSHAKE, SESSION, SESSIONS
from capc_verify.vectors.values import Edited

_BAD = Fault.of_caller("parameter_error")
_Document = dict[str, Any]


def session() -> FileBuilder:
    """Digests, tags and hellos."""
    file = FileBuilder(
        "session",
        "CAPC-SESSION",
        [
            "Parameter digest, session tag, and the hello with which two parties whose tags differ find the field.",
            "The detail line of an error is free text and is not tested.",
        ],
    )
    _digests(file)
    _handshake(file)
    return file


def _digests(file: FileBuilder) -> None:
    group = file.group(SESSIONS)
    for name, release in {
        "plain": policy(),
        "confident": confident(),
        "rationals": confident(sigma=Fraction(7, 3), delta=Fraction(1, 3000)),
        "skellam": policy(mechanism=NoiseName.SKELLAM, renyi_order=Fraction(9, 2)),
        "joint": confident(renyi_order=Fraction(3), joint_cost=Fraction(21, 2)),
        "label": policy(renyi_order=Fraction(7, 2), argmax_cost=Fraction(9, 16)),
        "labels_counted": single_draw(argmax_queries=500),
    }.items():
        _digest(group, name, toy_session(file.source, release))
    for variant in (VoteVariant.ALL_PAIRS, VoteVariant.MULTI_ROUND):
        _digest(group, variant.value, toy_session(file.source, policy(), variant=variant))
    for field, value in _BAD_PARAMETERS:
        document = SESSION.read(toy_session(file.source, policy()).document())["parameters"]
        group.case(
            "parameters_digest",
            f"bad_{field}_{len(group.tests)}",
            f"{field} breaks a rule.",
            ["CAPC-PARAM-001"],
            ["BadParameter"],
            parameters={**document, field: value},
            fault=_BAD,
        )
    for name, requirement, change in _BAD_SESSIONS:
        document = SESSION.read(toy_session(file.source, policy()).document())
        change(document)
        group.case(
            "session_tag",
            f"bad_session_{name}",
            "The session is refused.",
            [requirement],
            ["BadParameter"],
            session=document,
            fault=_BAD,
        )


def _digest(group: GroupBuilder, name: str, made: Session) -> None:
    document = SESSION.read(made.document())
    group.case(
        "parameters_digest",
        f"parameters_{name}",
        "Canonical JSON and digest.",
        ["CAPC-PARAM-002"],
        parameters=document["parameters"],
    )
    group.case(
        "session_tag", f"session_{name}", "The session's tag.", ["CAPC-PARAM-003", "CAPC-ROLE-005"], session=document
    )


_BAD_PARAMETERS: tuple[tuple[str, object], ...] = (
    ("logit_bits", 2),
    ("logit_bits", 60),
    ("vote_bits", 1),
    ("vote_bits", 65),
    ("grid_bits", 17),
    ("fraction_bits", 11),
    ("num_classes", 1),
    ("num_classes", 1025),
    ("num_features", 0),
    ("sigma", Fraction(0)),
    ("threshold", Fraction(1)),
    ("threshold_sigma", Fraction(1)),
    ("epsilon", Fraction(0)),
    ("delta", Fraction(1)),
    ("delta", Fraction(0)),
    ("spec_version", "0.0.9"),
    *(("renyi_order", Fraction(order)) for order in (1, (1 << 20) + 1)),
    *(("joint_cost", Fraction(1)), ("mechanism", NoiseName.SKELLAM), ("argmax_cost", Fraction(1))),
)


def _no_answering(document: _Document) -> None:
    del document["participants"][1:3]


def _swapped(document: _Document) -> None:
    document["participants"].reverse()


def _gap(document: _Document) -> None:
    document["participants"][2]["party"] = answering_party(3)


def _same_identity(document: _Document) -> None:
    document["participants"][2]["identity"] = document["participants"][1]["identity"]


def _short_id(document: _Document) -> None:
    document["session_id"] = document["session_id"][:-1]


def _model_of_guardian(document: _Document) -> None:
    document["participants"][3]["architecture"] = dense_architecture((2, 3)).document()


def _other_classes(document: _Document) -> None:
    document["participants"][1]["architecture"] = dense_architecture((2, 2, 4)).document()


def _narrow_votes(document: _Document) -> None:
    document["parameters"]["vote_bits"] = 6


_BAD_SESSIONS: tuple[tuple[str, str, Callable[[_Document], None]], ...] = (
    ("no_answering_party", "CAPC-ROLE-003", _no_answering),
    ("order", "CAPC-ROLE-003", _swapped),
    ("gap_in_numbers", "CAPC-ROLE-003", _gap),
    ("identity_twice", "CAPC-ROLE-003", _same_identity),
    ("short_session_id", "CAPC-ROLE-003", _short_id),
    ("guardian_with_model", "CAPC-ROLE-003", _model_of_guardian),
    ("model_of_other_classes", "CAPC-ROLE-003", _other_classes),
    ("votes_do_not_fit", "CAPC-PARAM-031", _narrow_votes),
)


def _handshake(file: FileBuilder) -> None:
    made = toy_session(file.source, policy())
    group = file.group(HANDSHAKE, session=SESSION.read(made.document()))
    ends = [(QUERYING_PARTY, answering_party(1)), (answering_party(2), PRIVACY_GUARDIAN)]
    for sender, receiver in (*ends, *((receiver, sender) for sender, receiver in ends)):
        test = group.test(
            f"hello_{sender}_{receiver}", "A hello is made and accepted.", ["CAPC-WIRE-001", "CAPC-ROLE-004"]
        )
        message = test.run("hello", sender, receiver=receiver)["message"]
        test.run("check_hello", receiver, sender=sender, message=message)
    sender, receiver = answering_party(1), PRIVACY_GUARDIAN
    honest = hello(made, sender, receiver)
    group.blobs["honest"] = honest.hex()
    check = partial(group.case, "check_hello", party=receiver, sender=sender)
    for fault in message_faults(honest):
        # A hello may have any length up to its limit: what is short is no JSON, what is long is none either.
        within = fault.flag in {"Short", "Long"}
        code, requirement = ("non_canonical", "CAPC-WIRE-007") if within else (fault.code, fault.requirement)
        check(
            f"hello_{fault.name}",
            "One fault in a hello.",
            [requirement, "CAPC-ERR-002"],
            [fault.flag],
            message=fault.message,
            fault=Fault.of_peer(code, sender),
        )
    for name, more, code in (("longest", 0, "non_canonical"), ("too_long", 1, "malformed_length")):
        padded = Edited(honest, {"pad": HELLO_SLACK + more})
        check(
            f"hello_{name}",
            "The limit is the receiver's own length and 2^18 bytes.",
            ["CAPC-ROLE-017"],
            ["Long"],
            message=padded,
            fault=Fault.of_peer(code, sender),
        )
    _foreign_hellos(check, made, sender, receiver)


def _foreign_hellos(check: Callable[..., object], made: Session, sender: Party, receiver: Party) -> None:
    header = hello(made, sender, receiver)[: HEADER.size]
    mismatch, no_json = Fault.of_peer("parameter_mismatch", sender), Fault.of_peer("non_canonical", sender)
    document = json.dumps(made.document(), sort_keys=True, separators=(",", ":"))
    first = json.dumps(made.document()["participants"][0], sort_keys=True, separators=(",", ":"))  # type: ignore[index]
    for name, old, new in (
        ("sigma", '"sigma":"2"', '"sigma":"3"'),
        ("classes", '"num_classes":3', '"num_classes":4'),
        ("spec_version", '"spec_version":"0.1.1"', '"spec_version":"0.2.0"'),
        ("layer_width", '"outputs":2', '"outputs":4'),
        ("session_id", f'"session_id":"{made.session_id.hex()[:2]}', '"session_id":"00'),
        ("identity", made.participants[1].identity.hex(), made.participants[1].identity.hex()[::-1]),
        ("fewer_participants", f"{first},", ""),
    ):
        payload = document.replace(old, new, 1).encode("ascii")
        check(
            f"hello_other_{name}",
            "The peer is in another session.",
            ["CAPC-ROLE-004"],
            ["ParameterMismatch"],
            message=header + payload,
            fault=mismatch,
        )
    for name, payload in (
        ("empty", b""),
        ("no_json", b"{"),
        ("no_text", b"\xff\xfe\xfd"),
        ("deeply_nested", b"[" * 4000),
        ("huge_number", b"1" * 5000),
    ):
        check(
            f"hello_{name}",
            "The payload is no JSON text.",
            ["CAPC-WIRE-007"],
            ["NotJson"],
            message=header + payload,
            fault=no_json,
        )
    for name, text in (
        ("other_spaces", document.replace('","', '", "', 1)),
        ("space_at_the_end", document + " "),
        ("key_twice", document.replace('{"parameters"', '{"parameters":0,"parameters"', 1)),
        ("escaped_letter", document.replace('"sigma"', '"\\u0073igma"', 1)),
    ):
        payload = text.encode("ascii")
        check(
            f"hello_{name}",
            "The receiver's own document, otherwise written.",
            ["CAPC-ROLE-004"],
            ["OtherEncoding"],
            message=header + payload,
            fault=no_json,
        )
