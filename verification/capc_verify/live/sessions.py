"""The sessions in which a port meets the reference: one for each mode, always with the same inputs and seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from capc.foundation.errors import InputError
from capc.foundation.parties import Party, Role
from capc.models.operators import Operator
from capc.session.parameters import Charge, ReleasePolicy, VoteVariant
from capc.session.session import Session
from capc_verify.live.joining import JOIN, Linear, TurnMode
from capc_verify.vectors.cases.common import confident, policy, single_draw, toy_session
from capc_verify.vectors.cases.protocol.honest_session import MODELS, features_where
from capc_verify.vectors.derive import Source
from capc_verify.vectors.replay import write_fields
from capc_verify.vectors.text.documents import example
from capc_verify.vectors.values import Json

SOURCE = Source("capc/live")
BUDGET = Fraction(1 << 20)
"""What no session exhausts."""
_BOTH = Fraction(2)
"""A threshold at which some queries are answered, and some are not."""
_MOST_WEIGHT = 3


@dataclass(frozen=True)
class Batch:
    """A batch of queries, in one turn or, prepared, in two.

    Attributes:
        count: how many queries it has.
        prepared: whether it is prepared before they are known.
    """

    count: int
    prepared: bool = False


@dataclass(frozen=True)
class LiveMode:
    """A way to label.

    Attributes:
        release: how labels are released.
        batches: in order; what is prepared is prepared before the first of them is labelled.
        variant: how votes are compared.
        linear: how linear layers are evaluated.
        layers: whether models have every kind of layer, or are dense ones with ReLUs.
    """

    release: Callable[[], ReleasePolicy]
    batches: tuple[Batch, ...]
    variant: VoteVariant = VoteVariant.TOURNAMENT
    linear: Linear = Linear.CLEAR
    layers: bool = False


MODES: Mapping[str, LiveMode] = {
    "one_query": LiveMode(policy, (Batch(1),)),
    "batch": LiveMode(policy, (Batch(3), Batch(1))),
    "prepared": LiveMode(policy, (Batch(2, prepared=True), Batch(1), Batch(1, prepared=True))),
    "rounds": LiveMode(policy, (Batch(2), Batch(1)), VoteVariant.MULTI_ROUND),
    "all_pairs": LiveMode(policy, (Batch(1),), VoteVariant.ALL_PAIRS),
    "single_draw": LiveMode(lambda: single_draw(threshold=_BOTH), (Batch(4),)),
    "two_draws": LiveMode(lambda: confident(threshold=_BOTH), (Batch(4),)),
    "realised": LiveMode(lambda: confident(threshold=_BOTH, charge=Charge.REALISED), (Batch(4),)),
    "layers": LiveMode(policy, (Batch(1), Batch(1, prepared=True)), layers=True),
    "encrypted": LiveMode(policy, (Batch(2), Batch(1, prepared=True)), linear=Linear.BFV),
}
"""By name."""


@dataclass(frozen=True)
class LiveSession:
    """A session of a mode.

    Attributes:
        mode: its name.
        session: what is public.
        joins: for each party the fields of its request to join, as JSON.
    """

    mode: str
    session: Session
    joins: Mapping[Party, Json]


@cache
def live_session(name: str) -> LiveSession:
    """The session of that mode.

    Raises:
        InputError: there is none.
    """
    if name not in MODES:
        raise InputError(f"mode {name!r} does not exist: choose from {', '.join(MODES)}")
    mode = MODES[name]
    session = example() if mode.layers else toy_session(SOURCE, mode.release(), name, mode.variant)
    models = _models(session) if mode.layers else MODELS
    turns = _turns(name, session)
    joins = {}
    for entry in session.participants:
        me = entry.party
        asks, answers, guards = (me.role is role for role in Role)
        fields = {
            "session": json.loads(session.canonical),
            "linear": mode.linear,
            "role": me.role,
            "party_index": me.index,
            "seed": SOURCE.draw(f"{name}/{me}", 32),
            "model": models[me.index - 1] if answers else None,
            "budget": BUDGET if guards else None,
            "turns": turns if asks else [{**turn, "queries": None} for turn in turns],
        }
        written = write_fields({key: JOIN[key] for key in fields if key != "session"}, fields)
        joins[me] = {"session": fields["session"], **written}
    return LiveSession(name, session, joins)


def _turns(name: str, session: Session) -> list[dict[str, Any]]:
    """All that is prepared, then all batches in order."""
    before, after, first = [], [], 1
    prepared = sorted(MODES[name].batches, key=lambda batch: not batch.prepared)
    for batch in prepared:
        queries = [_query(name, first + n, session) for n in range(batch.count)]
        turn = {"first": first, "count": batch.count}
        if batch.prepared:
            before.append({"mode": TurnMode.PREPARE, **turn, "queries": None})
        mode = TurnMode.LABEL_PREPARED if batch.prepared else TurnMode.LABEL
        after.append({"mode": mode, **turn, "queries": queries})
        first += batch.count
    return before + after


def _query(name: str, number: int, session: Session) -> list[int]:
    """The first on which the models agree, and two on which they do not; after them, and for other models, any."""
    if number <= 3 and not MODES[name].layers:
        return features_where(agree=number == 1)
    bits, count = session.parameters.widths.fraction_bits, session.parameters.num_features
    drawn = SOURCE.elements(f"{name}/query/{number}", count, bits + 1)
    return [element - (1 << bits) for element in drawn]


def _models(session: Session) -> list[dict[str, Any]]:
    """Models of small weights for the session's architectures."""
    made = []
    for me in session.answering_parties:
        operators = [stage.operator for stage in session.architecture(me).stages]
        layers = [_layer(f"layers/{me}/{number}", operator) for number, operator in enumerate(operators)]
        made.append({"fraction_bits": session.parameters.widths.fraction_bits, "layers": layers})
    return made


def _layer(label: str, operator: Operator) -> dict[str, Any]:
    rows = [
        [number - _MOST_WEIGHT for number in SOURCE.elements(f"{label}/{row}", operator.columns, 3)]
        for row in range(operator.rows)
    ]
    return {"weights": rows, "biases": [row - 1 for row in range(operator.rows)]}
