"""The stages of a network so far: each is added when it is known in what it ends."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import inf

import numpy as np

from capc.models.architecture import Activation, StageShape
from capc.models.importing.factors import Factors
from capc.models.importing.graph import Floats, Shape, UnsupportedError
from capc.models.importing.lowering import folding
from capc.models.importing.lowering.forms import FloatLayer, RectifiedSums, StageValue, Sums, unchanged
from capc.models.operators import Grid

_MOST_DENOMINATOR = 10**6
"""Of a cap that an architecture states."""


class Stages:
    """Their shapes, real weights, and the nodes that they are for; nothing is added twice."""

    def __init__(self) -> None:
        self.shapes: list[StageShape] = []
        self.layers: list[FloatLayer] = []
        self.places: list[str] = []
        self._made: dict[tuple[Sums | RectifiedSums, Activation], int] = {}

    def make(self, sums: Sums, activation: Activation) -> int:
        """The number of the value of this stage, which is added unless it is there already."""
        if (sums, activation) not in self._made:
            self._made[sums, activation] = self._add(sums, self._shape(sums, activation))
        return self._made[sums, activation]

    def _shape(self, sums: Sums, activation: Activation, grid: Grid | None = None) -> StageShape:
        """Of a stage, whose added sums are made before it."""
        for each in sums.with_those_added()[:-1]:
            if (each, Activation.NONE) not in self._made:
                self._made[each, Activation.NONE] = self._add(each, self._shape_after(each, Activation.NONE))
        return self._shape_after(sums, activation, grid)

    def _shape_after(self, sums: Sums, activation: Activation, grid: Grid | None = None) -> StageShape:
        """Of a stage whose added sums are made."""
        skips = [self._made[each, Activation.NONE] if isinstance(each, Sums) else each for each in sums.skips]
        return StageShape(sums.operator, sums.source.value, activation, tuple(skips), sums.source.pool, grid)

    def _add(self, sums: Sums, stage: StageShape) -> int:
        self.shapes.append(stage)
        self.layers.append(sums.layer)
        self.places.append(sums.place)
        return len(self.shapes)

    def activated(self, form: RectifiedSums) -> StageValue:
        """What the stage of a ReLU makes, alone or with a max pool: max(z - low, 0) at most high - low, plus low.

        Without a bound below it is high - max(high - z, 0).

        Raises:
            UnsupportedError: without a bound below there is a max pool.
        """
        activation = Activation.RELU if form.grid is None else Activation.RELU_MAX_POOL
        key = (form, activation)
        if key not in self._made:
            if form.low == -inf and form.grid is not None:
                raise UnsupportedError("it has no bound below, and a max pool beside it", "put a ReLU before it")
            cap = None if inf in (form.high, -form.low) else _rational(form.high - form.low)
            sums = self._above_the_bound(form)
            shape = self._shape(sums, activation, form.grid)
            self._made[key] = self._add(sums, replace(shape, cap=cap, leak_bits=form.leak_bits))
        value = StageValue(self._made[key], is_signed=form.leak_bits is not None or form.low < 0)
        count = self.shapes[self._made[key] - 1].outputs
        if form.low == -inf:
            return value.times(Factors.one(-1, count), np.full(count, form.high))
        return replace(value, shifts=np.full(count, form.low)) if form.low else value

    def _above_the_bound(self, form: RectifiedSums) -> Sums:
        """What is 0 where the sums are at the bound that their ReLU begins at, and grows from there."""
        sums, low = form.sums, form.low
        if low == 0:
            return sums
        count = sums.operator.outputs
        scales, shift = (Factors.one(-1, count), form.high) if low == -inf else (None, -low)
        return self.affine(sums.place, sums, (count,), scales, np.full(count, shift))

    def value(self, form: StageValue | RectifiedSums | Sums) -> StageValue:
        """A value of the protocol; a ReLU becomes one now, and so do sums without one."""
        if isinstance(form, Sums):
            form = unchanged(form)
        return self.activated(form) if isinstance(form, RectifiedSums) else form

    def copy(self, place: str, source: StageValue, shape: Shape) -> Sums:
        """Sums that are a value itself, with its pool and constants."""
        folded = folding.single_entries(shape, source)
        return Sums(place, folded.operator, folded.layer, source)

    def affine(self, place: str, sums: Sums, shape: Shape, scales: Factors | None, shifts: Floats | None) -> Sums:
        """Constants become part of the weights before them: factors also of those of all sums that are added."""
        if scales is None:
            return replace(sums, layer=folding.affine(sums, None, shifts))
        scaled = sums
        made: dict[int | Sums, int | Sums] = {}
        for each in sums.with_those_added():
            for skip in each.skips:
                if not isinstance(skip, Sums) and skip not in made:
                    made[skip] = self.scaled_skip(place, skip, shape, scales)
            layer = folding.affine(each, scales, shifts if each is sums else None)
            scaled = made[each] = replace(each, layer=layer, skips=tuple(made[skip] for skip in each.skips))
        return scaled

    def scaled_skip(self, place: str, skip: int, shape: Shape, scales: Factors) -> int | Sums:
        """A value of the protocol that is added, times factors."""
        return self.copy(place, StageValue(skip).times(scales, None), shape)


def _rational(cap: float) -> Fraction:
    """What an architecture states: 6 for a 6 that single precision has as 5.9999998."""
    return Fraction(cap).limit_denominator(_MOST_DENOMINATOR)
