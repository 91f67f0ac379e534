"""How each domain of the programs' library holds a number and a flag, in one lane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import z3

from capc_mpc.emulator.arithmetic import sint
from capc_mpc.emulator.binary import sbits
from capc_mpc.emulator.domains import Domain, Ring
from capc_mpc.emulator.machine import Opening
from capc_mpc.emulator.solver import FormulaField, Formulas
from capc_verify.proofs.programs.words import Word

LIMB_BITS = 32
"""A number is input to a Boolean circuit in limbs of this many bits, the lowest first."""


class Representation(ABC):
    """The relation between a value of the library and its meaning. Numbers are bit-vectors here."""

    def __init__(self, formulas: Formulas) -> None:
        self.formulas = formulas

    @abstractmethod
    def domain(self) -> Domain | None:
        """The machine's arithmetic domain."""

    @abstractmethod
    def word(self, word: Word, name: str) -> tuple[object, z3.BoolRef]:
        """Any value that represents the word, and the condition that it does."""

    @abstractmethod
    def flag(self, bit: z3.BoolRef) -> object:
        """The value that represents the flag."""

    @abstractmethod
    def is_word(self, value: object, word: Word) -> list[z3.BoolRef]:
        """The conditions that the value represents the word."""

    @abstractmethod
    def is_flag(self, value: object, bit: z3.BoolRef) -> z3.BoolRef:
        """Whether the value represents the flag."""

    @abstractmethod
    def inputs(self, variables: Sequence[z3.BitVecRef], width: int) -> tuple[list[z3.BitVecRef], z3.BoolRef]:
        """The numbers that a party means by its inputs, and the condition that they are admitted."""

    @abstractmethod
    def flags(self, variables: Sequence[z3.BitVecRef]) -> tuple[list[z3.BoolRef], z3.BoolRef]:
        """The flags that a party means by its inputs, and the condition that they are admitted."""

    @abstractmethod
    def is_opened(
        self, openings: Sequence[Opening], party: int, word: Word, read: Mapping[int, Sequence[z3.BitVecRef]]
    ) -> z3.BoolRef:
        """Whether nothing is opened but a function of the number (and of inputs read just then), to whom it may be."""


class RingRepresentation(Representation):
    """The number in the low bits; anything above them. A flag is 0 or 1."""

    bits = 64

    def domain(self) -> Domain:
        """Z_{2^64}."""
        return Ring(self.formulas, self.bits)

    def word(self, word: Word, name: str) -> tuple[object, z3.BoolRef]:
        """Free high bits."""
        above = z3.BitVec(f"{name}_above", self.bits - word.width)
        return sint([z3.Concat(above, word.number)]), z3.BoolVal(True)

    def flag(self, bit: z3.BoolRef) -> object:
        """0 or 1."""
        return sint([_number(bit, self.bits)])

    def is_word(self, value: object, word: Word) -> list[z3.BoolRef]:
        """The low bits agree. A public constant stands for itself."""
        return [z3.Extract(word.width - 1, 0, self._element(value)) == word.number]

    def is_flag(self, value: object, bit: z3.BoolRef) -> z3.BoolRef:
        """All bits agree."""
        return self._element(value) == _number(bit, self.bits)

    def _element(self, value: object) -> z3.BitVecRef:
        return value.words[0] if isinstance(value, sint) else z3.BitVecVal(value, self.bits)

    def inputs(self, variables: Sequence[z3.BitVecRef], width: int) -> tuple[list[z3.BitVecRef], z3.BoolRef]:
        """One element for each number; whatever is above its low bits does not matter."""
        return [z3.Extract(width - 1, 0, variable) for variable in variables], z3.BoolVal(True)

    def flags(self, variables: Sequence[z3.BitVecRef]) -> tuple[list[z3.BoolRef], z3.BoolRef]:
        """One element for each flag, 0 or 1."""
        return [variable == 1 for variable in variables], z3.And([z3.ULE(variable, 1) for variable in variables])

    def is_opened(
        self, openings: Sequence[Opening], party: int, word: Word, read: Mapping[int, Sequence[z3.BitVecRef]]
    ) -> z3.BoolRef:
        """One element, to the party: the number in the highest bits, zeros below."""
        (opening,) = openings
        below = self.bits - word.width
        expected = z3.Concat(word.number, z3.BitVecVal(0, below)) if below else word.number
        return z3.And(opening.party == party, not read, opening.word == expected)


class BooleanRepresentation(Representation):
    """One register for each bit, the lowest first."""

    def domain(self) -> Domain | None:
        """None."""
        return None

    def word(self, word: Word, name: str) -> tuple[object, z3.BoolRef]:  # noqa: ARG002 - there is one value only
        """The bits."""
        return [sbits.of(_bit(word.number, i), 1) for i in range(word.width)], z3.BoolVal(True)

    def flag(self, bit: z3.BoolRef) -> object:
        """A register."""
        return sbits.of(_number(bit, 1), 1)

    def is_word(self, value: object, word: Word) -> list[z3.BoolRef]:
        """As many registers, and every bit agrees."""
        if not isinstance(value, list) or len(value) != word.width:
            return [z3.BoolVal(False)]
        return [register.word == _bit(word.number, i) for i, register in enumerate(value)]

    def is_flag(self, value: object, bit: z3.BoolRef) -> z3.BoolRef:
        """The register agrees."""
        return value.word == _number(bit, 1) if isinstance(value, sbits) else z3.BoolVal(False)

    def inputs(self, variables: Sequence[z3.BitVecRef], width: int) -> tuple[list[z3.BitVecRef], z3.BoolRef]:
        """Limbs, the lowest first."""
        per_number = -(-width // LIMB_BITS)
        groups = [variables[i : i + per_number] for i in range(0, len(variables), per_number)]
        return [z3.Concat(*reversed(group)) if len(group) > 1 else group[0] for group in groups], z3.BoolVal(True)

    def flags(self, variables: Sequence[z3.BitVecRef]) -> tuple[list[z3.BoolRef], z3.BoolRef]:
        """One bit for each."""
        return [variable == 1 for variable in variables], z3.BoolVal(True)

    def is_opened(
        self, openings: Sequence[Opening], party: int, word: Word, read: Mapping[int, Sequence[z3.BitVecRef]]
    ) -> z3.BoolRef:
        """One register, to everybody: the number XOR a pad that the party has just put in."""
        (opening,) = openings
        if set(read) != {party}:
            return z3.BoolVal(False)
        (pad,), _ = self.inputs(read[party], word.width)
        return z3.And(opening.party is None, opening.word == word.number ^ pad)


class FieldRepresentation(BooleanRepresentation):
    """The same registers; what is opened is an element."""

    bits = FormulaField.width

    def domain(self) -> Domain:
        """Integers that are small enough for the field."""
        return FormulaField(self.formulas)

    def is_opened(
        self, openings: Sequence[Opening], party: int, word: Word, read: Mapping[int, Sequence[z3.BitVecRef]]
    ) -> z3.BoolRef:
        """One element, to the party: the number in [0, 2^width)."""
        (opening,) = openings
        expected = z3.ZeroExt(self.bits - word.width, word.number)
        return z3.And(opening.party == party, not read, opening.word == expected)


def _bit(number: z3.BitVecRef, position: int) -> z3.BitVecRef:
    return z3.Extract(position, position, number)


def _number(flag: z3.BoolRef, width: int) -> z3.BitVecRef:
    return z3.If(flag, z3.BitVecVal(1, width), z3.BitVecVal(0, width))


REPRESENTATIONS: dict[str, type[Representation]] = {
    "ring": RingRepresentation,
    "field": FieldRepresentation,
    "binary": BooleanRepresentation,
    "garbled": BooleanRepresentation,
}
"""By the name of the emulator's target."""
