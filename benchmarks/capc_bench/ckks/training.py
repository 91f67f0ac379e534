"""Networks with square activations, trained on the CPU as the job's own are, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from capc.learning import training
from capc.learning.data import Indices
from capc_bench.ckks.network import Floats, SquareNetwork

WEIGHT_DECAY = 0.02
"""Larger than a network with ReLUs needs: squares grow, and the masks' hiding shrinks with the logits' bound."""


def train(features: Floats, labels: Indices, num_classes: int, hidden: Sequence[int], seed: int) -> SquareNetwork:
    """Trains a network; arguments as of :class:`capc.learning.training.TrainingTask`."""
    task = training.TrainingTask(features, labels, num_classes, tuple(hidden), (seed,), bound=None)
    model = training.train(task, activation=torch.square, weight_decay=WEIGHT_DECAY)
    return SquareNetwork(model.weights, model.biases)
