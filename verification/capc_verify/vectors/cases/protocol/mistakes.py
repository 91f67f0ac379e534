"""A caller's mistakes with states: of another step or batch, too early, too late, or a second time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from capc_verify.vectors.build import FileBuilder
from capc_verify.vectors.cases.common import policy, toy_session
from capc_verify.vectors.cases.protocol.honest_session import HonestSession
from capc_verify.vectors.cases.protocol.play import MISTAKE, Play, again
from capc_verify.vectors.operations.protocol.rounds import ROUNDS
from capc_verify.vectors.operations.protocol.sessions import SESSION

_ENTER, _MASK, _ONLINE = "querying_party_enter_batch", "querying_party_mask_batch", "querying_party_enter_prepared"
_REQUEST, _CHOOSE = "querying_party_request_layer", "querying_party_choose_labels"
_FINISH, _FINISHED = "querying_party_finish_preparation", "answering_party_finish_preparation"
_EVALUATE, _PREPARE = "answering_party_evaluate_layer", "answering_party_prepare_layer"
_GARBLE, _KEEP = "answering_party_garble_layer", "querying_party_keep_sums"
_OFFER, _CHOICES = "answering_party_offer_reverse", "querying_party_choose_reverse"
_RELEASED, _ANSWERED = "privacy_guardian_release", "privacy_guardian_read_answered"
_BEGUN, _AWAITED = "querying_party_begin_rounds", "answering_party_begin_rounds"
_STATE, _LAYER = "A state that another step takes.", "The layer does not end as the step takes it for granted."
_WHOLE, _COUNT = "One state of the batch for each answering party, in order.", "Another number of queries."


@dataclass(frozen=True)
class _Mistake:
    """What is called in the place of a step of the honest session.

    Attributes:
        name: of the test.
        comment: what is wrong.
        op: whose inputs are taken, where it takes ``state`` first.
        state: that state.
        states: what is given; none for those of the honest step.
        place: the operation and first state of the step in whose place it is called; none for its own.
        changed: inputs that are others.
    """

    name: str
    comment: str
    op: str
    state: str
    states: Sequence[str] = ()
    place: tuple[str, str] | None = None
    changed: Mapping[str, Any] = field(default_factory=dict)


AT_ONCE = (
    _Mistake("state_of_another_step", _STATE, _GARBLE, "choice_1_1_0", ["request_1_1_0"], (_EVALUATE, "request_1_1_0")),
    _Mistake(
        "used_state_of_another_step",
        f"{_STATE} It was used, which counts less.",
        "querying_party_evaluate_layer",
        "circuits_1_1_0",
        ["response_1_1_0"],
    ),
    _Mistake("opened_one_missing", _WHOLE, _ENTER, "open_1_1", ["open_1_1"]),
    _Mistake("opened_exchanged", _WHOLE, _ENTER, "open_1_1", ["open_1_2", "open_1_1"]),
    _Mistake("opened_twice", _WHOLE, _ENTER, "open_1_1", ["open_1_1", "open_1_1"]),
    _Mistake("queries_too_many", _COUNT, _ENTER, "open_1_1", changed={"queries": [[1, 1], [1, 1]]}),
    _Mistake(
        "joined_batch_of_none",
        "Not a batch.",
        "answering_party_open_batch",
        "answering_party_1_1",
        changed={"count": 0},
    ),
)
PREPARED = (
    _Mistake(
        "request_after_the_last_layer",
        "All layers are prepared.",
        _REQUEST,
        "input_3_1_1",
        ["input_3_1_2"],
        (_FINISH, "input_3_1_2"),
    ),
    _Mistake(
        "prepare_after_the_last_layer",
        "All layers are prepared.",
        _PREPARE,
        "request_3_1_1",
        ["request_3_1_2"],
        (_FINISHED, "request_3_1_2"),
    ),
    _Mistake(
        "request_before_the_last_layer_finished",
        "A layer is not prepared.",
        _FINISH,
        "input_3_1_2",
        ["input_3_1_1"],
        (_REQUEST, "input_3_1_1"),
    ),
    _Mistake(
        "answer_before_the_last_layer_finished",
        "A layer is not prepared.",
        _FINISHED,
        "request_3_1_2",
        ["request_3_1_1"],
        (_PREPARE, "request_3_1_1"),
    ),
    _Mistake(
        "prepare_what_is_answered", _STATE, _PREPARE, "request_3_1_1", ["request_1_1_1"], (_EVALUATE, "request_1_1_1")
    ),
    _Mistake(
        "answer_what_is_prepared", _STATE, _EVALUATE, "request_1_1_1", ["request_3_1_1"], (_PREPARE, "request_3_1_1")
    ),
    _Mistake("masked_one_missing", _WHOLE, _MASK, "open_3_1", ["open_3_1"]),
    _Mistake("entered_one_missing", _WHOLE, _ONLINE, "prepared_3_1", ["prepared_3_1"]),
    _Mistake("entered_exchanged", _WHOLE, _ONLINE, "prepared_3_1", ["prepared_3_2", "prepared_3_1"]),
    _Mistake("entered_too_few", _COUNT, _ONLINE, "prepared_3_1", changed={"queries": [[1, 1]]}),
    _Mistake(
        "entered_feature_5",
        "Not a query of this session.",
        _ONLINE,
        "prepared_3_1",
        changed={"queries": [[1, 1], [5, 0]]},
    ),
)
OF_LAYERS = (
    _Mistake("sums_of_a_relu", _LAYER, _KEEP, "response_1_1_1", ["response_1_1_0"], (_CHOOSE, "response_1_1_0")),
    _Mistake("labels_of_sums", _LAYER, _CHOOSE, "response_1_1_0", ["response_1_1_1"], (_KEEP, "response_1_1_1")),
    _Mistake(
        "sums_of_a_relu_prepared", _LAYER, _KEEP, "response_2_1_1", ["response_2_1_0"], (_CHOOSE, "response_2_1_0")
    ),
)
IN_ROUNDS = (
    _Mistake("rounds_of_a_relu", _LAYER, _BEGUN, "response_1_1_1", ["response_1_1_0"], (_CHOOSE, "response_1_1_0")),
    _Mistake(
        "answered_rounds_of_a_relu", _LAYER, _AWAITED, "choice_1_1_1", ["choice_1_1_0"], (_GARBLE, "choice_1_1_0")
    ),
    _Mistake("labels_of_rounds", _LAYER, _CHOOSE, "response_1_1_0", ["response_1_1_1"], (_BEGUN, "response_1_1_1")),
    _Mistake("circuits_of_rounds", _LAYER, _GARBLE, "choice_1_1_0", ["choice_1_1_1"], (_AWAITED, "choice_1_1_1")),
    _Mistake(
        "reverse_offer_twice",
        "The reverse set-up was made.",
        _OFFER,
        "answering_party_1_1",
        (),
        ("querying_party_open_batch", "qp_1"),
    ),
    _Mistake(
        "reverse_choice_twice",
        "The reverse set-up was made.",
        _CHOICES,
        "qp_1",
        (),
        ("querying_party_open_batch", "qp_1"),
    ),
)


def mistakes(play: Play, wanted: Sequence[_Mistake]) -> None:
    """Each is refused before any message is looked at."""
    for each in wanted:
        step = play.taking(each.op, each.state)
        place = step if each.place is None else play.taking(*each.place)
        test = play.test_after(each.name, each.comment, ["CAPC-ERR-003"], "CallerMistake", place)
        again(test, step, MISTAKE, each.states or None, **each.changed)


def in_two_batches(play: Play) -> None:
    """States of two batches, of one answering party each."""
    entered, opened = play.taking(_ENTER, "open_1_1"), play.taking("querying_party_open_batch", "qp_1")
    test = play.test_after("opened_in_two_batches", "States of one batch.", ["CAPC-ERR-003"], "CallerMistake", entered)
    test.run(opened.op, opened.party, states=["qp_2"], leaves=["qp_3", "open_2_1", "open_2_2", "turn_2"], count=1)
    again(test, entered, MISTAKE, ["open_1_1", "open_2_2"])


def answered_in_worst_case(play: Play) -> None:
    """Nothing comes back where the worst case is charged."""
    released = play.steps([_RELEASED])[0]
    test = play.test_after(
        "answered_in_worst_case", "The worst case is charged.", ["CAPC-ERR-003"], "CallerMistake", released, done=1
    )
    states, message = released.leaves, released.fields["message"]
    test.run(_ANSWERED, released.party, states=states, fault=MISTAKE, message=message)


def without_reverse_set_up(play: Play) -> None:
    """A batch that was opened before the reverse set-up comes to its rounds."""
    first = play.taking(_OFFER, "answering_party_1_1")
    opened = play.taking("querying_party_open_batch", "qp_1")
    for name, last in (
        ("asked", play.taking(_BEGUN, "response_1_1_1")),
        ("answered", play.taking(_AWAITED, "choice_1_1_1")),
    ):
        comment = "No reverse set-up was made."
        test = play.test_after(
            f"rounds_{name}_without_reverse_set_up", comment, ["CAPC-ERR-003"], "CallerMistake", first
        )
        for step in play.honest.steps[opened.number : last.number]:
            if step.op != _BEGUN:
                again(test, step)
        again(test, last, MISTAKE)


def without_rounds(file: FileBuilder) -> None:
    """A session whose votes take no rounds has no reverse set-up."""
    session = toy_session(file.source, policy())
    group = file.group(ROUNDS, session=SESSION.read(session.document()))
    test = group.test("set_up_without_rounds", "Set-up of a session whose votes take no rounds.", ["CAPC-ROLE-008"])
    play = Play(file, group, HonestSession(group, test, session, []))
    for op, state, fields in (
        (_OFFER, "answering_party_1_1", {"seed": bytes(32)}),
        (_CHOICES, "qp_1", {"offers": {}, "seed": bytes(32)}),
    ):
        last = play.honest.steps[-1]
        party = next(step.party for step in play.honest.steps if state in step.leaves)
        test = play.test_after(
            f"{op}_without_rounds",
            "No vote of the session takes rounds.",
            ["CAPC-ERR-003"],
            "CallerMistake",
            last,
            done=1,
        )
        test.run(op, party, states=[state], fault=MISTAKE, **fields)
