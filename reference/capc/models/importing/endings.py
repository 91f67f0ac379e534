"""What a network ends in, where that is the probability of one class of two: it becomes the logits of both.

Of a logit z the probability is p = 1 / (1 + exp(-z)), and 1 - p and p are the softmax of 0 and z. So the class is 1
where z is above 0, and else 0: of equal logits a vote takes the lowest class, and scikit-learn and Keras do, too.

Spec: CAPC-PARAM-046.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np

from capc.models.importing import settings
from capc.models.importing.agreement import check_origin
from capc.models.importing.graph import (
    INPUT,
    Affine,
    Concat,
    Floats,
    Graph,
    Identity,
    Linear,
    Node,
    Op,
    Reshape,
    Sigmoid,
    Softmax,
    refusal,
)
from capc.models.importing.origin import Origin


def checked(graph: Graph, origin: Origin) -> Graph:
    """What was read of a network, after it was compared with the network itself; with two logits for one and a sigmoid.

    Args:
        graph: what was read.
        origin: the network as its framework runs it.

    Raises:
        InputError: a sigmoid is anywhere else than at the end; or as ``agreement.check_origin``.
    """
    found = ended(graph)
    found.origin = as_read(found, origin)
    check_origin(found, found.origin)
    return found


def as_read(graph: Graph, origin: Origin) -> Origin:
    """A network as its framework runs it, with the probabilities of both classes where it gives that of class 1 only.

    Args:
        graph: what was read of it, or of one that only has other weights.
        origin: the network.
    """
    if not any(node.op == Softmax(of_one=True) for node in graph.nodes):
        return origin

    def run(features: Floats) -> Floats:
        made = origin.run(features)
        return made if made.shape[1] > 1 else np.concatenate([1 - made, made], axis=1)

    return replace(origin, run=run)


def ended(graph: Graph) -> Graph:
    """A network as it was read, with two logits where it had one and a sigmoid.

    Raises:
        InputError: a sigmoid is anywhere else than at the end.
    """
    made = {node.name: node for node in graph.nodes}
    last = _same(made, graph.output)
    sigmoid = _of_two(made, last) or last
    if sigmoid is None or not isinstance(sigmoid.op, Sigmoid) or prod(sigmoid.shape) != 1:
        _check_sigmoids(graph, last)
        return graph
    found = _up_to(graph, made, sigmoid)
    _check_sigmoids(found, None)
    names = [f"{sigmoid.name} ({part})" for part in ("its logit", "both logits", "both classes")]
    pair = Linear(np.array([[0.0], [1.0]]), np.zeros(2))
    added: tuple[Op, ...] = (Reshape((1,)), pair, Softmax(of_one=True))
    for name, op, given in zip(names, added, (sigmoid.inputs[0], *names[:2]), strict=True):
        found.add(name, sigmoid.kind, op, given)
    found.output = names[-1]
    return found


def _same(made: Mapping[str, Node], name: str) -> Node | None:
    """The node of this name; of one that only names or shapes a value, the one before it."""
    while name != INPUT and isinstance(made[name].op, Identity | Reshape):
        name = made[name].inputs[0]
    return made.get(name)


def _of_two(made: Mapping[str, Node], last: Node | None) -> Node | None:
    """Of 1 - p and p, one after the other, the node of p."""
    if last is None or not isinstance(last.op, Concat) or len(last.inputs) != 2:
        return None
    other, node = (_same(made, name) for name in last.inputs)
    if other is None or node is None or not isinstance(other.op, Affine) or _same(made, other.inputs[0]) is not node:
        return None
    scales, shifts = other.op.scales, other.op.shifts
    is_rest = scales is not None and (scales.numbers == -1).all() and shifts is not None and (shifts == 1).all()
    return node if is_rest else None


def _up_to(graph: Graph, made: Mapping[str, Node], end: Node) -> Graph:
    """What a node depends on, without itself."""
    needed, waiting = set[str](), list(end.inputs)
    while waiting:
        name = waiting.pop()
        if name not in needed and name != INPUT:
            needed.add(name)
            waiting += made[name].inputs
    found = Graph(graph.input_shape)
    for node in graph.nodes:
        if node.name in needed:
            found.add(node.name, node.kind, node.op, *node.inputs)
    return found


def _check_sigmoids(graph: Graph, last: Node | None) -> None:
    """Refuses a sigmoid before the end."""
    for node in graph.nodes:
        if isinstance(node.op, Sigmoid) and node is not last:
            raise refusal(node.kind, node.name, "it is not supported", settings.remedy_for("sigmoid"))
