"""Words as bit-vectors of the z3 solver: what a program computes becomes a formula over all its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import z3
from capc_mpc.emulator.algebra import Algebra


@dataclass
class Formulas(Algebra):
    """The algebra of formulas.

    Attributes:
        obligations: preconditions of the operations that the program performed, with their meaning. A proof about
            the program has to show each of them too.
    """

    obligations: list[tuple[z3.BoolRef, str]] = field(default_factory=list)

    def constant(self, value: int, width: int) -> z3.BitVecRef:
        """A literal."""
        return z3.BitVecVal(value, width)

    def add(self, a: z3.BitVecRef, b: z3.BitVecRef, width: int) -> z3.BitVecRef:  # noqa: ARG002 - a formula has a width
        """a + b mod 2^width."""
        return a + b

    def subtract(self, a: z3.BitVecRef, b: z3.BitVecRef, width: int) -> z3.BitVecRef:  # noqa: ARG002 - a formula has a width
        """a - b mod 2^width."""
        return a - b

    def multiply(self, a: z3.BitVecRef, b: z3.BitVecRef, width: int) -> z3.BitVecRef:  # noqa: ARG002 - a formula has a width
        """a * b mod 2^width."""
        return a * b

    def xor(self, a: z3.BitVecRef, b: z3.BitVecRef) -> z3.BitVecRef:
        """Bitwise exclusive or."""
        return a ^ b

    def conjunction(self, a: z3.BitVecRef, b: z3.BitVecRef) -> z3.BitVecRef:
        """Bitwise and."""
        return a & b

    def extract(self, word: z3.BitVecRef, low: int, width: int) -> z3.BitVecRef:
        """The ``width`` bits from position ``low`` upwards."""
        return word if width == word.size() else z3.Extract(low + width - 1, low, word)

    def concatenate(self, parts: Sequence[tuple[z3.BitVecRef, int]]) -> z3.BitVecRef:
        """One word, the first part in the lowest bits."""
        words = [word for word, _ in parts]
        return words[0] if len(words) == 1 else z3.Concat(*reversed(words))

    def require(self, bit: z3.BitVecRef, meaning: str) -> None:
        """Collected, to be proved with the rest."""
        self.obligations.append((bit == 1, meaning))


class FreshInputs:
    """Every input is a new variable: what holds for it holds for all inputs.

    Attributes:
        variables: for each party its inputs, in the order in which the program reads them.
    """

    def __init__(self) -> None:
        self.variables: dict[int, list[z3.BitVecRef]] = {}

    def __call__(self, party: int, width: int) -> z3.BitVecRef:
        """The party's next variable."""
        mine = self.variables.setdefault(party, [])
        mine.append(z3.BitVec(f"party{party}_input{len(mine)}", width))
        return mine[-1]
