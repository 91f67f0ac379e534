"""Seats a party as a request to join says: the session, its role, its own inputs, one seed, and its turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from capc.foundation.errors import InputError
from capc.foundation.parties import Party, Role
from capc.foundation.randomness import SEED_BYTES, Seed
from capc.privacy.account import Account
from capc.protocol import roles
from capc.protocol.embedded_methods import EMBEDDED
from capc.protocol.seats import AnsweringSeat, GuardianSeat, Mode, QueryingSeat, QueryingTurn, Turn
from capc.session.session import Batch
from capc.session.widths import ParameterSet
from capc.steps.suite import reference_suite
from capc.two_party.interface import AnyScheme
from capc_verify.live.clear import ClearLinear
from capc_verify.live.desk import Desk, DeskLink
from capc_verify.vectors.operations.protocol.sessions import SESSION, session_from
from capc_verify.vectors.operations.protocol.step import MODEL, model_of
from capc_verify.vectors.replay import read_fields
from capc_verify.vectors.values import COUNT, DATA, INTEGERS, RATIONAL, Json, Kind, choice, many, optional, record


class Linear(StrEnum):
    """How linear layers are evaluated."""

    CLEAR = "clear"
    BFV = "bfv"


class TurnMode(StrEnum):
    """What happens in a turn."""

    LABEL = "label"
    PREPARE = "prepare"
    LABEL_PREPARED = "label_prepared"


_MODES = {TurnMode.LABEL: Mode.LABEL, TurnMode.PREPARE: Mode.OFFLINE, TurnMode.LABEL_PREPARED: Mode.ONLINE}
TURNS = many(record({"mode": choice(TurnMode), "first": COUNT, "count": COUNT, "queries": optional(many(INTEGERS))}))
JOIN: Mapping[str, Kind] = {
    "session": SESSION,
    "linear": choice(Linear),
    "role": choice(Role),
    "party_index": COUNT,
    "seed": DATA,
    "model": optional(MODEL),
    "budget": optional(RATIONAL),
    "turns": TURNS,
}
"""What a request to join holds. The model is an answering party's, the budget the guardian's, queries the querying
party's; for others they are null."""


def seated(fields: Json, two_party: AnyScheme | None = None) -> Desk:
    """A party that has not begun.

    Args:
        fields: those of :data:`JOIN`, as JSON.
        two_party: the engine of garbled circuits; None for the readable one.

    Raises:
        InputError: a field is missing, or cannot be used.
    """
    given = read_fields(JOIN, fields)
    if len(given["seed"]) != SEED_BYTES:
        raise InputError(f"a seed of {len(given['seed'])} bytes: seeds have exactly {SEED_BYTES} bytes")
    session, me = session_from(given["session"]), Party(given["role"], given["party_index"])
    parameters, link = session.parameters, DeskLink()
    seed = Seed(given["seed"])
    suite = reference_suite(parameters, _linear(given["linear"], parameters.widths), two_party)
    shared = link, session, suite, lambda: seed, EMBEDDED
    turns = [Turn(_MODES[turn["mode"]], Batch(turn["first"], turn["count"])) for turn in given["turns"]]
    if me.role is Role.QUERYING_PARTY:
        asking = QueryingSeat(*shared)
        asked = [
            QueryingTurn(turn.mode, turn.batch, entry["queries"] or ())
            for turn, entry in zip(turns, given["turns"], strict=True)
        ]
        return Desk(link, roles.querying_party(asking, asked), lambda: _labels(asking))
    if me.role is Role.ANSWERING_PARTY:
        answering = AnsweringSeat(*shared, me, model_of(session, me, given["model"]))
        return Desk(link, roles.answering_party(answering, turns), dict)
    account = Account(parameters.release, parameters.widths.grid_bits, given["budget"])
    guarding = GuardianSeat(*shared, account)
    return Desk(link, roles.privacy_guardian(guarding, turns), lambda: _noise(guarding))


def _linear(name: Linear, widths: ParameterSet) -> Any:  # noqa: ANN401  # a suite hides what a scheme is
    if name is Linear.CLEAR:
        return ClearLinear(widths.logit_bits, widths.guard_bits)
    try:
        from capc.linear.bfv import BfvLinear  # noqa: PLC0415  # of the extra `he`, for one mode
    except ImportError:
        raise InputError("sessions with HE need the extra `he`: pip install -e '.[he]' in the checkout") from None
    return BfvLinear(widths)


def _labels(seat: QueryingSeat) -> Json:
    return {
        "labels": [answer.label for answer, _ in seat.answers],
        "threshold_noise": _texts(own for _, own in seat.answers),
    }


def _noise(seat: GuardianSeat) -> Json:
    return {
        "class_noise": _texts(noise.classes for noise in seat.noise),
        "threshold_noise": _texts(noise.threshold for noise in seat.noise),
        "spent": str(seat.account.spent),
    }


def _texts(rows: Iterable[Sequence[int]]) -> list[list[str]]:
    return [[str(entry) for entry in row] for row in rows]
