"""Operators and models on nested lists with written-out padding: oracles that share no code with the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from capc.models.architecture import Activation, StageShape
from capc.models.model import QuantisedModel
from capc.models.operators import Convolution, Dense, Grid, Matrix, Operator

_Plane = list[list[int | None]]


def _planes(values: Sequence[int], grid: Grid, fill: int | None) -> list[_Plane]:
    """The channels of a flattened value, with a border of ``fill``."""
    (down, right), area = grid.padding, grid.height * grid.width
    side: list[int | None] = [fill] * right
    edge: _Plane = [[fill] * (grid.width + 2 * right) for _ in range(down)]
    planes = []
    for channel in range(grid.channels):
        plane = values[channel * area : (channel + 1) * area]
        rows: _Plane = [[*side, *plane[y : y + grid.width], *side] for y in range(0, area, grid.width)]
        planes.append([*edge, *rows, *edge])
    return planes


def _corners(plane: _Plane, grid: Grid) -> list[tuple[int, int]]:
    """Upper left corners of all windows that lie within a plane with its border."""
    reach = [dilation * (size - 1) for dilation, size in zip(grid.dilation, grid.kernel, strict=True)]
    rows = range(0, len(plane) - reach[0], grid.stride[0])
    columns = range(0, len(plane[0]) - reach[1], grid.stride[1])
    return list(product(rows, columns))


def _window(plane: _Plane, corner: tuple[int, int], grid: Grid) -> list[int | None]:
    steps = product(range(grid.kernel[0]), range(grid.kernel[1]))
    return [plane[corner[0] + i * grid.dilation[0]][corner[1] + j * grid.dilation[1]] for i, j in steps]


def windows(values: Sequence[int], grid: Grid, fill: int | None) -> list[list[list[int | None]]]:
    """For each channel, for each position, the values in the window."""
    return [[_window(plane, at, grid) for at in _corners(plane, grid)] for plane in _planes(values, grid, fill)]


def sums_of_windows(values: Sequence[int], grid: Grid) -> list[int]:
    """A sum pool, over the integers."""
    return [_sum(window) for channel in windows(values, grid, 0) for window in channel]


def largest_of_windows(values: Sequence[int], grid: Grid) -> list[int]:
    """A max pool, over the integers."""
    return [max(_inside(window)) for channel in windows(values, grid, None) for window in channel]


def _inside(window: Sequence[int | None]) -> list[int]:
    return [value for value in window if value is not None]


def _sum(window: Sequence[int | None]) -> int:
    return sum(_inside(window))


def operate(operator: Operator, weights: Matrix, values: Sequence[int]) -> list[int]:
    """A linear operator, over the integers."""
    if isinstance(operator, Dense):
        return [sum(row[i] * values[i] for i in range(operator.inputs)) for row in weights]
    return _convolve(operator, weights, values)


def _convolve(operator: Convolution, weights: Matrix, values: Sequence[int]) -> list[int]:
    taps = operator.grid.kernel[0] * operator.grid.kernel[1]
    seen = operator.grid.channels // operator.groups
    channels = windows(values, operator.grid, 0)
    outputs = []
    for channel, row in enumerate(weights):
        first = channel * operator.groups // operator.out_channels * seen
        for position in range(len(channels[0])):
            total = 0
            for c in range(seen):
                kernel = row[c * taps : (c + 1) * taps]
                total += sum(w * v for w, v in zip(kernel, _inside(channels[first + c][position]), strict=True))
            outputs.append(total)
    return outputs


@dataclass(frozen=True)
class Trace:
    """What a model computes: the sums of each stage, of which the last are the logits."""

    sums: tuple[tuple[int, ...], ...]

    @property
    def logits(self) -> list[int]:
        """The last stage's sums."""
        return list(self.sums[-1])

    @property
    def bits_needed(self) -> int:
        """The smallest n such that every sum is below 2^(n-2) in magnitude."""
        largest = max(abs(total) for sums in self.sums for total in sums)
        return next(bits for bits in range(2, 1000) if largest < 1 << (bits - 2))


def trace(model: QuantisedModel, features: Sequence[int], *, magnitudes: bool = False) -> Trace:
    """A model's sums on a query; with ``magnitudes`` those of the model of absolute weights and biases."""
    sign = abs if magnitudes else int
    unit = 1 << model.fraction_bits
    # Each value, and whether it is sums, which are added as they are.
    values: list[tuple[list[int], bool]] = [(list(features), False)]
    seen = []
    for stage, layer in zip(model.architecture.stages, model.layers, strict=True):
        source = values[stage.source][0]
        if stage.sum_pool is not None:
            source = sums_of_windows(source, stage.sum_pool.grid)
        weights = tuple(tuple(sign(w) for w in row) for row in layer.weights)
        sums = operate(stage.operator, weights, source)
        each, factor = len(sums) // len(layer.biases), unit if stage.weight_bits is None else 1 << stage.weight_bits
        stated = 2**stage.sum_bits - 1 if magnitudes and stage.sum_bits is not None else None
        for index in range(len(sums)):
            sums[index] = sums[index] + sign(layer.biases[index // each]) if stated is None else stated
            added = [values[skip] for skip in stage.skips]
            sums[index] += sum(value[index] * (1 if is_sums else factor) for value, is_sums in added)
        seen.append(tuple(sums))
        values.append(_activated(stage, sums, factor, unit, magnitudes=magnitudes))
    return Trace(tuple(seen))


def _activated(stage: StageShape, sums: list[int], unit: int, one: int, *, magnitudes: bool) -> tuple[list[int], bool]:
    if stage.activation in {Activation.NONE, Activation.VOTE}:
        return sums, True
    pooled = sums if stage.max_pool is None else largest_of_windows(sums, stage.max_pool)
    made = [_made(stage, total, unit, one) for total in pooled]
    if magnitudes:
        made = [max(value, -_made(stage, -total, unit, one)) for value, total in zip(made, pooled, strict=True)]
    return made, False


def _made(stage: StageShape, total: int, unit: int, one: int) -> int:
    """What a ReLU makes of a sum; ``one`` is 1 as the session's fixed point has it."""
    value = total // unit
    if stage.leak_bits is None:
        caps = [] if stage.cap_bits is None else [(1 << stage.cap_bits) - 1]
        caps += [] if stage.cap is None else [round(stage.cap * one)]
        return min([max(value, 0), *caps])
    if stage.cap_bits is not None:
        value = sorted([-(1 << stage.cap_bits), value, (1 << stage.cap_bits) - 1])[1]
    return value if value >= 0 else value // (1 << stage.leak_bits)
