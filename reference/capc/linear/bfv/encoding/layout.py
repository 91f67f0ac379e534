"""How the inputs of a batch lie in the polynomials of a request.

The image of each query is cut into tiles of outputs; a tile of one query is a signal. The input channels are cut into
columns of blocks. A ciphertext holds one column of several signals, at equal distances; a group of signals has one
ciphertext for each column. A fully connected layer is a convolution over an image of one value per channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from capc.linear.bfv.encoding.axis import Axis, axes
from capc.models.operators import Grid


@dataclass(frozen=True)
class Layout:
    """All that the polynomials of a request depend on, apart from the values.

    Attributes:
        grid: the windows of the operator.
        degree: N.
        count: queries.
        tile_down: outputs of a tile, down.
        tile_right: outputs of a tile, right.
        block_channels: input channels per block.
        group_signals: signals per ciphertext.
    """

    grid: Grid
    degree: int
    count: int
    tile_down: int
    tile_right: int
    block_channels: int
    group_signals: int

    @cached_property
    def axes(self) -> tuple[Axis, Axis]:
        """The windows' directions down and right."""
        return axes(self.grid)

    @cached_property
    def tiles(self) -> list[tuple[slice, slice]]:
        """The outputs of each tile, down and right, row by row."""
        down, right = self.axes
        columns = cut(right.outputs, self.tile_right)
        return [(rows, places) for rows in cut(down.outputs, self.tile_down) for places in columns]

    @cached_property
    def columns(self) -> list[slice]:
        """The input channels of each column of blocks."""
        return cut(self.grid.channels, self.block_channels)

    @cached_property
    def groups(self) -> list[slice]:
        """The signals of each group; signal i is tile i mod T of query i div T, of T tiles."""
        return cut(self.count * len(self.tiles), self.group_signals)

    @cached_property
    def row_pitch(self) -> int:
        """Coefficients from one row of a tile to the next."""
        return self.axes[1].pitch(self.tile_right)

    @cached_property
    def tile_rows(self) -> int:
        """Rows of a tile that are encoded."""
        return self.axes[0].pitch(self.tile_down)

    @property
    def area(self) -> int:
        """Coefficients from one input channel to the next."""
        return self.tile_rows * self.row_pitch

    @property
    def window_end(self) -> int:
        """Coefficients from the first tap of a window to its last."""
        down, right = self.axes
        return (down.extent - 1) * self.row_pitch + right.extent - 1

    @property
    def tail(self) -> int:
        """Coefficients after the last channel that the last window reaches, all of them padding."""
        down, right = self.axes
        last = (self.tile_down - 1) * down.stride * self.row_pitch + (self.tile_right - 1) * right.stride
        return max(0, last + self.window_end + 1 - self.area)

    @property
    def block(self) -> int:
        """Coefficients from one output channel to the next."""
        return self.block_channels * self.area + self.tail

    @property
    def signal_pitch(self) -> int:
        """Coefficients from one signal to the next."""
        return self.degree // self.group_signals

    @property
    def requests(self) -> int:
        """Ciphertexts of a request."""
        return len(self.groups) * len(self.columns)


def steps(total: int) -> list[int]:
    """The lengths of even cuts of ``total``, longest first; every number of pieces has its shortest among them."""
    lengths, pieces = [], 1
    while True:
        length = ceil_div(total, pieces)
        lengths.append(length)
        if length == 1:
            return lengths
        # The fewest pieces that are shorter.
        pieces = ceil_div(total, length - 1)


def cut(total: int, step: int) -> list[slice]:
    """Slices of ``step`` that cover ``total``, the last one perhaps shorter."""
    return [slice(start, min(start + step, total)) for start in range(0, total, step)]


def ceil_div(numerator: int, denominator: int) -> int:
    """The quotient, rounded up."""
    return -(-numerator // denominator)
