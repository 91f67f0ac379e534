"""The functions of the dialect that print, and the one that only orders instructions."""

from __future__ import annotations

from capc_mpc.emulator.algebra import Word
from capc_mpc.emulator.arithmetic import personal
from capc_mpc.emulator.binary import cbits
from capc_mpc.emulator.errors import ProgramError, UnknownConstructError
from capc_mpc.emulator.machine import Output, running


def print_ln(text: str = "", *arguments: object) -> None:
    """A line for everybody: each ``%s`` is a constant, opened bits, or a list of them."""
    _print(None, text, arguments)


def print_ln_to(player: int, text: str, *arguments: object) -> None:
    """A line for one party: each ``%s`` is a constant, or values that this party knows."""
    _print(running().check_party(player), text, arguments)


def break_point(name: str = "") -> None:
    """Keeps the compiler from merging instructions before and after; values do not change."""


def _print(party: int | None, text: str, arguments: tuple[object, ...]) -> None:
    if text.count("%s") != len(arguments):
        raise ProgramError(f"{len(arguments)} arguments for the format {text!r}")
    parts = [_part(party, argument) for argument in arguments]
    running().outputs.append(Output(party, text, tuple(parts)))


def _part(party: int | None, argument: object) -> str | tuple[Word, ...]:
    if isinstance(argument, int | str):
        return str(argument)
    if isinstance(argument, personal):
        if argument.player != party:
            raise ProgramError(f"a value of player {argument.player} is printed at {party}")
        return tuple(argument.words)
    entries = argument if isinstance(argument, list) else [argument]
    words = [entry.word for entry in entries if isinstance(entry, cbits)]
    if len(words) != len(entries):
        raise UnknownConstructError(f"printing {type(argument).__name__}")
    return tuple(words)
