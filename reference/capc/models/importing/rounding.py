"""How much of what a network's weights tell is lost when they are rounded, stage by stage (CAPC-PARAM-044).

Mean squares are carried through the stages, channel by channel, from features of size 1 to the logits, with the squares
of the weights; what the rounding of one stage adds is carried on by the stages after it. So a small row that nothing
uses does not count, and one that a later stage makes large again does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from capc.foundation.hidden import type_only
from capc.models.architecture import StageShape
from capc.models.importing.graph import Floats, Graph, refusal
from capc.models.importing.lower import LoweredModel
from capc.models.importing.lowering.forms import FloatLayer
from capc.models.operators import Convolution, Operator

MOST_LOST = 1 / 8
"""Of the logits, in root mean square."""
_NOISE = 1e-12
"""Differences of weights below this part of the largest are the noise of double precision."""


@dataclass(frozen=True, eq=False)
class _Squares:
    """A stage's weights, and what rounding takes from them, squared: rows x channels of its input."""

    shape: StageShape
    kept: Floats
    lost: Floats

    __repr__ = type_only


def check_rounding(graph: Graph, lowered: LoweredModel, fraction_bits: int) -> None:
    """Refuses a network of which the rounding of one stage changes the logits by more than an eighth.

    Args:
        graph: what was read.
        lowered: its stages.
        fraction_bits: f.

    Raises:
        InputError: names the first such stage, what it loses and the remedy.
    """
    kinds = {node.name: node.kind for node in graph.nodes}
    losses = stage_losses(lowered, fraction_bits)
    for place, stage, lost in zip(lowered.places, lowered.architecture.stages, losses, strict=True):
        scale = stage.scale_bits(fraction_bits)
        if lost > MOST_LOST:
            problem = (
                f"rounding its weights, with pools and normalisations folded in, to {scale} fraction bits "
                f"loses {lost:.0%} of what they tell, more than {MOST_LOST:.1%}"
            )
            remedy = "pool less, or scale them up and a later layer, if there is one, down; or use more fraction bits"
            raise refusal(kinds.get(place, "output"), place, problem, remedy)


def stage_losses(lowered: LoweredModel, fraction_bits: int) -> tuple[float, ...]:
    """For each stage what the rounding of its weights changes of the logits, relative to them, in root mean square.

    What all logits have in common tells no class, and does not count.

    Args:
        lowered: stages with real weights.
        fraction_bits: f.
    """
    shapes = lowered.architecture.stages
    stages = [
        _squares(shape, layer, shape.scale_bits(fraction_bits), is_last=number == len(shapes) - 1)
        for number, (shape, layer) in enumerate(zip(shapes, lowered.layers, strict=True))
    ]
    # Numbers beyond double precision are far beyond every logit ring, too: the range check refuses them.
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = _sizes(stages)
        influence = _influence(stages, [len(size) for size in sizes])
        logits = float(sizes[-1].sum())
        changed = [
            float(influence[number + 1] @ stage.lost @ _taken(stage.shape, sizes[stage.shape.source]))
            for number, stage in enumerate(stages)
        ]
    return tuple((part / logits) ** 0.5 if 0 < logits < np.inf else 0.0 for part in changed)


def _squares(shape: StageShape, layer: FloatLayer, scale_bits: int, *, is_last: bool) -> _Squares:
    weights = layer.weights
    # The error is exact: a weight and its rounding are multiples of the same power of two.
    with np.errstate(over="ignore", invalid="ignore"):
        error = weights - np.ldexp(np.rint(np.ldexp(weights, scale_bits)), -scale_bits)
    if is_last and not (isinstance(shape.operator, Convolution) and shape.operator.groups > 1):
        noise = _NOISE * float(np.abs(weights).max())
        weights, error = (_without_common_part(array, noise) for array in (weights, error))
    area = 1 if shape.sum_pool is None else prod(shape.sum_pool.grid.kernel)
    with np.errstate(over="ignore", invalid="ignore"):
        return _Squares(
            shape, area * _by_channel(shape.operator, weights**2), area * _by_channel(shape.operator, error**2)
        )


def _without_common_part(rows: Floats, noise: float) -> Floats:
    own = rows - rows.mean(axis=0)
    return np.where(np.abs(own) > noise, own, 0.0)


def _by_channel(operator: Operator, squares: Floats) -> Floats:
    """Rows x channels of the input, summed over the kernel; the inputs of a dense layer are channels."""
    if not isinstance(operator, Convolution):
        return squares
    size = operator.grid.channels // operator.groups
    full = np.zeros((operator.rows, operator.grid.channels))
    for row, taps in enumerate(squares.reshape(operator.rows, size, -1).sum(axis=2)):
        channels = operator.group_channels(row)
        full[row, channels.start : channels.stop] = taps
    return full


def _sizes(stages: Sequence[_Squares]) -> list[Floats]:
    """The mean square of each value, by its channels; of the query, and then of what each stage makes."""
    sizes = [np.ones(1)]
    for stage in stages:
        size = stage.kept @ _taken(stage.shape, sizes[stage.shape.source])
        for skip in stage.shape.skips:
            size = size + _means(sizes[skip], len(size), stage.shape.sums)
        sizes.append(size)
    return sizes


def _taken(shape: StageShape, size: Floats) -> Floats:
    """What a stage's operator takes of its source: one mean square for each channel of its input."""
    if shape.sum_pool is not None:
        size = _means(size, shape.sum_pool.grid.channels, shape.sum_pool.inputs)
    operator = shape.operator
    return _means(
        size, operator.grid.channels if isinstance(operator, Convolution) else operator.inputs, operator.inputs
    )


def _influence(stages: Sequence[_Squares], channels: Sequence[int]) -> list[Floats]:
    """How much each channel of each value adds to the squares of all logits, per mean square."""
    influence = [np.zeros(count) for count in channels]
    influence[-1] = np.ones(channels[-1])
    for number in reversed(range(len(stages))):
        stage, own = stages[number], influence[number + 1]
        source, shape = stage.shape.source, stage.shape
        carried = own @ stage.kept
        if shape.sum_pool is not None:
            carried = _totals(carried, shape.sum_pool.grid.channels, shape.operator.inputs)
        influence[source] = influence[source] + _totals(carried, channels[source], shape.inputs)
        for skip in shape.skips:
            influence[skip] = influence[skip] + _totals(own, channels[skip], shape.sums)
    return influence


def _means(size: Floats, channels: int, length: int) -> Floats:
    """The mean squares of a value of this length, divided into other channels."""
    if len(size) == channels:
        return size
    return np.asarray(np.repeat(size, length // len(size)).reshape(channels, -1).mean(axis=1))


def _totals(influence: Floats, channels: int, length: int) -> Floats:
    """The influence of a value of this length, divided into other channels."""
    if len(influence) == channels:
        return influence
    each = length // len(influence)
    return np.asarray(np.repeat(influence / each, each).reshape(channels, -1).sum(axis=1))
