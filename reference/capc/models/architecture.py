"""The public shape of an answering party's model: its stages, and how values flow between them.

Value 0 is the query; stage k makes value k + 1. A stage takes one earlier value, perhaps sums it over windows, applies
its linear operator, adds biases and earlier values (skips), and ends in an activation. Residual networks are skips.

Fixed point: the query and activations have f fraction bits, a stage's weights q, which is f unless it says otherwise,
and its sums f + q. A skipped activation is scaled by 2^q.

Spec: CAPC-ROLE-022, CAPC-ROLE-016, CAPC-PARAM-042, CAPC-PARAM-066.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from capc.foundation import ring
from capc.foundation.cleartext import leaky_relu, relu
from capc.foundation.errors import InputError
from capc.models.operators import OUTSIDE, Dense, Grid, Operator, SumPool, document

QUERY = 0
"""The number of the value that the query is."""

MAX_STAGES = 255

MOST_LEAK_BITS = 32
"""No slope below 0 is smaller than 2^-32."""

STATED = ("cap_bits", "leak_bits", "sum_bits", "weight_bits")
"""Numbers of a stage that its document has only where the stage states them."""

Rows = tuple[tuple[int, ...], ...]
"""A value, or one party's shares of it: a row for each query of a batch."""


class Activation(StrEnum):
    """What becomes of a stage's sums."""

    RELU = "relu"
    """max(z, 0) >> q, at most the stage's caps if it has some, as fresh shares; with ``leak_bits`` below 0 too."""
    RELU_MAX_POOL = "relu_max_pool"
    """The same of the largest z of each window; it equals pooling before and after the ReLU."""
    NONE = "none"
    """The sums stay as they are shared, with f + q fraction bits; later stages may add them, not operate on them."""
    VOTE = "vote"
    """The last stage: the sums are the logits."""


@dataclass(frozen=True)
class StageShape:
    """What is public about one stage.

    Attributes:
        operator: the linear operator.
        source: the number of the value it takes.
        activation: what becomes of its sums.
        skips: numbers of earlier values that are added to its sums.
        sum_pool: windows over which both parties sum their shares of the source first, or None.
        max_pool: the windows of RELU_MAX_POOL over the operator's outputs, else None.
        cap: a ReLU becomes no more than this, 6 for ReLU6; c is this in units of 2^-f. None: no such cap.
        leak_bits: s, where sums below 0 are not 0 but 2^-s times themselves; 0 where they stay as they are, so that
            there is no ReLU. None: they are 0.
        cap_bits: k, where no element of the value is more than 2^k - 1: a ReLU saturates there. None: no cap. Unlike
            ``cap`` it is no part of what the network computes, but a figure: chosen so that sums stay small.
        weight_bits: q, the fraction bits of its weights; None for f.
        sum_bits: B, where no sum of products and bias is above 2^B - 1 in magnitude, before skips; None: not stated.
    """

    operator: Operator
    source: int
    activation: Activation
    skips: tuple[int, ...] = ()
    sum_pool: SumPool | None = None
    max_pool: Grid | None = None
    cap: Fraction | None = None
    leak_bits: int | None = None
    cap_bits: int | None = None
    weight_bits: int | None = None
    sum_bits: int | None = None

    @property
    def inputs(self) -> int:
        """Length of the source value."""
        return self.operator.inputs if self.sum_pool is None else self.sum_pool.inputs

    @property
    def sums(self) -> int:
        """How many sums the stage has."""
        return self.operator.outputs

    @property
    def outputs(self) -> int:
        """Length of the value that the stage makes."""
        return self.sums if self.max_pool is None else self.max_pool.channels * self.max_pool.positions

    def pool_share(self, share: Sequence[int], width: int) -> list[int]:
        """One party's share of the operator's input in Z_{2^width}, from its share of the source value."""
        if self.sum_pool is None:
            return list(share)
        return [ring.reduce(total, width) for total in self.sum_pool.apply(share)]

    @property
    def window_size(self) -> int:
        """Sums in each window of the activation; 1 without a max pool."""
        return 1 if self.max_pool is None else self.max_pool.kernel[0] * self.max_pool.kernel[1]

    def pool_windows(self) -> list[tuple[int, ...]]:
        """For each output of RELU_MAX_POOL the sums it is the largest of, ``window_size`` of them.

        A place in the padding is filled with another place of the window, which does not change the largest.
        """
        if self.max_pool is None:
            return [(index,) for index in range(self.sums)]
        windows = []
        for channel in range(self.max_pool.channels):
            for window in self.max_pool.windows(channel):
                inside = next(index for index in window if index != OUTSIDE)
                windows.append(tuple(inside if index == OUTSIDE else index for index in window))
        return windows

    def scale_bits(self, fraction_bits: int) -> int:
        """q: from an activation to this stage's sums, and what its ReLU drops.

        Args:
            fraction_bits: f of the session.
        """
        return fraction_bits if self.weight_bits is None else self.weight_bits

    @property
    def rectifies(self) -> bool:
        """Whether it ends in a ReLU, of whatever kind."""
        return self.activation in {Activation.RELU, Activation.RELU_MAX_POOL}

    def most(self, fraction_bits: int) -> int | None:
        """The largest element of a ReLU without a leak, c or 2^k - 1; None without a cap.

        Args:
            fraction_bits: f of the session.
        """
        of_network = None if self.cap is None else round(self.cap * (1 << fraction_bits))
        of_figures = None if self.cap_bits is None else (1 << self.cap_bits) - 1
        return min((cap for cap in (of_network, of_figures) if cap is not None), default=None)

    def activated(self, z: int, fraction_bits: int) -> int:
        """What a ReLU makes of a sum, or of the largest of its window.

        Args:
            z: signed.
            fraction_bits: f of the session.
        """
        dropped = self.scale_bits(fraction_bits)
        if self.leak_bits is not None:
            return leaky_relu(z, dropped, self.leak_bits, self.cap_bits)
        return relu(z, dropped, cap=self.most(fraction_bits))

    def bound(self, total: int | None, fraction_bits: int) -> int | None:
        """The bound of an element, in magnitude, from that of its sum; None where nothing says.

        Args:
            total: not negative; None if nothing bounds the sum.
            fraction_bits: f of the session.
        """
        if not self.rectifies:
            return total
        if total is None:
            return self.most(fraction_bits)
        return max(self.activated(total, fraction_bits), -self.activated(-total, fraction_bits))

    def document(self) -> dict[str, object]:
        """The stage as the session document holds it; what it does not state is left out."""
        stated = {name: getattr(self, name) for name in STATED if getattr(self, name) is not None}
        if self.cap is not None:
            stated["cap"] = str(self.cap)
        return stated | {
            "activation": self.activation.value,
            "max_pool": None if self.max_pool is None else document(self.max_pool),
            "operator": document(self.operator),
            "skips": list(self.skips),
            "source": self.source,
            "sum_pool": None if self.sum_pool is None else document(self.sum_pool),
        }


@dataclass(frozen=True)
class Architecture:
    """All stages of a model, in order. Public: it is part of the session, and chosen independently of private data.

    Raises:
        InputError: names the first stage that does not fit, and why.
    """

    stages: tuple[StageShape, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.stages) <= MAX_STAGES:
            raise InputError(f"a model of {len(self.stages)} layers: choose 1 to {MAX_STAGES}")
        lengths = [self.stages[0].inputs]
        for number, stage in enumerate(self.stages):
            problem = _problem(stage, number, lengths, self.stages[:number], is_last=number == len(self.stages) - 1)
            if problem is not None:
                raise InputError(f"layer {number} of the model {problem}")
            lengths.append(stage.outputs)

    @property
    def hidden_activations(self) -> int:
        """How many stages before the last have an activation, and with it circuits."""
        return sum(stage.activation is not Activation.NONE for stage in self.stages[:-1])

    @property
    def inputs(self) -> int:
        """d, the length of a query."""
        return self.stages[0].inputs

    @property
    def outputs(self) -> int:
        """C, the number of logits."""
        return self.stages[-1].outputs

    def _is_sums(self, value: int) -> bool:
        return value != QUERY and self.stages[value - 1].activation is Activation.NONE

    @cached_property
    def responses_added(self) -> tuple[int, ...]:
        """For each stage, of how many encrypted products its sums are made: its own, and those of skipped sums."""
        added: list[int] = []
        for stage in self.stages:
            added.append(1 + sum(added[skip - 1] for skip in stage.skips if self._is_sums(skip)))
        return tuple(added)

    def skipped(self, stage: int, values: Sequence[Sequence[int]], scale_bits: int) -> list[list[int]]:
        """The values that a stage adds to its sums, each at the scale of sums; of shares it makes shares.

        Args:
            stage: its number.
            values: value 0, the query, and those of the stages before, or one party's shares of them.
            scale_bits: from an activation to this stage's sums: q.
        """
        scaled = []
        for skip in self.stages[stage].skips:
            shift = 0 if self._is_sums(skip) else scale_bits
            scaled.append([value << shift for value in values[skip]])
        return scaled

    def add_skipped(
        self,
        stage: int,
        sums: Sequence[Sequence[int]],
        values: Sequence[Sequence[Sequence[int]]],
        scale_bits: int,
        width: int,
    ) -> Rows:
        """One party's shares of a stage's sums in Z_{2^width} with its shares of the skipped values added.

        Args:
            stage: its number.
            sums: its shares without them, a row for each query.
            values: for each value so far a row for each query.
            scale_bits: q + h, from an activation to this stage's sums with guard bits.
            width: T.
        """
        if not self.stages[stage].skips:
            return tuple(tuple(row) for row in sums)
        totals = []
        for query, row in enumerate(sums):
            total = list(row)
            for scaled in self.skipped(stage, [value[query] for value in values], scale_bits):
                total = ring.add(total, scaled, width)
            totals.append(tuple(total))
        return tuple(totals)

    def stated_bounds(self, fraction_bits: int) -> tuple[tuple[int | None, int | None], ...]:
        """For each stage, of the figures that are stated alone: the largest input of its operator, and of its sums.

        Magnitudes; None where no figure says.

        Args:
            fraction_bits: f.
        """
        values: list[int | None] = [1 << fraction_bits]
        found = []
        for stage in self.stages:
            taken, scale = values[stage.source], stage.scale_bits(fraction_bits)
            if taken is not None and stage.sum_pool is not None:
                taken *= stage.sum_pool.most_summed
            parts = [None if stage.sum_bits is None else (1 << stage.sum_bits) - 1]
            for skip in stage.skips:
                added = values[skip]
                parts.append(None if added is None else added << (0 if self._is_sums(skip) else scale))
            known = [part for part in parts if part is not None]
            total = sum(known) if len(known) == len(parts) else None
            found.append((taken, total))
            values.append(stage.bound(total, fraction_bits))
        return tuple(found)

    def document(self) -> list[dict[str, object]]:
        """The architecture as the session document holds it."""
        return [stage.document() for stage in self.stages]


def _problem(
    stage: StageShape, number: int, lengths: list[int], before: tuple[StageShape, ...], *, is_last: bool
) -> str | None:
    """Why a stage does not fit the values before it, or None."""
    if is_last != (stage.activation is Activation.VOTE):
        return f"has the activation {stage.activation.value}: the last stage, and no other, votes"
    return (
        _problem_of_inputs(stage, number, lengths, before)
        or _problem_of_pools(stage)
        or _problem_of_kind(stage)
        or _problem_of_figures(stage, before)
    )


def _problem_of_inputs(
    stage: StageShape, number: int, lengths: list[int], before: tuple[StageShape, ...]
) -> str | None:
    if not 0 <= stage.source <= number or any(not 0 <= skip <= number for skip in stage.skips):
        return f"takes values {(stage.source, *stage.skips)}: choose from 0 to {number}"
    if stage.source != QUERY and before[stage.source - 1].activation is Activation.NONE:
        return f"operates on value {stage.source}, which are sums: give its stage an activation"
    if stage.inputs != lengths[stage.source]:
        return f"takes {stage.inputs} inputs, value {stage.source} has {lengths[stage.source]}"
    for skip in stage.skips:
        if lengths[skip] != stage.sums:
            return f"has {stage.sums} sums and adds value {skip} of length {lengths[skip]}"
    return None


def _problem_of_pools(stage: StageShape) -> str | None:
    if stage.sum_pool is not None and stage.sum_pool.outputs != stage.operator.inputs:
        return f"its operator takes {stage.operator.inputs} inputs, its pool gives {stage.sum_pool.outputs}"
    if (stage.max_pool is None) != (stage.activation is not Activation.RELU_MAX_POOL):
        return f"has the activation {stage.activation.value}: give windows exactly for relu_max_pool"
    if stage.max_pool is not None and stage.max_pool.inputs != stage.sums:
        return f"has {stage.sums} sums and pools {stage.max_pool.inputs}"
    if stage.max_pool is not None and any(set(window) == {OUTSIDE} for window in stage.max_pool.windows(0)):
        return "has a pool with a window that lies in the padding only: choose a smaller padding"
    return None


def _problem_of_kind(stage: StageShape) -> str | None:
    if stage.cap is not None and (stage.cap <= 0 or not stage.rectifies):
        return f"has the cap {stage.cap} and the activation {stage.activation.value}: choose above 0, of ReLUs"
    if stage.leak_bits is not None and (not 0 <= stage.leak_bits <= MOST_LEAK_BITS or not stage.rectifies):
        return (
            f"has leak_bits = {stage.leak_bits} and the activation {stage.activation.value}: choose 0 to "
            f"{MOST_LEAK_BITS}, of ReLUs"
        )
    if stage.leak_bits is not None and stage.cap is not None:
        return f"has leak_bits = {stage.leak_bits} and the cap {stage.cap}: choose one of them"
    return None


def _problem_of_figures(stage: StageShape, before: tuple[StageShape, ...]) -> str | None:
    if stage.cap_bits is not None and (stage.cap_bits < 1 or not stage.rectifies):
        return (
            f"has cap_bits = {stage.cap_bits} and the activation {stage.activation.value}: choose 1 or more, of ReLUs"
        )
    if stage.weight_bits is not None and stage.weight_bits < 0:
        return f"has weight_bits = {stage.weight_bits}: choose 0 or more"
    if stage.sum_bits is not None and stage.sum_bits < 1:
        return f"has sum_bits = {stage.sum_bits}: choose 1 or more"
    for skip in stage.skips:
        added = None if skip == QUERY else before[skip - 1]
        if added is not None and added.activation is Activation.NONE and added.weight_bits != stage.weight_bits:
            return (
                f"has weight_bits = {stage.weight_bits} and adds the sums of layer {skip - 1} with "
                f"{added.weight_bits}: choose the same"
            )
    return None


def dense_architecture(sizes: tuple[int, ...]) -> Architecture:
    """A fully connected network with ReLUs, from its widths: features, hidden widths, classes."""
    last = len(sizes) - 2
    return Architecture(
        tuple(
            StageShape(Dense(inputs, outputs), number, Activation.VOTE if number == last else Activation.RELU)
            for number, (inputs, outputs) in enumerate(pairwise(sizes))
        )
    )


FEWEST_CLASSES = 2

MOST_CLASSES = 1024
"""The classes of a session."""
