"""A network whose activations are squares: in the clear, its worst case, and as the products that CKKS evaluates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class SquareNetwork:
    """Fully connected layers with x -> x^2 between them. Secret to its answering party, except for the shapes.

    A convolution is the fully connected layer of its unrolled matrix.

    Attributes:
        weights: one matrix for each layer, outputs x inputs.
        biases: one vector for each layer.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lengths of all values: features, the hidden layers, and last the classes."""
        return (int(self.weights[0].shape[1]), *(len(bias) for bias in self.biases))

    @property
    def depth(self) -> int:
        """Products one after another: one for each layer, and one for each square."""
        return 2 * len(self.weights) - 1

    @property
    def slots(self) -> int:
        """How many slots the evaluation needs.

        A product of n inputs reads n slots onward of each slot that it fills, and spoils the last n of its result,
        where the rotation wraps. What the next layers read must lie before these (TenSEAL issue 504).
        """
        return sum(size + 1 for size in self.sizes[:-1]) + self.sizes[-1]

    def logits(self, features: Floats) -> Floats:
        """n x C logits of n rows."""
        values = features
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = (values if number == 0 else values**2) @ weight.T + bias
        return values

    def logit_bound(self) -> float:
        """The largest magnitude of a logit for any features in [-1, 1], by the sums of absolute weights."""
        bounds = np.ones(self.sizes[0])
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            bounds = np.abs(weight) @ (bounds if number == 0 else bounds**2) + np.abs(bias)
        return float(bounds.max())

    def homogeneous(self) -> list[list[list[float]]]:
        """For each layer its matrix, inputs + 1 rows, which acts on (values, 1) and keeps the 1 for the next layer.

        A bias added by TenSEAL's plain addition reaches the first slots only, not the replicas that the next product
        reads (issue 462). A row of the matrix reaches them all, and 1^2 = 1 carries the constant through a square.
        """
        matrices = []
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            matrix = np.vstack([weight.T, bias])
            if number < len(self.weights) - 1:
                constant = np.zeros((len(matrix), 1))
                constant[-1] = 1
                matrix = np.hstack([matrix, constant])
            matrices.append(matrix.tolist())
        return matrices

    def __repr__(self) -> str:
        return f"<SquareNetwork {'-'.join(map(str, self.sizes))}>"
