"""CAPC-ROLE-008 over every state of every package, every way to copy one, and every step that was not made for it."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import sys
import threading
import time
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from types import FrameType
from typing import Any

import pytest

from capc.foundation.errors import InputError, StateReuseError
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse, SpentMark
from capc.linear.ideal import IdealLinear
from capc.models.architecture import Activation, StageShape
from capc.models.operators import Dense
from capc.session.parameters import Parameters, VoteVariant
from capc.steps.answering_party.external import answering_party_enter_argmax
from capc.steps.answering_party.inference import (
    AwaitingChoice,
    answering_party_garble_layer,
    answering_party_garble_vote,
    answering_party_keep_sums,
)
from capc.steps.answering_party.offline import (
    OfflineChoice,
    OfflineRequest,
    answering_party_evaluate_offline,
    answering_party_finish_offline,
    answering_party_garble_offline,
    answering_party_keep_masks,
)
from capc.steps.answering_party.vote_rounds import (
    AwaitingRoundChoice,
    answering_party_begin_rounds,
    answering_party_garble_last_round,
    answering_party_garble_round,
)
from capc.steps.layer_circuits import Ending, ending, require_ending
from capc.steps.querying_party.external import querying_party_enter_argmax
from capc.steps.querying_party.inference import (
    AwaitingCircuits,
    AwaitingResponse,
    querying_party_choose_labels,
    querying_party_evaluate_layer,
    querying_party_evaluate_vote,
    querying_party_keep_sums,
)
from capc.steps.querying_party.offline import (
    OfflineCircuits,
    OfflineInput,
    OfflineResponse,
    querying_party_choose_labels_offline,
    querying_party_finish_offline,
    querying_party_keep_sums_offline,
    querying_party_request_offline,
)
from capc.steps.querying_party.vote_rounds import (
    AwaitingRound,
    querying_party_begin_rounds,
    querying_party_evaluate_last_round,
    querying_party_evaluate_round,
)
from capc.steps.suite import reference_suite
from repository.test_hidden import classes, name_of
from support.builders import counter_seeds, make_account, make_parameters, make_session, model_of_all_endings
from support.driver import Driver
from support.forks import in_a_fork
from support.runs import POLICIES, fresh_driver, parameters_for
from support.step_functions import Step, shown_by, step_functions

WATCHED = {
    method.__code__ for method in (SingleUse.spend, SingleUse.require_unspent, SpentMark.take, SpentMark.spent.fget)
}
CANARY = "5ec7e7-of-a-party"


def states() -> list[type[SingleUse]]:
    return [cls for cls in classes() if issubclass(cls, SingleUse) and cls is not SingleUse]


def made(cls: type[SingleUse]) -> SingleUse:
    """An unspent state, all of whose fields hold a canary; there is no other state that it holds."""
    held: dict[str, Any] = {entry.name: CANARY for entry in fields(cls) if entry.name not in ("_mark", "destroyed")}
    if "ot_states" in held:
        held["ot_states"] = {}
    return cls(**held)


@lru_cache
def steps() -> dict[Step, tuple[type[SingleUse], bool]]:
    """Every step that continues from a state: of which type, and whether it takes those of all answering parties."""
    found: dict[Step, tuple[type[SingleUse], bool]] = {}
    for step in step_functions():
        first = next(iter(typing.get_type_hints(step).values()))
        many = typing.get_origin(first) is Sequence
        taken = typing.get_args(first)[0] if many else first
        if inspect.isclass(taken) and issubclass(taken, SingleUse):
            found[step] = taken, many
    return found


def rest_of(step: Step) -> Iterator[object]:
    """Something for every argument but the state."""
    for parameter in list(inspect.signature(step).parameters)[1:]:
        yield Seed(bytes(32)) if parameter == "seed" else b""


@pytest.mark.req("CAPC-ROLE-008")
@pytest.mark.parametrize("cls", states(), ids=name_of)
def test_copies_of_a_state_share_its_one_use(cls: type[SingleUse]) -> None:
    """Whichever is used first, in whatever way it was made, the others are used too; and no state is stored."""
    ways: dict[str, Callable[[Any], Any]] = {
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
        "replace": replace,
        "copy of a copy": lambda state: copy.copy(replace(copy.deepcopy(state))),
        "in a list": lambda state: copy.deepcopy([state])[0],
    }
    for way in ways.values():
        for copy_first in (False, True):
            state = made(cls)
            before = way(state)
            first, second = (before, state) if copy_first else (state, before)
            first.spend()
            for used in (first, second, way(first), way(second)):
                with pytest.raises(StateReuseError, match=f"^{cls.__name__} was used before"):
                    used.require_unspent()
                with pytest.raises(StateReuseError):
                    used.spend()
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises((InputError, TypeError)):
            pickle.dumps(made(cls), protocol)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.req("CAPC-ROLE-008")
def test_a_forked_process_can_use_no_state_and_takes_none_away() -> None:
    """One fork for all states: the first that is not refused there is named. Here all are as they were."""
    ours = [made(cls) for cls in states()]
    ways: list[Callable[[Any], Any]] = [lambda state: state, copy.copy, copy.deepcopy, replace]

    def refused(use: Callable[[], None]) -> bool:
        try:
            use()
        except StateReuseError:
            return True
        return False

    def use_all() -> None:
        for state in ours:
            for way in ways:
                theirs = way(state)
                if not (refused(theirs.require_unspent) and refused(theirs.spend)):
                    raise LookupError(state)

    assert in_a_fork(use_all) == "none"
    for state in ours:
        state.require_unspent()
        state.spend()


def pause_at_every_line(frame: FrameType, event: str, argument: object) -> object:
    """A trace function that lets other threads run before every line of the state's own methods."""
    if event == "line":
        time.sleep(0.001)
    return pause_at_every_line if frame.f_code in WATCHED else None


@pytest.mark.req("CAPC-ROLE-008")
def test_of_many_threads_one_uses_a_state() -> None:
    """All of them are past the check before the first marks the state, if checking and marking are two lines."""
    for cls in states()[:3]:
        state, start = made(cls), threading.Barrier(6)
        used: list[bool] = []

        def use(state: SingleUse = state, start: threading.Barrier = start, used: list[bool] = used) -> None:
            sys.settrace(pause_at_every_line)
            start.wait()
            try:
                state.require_unspent()
                state.spend()
            except StateReuseError:
                return
            finally:
                sys.settrace(None)
            used.append(True)

        threads = [threading.Thread(target=use) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert used == [True]


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-008", "CAPC-ROLE-013", "CAPC-AHEAD-005")
def test_every_step_refuses_every_state_that_it_was_not_made_for() -> None:
    """One line that names both types and no field; nothing is spent."""
    assert len(steps()) > 40
    assert {taken for taken, _ in steps().values()} <= set(states())
    pairs = 0
    for step, (taken, many) in steps().items():
        for cls in states():
            if cls is taken:
                continue
            state = made(cls)
            with pytest.raises(InputError) as caught:
                step([state] if many else state, *rest_of(step))
            text = str(caught.value)
            assert text.startswith(f"this step continues from {taken.__name__}, not from {cls.__name__}: ")
            assert "\n" not in text
            assert CANARY not in text
            state.require_unspent()
            pairs += 1
        for other in (None, b"", 5, object()):
            with pytest.raises(InputError):
                step([other] if many else other, *rest_of(step))
        if many:
            with pytest.raises(InputError, match="no state is given"):
                step([], *rest_of(step))
    assert pairs > 1500


@pytest.mark.req("CAPC-ROLE-008")
def test_every_step_refuses_a_used_state() -> None:
    for step, (taken, many) in steps().items():
        state = made(taken)
        state.spend()
        with pytest.raises(StateReuseError, match=f"^{taken.__name__} was used before"):
            step([state] if many else state, *rest_of(step))


def forbidden(state: object) -> dict[Step, str]:
    """Steps that take states of this type, but not this one, as it stands; and what they say."""
    if isinstance(state, OfflineInput):
        done = state.layer == len(state.party.session.architecture(state.peer).stages)
        return {querying_party_request_offline if done else querying_party_finish_offline: "prepare"}
    if isinstance(state, OfflineRequest):
        done = state.layer == len(state.party.model.architecture.stages)
        return {answering_party_evaluate_offline if done else answering_party_finish_offline: "prepare"}
    if isinstance(state, AwaitingRound | AwaitingRoundChoice):
        last = state.turn.shape.is_last(state.turn.number)
        taking = {step for step, (taken, _) in steps().items() if taken is type(state)}
        return dict.fromkeys(taking - LAST_ROUNDS if last else taking & LAST_ROUNDS, "round [01] of 2")
    found = of_layer(state)
    if found is None:
        return {}
    after, votes = ending(*found), found[1].activation is Activation.VOTE
    refused = {}
    for step, (taken, _) in steps().items():
        if taken is type(state) and step in ENTER:
            refused |= {} if votes else {step: "does not vote"}
        elif taken is type(state) and step in ENDINGS and after not in ENDINGS[step]:
            refused[step] = after.value
    return refused


def of_layer(state: object) -> tuple[Parameters, StageShape] | None:
    """Of a state between a layer's request and its end: the session's parameters, and the layer."""
    if isinstance(state, AwaitingChoice | OfflineChoice):
        return state.request.party.session.parameters, state.request.stage
    if isinstance(state, AwaitingResponse | AwaitingCircuits | OfflineResponse | OfflineCircuits):
        return state.layer_input.party.session.parameters, state.layer_input.stage
    return None


SUMS, RELU, VOTE, ROUNDS = Ending
ENDINGS: dict[Step, set[Ending]] = {
    answering_party_keep_sums: {SUMS},
    answering_party_garble_layer: {RELU},
    answering_party_garble_vote: {VOTE},
    answering_party_begin_rounds: {ROUNDS},
    answering_party_keep_masks: {SUMS},
    answering_party_garble_offline: {RELU, VOTE},
    querying_party_keep_sums: {SUMS},
    querying_party_choose_labels: {RELU, VOTE},
    querying_party_evaluate_layer: {RELU},
    querying_party_evaluate_vote: {VOTE},
    querying_party_begin_rounds: {ROUNDS},
    querying_party_keep_sums_offline: {SUMS},
    querying_party_choose_labels_offline: {RELU, VOTE},
}
"""What must become of a layer's sums for a step to take them."""
ENTER: set[Step] = {answering_party_enter_argmax, querying_party_enter_argmax}
"""They take the sums of every vote."""
LAST_ROUNDS: set[Step] = {answering_party_garble_last_round, querying_party_evaluate_last_round}


@dataclass
class Mixing(Driver):
    """Before every step, tries the steps for other layers on the same state, with the same message.

    Attributes:
        refused: the steps that refused.
        texts: all that they said.
    """

    refused: set[Step] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def consume(self, step: Callable[..., Any], state: object, *arguments: object) -> Any:
        for other, text in forbidden(state).items():
            given = dict(zip(inspect.signature(step).parameters, (state, *arguments), strict=False))
            message = next((value for value in given.values() if isinstance(value, bytes)), b"")
            rest = [
                Seed(bytes(32)) if name == "seed" else message for name in list(inspect.signature(other).parameters)[1:]
            ]
            with pytest.raises(InputError, match=text) as caught:
                other(state, *rest)
            assert type(caught.value) is InputError
            self.refused.add(other)
            self.texts.update(shown_by(caught.value))
        return super().consume(step, state, *arguments)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-008", "CAPC-AHEAD-005")
@pytest.mark.parametrize("variant", [VoteVariant.TOURNAMENT, VoteVariant.MULTI_ROUND])
def test_steps_for_other_layers_are_refused(variant: VoteVariant) -> None:
    """At every point of both kinds of batch; nothing is spent, as the batch goes on to its labels."""
    parameters = replace(parameters_for("plain"), vote_variant=variant)
    suite = reference_suite(parameters, IdealLinear(14))
    model = model_of_all_endings()
    driver = Mixing(
        make_session(parameters, [model.architecture]), [model], suite, make_account(parameters), counter_seeds()
    )
    driver.set_up()
    outcomes = [driver.run_query([1, 2])]
    if variant is VoteVariant.TOURNAMENT:
        outcomes += driver.run_prepared([[1, 2], [2, 1]])
    assert [outcome.label for outcome in outcomes] == [outcome.ideal_label for outcome in outcomes]
    both = {*ENDINGS, *ENTER} - {
        # Offline there is no vote in rounds, and no engine.
        answering_party_keep_masks,
        answering_party_garble_offline,
        querying_party_keep_sums_offline,
        querying_party_choose_labels_offline,
    }
    if variant is VoteVariant.MULTI_ROUND:
        # Choosing labels of rounds is refused, so no circuits of a vote come.
        rounds = LAST_ROUNDS | {answering_party_garble_round, querying_party_evaluate_round}
        assert driver.refused == both - {querying_party_evaluate_layer} | rounds
    else:
        preparing: set[Step] = {
            querying_party_request_offline,
            querying_party_finish_offline,
            answering_party_evaluate_offline,
            answering_party_finish_offline,
        }
        assert driver.refused == {*ENDINGS, *ENTER} | preparing


@pytest.mark.req("CAPC-AHEAD-005")
@pytest.mark.parametrize("variant", VoteVariant)
@pytest.mark.parametrize("activation", Activation)
def test_every_kind_of_layer_has_one_ending(activation: Activation, variant: VoteVariant) -> None:
    """Sums are kept, go through circuits, or into rounds; every other ending is refused."""
    parameters = replace(make_parameters(), vote_variant=variant)
    stage = StageShape(Dense(2, 2), 0, activation)
    expected = {Activation.NONE: SUMS, Activation.VOTE: VOTE}.get(activation, RELU)
    if activation is Activation.VOTE and variant is VoteVariant.MULTI_ROUND:
        expected = ROUNDS
    require_ending(parameters, stage, expected)
    require_ending(parameters, stage, *Ending)
    for wanted in set(Ending) - {expected}:
        with pytest.raises(InputError, match=expected.value):
            require_ending(parameters, stage, wanted)


NAMES = [
    "JoiningQueryingParty",
    "QueryingParty",
    "OpenBatch",
    "LayerInput",
    "AwaitingResponse",
    "AwaitingCircuits",
    "ReleaseTurn",
    "AwaitingRelease",
    "JoiningAnsweringParty",
    "AwaitingTrees",
    "AnsweringParty",
    "AwaitingTransfers",
    "BatchTransfers",
    "AwaitingRequest",
    "AwaitingChoice",
    "AnsweringVoteShare",
    "JoiningPrivacyGuardian",
    "PrivacyGuardian",
    "VoteCollection",
    "AggregatedVotes",
    "OfflineInput",
    "OfflineResponse",
    "OfflineCircuits",
    "OfflineRequest",
    "OfflineChoice",
    "OnlineCircuits",
    "OnlineValue",
    "OnlineBatch",
]
"""Every state of an ordinary and of a prepared batch; in realised mode Released, too."""


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-008", "CAPC-GC-008", "CAPC-AHEAD-003")
@pytest.mark.parametrize("policy", POLICIES)
def test_every_state_of_every_role_is_used_once(policy: str) -> None:
    driver = fresh_driver(policy)
    driver.run_query([1, 2])
    driver.run_prepared([[1, 2], [2, 1]])
    expected = set(NAMES)
    if policy == "realised":
        expected.add("ReleasedQuery")
    assert {type(call.state).__name__ for call in driver.calls} == expected
    for call in driver.calls:
        with pytest.raises(StateReuseError, match=f"^{type(call.state).__name__} was used before"):
            call.step(call.state, *call.arguments)
