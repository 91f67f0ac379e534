"""Self-training: which rows the second training sees."""

from __future__ import annotations

from math import log

import numpy as np

from capc.learning.self_training import CONFIDENCE, self_train
from capc.learning.training import FloatModel, TrainingTask

TASK = TrainingTask(np.array([[1.0], [-1.0]]), np.array([0, 1]), 2, (), (3, 4), None)
SURE = log(CONFIDENCE / (1 - CONFIDENCE))
"""The logit at which the first class has just that probability."""


def trained_on(pool: list[float]) -> list[TrainingTask]:
    """The trainings of a party whose first model gives the first class the row's own number for a logit."""
    seen: list[TrainingTask] = []

    def train(task: TrainingTask) -> FloatModel:
        seen.append(task)
        return FloatModel((np.array([[1.0], [0.0]]),), (np.array([0.0, 0.0]),))

    self_train(TASK, np.array(pool).reshape(-1, 1), train)
    return seen


def test_rows_of_which_the_first_model_is_sure_get_its_classes_and_no_others_do() -> None:
    first, second = trained_on([SURE + 0.01, SURE - 0.01, -SURE - 0.01, -SURE + 0.01, 0.0, 50.0])
    assert first is TASK
    assert second.features[:, 0].tolist() == [1.0, -1.0, SURE + 0.01, -SURE - 0.01, 50.0]
    assert second.labels.tolist() == [0, 1, 0, 1, 0]
    assert (second.num_classes, second.hidden, second.seed, second.bound) == (2, (), (3, 4), None)


def test_without_a_sure_row_there_is_one_training() -> None:
    assert len(trained_on([0.0, 1.0])) == 1
    assert len(trained_on([])) == 1
