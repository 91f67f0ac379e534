"""Operations whose result no vector can state: whoever judges looks at what an implementation gives.

A figure lies between two bounds. In a vector, the bounds stand among the inputs, and the result is whether the figure
lies between them. An implementation that is judged gets the question without its bounds, and answers with the figure.

An offer is a result with randomness of its own, such as a ciphertext. In a vector, the result is whether it holds. An
implementation that is judged answers with the ciphertext, which whoever judges opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from capc_verify.vectors.operation import Call, Fields, Offer, Operation, Result
from capc_verify.vectors.values import COUNT, FLAG, RATIONAL, Kind, many

LOWEST, HIGHEST, COUNTED = "at_least", "at_most", "count"
"""Fields of a question with bounds; of one with several figures, how many are wanted."""
FIGURE, INSIDE, HOLDS = "figure", "inside", "holds"
"""The result, as an implementation gives it and as a vector states it."""

Figures = Fraction | list[Fraction]


def bounded(name: str, figure: Callable[[Call], Figures], takes: Fields, *, several: bool = False) -> Operation:
    """The operation of a figure, or of several in a row, as vectors hold it.

    Args:
        name: its name.
        figure: computes it from a call without bounds; of several, the call's ``count`` of them.
        takes: the fields of the question.
        several: whether each bound is a list.
    """
    bound = many(RATIONAL) if several else RATIONAL

    def run(call: Call) -> Result:
        found = figure(replace(call, fields=question(call.fields)))
        return Result({INSIDE: is_inside(found, call[LOWEST], call[HIGHEST])})

    return Operation(name, run, {**takes, LOWEST: bound, HIGHEST: bound}, {INSIDE: FLAG}, figure=figure)


def offered(
    name: str,
    make: Callable[[Call], Mapping[str, Any]],
    problem: Callable[[Call, Mapping[str, Any]], str | None],
    takes: Fields,
    gives: Fields,
) -> Operation:
    """The operation of an offer, as vectors hold it.

    Args:
        name: its name.
        make: makes one.
        problem: what is wrong with one; None if nothing is.
        takes: its inputs.
        gives: what an implementation that is judged answers with.
    """

    def run(call: Call) -> Result:
        return Result({HOLDS: problem(call, make(call)) is None})

    return Operation(name, run, takes, {HOLDS: FLAG}, offer=Offer(gives, make, problem))


def asked(operation: Operation) -> Operation:
    """The operation as an implementation that is judged performs it; one whose result is stated is the same in both."""
    figure, offer = operation.figure, operation.offer
    if offer is not None:
        return replace(operation, run=lambda call: Result(offer.make(call)), gives=offer.gives)
    if figure is None:
        return operation
    bound: Kind = operation.takes[LOWEST]
    takes = {name: kind for name, kind in operation.takes.items() if name not in {LOWEST, HIGHEST}}
    if bound is not RATIONAL:
        takes[COUNTED] = COUNT
    return replace(operation, run=lambda call: Result({FIGURE: figure(call)}), takes=takes, gives={FIGURE: bound})


def question(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a figure without their bounds."""
    counted = {COUNTED: len(fields[LOWEST])} if isinstance(fields[LOWEST], list) else {}
    return {name: value for name, value in fields.items() if name not in {LOWEST, HIGHEST}} | counted


def is_inside(found: Figures, lowest: Figures, highest: Figures) -> bool:
    """Whether every figure lies between its bounds, and there are as many as bounds."""
    figures, lows, highs = (value if isinstance(value, list) else [value] for value in (found, lowest, highest))
    if len(figures) != len(lows):
        return False
    return all(low <= figure <= high for figure, low, high in zip(figures, lows, highs, strict=True))
