"""Networks of tests that ask nothing of how good they are: trained the same way, for a few passes, and each once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pytest

from capc.job import models
from capc.learning import training
from capc.learning.training import FloatModel, TrainingTask
from support.sizes import is_nightly

_trained: dict[object, FloatModel] = {}
"""By all that decides what a network will be: tests of one process share data and seeds."""


def few_passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, unless the test asks for ``real_training``; nightly all networks are as they are.

    Networks that other processes train are not shortened.
    """
    if "real_training" in request.fixturenames or is_nightly():
        return
    monkeypatch.setattr(training, "MOST_EPOCHS", 3)
    monkeypatch.setattr(training, "EPOCHS_OF_FEW", 3)
    monkeypatch.setattr(models, "train_side_by_side", _side_by_side)


def _side_by_side(tasks: Sequence[TrainingTask], processes: int) -> Iterator[FloatModel]:
    named = {_decided_by(task): task for task in tasks}
    missing = [name for name in named if name not in _trained]
    found = training.train_side_by_side([named[name] for name in missing], processes)
    for name in map(_decided_by, tasks):
        if name not in _trained:
            _trained[name] = next(found)
        yield _trained[name]


def _decided_by(task: TrainingTask) -> object:
    data = hashlib.sha256(task.features.tobytes() + task.labels.tobytes()).digest()
    return data, task.features.shape, task.num_classes, task.hidden, task.seed, task.bound
