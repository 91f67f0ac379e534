"""A network as named operators with float weights, whatever framework it came from, and what it came from.

A shape is (channels, height, width) or (features,): the batch is no part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.models.importing.factors import Factors
from capc.models.importing.origin import Origin
from capc.models.operators import Convolution, Grid

Floats = NDArray[np.float64]
Shape = tuple[int, ...]

INPUT = "input"
"""The name of the graph's input; no node has it."""
MAX_VALUES = 1 << 22
"""Most entries of a value, and most entries of all windows of one channel: far above what the protocol can carry."""
MAX_CONSTANTS = 1 << 24
"""Most numbers of one tensor that is computed from weights and shapes."""
_SHOWN = 80


class UnsupportedError(InputError):
    """Why an operator cannot be taken over; the reader of its framework adds the operator and the node."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy


class RefusedError(InputError):
    """A line that names its operator and node already."""


def refusal(operator: str, node: str, problem: str, remedy: str) -> RefusedError:
    """One line that names the operator, the node, the problem and the remedy."""
    return RefusedError(f"{plain(operator)} at {plain(node)}: {plain(problem, 300)}: {remedy}")


@contextmanager
def named(operator: str, node: str) -> Iterator[None]:
    """Adds the operator and the node to a refusal inside that does not name one."""
    try:
        yield
    except RefusedError:
        raise
    except UnsupportedError as error:
        raise refusal(operator, node, error.problem, error.remedy) from None
    except InputError as error:
        raise refusal(operator, node, str(error), "correct the model, or the input shape") from None


def plain(text: str, most: int = _SHOWN) -> str:
    """Text from a file or a module, on one line and not too long."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= most else f"{shown[:most]}..."


def brief(error: Exception) -> str:
    """An error of a framework, or of a module's own code, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    return plain(f"{type(error).__name__}: {lines[0]}", 200)


@dataclass(frozen=True)
class Window:
    """What slides: kernel, stride, padding and dilation, each (down, right). Padding is the same on both sides."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    def on(self, shape: Shape) -> Grid:
        """The windows over a value.

        Raises:
            InputError: they do not fit.
        """
        if len(shape) != 3:
            raise InputError(f"its input has the shape {shape}, not (channels, height, width)")
        grid = Grid(*shape, self.kernel, self.stride, self.padding, self.dilation)
        if grid.positions * prod(self.kernel) > MAX_VALUES:
            raise InputError(f"{grid.positions} windows of {self.kernel} are too many")
        return grid


@dataclass(frozen=True, eq=False)
class Linear:
    """weights (outputs x inputs) times a flat value, plus biases."""

    weights: Floats
    biases: Floats

    __repr__ = type_only


@dataclass(frozen=True, eq=False)
class Conv:
    """A convolution; the weights are output channels x (channels / groups) x kernel height x kernel width."""

    weights: Floats
    biases: Floats
    window: Window
    groups: int = 1

    __repr__ = type_only


@dataclass(frozen=True, eq=False)
class Affine:
    """scales x + shifts: a batch normalisation in evaluation, or arithmetic with constants.

    Attributes:
        scales: one for each entry of the flattened value; None where nothing is multiplied.
        shifts: as many; None where nothing is added.
    """

    scales: Factors | None
    shifts: Floats | None

    __repr__ = type_only


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True)
class Clamp:
    """max(low, min(x, high)); either may be infinite."""

    low: float
    high: float


@dataclass(frozen=True)
class LeakyRelu:
    """max(x, 0) + 2^-leak_bits min(x, 0)."""

    leak_bits: int


@dataclass(frozen=True)
class AveragePool:
    """Sums over windows, where the padding counts as 0, divided by the divisor."""

    window: Window
    divisor: float


@dataclass(frozen=True)
class MaxPool:
    """The largest of each window, where the padding does not count."""

    window: Window


@dataclass(frozen=True)
class Reshape:
    """The same entries, channel by channel and row by row, in another shape."""

    shape: Shape


@dataclass(frozen=True, eq=False)
class Reorder:
    """The same entries in another order and shape: for each entry of the result, which one of the value it is."""

    order: NDArray[np.int64]
    shape: Shape


@dataclass(frozen=True)
class Pad:
    """Zeros around each channel: above and below, and left and right."""

    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True)
class Concat:
    """The channels of several values, one after another."""


@dataclass(frozen=True)
class Add:
    """The sum of two values of the same shape."""


@dataclass(frozen=True)
class Identity:
    """The value itself; also a dropout in evaluation."""


@dataclass(frozen=True)
class Sigmoid:
    """The logistic function of each entry: at the end it keeps the order of the logits."""


@dataclass(frozen=True)
class Softmax:
    """A softmax, or with ``log`` its logarithm, over the classes: it keeps the order of the logits.

    Attributes:
        log: whether it is the logarithm.
        of_one: whether it was a sigmoid of one logit z, and the logits are 0 and z.
    """

    log: bool = False
    of_one: bool = False


Activated = Relu | Clamp | LeakyRelu
Op = (
    Linear
    | Conv
    | Affine
    | Activated
    | AveragePool
    | MaxPool
    | Reshape
    | Reorder
    | Pad
    | Concat
    | Add
    | Identity
    | Sigmoid
    | Softmax
)


@dataclass(frozen=True)
class Node:
    """One operator in its place.

    Attributes:
        name: unique; a layer's path in the module, or a node's name in the file.
        kind: the operator as its framework calls it, for messages.
        op: what it computes.
        inputs: names of earlier nodes, or INPUT.
        shape: of its output.
    """

    name: str
    kind: str
    op: Op
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(eq=False)
class Graph:
    """Nodes in an order in which they can be computed. Its weights are secret to the party that holds it.

    Attributes:
        input_shape: of the query.
        nodes: filled by :meth:`add`.
        output: the name of the node that makes the logits; set last.
        origin: the network itself, which runs what was read; None for a graph that is not read from anything.
    """

    input_shape: Shape
    nodes: list[Node] = field(default_factory=list, repr=False)
    output: str = INPUT
    origin: Origin | None = field(default=None, repr=False)
    _shapes: dict[str, Shape] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        is_shape = isinstance(self.input_shape, tuple) and all(isinstance(size, int) for size in self.input_shape)
        if (
            not is_shape
            or len(self.input_shape) not in {1, 3}
            or not all(1 <= size <= MAX_VALUES for size in self.input_shape)
        ):
            raise InputError(
                f"input shape {self.input_shape}: give (features,) or (channels, height, width), without the batch"
            )
        if prod(self.input_shape) > MAX_VALUES:
            raise InputError(f"input shape {self.input_shape}: choose one with at most {MAX_VALUES} features")
        self._shapes[INPUT] = self.input_shape

    def __contains__(self, name: str) -> bool:
        """Whether a node has the name, or the input."""
        return name in self._shapes

    def shape(self, name: str) -> Shape:
        """The shape of a node's output, or of the input."""
        return self._shapes[name]

    def add(self, name: str, kind: str, op: Op, *inputs: str) -> None:
        """Appends a node.

        Raises:
            InputError: its weights are not finite, or do not fit its inputs' shapes.
        """
        if name in self:
            raise refusal(kind, name, "the name occurs twice", "rename one node")
        with named(kind, name):
            _check_finite(op)
            shape = _output_shape(op, [self._shapes[source] for source in inputs])
            if prod(shape) > MAX_VALUES:
                raise InputError(f"its output has the shape {shape}, more than {MAX_VALUES} values")
        self._shapes[name] = shape
        self.nodes.append(Node(name, kind, op, inputs, shape))


def _check_finite(op: Op) -> None:
    if isinstance(op, Linear | Conv):
        arrays = [op.weights, op.biases]
    elif isinstance(op, Affine):
        given = [None if op.scales is None else op.scales.numbers, op.shifts]
        arrays = [array for array in given if array is not None]
    else:
        return
    if not all(np.isfinite(array).all() for array in arrays):
        raise InputError("a weight is not a finite number")


def _output_shape(op: Op, shapes: list[Shape]) -> Shape:  # noqa: PLR0911, PLR0912  # one for each operator
    shape = shapes[0]
    match op:
        case Linear(weights=weights, biases=biases):
            if len(shape) != 1:
                raise InputError(f"its input has the shape {shape} and is not flattened")
            _expect(weights.ndim == 2 and weights.shape[1] == shape[0], "weights", weights.shape, shape)
            _expect(biases.shape == weights.shape[:1], "biases", biases.shape, shape)
            return (len(weights),)
        case Conv():
            return _convolved(op, shape)
        case Affine(scales=scales, shifts=shifts):
            for array in (None if scales is None else scales.numbers, shifts):
                if array is not None:
                    _expect(array.shape == (prod(shape),), "constants", array.shape, shape)
            return shape
        case AveragePool(window=window) | MaxPool(window=window):
            grid = window.on(shape)
            return (grid.channels, grid.out_height, grid.out_width)
        case Reshape(shape=wanted) | Reorder(shape=wanted):
            if prod(wanted) != prod(shape):
                raise InputError(f"it gives a value of the shape {shape} the shape {wanted}")
            return wanted
        case Pad(rows=rows, columns=columns):
            if len(shape) != 3 or min(*rows, *columns) < 0:
                raise InputError(f"it pads a value of the shape {shape} by {(rows, columns)}")
            return (shape[0], shape[1] + sum(rows), shape[2] + sum(columns))
        case Concat():
            if len({(len(other), other[1:]) for other in shapes}) != 1:
                raise InputError(f"it concatenates values of the shapes {', '.join(map(str, shapes))}")
            return (sum(other[0] for other in shapes), *shape[1:])
        case Add():
            if shapes[0] != shapes[1]:
                raise InputError(f"it adds values of the shapes {shapes[0]} and {shapes[1]}")
    return shape


def _convolved(op: Conv, shape: Shape) -> Shape:
    grid = op.window.on(shape)
    out_channels = len(op.weights)
    Convolution(grid, out_channels, op.groups)  # It checks the groups.
    expected = (out_channels, grid.channels // op.groups, *op.window.kernel)
    _expect(op.weights.shape == expected, "weights", op.weights.shape, shape)
    _expect(op.biases.shape == (out_channels,), "biases", op.biases.shape, shape)
    return (out_channels, grid.out_height, grid.out_width)


def _expect(fits: bool, what: str, given: Shape, shape: Shape) -> None:
    if not fits:
        raise InputError(f"its {what} have the shape {given}, which does not fit an input of the shape {shape}")
