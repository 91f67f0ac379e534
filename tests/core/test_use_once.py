"""CAPC-ROLE-008 over every state of every package, every way to copy one, and every step that was not made for it."""

from __future__ import annotations

import copy
import inspect
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

from capc import layer_modes
from capc.answering_party import (
    AwaitingChoice,
    AwaitingRequest,
    answering_party_evaluate_layer,
    answering_party_garble_layer,
)
from capc.answering_party_ahead import answering_party_prepare_layer
from capc.answering_party_rounds import answering_party_begin_rounds
from capc.architecture import Activation, StageShape
from capc.circuits.activation import votes_in_rounds
from capc.engine_steps import answering_party_enter_argmax, querying_party_take_votes
from capc.errors import InputError, StateReuseError
from capc.linear import IdealLinear
from capc.operators import Dense
from capc.parameters import VoteVariant
from capc.querying_party import (
    AwaitingCircuits,
    AwaitingResponse,
    LayerInput,
    querying_party_choose_labels,
    querying_party_evaluate_layer,
    querying_party_keep_sums,
    querying_party_request_layer,
)
from capc.querying_party_ahead import querying_party_finish_preparation, querying_party_keep_circuits
from capc.querying_party_rounds import querying_party_begin_rounds
from capc.randomness import Seed
from capc.session import SingleUse, SpentMark
from capc.suite import reference_suite
from core.test_hidden import classes, name_of
from support.builders import counter_seeds, make_account, make_parameters, make_session
from support.driver import Driver, T
from support.runs import SIZES, parameters_for, voters
from support.step_functions import Step, shown_by, step_functions

WATCHED = {
    method.__code__ for method in (SingleUse.spend, SingleUse.require_unspent, SpentMark.take, SpentMark.spent.fget)
}
CANARY = "5ec7e7-of-a-party"


def states() -> list[type[SingleUse]]:
    return [cls for cls in classes() if issubclass(cls, SingleUse) and cls is not SingleUse]


def made(cls: type[SingleUse]) -> SingleUse:
    """An unspent state, all of whose fields hold a canary."""
    return cls(**{entry.name: CANARY for entry in fields(cls) if entry.name != "_mark"})


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
    refused: dict[Step, str] = {}
    if isinstance(state, AwaitingRequest) and state.kept:
        refused[answering_party_evaluate_layer] = "prepared ahead"
    elif isinstance(state, AwaitingRequest) and state.layer:
        refused[answering_party_prepare_layer] = "not prepared ahead"
    elif isinstance(state, AwaitingChoice) and state.request.stage.activation is not Activation.VOTE:
        refused[answering_party_enter_argmax] = "does not vote"
    elif isinstance(state, AwaitingResponse):
        if state.layer_input.stage.activation is not Activation.VOTE or state.layer_input.kept is not None:
            refused[querying_party_keep_sums] = "has an activation"
    elif isinstance(state, AwaitingCircuits) and state.layer_input.kept is None:
        refused[querying_party_keep_circuits] = "not prepared ahead"
    elif isinstance(state, AwaitingCircuits):
        refused[querying_party_evaluate_layer] = "prepared ahead"
    elif isinstance(state, LayerInput):
        done = state.layer == len(state.party.session.architecture(state.peer).stages)
        refused[querying_party_request_layer if done else querying_party_finish_preparation] = (
            "layers are done" if done else "must be prepared first"
        )
    return refused


def of_other_votes(state: object) -> dict[Step, str]:
    """The same, of steps of another kind of vote: one circuit, rounds, or an engine."""
    refused: dict[Step, str] = {}
    if isinstance(state, AwaitingChoice):
        in_rounds = votes_in_rounds(state.request.party.session.parameters, state.request.stage)
        refused[answering_party_garble_layer if in_rounds else answering_party_begin_rounds] = "in rounds"
    elif isinstance(state, AwaitingResponse):
        at = state.layer_input
        if at.kept is not None or not votes_in_rounds(at.party.session.parameters, at.stage):
            refused[querying_party_begin_rounds] = "in rounds" if at.kept is None else "prepared ahead"
        else:
            refused[querying_party_choose_labels] = "in rounds"
    elif isinstance(state, LayerInput) and state.kept is not None:
        refused[querying_party_take_votes] = "prepared ahead"
    elif isinstance(state, LayerInput) and state.layer < len(state.party.session.architecture(state.peer).stages):
        refused[querying_party_take_votes] = "layers are left"
    return refused


@dataclass
class Mixing(Driver):
    """Before every step, tries the steps of the other kinds of batch on the same state, with the same message.

    Attributes:
        refused: the steps that refused.
        texts: all that they said.
    """

    refused: set[Step] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def consume(self, step: Callable[..., T], state: object, *arguments: object) -> T:
        for other, text in (forbidden(state) | of_other_votes(state)).items():
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
def test_steps_of_prepared_batches_and_of_others_do_not_mix() -> None:
    """At every point of both kinds of batch; nothing is spent, as the batch goes on to its labels."""
    parameters = parameters_for("plain")
    suite = reference_suite(parameters, IdealLinear(14))
    driver = Mixing(make_session(parameters, SIZES), voters(1, 1, 1), suite, make_account(parameters), counter_seeds())
    driver.set_up()
    outcomes = [driver.run_query([1, 2]), *driver.run_prepared([[1, 2], [2, 1]])]
    assert [outcome.label for outcome in outcomes] == [outcome.ideal_label for outcome in outcomes]
    assert driver.refused == {
        answering_party_evaluate_layer,
        answering_party_prepare_layer,
        answering_party_enter_argmax,
        querying_party_keep_sums,
        querying_party_keep_circuits,
        querying_party_evaluate_layer,
        querying_party_request_layer,
        querying_party_finish_preparation,
        answering_party_begin_rounds,
        querying_party_begin_rounds,
        querying_party_take_votes,
    }
    assert answering_party_garble_layer not in driver.refused
    assert querying_party_choose_labels not in driver.refused


ADMITTED = {
    # activation, in rounds, prepared: what may become of a layer's sums
    (Activation.NONE, False): {"keep"},
    (Activation.NONE, True): {"keep"},
    (Activation.RELU, False): {"circuits"},
    (Activation.RELU, True): {"circuits"},
    (Activation.RELU_MAX_POOL, False): {"circuits"},
    (Activation.RELU_MAX_POOL, True): {"circuits"},
    (Activation.VOTE, False): {"circuits", "engine", "keep"},
    (Activation.VOTE, True): {"circuits"},
}


@pytest.mark.req("CAPC-AHEAD-005")
@pytest.mark.parametrize("variant", VoteVariant)
@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("activation", Activation)
def test_every_kind_of_layer_admits_its_own_steps_only(
    activation: Activation, prepared: bool, variant: VoteVariant
) -> None:
    """Sums are kept, go through circuits, into rounds, or, of a vote that is not prepared, to an engine."""
    parameters = replace(make_parameters(), vote_variant=variant)
    stage = StageShape(Dense(2, 2), 0, activation)
    checks: dict[str, Callable[[], None]] = {
        "keep": lambda: layer_modes.require_sums_kept(stage, prepared),
        "circuits": lambda: layer_modes.require_circuits(parameters, stage),
        "rounds": lambda: layer_modes.require_rounds(parameters, stage),
        "engine": lambda: layer_modes.require_vote(stage),
    }
    admitted = set()
    for name, check in checks.items():
        try:
            check()
        except InputError:
            continue
        admitted.add(name)
    expected = ADMITTED[activation, prepared]
    if activation is Activation.VOTE:
        expected = expected | {"engine"}
        if variant is VoteVariant.MULTI_ROUND:
            expected = expected - {"circuits"} | {"rounds"}
    assert admitted == expected
