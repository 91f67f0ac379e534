"""Local models: small fully connected networks with ReLU, trained on the CPU, the same for the same seed.

A party chooses learning rate and number of passes on rows of its own that it holds out, and trains again on all of
them. All candidates are trained at once.

Spec: CAPC-RUN-053.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol

import numpy as np
import torch

from capc.foundation.hidden import type_only
from capc.learning.data import Floats, Indices
from capc.learning.optimise import Activation, Layers, epochs, initial, logits, offsets

__all__ = [
    "RECIPE",
    "FloatModel",
    "LocalModel",
    "TrainingTask",
    "held_out",
    "one_thread",
    "train",
    "train_side_by_side",
]

RECIPE = "centred, batches of 32, until a hundredth is no more gained"
"""Changes with whatever changes the network that a task gives, so that none of another recipe is used again."""

RATES = (0.007, 0.02)
"""Candidates of the learning rate."""
MOST_EPOCHS = 100
PATIENCE = 5
"""So many passes without a better candidate end the choice."""
LEAST_GAIN = 0.01
"""By which a better candidate has fewer doubts; smaller gains would take twice the passes, and none reaches votes."""
WEIGHT_DECAY = 0.01
RATE_OF_FEW, EPOCHS_OF_FEW = 0.02, 60
FEWEST_TO_HOLD_OUT = 8
"""For each class. With fewer rows nothing is held out, since the classes would miss it: rate and passes are fixed."""
ROWS_FOR_ONE_FOLD = 120
"""With fewer rows each row is held out once, from one of ``FOLDS`` networks; with more one part says enough."""
FOLDS = 4
ROWS_FOR_ONE_PROCESS = 4096
"""Of all tasks together: for fewer it takes longer to start a process than to train."""


class LocalModel(Protocol):
    """A network that a party trained, or brought."""

    def logits(self, features: Floats) -> Floats:
        """n x C logits of n rows, n may be 0."""

    def predict(self, features: Floats) -> Indices:
        """The class of each row; ties go to the lowest class."""


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
    """All that decides what a party's network will be.

    Attributes:
        features: n x d, n at least 1, each in [-1, 1].
        labels: n class indices in [0, C).
        num_classes: C, the number of logits, also when some class does not occur in ``labels``.
        hidden: widths of the hidden layers.
        seed: decides initial weights, the order of rows, and which are held out.
        bound: for each layer what a unit's absolute weights and bias may sum to, of ``weight_bound``; None for a
            network that stays outside of the protocol.
    """

    features: Floats
    labels: Indices
    num_classes: int
    hidden: tuple[int, ...]
    seed: tuple[int, ...]
    bound: tuple[float, ...] | None

    __repr__ = type_only

    @property
    def sizes(self) -> tuple[int, ...]:
        """Features, units of each hidden layer, classes."""
        return (self.features.shape[1], *self.hidden, self.num_classes)


def train(task: TrainingTask, *, activation: Activation = torch.relu, weight_decay: float = WEIGHT_DECAY) -> FloatModel:
    """Trains a network by AdamW on the cross-entropy, with rate and passes chosen on held-out rows.

    Args:
        task: what to train.
        activation: of the hidden layers; with another than ReLU the weights are what counts of the result.
        weight_decay: of AdamW.

    Spec: CAPC-RUN-024, CAPC-RUN-025.
    """
    with one_thread():
        runner = _Runner(task, activation, weight_decay)
        rate, passes = _choose(task, runner)
        everywhere = torch.ones(1, len(task.labels))
        layers, running = runner.start(everywhere, (rate,))
        for _ in range(passes):
            next(running)
        biases = [bias[0].detach().numpy() for bias in offsets(layers, runner.centre)]
    return _within([weight[0].detach().numpy() for weight, _ in layers], biases, task.bound)


def train_side_by_side(tasks: Sequence[TrainingTask], processes: int) -> Iterator[FloatModel]:
    """Trains networks in so many processes, with the results of ``train``, in the order of the tasks as they come.

    Where there is little to do, this process does it. When the iterator ends early, also by an interrupt, so do the
    others.

    Args:
        tasks: what to train.
        processes: at least 1.

    Spec: CAPC-RUN-026.
    """
    if processes == 1 or len(tasks) == 1 or sum(len(task.labels) for task in tasks) <= ROWS_FOR_ONE_PROCESS:
        yield from map(train, tasks)
        return
    # Arrays go through pipes and never into temporary files, since the rows are private. A fresh interpreter each: a
    # fork would inherit torch's threads without the threads. Leaving the block ends the workers, whatever the reason.
    with get_context("spawn").Pool(min(processes, len(tasks)), _leave_interrupts) as workers:
        yield from workers.imap(train, tasks)


def _leave_interrupts() -> None:
    """An interrupt is the first process's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread: the sums are then in the same order on every machine, and such small matrices gain nothing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Runner:
    """Starts trainings of a task; each begins with the same weights and takes the rows in the same order."""

    def __init__(self, task: TrainingTask, activation: Activation, decay: float) -> None:
        self._task, self._activation, self._decay = task, activation, decay
        features = torch.tensor(task.features, dtype=torch.float32)
        self.centre = features.mean(0)
        self.features = features - self.centre
        self.labels = torch.tensor(task.labels)

    def start(self, learned: torch.Tensor, rates: Sequence[float]) -> tuple[Layers, Iterator[None]]:
        task = self._task
        generator = np.random.default_rng(list(task.seed))
        layers = initial(task.sizes, len(rates), self.centre, task.bound, generator)
        running = epochs(
            layers,
            self.features,
            self.labels,
            learned,
            torch.tensor(rates),
            centre=self.centre,
            bound=task.bound,
            decay=self._decay,
            activation=self._activation,
            generator=generator,
        )
        return layers, running

    def doubts(self, layers: Layers) -> torch.Tensor:
        """What each network leaves of the probability of each row's class."""
        with torch.no_grad():
            found = logits(layers, self.features, self._activation).softmax(2)
            truth = self.labels.expand(len(found), -1)
            return 1 - found.gather(2, truth[:, :, None])[:, :, 0]


def _choose(task: TrainingTask, runner: _Runner) -> tuple[float, int]:
    """The rate and the number of passes with the most probability on the right class of rows that were held out.

    The cross-entropy would end too early: it counts a wrong row the more, the surer a network is, and votes do not.
    """
    if len(task.labels) < FEWEST_TO_HOLD_OUT * task.num_classes:
        return RATE_OF_FEW, EPOCHS_OF_FEW
    held = held_out(task)
    rates = [rate for rate in RATES for _ in held]
    out = torch.tensor(held, dtype=torch.float32).repeat(len(RATES), 1)
    layers, running = runner.start(1 - out, rates)
    best, chosen = float("inf"), (0, 0)
    for passes in range(1, MOST_EPOCHS + 1):
        next(running)
        found = (runner.doubts(layers) * out).sum(1).reshape(len(RATES), -1).sum(1)
        candidate = int(found.argmin())
        if float(found[candidate]) < best * (1 - LEAST_GAIN):
            best, chosen = float(found[candidate]), (candidate, passes)
        elif passes - chosen[1] >= PATIENCE:
            break
    return RATES[chosen[0]], max(chosen[1], 1)


def held_out(task: TrainingTask) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """For each fold which rows are held out: of each class a like part, as far as its rows can be divided."""
    generator = np.random.default_rng([*task.seed, 1])
    mixed = generator.permutation(len(task.labels))
    # Row after row of the classes in turn, so that each fold gets every FOLDS-th of each class.
    ordered = mixed[np.argsort(task.labels[mixed], kind="stable")]
    fold = np.empty(len(ordered), np.int64)
    fold[ordered] = np.arange(len(ordered)) % FOLDS
    folds = 1 if len(ordered) >= ROWS_FOR_ONE_FOLD else FOLDS
    return np.stack([fold == number for number in range(folds)])


def _within(matrices: Sequence[Floats], vectors: Sequence[Floats], bound: tuple[float, ...] | None) -> FloatModel:
    """The network in double precision, where the last pass's rounding cannot exceed the bound either."""
    weights, biases = [], []
    for index, (single, offset) in enumerate(zip(matrices, vectors, strict=True)):
        weight, bias = single.astype(np.float64), offset.astype(np.float64)
        if bound is not None:
            factor = bound[index] / np.maximum(np.abs(weight).sum(axis=1) + np.abs(bias), bound[index])
            weight, bias = weight * factor[:, None], bias * factor
        weights.append(weight)
        biases.append(bias)
    return FloatModel(tuple(weights), tuple(biases))
