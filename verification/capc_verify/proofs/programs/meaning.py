"""Numbers modulo 2^width in two theories of the solver: bit-vectors, and integers -2^(width-1) <= x < 2^(width-1).

The lemmas about gates and rings need bits; the statements about whole programs need order and sums only, for which
linear integer arithmetic is faster by orders of magnitude. Tests enumerate that the two agree.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import z3


class Meaning(ABC):
    """Operations on numbers modulo 2^width. Flags are Boolean formulas in both theories."""

    @abstractmethod
    def variable(self, name: str, width: int) -> tuple[z3.ExprRef, z3.BoolRef]:
        """A number that may be any, and the condition that it is one."""

    @abstractmethod
    def constant(self, value: int, width: int) -> z3.ExprRef:
        """value mod 2^width."""

    @abstractmethod
    def add(self, a: z3.ExprRef, b: z3.ExprRef, width: int) -> z3.ExprRef:
        """a + b mod 2^width."""

    @abstractmethod
    def subtract(self, a: z3.ExprRef, b: z3.ExprRef, width: int) -> z3.ExprRef:
        """a - b mod 2^width."""

    @abstractmethod
    def less(self, a: z3.ExprRef, b: z3.ExprRef) -> z3.BoolRef:
        """a < b, as signed numbers."""

    @abstractmethod
    def difference_fits(self, a: z3.ExprRef, b: z3.ExprRef, width: int) -> z3.BoolRef:
        """-2^(width-1) <= a - b < 2^(width-1), as signed numbers: the precondition of comparison."""

    def select(self, flag: z3.BoolRef, a: z3.ExprRef, b: z3.ExprRef) -> z3.ExprRef:
        """a where the flag is set, else b."""
        return z3.If(flag, a, b)

    def position(self, flags: Sequence[z3.BoolRef], width: int) -> z3.ExprRef:
        """The position of the one flag that is set mod 2^width, and 0 if none is."""
        result = self.constant(0, width)
        for place, flag in reversed(list(enumerate(flags))):
            result = z3.If(flag, self.constant(place, width), result)
        return result


class BitVectors(Meaning):
    """Numbers as bit-vectors."""

    def variable(self, name: str, width: int) -> tuple[z3.ExprRef, z3.BoolRef]:
        """Every bit-vector is a number."""
        return z3.BitVec(name, width), z3.BoolVal(True)

    def constant(self, value: int, width: int) -> z3.ExprRef:
        """value mod 2^width."""
        return z3.BitVecVal(value, width)

    def add(self, a: z3.ExprRef, b: z3.ExprRef, width: int) -> z3.ExprRef:  # noqa: ARG002 - a bit-vector has its width
        """a + b mod 2^width."""
        return a + b

    def subtract(self, a: z3.ExprRef, b: z3.ExprRef, width: int) -> z3.ExprRef:  # noqa: ARG002 - likewise
        """a - b mod 2^width."""
        return a - b

    def less(self, a: z3.ExprRef, b: z3.ExprRef) -> z3.BoolRef:
        """a < b, as signed numbers."""
        return a < b

    def difference_fits(self, a: z3.ExprRef, b: z3.ExprRef, width: int) -> z3.BoolRef:  # noqa: ARG002 - likewise
        """No overflow and no underflow."""
        return z3.And(z3.BVSubNoOverflow(a, b), z3.BVSubNoUnderflow(a, b, signed=True))


class Integers(Meaning):
    """Numbers as the integers of least magnitude."""

    def variable(self, name: str, width: int) -> tuple[z3.ExprRef, z3.BoolRef]:
        """Any integer in range."""
        number = z3.Int(name)
        half = 1 << width - 1
        return number, z3.And(-half <= number, number < half)

    def constant(self, value: int, width: int) -> z3.ExprRef:
        """value mod 2^width."""
        half = 1 << width - 1
        return z3.IntVal((value + half) % (2 * half) - half)

    def add(self, a: z3.ExprRef, b: z3.ExprRef, width: int) -> z3.ExprRef:
        """The sum is in [-2^width, 2^width): one wrap at most."""
        return _wrapped(a + b, width)

    def subtract(self, a: z3.ExprRef, b: z3.ExprRef, width: int) -> z3.ExprRef:
        """The difference is in (-2^width, 2^width): one wrap at most."""
        return _wrapped(a - b, width)

    def less(self, a: z3.ExprRef, b: z3.ExprRef) -> z3.BoolRef:
        """The order of the integers."""
        return a < b

    def difference_fits(self, a: z3.ExprRef, b: z3.ExprRef, width: int) -> z3.BoolRef:
        """As integers."""
        half = 1 << width - 1
        return z3.And(-half <= a - b, a - b < half)


def _wrapped(total: z3.ArithRef, width: int) -> z3.ArithRef:
    half = 1 << width - 1
    return z3.If(total >= half, total - 2 * half, z3.If(total < -half, total + 2 * half, total))
