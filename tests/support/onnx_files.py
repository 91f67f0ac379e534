"""ONNX files, written by hand from a PyTorch module, operator by operator, without PyTorch's own exporter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from support.networks import Between, Both, Constants, MeanOfPixels, Residual, Squeezed, Viewed

Shape = tuple[int, ...]


class OnnxWriter:
    """Collects nodes and weights.

    Args:
        kind: of every number, TensorProto.DOUBLE or TensorProto.FLOAT.
        variant: with it, the same network in other operators: MatMul and Add, Reshape, Constant nodes.
    """

    def __init__(self, kind: int = TensorProto.DOUBLE, *, variant: bool = False) -> None:
        self.kind = kind
        self.variant = variant
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, values: object, kind: int | None = None) -> str:
        name = f"w{len(self.weights)}_{len(self.nodes)}"
        array = np.asarray(values, dtype=helper.tensor_dtype_to_np_dtype(self.kind if kind is None else kind))
        tensor = numpy_helper.from_array(array, name)
        if self.variant:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.weights.append(tensor)
        return name

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=f"{kind}_{len(self.nodes)}", **attributes)
        )
        return output

    def module(self, layer: nn.Module, x: str) -> str:  # noqa: PLR0911  # one for each layer
        """Adds a layer; returns the name of its output."""
        match layer:
            case nn.Sequential():
                for part in layer:
                    x = self.module(part, x)
                return x
            case Residual():
                return self.node("Relu", self.node("Add", self.module(layer.main, x), self.module(layer.shortcut, x)))
            case nn.Linear():
                return self.linear(layer, x)
            case nn.Conv2d():
                weights = [self.constant(layer.weight.detach().numpy())]
                if layer.bias is not None:
                    weights.append(self.constant(layer.bias.detach().numpy()))
                return self.node("Conv", x, *weights, group=layer.groups, **window(layer))
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                tensors = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
                parts = [self.constant(tensor.detach().numpy()) for tensor in tensors]
                return self.node("BatchNormalization", x, *parts, epsilon=layer.eps)
            case nn.MaxPool2d():
                return self.node("MaxPool", x, kernel_shape=pair(layer.kernel_size), **window(layer))
            case nn.AvgPool2d():
                pooled = self.node(
                    "AveragePool", x, kernel_shape=pair(layer.kernel_size), count_include_pad=1,
                    strides=pair(layer.stride), pads=pair(layer.padding) * 2,
                )  # fmt: skip
                area, divisor = math.prod(pair(layer.kernel_size)), layer.divisor_override
                return pooled if divisor is None else self.node("Mul", pooled, self.constant(area / divisor))
            case Between() | nn.Hardtanh() | nn.Hardsigmoid() | nn.LeakyReLU():
                return self.activation(layer, x)
            case Constants() | Both() | MeanOfPixels() | Squeezed() | Viewed() | nn.ZeroPad2d():
                return self.folded(layer, x)
            case nn.Flatten() if self.variant:
                return self.node("Reshape", x, self.constant([0, -1], TensorProto.INT64))
        simple = {"ReLU": "Relu", "AdaptiveAvgPool2d": "GlobalAveragePool", "Dropout": "Dropout", "Softmax": "Softmax"}
        return self.node(simple.get(type(layer).__name__, type(layer).__name__), x)

    def activation(self, layer: nn.Module, x: str) -> str:
        """Adds a ReLU of another kind."""
        match layer:
            case Between():
                x = x if layer.high is None else self.node("Min", x, self.constant(layer.high))
                return x if layer.low is None else self.node("Max", self.constant([layer.low]), x)
            case nn.Hardtanh():
                low, high = (self.constant(bound) for bound in (layer.min_val, layer.max_val))
                return (
                    self.node("Max", low, self.node("Min", high, x))
                    if self.variant
                    else self.node("Clip", x, low, high)
                )
            case nn.Hardsigmoid() if self.variant:
                moved = self.node("Add", x, self.constant(3))
                clipped = self.node("Clip", self.node("Relu", moved), "", self.constant(6))
                return self.node("Div", clipped, self.constant(6))
            case nn.Hardsigmoid():
                return self.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)
        slope = layer.negative_slope
        return self.node("PRelu", x, self.constant([slope])) if self.variant else self.node("LeakyRelu", x, alpha=slope)

    def folded(self, layer: nn.Module, x: str) -> str:  # noqa: PLR0911  # one for each layer
        """Adds a layer that becomes part of its neighbours."""
        match layer:
            case Constants():
                factors, shifts = layer.factors().numpy(), layer.shifts.numpy()
                if self.variant:
                    scaled = self.node("Div", x, self.constant(1 / factors))
                    return self.node("Sub", scaled, self.node("Neg", self.constant(shifts)))
                return self.node("Add", self.constant(shifts), self.node("Mul", self.constant(factors), x))
            case Both():
                one, other = self.module(layer.one, x), self.module(layer.other, x)
                return self.node("Add", one, other) if layer.added else self.node("Concat", one, other, axis=1)
            case MeanOfPixels():
                if self.variant:
                    return self.node("Flatten", self.node("GlobalAveragePool", x))
                return self.node("ReduceMean", x, axes=[2, -1], keepdims=0)
            case Squeezed():
                return self.node("Squeeze", x, self.constant([2, 3], TensorProto.INT64))
            case nn.ZeroPad2d():
                left, right, top, bottom = layer.padding
                return self.node("Pad", x, self.constant([0, 0, top, left, 0, 0, bottom, right], TensorProto.INT64))
        # As exporters write it that know no sizes: those of the value, computed from its shape.
        sizes = self.node("Slice", self.node("Shape", x), *(self.constant([n], TensorProto.INT64) for n in (0, 2)))
        return self.node("Reshape", x, self.node("Concat", sizes, self.constant([-1, 1], TensorProto.INT64), axis=0))

    def linear(self, layer: nn.Linear, x: str) -> str:
        weights = layer.weight.detach().numpy()
        biases = np.zeros(len(weights)) if layer.bias is None else layer.bias.detach().numpy()
        if self.variant:
            return self.node("Add", self.constant(biases), self.node("MatMul", x, self.constant(weights.T)))
        return self.node(
            "Gemm", x, self.constant(weights / 2), self.constant(biases * 4), transB=1, alpha=2.0, beta=0.25
        )

    def model(
        self, output: str, shape: Shape, classes: Sequence[object] = ("n", "c"), opset: int = 17
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("x", self.kind, ["n", *shape])],
            [helper.make_tensor_value_info(output, self.kind, classes)],
            self.weights,
        )
        learned = [helper.make_opsetid("ai.onnx.ml", 1)] if any(node.domain for node in self.nodes) else []
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *learned], ir_version=8)


def pair(value: int | tuple[int, ...]) -> list[int]:
    return list(value) if isinstance(value, tuple) else [value, value]


def window(layer: nn.Conv2d | nn.MaxPool2d) -> dict[str, list[int]]:
    return {
        "strides": pair(layer.stride),
        "pads": pair(layer.padding) * 2,
        "dilations": pair(layer.dilation),
    }


def onnx_model(
    module: nn.Module, shape: Shape, *, kind: int = TensorProto.DOUBLE, variant: bool = False, opset: int = 17
) -> onnx.ModelProto:
    writer = OnnxWriter(kind, variant=variant)
    return writer.model(writer.module(module, "x"), shape, opset=opset)


def export(module: nn.Module, shape: Shape, path: Path, *, is_open: bool) -> None:
    """A file by PyTorch's own exporter, from a module in double precision; its batch is open, or two."""
    batch = ({0: torch.export.Dim("batch")},) if is_open else None
    rows = (torch.zeros(2, *shape, dtype=torch.float64),)
    torch.onnx.export(module.eval(), rows, str(path), dynamic_shapes=batch, opset_version=18, verbose=False)
