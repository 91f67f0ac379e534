"""Networks and integer models on many rows at once, with NumPy: for reports, before the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.models.architecture import Activation, StageShape
from capc.models.importing.graph import (
    INPUT,
    Add,
    Affine,
    AveragePool,
    Clamp,
    Concat,
    Conv,
    Floats,
    Graph,
    LeakyRelu,
    Linear,
    MaxPool,
    Node,
    Pad,
    Relu,
    Reorder,
    Shape,
    Sigmoid,
    Softmax,
)
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import OUTSIDE, Convolution, Dense, Grid, Operator

Array = NDArray[Any]
"""Of floats, of 64-bit integers, or of unbounded ones."""
Rows = TypeVar("Rows", Floats, list[list[int]])
"""Of features: real numbers, or quantised."""
_MOST_ENTRIES = 1 << 24
"""Of the windows of all rows that are evaluated together: 128 MiB of doubles."""


def float_logits(graph: Graph, features: Floats) -> Floats:
    """What was read of a network, on n rows of flattened features, in double precision; a softmax is left out."""
    return np.concatenate([_last(graph, part, softmax=False) for part in parts_of(graph, features)])


def float_outputs(graph: Graph, features: Floats, precision: type = np.float64) -> Floats:
    """The same with a softmax at the end, where the network has one, and in another precision."""
    return _last(graph, features, softmax=True, precision=precision)


def float_values(
    graph: Graph, features: Floats, *, softmax: bool = True, precision: type = np.float64
) -> Iterator[tuple[Node, Floats, Floats]]:
    """Each node with the first of its inputs and its output, in order; a value is let go after its last use."""
    last_use = {name: number for number, node in enumerate(graph.nodes) for name in node.inputs}
    values: dict[str, Floats] = {INPUT: _in(features, precision)}
    for number, node in enumerate(graph.nodes):
        inputs = [values[name] for name in node.inputs]
        # What leaves the range of a precision becomes infinite, and is found there.
        with np.errstate(over="ignore", invalid="ignore"):
            value = _float_value(node, inputs, graph.shape(node.inputs[0]), precision, softmax=softmax)
        yield node, inputs[0], value
        values[node.name] = value
        for name in node.inputs:
            if last_use[name] == number and name in values:
                del values[name]


def parts_of(graph: Graph, features: Rows) -> list[Rows]:
    """The rows in parts that are evaluated together."""
    size = rows_at_once(graph)
    return [features[start : start + size] for start in range(0, len(features), size)]


def rows_at_once(graph: Graph) -> int:
    """How many rows are evaluated together, so that the windows of a large network stay in memory."""
    largest = max([prod(graph.input_shape), *(_entries(node, graph.shape(node.inputs[0])) for node in graph.nodes)])
    return max(1, _MOST_ENTRIES // largest)


def _entries(node: Node, shape: Shape) -> int:
    """The entries of a node's output, or of its windows."""
    if isinstance(node.op, Conv | AveragePool | MaxPool):
        return shape[0] * node.op.window.on(shape).positions * prod(node.op.window.kernel)
    return prod(node.shape)


def _last(graph: Graph, features: Floats, *, softmax: bool, precision: type = np.float64) -> Floats:
    if graph.output == INPUT:
        return _in(features, precision)
    for node, _, value in float_values(graph, features, softmax=softmax, precision=precision):
        if node.name == graph.output:
            return value
    raise InputError(f"the output {graph.output} is no node of the graph: name one that was added")


def _float_value(  # noqa: PLR0911, PLR0912  # one for each operator
    node: Node, inputs: list[Floats], shape: Shape, precision: type, *, softmax: bool
) -> Floats:
    first = inputs[0]
    match node.op:
        case Linear(weights=weights, biases=biases):
            return first @ _in(weights, precision).T + _in(biases, precision)
        case Conv(weights=weights, biases=biases, window=window, groups=groups):
            operator = Convolution(window.on(shape), len(weights), groups)
            rows, added = _in(weights, precision).reshape(len(weights), -1), _in(biases, precision)
            return linear(operator, rows, first) + np.repeat(added, operator.grid.positions)
        case Affine(scales=scales, shifts=shifts):
            scaled = first if scales is None else first * _in(scales.numbers, precision)
            return scaled if shifts is None else scaled + _in(shifts, precision)
        case Relu():
            return np.maximum(first, 0)
        case Clamp(low=low, high=high):
            return np.clip(first, low, high)
        case LeakyRelu(leak_bits=leak_bits):
            return np.where(first < 0, np.ldexp(first, -leak_bits), first)
        case AveragePool(window=window, divisor=divisor):
            return np.asarray(gather(window.on(shape), first, 0).sum(axis=3).reshape(len(first), -1) / divisor)
        case MaxPool(window=window):
            return np.asarray(gather(window.on(shape), first, -np.inf).max(axis=3).reshape(len(first), -1))
        case Add():
            return first + inputs[1]
        case Reorder(order=order):
            return np.asarray(first[:, order])
        case Pad(rows=rows, columns=columns):
            padded = np.pad(first.reshape(len(first), *shape), ((0, 0), (0, 0), rows, columns))
            return np.asarray(padded.reshape(len(first), -1))
        case Concat():
            return np.concatenate(inputs, axis=1)
        case Softmax() | Sigmoid() if softmax:
            return ended(first, node.op)
    return first


def _in(array: Floats, precision: type) -> Floats:
    return np.asarray(array, dtype=precision)


def ended(logits: Floats, op: Softmax | Sigmoid) -> Floats:
    """The softmax of each row or its logarithm, or the logistic function of each logit."""
    if isinstance(op, Sigmoid):
        small = np.exp(-np.abs(logits))
        return np.asarray(np.where(logits < 0, small, 1) / (1 + small))
    shifted = logits - logits.max(axis=1, keepdims=True)
    logarithm: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logarithm if op.log else np.exp(logarithm)


def integer_logits(
    model: QuantisedModel, features: Array | list[list[int]], *, exact_in_64_bits: bool, exact_in_doubles: bool = False
) -> Array:
    """What ``QuantisedModel.logits`` gives for each row, faster: n x C integers, of 64 bits or unbounded.

    Args:
        model: the integers.
        features: n quantised queries, n x d.
        exact_in_64_bits: range analysis found that no sum leaves 64 bits; otherwise unbounded integers are used.
        exact_in_doubles: it found that none leaves 53 bits; products are then made by the fast routines for doubles.
    """
    kind = np.int64 if exact_in_64_bits else object
    weighed = np.float64 if exact_in_doubles else kind
    values: list[Array] = [np.asarray(features, dtype=kind)]
    for number in range(len(model.layers)):
        values.append(_activate(model, number, _stage_sums(model, number, values, weighed).astype(kind)))
    return values[-1]


def _stage_sums(model: QuantisedModel, number: int, values: list[Array], kind: type) -> Array:
    stage, layer = model.architecture.stages[number], model.layers[number]
    weights: Array = np.array(layer.weights, dtype=kind)
    biases: Array = np.array(layer.biases, dtype=kind)
    source = values[stage.source]
    if stage.sum_pool is not None:
        source = gather(stage.sum_pool.grid, source, 0).sum(axis=3).reshape(len(source), -1)
    sums: Array = linear(stage.operator, weights, source) + np.repeat(biases, stage.sums // len(biases))
    for skip in stage.skips:
        is_sums = skip > 0 and model.architecture.stages[skip - 1].activation is Activation.NONE
        sums = sums + (values[skip] if is_sums else values[skip] * (1 << stage.scale_bits(model.fraction_bits)))
    return sums


def _activate(model: QuantisedModel, number: int, sums: Array) -> Array:
    stage: StageShape = model.architecture.stages[number]
    if not stage.rectifies:
        return sums
    return activated(stage, sums[:, np.array(stage.pool_windows())].max(axis=2), model.fraction_bits)


def activated(stage: StageShape, largest: Array, fraction_bits: int) -> Array:
    """What :meth:`StageShape.activated` makes of each integer."""
    made: Array = largest >> stage.scale_bits(fraction_bits)
    if stage.leak_bits is None:
        most = stage.most(fraction_bits)
        rectified: Array = np.maximum(made, 0)
        return rectified if most is None else np.minimum(rectified, most)
    if stage.cap_bits is not None:
        made = np.clip(made, -(1 << stage.cap_bits), (1 << stage.cap_bits) - 1)
    return np.where(made < 0, made >> stage.leak_bits, made)


@lru_cache(maxsize=64)
def _indices(grid: Grid) -> NDArray[np.int64]:
    """Positions x window, in one channel; the place after its last in the padding."""
    first = np.array(grid.windows(0), dtype=np.int64)
    return np.where(first == OUTSIDE, grid.height * grid.width, first)


def gather(grid: Grid, values: Array, outside: float) -> Array:
    """n x channels x positions x window."""
    channels = values.reshape(len(values), grid.channels, grid.height * grid.width)
    edge = np.full((len(values), grid.channels, 1), outside, dtype=values.dtype)
    return np.concatenate([channels, edge], axis=2)[:, :, _indices(grid)]


def linear(operator: Operator, weights: Array, values: Array) -> Array:
    """The outputs of an operator, n x outputs, without biases, on n values."""
    if isinstance(operator, Dense):
        return values @ weights.T
    taps = gather(operator.grid, values, 0)
    size, rows = operator.grid.channels // operator.groups, operator.rows // operator.groups
    outputs = []
    for group in range(operator.groups):
        mine = taps[:, group * size : (group + 1) * size].transpose(0, 2, 1, 3)
        columns = mine.reshape(len(values), operator.grid.positions, -1)
        outputs.append((columns @ weights[group * rows : (group + 1) * rows].T).transpose(0, 2, 1))
    return np.concatenate(outputs, axis=1).reshape(len(values), -1)


def stage_bits(model: QuantisedModel) -> tuple[int, ...]:
    """What ``QuantisedModel.stage_bits`` gives, faster: in floats, of which sums near a power of two may take one more.

    Args:
        model: stating no bounds of sums.
    """
    layers = tuple(
        QuantisedLayer(tuple(tuple(map(abs, row)) for row in layer.weights), tuple(map(abs, layer.biases)))
        for layer in model.layers
    )
    magnitudes = QuantisedModel(model.architecture, layers, model.fraction_bits)
    values: list[Array] = [np.full((1, model.architecture.inputs), float(1 << model.fraction_bits))]
    needed = []
    for number, stage in enumerate(model.architecture.stages):
        sums = _stage_sums(magnitudes, number, values, np.float64)
        needed.append(int(np.frexp(sums.max() * (1 + 2.0**-40))[1]) + 2)
        if stage.rectifies:
            largest = sums[:, np.array(stage.pool_windows())].max(axis=2)
            kept = largest / 2.0 ** stage.scale_bits(model.fraction_bits)
            most = stage.most(model.fraction_bits)
            sums = np.floor(kept) if most is None else np.minimum(np.floor(kept), most)
            if stage.leak_bits is not None:
                # What is below 0 is rounded down, so away from it.
                below = np.ceil(kept) if stage.cap_bits is None else np.minimum(np.ceil(kept), 2.0**stage.cap_bits)
                sums = np.maximum(sums, np.ceil(below / 2.0**stage.leak_bits))
        values.append(sums)
    return tuple(needed)
