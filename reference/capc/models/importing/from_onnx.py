"""From an ONNX file to a graph; needs the extra ``capc[onnx]``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx.onnx_pb import ModelProto, NodeProto

from capc.models.importing import settings
from capc.models.importing.agreement import check_origin
from capc.models.importing.arithmetic import Place
from capc.models.importing.graph import INPUT, Graph, Shape, UnsupportedError, named, plain, refusal
from capc.models.importing.onnx_files.constants import Array, computed, stored
from capc.models.importing.onnx_files.loading import load, stated_shape, the_input
from capc.models.importing.onnx_files.operators import BUILDERS, OnnxNode
from capc.models.importing.onnx_files.origin import batch_of, onnx_origin


def graph_from_onnx(path: Path, input_shape: Shape | None = None, output: str | None = None) -> Graph:
    """The operators of an ONNX file. Only the nodes that the output depends on are read.

    What does not depend on the query, weights and shapes, is computed. ONNX's reference evaluator then runs the file
    beside what was read of it, as ``agreement.check_origin`` says.

    Args:
        path: the file; its weights are inside, or in files of its folder. Its input is one tensor, with the batch
            first. A file of an opset older than 13 is converted.
        input_shape: (channels, height, width) or (features,), without the batch; None takes it from the file.
        output: the name of the output that holds the logits; None takes the only one of floats.

    Raises:
        InputError: the file is damaged or an operator is not supported; the line names the operator, the node and
            the remedy. Or the file, when it runs, fails or gives other logits than what was read of it; the line
            names the first node that differs.
    """
    model = load(path, output)
    graph = Graph(stated_shape(model.graph) if input_shape is None else input_shape)
    reader = _Reader(model, graph)
    for number, node in enumerate(model.graph.node):
        reader.read(node, number)
    reader.finish()
    graph.origin = onnx_origin(model, the_input(model.graph), graph.input_shape, reader.tensors)
    check_origin(graph, graph.origin)
    return graph


class _Reader:
    """Translates nodes in their order."""

    def __init__(self, model: ModelProto, graph: Graph) -> None:
        self._model = model
        self._graph = graph
        self._batch = batch_of(model)
        self._known: dict[str, str | Array] = {tensor.name: stored("", tensor) for tensor in model.graph.initializer}
        """By tensor: the name of a value in the graph, or numbers that do not depend on the query."""
        self._known[the_input(model.graph).name] = INPUT
        self._places = {INPUT}
        self.tensors: dict[str, str] = {}
        """The tensor of each node of the graph that is one of the file."""

    def read(self, node: NodeProto, number: int) -> None:
        """Adds a node, or computes what it gives without the query."""
        place = self._place(node, number)
        if node.domain not in {"", "ai.onnx"}:
            raise refusal(node.op_type, place, f"it is of the domain {node.domain}", "use operators of ONNX itself")
        with named(node.op_type, place):
            unknown = [name for name in node.input if name and name not in self._known]
            if unknown:
                problem = f"its input {plain(unknown[0])} is not the first output of a node"
                raise UnsupportedError(problem, "use the first outputs of operators only")
            inputs = [self._known.get(name) if name else None for name in node.input]
            values = [given for given in inputs if isinstance(given, str)]
            if not values:
                constants = [given for given in inputs if not isinstance(given, str)]
                self._known[node.output[0]] = computed(node, constants, self._model)
            elif node.op_type in {"Shape", "Size"}:
                self._known[node.output[0]] = self._size(node, values[0])
            else:
                self._read_value(node, inputs, place)

    def _read_value(self, node: NodeProto, inputs: list[str | Array | None], place: str) -> None:
        if node.op_type not in BUILDERS:
            raise UnsupportedError("it is not supported", settings.remedy_for(node.op_type))
        made = BUILDERS[node.op_type](OnnxNode(node, inputs, Place(self._graph, place, node.op_type, self._batch)))
        self._known[node.output[0]] = made
        self.tensors[made] = node.output[0]

    def _size(self, node: NodeProto, value: str) -> Array:
        """The shape of a value, of as many rows as are read."""
        full = (self._batch, *self._graph.shape(value))
        if node.op_type == "Size":
            return np.array(np.prod(full), dtype=np.int64)
        ends = {attribute.name: attribute.i for attribute in node.attribute}
        return np.array(full[ends.get("start", 0) : ends.get("end", len(full))], dtype=np.int64)

    def finish(self) -> None:
        """Names the output."""
        name = self._model.graph.output[0].name
        known = self._known.get(name)
        if not isinstance(known, str):
            raise refusal("output", name, "it does not depend on the query", "make the logits the output")
        self._graph.output = known

    def _place(self, node: NodeProto, number: int) -> str:
        place = node.name or f"node {number}"
        if place in self._places:
            place = f"{place} (node {number})"
        self._places.add(place)
        return place
