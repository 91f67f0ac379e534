"""Ends of random transfers, and stashes of them: made ahead for batches that are not known yet, and taken once.

Nothing here survives a restart. A state that came back would use nonces, transfers and labels again, under the same
Delta; so it cannot be copied or pickled, and whoever starts again makes a new set-up, with a new Delta.

Source: derandomisation, Beaver 1995. Spec: CAPC-OT-003, CAPC-ROLE-008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, NoReturn, Protocol, SupportsIndex, TypeVar

from capc.foundation.errors import InputError
from capc.foundation.single_use import SpentMark, require_alive
from capc.two_party.transfers import Transfers
from capc.two_party.vectorised.labels import Bits, Words, set_lowest_bits


class Unstored:
    """What lives as long as its connection and no longer, and shows nothing."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise InputError(f"a {type(self).__name__} is not copied or stored: a new connection makes a new set-up")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class LabelSource(Protocol):
    """Labels that may be made when they are asked for."""

    def all(self) -> Words:
        """All of them."""


@dataclass(frozen=True, repr=False)
class EvaluatorEnd(Unstored):
    """The evaluator's end of transfers: random bits, one byte each, and their labels. Secret.

    Attributes:
        bits: the random bits.
        source: of labels.
        first: the number of the first transfer's in the source.
    """

    bits: Bits
    source: LabelSource
    first: int = 0

    @property
    def labels(self) -> Words:
        """A label for each bit."""
        return self.source.all()[self.first : self.first + len(self.bits)]

    def part(self, span: slice) -> EvaluatorEnd:
        """Some of them."""
        start, _, _ = span.indices(len(self.bits))
        return EvaluatorEnd(self.bits[span], self.source, self.first + start)


@dataclass(frozen=True, repr=False)
class ChosenEnd(Unstored):
    """The evaluator's end of transfers after it chose. Secret: its input bits, and their labels."""

    end: EvaluatorEnd
    chosen: Bits

    @property
    def labels(self) -> Words:
        """The active labels, with the bits as the lowest ones."""
        labels = self.end.labels
        # In place: nothing else uses spent transfers.
        set_lowest_bits(labels, self.chosen)
        return labels


@dataclass(frozen=True, repr=False)
class GarblerEnd(Unstored):
    """The garbler's end of transfers: Delta, and the zero labels. Secret."""

    delta: Words
    labels: Words

    def part(self, span: slice) -> GarblerEnd:
        """Some of them."""
        return GarblerEnd(self.delta, self.labels[span])


End = TypeVar("End", EvaluatorEnd, GarblerEnd)


def cut(end: End, nonce: int, counts: Sequence[int], destroyed: SpentMark) -> list[Transfers[End]]:
    """Consecutive parts for batches at ``nonce``, ``nonce + 1``, and so on; ``destroyed`` as of a stash."""
    stash = TransferStash(end, sum(counts), nonce, len(counts), destroyed)
    return [stash.take(count) for count in counts]


class TransferStash(Unstored, Generic[End]):
    """One party's end of transfers for later batches. Secret. Both ends must take the same counts, in the same order.

    Args:
        end: all of them.
        count: how many.
        nonce: of the first batch.
        batches: how many batches may take from it: the nonces from ``nonce`` on are theirs.
        destroyed: taken by a failed check of the garbler's key; never taken at the evaluator.
    """

    def __init__(self, end: End, count: int, nonce: int, batches: int, destroyed: SpentMark) -> None:
        self._end: End = end
        self._count = count
        self._taken = 0
        self._destroyed = destroyed
        self._taking = Lock()
        self._nonce = nonce
        self._end_nonce = nonce + batches

    @property
    def left(self) -> int:
        """Transfers that no batch has taken."""
        return self._count - self._taken

    def take(self, count: int) -> Transfers[End]:
        """The next transfers, for one batch.

        Raises:
            InputError: fewer are left, or as many batches as were planned have taken theirs.
            StateReuseError: the key was destroyed.
        """
        require_alive(self._destroyed)
        # Two threads never take the same ones.
        with self._taking:
            if count > self.left or self._nonce == self._end_nonce:
                raise InputError(
                    f"{count} transfers from a stash with {self.left} transfers for "
                    f"{self._end_nonce - self._nonce} more batches: make a new one in time"
                )
            span = slice(self._taken, self._taken + count)
            transfers = Transfers(self._nonce, count, self._end.part(span), destroyed=self._destroyed)
            self._taken += count
            self._nonce += 1
            return transfers
