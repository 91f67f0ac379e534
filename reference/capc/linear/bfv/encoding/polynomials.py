"""Inputs and weights as polynomials, so that one product of polynomials holds products of operator and inputs.

A tile of c input channels is laid out as one signal: channel after channel, row after row. With a the coefficients of
a channel, p those of a row, (E, F) the span of a window, and b those of a block of c channels,

    x(X) = sum x[k,i,j] X^(k a + i p + j)
    W(X) = sum w[o,k,u,v] X^(o b + (c - 1 - k) a + (E - 1 - u) p + (F - 1 - v))

and in x W the output o of the window that begins at (i, j) is the coefficient of X^(o b + (c - 1) a + (E - 1 + i) p +
F - 1 + j): each term meets the tap that it belongs to. All other meetings, and what the reduction modulo X^N + 1
brings back, lie at places where no window ends, because o b <= N and a window never reaches beyond its block. Taps of
a kernel with dilation lie as far apart as the dilation says; a stride leaves windows out. No rotation is needed.

With B blocks of outputs, B b coefficients hold the products of one signal: signals of other tiles and queries follow
at any distance d >= B b, multiplied by X^d, X^(2 d), ..., and the same W serves them all, as further blocks would.

Weights of output channels of other groups are zeros.

Source: Huang, Lu, Hong, Ding, USENIX Security 2022 (Cheetah). Spec: CAPC-HE-023 to CAPC-HE-025.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from capc.linear.bfv.encoding.axis import Indices
from capc.linear.bfv.encoding.layout import Layout
from capc.linear.bfv.encoding.tiling import Tiling
from capc.linear.bfv.wire.seal_format import Words


class Response(NamedTuple):
    """What one ciphertext of a response carries.

    Attributes:
        group: number of its group of signals.
        row: number of its row of blocks.
        positions: the coefficients that carry outputs.
        outputs: for each of them, its index among the flattened outputs of all queries.
    """

    group: int
    row: int
    positions: Indices
    outputs: Indices


def encode_inputs(layout: Layout, values: Words) -> Iterator[Words]:
    """One polynomial for each group of signals and column of blocks, from the (queries, inputs) values."""
    grid, tiles = layout.grid, layout.tiles
    # The index OUTSIDE is the last row or column: zeros.
    images = np.zeros((layout.count, grid.channels, grid.height + 1, grid.width + 1), dtype=np.uint64)
    images[:, :, :-1, :-1] = values.reshape(layout.count, grid.channels, grid.height, grid.width)
    every = [_sources(layout, *tile) for tile in tiles]
    rows, places = (np.stack(axis) for axis in zip(*every, strict=True))
    for group in layout.groups:
        queries, tile = np.divmod(np.arange(group.start, group.stop), len(tiles))
        for column in layout.columns:
            channels = np.arange(column.start, column.stop)[:, None, None]
            signals = images[queries[:, None, None, None], channels, rows[tile, None], places[tile, None]]
            polynomial = np.zeros(layout.degree, dtype=np.uint64)
            pitches = polynomial[: layout.group_signals * layout.signal_pitch].reshape(layout.group_signals, -1)
            pitches[: len(signals), : signals[0].size] = signals.reshape(len(signals), -1)
            yield polynomial


def _sources(layout: Layout, tile_down: slice, tile_right: slice) -> tuple[Indices, Indices]:
    """For each coefficient of one channel of a tile, its row and column in the image, or OUTSIDE."""
    down, right = layout.axes
    rows = down.sources(tile_down.start, layout.tile_down)[: layout.tile_rows]
    places = right.sources(tile_right.start, layout.tile_right)[: layout.row_pitch]
    return rows[:, None], places[None]


class Encoding:
    """The polynomials of the weights of a tiling, and the outputs in their products."""

    def __init__(self, tiling: Tiling) -> None:
        self.tiling = tiling
        self._powers: dict[tuple[int, int], Indices] = {}

    def encode_weights(self, weights: Words, row: slice) -> Iterator[Words]:
        """The polynomials of one row of blocks, one for each column, from the (rows, columns) weights."""
        for exponents, coefficients in self.weight_terms(weights, row):
            polynomial = np.zeros(self.tiling.layout.degree, dtype=np.uint64)
            polynomial[exponents] = coefficients
            yield polynomial

    def weight_terms(self, weights: Words, row: slice) -> Iterator[tuple[Indices, Words]]:
        """The same as powers of X, decreasing, and their coefficients, of which some may be 0."""
        kernels = self._kernels(weights, row)
        for column in self.tiling.layout.columns:
            exponents = self._exponents(row.stop - row.start, column.stop - column.start)
            yield exponents, kernels[::-1, column].reshape(-1)

    def _exponents(self, outputs: int, channels: int) -> Indices:
        """The power of X of each weight of so many output channels of a row and input channels of a column."""
        if (outputs, channels) not in self._powers:
            layout = self.tiling.layout
            down, right = layout.axes
            i, j, u, v = np.ogrid[:outputs, :channels, : down.kernel, : right.kernel]
            taps = (down.kernel - 1 - u) * down.dilation * layout.row_pitch + (right.kernel - 1 - v) * right.dilation
            powers = (outputs - 1 - i) * layout.block + (layout.block_channels - 1 - j) * layout.area + taps
            self._powers[outputs, channels] = powers.reshape(-1)
        return self._powers[outputs, channels]

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
        """What each ciphertext of a response carries, in order: group by group, row of blocks by row of blocks."""
        layout, tiling = self.tiling.layout, self.tiling
        ends = [self._ends(*tile) for tile in layout.tiles]
        first = (layout.block_channels - 1) * layout.area + layout.window_end
        per_channel, per_query = tiling.convolution.grid.positions, tiling.convolution.outputs
        result = []
        for number, group in enumerate(layout.groups):
            owners = [divmod(signal, len(ends)) for signal in range(group.start, group.stop)]
            for row_number, row in enumerate(tiling.rows):
                channels = np.arange(row.stop - row.start)[:, None]
                positions, outputs = [], []
                for place, (query, tile) in enumerate(owners):
                    offsets, windows = ends[tile]
                    start = place * layout.signal_pitch + first
                    positions.append((start + channels * layout.block + offsets).ravel())
                    outputs.append((query * per_query + (row.start + channels) * per_channel + windows).ravel())
                result.append(Response(number, row_number, np.concatenate(positions), np.concatenate(outputs)))
        return tuple(result)

    def _ends(self, tile_down: slice, tile_right: slice) -> tuple[Indices, Indices]:
        """For each window of a tile, its place behind that of the first one, and its number in the image."""
        layout = self.tiling.layout
        down, right = layout.axes
        i, j = np.arange(tile_down.stop - tile_down.start), np.arange(tile_right.stop - tile_right.start)
        ends = (i * down.stride * layout.row_pitch)[:, None] + j * right.stride
        windows = (tile_down.start + i)[:, None] * right.outputs + tile_right.start + j
        return ends.ravel(), windows.ravel()
