"""The concrete bound of a run in which several parties asked: of everything that was hashed for any of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from capc.job import models
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.report import document
from capc.learning.training import FloatModel, TrainingTask
from capc.two_party.hash_use import HashUse
from job.stand_in import Opener, Plurality, Recorder, finished

USES = (HashUse(2, 30, 1 << 16, 1 << 125), HashUse(3, 90, 1 << 17, 1 << 125), HashUse(1, 10, 10, 1 << 124))
"""Of three turns. Their squares together take five eighths of 2^127, so that all of them count in the bound."""


def untrained(task: TrainingTask) -> FloatModel:
    return FloatModel((np.eye(task.num_classes, task.features.shape[1]),), (np.zeros(task.num_classes),))


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-012")
def test_the_report_adds_up_what_was_hashed_in_all_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    opener = Opener()

    def hashed(labeller: Plurality) -> HashUse:
        return next(use for use, opened in zip(USES, opener.opened, strict=True) if opened is labeller)

    monkeypatch.setattr(Plurality, "hash_use", property(hashed))
    monkeypatch.setattr(models, "train", untrained)
    monkeypatch.setattr(models, "train_side_by_side", lambda tasks, _: map(untrained, tasks))
    asked = {"parties": "3", "queries": "4", "queriers": "3", "sigma": "9"}
    shown: Any = document(finished(Job(prepare(resolve(asked)), Recorder(), opener)).state)["garbling"]
    assert (shown["hash_keys"], shown["rows"], shown["most_rows"]) == (6, 130, 1 << 17)
    # 2^(p - 127) 2^17 is at most 1 for one key, and at most the other three eighths for the run.
    assert (shown["key_bits"], shown["run_bits"]) == (110, 108.5)
