"""Where messages are handed over when the protocol is played in one process, and what is counted there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from capc.costs import CostMeter, Step, StepCost
from capc.parties import Party
from capc.randomness import Seed


class Observer(Protocol):
    """Sees every message, and the states that steps return. Only tests attach one: it sees all secrets."""

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        """Called for every message, as it is handed over."""

    def state(self, party: Party, state: object) -> None:
        """Called with the state in which a party ends a query's step."""


class NoObserver:
    """Sees nothing."""

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        """Sees nothing."""

    def state(self, party: Party, state: object) -> None:
        """Sees nothing."""


class Exchange:
    """Hands messages over, in this process.

    Args:
        draw_seed: where the seed of each step comes from.
        observer: told of messages and states.
    """

    def __init__(self, draw_seed: Callable[[], Seed], observer: Observer) -> None:
        self.seed = draw_seed
        self.state = observer.state
        self._observer = observer
        self._meter = CostMeter()

    @property
    def costs(self) -> dict[str, StepCost]:
        """Seconds, bytes and rounds of each step so far."""
        return self._meter.steps

    def computing(self, step: Step) -> AbstractContextManager[None]:
        """Adds the time that the block takes to a step."""
        return self._meter.computing(step)

    def hand_over(self, step: Step, sender: Party, receiver: Party, message: bytes, flight: object = None) -> bytes:
        """The message, as the receiver gets it.

        Args:
            step: what it belongs to.
            sender: who sends it.
            receiver: who gets it.
            message: header and payload.
            flight: messages of a step with the same flight travel at the same time; None is one of its own.
        """
        self._meter.message(step, frozenset((sender, receiver)), len(message), flight)
        self._observer.message(step, sender, receiver, message)
        return message

    def outside(self, step: Step, sent: int, rounds: int) -> None:
        """Counts the messages of an outside engine, which pass elsewhere."""
        self._meter.outside(step, sent, rounds)

    def close_lanes(self) -> None:
        """Ends a batch or the set-up, for the count of rounds."""
        self._meter.close_lanes()
