"""What is counted: bytes of every message, rounds of the longest lane, seconds of every block."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.protocol.costs import CostMeter, Step, StepCost

STEPS = (Step.RELEASE, Step.SETUP)
Message = tuple[Step, int, int, str | None]
MESSAGES: st.SearchStrategy[list[Message]] = st.lists(
    st.tuples(
        st.sampled_from(STEPS), st.integers(1, 3), st.integers(0, 1000), st.sampled_from([None, None, "keys", "votes"])
    ),
    max_size=20,
)


def rounds_of(part: list[Message], step: Step) -> int:
    """Over lanes the largest number of flights: messages of their own, and groups that leave together."""
    counts = [0]
    for lane in (1, 2, 3):
        flights = [flight for name, peer, _, flight in part if (name, peer) == (step, lane)]
        counts.append(flights.count(None) + len(set(flights) - {None}))
    return max(counts)


@given(st.lists(MESSAGES, max_size=3))
def test_bytes_add_up_and_rounds_are_those_of_the_longest_lane(parts: list[list[Message]]) -> None:
    meter = CostMeter()
    for part in parts:
        for step, lane, length, flight in part:
            meter.message(step, lane, length, flight)
        meter.close_lanes()
    for step in STEPS:
        lengths = [length for part in parts for name, _, length, _ in part if name is step]
        if not lengths:
            assert step.value not in meter.steps
            continue
        found = meter.steps[step.value]
        assert (found.bytes, found.rounds) == (sum(lengths), sum(rounds_of(part, step) for part in parts))


def test_steps_are_reported_in_the_protocols_order() -> None:
    meter = CostMeter()
    for step in reversed(Step):
        meter.message(step, "lane", 1)
    assert list(meter.steps) == [step.value for step in Step]


def test_rounds_are_counted_when_lanes_close() -> None:
    meter = CostMeter()
    meter.message(Step.SETUP, "lane", 5)
    assert meter.steps == {"setup": StepCost(0.0, 5, 0)}
    meter.close_lanes()
    meter.close_lanes()
    assert meter.steps == {"setup": StepCost(0.0, 5, 1)}


@dataclass
class Party:
    step: Step


def test_time_belongs_to_the_steps_through_which_a_party_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([10.0, 12.5, 13.0, 20.0, 21.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    meter, party = CostMeter(), Party(Step.SETUP)
    with meter.computing_of(party):
        meter.lap(party.step)
        party.step = Step.OFFLINE
    with pytest.raises(KeyError), meter.computing_of(party):
        raise KeyError
    assert (meter.steps["setup"].seconds, meter.steps["ahead"].seconds) == (2.5, 0.5 + 1.0)
