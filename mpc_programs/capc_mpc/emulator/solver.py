"""Words as bit-vectors of the z3 solver: what a program computes becomes a formula over all its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import z3

from capc_mpc.emulator.algebra import Algebra
from capc_mpc.emulator.domains import Domain


@dataclass
class Formulas(Algebra):
    """The algebra of formulas.

    Attributes:
        obligations: preconditions of the operations that were performed, which a proof has to show too.
        definitions: every gate's output is a variable of its own, defined here. The solver would otherwise flatten
            chains of XORs, and lose the carries that both sides of an equation have in common.
    """

    obligations: list[z3.BoolRef] = field(default_factory=list)
    definitions: list[z3.BoolRef] = field(default_factory=list)

    def constant(self, value: int, width: int) -> z3.BitVecRef:
        """A literal."""
        return z3.BitVecVal(value, width)

    def wrap(self, value: z3.BitVecRef, width: int) -> z3.BitVecRef:  # noqa: ARG002 - a formula has a width
        """Formulas wrap by themselves."""
        return value

    def gate(self, output: z3.BitVecRef) -> z3.BitVecRef:
        """A variable that is defined to be the output."""
        variable = z3.BitVec(f"gate{len(self.definitions)}", output.size())
        self.definitions.append(variable == output)
        return variable

    def extract(self, word: z3.BitVecRef, low: int, width: int) -> z3.BitVecRef:
        """The ``width`` bits from position ``low`` upwards."""
        return word if width == word.size() else z3.Extract(low + width - 1, low, word)

    def concatenate(self, parts: Sequence[tuple[z3.BitVecRef, int]]) -> z3.BitVecRef:
        """One word, the first part in the lowest bits."""
        words = [word for word, _ in parts]
        return words[0] if len(words) == 1 else z3.Concat(*reversed(words))


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


class FormulaField(Domain):
    """A prime field as far as its numbers stay small: integers of 64 bits, each result with the obligation to fit.

    A field whose prime exceeds 2^65 computes the same then, for it never wraps.
    """

    name = "field"
    width = 64

    def __init__(self, formulas: Formulas) -> None:
        self._formulas = formulas

    def constant(self, value: int) -> z3.BitVecRef:
        """The integer."""
        return z3.BitVecVal(value, self.width)

    def add(self, a: z3.BitVecRef, b: z3.BitVecRef) -> z3.BitVecRef:
        """The sum."""
        return self._fitting(a + b, z3.BVAddNoOverflow(a, b, signed=True), z3.BVAddNoUnderflow(a, b))

    def subtract(self, a: z3.BitVecRef, b: z3.BitVecRef) -> z3.BitVecRef:
        """The difference."""
        return self._fitting(a - b, z3.BVSubNoOverflow(a, b), z3.BVSubNoUnderflow(a, b, signed=True))

    def multiply(self, a: z3.BitVecRef, b: z3.BitVecRef) -> z3.BitVecRef:
        """The product."""
        return self._fitting(a * b, z3.BVMulNoOverflow(a, b, signed=True), z3.BVMulNoUnderflow(a, b))

    def from_bit(self, bit: z3.BitVecRef) -> z3.BitVecRef:
        """The bit with zeros above it."""
        return z3.ZeroExt(self.width - 1, bit)

    def _fitting(self, result: z3.BitVecRef, *fits: z3.BoolRef) -> z3.BitVecRef:
        self._formulas.obligations.append(z3.And(*fits))
        return result
