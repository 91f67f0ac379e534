"""What several cases share: the toy session, the header's faults, invalid points, and a check against an oracle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.models.architecture import dense_architecture
from capc.session.envelope import HEADER
from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy, ThresholdMode, VoteVariant
from capc.session.session import Participant, Session
from capc.session.widths import ParameterSet
from capc_verify.vectors.build import GenerationError
from capc_verify.vectors.derive import Source
from capc_verify.vectors.values import Edited

TOY_CLASSES = 3
TOY_FEATURES = 2
TOY_LAYERS = ((2, 2, 3), (2, 3))
"""Layer widths of AP_1, which has a hidden layer, and AP_2, which has none."""


@dataclass(frozen=True)
class MessageFault:
    """One fault of a message.

    Attributes:
        name: for the vector's name.
        code: the error that it must give.
        flag: its flag.
        requirement: the statement that it breaks.
        message: the faulty message.
    """

    name: str
    code: str
    flag: str
    requirement: str
    message: Edited


def expect_equal(found: object, expected: object, place: str) -> None:
    """Stops the generation if the code disagrees with an independent computation.

    Raises:
        GenerationError: it does.
    """
    if found != expected:
        raise GenerationError(f"{place}: the code gives {found}, the oracle {expected}")


def policy(**changes: Any) -> ReleasePolicy:  # noqa: ANN401
    """Plain GNMax with rounded Gaussian noise of 2 votes, and changes to it."""
    fields: dict[str, Any] = {
        "mechanism": NoiseName.ROUNDED_GAUSSIAN,
        "sigma": Fraction(2),
        "threshold": None,
        "threshold_sigma": None,
        "charge": Charge.WORST_CASE,
        "adjacency": Adjacency.REPLACE_ONE,
        "epsilon": Fraction(8),
        "delta": Fraction(1, 100000),
    }
    return ReleasePolicy(**{**fields, **changes})


def confident(**changes: Any) -> ReleasePolicy:  # noqa: ANN401
    """Confident-GNMax with a threshold of 3/2 votes and small noise, so that both outcomes are near."""
    fields: dict[str, Any] = {"sigma": Fraction(1, 2), "threshold": Fraction(3, 2), "threshold_sigma": Fraction(1, 2)}
    return policy(**{**fields, **changes})


def single_draw(**changes: Any) -> ReleasePolicy:  # noqa: ANN401
    """The same threshold on the counts with the label's noise."""
    fields: dict[str, Any] = {"threshold_sigma": None, "threshold_mode": ThresholdMode.SINGLE_DRAW}
    return confident(**{**fields, **changes})


def toy_session(
    source: Source,
    release: ReleasePolicy,
    name: str = "session",
    variant: VoteVariant = VoteVariant.TOURNAMENT,
) -> Session:
    """K = 2, C = 3, d = 2 with the published toy set; identities and id from the file's source."""
    identities = [source.draw(f"{name}/identity/{index}", 32) for index in range(4)]
    return Session(
        Parameters(ParameterSet.named("toy"), TOY_CLASSES, TOY_FEATURES, release, variant),
        source.draw(f"{name}/session_id", 32),
        (
            Participant(QUERYING_PARTY, identities[0]),
            Participant(answering_party(1), identities[1], dense_architecture(TOY_LAYERS[0])),
            Participant(answering_party(2), identities[2], dense_architecture(TOY_LAYERS[1])),
            Participant(PRIVACY_GUARDIAN, identities[3]),
        ),
    )


def message_faults(message: bytes, *, empty_payload: bool = False) -> Iterator[MessageFault]:
    """Every fault that each message can have: length, and each field of the header, one at a time.

    Args:
        message: the honest message.
        empty_payload: there is no payload whose last byte could be missing.
    """
    kind, tag, query, layer, role, index, to_role, to_index = HEADER.unpack_from(message)

    def fault(name: str, code: str, flag: str, requirement: str, edit: dict[str, Any]) -> MessageFault:
        return MessageFault(name, code, flag, requirement, Edited(message, edit))

    def header(name: str, code: str, flag: str, at: int, patch: bytes, requirement: str) -> MessageFault:
        return fault(name, code, flag, requirement, {"at": at, "replace": patch.hex()})

    length = "malformed_length"
    cut = len(message) - HEADER.size + 1
    yield fault("header_cut", length, "NoHeader", "CAPC-WIRE-003", {"truncate": cut})
    if not empty_payload:
        yield fault("short", length, "Short", "CAPC-WIRE-003", {"truncate": 1})
    yield fault("long", length, "Long", "CAPC-WIRE-003", {"append": "00"})
    rule, bound = "CAPC-WIRE-002", "CAPC-WIRE-006"
    yield header("type", "wrong_message_type", "WrongType", 0, bytes([kind % 11 + 1]), rule)
    yield header("session", "foreign_session", "ForeignSession", 1, bytes([tag[0] ^ 1]), bound)
    yield header("query", "wrong_query", "WrongQuery", 33, (query + 1).to_bytes(4, "little"), bound)
    yield header("layer", "wrong_layer", "WrongLayer", 37, bytes([layer + 1]), bound)
    yield header("sender_role", "wrong_sender", "WrongSender", 38, bytes([(role + 1) % 3]), rule)
    yield header("sender_index", "wrong_sender", "WrongSender", 39, (index + 1).to_bytes(2, "little"), rule)
    yield header("receiver_role", "wrong_receiver", "WrongReceiver", 41, bytes([(to_role + 1) % 3]), rule)
    yield header("receiver_index", "wrong_receiver", "WrongReceiver", 42, (to_index + 1).to_bytes(2, "little"), rule)


_P = 2**255 - 19
_D = -121665 * pow(121666, _P - 2, _P) % _P


def invalid_points() -> dict[str, bytes]:
    """Encodings that are no point of the prime-order group, by what is wrong with each.

    Computed from the curve's equation -x^2 + y^2 = 1 + d x^2 y^2, without the library under test.
    """
    torsion = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
    off_curve = next(y for y in range(2, 100) if _x_squared_has_no_root(y))
    return {
        "neutral": (1).to_bytes(32, "little"),
        "order_two": (_P - 1).to_bytes(32, "little"),
        "order_four": bytes(32),
        "order_eight": torsion,
        "mixed_order": _mixed_order(),
        "not_canonical": (_P + 1).to_bytes(32, "little"),
        "off_curve": off_curve.to_bytes(32, "little"),
    }


def _x_squared_has_no_root(y: int) -> bool:
    return pow(_x_squared(y), (_P - 1) // 2, _P) == _P - 1


def _x_squared(y: int) -> int:
    return (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P


def _mixed_order() -> bytes:
    """The base point plus the point (0, -1) of order 2: (x, y) becomes (-x, -y)."""
    base_y = 4 * pow(5, _P - 2, _P) % _P
    # The base point's x is even, so -x is odd, which the highest bit says.
    return ((_P - base_y) | 1 << 255).to_bytes(32, "little")
