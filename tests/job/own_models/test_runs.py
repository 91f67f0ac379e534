"""Runs in which parties bring models of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from capc.foundation.errors import InputError
from capc.job import models as models_module
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.models import exact_logits
from capc.job.plan import Plan, prepare
from capc.job.report import document
from capc.learning.own_models.networks import OwnNetwork
from capc.learning.training import FloatModel
from capc.models.figures import bounded, without_figures
from job.stand_in import Opener, Recorder, finished, validate
from support.onnx_files import onnx_model

SOURCE = """
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(1, 2, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 10))

def narrow():
    return nn.Sequential(nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 9))

def perceptron():
    from sklearn.neural_network import MLPClassifier
    return MLPClassifier((8,), max_iter=5)
"""
TABLE = """
[answering_party_1]
model = "nets.py:small"
input = [1, 8, 8]

[answering_party_2]
model = "ward.onnx"

[querying_party]
model = "nets.py:perceptron"
"""
OPTIONS = {"parties": "4", "queries": "3", "party_rows": "20", "sigma": "9"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("own")
    (made / "nets.py").write_text(SOURCE)
    (made / "models.toml").write_text(TABLE)
    torch.manual_seed(0)
    onnx.save(
        onnx_model(nn.Sequential(nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 10)).double(), (64,)), made / "ward.onnx"
    )
    return made


def plan(folder: Path, simulated: bool = False, **flags: str) -> Plan:
    return prepare(resolve({"models": str(folder / "models.toml"), **OPTIONS, **flags}), simulated=simulated)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-056", "CAPC-RUN-055", "CAPC-RUN-052")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_each_party_answers_with_what_it_brings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own ones under figures by rule, the others of the mix as without a table; kept are those of the mix only."""
    mixed: list[int] = []
    train = models_module.train_side_by_side
    monkeypatch.setattr(
        models_module, "train_side_by_side", lambda tasks, _: (mixed.append(len(tasks)), train(tasks, 1))[1]
    )
    opener = Opener()
    given = plan(folder, keep=str(folder / "kept"), baselines="self_training,pooled,pate")
    job = finished(Job(given, Recorder(), opener))
    assert mixed[0] == 2
    assert len(list((folder / "kept").iterdir())) == 2
    labeller = opener.opened[0]
    widths = given.parameters.widths
    for number, model in enumerate(labeller.models, start=1):
        architecture = model.architecture
        if number in given.own:
            stated = bounded(without_figures(architecture), widths.fraction_bits, widths.logit_bits)
            assert architecture == stated == given.own[number].architecture
        else:
            assert architecture == without_figures(architecture)
    report = document(job.state)
    validate(report)
    assert [entry["layer_sizes"] for entry in report["parties"]][:3] == [[64, 8, 10], [64, 18, 10], [64, 6, 10]]
    assert set(report["queriers"][0]["baselines"]) == {"self_training", "pooled", "pate"}
    again = opener.opened[0].models
    assert finished(Job(plan(folder), Recorder(), opener)).state.turns[0].before == job.state.turns[0].before
    assert list(opener.opened[1].models) == list(again)


PLACE = "models.toml, line 2, answering_party_1: model = "


@pytest.mark.req("CAPC-RUN-054")
@pytest.mark.parametrize(
    ("model", "fragment"),
    [
        ('"nets.py:narrow"', f"{PLACE}nets.py:narrow: in training it gives 9 numbers for a row"),
        ('"none.onnx"', f"{PLACE}none.onnx: "),
        ('"nets.py:small"\ninput = [2, 8, 8]', f"{PLACE}nets.py:small: input = [2, 8, 8]: the data have 64 features"),
    ],
    ids=["logits", "file", "shape"],
)
def test_refusals_come_before_any_training(tmp_path: Path, model: str, fragment: str) -> None:
    (tmp_path / "nets.py").write_text(SOURCE)
    (tmp_path / "models.toml").write_text(f"[answering_party_1]\nmodel = {model}\n")
    with pytest.raises(InputError) as caught:
        plan(tmp_path)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_dp_sgd_trains_no_model_of_anybodys_own(folder: Path) -> None:
    with pytest.raises(InputError, match=r"baselines = dp_sgd .*: dp_sgd trains the default mix"):
        plan(folder, baselines="dp_sgd")


@pytest.mark.req("CAPC-RUN-054")
def test_a_party_that_asks_has_to_learn(folder: Path) -> None:
    with pytest.raises(InputError, match=r"line 7, answering_party_2: model = ward\.onnx: a party that asks retrains"):
        plan(folder, queriers="3")


@pytest.mark.slow
def test_exact_logits_are_those_of_every_architecture(folder: Path) -> None:
    given = plan(folder, simulated=True)
    rows = np.random.default_rng(0).integers(-(1 << 12), (1 << 12) + 1, (5, 64)).tolist()
    features, labels = given.dataset.features[:30], given.dataset.labels[:30]
    for party in (1, 2):
        task: Any = models_module.task_of(given, np.arange(30), labels, party)
        assert np.array_equal(task.features, features)
        own = given.own[party].train(task)
        assert isinstance(own, OwnNetwork)
        model = models_module.quantised(given, own)
        assert exact_logits(model, rows).tolist() == [model.logits(row) for row in rows]
        assert exact_logits(model, []).shape == (0, 10)
    dense = models_module.quantised(given, FloatModel((np.eye(10, 64),), (np.zeros(10),)))
    assert exact_logits(dense, rows).tolist() == [dense.logits(row) for row in rows]
