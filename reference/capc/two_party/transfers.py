"""One party's end of random oblivious transfers, and the types that the interfaces of circuits and votes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from capc.foundation.errors import InputError
from capc.foundation.single_use import SingleUse
from capc.two_party.circuits.builder import Circuit

Words = Sequence[int]
End = TypeVar("End")
"""A party's end of transfers, of its scheme's own type; so are all that follow."""
EvaluatorKey = TypeVar("EvaluatorKey")
GarblerKey = TypeVar("GarblerKey")
EvaluatorEnd = TypeVar("EvaluatorEnd")
GarblerEnd = TypeVar("GarblerEnd")
EvaluatorTurn = TypeVar("EvaluatorTurn")
GarblerTurn = TypeVar("GarblerTurn")


@dataclass(frozen=True, repr=False)
class Transfers(SingleUse, Generic[End]):
    """One party's end of random transfers for one batch of circuits. Secret, and used for one batch only.

    Attributes:
        nonce: of the batch: below 2^64, and never twice under one key.
        count: how many transfers.
        secret: the scheme's own.
    """

    nonce: int
    count: int
    secret: End

    def require_count(self, circuit: Circuit, instances: int) -> None:
        """Raises :class:`InputError` unless there is one transfer per input bit of the evaluator."""
        if instances < 1 or self.count != instances * circuit.evaluator_inputs:
            raise InputError(f"{self.count} transfers for {instances} instances of {circuit.name}: make one per bit")
