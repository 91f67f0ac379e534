"""The three roles' steps, each all that one message makes a party do: where steps differ by layer, the layer tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capc.foundation.parties import answering_party
from capc.foundation.randomness import Seed
from capc.models.architecture import Activation
from capc.steps.answering_party import inference as ap
from capc.steps.answering_party import offline as ap_ahead
from capc.steps.answering_party import setup as ap_setup
from capc.steps.answering_party.party import AnsweringParty, answering_party_open_batch
from capc.steps.privacy_guardian import release as pg
from capc.steps.privacy_guardian.aggregation import privacy_guardian_aggregate
from capc.steps.privacy_guardian.party import PrivacyGuardian, privacy_guardian_open_query
from capc.steps.privacy_guardian.setup import (
    privacy_guardian_answer_setup,
    privacy_guardian_begin_setup,
    privacy_guardian_finish_setup,
)
from capc.steps.querying_party import inference as qp
from capc.steps.querying_party import offline as qp_ahead
from capc.steps.querying_party import release as qp_release
from capc.steps.querying_party import setup as qp_setup
from capc.steps.querying_party.party import querying_party_open_batch
from capc_verify.vectors.operation import GroupType, Part, named
from capc_verify.vectors.operations.accounts import RECEIPT
from capc_verify.vectors.operations.labels import join_labels
from capc_verify.vectors.operations.protocol.sessions import MESSAGE_FAULTS, SESSION
from capc_verify.vectors.operations.protocol.step import MODEL, Step, protocol_from, share_of_products, step
from capc_verify.vectors.values import COUNT, DATA, FLAG, INTEGERS, by_party, many, optional


def delta_of(garbler_key: Any) -> bytes:  # noqa: ANN401
    """The offset of a garbler's key."""
    return join_labels([garbler_key.delta])


def _keys(state: ap_setup.AwaitingTrees, _: bytes) -> dict[str, Any]:
    return {"pairwise_keys": {answering_party(index): key for index, key in state.pairwise_keys.items()}}


def _delta(state: AnsweringParty | PrivacyGuardian) -> dict[str, Any]:
    return {"delta": delta_of(state.garbler_key)}


def _sums(state: ap.AwaitingChoice | ap.AwaitingRequest, _: bytes) -> dict[str, Any]:
    return {"share_of_sums": state.sums if isinstance(state, ap.AwaitingChoice) else state.values[-1]}


def _prepared_sums(state: ap_ahead.OfflineChoice | ap_ahead.OfflineRequest, _: bytes) -> dict[str, Any]:
    return {"share_of_sums": state.shares if isinstance(state, ap_ahead.OfflineChoice) else state.kept[-1].shares}


def fresh_share(*made: object) -> dict[str, Any]:
    """An answering party's fresh shares: of the activation's outputs, or of votes; none between rounds."""
    if isinstance(made[0], ap.AwaitingRequest):
        return {"fresh_share": made[0].values[-1]}
    return {"fresh_share": [vote.vote_share for vote in made if isinstance(vote, ap.AnsweringVoteShare)]}


def share(*made: object) -> dict[str, Any]:
    """The querying party's, of the same."""
    if isinstance(made[0], qp.LayerInput):
        return {"share": made[0].values[-1]}
    return {"share": [vote.share for vote in made if isinstance(vote, qp.VoteShare)]}


def _noise(state: pg.ReleasedQuery, _: bytes) -> dict[str, Any]:
    return {"class_noise": list(state.noise.classes), "threshold_noise": list(state.noise.threshold)}


def choice_of(usual: Step, other: Step, when: Callable[[Any], bool]) -> Step:
    """One of two steps, as the state says; either refuses what is no state of theirs."""
    return lambda state, *given: (other if when(state) else usual)(state, *given)


def _answer(enter: Step, respond: Step, keep: Step) -> Step:
    """All that a request makes an answering party do: it enters a batch, responds, keeps sums without activation."""

    def answer(state: Any, message: bytes, seed: Seed) -> tuple[object, bytes]:  # noqa: ANN401
        opened = isinstance(state, ap.BatchTransfers)
        if opened:
            # A request that is refused leaves the batch as it was.
            state.require_unspent()
        after, response = respond(enter(state.renewed()) if opened else state, message, seed)
        if opened:
            state.spend()
        return keep(after) if after.request.stage.activation is Activation.NONE else after, response

    return answer


def _request_votes(state: object) -> bool:
    return isinstance(state, ap.AwaitingChoice) and state.request.stage.activation is Activation.VOTE


def _input_votes(state: object) -> bool:
    return isinstance(state, qp.AwaitingCircuits) and state.layer_input.stage.activation is Activation.VOTE


def _prepared_votes(state: object) -> bool:
    return isinstance(state, qp_ahead.OnlineCircuits) and state.stage.activation is Activation.VOTE


def _value_votes(state: object) -> bool:
    return isinstance(state, ap_ahead.OnlineValue) and not any(layer.circuits for layer in state.kept[state.layer : -1])


def is_offline(state: object) -> bool:
    """Whether it is of a batch that is prepared."""
    return isinstance(state, qp_ahead.OfflineInput | qp_ahead.OfflineResponse)


MESSAGE = {"message": DATA}
SEED = {"seed": DATA}
RECEIVED = {**MESSAGE, **SEED}
MESSAGES = by_party(DATA)
ROWS = many(INTEGERS)
"""Elements for each query of a batch."""

STEPS = named(
    step(
        "answering_party_begin_setup",
        ap_setup.answering_party_begin_setup,
        Part.SETUP,
        {"model": MODEL, **SEED},
        {"messages": MESSAGES},
        {"mask_scalar": DATA},
        lambda state, _: {"mask_scalar": state.mask_scalar},
    ),
    step(
        "answering_party_answer_setup",
        ap_setup.answering_party_answer_setup,
        Part.SETUP,
        {"offer": DATA, "mask_keys": MESSAGES, "check": DATA, **SEED},
        MESSAGE,
        {"pairwise_keys": MESSAGES},
        _keys,
    ),
    step(
        "answering_party_finish_setup",
        ap_setup.answering_party_finish_setup,
        Part.SETUP,
        {"he_public_key": DATA, **MESSAGE},
        {},
        {"delta": DATA},
        _delta,
    ),
    step(
        "answering_party_open_batch",
        answering_party_open_batch,
        Part.JOINING,
        {"count": COUNT},
        {"query": COUNT},
        tells=lambda _, waiting: {"query": waiting.batch.first},
    ),
    step("answering_party_take_transfers", ap.answering_party_take_transfers, Part.INFERENCE, MESSAGE),
    step(
        "answering_party_evaluate_layer",
        _answer(ap.answering_party_enter_batch, ap.answering_party_evaluate_layer, ap.answering_party_keep_sums),
        Part.INFERENCE,
        RECEIVED,
        MESSAGE,
        {"share_of_sums": ROWS},
        _sums,
        calls=(ap.answering_party_evaluate_layer,),
    ),
    step(
        "answering_party_garble_layer",
        choice_of(ap.answering_party_garble_layer, ap.answering_party_garble_vote, _request_votes),
        Part.INFERENCE,
        RECEIVED,
        MESSAGE,
        {"fresh_share": ROWS},
        fresh_share,
        calls=(ap.answering_party_garble_layer, ap.answering_party_garble_vote),
    ),
    step(
        "answering_party_prepare_layer",
        _answer(
            ap_ahead.answering_party_enter_offline,
            ap_ahead.answering_party_evaluate_offline,
            ap_ahead.answering_party_keep_masks,
        ),
        Part.INFERENCE,
        RECEIVED,
        MESSAGE,
        {"share_of_sums": ROWS},
        _prepared_sums,
        calls=(ap_ahead.answering_party_evaluate_offline,),
    ),
    step("answering_party_garble_ahead", ap_ahead.answering_party_garble_offline, Part.INFERENCE, RECEIVED, MESSAGE),
    step("answering_party_finish_preparation", ap_ahead.answering_party_finish_offline, Part.INFERENCE),
    step(
        "answering_party_send_labels",
        choice_of(ap_ahead.answering_party_send_labels, ap_ahead.answering_party_send_vote_labels, _value_votes),
        Part.INFERENCE,
        MESSAGE,
        MESSAGE,
        calls=(
            ap_ahead.answering_party_send_labels,
            ap_ahead.answering_party_send_vote_labels,
        ),
    ),
    step("answering_party_send_vote", ap.answering_party_send_vote, Part.AGGREGATION, {}, MESSAGE),
    step(
        "querying_party_begin_setup",
        qp_setup.querying_party_begin_setup,
        Part.SETUP,
        SEED,
        {"offers": MESSAGES},
    ),
    step(
        "querying_party_finish_setup",
        qp_setup.querying_party_finish_setup,
        Part.SETUP,
        {"choices": MESSAGES, **SEED},
        {"he_public_keys": MESSAGES, "trees": MESSAGES},
    ),
    step(
        "querying_party_open_batch",
        querying_party_open_batch,
        Part.OPENING,
        {"count": COUNT},
        {"query": COUNT, "messages": MESSAGES},
        tells=lambda _, opened, *__: {"query": opened.batch.first},
    ),
    step("querying_party_enter_batch", qp.querying_party_enter_batch, Part.ENTERING, {"queries": ROWS}, gathers=0),
    step("querying_party_mask_batch", qp_ahead.querying_party_mask_batch, Part.ENTERING, SEED, gathers=0),
    step(
        "querying_party_request_layer",
        choice_of(qp.querying_party_request_layer, qp_ahead.querying_party_request_offline, is_offline),
        Part.INFERENCE,
        {},
        MESSAGE,
        calls=(
            qp.querying_party_request_layer,
            qp_ahead.querying_party_request_offline,
        ),
    ),
    step(
        "querying_party_choose_labels",
        choice_of(qp.querying_party_choose_labels, qp_ahead.querying_party_choose_labels_offline, is_offline),
        Part.INFERENCE,
        MESSAGE,
        MESSAGE,
        {"share_of_products": ROWS},
        recalls=share_of_products,
        calls=(
            qp.querying_party_choose_labels,
            qp_ahead.querying_party_choose_labels_offline,
        ),
    ),
    step(
        "querying_party_evaluate_layer",
        choice_of(qp.querying_party_evaluate_layer, qp.querying_party_evaluate_vote, _input_votes),
        Part.INFERENCE,
        MESSAGE,
        {},
        {"share": ROWS},
        share,
        calls=(
            qp.querying_party_evaluate_layer,
            qp.querying_party_evaluate_vote,
        ),
    ),
    step("querying_party_keep_circuits", qp_ahead.querying_party_keep_circuits, Part.INFERENCE, RECEIVED),
    step("querying_party_finish_preparation", qp_ahead.querying_party_finish_offline, Part.INFERENCE),
    step(
        "querying_party_enter_prepared",
        qp_ahead.querying_party_enter_online,
        Part.ENTERING,
        {"queries": ROWS},
        {"messages": MESSAGES},
        gathers=0,
    ),
    step(
        "querying_party_evaluate_prepared",
        choice_of(
            qp_ahead.querying_party_evaluate_online, qp_ahead.querying_party_evaluate_online_vote, _prepared_votes
        ),
        Part.INFERENCE,
        MESSAGE,
        {"message": optional(DATA)},
        calls=(
            qp_ahead.querying_party_evaluate_online,
            qp_ahead.querying_party_evaluate_online_vote,
        ),
    ),
    step(
        "querying_party_request_release",
        qp_release.querying_party_request_release,
        Part.RELEASE,
        SEED,
        MESSAGE,
        {"threshold_noise": INTEGERS},
        lambda state, _: {"threshold_noise": list(state.threshold_noise)},
        gathers=1,
    ),
    step(
        "querying_party_finish_release",
        qp_release.querying_party_finish_release,
        Part.RELEASE,
        MESSAGE,
        {"label": optional(COUNT), "answered_message": optional(DATA)},
        tells=lambda answer: {"label": answer.label, "answered_message": answer.answered_message},
    ),
    step("privacy_guardian_begin_setup", privacy_guardian_begin_setup, Part.SETUP, {}, {"checks": MESSAGES}),
    step(
        "privacy_guardian_answer_setup",
        privacy_guardian_answer_setup,
        Part.SETUP,
        {"offer": DATA, "checks": MESSAGES, **SEED},
        MESSAGE,
    ),
    step(
        "privacy_guardian_finish_setup",
        privacy_guardian_finish_setup,
        Part.SETUP,
        MESSAGE,
        {},
        {"delta": DATA},
        _delta,
    ),
    step(
        "privacy_guardian_open_query",
        privacy_guardian_open_query,
        Part.JOINING,
        {},
        {"query": COUNT},
        tells=lambda _, collecting: {"query": collecting.query},
    ),
    step(
        "privacy_guardian_aggregate",
        privacy_guardian_aggregate,
        Part.AGGREGATION,
        {"vote_shares": MESSAGES},
        {"inputs_digest": DATA},
        {"total": INTEGERS},
        lambda state: {"inputs_digest": state.inputs_digest, "total": list(state.total)},
    ),
    step(
        "privacy_guardian_release",
        pg.privacy_guardian_release,
        Part.RELEASE,
        {"receipt": RECEIPT, **RECEIVED},
        MESSAGE,
        {"class_noise": INTEGERS, "threshold_noise": INTEGERS},
        _noise,
    ),
    step(
        "privacy_guardian_read_answered",
        pg.privacy_guardian_read_answered,
        Part.RELEASE,
        MESSAGE,
        {"answered": FLAG},
    ),
)

REUSE = {"StateReuse", "Recovery"}
SETUP_RECEIVES = {
    "answering_party_answer_setup": MESSAGE_FAULTS | REUSE | {"InvalidPoint", "Missing"},
    "answering_party_finish_setup": MESSAGE_FAULTS | REUSE | {"Inconsistent"},
    "querying_party_finish_setup": MESSAGE_FAULTS | REUSE | {"InvalidPoint", "Missing"},
    "privacy_guardian_answer_setup": MESSAGE_FAULTS | {"InvalidPoint", "Missing"},
    "privacy_guardian_finish_setup": MESSAGE_FAULTS | REUSE | {"Inconsistent"},
    "answering_party_take_transfers": MESSAGE_FAULTS | REUSE | {"Inconsistent"},
    "answering_party_evaluate_layer": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
    "querying_party_choose_labels": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
    "answering_party_garble_layer": MESSAGE_FAULTS | REUSE | {"Padding"},
    "querying_party_evaluate_layer": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
    "privacy_guardian_aggregate": MESSAGE_FAULTS | REUSE | {"OutOfRange", "Missing"},
}
RELEASE_RECEIVES = {
    "privacy_guardian_release": MESSAGE_FAULTS | REUSE | {"Padding", "Inconsistent", "ForeignReceipt"},
    "querying_party_finish_release": MESSAGE_FAULTS | REUSE | {"Padding"},
}
REALISED_RECEIVES = {
    "privacy_guardian_release": MESSAGE_FAULTS | REUSE | {"Inconsistent", "ForeignReceipt", "OtherTransfers"},
    "querying_party_finish_release": MESSAGE_FAULTS | REUSE | {"Padding"},
    "privacy_guardian_read_answered": MESSAGE_FAULTS | REUSE | {"ForgedLabel"},
}

PARAMS = {"session": SESSION}
PLAIN = GroupType("PlainRelease", STEPS, PARAMS, protocol_from, {**SETUP_RECEIVES, **RELEASE_RECEIVES})
THRESHOLD = GroupType("ThresholdRelease", STEPS, PARAMS, protocol_from, RELEASE_RECEIVES)
AHEAD_RECEIVES = {
    "answering_party_prepare_layer": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
    "answering_party_garble_ahead": MESSAGE_FAULTS | REUSE,
    "querying_party_keep_circuits": MESSAGE_FAULTS | REUSE,
    "answering_party_send_labels": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
    "querying_party_evaluate_prepared": MESSAGE_FAULTS | REUSE,
}
SINGLE_DRAW = GroupType("SingleDrawRelease", STEPS, PARAMS, protocol_from, RELEASE_RECEIVES)
REALISED = GroupType("RealisedRelease", STEPS, PARAMS, protocol_from, REALISED_RECEIVES)
BATCHES = GroupType("Batches", STEPS, PARAMS, protocol_from, AHEAD_RECEIVES)
ALL_PAIRS = GroupType("AllPairs", STEPS, PARAMS, protocol_from)
