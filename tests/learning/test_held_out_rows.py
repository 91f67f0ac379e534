"""Learning rate and number of passes: chosen by rows of which candidates learned nothing, whatever others say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from capc.learning import training
from capc.learning.optimise import Layers
from capc.learning.own_models import training as own_training
from capc.learning.training import TrainingTask


def task_of(rows: int) -> TrainingTask:
    """Two classes; a row's feature says which row it is."""
    return TrainingTask(np.arange(rows)[:, None] / rows, np.arange(rows) % 2, 2, (), (1,), None)


class Scripted(training._Runner):
    """Networks that grow unsure of what they learned from, and are surest of other rows after the passes given."""

    def __init__(self, task: TrainingTask, best: Sequence[int]) -> None:
        super().__init__(task, torch.relu, 0.01)
        self._best, self._passes = best, 0

    def start(self, learned: torch.Tensor, rates: Sequence[float]) -> tuple[Layers, Iterator[None]]:
        self._learned, self._each = learned, len(rates) // len(self._best)
        return [], itertools.repeat(None)

    def doubts(self, layers: Layers) -> torch.Tensor:
        self._passes += 1
        far = torch.tensor([abs(self._passes - best) for best in self._best]).repeat_interleave(self._each)[:, None]
        return torch.where(self._learned > 0, 1 - 2.0**-self._passes, (1 + far) / 100)


@pytest.mark.req("CAPC-RUN-025")
@pytest.mark.parametrize("rows", [40, 150])
@pytest.mark.parametrize(("best", "chosen"), [((3, 200), (0, 3)), ((200, 4), (1, 4)), ((6, 1), (1, 1))])
def test_only_rows_that_nothing_was_learned_from_decide(
    rows: int, best: tuple[int, int], chosen: tuple[int, int]
) -> None:
    task = task_of(rows)
    assert training._choose(task, Scripted(task, best)) == (training.RATES[chosen[0]], chosen[1])


class Watched(torch.nn.Module):
    """Notes which rows it is asked about, and whether to learn from them."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._count, self._inner = rows, torch.nn.Linear(1, 2)
        self.asked: list[tuple[bool, set[int]]] = []

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        self.asked.append((self.training, set(torch.round(rows[:, 0] * self._count).int().tolist())))
        made: torch.Tensor = self._inner(rows)
        return made


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-025")
def test_a_module_of_a_partys_own_is_judged_by_rows_that_it_did_not_learn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_training, "MOST_EPOCHS", 2)
    task = task_of(40)
    module = Watched(40)
    own_training.fit(module, (1,), task)
    last = max(place for place, (learning, _) in enumerate(module.asked) if not learning)
    choosing, after = module.asked[:last], module.asked[last + 1 :]
    learned = {row for learning, rows in choosing if learning for row in rows}
    judged = {row for learning, rows in choosing if not learning for row in rows}
    assert learned
    assert judged
    assert not learned & judged
    assert learned | judged == {row for _, rows in after for row in rows} == set(range(40))
