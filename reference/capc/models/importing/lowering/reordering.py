"""Transpositions of a network, taken up by the linear operators after them: exact algebra."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capc.models.importing.graph import (
    INPUT,
    Add,
    Affine,
    Clamp,
    Conv,
    Graph,
    Identity,
    LeakyRelu,
    Linear,
    Node,
    Relu,
    Reorder,
    Reshape,
    Shape,
    UnsupportedError,
    named,
    refusal,
)

_REMEDY = "keep batch, channels, height and width, except right before a linear layer"
_REMEDY_OF_QUERY = f"{_REMEDY}; of an ONNX file whose queries have the channels last, give input_shape with them first"


class _Moved(NamedTuple):
    """A value of the network: one of the graph without transpositions, whose entries are taken in some order.

    Attributes:
        name: of the value that it is made from.
        order: for each entry, which one of that value it is; None if they are in their order.
        is_query: whether it is the query, perhaps times and plus constants.
    """

    name: str
    order: NDArray[np.int64] | None
    is_query: bool = False


def in_order(graph: Graph) -> Graph:
    """The same network without transpositions.

    Raises:
        InputError: an operator that is neither linear nor works on each entry by itself works on what was transposed.
    """
    if not any(isinstance(node.op, Reorder) for node in graph.nodes):
        return graph
    straight = Graph(graph.input_shape)
    moved = {INPUT: _Moved(INPUT, None, is_query=True)}
    for node in graph.nodes:
        with named(node.kind, node.name):
            moved[node.name] = _moved(straight, node, [moved[name] for name in node.inputs], graph)
    output = moved[graph.output]
    if output.order is not None:
        raise refusal("output", graph.output, "its axes were put in another order", "end in a linear layer")
    straight.output = output.name
    return straight


def _moved(straight: Graph, node: Node, inputs: list[_Moved], graph: Graph) -> _Moved:
    source, order, is_query = inputs[0]
    if isinstance(node.op, Reorder):
        order = node.op.order if order is None else order[node.op.order]
        if not (order == np.arange(len(order))).all():
            return _Moved(source, order, is_query)
        straight.add(node.name, node.kind, Reshape(node.shape), source)
        return _Moved(node.name, None, is_query)
    if order is not None and isinstance(node.op, Reshape | Identity):
        return _Moved(source, order, is_query)
    kept = order
    match node.op:
        case _ if all(each.order is None for each in inputs):
            straight.add(node.name, node.kind, node.op, *(each.name for each in inputs))
        case Relu() | Clamp() | LeakyRelu():
            straight.add(node.name, node.kind, node.op, source)
        case Add() if np.array_equal(np.asarray(order), np.asarray(inputs[1].order)):
            straight.add(node.name, node.kind, node.op, source, inputs[1].name)
        case Affine(scales=scales, shifts=shifts) if order is not None:
            back = np.argsort(order)
            moved = Affine(None if scales is None else scales.taken(back), None if shifts is None else shifts[back])
            straight.add(node.name, node.kind, moved, source)
        case Linear(weights=weights, biases=biases) if order is not None:
            straight.add(_before(node), node.kind, Reshape((len(order),)), source)
            straight.add(node.name, node.kind, Linear(weights[:, np.argsort(order)], biases), _before(node))
            kept = None
        case Conv(weights=weights, groups=1) if order is not None:
            given = graph.shape(node.inputs[0])
            channels = _channels(order, given)
            if channels is None:
                raise _unsupported(inputs)
            straight.add(_before(node), node.kind, Reshape(given), source)
            reordered = Conv(weights[:, np.argsort(channels)], node.op.biases, node.op.window)
            straight.add(node.name, node.kind, reordered, _before(node))
            kept = None
        case _:
            raise _unsupported(inputs)
    return _Moved(node.name, kept, is_query and isinstance(node.op, Affine))


def _before(node: Node) -> str:
    """The name of what is put before a node."""
    return f"{node.name} (its input)"


def _channels(order: NDArray[np.int64], shape: Shape) -> NDArray[np.int64] | None:
    """Which channels of a value of this shape follow one another, where channels are moved as a whole; else None."""
    area = prod(shape[1:])
    channels = order[::area] // area
    whole = (channels[:, None] * area + np.arange(area)).reshape(-1)
    return channels if np.array_equal(whole, order) else None


def _unsupported(inputs: list[_Moved]) -> UnsupportedError:
    is_query = any(each.is_query and each.order is not None for each in inputs)
    return UnsupportedError(
        "it works on a value whose axes were put in another order", _REMEDY_OF_QUERY if is_query else _REMEDY
    )
