"""Arithmetic of values and constants, the same for every framework: what it becomes in a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, count
from math import prod

import numpy as np

from capc.models.importing import settings
from capc.models.importing.factors import Factors
from capc.models.importing.graph import (
    Add,
    Affine,
    Concat,
    Floats,
    Graph,
    Identity,
    Linear,
    MaxPool,
    Op,
    Pad,
    Reorder,
    Reshape,
    Shape,
    UnsupportedError,
    Window,
)
from capc.models.importing.settings import Sides

Operand = str | Floats
"""A value, by its name in the graph, or constants, whose axes include the batch where they have as many as a value."""


class Place:
    """Where one call of a framework stands in the graph: it adds one node, or several of which each has a name.

    Args:
        graph: to add to.
        name: of the call.
        kind: of its operator, for messages.
        batch: how many rows the framework's shapes count.
    """

    def __init__(self, graph: Graph, name: str, kind: str, batch: int) -> None:
        self.graph = graph
        self.name = name
        self.kind = kind
        self.batch = batch

    def add(self, op: Op, *inputs: str) -> str:
        """Adds a node, and returns its name, which is the call's, with a number where that is taken."""
        names = chain([self.name], (f"{self.name} ({number})" for number in count(1)))
        name = next(name for name in names if name not in self.graph)
        self.graph.add(name, self.kind, op, *inputs)
        return name

    def shape(self, value: str) -> Shape:
        """Of each row of a value."""
        return self.graph.shape(value)

    def reshape(self, value: str, shape: Shape) -> str:
        """The same entries in another shape."""
        return self.add(Reshape(shape), value)


def plus(place: Place, first: Operand, second: Operand, factor: float = 1.0) -> str:
    """first + factor x second, of which one at least is a value."""
    if isinstance(first, str) and isinstance(second, str):
        if place.shape(first) != place.shape(second):
            shapes = f"{place.shape(first)} and {place.shape(second)}"
            raise UnsupportedError(f"it adds values of the shapes {shapes}", "add values of the same shape")
        if factor != 1:
            second = _affine(place, second, np.array(factor), None)
        return place.add(Add(), first, second)
    if isinstance(first, str):
        return _affine(place, first, None, factor * np.asarray(second))
    if isinstance(second, str):
        return _affine(place, second, None if factor == 1 else np.array(factor), first)
    raise UnsupportedError("it works on constants only", "leave it out")


def times(place: Place, first: Operand, second: Operand) -> str:
    """first times second, of which one is a value and the other constants."""
    if isinstance(first, str) != isinstance(second, str):
        value, factors = (first, second) if isinstance(first, str) else (second, first)
        return _affine(place, str(value), np.asarray(factors, dtype=np.float64), None)
    if isinstance(first, str) and first == second:
        raise UnsupportedError("it multiplies a value with itself", settings.REMEDY_OF_SQUARES)
    raise UnsupportedError("it combines two values of the network", settings.remedy_for("mul"))


def over(place: Place, first: Operand, second: Operand) -> str:
    """A value divided by constants."""
    if isinstance(first, str) and not isinstance(second, str):
        if (second == 0).any():
            raise UnsupportedError("it divides by 0", "correct the model")
        return times(place, first, 1 / second)
    raise UnsupportedError("it divides by a value of the network", settings.remedy_for("div"))


def matrix_product(place: Place, value: str, weights: Floats) -> str:
    """A value times a constant matrix, inputs x outputs."""
    return place.add(Linear(matrix(weights).T.copy(), np.zeros(weights.shape[1])), value)


def matrix(weights: Floats) -> Floats:
    """Weights that must be a matrix."""
    if weights.ndim != 2:
        raise UnsupportedError(f"its weights have the shape {weights.shape}", "use a matrix")
    return weights


def mean(place: Place, value: str, axes: Sequence[int], *, keeps: bool) -> str:
    """A mean over height and width, or one of them; no axes mean all. It keeps its axes as 1, or drops them."""
    rank = len(place.shape(value)) + 1
    axes = axes or range(rank)
    if any(axis % rank == 0 for axis in axes):
        remedy = "take it over height and width; a batch normalisation needs running statistics"
        raise UnsupportedError("it is a mean over the rows of a batch", remedy)
    if _are_pixels_of_channels_last(place, value, axes):
        return _of_channels_last(mean, place, value, keeps=keeps)
    if _is_of_rows(place, value, axes):
        return _of_rows(mean, place, value, keeps=keeps)
    pool = settings.mean(place.shape(value), axes)
    if pool is not None:
        value = place.add(pool, value)
    elif keeps:
        return place.add(Identity(), value)
    return value if keeps else place.reshape(value, settings.without_axes(place.shape(value), axes, place.batch))


def total(place: Place, value: str, axes: Sequence[int], *, keeps: bool) -> str:
    """A sum over height and width, or one of them: so many times the mean."""
    shape = (place.batch, *place.shape(value))
    count = prod(shape[axis] for axis in {axis % len(shape) for axis in axes or range(len(shape))})
    return times(place, mean(place, value, axes, keeps=keeps), np.array(float(count)))


def largest(place: Place, value: str, axes: Sequence[int], *, keeps: bool) -> str:
    """The largest over height and width, or one of them. It keeps its axes as 1, or drops them."""
    if _are_pixels_of_channels_last(place, value, axes):
        return _of_channels_last(largest, place, value, keeps=keeps)
    if _is_of_rows(place, value, axes):
        return _of_rows(largest, place, value, keeps=keeps)
    shape = place.shape(value)
    taken = {axis % (len(shape) + 1) for axis in axes}
    if len(shape) != 3 or not taken or not taken <= {2, 3}:
        problem = f"it is the largest over the axes {sorted(taken)} of rows of the shape {shape}"
        raise UnsupportedError(problem, "take it over height and width, as AdaptiveMaxPool2d(1) does")
    kernel = (shape[1] if 2 in taken else 1, shape[2] if 3 in taken else 1)
    value = place.add(MaxPool(Window(kernel, kernel)), value)
    return value if keeps else place.reshape(value, settings.without_axes(place.shape(value), axes, place.batch))


def _are_pixels_of_channels_last(place: Place, value: str, axes: Sequence[int]) -> bool:
    rank = len(place.shape(value)) + 1
    return rank == 4 and {axis % rank for axis in axes} == {1, 2} and place.shape(value)[2] > 1


def _of_channels_last(reduced: Callable[..., str], place: Place, value: str, *, keeps: bool) -> str:
    """What is made of all pixels of a value whose channels are its last axis."""
    made = reduced(place, transposed(place, value, [0, 3, 1, 2]), [2, 3], keeps=False)
    return place.reshape(made, (1, 1, place.shape(value)[2])) if keeps else made


def _is_of_rows(place: Place, value: str, axes: Sequence[int]) -> bool:
    """Whether it is over the only row of each channel, as after one over each row of pixels."""
    return len(place.shape(value)) == 2 and [axis % 3 for axis in axes] == [2]


def _of_rows(reduced: Callable[..., str], place: Place, value: str, *, keeps: bool) -> str:
    channels, width = place.shape(value)
    made = reduced(place, place.reshape(value, (channels, 1, width)), [2, 3], keeps=False)
    return place.reshape(made, (channels, 1)) if keeps else made


def taken(place: Place, value: str, axis: int, entries: Sequence[int]) -> str:
    """These entries along an axis, in this order. The axis counts the batch.

    All of them in another order are a transposition; some of a row's features are a linear layer.

    Raises:
        UnsupportedError: they are of the batch, or some of the channels or pixels.
    """
    shape = place.shape(value)
    axis %= len(shape) + 1
    size = shape[axis - 1]
    if axis == 0 or not all(0 <= entry < size for entry in entries):
        raise UnsupportedError(f"it takes entries along axis {axis} of rows of the shape {shape}", "keep the batch")
    if list(entries) == list(range(size)):
        return place.add(Identity(), value)
    if sorted(entries) == list(range(size)):
        order = np.take(np.arange(prod(shape)).reshape(shape), list(entries), axis - 1).reshape(-1)
        return place.add(Reorder(order, shape), value)
    if len(shape) != 1:
        raise UnsupportedError("it takes some of the channels or pixels", "use all of them, or a convolution before it")
    return place.add(Linear(np.eye(size)[list(entries)], np.zeros(len(entries))), value)


def transposed(place: Place, value: str, axes: Sequence[int]) -> str:
    """A value with its axes in another order; they count the batch. Axes of size 1 move no entry."""
    shape = place.shape(value)
    order = settings.order_of_axes(shape, axes)
    made = tuple(shape[axis] for axis in order)
    moved = [axis for axis in order if shape[axis] != 1]
    if moved == sorted(moved):
        return place.reshape(value, made)
    return place.add(Reorder(np.arange(prod(shape)).reshape(shape).transpose(order).reshape(-1), made), value)


def stacked(place: Place, values: Sequence[str], axis: int) -> str:
    """Several values as the channels of one. The axis counts the batch."""
    return concatenated(
        place, [place.reshape(value, settings.with_axes(place.shape(value), [axis])) for value in values], axis
    )


def concatenated(place: Place, values: Sequence[str], axis: int) -> str:
    """The channels of several values, one after another. The axis counts the batch."""
    if axis % (len(place.shape(values[0])) + 1) != 1:
        raise UnsupportedError(f"it is along axis {axis}", "concatenate channels: axis 1")
    return place.add(Concat(), *values)


def padded(place: Place, value: str, rows: Sides, columns: Sides) -> tuple[str, tuple[int, int]]:
    """A value with zeros around it where opposite sides differ, and the padding that is left to its window."""
    if rows[0] == rows[1] and columns[0] == columns[1]:
        return value, (rows[0], columns[0])
    return place.add(Pad(rows, columns), value), (0, 0)


def normalised(place: Place, value: str, scales: Floats, shifts: Floats) -> str:
    """Each channel of a value times a constant and plus another."""
    ones = (1,) * (len(place.shape(value)) - 1)
    return _affine(place, value, scales.reshape(-1, *ones), shifts.reshape(-1, *ones))


def _affine(place: Place, value: str, scales: Floats | None, shifts: Floats | None) -> str:
    shape = place.shape(value)

    def factors(constants: Floats) -> Factors:
        try:
            return Factors.broadcast(constants, shape)
        except ValueError:
            problem = f"constants of the shape {constants.shape} do not fit rows of the shape {shape}"
            raise UnsupportedError(problem, "give one for each channel, or each feature") from None

    scaled = None if scales is None else factors(scales)
    return place.add(Affine(scaled, None if shifts is None else factors(shifts).numbers), value)
