"""Inputs and weights as polynomials, so that one product of polynomials holds a product of operator and input.

A tile of c input channels is laid out as one signal: channel after channel, row after row. With a the coefficients of
a channel, p those of a row, (E, F) the span of a window, and b those of a block of c channels,

    x(X) = sum x[k,i,j] X^(k a + i p + j)
    W(X) = sum w[o,k,u,v] X^(o b + (c - 1 - k) a + (E - 1 - u) p + (F - 1 - v))

and in x W the output o of the window that begins at (i, j) is the coefficient of X^(o b + (c - 1) a + (E - 1 + i) p +
F - 1 + j): each term meets the tap that it belongs to. All other meetings, and what the reduction modulo X^N + 1
brings back, lie at places where no window ends, because o b <= N and a window never reaches beyond its block. Taps of
a kernel with dilation lie as far apart as the dilation says; a stride leaves windows out. No rotation is needed.

Weights of output channels of other groups are zeros.

Source: Huang, Lu, Hong, Ding, USENIX Security 2022 (Cheetah).
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from capc.he.axis import Indices
from capc.he.serialisation import Words
from capc.he.tiling import Tiling


class Response(NamedTuple):
    """What one ciphertext of a response carries.

    Attributes:
        tile: number of its tile.
        row: number of its row of blocks.
        positions: the coefficients that carry outputs.
        outputs: for each of them, its index among the operator's flattened outputs.
    """

    tile: int
    row: int
    positions: Indices
    outputs: Indices


class Encoding:
    """The polynomials of a tiling."""

    def __init__(self, tiling: Tiling) -> None:
        self.tiling = tiling

    def encode_input(self, values: Words) -> list[Words]:
        """One polynomial for each tile and column of blocks, from the operator's flattened inputs."""
        tiling, grid = self.tiling, self.tiling.convolution.grid
        # The index OUTSIDE is the last row or column: zeros.
        image = np.zeros((grid.channels, grid.height + 1, grid.width + 1), dtype=np.uint64)
        image[:, :-1, :-1] = values.reshape(grid.channels, grid.height, grid.width)
        polynomials = []
        for down, right in tiling.tiles:
            rows = tiling.down.sources(down.start, tiling.tile_down)[: tiling.tile_rows]
            places = tiling.right.sources(right.start, tiling.tile_right)[: tiling.row_pitch]
            for column in tiling.columns:
                signal = image[column, rows[:, None], places].ravel()
                polynomial = np.zeros(tiling.degree, dtype=np.uint64)
                polynomial[: signal.size] = signal
                polynomials.append(polynomial)
        return polynomials

    def encode_weights(self, weights: Words, row: slice) -> list[Words]:
        """The polynomials of one row of blocks, one for each column, from the (rows, columns) weights."""
        tiling = self.tiling
        kernels = self._kernels(weights, row)
        shape = tiling.block_outputs, tiling.block_channels, tiling.tile_rows, tiling.row_pitch
        polynomials = []
        for column in tiling.columns:
            block = kernels[:, column]
            signals = np.zeros(shape, dtype=np.uint64)
            taps = signals[
                : block.shape[0],
                tiling.block_channels - block.shape[1] :,
                : tiling.down.extent : tiling.down.dilation,
                : tiling.right.extent : tiling.right.dilation,
            ]
            taps[...] = block[:, ::-1, ::-1, ::-1]
            polynomial = np.zeros(tiling.degree, dtype=np.uint64)
            blocks = polynomial[: tiling.block_outputs * tiling.block].reshape(tiling.block_outputs, tiling.block)
            blocks[:, : tiling.block_channels * tiling.area] = signals.reshape(tiling.block_outputs, -1)
            polynomials.append(polynomial)
        return polynomials

    def _kernels(self, weights: Words, row: slice) -> Words:
        """The kernels of some output channels over all input channels, zero outside their group."""
        convolution = self.tiling.convolution
        grid = convolution.grid
        kernels = np.zeros((row.stop - row.start, grid.channels, *grid.kernel), dtype=np.uint64)
        for kernel, out_channel in zip(kernels, range(row.start, row.stop), strict=True):
            group = convolution.group_channels(out_channel)
            kernel[group.start : group.stop] = weights[out_channel].reshape(-1, *grid.kernel)
        return kernels

    @cached_property
    def responses(self) -> tuple[Response, ...]:
        """What each ciphertext of a response carries, in order: tile by tile, row of blocks by row of blocks."""
        tiling = self.tiling
        first = (tiling.block_channels - 1) * tiling.area + tiling.window_end
        result = []
        for number, (down, right) in enumerate(tiling.tiles):
            i, j = np.arange(down.stop - down.start), np.arange(right.stop - right.start)
            ends = (i * tiling.down.stride * tiling.row_pitch)[:, None] + j * tiling.right.stride
            windows = (down.start + i)[:, None] * tiling.right.outputs + right.start + j
            for row_number, row in enumerate(tiling.rows):
                channels = np.arange(row.stop - row.start)[:, None, None]
                positions = first + channels * tiling.block + ends
                outputs = (row.start + channels) * tiling.convolution.grid.positions + windows
                result.append(Response(number, row_number, positions.ravel(), outputs.ravel()))
        return tuple(result)
