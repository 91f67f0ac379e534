"""A quantised fully connected model: its integers, its meaning in the clear, and its range analysis.

Features and activations have f fraction bits, weights f, and biases and sums 2f. Between layers a ReLU is followed by
dropping the f lowest bits. The last layer's sums, the logits, keep 2f fraction bits: only their order matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.circuits.relu import relu
from capc.errors import InputError
from capc.linear import LayerShape, Matrix


@dataclass(frozen=True, repr=False)
class QuantisedLayer:
    """One fully connected layer. Secret to its answering party, except for the shape.

    Attributes:
        weights: outputs x inputs signed integers, with f fraction bits.
        biases: one per output, with 2f fraction bits.
    """

    weights: Matrix
    biases: tuple[int, ...]

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.weights}
        if len(widths) != 1 or len(self.weights) != len(self.biases) or widths == {0}:
            raise InputError("a layer needs one bias per output and weight rows of one length above 0")

    @property
    def shape(self) -> LayerShape:
        """Inputs and outputs."""
        return LayerShape(len(self.weights[0]), len(self.weights))

    def sums(self, inputs: Sequence[int]) -> list[int]:
        """W x + b over the integers."""
        return [
            sum(w * x for w, x in zip(row, inputs, strict=True)) + bias
            for row, bias in zip(self.weights, self.biases, strict=True)
        ]

    def __repr__(self) -> str:
        return f"<QuantisedLayer {self.shape.inputs}->{self.shape.outputs}>"


@dataclass(frozen=True)
class QuantisedModel:
    """Layers with a ReLU and an exact truncation by f bits between them."""

    layers: tuple[QuantisedLayer, ...]
    fraction_bits: int

    def __post_init__(self) -> None:
        if not self.layers:
            raise InputError("a model without layers: give at least one")
        for number, (before, after) in enumerate(zip(self.layers, self.layers[1:], strict=False), start=1):
            if before.shape.outputs != after.shape.inputs:
                raise InputError(f"layer {number} takes {after.shape.inputs} inputs, gets {before.shape.outputs}")

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Features, hidden widths, classes."""
        return (self.layers[0].shape.inputs, *(layer.shape.outputs for layer in self.layers))

    def logits(self, features: Sequence[int]) -> list[int]:
        """The model's integers on a quantised query, in the clear."""
        values = list(features)
        for layer in self.layers[:-1]:
            values = [relu(z, self.fraction_bits) for z in layer.sums(values)]
        return self.layers[-1].sums(values)

    def check_ranges(self, logit_bits: int) -> None:
        """Refuses a model any of whose sums could reach 2^(l-2) in magnitude, for some features in [-1, 1].

        Comparisons by the sign of a difference, and the ReLU's sign, rely on this bound (CAPC-PARAM-030). The bound
        is the worst case over all features, by the sums of absolute weights; it does not depend on data.

        Raises:
            InputError: names the layer, the bits it needs and the remedy.
        """
        bounds = [1 << self.fraction_bits] * self.layers[0].shape.inputs
        for number, layer in enumerate(self.layers):
            sums = [
                sum(abs(w) * bound for w, bound in zip(row, bounds, strict=True)) + abs(bias)
                for row, bias in zip(layer.weights, layer.biases, strict=True)
            ]
            needed = max(sums).bit_length() + 2
            if needed > logit_bits:
                raise InputError(
                    f"layer {number} of the model needs {needed} bits and the logit ring has {logit_bits}: "
                    "it could wrap; use smaller weights (weight decay), fewer fraction bits or a wider ring"
                )
            bounds = [total >> self.fraction_bits for total in sums]
