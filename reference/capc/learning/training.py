"""Local models: small fully connected networks with ReLU, trained on the CPU, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np
import torch
from torch.nn import functional

from capc.foundation.hidden import type_only
from capc.learning.data import Floats, Indices

ARCHITECTURES: tuple[tuple[int, ...], ...] = ((), (12,), (16,), (24,), (32,), (16, 16))
"""Widths of the hidden layers; answering party i takes entry i mod 6, so that the architectures differ."""
QUERYING_ARCHITECTURE: tuple[int, ...] = ()
"""The querying party's own model never enters the protocol; with so few rows a linear one generalises best."""

EPOCHS = 60
LEARNING_RATE = 0.02
WEIGHT_DECAY = 0.001


@dataclass(frozen=True)
class FloatModel:
    """A trained network, as plain arrays.

    Attributes:
        weights: one matrix for each layer, outputs x inputs.
        biases: one vector for each layer.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    __repr__ = type_only

    def logits(self, features: Floats) -> Floats:
        """n x C logits of n rows."""
        values = features
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = values @ weight.T + bias
            if index < last:
                values = np.maximum(values, 0.0)
        return values

    def predict(self, features: Floats) -> Indices:
        """The class of each row; ties go to the lowest class."""
        return np.asarray(self.logits(features).argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True)
class TrainingTask:
    """One training.

    Attributes:
        features: n x d, n at least 1.
        labels: n class indices in [0, C).
        num_classes: C.
        hidden: widths of the hidden layers.
        seed: decides what is drawn.
        bound: for each layer the L1 norm that a unit may have; None for no bound.
    """

    features: Floats
    labels: Indices
    num_classes: int
    hidden: tuple[int, ...]
    seed: tuple[int, ...]
    bound: tuple[float, ...] | None

    __repr__ = type_only


def train(
    features: Floats,
    labels: Indices,
    num_classes: int,
    hidden: Sequence[int],
    seed: Sequence[int],
    *,
    activation: Callable[[torch.Tensor], torch.Tensor] = torch.relu,
    weight_decay: float = WEIGHT_DECAY,
) -> FloatModel:
    """Trains a network by full-batch AdamW on the cross-entropy.

    Args:
        features: n x d, n at least 1.
        labels: n class indices in [0, C).
        num_classes: C, the number of logits, also when some class does not occur in ``labels``.
        hidden: widths of the hidden layers.
        seed: decides the initial weights, the only thing that is drawn.
        activation: of the hidden layers; with another than ReLU the weights are what counts of the result.
        weight_decay: of AdamW.
    """
    # One thread: the sums are then in the same order on every machine, and such small matrices gain nothing.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        layers = _initial([features.shape[1], *hidden, num_classes], np.random.default_rng(list(seed)))
        optimiser = torch.optim.AdamW(
            [tensor for layer in layers for tensor in layer], lr=LEARNING_RATE, weight_decay=weight_decay
        )
        _fit(layers, optimiser, activation, torch.tensor(features, dtype=torch.float32), torch.tensor(labels))
    finally:
        torch.set_num_threads(threads)
    return FloatModel(
        tuple(weight.detach().numpy().astype(np.float64) for weight, _ in layers),
        tuple(bias.detach().numpy().astype(np.float64) for _, bias in layers),
    )


_Layers = list[tuple[torch.Tensor, torch.Tensor]]


def _initial(sizes: Sequence[int], generator: np.random.Generator) -> _Layers:
    layers: _Layers = []
    for inputs, outputs in pairwise(sizes):
        limit = sqrt(6 / (inputs + outputs))
        drawn = generator.uniform(-limit, limit, (outputs, inputs))
        weight = torch.tensor(drawn, dtype=torch.float32, requires_grad=True)
        layers.append((weight, torch.zeros(outputs, requires_grad=True)))
    return layers


def _fit(
    layers: _Layers,
    optimiser: torch.optim.Optimizer,
    activation: Callable[[torch.Tensor], torch.Tensor],
    features: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    for _ in range(EPOCHS):
        optimiser.zero_grad()
        values = features
        for index, (weight, bias) in enumerate(layers):
            values = functional.linear(values, weight, bias)
            if index < len(layers) - 1:
                values = activation(values)
        loss = functional.cross_entropy(values, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
