"""Constants and zeros around a value, taken up by the linear operator that works on it: exact algebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capc.foundation.hidden import type_only
from capc.models.importing.evaluate import linear
from capc.models.importing.factors import Factors
from capc.models.importing.graph import Conv, Floats, Pad, Shape, UnsupportedError, Window
from capc.models.importing.lowering.forms import FloatLayer, StageValue, Sums, entries, fewest
from capc.models.operators import Convolution, Dense, Grid


@dataclass(frozen=True, eq=False)
class Folded:
    """A linear operator on a value of the protocol alone.

    Attributes:
        operator: its shape.
        layer: its weights, and biases for each row or each sum.
    """

    operator: Dense | Convolution
    layer: FloatLayer

    __repr__ = type_only


def affine(sums: Sums, scales: Factors | None, shifts: Floats | None) -> FloatLayer:
    """The weights of sums that are then taken times and plus constants, one of each for each sum.

    Raises:
        UnsupportedError: the factors differ within a channel.
    """
    weights, rows = sums.layer.weights, len(sums.layer.weights)
    biases = entries(sums.layer.biases, sums.operator.outputs)
    if scales is not None:
        of_rows = scales.of_channels(rows)
        if of_rows is None:
            problem = f"its factors differ within a channel of {sums.place}"
            raise UnsupportedError(problem, "put it right after a convolution or linear layer")
        weights, biases = weights * of_rows.numbers[:, None], biases * scales.numbers
    return FloatLayer(weights, fewest(biases if shifts is None else biases + shifts, rows))


def dense(weights: Floats, biases: Floats, given: StageValue) -> Folded:
    """weights (outputs x inputs) times a value with constants, plus biases."""
    if given.shifts is not None:
        biases = biases + weights @ given.shifts
    if given.scales is not None:
        weights = weights * given.scales.numbers
    return Folded(Dense(weights.shape[1], len(weights)), FloatLayer(weights, biases))


def convolution(op: Conv, shape: Shape, given: StageValue) -> Folded:
    """A convolution of a value with constants. Zeros around it are no part of the value: they stay 0.

    So with padding a shift adds less at the edge, and each sum has a bias of its own.

    Args:
        op: weights, biases and window.
        shape: of the value.
        given: the value.

    Raises:
        UnsupportedError: its factors differ within a channel.
    """
    operator = Convolution(op.window.on(shape), len(op.weights), op.groups)
    rows, biases = op.weights.reshape(len(op.weights), -1), op.biases
    if given.shifts is not None:
        added = linear(operator, rows, given.shifts[None])[0] + entries(biases, operator.outputs)
        biases = fewest(added, operator.rows)
    if given.scales is not None:
        scales = given.scales.of_channels(shape[0])
        if scales is None:
            raise UnsupportedError(
                "the factors of the value that it works on differ within a channel", "scale the features beforehand"
            )
        area = rows.shape[1] * op.groups // shape[0]
        rows = rows * np.array(
            [np.repeat(scales.numbers[list(operator.group_channels(row))], area) for row in range(len(rows))]
        )
    return Folded(operator, FloatLayer(rows, biases))


def single_entries(shape: Shape, given: StageValue) -> Folded:
    """The value itself, each entry of the shape times its scale and plus its shift."""
    count = int(np.prod(shape))
    scales = Factors.one(1, count) if given.scales is None else given.scales
    shifts = np.zeros(count) if given.shifts is None else given.shifts
    channels, height, width = shape if len(shape) == 3 else (count, 1, 1)
    each = scales.of_channels(channels)
    if each is None:
        channels, height, width, each = count, 1, 1, scales
    operator = Convolution(Grid(channels, height, width, (1, 1)), channels, channels)
    return Folded(operator, FloatLayer(each.numbers[:, None], fewest(shifts, channels)))


def padded_convolution(op: Conv, pad: Pad) -> Conv:
    """A convolution with the zeros around its input as its own padding, the same on opposite sides.

    Where a side has more, the kernel is made larger by zeros on the other: the window begins earlier and sees the same.

    Raises:
        UnsupportedError: the difference is no multiple of the dilation.
    """
    weights, window = op.weights, op.window
    padding, before_after = [], [(0, 0), (0, 0)]
    for axis, given in enumerate((pad.rows, pad.columns)):
        before, after = (side + window.padding[axis] for side in given)
        dilation, more = window.dilation[axis], abs(before - after)
        if more % dilation:
            raise UnsupportedError(
                f"its padding is {before} and {after} on opposite sides, with dilation {dilation}",
                "use the same padding on opposite sides",
            )
        taps = more // dilation
        before_after[axis] = (taps, 0) if before < after else (0, taps)
        padding.append(max(before, after))
    weights = np.pad(weights, ((0, 0), (0, 0), *before_after))
    kernel = (weights.shape[2], weights.shape[3])
    return Conv(weights, op.biases, Window(kernel, window.stride, (padding[0], padding[1]), window.dilation), op.groups)
