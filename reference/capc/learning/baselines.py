"""What a querying party could have done instead, to compare its gain with.

- self-training on its own pool (:mod:`capc.learning.self_training`);
- the same queries answered by votes without noise, and so without privacy;
- pooled data: all parties hand over their rows, and one model is trained on all of them;
- PATE at one trusted place (Papernot et al. 2017 and 2018): the place has the rows of all parties that answer, divides
  them anew at random among as many teachers, and answers the same queries under the same noise. It is what CaPC's
  parties would get if they trusted somebody;
- DP-SGD (Abadi et al. 2016) on the own rows, by Opacus: a model that could be handed to others under the same epsilon
  and delta, for one row of the own data. It protects other data, and so says what noise in training costs.
"""

from __future__ import annotations

import warnings
from enum import StrEnum
from fractions import Fraction
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from capc.learning.data import Indices
from capc.learning.training import FloatModel, TrainingTask, one_thread


class Baseline(StrEnum):
    """What the gain is compared with, in the order in which they are trained."""

    SELF_TRAINING = "self_training"
    NOISELESS = "noiseless"
    POOLED = "pooled"
    PATE = "pate"
    DP_SGD = "dp_sgd"


DP_SGD_EPOCHS = 20
DP_SGD_BATCHES = 8
"""Expected batches in a pass: few and large, which carry noise better."""
DP_SGD_RATE = 0.01
DP_SGD_NORM = 1.0
DP_SGD_LEAST_EPSILON = Fraction(1, 20)
"""What Opacus's accountants can tell from nothing."""
_LEAST_EPSILON_OF_RDP = 1.0


def dp_sgd_is_installed() -> bool:
    """Whether Opacus, of the extra ``baselines``, is there."""
    return find_spec("opacus") is not None


def teachers(parties: tuple[Indices, ...], seed: tuple[int, ...]) -> tuple[Indices, ...]:
    """All rows of these parties, divided anew at random among as many teachers, of the same sizes.

    Args:
        parties: rows of each.
        seed: decides the division.
    """
    mixed = np.random.default_rng(list(seed)).permutation(np.concatenate(parties))
    return tuple(np.split(mixed, np.cumsum([len(rows) for rows in parties])[:-1]))


def dp_sgd(task: TrainingTask, epsilon: float, delta: float) -> FloatModel:
    """The network of a task, trained by DP-SGD for one row of the task more or less.

    Its noise comes from torch's generator, seeded by the task: a baseline for studies, and no promise to anybody. It
    is accounted by Renyi DP (Mironov, Talwar and Zhang 2019); where epsilon is below 1, for which Opacus's orders are
    too few, by the privacy loss distribution, which asks for a twentieth less noise, and for minutes and gigabytes
    where noise is small.

    Args:
        task: what to train.
        epsilon: of the whole training, at least ``DP_SGD_LEAST_EPSILON``.
        delta: the same.
    """
    from opacus import PrivacyEngine  # noqa: PLC0415  # of an extra

    accountant = "rdp" if epsilon >= _LEAST_EPSILON_OF_RDP else "prv"
    # The generator is the caller's again afterwards, and sums are in the same order on every machine.
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]), one_thread():
        warnings.simplefilter("ignore")
        torch.manual_seed(int(np.random.default_rng([*task.seed, 2]).integers(1 << 31)))
        model = _network(task.sizes)
        optimiser = torch.optim.Adam(model.parameters(), lr=DP_SGD_RATE)
        rows = TensorDataset(torch.tensor(task.features, dtype=torch.float32), torch.tensor(task.labels))
        loader = DataLoader(rows, batch_size=max(1, len(rows) // DP_SGD_BATCHES))
        private, optimiser, loader = PrivacyEngine(accountant=accountant).make_private_with_epsilon(
            module=model,
            optimizer=optimiser,
            data_loader=loader,
            epochs=DP_SGD_EPOCHS,
            target_epsilon=epsilon,
            target_delta=delta,
            max_grad_norm=DP_SGD_NORM,
        )
        for _ in range(DP_SGD_EPOCHS):
            for features, labels in loader:
                optimiser.zero_grad()
                functional.cross_entropy(private(features), labels).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    layers = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    return FloatModel(
        tuple(layer.weight.detach().numpy().astype(np.float64) for layer in layers),
        tuple(layer.bias.detach().numpy().astype(np.float64) for layer in layers),
    )


def _network(sizes: tuple[int, ...]) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])
