"""Operators of ONNX, opset 13 and newer, as operators of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

import numpy as np
from onnx import helper
from onnx.onnx_pb import NodeProto, TensorProto

from capc.models.importing import activations, arithmetic, settings
from capc.models.importing.arithmetic import Operand, Place
from capc.models.importing.graph import (
    Conv,
    Floats,
    Identity,
    Linear,
    Pad,
    Relu,
    Shape,
    Sigmoid,
    Softmax,
    UnsupportedError,
    Window,
)
from capc.models.importing.onnx_files.constants import Array
from capc.models.importing.onnx_files.loading import FLOATS

_OF_SLICES = ("starts", "ends", "axes", "steps")
_NO_SIDES = ((0, 0), (0, 0))


class OnnxNode:
    """A node with its attributes and its inputs.

    Args:
        node: from the file, after the checker has passed.
        inputs: a value, by its name in the graph; constants; or None where an input is left out.
        place: in the graph.
    """

    def __init__(self, node: NodeProto, inputs: Sequence[str | Array | None], place: Place) -> None:
        self.kind = node.op_type
        self.place = place
        self._inputs = list(inputs)
        self._attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}

    def number(self, name: str, default: float) -> float:
        """An attribute that is one number."""
        try:
            return float(self._attributes.get(name, default))
        except (TypeError, ValueError):
            raise UnsupportedError(f"{name} is no number", "export the model again") from None

    def numbers(self, name: str) -> Floats:
        """An attribute that is a list of numbers."""
        try:
            return np.asarray(self._attributes.get(name, []), dtype=np.float64)
        except (TypeError, ValueError):
            raise UnsupportedError(f"{name} is no list of numbers", "export the model again") from None

    def text(self, name: str, default: str) -> str:
        """An attribute that is text."""
        value = self._attributes.get(name, default)
        return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)

    def pair(self, name: str, default: tuple[int, int] | None = (1, 1)) -> tuple[int, int]:
        """An attribute that has one number for each of two axes."""
        try:
            sizes = tuple(int(size) for size in self._attributes.get(name, default or ()))
        except (TypeError, ValueError):
            raise UnsupportedError(f"{name} is no pair of numbers", "export the model again") from None
        if len(sizes) != 2:
            raise UnsupportedError(f"{name} has {len(sizes)} entries", "only two-dimensional windows are supported")
        return (sizes[0], sizes[1])

    def is_set(self, name: str, *, default: bool = False) -> bool:
        """An attribute that is a flag."""
        return bool(self._attributes.get(name, default))

    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return index < len(self._inputs) and self._inputs[index] is not None

    def operand(self, index: int) -> Operand:
        """A value, or constants."""
        given = self._inputs[index] if index < len(self._inputs) else None
        if given is None:
            raise UnsupportedError(f"its input {index} is left out", "export the model again")
        if isinstance(given, str):
            return given
        try:
            return np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise UnsupportedError(f"its input {index} holds no numbers", "use numbers") from None

    def value(self, index: int = 0) -> str:
        """An input that depends on the query."""
        given = self.operand(index)
        if not isinstance(given, str):
            raise UnsupportedError(f"its input {index} is constant, and another is not", settings.remedy_for(self.kind))
        return given

    def values(self) -> list[str]:
        """All inputs, each of which depends on the query."""
        return [self.value(index) for index in range(len(self._inputs))]

    @property
    def count(self) -> int:
        """How many inputs it has."""
        return len(self._inputs)

    @property
    def shape(self) -> Shape:
        """Of each row of the first input."""
        return self.place.shape(self.value())

    def constant(self, index: int) -> Floats:
        """An input that must be a constant."""
        given = self.operand(index)
        if isinstance(given, str):
            raise UnsupportedError(f"its input {index} is not a constant", "use constant weights and shapes")
        return given

    def integers(self, name: str, index: int) -> list[int] | None:
        """A list of numbers that newer opsets have as an input and older ones as an attribute; None if left out."""
        if self.has(index):
            return [int(size) for size in self.constant(index).reshape(-1)]
        return [int(size) for size in self._attributes[name]] if name in self._attributes else None

    def window(self, kernel: tuple[int, int]) -> tuple[str, Window]:
        """The value that a convolution or pool slides over, with zeros where opposite sides differ, and the window."""
        bare = Window(kernel, self.pair("strides"), (0, 0), self.pair("dilations"))
        value, padding = arithmetic.padded(self.place, self.value(), *self._sides(bare))
        return value, Window(kernel, bare.stride, padding, bare.dilation)

    def _sides(self, window: Window) -> tuple[settings.Sides, settings.Sides]:
        automatic = self.text("auto_pad", "NOTSET")
        if automatic == "VALID":
            return _NO_SIDES
        if automatic in {"SAME_UPPER", "SAME_LOWER"}:
            return settings.same_padding(self.shape[1:], window, more_below=automatic == "SAME_UPPER")
        pads = [int(pad) for pad in self._attributes.get("pads", [0, 0, 0, 0])]
        if len(pads) != 4 or min(pads) < 0:
            raise UnsupportedError(f"its padding is {pads}", "give four numbers, not below 0")
        return ((pads[0], pads[2]), (pads[1], pads[3]))


def _gemm(node: OnnxNode) -> str:
    if node.is_set("transA"):
        raise UnsupportedError("transA is set", "keep the batch first")
    weights = arithmetic.matrix(node.constant(1)) * node.number("alpha", 1.0)
    weights = weights if node.is_set("transB") else weights.T
    product = node.place.add(Linear(weights.copy(), np.zeros(len(weights))), node.value())
    return arithmetic.plus(node.place, product, node.operand(2), node.number("beta", 1.0)) if node.has(2) else product


def _matmul(node: OnnxNode) -> str:
    if isinstance(node.operand(1), str):
        if isinstance(node.operand(0), str):
            raise UnsupportedError("it multiplies two values of the network", settings.remedy_for(node.kind))
        raise UnsupportedError("constants times a value mix the rows of a batch", "give the value first")
    return arithmetic.matrix_product(node.place, node.value(), node.constant(1))


def _convolution(node: OnnxNode) -> str:
    weights = node.constant(1)
    settings.check_convolution(weights.shape, node.shape)
    height, width = weights.shape[2:]
    value, window = node.window(node.pair("kernel_shape", (height, width)))
    biases = node.constant(2) if node.has(2) else np.zeros(len(weights))
    return node.place.add(Conv(weights, biases, window, int(node.number("group", 1))), value)


def _batch_normalisation(node: OnnxNode) -> str:
    if node.is_set("training_mode"):
        raise UnsupportedError("training_mode is set", "export the model in evaluation")
    scale, shift, mean, variance = (node.constant(index) for index in range(1, 5))
    spread = variance + node.number("epsilon", 1e-5)
    # Written so that what is not a number is refused, too.
    usable = (variance >= 0).all() and (spread > 0).all()
    if len({array.shape for array in (scale, shift, mean, variance)}) != 1 or not usable:
        raise UnsupportedError("its statistics do not fit one another", "export the model again")
    scales = scale / np.sqrt(spread)
    return arithmetic.normalised(node.place, node.value(), scales, shift - mean * scales)


def _average_pool(node: OnnxNode) -> str:
    value, window = node.window(node.pair("kernel_shape", None))
    counts = node.is_set("count_include_pad")
    if value != node.value() and not counts:
        raise UnsupportedError(
            "its padding does not count, so windows at the edge are divided by less", "set count_include_pad"
        )
    pool = settings.average_pool(
        node.place.shape(value), window, ceil_mode=node.is_set("ceil_mode"), count_include_pad=counts
    )
    return node.place.add(pool, value)


def _max_pool(node: OnnxNode) -> str:
    value, window = node.window(node.pair("kernel_shape", None))
    if value != node.value():
        raise UnsupportedError("its padding differs on opposite sides", "use the same padding on opposite sides")
    return node.place.add(settings.max_pool(node.shape, window, ceil_mode=node.is_set("ceil_mode")), value)


def _largest(node: OnnxNode) -> str:
    """The largest of all pixels, or of each row or column of them."""
    axes = node.integers("axes", 1) or []
    return arithmetic.largest(node.place, node.value(), axes, keeps=node.is_set("keepdims", default=True))


def _global_average_pool(node: OnnxNode) -> str:
    return node.place.add(settings.adaptive_average_pool(node.shape, 1, 1), node.value())


def _mean(node: OnnxNode) -> str:
    axes = node.integers("axes", 1)
    if not axes and node.is_set("noop_with_empty_axes"):
        return node.place.add(Identity(), node.value())
    return arithmetic.mean(node.place, node.value(), axes or [], keeps=node.is_set("keepdims", default=True))


def _total(node: OnnxNode) -> str:
    axes = node.integers("axes", 1)
    if not axes and node.is_set("noop_with_empty_axes"):
        return node.place.add(Identity(), node.value())
    return arithmetic.total(node.place, node.value(), axes or [], keeps=node.is_set("keepdims", default=True))


def _sliced(node: OnnxNode) -> str:
    """Entries from one place to another along an axis."""
    starts, ends, axes, steps = (node.integers(name, index) for index, name in enumerate(_OF_SLICES, 1))
    if starts is None or ends is None:
        raise UnsupportedError("where it starts or ends is not a constant", "use constants")
    value = node.value()
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = (number if axes is None else axes[number]) % (len(node.shape) + 1)
        size = node.place.batch if axis == 0 else node.place.shape(value)[axis - 1]
        entries = range(size)[start : end : 1 if steps is None else steps[number]]
        if axis != 0 or list(entries) != list(range(size)):
            value = arithmetic.taken(node.place, value, axis, entries)
    return value


def _gathered(node: OnnxNode) -> str:
    """Entries by their numbers along an axis, or one of them without the axis."""
    numbers, axis = node.constant(1), int(node.number("axis", 0)) % (len(node.shape) + 1)
    size = node.shape[axis - 1]
    made = arithmetic.taken(node.place, node.value(), axis, [int(each) % size for each in numbers.reshape(-1)])
    if numbers.ndim == 0:
        return node.place.reshape(made, settings.without_axes(node.place.shape(made), [axis], node.place.batch))
    if numbers.ndim != 1:
        raise UnsupportedError(f"its numbers have the shape {numbers.shape}", "give a list of them")
    return made


def _flatten(node: OnnxNode) -> str:
    axis, rank = int(node.number("axis", 1)), len(node.shape) + 1
    if axis not in {1, 1 - rank}:
        raise UnsupportedError(f"axis is {axis}", "use axis 1: the batch is kept")
    return node.place.reshape(node.value(), (int(np.prod(node.shape)),))


def _reshape(node: OnnxNode) -> str:
    sizes = [int(size) for size in node.constant(1).reshape(-1)]
    if 0 in sizes and node.is_set("allowzero"):
        raise UnsupportedError("allowzero is set", "use Flatten with axis 1")
    before = (node.place.batch, *node.shape)
    copied = [before[axis] if size == 0 and axis < len(before) else size for axis, size in enumerate(sizes)]
    return node.place.reshape(node.value(), settings.reshaped(node.shape, copied, node.place.batch))


def _squeeze(node: OnnxNode) -> str:
    return node.place.reshape(
        node.value(), settings.without_axes(node.shape, node.integers("axes", 1), node.place.batch)
    )


def _unsqueeze(node: OnnxNode) -> str:
    return node.place.reshape(node.value(), settings.with_axes(node.shape, node.integers("axes", 1) or []))


def _transpose(node: OnnxNode) -> str:
    order = node.integers("perm", 1) or list(range(len(node.shape) + 1))[::-1]
    return arithmetic.transposed(node.place, node.value(), order)


def _cast(node: OnnxNode) -> str:
    kind = int(node.number("to", 0))
    if kind not in FLOATS:
        shown = TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else str(kind)
        raise UnsupportedError(f"it makes {shown} of a value", "keep floats")
    return node.place.add(Identity(), node.value())


def _dropout(node: OnnxNode) -> str:
    if node.has(2) and node.constant(2).any():
        raise UnsupportedError("training_mode is set", "export the model in evaluation")
    return node.place.add(Identity(), node.value())


def _softmax(node: OnnxNode) -> str:
    settings.check_softmax(node.shape, int(node.number("axis", -1)))
    return node.place.add(Softmax(log=node.kind == "LogSoftmax"), node.value())


def _concatenated(node: OnnxNode) -> str:
    return arithmetic.concatenated(node.place, node.values(), int(node.number("axis", 0)))


def _padded(node: OnnxNode) -> str:
    pads, rank = node.integers("pads", 1) or [], len(node.shape) + 1
    if node.has(3):
        axes, given = [int(axis) % rank for axis in node.constant(3).reshape(-1)], pads
        pads = [0] * 2 * rank
        for position, axis in enumerate(axes):
            pads[axis], pads[rank + axis] = given[position], given[len(axes) + position]
    is_zero = node.text("mode", "constant") == "constant" and not (node.has(2) and node.constant(2).any())
    if not is_zero or len(pads) != 2 * rank or min(pads) < 0:
        raise UnsupportedError("it pads with something else than zeros", "pad with zeros")
    if not any(pads):
        return node.place.add(Identity(), node.value())
    if rank != 4 or any(pads[axis] or pads[rank + axis] for axis in (0, 1)):
        raise UnsupportedError("it pads something else than height and width", "pad height and width only")
    return node.place.add(Pad((pads[2], pads[6]), (pads[3], pads[7])), node.value())


def _sum(node: OnnxNode) -> str:
    first, *rest = (node.operand(index) for index in range(node.count))
    for other in rest:
        first = arithmetic.plus(node.place, first, other)
    return first if isinstance(first, str) and rest else node.place.add(Identity(), node.value())


def _clip(node: OnnxNode) -> str:
    low, high = (activations.one_number(node.operand(index)) if node.has(index) else None for index in (1, 2))
    return activations.clamped(node.place, node.value(), -inf if low is None else low, inf if high is None else high)


def _leaky_with_slopes(node: OnnxNode) -> str:
    return activations.leaking(node.place, node.value(), activations.one_number(node.operand(1)))


def _hard_sigmoid(node: OnnxNode) -> str:
    slope, shift = node.number("alpha", 0.2), node.number("beta", 0.5)
    return activations.hard_sigmoid(node.place, node.value(), slope, shift)


def _operands(node: OnnxNode) -> list[Operand]:
    return [node.operand(index) for index in range(node.count)]


BUILDERS: Mapping[str, Callable[[OnnxNode], str]] = {
    "Add": lambda node: arithmetic.plus(node.place, node.operand(0), node.operand(1)),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalisation,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concatenated,
    "Conv": _convolution,
    "Div": lambda node: arithmetic.over(node.place, node.operand(0), node.operand(1)),
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gather": _gathered,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": lambda node: arithmetic.largest(node.place, node.value(), [2, 3], keeps=True),
    "HardSigmoid": _hard_sigmoid,
    "Identity": lambda node: node.place.add(Identity(), node.value()),
    "LeakyRelu": lambda node: activations.leaking(node.place, node.value(), node.number("alpha", 0.01)),
    "LogSoftmax": _softmax,
    "MatMul": _matmul,
    "Max": lambda node: activations.largest(node.place, *_operands(node)),
    "MaxPool": _max_pool,
    "Min": lambda node: activations.smallest(node.place, *_operands(node)),
    "Mul": lambda node: arithmetic.times(node.place, node.operand(0), node.operand(1)),
    "Neg": lambda node: arithmetic.times(node.place, node.value(), np.array(-1.0)),
    "PRelu": _leaky_with_slopes,
    "Pad": _padded,
    "ReduceMax": _largest,
    "ReduceMean": _mean,
    "ReduceSum": _total,
    "Relu": lambda node: node.place.add(Relu(), node.value()),
    "Reshape": _reshape,
    "Sigmoid": lambda node: node.place.add(Sigmoid(), node.value()),
    "Slice": _sliced,
    "Softmax": _softmax,
    "Squeeze": _squeeze,
    "Sub": lambda node: arithmetic.plus(node.place, node.operand(0), node.operand(1), -1.0),
    "Sum": _sum,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""By the name of ONNX's operator."""
