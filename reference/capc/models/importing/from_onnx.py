"""From an ONNX file to a graph; needs the extra ``capc[onnx]``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx.onnx_pb import ModelProto, NodeProto

from capc.models.importing import settings
from capc.models.importing.arithmetic import Place, transposed
from capc.models.importing.endings import checked
from capc.models.importing.graph import INPUT, Graph, Shape, UnsupportedError, named, plain, refusal
from capc.models.importing.onnx_files.constants import Array, computed, stored
from capc.models.importing.onnx_files.learned import BUILDERS_OF_LEARNED, DOMAIN, LINEAR_CLASSIFIER, SCORES
from capc.models.importing.onnx_files.loading import has_channels_last, load, stated_shape, the_input
from capc.models.importing.onnx_files.operators import BUILDERS, OnnxNode
from capc.models.importing.onnx_files.origin import batch_of, onnx_origin


def graph_from_onnx(path: Path, input_shape: Shape | None = None, output: str | None = None) -> Graph:
    """The operators of an ONNX file. Only the nodes that the output depends on are read.

    What does not depend on the query, weights and shapes, is computed. ONNX's reference evaluator then runs the file
    beside what was read of it, as ``agreement.check_origin`` says.

    Args:
        path: the file; its weights are inside, or in files of its folder. Its input is one tensor, with the batch
            first. A file of an opset older than 13 is converted.
        input_shape: (channels, height, width) or (features,), without the batch; None takes it from the file. Of a
            file whose queries are (height, width, channels) it may have the channels first, as the queries then must.
        output: the name of the output that holds the logits; None takes the only one of floats.

    Raises:
        InputError: the file is damaged or an operator is not supported; the line names the operator, the node and
            the remedy. Or the file, when it runs, fails or gives other logits than what was read of it; the line
            names the first node that differs.
    """
    model = load(path, output)
    graph = Graph(stated_shape(model.graph) if input_shape is None else input_shape)
    is_channels_last = has_channels_last(model.graph, graph.input_shape)
    reader = _Reader(model, graph, is_channels_last=is_channels_last)
    reader.check_operators()
    for number, node in enumerate(model.graph.node):
        reader.read(node, number)
    reader.finish()
    value = the_input(model.graph)
    origin = onnx_origin(model, value, graph.input_shape, reader.tensors, is_channels_last=is_channels_last)
    return checked(graph, origin)


_OF_SHAPES = frozenset(["Shape", "Size"])
"""What they give depends on the shape of a value only."""
_BUILDERS = {"": BUILDERS, "ai.onnx": BUILDERS, DOMAIN: BUILDERS_OF_LEARNED}
"""By domain, and by the name of the operator."""


class _Reader:
    """Translates nodes in their order."""

    def __init__(self, model: ModelProto, graph: Graph, *, is_channels_last: bool) -> None:
        self._model = model
        self._graph = graph
        self._batch = batch_of(model)
        self._known: dict[str, str | Array] = {tensor.name: stored("", tensor) for tensor in model.graph.initializer}
        """By tensor: the name of a value in the graph, or numbers that do not depend on the query."""
        given = the_input(model.graph)
        self._known[given.name] = INPUT
        if is_channels_last:
            place = Place(graph, plain(given.name), "input", self._batch)
            self._known[given.name] = transposed(place, INPUT, [0, 2, 3, 1])
        self._places = {INPUT}
        self.tensors: dict[str, str] = {}
        """The tensor of each node of the graph that is one of the file."""

    def check_operators(self) -> None:
        """Refuses an operator that nothing can be made of, before anything about the others.

        Of several it is the first that has a remedy of its own: it tells most about the network.

        Raises:
            InputError: a node that depends on the query is of an operator that is not supported.
        """
        values = {the_input(self._model.graph).name}
        refusals = []
        for number, node in enumerate(self._model.graph.node):
            if node.op_type in _OF_SHAPES or not values.intersection(node.input):
                continue
            values.update(node.output)
            if node.op_type not in _BUILDERS.get(node.domain, {}):
                problem, remedy = "it is not supported", settings.remedy_for(node.op_type)
                if node.domain not in _BUILDERS:
                    problem, remedy = f"it is of the domain {node.domain}", "use operators of ONNX itself"
                refusals.append((remedy, refusal(node.op_type, node.name or f"node {number}", problem, remedy)))
        if refusals:
            raise min(refusals, key=lambda pair: pair[0] == settings.GENERAL_REMEDY)[1]

    def read(self, node: NodeProto, number: int) -> None:
        """Adds a node, or computes what it gives without the query."""
        place = self._place(node, number)
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
            elif node.op_type in _OF_SHAPES:
                self._known[node.output[0]] = self._size(node, values[0])
            else:
                self._read_value(node, inputs, place)

    def _read_value(self, node: NodeProto, inputs: list[str | Array | None], place: str) -> None:
        made = _BUILDERS[node.domain][node.op_type](
            OnnxNode(node, inputs, Place(self._graph, place, node.op_type, self._batch))
        )
        output = node.output[SCORES if node.op_type == LINEAR_CLASSIFIER else 0]
        self._known[output] = made
        self.tensors[made] = output

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
