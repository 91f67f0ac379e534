"""The roles' steps: an operation is all that one message makes a party do, as its batch and its layer say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from capc import answering_party as ap
from capc import answering_party_ahead as ap_ahead
from capc import answering_party_setup as ap_setup
from capc import privacy_guardian as pg
from capc import querying_party as qp
from capc import querying_party_ahead as qp_ahead
from capc import querying_party_release as qp_release
from capc import querying_party_setup as qp_setup
from capc.architecture import Activation
from capc.linear import IdealLinear
from capc.model import QuantisedLayer, QuantisedModel, dense_model
from capc.parties import Party, Role
from capc.session import Session
from capc.suite import Suite, reference_suite
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.accounts import RECEIPT, receipt_from
from capc_verify.vectors.operations.labels import join_labels
from capc_verify.vectors.operations.sessions import MESSAGE_FAULTS, SESSION, session_from
from capc_verify.vectors.values import COUNT, DATA, FLAG, INTEGER, INTEGERS, by_party, many, optional, record

MODEL = record({"fraction_bits": COUNT, "layers": many(record({"weights": many(INTEGERS), "biases": INTEGERS}))})


@dataclass(frozen=True)
class Protocol:
    """The environment of a protocol test: the session, and the building blocks that all its roles share."""

    session: Session
    suite: Suite


def protocol_from(params: Mapping[str, Any]) -> Protocol:
    """The session, with ideal linear layers and everything else real."""
    session = session_from(params["session"])
    linear = IdealLinear(session.parameters.widths.logit_bits)
    return Protocol(session, reference_suite(session.parameters, linear))


def model_from(fields: Mapping[str, Any]) -> QuantisedModel:
    """The model that the fields of :data:`MODEL` state."""
    layers = tuple(
        QuantisedLayer(tuple(map(tuple, layer["weights"])), tuple(layer["biases"])) for layer in fields["layers"]
    )
    return dense_model(layers, fields["fraction_bits"])


def _ap_begin(call: Call) -> Result:
    protocol: Protocol = call.environment
    state, messages = ap_setup.answering_party_begin_setup(
        protocol.session,
        protocol.suite,
        call.party or Party(Role.QUERYING_PARTY),
        model_from(call["model"]),
        call["seed"],
    )
    return Result({"messages": messages}, (state,), {"mask_scalar": state.mask_scalar})


def _ap_answer(call: Call) -> Result:
    state, message = ap_setup.answering_party_answer_setup(
        call.states[0], call["he_public_key"], call["offer"], call["mask_keys"], call["check"], call["seed"]
    )
    keys = {Party(Role.ANSWERING_PARTY, index): key for index, key in state.pairwise_keys.items()}
    return Result({"message": message}, (state,), {"pairwise_keys": keys})


def _ap_finish(call: Call) -> Result:
    state = ap_setup.answering_party_finish_setup(call.states[0], call["message"])
    return Result({}, (state,), {"delta": delta_of(state.garbler_key)})


def delta_of(garbler_key: Any) -> bytes:  # noqa: ANN401
    """The offset of a garbler's key."""
    return join_labels([garbler_key.delta])


def _ap_open(call: Call) -> Result:
    after, awaiting = ap.answering_party_open_batch(call.states[0], call["count"])
    return Result({"query": awaiting.batch.first}, (after, awaiting))


def _ap_transfers(call: Call) -> Result:
    return Result({}, (ap.answering_party_take_transfers(call.states[0], call["message"]),))


def _ap_evaluate(call: Call) -> Result:
    state, message = _answered(call, ap.answering_party_enter_batch, ap.answering_party_evaluate_layer)
    after = ap.answering_party_keep_sums(state) if state.request.stage.activation is Activation.NONE else state
    return Result({"message": message}, (after,), {"mask": state.sums})


def _ap_garble(call: Call) -> Result:
    if call.states[0].request.stage.activation is Activation.VOTE:
        votes, message = ap.answering_party_garble_vote(call.states[0], call["message"], call["seed"])
        return Result({"message": message}, votes, {"fresh_share": [vote.vote_share for vote in votes]})
    state, message = ap.answering_party_garble_layer(call.states[0], call["message"], call["seed"])
    return Result({"message": message}, (state,), {"fresh_share": state.values[-1]})


def _ap_prepare(call: Call) -> Result:
    state, message = _answered(call, ap_ahead.answering_party_enter_offline, ap_ahead.answering_party_prepare_layer)
    after = ap_ahead.answering_party_keep_masks(state) if state.request.stage.activation is Activation.NONE else state
    return Result({"message": message}, (after,), {"mask": state.masks})


def _answered(call: Call, enter: Callable[..., Any], step: Callable[..., Any]) -> Any:  # noqa: ANN401
    """A batch's first request says of which kind it is; where it is refused, nothing is spent."""
    opened, message, seed = call.states[0], call["message"], call["seed"]
    if not isinstance(opened, ap.BatchTransfers):
        return step(opened, message, seed)
    opened.require_unspent()
    answered = step(enter(opened.renewed()), message, seed)
    opened.spend()
    return answered


def _ap_garble_ahead(call: Call) -> Result:
    state, message = ap_ahead.answering_party_garble_ahead(call.states[0], call["message"], call["seed"])
    return Result({"message": message}, (state,))


def _ap_finish_preparation(call: Call) -> Result:
    return Result({}, (ap_ahead.answering_party_finish_preparation(call.states[0]),))


def _ap_labels(call: Call) -> Result:
    at: ap_ahead.AwaitingValue = call.states[0]
    if not any(layer.circuits for layer in at.kept[at.layer : -1]):
        votes, message = ap_ahead.answering_party_send_vote_labels(at, call["message"])
        return Result({"message": message}, votes)
    state, message = ap_ahead.answering_party_send_labels(at, call["message"])
    return Result({"message": message}, (state,))


def _ap_send(call: Call) -> Result:
    return Result({"message": ap.answering_party_send_vote(call.states[0])})


def _qp_begin(call: Call) -> Result:
    protocol: Protocol = call.environment
    state, keys, offers = qp_setup.querying_party_begin_setup(protocol.session, protocol.suite, call["seed"])
    return Result({"he_public_keys": keys, "offers": offers}, (state,))


def _qp_finish(call: Call) -> Result:
    state, trees = qp_setup.querying_party_finish_setup(call.states[0], call["choices"], call["seed"])
    return Result({"trees": trees}, (state,))


def _qp_open(call: Call) -> Result:
    after, opened, messages, turns = qp.querying_party_open_batch(call.states[0], call["count"])
    return Result({"query": turns[0].query, "messages": messages}, (after, *opened, *turns))


def _qp_enter(call: Call) -> Result:
    return Result({}, qp.querying_party_enter_batch(call.states, call["queries"]))


def _qp_mask(call: Call) -> Result:
    return Result({}, qp_ahead.querying_party_mask_batch(call.states, call["seed"]))


def _qp_request_layer(call: Call) -> Result:
    offline = isinstance(call.states[0], qp_ahead.OfflineInput)
    step: Any = qp_ahead.querying_party_request_offline if offline else qp.querying_party_request_layer
    state, message = step(call.states[0])
    return Result({"message": message}, (state,))


def _qp_choose(call: Call) -> Result:
    offline = isinstance(call.states[0], qp_ahead.OfflineResponse)
    step: Any = qp_ahead.querying_party_choose_labels_offline if offline else qp.querying_party_choose_labels
    state, message = step(call.states[0], call["message"])
    return Result({"message": message}, (state,))


def _qp_evaluate(call: Call) -> Result:
    if call.states[0].layer_input.stage.activation is Activation.VOTE:
        votes = qp.querying_party_evaluate_vote(call.states[0], call["message"])
        return Result({}, votes, {"share": [vote.share for vote in votes]})
    state = qp.querying_party_evaluate_layer(call.states[0], call["message"])
    return Result({}, (state,), {"share": state.values[-1]})


def _qp_keep(call: Call) -> Result:
    return Result({}, (qp_ahead.querying_party_keep_circuits(call.states[0], call["message"], call["seed"]),))


def _qp_finish_preparation(call: Call) -> Result:
    return Result({}, (qp_ahead.querying_party_finish_preparation(call.states[0]),))


def _qp_enter_prepared(call: Call) -> Result:
    states, messages = qp_ahead.querying_party_enter_prepared(call.states, call["queries"])
    return Result({"messages": messages}, states)


def _qp_evaluate_prepared(call: Call) -> Result:
    if call.states[0].stage.activation is Activation.VOTE:
        votes = qp_ahead.querying_party_evaluate_prepared_vote(call.states[0], call["message"])
        return Result({"message": None}, votes)
    state, message = qp_ahead.querying_party_evaluate_prepared(call.states[0], call["message"])
    return Result({"message": message}, (state,))


def _qp_request_release(call: Call) -> Result:
    turn, *shares = call.states
    state, message = qp_release.querying_party_request_release(turn, shares, call["seed"])
    return Result({"message": message}, (state,), {"threshold_noise": state.threshold_noise})


def _qp_finish_release(call: Call) -> Result:
    answer = qp_release.querying_party_finish_release(call.states[0], call["message"])
    return Result({"label": answer.label, "answered_message": answer.answered_message})


def _pg_begin(call: Call) -> Result:
    return Result({"checks": pg.privacy_guardian_begin_setup(call.environment.session, call.environment.suite)})


def _pg_answer(call: Call) -> Result:
    protocol: Protocol = call.environment
    state, message = pg.privacy_guardian_answer_setup(
        protocol.session, protocol.suite, call["offer"], call["checks"], call["seed"]
    )
    return Result({"message": message}, (state,))


def _pg_finish(call: Call) -> Result:
    state = pg.privacy_guardian_finish_setup(call.states[0], call["message"])
    return Result({}, (state,), {"delta": delta_of(state.garbler_key)})


def _pg_open(call: Call) -> Result:
    after, collecting = pg.privacy_guardian_open_query(call.states[0])
    return Result({"query": collecting.query}, (after, collecting))


def _pg_aggregate(call: Call) -> Result:
    state = pg.privacy_guardian_aggregate(call.states[0], call["vote_shares"])
    return Result({"inputs_digest": state.inputs_digest}, (state,), {"total": list(state.total)})


def _pg_release(call: Call) -> Result:
    state, message = pg.privacy_guardian_release(
        call.states[0], receipt_from(call["receipt"]), call["message"], call["seed"]
    )
    shown = {"class_noise": list(state.noise.classes), "threshold_noise": state.noise.threshold}
    return Result({"message": message}, (state,), shown)


def _pg_read(call: Call) -> Result:
    return Result({"answered": pg.privacy_guardian_read_answered(call.states[0], call["message"])})


_AP, _QP, _PG = Role.ANSWERING_PARTY.value, Role.QUERYING_PARTY.value, Role.PRIVACY_GUARDIAN.value
MESSAGE = {"message": DATA}
RECEIVED = {"message": DATA, "seed": DATA}
MESSAGES = by_party(DATA)
ROWS = many(INTEGERS)

STEPS = named(
    Operation(
        "answering_party_begin_setup",
        _ap_begin,
        {"model": MODEL, "seed": DATA},
        {"messages": MESSAGES},
        {"mask_scalar": DATA},
        _AP,
    ),
    Operation(
        "answering_party_answer_setup",
        _ap_answer,
        {"he_public_key": DATA, "offer": DATA, "mask_keys": MESSAGES, "check": DATA, "seed": DATA},
        MESSAGE,
        {"pairwise_keys": MESSAGES},
        _AP,
    ),
    Operation("answering_party_finish_setup", _ap_finish, MESSAGE, {}, {"delta": DATA}, _AP),
    Operation("answering_party_open_batch", _ap_open, {"count": COUNT}, {"query": COUNT}, {}, _AP),
    Operation("answering_party_take_transfers", _ap_transfers, MESSAGE, {}, {}, _AP),
    Operation("answering_party_evaluate_layer", _ap_evaluate, RECEIVED, MESSAGE, {"mask": ROWS}, _AP),
    Operation("answering_party_garble_layer", _ap_garble, RECEIVED, MESSAGE, {"fresh_share": ROWS}, _AP),
    Operation("answering_party_prepare_layer", _ap_prepare, RECEIVED, MESSAGE, {"mask": ROWS}, _AP),
    Operation("answering_party_garble_ahead", _ap_garble_ahead, RECEIVED, MESSAGE, {}, _AP),
    Operation("answering_party_finish_preparation", _ap_finish_preparation, {}, {}, {}, _AP),
    Operation("answering_party_send_labels", _ap_labels, MESSAGE, MESSAGE, {}, _AP),
    Operation("answering_party_send_vote", _ap_send, {}, MESSAGE, {}, _AP),
    Operation(
        "querying_party_begin_setup",
        _qp_begin,
        {"seed": DATA},
        {"he_public_keys": MESSAGES, "offers": MESSAGES},
        {},
        _QP,
    ),
    Operation(
        "querying_party_finish_setup", _qp_finish, {"choices": MESSAGES, "seed": DATA}, {"trees": MESSAGES}, {}, _QP
    ),
    Operation("querying_party_open_batch", _qp_open, {"count": COUNT}, {"query": COUNT, "messages": MESSAGES}, {}, _QP),
    Operation("querying_party_enter_batch", _qp_enter, {"queries": ROWS}, {}, {}, _QP),
    Operation("querying_party_mask_batch", _qp_mask, {"seed": DATA}, {}, {}, _QP),
    Operation("querying_party_request_layer", _qp_request_layer, {}, MESSAGE, {}, _QP),
    Operation("querying_party_choose_labels", _qp_choose, MESSAGE, MESSAGE, {}, _QP),
    Operation("querying_party_evaluate_layer", _qp_evaluate, MESSAGE, {}, {"share": ROWS}, _QP),
    Operation("querying_party_keep_circuits", _qp_keep, RECEIVED, {}, {}, _QP),
    Operation("querying_party_finish_preparation", _qp_finish_preparation, {}, {}, {}, _QP),
    Operation("querying_party_enter_prepared", _qp_enter_prepared, {"queries": ROWS}, {"messages": MESSAGES}, {}, _QP),
    Operation("querying_party_evaluate_prepared", _qp_evaluate_prepared, MESSAGE, {"message": optional(DATA)}, {}, _QP),
    Operation(
        "querying_party_request_release",
        _qp_request_release,
        {"seed": DATA},
        MESSAGE,
        {"threshold_noise": INTEGER},
        _QP,
    ),
    Operation(
        "querying_party_finish_release",
        _qp_finish_release,
        MESSAGE,
        {"label": optional(COUNT), "answered_message": optional(DATA)},
        {},
        _QP,
    ),
    Operation("privacy_guardian_begin_setup", _pg_begin, {}, {"checks": MESSAGES}, {}, _PG),
    Operation(
        "privacy_guardian_answer_setup",
        _pg_answer,
        {"offer": DATA, "checks": MESSAGES, "seed": DATA},
        MESSAGE,
        {},
        _PG,
    ),
    Operation("privacy_guardian_finish_setup", _pg_finish, MESSAGE, {}, {"delta": DATA}, _PG),
    Operation("privacy_guardian_open_query", _pg_open, {}, {"query": COUNT}, {}, _PG),
    Operation(
        "privacy_guardian_aggregate",
        _pg_aggregate,
        {"vote_shares": MESSAGES},
        {"inputs_digest": DATA},
        {"total": INTEGERS},
        _PG,
    ),
    Operation(
        "privacy_guardian_release",
        _pg_release,
        {"receipt": RECEIPT, "message": DATA, "seed": DATA},
        MESSAGE,
        {"class_noise": INTEGERS, "threshold_noise": INTEGER},
        _PG,
    ),
    Operation("privacy_guardian_read_answered", _pg_read, MESSAGE, {"answered": FLAG}, {}, _PG),
)

REUSE = {"StateReuse", "Recovery"}
SETUP_RECEIVES = {
    "answering_party_answer_setup": MESSAGE_FAULTS | REUSE | {"InvalidPoint", "Missing"},
    "answering_party_finish_setup": MESSAGE_FAULTS | REUSE,
    "querying_party_finish_setup": MESSAGE_FAULTS | REUSE | {"InvalidPoint", "Missing"},
    "privacy_guardian_answer_setup": MESSAGE_FAULTS | {"InvalidPoint", "Missing"},
    "privacy_guardian_finish_setup": MESSAGE_FAULTS | REUSE,
    "answering_party_take_transfers": MESSAGE_FAULTS | REUSE | {"Padding"},
    "answering_party_evaluate_layer": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
    "querying_party_choose_labels": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
    "answering_party_garble_layer": MESSAGE_FAULTS | REUSE | {"Padding"},
    "querying_party_evaluate_layer": MESSAGE_FAULTS | REUSE | {"OutOfRange"},
    "privacy_guardian_aggregate": MESSAGE_FAULTS | REUSE | {"OutOfRange", "Missing"},
}
RELEASE_RECEIVES = {
    "privacy_guardian_release": MESSAGE_FAULTS | REUSE | {"Padding", "ForeignReceipt"},
    "querying_party_finish_release": MESSAGE_FAULTS | REUSE | {"Padding"},
}
REALISED_RECEIVES = {
    "privacy_guardian_release": MESSAGE_FAULTS | REUSE | {"ForeignReceipt"},
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
REALISED = GroupType("RealisedRelease", STEPS, PARAMS, protocol_from, REALISED_RECEIVES)
BATCHES = GroupType("Batches", STEPS, PARAMS, protocol_from, AHEAD_RECEIVES)
ALL_PAIRS = GroupType("AllPairs", STEPS, PARAMS, protocol_from)
