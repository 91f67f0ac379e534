"""Training a PyTorch module of a party's own, on the CPU, the same for the same seed.

As networks of the default mix are: a party chooses learning rate and number of passes on rows that it holds out, and
trains again on all of them. Spec: CAPC-RUN-025.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from capc.foundation.errors import InputError
from capc.learning.data import Indices
from capc.learning.optimise import BATCH
from capc.learning.training import FEWEST_TO_HOLD_OUT, LEAST_GAIN, TrainingTask, held_out, one_thread
from capc.models.importing.graph import Shape, brief
from capc.models.importing.torch_modules.origin import numbers

RATES = (0.002, 0.01)
LEAST_STEPS = 8
"""Of few rows as many passes count as one as make so many steps, which show whether more are worth it."""
MOST_EPOCHS = 25
PATIENCE = 4
RATE_OF_FEW, EPOCHS_OF_FEW = 0.01, 15
"""With too few rows to hold any out."""
WEIGHT_DECAY = 0.01


def fit(module: nn.Module, input_shape: Shape, task: TrainingTask) -> None:
    """Trains a module in place by AdamW on the cross-entropy; afterwards it is in evaluation.

    What a module draws, as for a dropout, comes from the task's seed. A training that left the finite numbers is
    forgotten: the module then has its first weights, and nothing is refused.

    Args:
        module: takes a batch of inputs and returns a batch of logits; its weights are where training starts.
        input_shape: without the batch.
        task: rows, labels and seed.
    """
    with one_thread(), torch.random.fork_rng(devices=[]):
        _Trainer(module, input_shape, task).train()
    module.eval()


def check_trainable(module: nn.Module, input_shape: Shape, classes: int) -> None:
    """One step on two rows, so that what a module cannot do is told before any training. It changes the module.

    Raises:
        InputError: it has nothing to train, or fails, or gives another number of logits.
    """
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    if not weights:
        raise InputError("it has no weights that could be trained: give trained = true for a network that is trained")
    module.train()
    rows = torch.zeros(2, *input_shape, dtype=numbers(module).dtype)
    try:
        with torch.random.fork_rng(devices=[]):
            made = _of_both(module(rows).reshape(2, -1))
            nn.functional.cross_entropy(made, torch.zeros(2, dtype=torch.int64)).backward()  # type: ignore[no-untyped-call]
    # A module's own code may raise anything.
    except Exception as error:  # noqa: BLE001
        raise InputError(
            f"it cannot be trained on rows of the shape {input_shape} ({brief(error)}): correct it"
        ) from None
    if made.shape[1] != classes:
        raise InputError(f"in training it gives {made.shape[1]} numbers for a row: give a logit for each of {classes}")


class _Trainer:
    """Trains a module from its first weights, again and again."""

    def __init__(self, module: nn.Module, input_shape: Shape, task: TrainingTask) -> None:
        self._module, self._task = module, task
        self._first = copy.deepcopy(module.state_dict())
        self._rows = torch.tensor(task.features, dtype=numbers(module).dtype).reshape(-1, *input_shape)
        self._labels = torch.tensor(task.labels)

    def train(self) -> None:
        rate, passes = self._choose()
        everything = np.arange(len(self._labels))
        optimiser = self._begin(rate)
        for number in range(passes):
            self._pass(optimiser, everything, number)
        finite = all(bool(torch.isfinite(value).all()) for value in self._module.state_dict().values())
        if not finite:
            self._module.load_state_dict(self._first)

    def _choose(self) -> tuple[float, int]:
        """The rate and the number of passes with the most probability on the right class of rows held out."""
        if len(self._labels) < FEWEST_TO_HOLD_OUT * self._task.num_classes:
            return RATE_OF_FEW, EPOCHS_OF_FEW
        out = held_out(self._task)[0]
        learned, asked = np.flatnonzero(~out), torch.tensor(np.flatnonzero(out))
        best, chosen = float("inf"), (RATES[0], 1)
        for rate in RATES:
            optimiser, least, passes = self._begin(rate), float("inf"), 0
            for number in range(MOST_EPOCHS):
                self._pass(optimiser, learned, number)
                doubts = self._doubts(asked)
                if doubts < least * (1 - LEAST_GAIN):
                    least, passes = doubts, number + 1
                elif number + 1 - passes >= PATIENCE:
                    break
            if least < best:
                best, chosen = least, (rate, passes)
        return chosen

    def _begin(self, rate: float) -> torch.optim.Optimizer:
        self._module.load_state_dict(self._first)
        torch.manual_seed(int(np.random.default_rng([*self._task.seed, 4]).integers(1 << 31)))
        weights = [weight for weight in self._module.parameters() if weight.requires_grad]
        return torch.optim.AdamW(weights, lr=rate, weight_decay=WEIGHT_DECAY)

    def _pass(self, optimiser: torch.optim.Optimizer, rows: Indices, number: int) -> None:
        """Through all rows, in orders of the seed and the pass; of few rows several times."""
        self._module.train()
        drawn = np.random.default_rng([*self._task.seed, 5, number])
        for _ in range(-(-LEAST_STEPS * BATCH // max(len(rows), BATCH))):
            for batch in _batches(torch.tensor(drawn.permutation(rows))):
                optimiser.zero_grad()
                made = self._logits(batch)
                nn.functional.cross_entropy(made, self._labels[batch]).backward()  # type: ignore[no-untyped-call]
                optimiser.step()

    def _doubts(self, rows: Tensor) -> float:
        """What the module leaves of the probability of each row's class, in the mean."""
        self._module.eval()
        with torch.no_grad():
            likely = torch.cat([self._logits(part).softmax(1) for part in torch.split(rows, 256)])
        found = float(1 - likely.gather(1, self._labels[rows][:, None]).mean())
        # Not a number is the worst of all.
        return found if found == found else float("inf")  # noqa: PLR0124

    def _logits(self, rows: Tensor) -> Tensor:
        made: Tensor = self._module(self._rows[rows])
        return _of_both(made.reshape(len(rows), -1))


def _of_both(made: Tensor) -> Tensor:
    """Logits of both classes, where a module that ends in a sigmoid gives the probability of class 1 alone."""
    if made.shape[1] != 1:
        return made
    return torch.cat([1 - made, made], 1).clamp_min(torch.finfo(made.dtype).eps).log()


def _batches(order: Tensor) -> list[Tensor]:
    """Batches of at least two rows, as a batch normalisation needs them; a single row is taken twice."""
    if len(order) == 1:
        return [order.repeat(2)]
    parts = list(torch.split(order, BATCH))
    if len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts
