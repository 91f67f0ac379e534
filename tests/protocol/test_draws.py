"""Steps draw what the registry lists, in all modes and with both engines; what they do not is seen."""

from __future__ import annotations

from functools import cache

import pytest

import capc.linear.bfv.masks
from capc.foundation import ring
from capc.foundation.randomness import Seed, XofSource
from capc.noise.release_noise import ReleaseNoise
from capc.session.channel import Channel
from capc.steps.privacy_guardian import release
from capc.two_party.garbling.transfers import base_ot
from protocol import draws
from protocol.recorded import ENCRYPTED, SESSIONS, play
from protocol.test_recorded import RECORDED
from support.sizes import examples
from support.step_functions import step_functions

NUMBERS = range(examples(ordinary=14, nightly=len(SESSIONS)))
"""Fourteen sessions hold every step."""

played = cache(draws.played)


@pytest.mark.slow
@pytest.mark.req("CAPC-NAME-003")
@pytest.mark.parametrize("number", NUMBERS)
def test_steps_draw_what_is_listed(number: int) -> None:
    notes = played(number)
    told = list(draws.differences(notes))
    assert not told, "\n".join(told)
    assert notes.streams


@pytest.mark.slow
@pytest.mark.req("CAPC-NAME-003")
@pytest.mark.parametrize("number", ENCRYPTED[: examples(ordinary=3, nightly=len(ENCRYPTED))])
def test_steps_draw_what_is_listed_under_encryption(number: int) -> None:
    notes = played(number, encrypted=True)
    told = list(draws.differences(notes))
    assert not told, "\n".join(told)
    assert len(notes.responses) > 2


@pytest.mark.slow
@pytest.mark.req("CAPC-NAME-003", "CAPC-NAME-004")
def test_every_label_and_every_step_with_a_seed_is_among_the_sessions() -> None:
    """Each function draws under one label; the step of release by an engine has the label of the other."""
    under: dict[str, set[str]] = {}
    for number in NUMBERS:
        for stream in played(number).streams:
            under.setdefault(stream.function, set()).add(draws.BY_LABEL[stream.label.partition(b"/")[0]])
    assert all(len(labels) == 1 for labels in under.values())
    assert {label for labels in under.values() for label in labels} == set(draws.STEPS)
    with_seed = {step.__name__ for step in step_functions() if "seed" in step.__code__.co_varnames}
    # The last round's steps are given a seed as those of all rounds are; the querying party's has no use for it.
    without = {"querying_party_evaluate_last_round"}
    assert {played(number).engine for number in NUMBERS} == {"GarbledTwoParty", "VectorisedTwoParty"}
    assert set(under) == with_seed - without | {"answering_party_send_vote"}


def draw_more(patch: pytest.MonkeyPatch) -> None:
    """A mask has one element more, which nobody uses."""
    uniform = ring.uniform
    patch.setattr(ring, "uniform", lambda source, count, width: uniform(source, count + 1, width)[:-1])


def draw_first(patch: pytest.MonkeyPatch) -> None:
    """Something is read in front of Delta."""
    choose = base_ot.base_ot_choose
    patch.setattr(base_ot, "base_ot_choose", lambda *given: [given[2].read(64), choose(*given)][1])


def draw_threshold_first(patch: pytest.MonkeyPatch) -> None:
    """The noise of the threshold comes before that of the classes."""

    def exchanged(mechanisms, num_classes: int, source) -> ReleaseNoise:
        threshold = tuple(mechanisms.threshold.sample(source, num_classes))
        return ReleaseNoise(tuple(mechanisms.answer.sample(source, num_classes)), threshold)

    patch.setattr(release, "draw_release_noise", exchanged)


def expand_under_no_label(patch: pytest.MonkeyPatch) -> None:
    """A step's label is none that is registered."""
    label = Channel.label
    patch.setattr(Channel, "label", lambda *given, **named: b"my_" + label(*given, **named))


def expand_aside(patch: pytest.MonkeyPatch) -> None:
    """A step has a stream that it does not take from its suite."""
    choose = base_ot.base_ot_choose
    aside = Seed(bytes(32)), b"aside"
    patch.setattr(base_ot, "base_ot_choose", lambda *given: [XofSource(*aside).read(1), choose(*given)][1])


def expand_at_another_layer(patch: pytest.MonkeyPatch) -> None:
    """A step in set-up has a layer."""
    context = Channel.context
    patch.setattr(Channel, "context", lambda self, query=0, layer=0: context(self, query, layer if query else 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "plant", [draw_more, draw_first, draw_threshold_first, expand_under_no_label, expand_aside, expand_at_another_layer]
)
def test_another_draw_is_seen(plant, monkeypatch: pytest.MonkeyPatch) -> None:
    threshold = next(number for number in NUMBERS if played(number).session.parameters.release.threshold is not None)
    plant(monkeypatch)
    assert list(draws.differences(draws.played(threshold))) != []


@pytest.mark.slow
def test_randomness_of_ciphertexts_in_another_order_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = capc.linear.bfv.masks._stream
    monkeypatch.setattr(capc.linear.bfv.masks, "_stream", lambda seed, tag, number: stream(seed, tag, number + 1))
    assert list(draws.differences(draws.played(0, encrypted=True))) != []


@pytest.mark.slow
@pytest.mark.req("CAPC-NAME-004")
@pytest.mark.parametrize("number", [0, 3, 4, 6])
def test_names_of_functions_decide_no_byte(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step function has another name, wherever Python keeps it."""
    for place, step in enumerate(step_functions()):
        name = f"step_{place}"
        monkeypatch.setattr(step, "__code__", step.__code__.replace(co_name=name, co_qualname=name))
        monkeypatch.setattr(step, "__name__", name)
        monkeypatch.setattr(step, "__qualname__", name)
    assert play(number) == RECORDED["ideal"][number]
