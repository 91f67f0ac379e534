"""From an ONNX file to a graph; needs the extra ``capc[onnx]``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import checker, defs, helper, numpy_helper
from onnx.onnx_pb import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from capc.foundation.errors import InputError
from capc.models.importing import settings
from capc.models.importing.agreement import check_origin
from capc.models.importing.graph import INPUT, Graph, Shape, UnsupportedError, named, plain, refusal
from capc.models.importing.onnx_operators import OnnxNode, operator
from capc.models.importing.onnx_origin import onnx_origin

OLDEST_OPSET = 13
Array = NDArray[np.generic]


def graph_from_onnx(path: Path, input_shape: Shape | None = None) -> Graph:
    """The operators of an ONNX file. Only the nodes that the output depends on are read.

    ONNX's reference evaluator then runs the file beside what was read of it, as ``agreement.check_origin`` says.

    Args:
        path: one file, with its weights inside, of opset 13 or newer; its input and its output are one tensor each,
            with the batch first.
        input_shape: (channels, height, width) or (features,), without the batch; None takes it from the file.

    Raises:
        InputError: the file is damaged or an operator is not supported; the line names the operator, the node and
            the remedy. Or the file, when it runs, fails or gives other logits than what was read of it; the line
            names the first node that differs.
    """
    model = _checked(path)
    reader = _Reader(model.graph, Graph(_input_shape(model.graph) if input_shape is None else input_shape))
    for number, node in enumerate(model.graph.node):
        reader.read(node, number)
    graph = reader.finish()
    _keep_needed(model.graph)
    graph.origin = onnx_origin(model, _the_input(model.graph), graph.input_shape, reader.tensors)
    check_origin(graph, graph.origin)
    return graph


def _checked(path: Path) -> ModelProto:
    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}): name a readable ONNX file") from None
    except (DecodeError, ValueError, RuntimeError):
        raise InputError(f"{path}: not an ONNX file: export the model again") from None
    if model.functions or model.graph.sparse_initializer:
        raise InputError(f"{path}: the model has functions or sparse weights of its own: export it without")
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise refusal("tensor", tensor.name, "its data are in another file", "export with all weights in one file")
    _check_opset(model)
    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError, RuntimeError) as error:
        problem = plain(str(error).partition("\n")[0], 200)
        raise InputError(f"{path}: not a valid ONNX model ({problem}): export it again") from None
    return model


def _tensors(graph: GraphProto) -> list[TensorProto]:
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    inner = [tensor for attribute in attributes for tensor in (attribute.t, *attribute.tensors)]
    return [*graph.initializer, *inner]


def _check_opset(model: ModelProto) -> None:
    newest = defs.onnx_opset_version()
    versions = {entry.domain: entry.version for entry in model.opset_import}
    version = versions.get("", versions.get("ai.onnx", 0))
    if not OLDEST_OPSET <= version <= newest:
        raise InputError(f"the model has ONNX opset {version}: export it with opset {OLDEST_OPSET} to {newest}")


def _the_input(graph: GraphProto) -> ValueInfoProto:
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise InputError(
            f"the model has {len(inputs)} inputs and {len(graph.output)} outputs: give it the query, and the logits"
        )
    the_input: ValueInfoProto = inputs[0]
    return the_input


def _input_shape(graph: GraphProto) -> Shape:
    value = _the_input(graph)
    sizes = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
    if len(sizes) not in {2, 4} or min(sizes[1:]) < 1:
        raise refusal(
            "input", value.name, "its shape is not fixed after the batch", "export it fixed, or give input_shape"
        )
    return tuple(sizes[1:])


class _Reader:
    """Translates nodes in their order."""

    def __init__(self, source: GraphProto, graph: Graph) -> None:
        self.graph = graph
        self._names = {_the_input(source).name: INPUT}
        """The graph's name of each tensor that depends on the query."""
        self._constants = {tensor.name: _array("initializer", tensor) for tensor in source.initializer}
        self._output = source.output[0].name
        self._needed = _needed(source)
        self._places = {INPUT}
        self.tensors: dict[str, str] = {}
        """The tensor of each node of the graph."""

    def read(self, node: NodeProto, number: int) -> None:
        """Adds a node that the output depends on."""
        if not self._needed.intersection(node.output):
            return
        place = self._place(node, number)
        if node.domain not in {"", "ai.onnx"}:
            raise refusal(node.op_type, place, f"it is of the domain {node.domain}", "use operators of ONNX itself")
        if node.op_type == "Constant":
            self._constants[node.output[0]] = _constant(node, place)
        elif node.op_type == "Identity" and all(name in self._constants for name in node.input):
            self._constants[node.output[0]] = self._constants[node.input[0]]
        else:
            self._read_value(node, place)

    def _read_value(self, node: NodeProto, place: str) -> None:
        with named(node.op_type, place):
            sources = [self._names[name] for name in node.input if name in self._names]
            if not sources:
                raise UnsupportedError("it does not work on a value of the network", settings.remedy_for(node.op_type))
            view = OnnxNode(node, self._constants, self.graph.shape(sources[0]))
            op = operator(view, len(sources))
        self.graph.add(place, node.op_type, op, *sources)
        self._names[node.output[0]] = place
        self.tensors[place] = node.output[0]

    def finish(self) -> Graph:
        """Names the output."""
        if self._output not in self._names:
            raise refusal("output", self._output, "it does not depend on the query", "make the logits the output")
        self.graph.output = self._names[self._output]
        return self.graph

    def _place(self, node: NodeProto, number: int) -> str:
        place = node.name or f"node {number}"
        if place in self._places:
            place = f"{place} (node {number})"
        self._places.add(place)
        return place


def _needed(graph: GraphProto) -> set[str]:
    """The tensors that the output depends on."""
    needed = {graph.output[0].name}
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
    return needed


def _keep_needed(graph: GraphProto) -> None:
    """Drops the nodes that the output does not depend on, which were not read either."""
    needed = _needed(graph)
    kept = [node for node in graph.node if needed.intersection(node.output)]
    del graph.node[:]
    graph.node.extend(kept)


def _constant(node: NodeProto, place: str) -> Array:
    for attribute in node.attribute:
        if attribute.name == "value":
            return _array(place, attribute.t)
        if attribute.name in {"value_float", "value_floats", "value_int", "value_ints"}:
            return np.array(helper.get_attribute_value(attribute))
    raise refusal(node.op_type, place, "it holds no numbers", "use numbers")


def _array(place: str, tensor: TensorProto) -> Array:
    try:
        array = numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError):
        raise refusal("tensor", tensor.name or place, "its data cannot be read", "export the model again") from None
    if tensor.data_type in {TensorProto.COMPLEX64, TensorProto.COMPLEX128, TensorProto.STRING}:
        raise refusal("tensor", tensor.name or place, "its data are not real numbers", "use floats")
    return array
