"""Options that are told in a table: what the option parser needs of them, and nothing that is slow to import."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, Signature
from typing import Annotated, TypeVar

import typer

T = TypeVar("T")

Told = Mapping[str, tuple[str, str]]
"""For each option by name how its value and the option itself are described to people."""

JSON = {"json": ("FILE", "Write the answer as JSON; - is stdout.")}


def above_zero(number: float | None) -> float | None:
    """Lets an option be finite numbers above 0 only: `nan` and `inf` are numbers to the option parser."""
    if number is not None and not 0 < number < math.inf:
        raise typer.BadParameter(f"{number:g}: give a number above 0")
    return number


def from_zero(number: float | None) -> float | None:
    """Lets an option be finite numbers from 0 on only."""
    if number is not None and not 0 <= number < math.inf:
        raise typer.BadParameter(f"{number:g}: give a number from 0 on")
    return number


def takes(
    options: Told,
    panels: Mapping[str, str] | None = None,
    withdrawn: Iterable[str] = (),
    arguments: Told | None = None,
) -> Callable[[Callable[[dict[str, str]], T]], Callable[..., T]]:
    """Makes a command of a function of the options that were given, as text, by name.

    Which texts are admitted is decided where the command reads them, with a refusal that names value and place.

    Args:
        options: in the order of the help.
        panels: under which heading the help shows an option, by the first one of each heading; None for one list.
        arguments: what has to be given without a flag, in this order; by name among the options.
        withdrawn: options that the help does not show, and that the command refuses in words of its own.
    """
    under: dict[str, str | None] = {}
    heading: str | None = None
    for name in options:
        heading = under[name] = (panels or {}).get(name, heading)
    shown = {
        name: typer.Option(metavar=metavar, help=told, rich_help_panel=under[name])
        for name, (metavar, told) in options.items()
    }
    hidden = {name: typer.Option(hidden=True) for name in withdrawn}
    needed = {name: typer.Argument(metavar=metavar, help=told) for name, (metavar, told) in (arguments or {}).items()}
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=Annotated[str, argument])
        for name, argument in needed.items()
    ]
    parameters += [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option])
        for name, option in (shown | hidden).items()
    ]

    def with_options(command: Callable[[dict[str, str]], T]) -> Callable[..., T]:
        def called(**texts: str | None) -> T:
            return command({name: text for name, text in texts.items() if text is not None})

        called.__name__, called.__doc__ = command.__name__, command.__doc__
        # What the option parser reads.
        called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return called

    return with_options
