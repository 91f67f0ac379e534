"""Layouts and positions of section 15, from its words, without numpy and without any code of the HE layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import gcd
from typing import TypeVar

from capc.models.operators import Convolution, Dense, Operator

_T = TypeVar("_T")


def up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


@dataclass(frozen=True)
class Axis:
    size: int
    padding: int
    given_stride: int
    given_dilation: int
    taps: int

    @property
    def outputs(self) -> int:
        return (self.size + 2 * self.padding - self.given_dilation * (self.taps - 1) - 1) // self.given_stride + 1

    @property
    def step(self) -> int:
        return gcd(self.given_stride if self.outputs > 1 else 0, self.given_dilation if self.taps > 1 else 0) or 1

    @property
    def stride(self) -> int:
        return self.given_stride // self.step if self.outputs > 1 else 1

    @property
    def dilation(self) -> int:
        return self.given_dilation // self.step if self.taps > 1 else 1

    @property
    def extent(self) -> int:
        return (self.taps - 1) * self.dilation + 1

    def length(self, n: int) -> int:
        return (n - 1) * self.stride + self.extent

    def source(self, output: int, i: int) -> int | None:
        place = (output * self.stride + i) * self.step - self.padding
        return place if 0 <= place < self.size else None

    def pitch(self, n: int) -> int:
        length = self.length(n)
        if n < self.outputs:
            return length
        inside = [i for i in range(length) if self.source(0, i) is not None]
        zeros = min(inside[0], length - 1 - inside[-1]) if inside else length
        return max(length - min(zeros, self.extent - 1), self.extent)


@dataclass(frozen=True)
class Shape:
    """A layer as a convolution."""

    channels: int
    down: Axis
    right: Axis
    outputs: int
    groups: int

    @classmethod
    def of(cls, operator: Operator) -> Shape:
        if isinstance(operator, Dense):
            one = Axis(1, 0, 1, 1, 1)
            return cls(operator.inputs, one, one, operator.outputs, 1)
        assert isinstance(operator, Convolution)
        grid = operator.grid
        down = Axis(grid.height, grid.padding[0], grid.stride[0], grid.dilation[0], grid.kernel[0])
        right = Axis(grid.width, grid.padding[1], grid.stride[1], grid.dilation[1], grid.kernel[1])
        return cls(grid.channels, down, right, operator.out_channels, operator.groups)


@dataclass(frozen=True)
class Layout:
    shape: Shape
    degree: int
    queries: int
    tile: tuple[int, int]
    channels: int
    signals: int

    @cached_property
    def row(self) -> int:
        return self.shape.right.pitch(self.tile[1])

    @cached_property
    def area(self) -> int:
        return self.shape.down.pitch(self.tile[0]) * self.row

    @cached_property
    def window(self) -> int:
        return (self.shape.down.extent - 1) * self.row + self.shape.right.extent - 1

    @cached_property
    def block(self) -> int:
        down, right = self.shape.down, self.shape.right
        last = (self.tile[0] - 1) * down.stride * self.row + (self.tile[1] - 1) * right.stride
        return self.channels * self.area + max(0, last + self.window + 1 - self.area)

    @property
    def signal(self) -> int:
        return self.degree // self.signals

    @cached_property
    def all_signals(self) -> list[tuple[int, int, int]]:
        """Query, and the first output of the tile, down and right."""
        downs = range(0, self.shape.down.outputs, self.tile[0])
        rights = range(0, self.shape.right.outputs, self.tile[1])
        return [(query, *start) for query in range(self.queries) for start in product(downs, rights)]

    def groups(self) -> list[list[tuple[int, int, int]]]:
        return pieces(self.all_signals, self.signals)

    def columns(self) -> list[list[int]]:
        return pieces(range(self.shape.channels), self.channels)

    def rows_of_blocks(self) -> list[list[int]]:
        size = min(self.shape.outputs, self.signal // self.block)
        return pieces(range(self.shape.outputs), size)

    def cost(self, widths: Sequence[int]) -> tuple[int, int] | None:
        """None for a candidate that is left out."""
        rounded = next((most for most in (4, 16, 64) if self.shape.outputs <= most), 128)
        while rounded < self.shape.outputs:
            rounded *= 2
        room = self.signal // self.block
        tiles = up(self.shape.down.outputs, self.tile[0]) * up(self.shape.right.outputs, self.tile[1])
        groups, columns = up(self.queries * tiles, self.signals), up(self.shape.channels, self.channels)
        if not room or (self.signals > 1 and columns * up(rounded, room) * self.degree > 2**23):
            return None
        request = self.degree * sum(widths) + 64 + 4 * self.degree
        response = self.degree * widths[0] + 4 * self.degree
        third = groups * columns * up(rounded, room) * (self.degree // 6)
        return groups * columns * request + groups * up(rounded, room) * response + third, groups * columns


def pieces(of: Sequence[_T], size: int) -> list[list[_T]]:
    return [list(of[start : start + size]) for start in range(0, len(of), size)]


def cuts(total: int) -> list[int]:
    return sorted({up(total, parts) for parts in range(1, total + 1)}, reverse=True)


def candidates(shape: Shape, degree: int, queries: int) -> Iterator[Layout]:
    for tile in product(cuts(shape.down.outputs), cuts(shape.right.outputs)):
        tiles = up(shape.down.outputs, tile[0]) * up(shape.right.outputs, tile[1])
        for channels, signals in product(cuts(shape.channels), cuts(queries * tiles)):
            yield Layout(shape, degree, queries, tile, channels, signals)


def best_layout(operator: Operator, degree: int, queries: int, widths: Sequence[int]) -> Layout:
    costs = ((layout.cost(widths), layout) for layout in candidates(Shape.of(operator), degree, queries))
    # The first of equals, as `min` gives it.
    return min(((cost, layout) for cost, layout in costs if cost), key=lambda pair: pair[0])[1]


def input_polynomial(layout: Layout, group: int, column: int, values: Sequence[Sequence[int]]) -> list[int]:
    polynomial, shape = [0] * layout.degree, layout.shape
    for place, (query, top, left) in enumerate(layout.groups()[group]):
        for j, channel in enumerate(layout.columns()[column]):
            for y, x in product(range(layout.area // layout.row), range(layout.row)):
                at = shape.down.source(top, y), shape.right.source(left, x)
                if None not in at:
                    index = (channel * shape.down.size + at[0]) * shape.right.size + at[1]  # type: ignore[operator]
                    polynomial[place * layout.signal + j * layout.area + y * layout.row + x] = values[query][index]
    return polynomial


def weight_polynomial(layout: Layout, row: int, column: int, weights: Sequence[Sequence[int]]) -> list[int]:
    polynomial, shape = [0] * layout.degree, layout.shape
    down, right = shape.down, shape.right
    seen = shape.channels // shape.groups
    for i, output in enumerate(layout.rows_of_blocks()[row]):
        group = output // (shape.outputs // shape.groups)
        for j, channel in enumerate(layout.columns()[column]):
            if channel // seen != group:
                continue
            for u, v in product(range(down.taps), range(right.taps)):
                at = i * layout.block + (layout.channels - 1 - j) * layout.area
                at += (down.taps - 1 - u) * down.dilation * layout.row + (right.taps - 1 - v) * right.dilation
                polynomial[at] = weights[output][(channel % seen * down.taps + u) * right.taps + v]
    return polynomial


def output_places(layout: Layout, group: int, row: int) -> list[tuple[int, int]]:
    """Coefficients that carry outputs, in the order of the payload, and which output of all queries each is."""
    shape, found = layout.shape, []
    down, right = shape.down, shape.right
    for place, (query, top, left) in enumerate(layout.groups()[group]):
        for i, output in enumerate(layout.rows_of_blocks()[row]):
            tall, wide = min(layout.tile[0], down.outputs - top), min(layout.tile[1], right.outputs - left)
            for y, x in product(range(tall), range(wide)):
                at = place * layout.signal + i * layout.block + (layout.channels - 1) * layout.area + layout.window
                at += y * down.stride * layout.row + x * right.stride
                index = ((query * shape.outputs + output) * down.outputs + top + y) * right.outputs + left + x
                found.append((at, index))
    return found
