"""What may be given for each option of the main job: its type, its range, and how to say so in one line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

OptionValue = bool | int | str | Fraction | Path | StrEnum

_MAGNITUDE = 30
_DIGITS = 40
NAME_LENGTH = 200


class Option(ABC):
    """One option. Both readers raise :class:`ValueError` for a value that is not admitted."""

    @property
    @abstractmethod
    def remedy(self) -> str:
        """What to choose instead, to follow the word "choose"."""

    @abstractmethod
    def from_value(self, raw: object) -> OptionValue:
        """The option from a value of a TOML file, where floats are read as :class:`Decimal`."""

    def from_text(self, text: str) -> OptionValue:
        """The option from the text of a flag."""
        return self.from_value(text)


@dataclass(frozen=True)
class Whole(Option):
    """A whole number in a range."""

    least: int
    most: int

    @property
    def remedy(self) -> str:
        """The range."""
        return f"a whole number from {self.least} to {self.most}"

    def from_value(self, raw: object) -> int:
        """The number; True and False are none."""
        if not isinstance(raw, int) or isinstance(raw, bool) or not self.least <= raw <= self.most:
            raise ValueError
        return raw

    def from_text(self, text: str) -> int:
        """The number that the text spells."""
        return self.from_value(int(text))


@dataclass(frozen=True)
class Rational(Option):
    """An exact decimal in a range; no float ever stands for it.

    The number of digits is limited because noise and accounting compute with all of them, and so is the smallest
    number above 0, for the same reason.
    """

    most: Fraction
    zero: bool = False
    open_above: bool = False

    @property
    def remedy(self) -> str:
        """The range."""
        high = f"below {self.most}" if self.open_above else f"of at most {self.most}"
        choices = f"a number of at least 1e-{_MAGNITUDE} and {high}, with at most {_DIGITS} digits"
        return f"0, or {choices}" if self.zero else choices

    def from_value(self, raw: object) -> Fraction:
        """The rational of an integer or a decimal."""
        if not isinstance(raw, int | Decimal) or isinstance(raw, bool):
            raise ValueError
        decimal = Decimal(raw)
        if not decimal.is_finite() or len(decimal.as_tuple().digits) > _DIGITS:
            raise ValueError
        if decimal == 0:
            return self._zero()
        # Before the fraction is made: that of 1e-999999999 would not fit the memory.
        if decimal < 0 or abs(decimal.adjusted()) > _MAGNITUDE:
            raise ValueError
        value = Fraction(decimal)
        if value > self.most or (self.open_above and value == self.most):
            raise ValueError
        return value

    def from_text(self, text: str) -> Fraction:
        """The rational of the decimal that the text spells."""
        try:
            return self.from_value(Decimal(text))
        except InvalidOperation:
            raise ValueError from None

    def _zero(self) -> Fraction:
        if not self.zero:
            raise ValueError
        return Fraction(0)


@dataclass(frozen=True)
class Choice(Option):
    """One of a few names."""

    names: type[StrEnum]

    @property
    def remedy(self) -> str:
        """The names."""
        return "one of " + ", ".join(name.value for name in self.names)

    def from_value(self, raw: object) -> StrEnum:
        """The member with that name."""
        if not isinstance(raw, str):
            raise ValueError
        return self.names(raw)


@dataclass(frozen=True)
class FileName(Option):
    """The name of a file.

    Attributes:
        holds: what the file is.
    """

    holds: str

    @property
    def remedy(self) -> str:
        """A name."""
        return f"the name of {self.holds}"

    def from_value(self, raw: object) -> Path:
        """The path; whether the file is there is checked when it is read."""
        if not isinstance(raw, str) or not raw or "\0" in raw:
            raise ValueError
        return Path(raw)


@dataclass(frozen=True)
class Name(Option):
    """A name of one line; whether there is such a thing is checked when it is looked up.

    Attributes:
        choices: what to choose, for people.
    """

    choices: str

    @property
    def remedy(self) -> str:
        """Choices."""
        return self.choices

    def from_value(self, raw: object) -> str:
        """The name."""
        if not isinstance(raw, str) or not raw.strip() or not raw.isprintable() or len(raw) > NAME_LENGTH:
            raise ValueError
        return raw


@dataclass(frozen=True)
class Flag(Option):
    """Yes or no; true or false in a file."""

    @property
    def remedy(self) -> str:
        """Both."""
        return "yes or no"

    def from_value(self, raw: object) -> bool:
        """Whether it is yes."""
        if not isinstance(raw, bool):
            raise ValueError
        return raw

    def from_text(self, text: str) -> bool:
        """Whether the text says yes."""
        if text not in {"yes", "no"}:
            raise ValueError
        return text == "yes"


def flag(name: str) -> str:
    """The command-line flag of an option."""
    return "--" + name.replace("_", "-")
