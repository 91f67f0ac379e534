"""An operator cut into products that fit one polynomial each.

The output channels are cut into rows of blocks. A request has one ciphertext for each group of signals and column
(:mod:`capc.linear.bfv.encoding.layout`), a response one for each group and row.

Both parties compute the same cut from public figures: the one that costs least in bytes and work together. The layout
of a request is chosen for a number of output channels rounded up to a class (:data:`CLASSES`), so that layers of
several answering parties, whose widths differ, accept one request. Spec: CAPC-HE-022.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import NamedTuple

from capc.foundation.errors import InputError
from capc.linear.bfv.encoding.layout import Layout, ceil_div, cut, steps
from capc.models.operators import Convolution, Dense, Grid, Operator

CLASSES = (4, 16, 64)
"""A layout is chosen for the next of these numbers of output channels, above the last one for the next power of two.

Fully connected layers of 16 to 784 inputs and 2 to 256 outputs, 1, 16 or 64 queries, then send at most 36 per cent more
bytes than with a layout of their own, and most none more; of 3072 inputs, at most 76 per cent more.
"""

MOST_COEFFICIENTS = 1 << 23
"""Coefficients of all blocks of weights that ciphertexts of several signals may need. They are kept, 8 bytes for each
and each prime of q, so more queries take more ciphertexts and not more memory. A single signal needs what it needs."""


class Costs(NamedTuple):
    """What each piece costs, in bytes.

    Attributes:
        request: of a ciphertext of a request: encryption, its bytes, and reading.
        response: of a ciphertext of a response: making it, its bytes (outputs not counted), and decryption.
        product: of a product of polynomials.
    """

    request: int
    response: int
    product: int


@dataclass(frozen=True)
class Tiling:
    """The cut of an operator.

    Attributes:
        layout: of the request.
        convolution: the operator, as a convolution.
    """

    layout: Layout
    convolution: Convolution

    @property
    def block_outputs(self) -> int:
        """Output channels per block: as many as fit between two signals."""
        return min(self.convolution.out_channels, self.layout.signal_pitch // self.layout.block)

    @cached_property
    def rows(self) -> list[slice]:
        """The output channels of each row of blocks."""
        return cut(self.convolution.out_channels, self.block_outputs)

    @property
    def responses(self) -> int:
        """Ciphertexts of a response."""
        return len(self.layout.groups) * len(self.rows)


def as_convolution(operator: Operator) -> Convolution:
    """The operator as a convolution: the inputs of a fully connected layer are channels of a 1 x 1 image."""
    if isinstance(operator, Dense):
        return Convolution(Grid(operator.inputs, 1, 1, (1, 1)), operator.outputs)
    return operator


def tile(operator: Operator, count: int, degree: int, costs: Costs) -> Tiling:
    """The cut of an operator for ``count`` queries.

    Args:
        operator: the layer.
        count: queries of a batch, 1 or more.
        degree: N.
        costs: of the pieces.

    Raises:
        InputError: a single window does not fit a polynomial, or there is no query.
    """
    if count < 1:
        raise InputError(f"a batch of {count} queries: give 1 or more")
    convolution = as_convolution(operator)
    layout = cheapest_layout(convolution.grid, class_of(convolution.out_channels), count, degree, costs)
    return Tiling(layout, convolution)


def class_of(outputs: int) -> int:
    """The number of output channels that a layout is chosen for."""
    return next((most for most in CLASSES if outputs <= most), 1 << (outputs - 1).bit_length())


@lru_cache(maxsize=256)
def cheapest_layout(grid: Grid, outputs: int, count: int, degree: int, costs: Costs) -> Layout:
    """The layout of least cost for ``outputs`` output channels; among equals, one with fewest requests.

    Raises:
        InputError: a single window does not fit a polynomial.
    """
    best_cost, best = None, None
    probe = Layout(grid, degree, count, 1, 1, 1, 1)
    down, right = probe.axes
    for tile_down, tile_right in product(steps(down.outputs), steps(right.outputs)):
        whole = Layout(grid, degree, count, tile_down, tile_right, 1, 1)
        area, tail = whole.area, whole.tail
        signals = count * ceil_div(down.outputs, tile_down) * ceil_div(right.outputs, tile_right)
        least = ceil_div(signals * grid.channels * area, degree)
        if best_cost is not None and least * (costs.request + costs.product) > best_cost[0]:
            continue
        for channels, group in product(steps(grid.channels), steps(signals)):
            room = degree // group // (channels * area + tail)
            if room == 0:
                continue
            groups = ceil_div(signals, group)
            columns, rows = ceil_div(grid.channels, channels), ceil_div(outputs, room)
            if group > 1 and columns * rows * degree > MOST_COEFFICIENTS:
                continue
            requests = groups * columns
            cost = requests * costs.request + groups * rows * costs.response + requests * rows * costs.product, requests
            if best_cost is None or cost < best_cost:
                best_cost, best = cost, Layout(grid, degree, count, tile_down, tile_right, channels, group)
    if best is None:
        raise InputError(
            f"a window that spans {down.extent} x {right.extent} values does not fit he_poly_degree = {degree}: "
            "use a smaller kernel or dilation, or a parameter set of a larger degree"
        )
    return best
