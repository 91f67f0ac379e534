"""What a run costs: seconds, bytes and rounds of every protocol step, counted where messages are handed over."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class StepCost:
    """The cost of one protocol step, added up over all parties and queries so far.

    Attributes:
        seconds: computing time of all parties together, as they run one after another in one process.
        bytes: length of all messages, headers included.
        rounds: flights of messages that must wait for each other; parallel ones to several parties count once.
    """

    seconds: float = 0.0
    bytes: int = 0
    rounds: int = 0


class CostMeter:
    """Collects :class:`StepCost` by step name. A lane is one peer of a step; lanes run in parallel on a network."""

    def __init__(self) -> None:
        self.steps: dict[str, StepCost] = {}
        self._flights: defaultdict[str, defaultdict[object, int]] = defaultdict(lambda: defaultdict(int))

    @contextmanager
    def computing(self, step: str) -> Iterator[None]:
        """Adds the time that the block takes to a step."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._step(step).seconds += time.perf_counter() - start

    def message(self, step: str, lane: object, length: int) -> None:
        """Counts one message of a step."""
        self._step(step).bytes += length
        self._flights[step][lane] += 1

    def close_lanes(self) -> None:
        """Ends a query or the set-up: a step took as many rounds as its longest lane has flights."""
        for step, lanes in self._flights.items():
            self._step(step).rounds += max(lanes.values())
        self._flights.clear()

    def _step(self, step: str) -> StepCost:
        return self.steps.setdefault(step, StepCost())
