"""Operators of ONNX, opset 13 and newer, as operators of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from onnx.onnx_pb import NodeProto

from capc.models.importing import settings
from capc.models.importing.graph import (
    Add,
    Affine,
    Conv,
    Flatten,
    Floats,
    Identity,
    Linear,
    Op,
    Relu,
    Shape,
    Softmax,
    UnsupportedError,
    Window,
)

Constants = Mapping[str, NDArray[np.generic]]
_NO_PADDING = (0, 0)


class OnnxNode:
    """A node with its attributes and its constant inputs.

    Args:
        node: from the file, after the checker has passed.
        constants: what is known without the query.
        shape: of its first input that is not a constant.
    """

    def __init__(self, node: NodeProto, constants: Constants, shape: Shape) -> None:
        self.kind = node.op_type
        self.shape = shape
        self._inputs = list(node.input)
        self._constants = constants
        self._attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}

    def number(self, name: str, default: float) -> float:
        """An attribute that is one number."""
        return float(self._attributes.get(name, default))

    def text(self, name: str, default: str) -> str:
        """An attribute that is text."""
        value = self._attributes.get(name, default)
        return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)

    def pair(self, name: str, default: tuple[int, int] | None = (1, 1)) -> tuple[int, int]:
        """An attribute that has one number for each of two axes."""
        sizes = tuple(int(size) for size in self._attributes.get(name, default or ()))
        if len(sizes) != 2:
            raise UnsupportedError(f"{name} has {len(sizes)} entries", "only two-dimensional windows are supported")
        return (sizes[0], sizes[1])

    def is_set(self, name: str, *, default: bool = False) -> bool:
        """An attribute that is a flag."""
        return bool(self._attributes.get(name, default))

    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return index < len(self._inputs) and self._inputs[index] != ""

    def is_constant(self, index: int) -> bool:
        """Whether an input is there and a constant."""
        return self.has(index) and self._inputs[index] in self._constants

    def constant(self, index: int) -> Floats:
        """An input that must be a constant."""
        if not self.is_constant(index):
            raise UnsupportedError(f"its input {index} is not a constant", "use constant weights and shapes")
        return np.asarray(self._constants[self._inputs[index]], dtype=np.float64)

    def window(self, kernel: tuple[int, int]) -> Window:
        """The window of a convolution or pool."""
        window = Window(kernel, self.pair("strides"), _NO_PADDING, self.pair("dilations"))
        return Window(window.kernel, window.stride, self._padding(window), window.dilation)

    def _padding(self, window: Window) -> tuple[int, int]:
        automatic = self.text("auto_pad", "NOTSET")
        if automatic == "VALID":
            return _NO_PADDING
        if automatic in {"SAME_UPPER", "SAME_LOWER"}:
            return settings.same_padding(self.shape[1:], window, more_below=automatic == "SAME_UPPER")
        pads = [int(pad) for pad in self._attributes.get("pads", [0, 0, 0, 0])]
        if len(pads) != 4 or pads[:2] != pads[2:]:
            raise UnsupportedError(f"its padding is {pads}", "use the same padding on opposite sides")
        return (pads[0], pads[1])


def operator(node: OnnxNode, values: int) -> Op:
    """What a node computes.

    Args:
        node: its first input depends on the query.
        values: how many of its inputs do.

    Raises:
        InputError: it is not supported.
    """
    if node.kind == "Add":
        return _add(node, values)
    if node.kind not in _BUILDERS:
        raise UnsupportedError("it is not supported", settings.remedy_for(node.kind))
    if values != 1 or node.is_constant(0):
        raise UnsupportedError("it combines two values, or constants with a value", settings.remedy_for(node.kind))
    return _BUILDERS[node.kind](node)


def _add(node: OnnxNode, values: int) -> Op:
    if values == 2:
        return Add()
    constant = node.constant(0 if node.is_constant(0) else 1)
    # Broadcast against a batch of one, as the file means it.
    try:
        full = np.broadcast_to(constant, (1, *node.shape)).reshape(node.shape[0], -1)
    except ValueError:
        full = np.zeros((node.shape[0], 0))
    if full.shape[1] == 0 or (full != full[:, :1]).any():
        raise UnsupportedError("its constants are not one for each channel", "use a bias of the layer before it")
    return Affine(np.ones(node.shape[0]), full[:, 0].copy())


def _gemm(node: OnnxNode) -> Op:
    if node.is_set("transA"):
        raise UnsupportedError("transA is set", "keep the batch first")
    weights = _matrix(node.constant(1)) * node.number("alpha", 1.0)
    weights = weights if node.is_set("transB") else weights.T
    biases = np.zeros(len(weights))
    if node.has(2):
        given = node.constant(2)
        if given.size not in {1, len(weights)} or given.ndim > 2 or (given.ndim == 2 and given.shape[0] != 1):
            raise UnsupportedError(f"C has the shape {given.shape}", "use one bias for each output")
        biases = biases + given.reshape(-1) * node.number("beta", 1.0)
    return Linear(weights, biases)


def _matmul(node: OnnxNode) -> Op:
    weights = _matrix(node.constant(1)).T
    return Linear(weights, np.zeros(len(weights)))


def _matrix(array: Floats) -> Floats:
    if array.ndim != 2:
        raise UnsupportedError(f"its weights have the shape {array.shape}", "use a matrix")
    return array


def _convolution(node: OnnxNode) -> Op:
    weights = node.constant(1)
    if weights.ndim != 4 or len(node.shape) != 3:
        raise UnsupportedError(
            f"its weights have the shape {weights.shape}, its input {node.shape}",
            "only two-dimensional convolutions are supported",
        )
    height, width = weights.shape[2:]
    window = node.window(node.pair("kernel_shape", (height, width)))
    biases = node.constant(2) if node.has(2) else np.zeros(len(weights))
    return Conv(weights, biases, window, int(node.number("group", 1)))


def _batch_normalisation(node: OnnxNode) -> Op:
    if node.is_set("training_mode"):
        raise UnsupportedError("training_mode is set", "export the model in evaluation")
    scale, shift, mean, variance = (node.constant(index) for index in range(1, 5))
    spread = variance + node.number("epsilon", 1e-5)
    # Written so that what is not a number is refused, too.
    usable = (variance >= 0).all() and (spread > 0).all()
    if len({array.shape for array in (scale, shift, mean, variance)}) != 1 or not usable:
        raise UnsupportedError("its statistics do not fit one another", "export the model again")
    scales = scale / np.sqrt(spread)
    return Affine(scales, shift - mean * scales)


def _average_pool(node: OnnxNode) -> Op:
    return settings.average_pool(
        node.shape,
        node.window(node.pair("kernel_shape", None)),
        ceil_mode=node.is_set("ceil_mode"),
        count_include_pad=node.is_set("count_include_pad"),
    )


def _max_pool(node: OnnxNode) -> Op:
    window = node.window(node.pair("kernel_shape", None))
    return settings.max_pool(node.shape, window, ceil_mode=node.is_set("ceil_mode"))


def _flatten(node: OnnxNode) -> Op:
    axis, rank = int(node.number("axis", 1)), len(node.shape) + 1
    if axis not in {1, 1 - rank}:
        raise UnsupportedError(f"axis is {axis}", "use axis 1: the batch is kept")
    return Flatten()


def _reshape(node: OnnxNode) -> Op:
    sizes: list[int | None] = [int(size) for size in node.constant(1).reshape(-1)]
    if 0 in sizes and node.is_set("allowzero"):
        raise UnsupportedError("allowzero is set", "use Flatten with axis 1")
    before = (None, *node.shape)
    copied = [before[axis] if size == 0 and axis < len(before) else size for axis, size in enumerate(sizes)]
    return Flatten() if settings.is_flattening(node.shape, copied) else Identity()


def _dropout(node: OnnxNode) -> Op:
    if node.has(2) and node.constant(2).any():
        raise UnsupportedError("training_mode is set", "export the model in evaluation")
    return Identity()


def _softmax(node: OnnxNode) -> Op:
    settings.check_softmax(node.shape, int(node.number("axis", -1)))
    return Softmax(log=node.kind == "LogSoftmax")


_BUILDERS: Mapping[str, Callable[[OnnxNode], Op]] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalisation,
    "Conv": _convolution,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda node: settings.adaptive_average_pool(node.shape, 1, 1),
    "Identity": lambda _node: Identity(),
    "LogSoftmax": _softmax,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Relu": lambda _node: Relu(),
    "Reshape": _reshape,
    "Softmax": _softmax,
}
