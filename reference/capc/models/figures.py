"""The figures that an architecture states, by rules from public figures alone (CAPC-PARAM-058, CAPC-PARAM-059).

Nothing here sees a weight: two parties with networks of the same shape state the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

from capc.foundation.errors import InputError
from capc.models.architecture import QUERY, Activation, Architecture, StageShape

CAP_ABOVE_ONE = 3
"""Activations saturate at 2^3 unless another cap is chosen: k = f + 3."""
ROW_FACTOR = 4.0
"""A row of n weights is taken to have absolute sum 4 sqrt(n), eight times what random initial weights have."""


def without_figures(architecture: Architecture) -> Architecture:
    """The same stages, stating nothing."""
    return _changed(architecture, lambda _, stage: replace(stage, cap_bits=None, weight_bits=None, sum_bits=None))


def scaled(architecture: Architecture, fraction_bits: int) -> Architecture:
    """Weights that a large average pool divides by n get more fraction bits, so that at least f / 2 of them are left.

    q = ceil(log2 n) + f - floor(f / 2), where that is more than f; the largest of stages whose sums are added.

    Args:
        architecture: stating nothing.
        fraction_bits: f.
    """
    wanted = [_pool_bits(stage) + fraction_bits - fraction_bits // 2 for stage in architecture.stages]
    common = {group: max(wanted[number] for number in group) for group in _groups(architecture)}
    scales = {number: bits for group, bits in common.items() for number in group if bits > fraction_bits}
    return _changed(architecture, lambda number, stage: replace(stage, weight_bits=scales.get(number)))


def bounded(
    architecture: Architecture, fraction_bits: int, logit_bits: int, cap_bits: int | None = None
) -> Architecture:
    """Caps, scales and bounds of sums for every stage, such that no weights at all can make it wrap.

    1. Each ReLU has a cap of k bits, beside that of the network if it has one.
    2. Stages whose sums are added have the same q. It is the largest with which a row whose absolute sum is 4 sqrt(n),
       for n weights, divided by the places of its sum pool, is within 3, on inputs at their bounds.
    3. 2^(l-2) - 1, less what skips of activations can add, is divided by the number of products that are added up in a
       sum, and ``sum_bits`` is the largest B with 2^B - 1 at most that.

    Args:
        architecture: its own figures are ignored.
        fraction_bits: f.
        logit_bits: l.
        cap_bits: k; None for f + 3.

    Raises:
        InputError: not even weights without fraction bits would fit; names the stage.
    """
    cap = fraction_bits + CAP_ABOVE_ONE if cap_bits is None else cap_bits
    capped = _changed(
        without_figures(architecture),
        lambda _, stage: replace(stage, cap_bits=cap if stage.rectifies else None),
    )
    figures: dict[int, tuple[int, int]] = {}
    for group in _groups(capped):
        figures |= _figures(capped, group, fraction_bits, logit_bits, cap)
    return _changed(
        capped, lambda number, stage: replace(stage, weight_bits=figures[number][0], sum_bits=figures[number][1])
    )


def _figures(
    architecture: Architecture, group: tuple[int, ...], fraction_bits: int, logit_bits: int, cap_bits: int
) -> dict[int, tuple[int, int]]:
    """q and B of stages whose sums are added."""
    products = max(architecture.responses_added[number] for number in group)
    added = max(_activations_added(architecture, number, fraction_bits) for number in group)
    takes = architecture.stated_bounds(fraction_bits)
    for q in range(logit_bits - 2 - cap_bits, -1, -1):
        room = ((1 << logit_bits - 2) - 1 - (added << q)) // products
        bits = (room + 1).bit_length() - 1 if room > 0 else 0
        reaches = [_row_size(architecture.stages[number]) * (takes[number][0] or 0) for number in group]
        if bits >= 1 and max(reaches) * 2.0**q <= (1 << bits) - 1:
            return dict.fromkeys(group, (q, bits))
    raise InputError(
        f"layer {group[0]} of the model does not fit a logit ring of {logit_bits} bits with caps of {cap_bits}: choose "
        "a smaller cap or pool, or fewer additions before a ReLU"
    )


def _row_size(stage: StageShape) -> float:
    places = 1 if stage.sum_pool is None else stage.sum_pool.most_summed
    return ROW_FACTOR * sqrt(stage.operator.columns) / places


def _activations_added(architecture: Architecture, number: int, fraction_bits: int) -> int:
    """What skips of activations add to a stage's sums at most, and those of the sums that it adds, at scale 1."""
    total = 0
    for skip in architecture.stages[number].skips:
        stage = None if skip == QUERY else architecture.stages[skip - 1]
        if stage is not None and stage.activation is Activation.NONE:
            total += _activations_added(architecture, skip - 1, fraction_bits)
        else:
            total += 1 << (fraction_bits if stage is None or stage.cap_bits is None else stage.cap_bits)
    return total


def _pool_bits(stage: StageShape) -> int:
    return 0 if stage.sum_pool is None else (stage.sum_pool.most_summed - 1).bit_length()


def _groups(architecture: Architecture) -> list[tuple[int, ...]]:
    """The numbers of stages, those together of which one adds the sums of the other."""
    group = {number: {number} for number in range(len(architecture.stages))}
    for number, stage in enumerate(architecture.stages):
        for skip in stage.skips:
            if skip != QUERY and architecture.stages[skip - 1].activation is Activation.NONE:
                together = group[number] | group[skip - 1]
                group |= dict.fromkeys(together, together)
    return sorted({tuple(sorted(members)) for members in group.values()})


def _changed(architecture: Architecture, change: Callable[[int, StageShape], StageShape]) -> Architecture:
    return Architecture(tuple(change(number, stage) for number, stage in enumerate(architecture.stages)))
