"""The step functions of a vote in rounds, and of the set-up of its reverse transfers."""

from __future__ import annotations

from typing import Any

from capc.steps.answering_party import vote_rounds as ap_rounds
from capc.steps.answering_party.reverse_setup import answering_party_finish_reverse, answering_party_offer_reverse
from capc.steps.querying_party import reverse_setup
from capc.steps.querying_party import vote_rounds as qp_rounds
from capc.steps.querying_party.party import QueryingParty
from capc_verify.vectors.operation import GroupType, Part, named
from capc_verify.vectors.operations.protocol.sessions import MESSAGE_FAULTS
from capc_verify.vectors.operations.protocol.step import protocol_from, share_of_products, step
from capc_verify.vectors.operations.protocol.steps import (
    MESSAGE,
    MESSAGES,
    PARAMS,
    RECEIVED,
    REUSE,
    ROWS,
    SEED,
    STEPS,
    choice_of,
    delta_of,
    fresh_share,
    share,
)
from capc_verify.vectors.values import DATA, optional


def _deltas(party: QueryingParty) -> dict[str, Any]:
    return {"deltas": {peer: delta_of(key) for peer, key in party.reverse_keys.items()}}


def _is_last(state: object) -> bool:
    rounds = ap_rounds.AwaitingRoundChoice | qp_rounds.AwaitingRound
    return isinstance(state, rounds) and state.turn.shape.is_last(state.turn.number)


_ROUNDS = named(
    step(
        "answering_party_offer_reverse",
        answering_party_offer_reverse,
        Part.REVERSE_SETUP,
        SEED,
        MESSAGE,
    ),
    step(
        "answering_party_finish_reverse",
        answering_party_finish_reverse,
        Part.REVERSE_SETUP,
        RECEIVED,
        MESSAGE,
    ),
    step("answering_party_begin_rounds", ap_rounds.answering_party_begin_rounds, Part.INFERENCE),
    step(
        "answering_party_garble_round",
        choice_of(ap_rounds.answering_party_garble_round, ap_rounds.answering_party_garble_last_round, _is_last),
        Part.INFERENCE,
        RECEIVED,
        MESSAGE,
        {"fresh_share": ROWS},
        fresh_share,
        calls=(ap_rounds.answering_party_garble_round, ap_rounds.answering_party_garble_last_round),
    ),
    step(
        "querying_party_choose_reverse",
        reverse_setup.querying_party_choose_reverse,
        Part.REVERSE_SETUP,
        {"offers": MESSAGES, **SEED},
        {"messages": MESSAGES},
    ),
    step(
        "querying_party_finish_reverse",
        reverse_setup.querying_party_finish_reverse,
        Part.REVERSE_SETUP,
        {"trees": MESSAGES},
        {},
        {"deltas": MESSAGES},
        _deltas,
    ),
    step(
        "querying_party_begin_rounds",
        qp_rounds.querying_party_begin_rounds,
        Part.INFERENCE,
        MESSAGE,
        MESSAGE,
        {"share_of_products": ROWS},
        recalls=share_of_products,
    ),
    step(
        "querying_party_evaluate_round",
        choice_of(qp_rounds.querying_party_evaluate_round, qp_rounds.querying_party_evaluate_last_round, _is_last),
        Part.INFERENCE,
        RECEIVED,
        {"message": optional(DATA)},
        {"share": ROWS},
        share,
        calls=(qp_rounds.querying_party_evaluate_round, qp_rounds.querying_party_evaluate_last_round),
    ),
)

_RECEIVES = {
    "querying_party_choose_reverse": MESSAGE_FAULTS | REUSE | {"InvalidPoint", "Missing"},
    "answering_party_finish_reverse": MESSAGE_FAULTS | REUSE | {"InvalidPoint"},
    "querying_party_finish_reverse": MESSAGE_FAULTS | REUSE | {"Missing"},
    "querying_party_begin_rounds": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
    "answering_party_garble_round": MESSAGE_FAULTS | REUSE | {"OutOfRange", "Padding"},
    "querying_party_evaluate_round": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
}

ROUNDS = GroupType("VoteInRounds", {**STEPS, **_ROUNDS}, PARAMS, protocol_from, _RECEIVES)
