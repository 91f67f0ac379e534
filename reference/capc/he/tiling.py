"""An operator cut into products that fit one polynomial each.

The image is cut into tiles of outputs, the input channels into columns of blocks, the output channels into rows. A
request has one ciphertext for each tile and column, a response one for each tile and row. A fully connected layer is
a convolution over an image of one value per channel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from capc.errors import InputError
from capc.he.axis import Axis, axes
from capc.operators import Convolution, Dense, Grid, Operator


@dataclass(frozen=True)
class Tiling:
    """The cut of an operator.

    Attributes:
        convolution: the operator, as a convolution.
        degree: N.
        down: the windows' direction down.
        right: the windows' direction right.
        tile_down: outputs of a tile, down.
        tile_right: outputs of a tile, right.
        block_channels: input channels per block.
        block_outputs: output channels per block.
    """

    convolution: Convolution
    degree: int
    down: Axis
    right: Axis
    tile_down: int
    tile_right: int
    block_channels: int
    block_outputs: int

    @property
    def tiles(self) -> list[tuple[slice, slice]]:
        """The outputs of each tile, down and right, row by row."""
        right = _cut(self.right.outputs, self.tile_right)
        return [(rows, columns) for rows in _cut(self.down.outputs, self.tile_down) for columns in right]

    @property
    def columns(self) -> list[slice]:
        """The input channels of each column of blocks."""
        return _cut(self.convolution.grid.channels, self.block_channels)

    @property
    def rows(self) -> list[slice]:
        """The output channels of each row of blocks."""
        return _cut(self.convolution.out_channels, self.block_outputs)

    @property
    def row_pitch(self) -> int:
        """Coefficients from one row of a tile to the next."""
        return self.right.pitch(self.tile_right)

    @property
    def tile_rows(self) -> int:
        """Rows of a tile that are encoded."""
        return self.down.pitch(self.tile_down)

    @property
    def area(self) -> int:
        """Coefficients from one input channel to the next."""
        return self.tile_rows * self.row_pitch

    @property
    def window_end(self) -> int:
        """Coefficients from the first tap of a window to its last."""
        return (self.down.extent - 1) * self.row_pitch + self.right.extent - 1

    @property
    def tail(self) -> int:
        """Coefficients after the last channel that the last window reaches, all of them padding."""
        last = (self.tile_down - 1) * self.down.stride * self.row_pitch + (self.tile_right - 1) * self.right.stride
        return max(0, last + self.window_end + 1 - self.area)

    @property
    def block(self) -> int:
        """Coefficients from one output channel to the next."""
        return self.block_channels * self.area + self.tail

    @property
    def requests(self) -> int:
        """Ciphertexts of a request."""
        return len(self.tiles) * len(self.columns)

    @property
    def responses(self) -> int:
        """Ciphertexts of a response."""
        return len(self.tiles) * len(self.rows)


def as_convolution(operator: Operator) -> Convolution:
    """The operator as a convolution: the inputs of a fully connected layer are channels of a 1 x 1 image."""
    if isinstance(operator, Dense):
        return Convolution(Grid(operator.inputs, 1, 1, (1, 1)), operator.outputs)
    return operator


@lru_cache(maxsize=256)
def tile(operator: Operator, degree: int, request_bytes: int, response_bytes: int) -> Tiling:
    """The tiling with the fewest bytes in both directions; among equals, one with fewest requests.

    Args:
        operator: the layer.
        degree: N.
        request_bytes: bytes of one ciphertext of a request.
        response_bytes: bytes of one ciphertext of a response, outputs not counted.

    Raises:
        InputError: a single window does not fit a polynomial.
    """
    convolution = as_convolution(operator)
    down, right = axes(convolution.grid)
    best_cost, best = None, None
    for tile_down, tile_right in product(_steps(down.outputs), _steps(right.outputs)):
        tiles = _ceil(down.outputs, tile_down) * _ceil(right.outputs, tile_right)
        if best_cost is not None and tiles * (request_bytes + response_bytes) > best_cost[0]:
            continue
        whole = Tiling(convolution, degree, down, right, tile_down, tile_right, 1, 1)
        area, tail = whole.area, whole.tail
        for channels in _steps(convolution.grid.channels):
            outputs = min(convolution.out_channels, degree // (channels * area + tail))
            if outputs == 0:
                continue
            requests = tiles * _ceil(convolution.grid.channels, channels)
            responses = tiles * _ceil(convolution.out_channels, outputs)
            cost = requests * request_bytes + responses * response_bytes, requests
            if best_cost is None or cost < best_cost:
                best_cost, best = cost, replace(whole, block_channels=channels, block_outputs=outputs)
    if best is None:
        raise InputError(
            f"a window that spans {down.extent} x {right.extent} values does not fit he_poly_degree = {degree}: "
            "use a smaller kernel or dilation, or a parameter set of a larger degree"
        )
    return best


def _steps(total: int) -> list[int]:
    """The lengths of even cuts of ``total``, longest first; every number of pieces has its shortest among them."""
    return sorted({_ceil(total, pieces) for pieces in range(1, total + 1)}, reverse=True)


def _cut(total: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, total)) for start in range(0, total, step)]


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
