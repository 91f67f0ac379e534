"""Networks with square activations, trained on the CPU, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from capc.randomness import Seed, XofSource
from capc_bench.ckks.network import Floats, SquareNetwork

EPOCHS = 60
LEARNING_RATE = 0.02
WEIGHT_DECAY = 0.02
"""Larger than a network with ReLUs needs: squares grow, and the masks' hiding shrinks with the logits' bound."""

_DRAW_BITS = 32


def train(
    features: Floats, labels: NDArray[np.int64], num_classes: int, hidden: Sequence[int], seed: Seed
) -> SquareNetwork:
    """Trains a network by full-batch AdamW on the cross-entropy.

    Args:
        features: n x d, n at least 1, each in [-1, 1].
        labels: n class indices in [0, C).
        num_classes: C.
        hidden: widths of the hidden layers.
        seed: decides the initial weights, the only thing that is drawn.
    """
    source = XofSource(seed, b"comparison/initial weights")
    layers = [
        _initial(inputs, outputs, source) for inputs, outputs in pairwise([features.shape[1], *hidden, num_classes])
    ]
    # One thread: the sums are then in the same order on every machine.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _fit(layers, torch.tensor(features, dtype=torch.float32), torch.tensor(labels))
    finally:
        torch.set_num_threads(threads)
    return SquareNetwork(
        tuple(weight.detach().numpy().astype(np.float64) for weight, _ in layers),
        tuple(bias.detach().numpy().astype(np.float64) for _, bias in layers),
    )


_Layer = tuple[torch.Tensor, torch.Tensor]


def _initial(inputs: int, outputs: int, source: XofSource) -> _Layer:
    """Uniform within Glorot's limit."""
    limit = sqrt(6 / (inputs + outputs))
    drawn = np.array([source.bits(_DRAW_BITS) for _ in range(outputs * inputs)], dtype=np.float64)
    weights = limit * (2 * drawn / (1 << _DRAW_BITS) - 1)
    weight = torch.tensor(weights.reshape(outputs, inputs), dtype=torch.float32, requires_grad=True)
    return weight, torch.zeros(outputs, requires_grad=True)


def _fit(layers: list[_Layer], features: torch.Tensor, labels: torch.Tensor) -> None:
    optimiser = torch.optim.AdamW(
        [tensor for layer in layers for tensor in layer], lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
    )
    for _ in range(EPOCHS):
        optimiser.zero_grad()
        values = features
        for number, (weight, bias) in enumerate(layers):
            values = functional.linear(values if number == 0 else values**2, weight, bias)
        loss = functional.cross_entropy(values, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
