"""A scikit-learn ``MLPClassifier``: fitted as its owner made it, then the same network as a PyTorch module."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import nn

from capc.foundation.errors import InputError
from capc.learning.data import Floats, Indices
from capc.learning.training import TrainingTask
from capc.models.importing.graph import brief

ACTIVATION_REACH = 8.0
"""A bound of activations, that of the caps by rule; for the logit of a class that a party has no row of."""


class Perceptron(Protocol):
    """What is used of an ``MLPClassifier``; the last three once it is fitted."""

    hidden_layer_sizes: object
    activation: str
    random_state: object
    coefs_: Sequence[Floats]
    intercepts_: Sequence[Floats]
    classes_: Sequence[int]

    def fit(self, features: Floats, labels: Indices) -> object:
        """Trains it."""

    def set_params(self, **options: object) -> Perceptron:
        """Changes how it is trained."""


def hidden_sizes(perceptron: Perceptron) -> tuple[int, ...]:
    """The widths of its hidden layers, from what it was made with.

    Raises:
        InputError: another activation than ReLU, or widths that scikit-learn refuses.
    """
    sizes = perceptron.hidden_layer_sizes
    sizes = tuple(sizes) if isinstance(sizes, tuple | list) else (sizes,)
    if not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise InputError(f"hidden_layer_sizes = {perceptron.hidden_layer_sizes}: give whole numbers of 1 or more")
    if sizes and perceptron.activation != "relu":
        raise InputError(f"activation = {perceptron.activation}: the activation must be ReLU: activation='relu'")
    return sizes


def fit(perceptron: Perceptron, task: TrainingTask) -> nn.Module:
    """The network that a copy of it becomes on these rows, with a logit for each class, also of those without a row.

    Args:
        perceptron: says how it is trained; its seed is the task's, unless it has one.
        task: rows, labels and seed.
    """
    from sklearn.base import clone  # noqa: PLC0415  # a second of import time that other kinds do not need

    fitted = clone(perceptron)
    if fitted.random_state is None:
        fitted.set_params(random_state=int(np.random.default_rng([*task.seed, 4]).integers(1 << 31)))
    try:
        _fit(fitted, task.features, task.labels)
    # Some class has too few rows to hold any out, which is no reason for a refusal.
    except ValueError:
        _fit(fitted.set_params(early_stopping=False), task.features, task.labels)
    # By number, whatever the classes are that it saw.
    return module_of(fitted, [int(label) for label in fitted.classes_], task.num_classes)


def check_trainable(perceptron: Perceptron, features: int, classes: int) -> None:
    """One pass over a few rows, so that what scikit-learn refuses is told before any training.

    Raises:
        InputError: it does.
    """
    from sklearn.base import clone  # noqa: PLC0415  # as above

    rows = np.random.default_rng(0).uniform(-1, 1, (20 * classes, features))
    fitted = clone(perceptron)
    try:
        _fit(fitted.set_params(max_iter=1), rows, np.arange(len(rows)) % classes)
    # Whatever its options make it raise.
    except Exception as error:  # noqa: BLE001
        raise InputError(f"this MLPClassifier cannot be trained ({brief(error)}): correct its options") from None


def _fit(perceptron: Perceptron, features: Floats, labels: Indices) -> None:
    with warnings.catch_warnings():
        # That it did not converge, too.
        warnings.simplefilter("ignore")
        perceptron.fit(features, labels)


def module_of(fitted: Perceptron, known: Sequence[int] | None = None, classes: int | None = None) -> nn.Module:
    """A fitted perceptron as a module in double precision, with a logit for each of so many classes.

    One with two classes has one logit z, which becomes 0 and z. A class that it never saw gets a logit that is below
    all others, whatever the query is.

    Args:
        fitted: with weights.
        known: the number of each of its classes, ascending; None for 0, 1, and so on.
        classes: C; None for as many as it knows.
    """
    known = range(len(fitted.classes_)) if known is None else known
    classes = max(2, len(known)) if classes is None else classes
    weights = [np.asarray(matrix, dtype=np.float64).T for matrix in fitted.coefs_]
    biases = [np.asarray(vector, dtype=np.float64) for vector in fitted.intercepts_]
    if len(known) == 1:
        weights[-1], biases[-1] = np.zeros((1, weights[-1].shape[1])), np.zeros(1)
    elif len(known) == 2:
        weights[-1] = np.concatenate([np.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = np.concatenate([np.zeros_like(biases[-1]), biases[-1]])
    least = -float((np.abs(weights[-1]).sum(axis=1) * ACTIVATION_REACH + np.abs(biases[-1])).max()) - 1
    every, offsets = np.zeros((classes, weights[-1].shape[1])), np.full(classes, least)
    every[list(known)], offsets[list(known)] = weights[-1], biases[-1]
    return _module([*weights[:-1], every], [*biases[:-1], offsets])


def unfitted_module(sizes: tuple[int, ...]) -> nn.Module:
    """A module of the same architecture, with random weights."""
    layers: list[nn.Module] = []
    # The caller's generator is afterwards where it was.
    with torch.random.fork_rng(devices=[]):
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs, dtype=torch.float64), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _module(weights: list[Floats], biases: list[Floats]) -> nn.Module:
    module = unfitted_module((weights[0].shape[1], *(len(matrix) for matrix in weights)))
    linear = [layer for layer in module if isinstance(layer, nn.Linear)]  # type: ignore[attr-defined]
    with torch.no_grad():
        for layer, matrix, vector in zip(linear, weights, biases, strict=True):
            layer.weight.copy_(torch.tensor(matrix))
            layer.bias.copy_(torch.tensor(vector))
    return module
