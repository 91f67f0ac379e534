"""The step functions of a vote in rounds, and of the set-up of its reverse transfers."""

from __future__ import annotations

from capc import answering_party_rounds as ap_rounds
from capc import querying_party_rounds as qp_rounds
from capc import reverse_setup
from capc.parties import Role
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.sessions import MESSAGE_FAULTS
from capc_verify.vectors.operations.steps import (
    MESSAGE,
    MESSAGES,
    PARAMS,
    RECEIVED,
    REUSE,
    ROWS,
    STEPS,
    delta_of,
    protocol_from,
)
from capc_verify.vectors.values import DATA, optional


def _ap_offer_reverse(call: Call) -> Result:
    state, message = reverse_setup.answering_party_offer_reverse(call.states[0], call["seed"])
    return Result({"message": message}, (state,))


def _ap_finish_reverse(call: Call) -> Result:
    state, message = reverse_setup.answering_party_finish_reverse(call.states[0], call["message"], call["seed"])
    return Result({"message": message}, (state,))


def _ap_begin_rounds(call: Call) -> Result:
    return Result({}, (ap_rounds.answering_party_begin_rounds(call.states[0]),))


def _ap_garble_round(call: Call) -> Result:
    at: ap_rounds.AwaitingRoundChoice = call.states[0]
    if at.turn.shape.is_last(at.turn.number):
        votes, message = ap_rounds.answering_party_garble_last_round(at, call["message"], call["seed"])
        return Result({"message": message}, votes, {"fresh_share": [vote.vote_share for vote in votes]})
    state, message = ap_rounds.answering_party_garble_round(at, call["message"], call["seed"])
    return Result({"message": message}, (state,), {"fresh_share": []})


def _qp_choose_reverse(call: Call) -> Result:
    state, messages = reverse_setup.querying_party_choose_reverse(call.states[0], call["offers"], call["seed"])
    return Result({"messages": messages}, (state,))


def _qp_finish_reverse(call: Call) -> Result:
    state = reverse_setup.querying_party_finish_reverse(call.states[0], call["trees"])
    return Result({}, (state,), {"deltas": {peer: delta_of(key) for peer, key in state.reverse_keys.items()}})


def _qp_begin_rounds(call: Call) -> Result:
    state, message = qp_rounds.querying_party_begin_rounds(call.states[0], call["message"])
    return Result({"message": message}, (state,))


def _qp_evaluate_round(call: Call) -> Result:
    at: qp_rounds.AwaitingRound = call.states[0]
    if at.turn.shape.is_last(at.turn.number):
        votes = qp_rounds.querying_party_evaluate_last_round(at, call["message"], call["seed"])
        return Result({"message": None}, votes, {"share": [vote.share for vote in votes]})
    state, message = qp_rounds.querying_party_evaluate_round(at, call["message"], call["seed"])
    return Result({"message": message}, (state,), {"share": []})


_AP, _QP = Role.ANSWERING_PARTY.value, Role.QUERYING_PARTY.value

_ROUNDS = named(
    Operation("answering_party_offer_reverse", _ap_offer_reverse, {"seed": DATA}, MESSAGE, {}, _AP),
    Operation("answering_party_finish_reverse", _ap_finish_reverse, RECEIVED, MESSAGE, {}, _AP),
    Operation("answering_party_begin_rounds", _ap_begin_rounds, {}, {}, {}, _AP),
    Operation("answering_party_garble_round", _ap_garble_round, RECEIVED, MESSAGE, {"fresh_share": ROWS}, _AP),
    Operation(
        "querying_party_choose_reverse",
        _qp_choose_reverse,
        {"offers": MESSAGES, "seed": DATA},
        {"messages": MESSAGES},
        {},
        _QP,
    ),
    Operation("querying_party_finish_reverse", _qp_finish_reverse, {"trees": MESSAGES}, {}, {"deltas": MESSAGES}, _QP),
    Operation("querying_party_begin_rounds", _qp_begin_rounds, MESSAGE, MESSAGE, {}, _QP),
    Operation(
        "querying_party_evaluate_round",
        _qp_evaluate_round,
        RECEIVED,
        {"message": optional(DATA)},
        {"share": ROWS},
        _QP,
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
