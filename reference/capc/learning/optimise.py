"""Several networks of one shape at once: AdamW over minibatches, with each unit's weights kept within a bound.

Features are taken from their mean while a network learns, and its first layer's biases are those of such features.
Where all rows are bright pictures, what tells them apart is otherwise a small part of every sum, and the network learns
the largest class alone. ``offsets`` gives the biases of features as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
import torch
from torch.nn import functional

Activation = Callable[[torch.Tensor], torch.Tensor]
Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""Weights, networks x outputs x inputs, and biases, networks x outputs, of each layer."""

BATCH = 32
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


def initial(
    sizes: Sequence[int],
    copies: int,
    centre: torch.Tensor,
    bound: Sequence[float] | None,
    generator: np.random.Generator,
) -> Layers:
    """The same random weights for each of so many networks, and biases of 0."""
    layers: Layers = []
    for inputs, outputs in pairwise(sizes):
        limit = sqrt(6 / (inputs + outputs))
        drawn = torch.tensor(generator.uniform(-limit, limit, (outputs, inputs)), dtype=torch.float32)
        layers.append((drawn.repeat(copies, 1, 1), torch.zeros(copies, outputs)))
    _keep_within(layers, centre, bound)
    for tensor in _flat(layers):
        tensor.requires_grad_()
    return layers


def offsets(layers: Layers, centre: torch.Tensor) -> list[torch.Tensor]:
    """Each layer's biases for features that are not taken from their mean."""
    (weight, bias), *others = layers
    return [bias - weight @ centre, *(bias for _, bias in others)]


def logits(layers: Layers, features: torch.Tensor, activation: Activation) -> torch.Tensor:
    """What each network says of all rows, whose features are taken from the mean: networks x rows x classes."""
    (weight, bias), *others = layers
    copies, units, inputs = weight.shape
    # All networks read the same rows, so that their first layers are one product.
    values = (features @ weight.reshape(copies * units, inputs).T).reshape(len(features), copies, units)
    values = values.transpose(0, 1) + bias[:, None, :]
    for weight, bias in others:
        values = torch.baddbmm(bias[:, None, :], activation(values), weight.transpose(1, 2))
    return values


def epochs(
    layers: Layers,
    features: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    rates: torch.Tensor,
    *,
    centre: torch.Tensor,
    bound: Sequence[float] | None,
    decay: float,
    activation: Activation,
    generator: np.random.Generator,
) -> Iterator[None]:
    """Trains in place, on and on; each step of the iterator is one pass over all rows in an order of its own.

    Args:
        layers: of n networks.
        features: rows x d, taken from their mean.
        labels: class indices.
        weights: n x rows: 1 where the network learns from the row, 0 where not.
        rates: n learning rates.
        centre: that mean, d.
        bound: for each layer what ``weight_bound`` admits; None admits everything.
        decay: AdamW's weight decay.
        activation: of the hidden layers.
        generator: decides the order.
    """
    tensors = _flat(layers)
    moments = [(torch.zeros_like(tensor), torch.zeros_like(tensor)) for tensor in tensors]
    steps = 0
    while True:
        order = torch.tensor(generator.permutation(len(labels)))
        for rows in torch.split(order, BATCH):
            found = logits(layers, features[rows], activation)
            truth = labels[rows].expand(len(rates), -1)
            losses = functional.cross_entropy(found.flatten(0, 1), truth.flatten(), reduction="none")
            loss = (losses.reshape(truth.shape) * weights[:, rows]).sum() / len(rows)
            gradients = torch.autograd.grad(loss, tensors)
            steps += 1
            with torch.no_grad():
                for tensor, gradient, (first, second) in zip(tensors, gradients, moments, strict=True):
                    _adam(tensor, gradient, first, second, rates, decay, steps)
                _keep_within(layers, centre, bound)
        yield


def _adam(
    tensor: torch.Tensor,
    gradient: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    rates: torch.Tensor,
    decay: float,
    steps: int,
) -> None:
    rate = rates.reshape(-1, *[1] * (tensor.dim() - 1))
    first.lerp_(gradient, 1 - _BETAS[0])
    second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
    divisor = second.sqrt().mul_(1 / sqrt(1 - _BETAS[1] ** steps)).add_(_EPSILON)
    tensor.mul_(1 - rate * decay)
    tensor.sub_(first / divisor * (rate / (1 - _BETAS[0] ** steps)))


def _keep_within(layers: Layers, centre: torch.Tensor, bound: Sequence[float] | None) -> None:
    """Scales each unit whose absolute weights and bias sum to more than its layer's bound down to it."""
    if bound is None:
        return
    for (weight, bias), offset, most in zip(layers, offsets(layers, centre), bound, strict=True):
        factor = most / (weight.abs().sum(2) + offset.abs()).clamp_(min=most)
        weight.mul_(factor[:, :, None])
        bias.mul_(factor)


def _flat(layers: Layers) -> list[torch.Tensor]:
    return [tensor for layer in layers for tensor in layer]
