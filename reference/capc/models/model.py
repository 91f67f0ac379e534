"""A quantised model: its integers, its meaning in the clear, and its range analysis.

The query and activations have f fraction bits, a stage's weights q (f unless the architecture states another), and its
biases and sums f + q. The last stage's sums, the logits, keep theirs: only their order matters.

Spec: CAPC-PARAM-053.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc.models.architecture import Architecture, StageShape, dense_architecture
from capc.models.operators import Matrix, apply, check_biases, check_weights, per_output


@dataclass(frozen=True, repr=False)
class QuantisedLayer:
    """The weights and biases of one stage. Secret to its answering party, except for the shape.

    Attributes:
        weights: rows of signed integers with q fraction bits; see :mod:`capc.models.operators`.
        biases: one per row, or one per sum of the stage, with f + q fraction bits.
    """

    weights: Matrix
    biases: tuple[int, ...]

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.weights}
        if len(widths) != 1 or not self.biases or len(self.biases) % len(self.weights) or widths == {0}:
            raise InputError("a layer needs one bias per row of weights, or per sum, and rows of one length above 0")

    def rows(self) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Each row of weights with its biases."""
        each = len(self.biases) // len(self.weights)
        for number, weights in enumerate(self.weights):
            yield weights, self.biases[number * each : (number + 1) * each]

    def __repr__(self) -> str:
        return f"<QuantisedLayer {len(self.weights[0])}->{len(self.weights)}>"


@dataclass(frozen=True)
class QuantisedModel:
    """An architecture with weights.

    Raises:
        InputError: a stage's weights do not fit its operator.
    """

    architecture: Architecture
    layers: tuple[QuantisedLayer, ...]
    fraction_bits: int

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.architecture.stages):
            stages = len(self.architecture.stages)
            raise InputError(f"{len(self.layers)} layers of weights for {stages} stages: give one each")
        for number, (stage, layer) in enumerate(zip(self.architecture.stages, self.layers, strict=True)):
            try:
                check_weights(stage.operator, layer.weights)
                check_biases(stage.operator, len(layer.biases))
            except InputError as error:
                raise InputError(f"layer {number}: {error}") from None

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Lengths of all values: features, what each stage makes, and last the classes."""
        return (self.architecture.inputs, *(stage.outputs for stage in self.architecture.stages))

    def logits(self, features: Sequence[int]) -> list[int]:
        """The model's integers on a quantised query, in the clear."""
        values = [list(features)]
        for number, (stage, layer) in enumerate(zip(self.architecture.stages, self.layers, strict=True)):
            source = values[stage.source]
            if stage.sum_pool is not None:
                source = stage.sum_pool.apply(source)
            sums = apply(stage.operator, layer.weights, source)
            sums = [total + bias for total, bias in zip(sums, per_output(stage.operator, layer.biases), strict=True)]
            for scaled in self.architecture.skipped(number, values, stage.scale_bits(self.fraction_bits)):
                sums = [total + skipped for total, skipped in zip(sums, scaled, strict=True)]
            values.append(self._activate(stage, sums))
        return values[-1]

    def _activate(self, stage: StageShape, sums: list[int]) -> list[int]:
        if not stage.rectifies:
            return sums
        largest = (max(sums[index] for index in window) for window in stage.pool_windows())
        return [stage.activated(z, self.fraction_bits) for z in largest]

    def check_ranges(self, logit_bits: int) -> None:
        """Refuses a model any of whose sums could reach 2^(l-2) in magnitude, for some features in [-1, 1].

        Comparisons by the sign of a difference, and the ReLU's sign, rely on this bound (CAPC-PARAM-030). The bound
        is the worst case over all features, by the sums of absolute weights; it does not depend on data. Where a stage
        states ``sum_bits``, that is its bound, whatever its weights are, and rows above it are refused.

        Raises:
            InputError: names the stage, the bits it needs and the remedy; or a row that is above what its stage states.
        """
        self._check_rows()
        for number, needed in enumerate(self.stage_bits()):
            if needed > logit_bits:
                raise InputError(
                    f"layer {number} of the model needs {needed} bits and the logit ring has {logit_bits}: "
                    "it could wrap; use smaller weights (weight decay), fewer fraction bits or a wider ring"
                )

    def _check_rows(self) -> None:
        bounds = self.architecture.stated_bounds(self.fraction_bits)
        for number, (stage, layer, (taken, _)) in enumerate(
            zip(self.architecture.stages, self.layers, bounds, strict=True)
        ):
            if stage.sum_bits is None:
                continue
            if taken is None:
                raise InputError(
                    f"layer {number} of the model states sum_bits, and nothing bounds the value that it takes: give "
                    "the layer that makes it a cap"
                )
            most = (1 << stage.sum_bits) - 1
            if any(row_bound(*row, taken) > most for row in layer.rows()):
                raise InputError(
                    f"layer {number} of the model has a row above its sum_bits = {stage.sum_bits}: clip its weights"
                )

    def stage_bits(self) -> tuple[int, ...]:
        """For each stage the bits l of the smallest logit ring that no features in [-1, 1] can make wrap."""
        needed = []
        bounds = [[1 << self.fraction_bits] * self.architecture.inputs]
        for number, (stage, layer) in enumerate(zip(self.architecture.stages, self.layers, strict=True)):
            source = bounds[stage.source]
            if stage.sum_pool is not None:
                source = stage.sum_pool.apply(source)
            sums = _own_bounds(stage, layer, source)
            for scaled in self.architecture.skipped(number, bounds, stage.scale_bits(self.fraction_bits)):
                sums = [total + skipped for total, skipped in zip(sums, scaled, strict=True)]
            needed.append(max(sums).bit_length() + 2)
            largest = sums if not stage.rectifies else [max(sums[i] for i in window) for window in stage.pool_windows()]
            bounds.append([stage.bound(total, self.fraction_bits) or 0 for total in largest])
        return tuple(needed)


def row_bound(weights: Sequence[int], biases: Sequence[int], taken: int) -> int:
    """The largest sum of products and a bias of one row, in magnitude, on inputs of at most ``taken``."""
    return sum(map(abs, weights)) * taken + max(map(abs, biases))


def _own_bounds(stage: StageShape, layer: QuantisedLayer, source: Sequence[int]) -> list[int]:
    """For each sum the bound of its products and bias: what the stage states, or what its weights give."""
    if stage.sum_bits is not None:
        return [(1 << stage.sum_bits) - 1] * stage.sums
    magnitudes = tuple(tuple(map(abs, row)) for row in layer.weights)
    biases = per_output(stage.operator, layer.biases)
    products = apply(stage.operator, magnitudes, source)
    return [total + abs(bias) for total, bias in zip(products, biases, strict=True)]


def dense_model(layers: Sequence[QuantisedLayer], fraction_bits: int) -> QuantisedModel:
    """A fully connected network with ReLUs, from its weights.

    Raises:
        InputError: there is no layer, or a layer's inputs are not the outputs of the one before.
    """
    if not layers:
        raise InputError("a model without layers: give at least one")
    sizes = (len(layers[0].weights[0]), *(len(layer.weights) for layer in layers))
    return QuantisedModel(dense_architecture(sizes), tuple(layers), fraction_bits)
