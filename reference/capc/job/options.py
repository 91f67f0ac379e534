"""What may be given for each option of the main job: its type, its range, and how to say so in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

OptionValue = bool | int | str | Fraction | Path | StrEnum | tuple[StrEnum, ...]

_MAGNITUDE = 30
_DIGITS = 40
NAME_LENGTH = 200

OF_THE_PROTOCOL = (
    *("engine", "declare_model", "prepare", "workers", "vote_variant", "network"),
    *("ledger", "ledger_key", "journal", "ask_again", "data_set"),
)
"""Options that say how the protocol runs and what it keeps: a simulation runs none, and keeps nothing."""

WITHDRAWN_ALLOWANCES = "was for circuit-privacy allowances, which are gone, as HE responses are masked perfectly"
WITHDRAWN = dict.fromkeys(("allowance", "allowance_queries"), f"this {WITHDRAWN_ALLOWANCES}: leave it out")
"""Options of earlier versions, as flags and in files, and what is said to whoever still gives them."""


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        remedy: what to choose instead of a value that is not admitted, to follow the word "choose".
        from_value: the option from a value of a TOML file, where floats are read as :class:`Decimal`; it raises
            :class:`ValueError` for one that is not admitted.
        spelled: the value that a flag's text spells, with the same error.
    """

    remedy: str
    from_value: Callable[[object], OptionValue]
    spelled: Callable[[str], object] = str

    def from_text(self, text: str) -> OptionValue:
        """The option from the text of a flag, with the same error."""
        return self.from_value(self.spelled(text))


def flag(name: str) -> str:
    """The command-line flag of an option."""
    return "--" + name.replace("_", "-")


def whole(least: int, most: int) -> Option:
    """A whole number in a range; True and False are none."""

    def read(raw: object) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw <= most:
            raise ValueError
        return raw

    return Option(f"a whole number from {least} to {most}", read, int)


def rational(most: Fraction, *, zero: bool = False, open_above: bool = False) -> Option:
    """An exact decimal in a range; no float ever stands for it.

    The number of digits is limited because noise and accounting compute with all of them, and so is the smallest
    number above 0, for the same reason.
    """

    def read(raw: object) -> Fraction:
        if not isinstance(raw, int | Decimal) or isinstance(raw, bool):
            raise ValueError
        decimal = Decimal(raw)
        if not decimal.is_finite() or len(decimal.as_tuple().digits) > _DIGITS:
            raise ValueError
        if decimal == 0 and zero:
            return Fraction(0)
        # Before the fraction is made: that of 1e-999999999 would not fit the memory.
        if decimal <= 0 or abs(decimal.adjusted()) > _MAGNITUDE:
            raise ValueError
        value = Fraction(decimal)
        if value > most or (open_above and value == most):
            raise ValueError
        return value

    high = f"below {most}" if open_above else f"of at most {most}"
    choices = f"a number of at least 1e-{_MAGNITUDE} and {high}, with at most {_DIGITS} digits"
    return Option(f"0, or {choices}" if zero else choices, read, _decimal)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError from None


def choice(names: type[StrEnum]) -> Option:
    """One of a few names."""
    return Option("one of " + ", ".join(names), names)


def several(names: type[StrEnum]) -> Option:
    """Some of a few names, each at most once: with commas in a flag, a list in a file."""

    def read(raw: object) -> tuple[StrEnum, ...]:
        if not isinstance(raw, list) or len(set(map(str, raw))) != len(raw):
            raise ValueError
        return tuple(names(name) for name in raw)

    return Option("some, with commas between them, of " + ", ".join(names), read, lambda text: text.split(","))


def file_name(holds: str) -> Option:
    """The name of what is to be told of as this; whether it is there is checked when it is read."""

    def read(raw: object) -> Path:
        if not isinstance(raw, str) or not raw or "\0" in raw:
            raise ValueError
        return Path(raw)

    return Option(f"the name of {holds}", read)


def named(choices: str) -> Option:
    """A name of one line; whether there is such a thing is checked when it is looked up."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or not raw.strip() or not raw.isprintable() or len(raw) > NAME_LENGTH:
            raise ValueError
        return raw

    return Option(choices, read)


def yes_or_no() -> Option:
    """Yes or no; true or false in a file."""

    def read(raw: object) -> bool:
        if not isinstance(raw, bool):
            raise ValueError
        return raw

    return Option("yes or no", read, {"yes": True, "no": False}.get)
