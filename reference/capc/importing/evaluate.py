"""Networks and integer models on many rows at once, with NumPy: for reports, before the protocol."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capc.architecture import Activation, StageShape
from capc.importing.graph import (
    INPUT,
    Add,
    Affine,
    AveragePool,
    Conv,
    Floats,
    Graph,
    Linear,
    MaxPool,
    Node,
    Relu,
    Shape,
)
from capc.model import QuantisedLayer, QuantisedModel
from capc.operators import OUTSIDE, Convolution, Dense, Grid, Operator

Array = NDArray[Any]
"""Of floats, of 64-bit integers, or of unbounded ones."""


def float_logits(graph: Graph, features: Floats) -> Floats:
    """The network's logits on n rows of flattened features, in double precision; a softmax is left out."""
    values = {INPUT: features}
    for node in graph.nodes:
        shape = graph.shape(node.inputs[0])
        values[node.name] = _float_value(node, [values[name] for name in node.inputs], shape)
    return values[graph.output]


def _float_value(node: Node, inputs: list[Floats], shape: Shape) -> Floats:  # noqa: PLR0911  # one for each operator
    first = inputs[0]
    match node.op:
        case Linear(weights=weights, biases=biases):
            return first @ weights.T + biases
        case Conv(weights=weights, biases=biases, window=window, groups=groups):
            operator = Convolution(window.on(shape), len(weights), groups)
            positions = operator.grid.positions
            return _linear(operator, weights.reshape(len(weights), -1), first) + np.repeat(biases, positions)
        case Affine(scales=scales, shifts=shifts):
            size = first.shape[1] // len(scales)
            return first * np.repeat(scales, size) + np.repeat(shifts, size)
        case Relu():
            return np.maximum(first, 0.0)
        case AveragePool(window=window, divisor=divisor):
            return np.asarray(_gather(window.on(shape), first, 0.0).sum(axis=3).reshape(len(first), -1) / divisor)
        case MaxPool(window=window):
            return np.asarray(_gather(window.on(shape), first, -np.inf).max(axis=3).reshape(len(first), -1))
        case Add():
            return first + inputs[1]
    return first


def integer_logits(model: QuantisedModel, features: list[list[int]], *, exact_in_64_bits: bool) -> list[list[int]]:
    """What ``QuantisedModel.logits`` gives for each row, faster.

    Args:
        model: the integers.
        features: n quantised queries.
        exact_in_64_bits: range analysis found that no sum leaves 64 bits; otherwise unbounded integers are used.
    """
    kind = np.int64 if exact_in_64_bits else object
    values = [np.array(features, dtype=kind)]
    for number in range(len(model.layers)):
        values.append(_activate(model, number, _stage_sums(model, number, values, kind, absolute=False)))
    return [[int(logit) for logit in row] for row in values[-1].tolist()]


def stage_bits(model: QuantisedModel) -> tuple[int, ...]:
    """For each stage the bits l of a logit ring in which no features in [-1, 1] can wrap it.

    It is what ``QuantisedModel.check_ranges`` compares with l: the worst case over all features, in exact integers.
    """
    bounds = [np.full((1, model.architecture.inputs), 1 << model.fraction_bits, dtype=object)]
    needed = []
    for number in range(len(model.layers)):
        sums = _stage_sums(model, number, bounds, object, absolute=True)
        needed.append(int(sums.max()).bit_length() + 2)
        bounds.append(_activate(model, number, sums))
    return tuple(needed)


def _stage_sums(model: QuantisedModel, number: int, values: list[Array], kind: type, *, absolute: bool) -> Array:
    """A stage's sums; with ``absolute``, of the absolute weights and biases."""
    stage, layer = model.architecture.stages[number], model.layers[number]
    weights, biases = _arrays(layer, kind)
    if absolute:
        weights, biases = abs(weights), abs(biases)
    source = values[stage.source]
    if stage.sum_pool is not None:
        source = _gather(stage.sum_pool.grid, source, 0).sum(axis=3).reshape(len(source), -1)
    sums: Array = _linear(stage.operator, weights, source) + np.repeat(biases, stage.sums // len(biases))
    for skip in stage.skips:
        is_sums = skip > 0 and model.architecture.stages[skip - 1].activation is Activation.NONE
        sums = sums + (values[skip] if is_sums else values[skip] * (1 << model.fraction_bits))
    return sums


def _arrays(layer: QuantisedLayer, kind: type) -> tuple[Array, Array]:
    return np.array(layer.weights, dtype=kind), np.array(layer.biases, dtype=kind)


def _activate(model: QuantisedModel, number: int, sums: Array) -> Array:
    stage: StageShape = model.architecture.stages[number]
    if stage.activation in {Activation.NONE, Activation.VOTE}:
        return sums
    largest = sums[:, np.array(stage.pool_windows())].max(axis=2)
    shifted: Array = np.maximum(largest, 0) >> model.fraction_bits
    return shifted


@lru_cache(maxsize=64)
def _indices(grid: Grid) -> NDArray[np.int64]:
    """Channels x positions x window; OUTSIDE in the padding."""
    first = np.array(grid.windows(0), dtype=np.int64)
    offsets = np.arange(grid.channels)[:, None, None] * (grid.height * grid.width)
    return np.where(first == OUTSIDE, OUTSIDE, first + offsets)


def _gather(grid: Grid, values: Array, outside: float) -> Array:
    """n x channels x positions x window."""
    padded = np.concatenate([values, np.full((len(values), 1), outside, dtype=values.dtype)], axis=1)
    return padded[:, _indices(grid)]


def _linear(operator: Operator, weights: Array, values: Array) -> Array:
    if isinstance(operator, Dense):
        return values @ weights.T
    taps = _gather(operator.grid, values, 0)
    size, rows = operator.grid.channels // operator.groups, operator.rows // operator.groups
    outputs = []
    for group in range(operator.groups):
        mine = taps[:, group * size : (group + 1) * size].transpose(0, 2, 1, 3)
        columns = mine.reshape(len(values), operator.grid.positions, -1)
        outputs.append((columns @ weights[group * rows : (group + 1) * rows].T).transpose(0, 2, 1))
    return np.concatenate(outputs, axis=1).reshape(len(values), -1)
