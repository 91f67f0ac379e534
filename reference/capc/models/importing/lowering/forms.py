"""How far a value of a network has come on its way to the stages of the protocol.

- StageValue: a value of the protocol, perhaps summed over windows, times and plus constants that what follows takes up;
- Sums: a linear operator whose activation is still to come; it becomes a stage when that is known;
- RectifiedSums: a ReLU of sums, of whatever kind; it becomes a stage with or without a max pool, depending on what
  follows;
- Padded: a value with zeros around it, which the next convolution takes up;
- Joined: several values, channels after channels;
- Scores: a softmax or sigmoid of the logits, which only the end of the network may have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, prod

import numpy as np

from capc.foundation.hidden import type_only
from capc.models.importing.factors import Factors
from capc.models.importing.graph import Floats, Pad, Shape, Sigmoid, Softmax, UnsupportedError
from capc.models.operators import Grid, Operator, SumPool


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """One stage's real weights, with the rows and columns of its operator, and a bias for each row or for each sum."""

    weights: Floats
    biases: Floats

    __repr__ = type_only


@dataclass(frozen=True, eq=False)
class StageValue:
    """scales x + shifts, where x is a value of the protocol, summed over windows if there is a pool.

    Attributes:
        value: its number.
        pool: windows over which the next operator sums it first.
        scales: one for each entry of x; None for 1.
        shifts: one for each entry of x; None for 0.
        is_signed: whether it may be negative, as far as anybody can tell who does not know a weight: the query, what a
            ReLU with a leak made, and whatever was multiplied by or added to constants.
    """

    value: int
    pool: SumPool | None = None
    scales: Factors | None = None
    shifts: Floats | None = None
    is_signed: bool = False

    __repr__ = type_only

    def times(self, scales: Factors | None, shifts: Floats | None) -> StageValue:
        """scales times this plus shifts, entry by entry. None stands for a 1 or 0 that is one in every network."""
        moved, before = shifts, self.shifts
        if before is not None:
            moved = before if scales is None else scales.numbers * before
            moved = moved if shifts is None else moved + shifts
        if scales is not None and self.scales is not None:
            scales = scales.times(self.scales)
        return replace(self, scales=scales or self.scales, shifts=moved, is_signed=True)


@dataclass(frozen=True, eq=False)
class Sums:
    """A stage without its activation. Equal only to itself, so that it is emitted once.

    Attributes:
        place: its node.
        operator: its shape.
        layer: its weights.
        source: what it works on.
        skips: what is added: values of the protocol by their numbers, and sums, which become stages before this one.
    """

    place: str
    operator: Operator
    layer: FloatLayer
    source: StageValue
    skips: tuple[int | Sums, ...] = ()

    def with_those_added(self) -> list[Sums]:
        """These sums and all sums that are added to them, at any depth: each once, after those that are added to it."""
        found: dict[Sums, None] = {}
        waiting = [(self, False)]
        while waiting:
            sums, is_seen = waiting.pop()
            if is_seen:
                found[sums] = None
            elif sums not in found:
                waiting.append((sums, True))
                waiting += [(each, False) for each in reversed(sums.skips) if isinstance(each, Sums)]
        return list(found)


@dataclass(frozen=True)
class RectifiedSums:
    """The ReLU of sums, of whatever kind or none, alone or of the largest in each window: no kind ever falls.

    Attributes:
        sums: what it is of.
        low: nothing is below it; -infinity for no bound.
        high: nothing is above it; infinity for no bound.
        leak_bits: s, where the slope below 0 is 2^-s; then there are no bounds. 0: there is no ReLU.
        grid: the windows of a max pool, or None.
    """

    sums: Sums
    low: float = 0.0
    high: float = inf
    leak_bits: int | None = None
    grid: Grid | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is a ReLU without further bounds, of which a max pool makes a stage at once."""
        return (self.low, self.high, self.leak_bits) == (0, inf, None)

    def then(self, low: float, high: float, leak_bits: int | None) -> RectifiedSums | None:
        """The same with another ReLU after it; None where that is no ReLU of the sums themselves."""
        if self.leak_bits == 0:
            return RectifiedSums(self.sums, low, high, leak_bits, self.grid)
        if leak_bits is not None:
            # What is not negative leaks nothing.
            return self if self.leak_bits is None and self.low >= 0 else None
        if self.leak_bits is not None:
            return replace(self, low=low, high=high, leak_bits=None) if low >= 0 else None
        low, high = (min(max(bound, low), high) for bound in (self.low, self.high))
        return replace(self, low=low, high=high) if low < high else None


@dataclass(frozen=True)
class Padded:
    """Zeros around a value.

    Attributes:
        form: the value.
        shape: its own shape, without the zeros.
        pad: how many zeros.
    """

    form: StageValue | RectifiedSums | Sums
    shape: Shape
    pad: Pad


@dataclass(frozen=True)
class Joined:
    """Values, each with its shape, whose channels follow one another."""

    parts: tuple[tuple[Form, Shape], ...]


@dataclass(frozen=True)
class Scores:
    """A softmax or sigmoid of the logits."""

    logits: StageValue | Sums | RectifiedSums | Joined
    ending: Softmax | Sigmoid


_ROUNDING = 1e-12
Form = StageValue | Sums | RectifiedSums | Padded | Joined | Scores


def entries(array: Floats, count: int) -> Floats:
    """One number for each entry, of one for each channel or each entry."""
    return np.repeat(array, count // len(array))


def fewest(biases: Floats, rows: int) -> Floats:
    """One bias for each row where those of a row's sums are equal, else as they are: nobody else sees which."""
    each = biases.reshape(rows, -1)
    if not np.isfinite(each).all():
        return biases
    # Sums of the same numbers may differ in their last bits.
    same = np.abs(each - each[:, :1]) <= _ROUNDING * np.abs(each).max()
    return each[:, 0].copy() if same.all() else biases


def unchanged(sums: Sums, grid: Grid | None = None) -> RectifiedSums:
    """Sums as they are, or the largest in each window, as a stage of their own: its slope is one everywhere."""
    return RectifiedSums(sums, leak_bits=0, grid=grid)


def usable(form: Form) -> StageValue | RectifiedSums | Sums:
    """A form that any operator works on.

    Raises:
        UnsupportedError: it is one that few operators can work on.
    """
    if isinstance(form, Scores):
        kind = type(form.ending).__name__.lower()
        raise UnsupportedError(f"it follows a {kind}", f"use a {kind} at the end only")
    if isinstance(form, Padded):
        raise UnsupportedError("it works on a value with zeros around it", "pad in the convolution after it")
    if isinstance(form, Joined):
        raise UnsupportedError("it works on a concatenation", "put a convolution or linear layer before it")
    return form


def parts_of(form: Form, shape: Shape) -> tuple[tuple[Form, Shape], ...]:
    """What is joined, or the form itself."""
    return form.parts if isinstance(form, Joined) else ((form, shape),)


def each_part(form: Form, shape: Shape, made: Shape, one: Callable[[Form, Shape], Form]) -> Form:
    """What works on each channel by itself, on each of what is joined.

    Args:
        form: of a value.
        shape: of the value.
        made: the shape of the result, of as many channels.
        one: of a part, by its form and shape.
    """
    if not isinstance(form, Joined):
        return one(form, shape)
    return Joined(tuple((one(part, size), (size[0], *made[1:])) for part, size in form.parts))


def reshaped(form: Form, shape: Shape, wanted: Shape) -> Form:
    """A form after a reshape: entries stay in their order.

    Raises:
        UnsupportedError: there are zeros around it, or what is joined would share channels.
    """
    if isinstance(form, Padded):
        raise UnsupportedError("it works on a value with zeros around it", "pad in the convolution after it")
    if not isinstance(form, Joined) or shape == wanted:
        return form
    parts = []
    for part, given in form.parts:
        channels, rest = divmod(prod(given), prod(wanted[1:]))
        if rest:
            raise UnsupportedError("it mixes channels of a concatenation", "concatenate after it")
        parts.append((part, (channels, *wanted[1:])))
    return Joined(tuple(parts))
