"""ONNX files, written by hand from a PyTorch module, operator by operator, without PyTorch's own exporter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from support.networks import Residual

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
                return self.node(
                    "AveragePool", x, kernel_shape=pair(layer.kernel_size), count_include_pad=1,
                    strides=pair(layer.stride), pads=pair(layer.padding) * 2,
                )  # fmt: skip
            case nn.Flatten() if self.variant:
                return self.node("Reshape", x, self.constant([0, -1], TensorProto.INT64))
        simple = {"ReLU": "Relu", "AdaptiveAvgPool2d": "GlobalAveragePool", "Dropout": "Dropout", "Softmax": "Softmax"}
        return self.node(simple.get(type(layer).__name__, type(layer).__name__), x)

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
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


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
