"""A caller's mistakes at every step, with the states of whole runs: no refusal shows what a state holds."""

from __future__ import annotations

import typing
from collections.abc import Callable
from functools import lru_cache

import pytest

from capc.foundation.errors import InputError, StateReuseError
from capc.foundation.single_use import SingleUse
from capc.steps.answering_party.inference import answering_party_garble_vote
from capc.steps.answering_party.vote_rounds import answering_party_begin_rounds
from capc.steps.querying_party.external import querying_party_enter_argmax
from capc.steps.querying_party.inference import querying_party_choose_labels, querying_party_keep_sums
from capc.steps.querying_party.vote_rounds import querying_party_begin_rounds
from steps.test_use_once import Mixing, rest_of, steps
from support.interference import WIDE, Mode, new_driver, run
from support.secrets import secrets_in
from support.step_functions import shown_by


@lru_cache
def played(mode: Mode) -> Mixing:
    """A run at wide rings; before every step those of the other modes were tried on its state."""
    driver = typing.cast(Mixing, new_driver(mode, widths=WIDE, kind=Mixing))
    driver.set_up()
    assert [outcome.label for outcome in run(driver)] == [1] * 4
    return driver


def secrets_of(*drivers: Mixing) -> set[str]:
    return {text for driver in drivers for entry in (*driver.results, *driver.calls) for text in secrets_in(entry)}


def refusal(call: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as caught:
        call()
    return caught.value


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-013", "CAPC-ROLE-008")
def test_no_refusal_of_another_or_used_state_shows_a_secret() -> None:
    """Every step is given a real state of every type, and the state that it used with what it was given then."""
    drivers = [played(mode) for mode in Mode]
    secrets = secrets_of(*drivers)
    assert len(secrets) > 9000
    used_states = [call.state for driver in drivers for call in driver.calls if isinstance(call.state, SingleUse)]
    of_type = {type(state): state for state in used_states}
    assert of_type.keys() == {taken for taken, _ in steps().values()}
    texts: set[str] = set()
    for step, (taken, many) in steps().items():
        for cls, state in of_type.items():
            error = refusal(lambda: step([state] if many else state, *rest_of(step)))  # noqa: B023
            assert isinstance(error, StateReuseError) == (cls is taken)
            texts.update(shown_by(error))
    for driver in drivers:
        for call in driver.calls:
            texts.update(shown_by(refusal(lambda: call.step(call.state, *call.arguments))))  # noqa: B023
    shown = "\n".join(texts)
    assert not [text for text in secrets if text in shown]


TRIED = {
    Mode.CIRCUITS: {querying_party_keep_sums, querying_party_begin_rounds, answering_party_begin_rounds},
    Mode.ROUNDS: {querying_party_choose_labels, answering_party_garble_vote, querying_party_enter_argmax},
    Mode.ENGINE: {querying_party_begin_rounds, answering_party_begin_rounds, querying_party_enter_argmax},
}
"""Some steps that must have been tried."""


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-013", "CAPC-ROLE-008", "CAPC-AHEAD-005")
@pytest.mark.parametrize("mode", Mode)
def test_no_refusal_of_another_modes_step_shows_a_secret(mode: Mode) -> None:
    driver = played(mode)
    assert driver.refused >= TRIED[mode]
    shown = "\n".join(driver.texts)
    assert not [text for text in secrets_of(driver) if text in shown]
