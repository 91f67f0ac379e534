"""What a run costs: seconds, bytes and rounds of every protocol step, counted where messages are handed over."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Step(StrEnum):
    """The protocol's steps, in their order, as reports name them (spec/06-protocol.md)."""

    SETUP = "setup"
    OFFLINE = "ahead"
    LINEAR = "1a_linear"
    RELU = "1a_relu"
    MASKED_LOGITS = "1b_masked_logits"
    ARGMAX = "1c_argmax"
    AGGREGATION = "2_aggregation"
    RELEASE = "3_release"


@dataclass
class StepCost:
    """The cost of one protocol step, added up over all parties and queries so far.

    Attributes:
        seconds: computing time of all parties together, as they run one after another in one process.
        bytes: length of all messages, headers included.
        rounds: flights of messages that must wait for each other; what can be sent at the same time counts once.
    """

    seconds: float = 0.0
    bytes: int = 0
    rounds: int = 0


class AtStep(Protocol):
    """Whatever knows its step."""

    @property
    def step(self) -> Step:
        """The step to which what is computed now belongs."""


class CostMeter:
    """Collects :class:`StepCost`. A lane is a pair of parties; lanes run in parallel on a network."""

    def __init__(self) -> None:
        self._last = 0.0
        self._costs: defaultdict[Step, StepCost] = defaultdict(StepCost)
        self._flights: defaultdict[Step, defaultdict[object, set[object]]] = defaultdict(lambda: defaultdict(set))

    @property
    def steps(self) -> dict[str, StepCost]:
        """The steps that took place, in the protocol's order."""
        return {step.value: self._costs[step] for step in Step if step in self._costs}

    def lap(self, step: Step) -> None:
        """Adds the time since the last lap to a step."""
        now = time.perf_counter()
        self._costs[step].seconds += now - self._last
        self._last = now

    @contextmanager
    def computing_of(self, party: AtStep) -> Iterator[None]:
        """Adds the time that the block takes to the steps through which the party goes in it."""
        self._last = time.perf_counter()
        try:
            yield
        finally:
            self.lap(party.step)

    def message(self, step: Step, lane: object, length: int, flight: object = None) -> None:
        """Counts one message of a step.

        Args:
            step: what it belongs to.
            lane: the pair of parties.
            length: in bytes.
            flight: messages of one lane with the same flight are sent at the same time; None for one of its own.
        """
        self._costs[step].bytes += length
        flights = self._flights[step][lane]
        flights.add(len(flights) if flight is None else flight)

    def outside(self, step: Step, sent: int, rounds: int) -> None:
        """Adds what an outside engine reports of its own messages in a step: bytes and rounds."""
        self._costs[step].bytes += sent
        self._costs[step].rounds += rounds

    def close_lanes(self) -> None:
        """Ends a query or the set-up: a step took as many rounds as its longest lane has flights."""
        for step, lanes in self._flights.items():
            self._costs[step].rounds += max(len(flights) for flights in lanes.values())
        self._flights.clear()
