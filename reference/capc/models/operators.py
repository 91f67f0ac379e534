"""Linear operators on flattened values: fully connected, convolution, and the pooling of sums.

A value of c channels of height h and width w is flattened channel by channel, row by row. Shapes are public; weights
are secret. Everything here is exact integer arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product, starmap
from operator import mul

from capc.foundation import ring
from capc.foundation.errors import InputError

Matrix = tuple[tuple[int, ...], ...]
"""Rows of signed integers: one row per output of a fully connected layer, or per output channel of a convolution."""
OUTSIDE = -1
"""In a window: a position in the padding, where the value is 0."""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer.

    Attributes:
        inputs: length of the input.
        outputs: length of the output; the weights are outputs x inputs.
    """

    inputs: int
    outputs: int

    def __post_init__(self) -> None:
        if self.inputs < 1 or self.outputs < 1:
            raise InputError(f"a layer of {self.inputs} inputs and {self.outputs} outputs: choose 1 or more")

    @property
    def rows(self) -> int:
        """Rows of the weights, and biases."""
        return self.outputs

    @property
    def columns(self) -> int:
        """Columns of the weights."""
        return self.inputs


@dataclass(frozen=True)
class Grid:
    """The windows that slide over a value of several channels, in convolutions and pools.

    Attributes:
        channels: of the input.
        height: of the input.
        width: of the input.
        kernel: height and width of the window.
        stride: steps down and right.
        padding: zeros above and below, and left and right.
        dilation: distance of neighbours in the window, down and right.
    """

    channels: int
    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        for name in ("channels", "height", "width"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: choose 1 or more")
        if min(*self.kernel, *self.stride, *self.dilation) < 1 or min(self.padding) < 0:
            raise InputError(
                f"window {self.kernel}, stride {self.stride}, padding {self.padding}: choose 1 or more, padding 0"
            )
        if self.out_height < 1 or self.out_width < 1:
            raise InputError(
                f"a window of {self.kernel} does not fit a value of {self.height} x {self.width}: choose a smaller one"
            )

    @property
    def inputs(self) -> int:
        """Length of the flattened input."""
        return self.channels * self.height * self.width

    @property
    def out_height(self) -> int:
        """Windows from top to bottom."""
        return (self.height + 2 * self.padding[0] - self.dilation[0] * (self.kernel[0] - 1) - 1) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        """Windows from left to right."""
        return (self.width + 2 * self.padding[1] - self.dilation[1] * (self.kernel[1] - 1) - 1) // self.stride[1] + 1

    @property
    def positions(self) -> int:
        """Windows of one channel."""
        return self.out_height * self.out_width

    def windows(self, channel: int) -> tuple[tuple[int, ...], ...]:
        """For each position, row by row, the flattened indices of one channel's window; OUTSIDE in the padding."""
        return _windows(self, channel)


@lru_cache(maxsize=4096)
def _windows(grid: Grid, channel: int) -> tuple[tuple[int, ...], ...]:
    offset = channel * grid.height * grid.width

    def index(down: int, right: int, i: int, j: int) -> int:
        row = down * grid.stride[0] - grid.padding[0] + i * grid.dilation[0]
        column = right * grid.stride[1] - grid.padding[1] + j * grid.dilation[1]
        inside = 0 <= row < grid.height and 0 <= column < grid.width
        return offset + row * grid.width + column if inside else OUTSIDE

    positions = product(range(grid.out_height), range(grid.out_width))
    taps = list(product(range(grid.kernel[0]), range(grid.kernel[1])))
    return tuple(tuple(index(*position, *tap) for tap in taps) for position in positions)


@dataclass(frozen=True)
class Convolution:
    """A convolution (cross-correlation, as every framework has it) with zero padding.

    The weights have one row per output channel, and (channels / groups) x kernel height x kernel width columns.

    Attributes:
        grid: the input and the window.
        out_channels: output channels.
        groups: output channel o sees the input channels of its group only.
    """

    grid: Grid
    out_channels: int
    groups: int = 1

    def __post_init__(self) -> None:
        if self.out_channels < 1 or self.groups < 1:
            raise InputError(f"{self.out_channels} output channels in {self.groups} groups: choose 1 or more")
        if self.grid.channels % self.groups or self.out_channels % self.groups:
            raise InputError(
                f"{self.grid.channels} and {self.out_channels} channels, {self.groups} groups: choose a common divisor"
            )

    @property
    def inputs(self) -> int:
        """Length of the flattened input."""
        return self.grid.inputs

    @property
    def outputs(self) -> int:
        """Length of the flattened output."""
        return self.out_channels * self.grid.positions

    @property
    def rows(self) -> int:
        """Rows of the weights, and biases."""
        return self.out_channels

    @property
    def columns(self) -> int:
        """Columns of the weights."""
        return self.grid.channels // self.groups * self.grid.kernel[0] * self.grid.kernel[1]

    def group_channels(self, out_channel: int) -> range:
        """The input channels that an output channel sees."""
        size = self.grid.channels // self.groups
        group = out_channel // (self.out_channels // self.groups)
        return range(group * size, (group + 1) * size)


Operator = Dense | Convolution


@dataclass(frozen=True)
class SumPool:
    """Sums over windows, channel by channel. Each party applies it to its own share; the sum of the shares follows.

    An average pool is this with the division by the window's size in the weights of the next operator.
    """

    grid: Grid

    @property
    def inputs(self) -> int:
        """Length of the flattened input."""
        return self.grid.inputs

    @property
    def outputs(self) -> int:
        """Length of the flattened output."""
        return self.grid.channels * self.grid.positions

    @property
    def most_summed(self) -> int:
        """The most elements of a window that are not in the padding."""
        return max(sum(index != OUTSIDE for index in window) for window in self.grid.windows(0))

    def apply(self, values: Sequence[int]) -> list[int]:
        """The sums, over the integers."""
        return [
            sum(values[index] for index in window if index != OUTSIDE)
            for channel in range(self.grid.channels)
            for window in self.grid.windows(channel)
        ]


def check_biases(operator: Operator, count: int) -> None:
    """Refuses a number of biases that does not fit the operator.

    Raises:
        InputError: it is neither that of its rows nor that of its outputs.
    """
    if count not in {operator.rows, operator.outputs}:
        raise InputError(f"{count} biases do not fit the operator: give {operator.rows}, or {operator.outputs}")


def check_weights(operator: Operator, weights: Matrix) -> None:
    """Refuses weights that do not fit the operator.

    Raises:
        InputError: another number of rows or columns.
    """
    shape = (len(weights), {len(row) for row in weights})
    if shape != (operator.rows, {operator.columns}):
        raise InputError(f"the weights do not fit the operator: give {operator.rows} rows of {operator.columns}")


def apply(operator: Operator, weights: Matrix, values: Sequence[int]) -> list[int]:
    """The operator's outputs, over the integers.

    Args:
        operator: the shape.
        weights: operator.rows x operator.columns.
        values: operator.inputs integers.
    """
    if isinstance(operator, Dense):
        return [_inner_product(row, values) for row in weights]
    padded = [*values, 0]  # Index OUTSIDE is the last entry.
    outputs = []
    for group, rows in enumerate(_grouped(weights, operator.groups)):
        windows = [operator.grid.windows(channel) for channel in operator.group_channels(group * len(rows))]
        # The taps of each position, once for all output channels of the group.
        taps = [[padded[index] for part in parts for index in part] for parts in zip(*windows, strict=True)]
        outputs += [_inner_product(row, position) for row in rows for position in taps]
    return outputs


def _inner_product(left: Sequence[int], right: Sequence[int]) -> int:
    """The sum of products of two sequences, of which both have the same length."""
    return sum(starmap(mul, zip(left, right, strict=True)))


def _grouped(weights: Matrix, groups: int) -> list[Matrix]:
    """The rows of each group of output channels."""
    size = len(weights) // groups
    return [weights[start : start + size] for start in range(0, len(weights), size)]


def multiply(operator: Operator, weights: Matrix, values: Sequence[int], width: int) -> list[int]:
    """The operator's outputs in Z_{2^width}."""
    return [ring.reduce(total, width) for total in apply(operator, weights, values)]


def per_output(operator: Operator, biases: Sequence[int]) -> list[int]:
    """One bias per output: a convolution adds a channel's bias at every position, if it has not one for each."""
    if isinstance(operator, Dense) or len(biases) == operator.outputs:
        return list(biases)
    return [bias for bias in biases for _ in range(operator.grid.positions)]


def document(shape: Operator | SumPool | Grid) -> dict[str, object]:
    """A shape as the session document holds it."""
    return {"kind": type(shape).__name__.lower(), **asdict(shape)}
