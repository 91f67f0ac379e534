"""A quantised model: its integers, its meaning in the clear, and its range analysis.

The query and activations have f fraction bits, weights f, and biases and sums 2f. The last stage's sums, the logits,
keep 2f fraction bits: only their order matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation.cleartext import relu
from capc.foundation.errors import InputError
from capc.models.architecture import Activation, Architecture, StageShape, dense_architecture
from capc.models.operators import Matrix, apply, check_biases, check_weights, per_output


@dataclass(frozen=True, repr=False)
class QuantisedLayer:
    """The weights and biases of one stage. Secret to its answering party, except for the shape.

    Attributes:
        weights: rows of signed integers with f fraction bits; see :mod:`capc.models.operators`.
        biases: one per row, or one per sum of the stage, with 2f fraction bits.
    """

    weights: Matrix
    biases: tuple[int, ...]

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.weights}
        if len(widths) != 1 or not self.biases or len(self.biases) % len(self.weights) or widths == {0}:
            raise InputError("a layer needs one bias per row of weights, or per sum, and rows of one length above 0")

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
            for scaled in self.architecture.skipped(number, values, self.fraction_bits):
                sums = [total + skipped for total, skipped in zip(sums, scaled, strict=True)]
            values.append(self._activate(stage, sums))
        return values[-1]

    def _activate(self, stage: StageShape, sums: list[int]) -> list[int]:
        if stage.activation in {Activation.NONE, Activation.VOTE}:
            return sums
        return [relu(max(sums[index] for index in window), self.fraction_bits) for window in stage.pool_windows()]

    def check_ranges(self, logit_bits: int) -> None:
        """Refuses a model any of whose sums could reach 2^(l-2) in magnitude, for some features in [-1, 1].

        Comparisons by the sign of a difference, and the ReLU's sign, rely on this bound (CAPC-PARAM-030). The bound
        is the worst case over all features, by the sums of absolute weights; it does not depend on data.

        Raises:
            InputError: names the stage, the bits it needs and the remedy.
        """
        for number, needed in enumerate(self.stage_bits()):
            if needed > logit_bits:
                raise InputError(
                    f"layer {number} of the model needs {needed} bits and the logit ring has {logit_bits}: "
                    "it could wrap; use smaller weights (weight decay), fewer fraction bits or a wider ring"
                )

    def stage_bits(self) -> tuple[int, ...]:
        """For each stage the bits l of the smallest logit ring that no features in [-1, 1] can make wrap."""
        needed = []
        bounds = [[1 << self.fraction_bits] * self.architecture.inputs]
        for number, (stage, layer) in enumerate(zip(self.architecture.stages, self.layers, strict=True)):
            source = bounds[stage.source]
            if stage.sum_pool is not None:
                source = stage.sum_pool.apply(source)
            magnitudes = tuple(tuple(map(abs, row)) for row in layer.weights)
            sums = apply(stage.operator, magnitudes, source)
            biases = per_output(stage.operator, layer.biases)
            sums = [total + abs(bias) for total, bias in zip(sums, biases, strict=True)]
            for scaled in self.architecture.skipped(number, bounds, self.fraction_bits):
                sums = [total + skipped for total, skipped in zip(sums, scaled, strict=True)]
            needed.append(max(sums).bit_length() + 2)
            bounds.append(self._activate(stage, sums))
        return tuple(needed)


def dense_model(layers: Sequence[QuantisedLayer], fraction_bits: int) -> QuantisedModel:
    """A fully connected network with ReLUs, from its weights.

    Raises:
        InputError: there is no layer, or a layer's inputs are not the outputs of the one before.
    """
    if not layers:
        raise InputError("a model without layers: give at least one")
    sizes = (len(layers[0].weights[0]), *(len(layer.weights) for layer in layers))
    return QuantisedModel(dense_architecture(sizes), tuple(layers), fraction_bits)
