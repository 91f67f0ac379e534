"""``capc model check``: what it tells of good models, and how it refuses what cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
import torch
from torch import nn

from capc import cli
from job.stand_in import validate
from support.onnx_files import onnx_model

SOURCE = """
from torch import nn

def dense():
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))

def image():
    return nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 3))

def gelu():
    return nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 3))

def wild():
    model = dense()
    model[0].weight.data.mul_(1e5)
    return model

def perceptron():
    from sklearn.neural_network import MLPClassifier
    return MLPClassifier((4,))

def fitted():
    from sklearn.neural_network import MLPClassifier
    return MLPClassifier((4,), max_iter=500, tol=0.1).fit([[0, 0.5], [0.5, 0], [-1, 1]] * 9, [0, 1, 2] * 9)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(SOURCE)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    onnx.save(onnx_model(network.double(), (6,)), tmp_path / "ward.onnx")
    drawn = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x=drawn.uniform(-1, 1, (9, 6)))
    np.save(tmp_path / "rows.npy", drawn.integers(0, 256, (7, 2, 3), dtype=np.uint8))
    np.save(tmp_path / "large.npy", np.full((2, 6), 2.0))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[Any, str]:
    """The JSON report, and what people are shown."""
    assert cli.run(["model", "check", *arguments, "--json", "-"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    validate(report, "model_check")
    return report, captured.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "places", "trained"),
    [
        (["ward.onnx"], 2, False),
        (["nets.py:dense", "--input", "6"], 2, True),
        (["nets:image", "--input", "1,2,3", "--trained", "no"], 2, True),
        (["nets.py:perceptron", "--input", "6", "--classes", "3"], 2, True),
        (["nets.py:fitted"], 2, True),
    ],
)
def test_each_kind_of_model_is_checked(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], places: int, trained: bool
) -> None:
    report, shown = checked(capsys, *arguments, "--parties", "3", "--batch", "2")
    runs_code = not arguments[0].endswith(".onnx")
    assert report["schema"] == "model_check/v1"
    assert (report["runs_code"], report["trained_in_runs"]) == (runs_code, trained)
    assert (f"this runs the code of {arguments[0]}, as you" in shown) == runs_code
    assert report["agreement"]["rows"] == report["agreement"]["same_label"] == 64
    assert len(report["stages"]) == places
    assert all(stage["bits"] <= report["logit_bits"] for stage in report["stages"])
    assert report["changes"] == []
    cost = report["cost"]
    assert cost["bytes"] == pytest.approx(3 * cost["bytes_per_party"] + cost["release_bytes"])
    assert cost["ands_per_party"] == sum(stage["ands"] for stage in report["stages"])
    assert report["measured"] is None
    assert "to change: nothing" in shown


@pytest.mark.slow
def test_weights_above_the_bound_are_told_and_not_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, shown = checked(capsys, "nets.py:wild", "--input", "6")
    assert report["stages"][0]["rows_scaled_down"] == 1
    assert report["stages"][0]["own_bits"] > report["logit_bits"]
    assert any("scaled down: where labels differ, train" in line for line in report["changes"])
    assert "to change: stage 0 (0): 100% of its rows of weights" in shown


@pytest.mark.slow
@pytest.mark.parametrize(("data", "rows"), [("rows.npz", 9), ("rows.npy", 7)])
def test_rows_of_a_file_are_compared_and_a_batch_is_measured(
    folder: Path, capsys: pytest.CaptureFixture[str], data: str, rows: int
) -> None:
    report, shown = checked(capsys, "ward.onnx", "--data", data, "--batch", "2", "--measure", "yes")
    assert report["agreement"]["rows"] == rows
    assert report["agreement"]["rows_from"] == data
    assert report["measured"]["bytes"] == pytest.approx(report["cost"]["bytes_per_party"])
    assert "measured here with one party" in shown


DAMAGES: dict[str, Callable[[Any], object]] = {
    "another schema": lambda report: report.update(schema="model_check/v2"),
    "nothing of the code": lambda report: report.pop("runs_code"),
    "an extra field": lambda report: report.update(weights=[]),
    "no stage": lambda report: report.update(stages=[]),
    "a stage of more rows than it has": lambda report: report["stages"][0].update(rows_scaled_down=1.5),
    "a stage without bits": lambda report: report["stages"][1].pop("own_bits"),
    "half an AND": lambda report: report["cost"].update(ands_per_party=0.5),
    "no rows": lambda report: report["agreement"].update(rows=0),
    "measured without a batch": lambda report: report.update(measured={"seconds": 1.0}),
    "a change that is no text": lambda report: report.update(changes=[None]),
}


def test_the_schema_refuses_another_shape(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, _ = checked(capsys, "ward.onnx")
    for damage in DAMAGES.values():
        damaged = deepcopy(report)
        damage(damaged)
        with pytest.raises(jsonschema.ValidationError):
            validate(damaged, "model_check")


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ([], ["Missing argument", "capc model check --help"]),
        (["ward.onnx", "--batch", "0"], ["batch = 0", "--batch", "choose a whole number from 1"]),
        (["ward.onnx", "--parties", "x"], ["parties = x", "--parties", "choose"]),
        (["ward.onnx", "--parameters", "huge"], ["'huge'", "--parameters"]),
        (["ward.onnx", "--input", "1,8"], ["input = 1,8 (--input): choose", "1,8,8"]),
        (["ward.onnx", "--input", "5"], ["model = ward.onnx", "5"]),
        (["ward.onnx", "--measure", "maybe"], ["measure = maybe", "choose yes or no"]),
        (["ward.onnx", "--classes", "3"], ["classes (--classes): an ONNX file has none: leave this out"]),
        (["ward.onnx", "--trained", "yes"], ["trained (--trained): an ONNX file has none"]),
        (["ward.onnx", "--output", "none"], ["model = ward.onnx", "none"]),
        (["ward.onnx", "--data", "none.npy"], ["none.npy", "--data", "name another"]),
        (["ward.onnx", "--data", "none.npz"], ["none.npz", "cannot be opened"]),
        (["ward.onnx", "--data", "nets.py"], ["nets.py", "--data", "not readable as .npy or .npz"]),
        (["ward.onnx", "--data", "large.npy"], ["large.npy", "must be in [-1, 1]: scale them"]),
        (["ward.onnx", "--json", "ward.onnx"], ["ward.onnx", "--json"]),
        (["none.onnx"], ["model = none.onnx", "cannot be opened"]),
        (["nets.py"], ["model = nets.py", "names no factory"]),
        (["nets.py:none"], ["model = nets.py:none", "there is no function none: choose from dense"]),
        (["nets.py:dense"], ["give --input, as 64 or 1,8,8"]),
        (["nets.py:dense", "--output", "x"], ["output (--output): a factory has none"]),
        (["nets.py:dense", "--input", "7"], ["model = nets.py:dense", "(7,)"]),
        (["nets.py:gelu", "--input", "6"], ["model = nets.py:gelu: GELU at 1", "train it again with ReLU"]),
        (["nets.py:perceptron"], ["give --input and --classes"]),
        (["nets.py:fitted", "--trained", "yes"], ["leave --trained out"]),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], fragments: list[str]
) -> None:
    before = sorted(folder.rglob("*.onnx"))
    assert cli.run(["model", "check", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if "this runs the code of" not in line]
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("capc: ")
    for fragment in fragments:
        assert fragment in lines[0]
    assert sorted(folder.rglob("*.onnx")) == before


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-054")
def test_a_single_simulation_takes_models(folder: Path) -> None:
    (folder / "models.toml").write_text('[answering_party_1]\nmodel = "wide.onnx"\n')
    torch.manual_seed(0)
    onnx.save(onnx_model(nn.Sequential(nn.Linear(64, 10)).double(), (64,)), folder / "wide.onnx")
    options = ["--models", "models.toml", "--parties", "3", "--queries", "2", "--sigma", "9", "--party-rows", "20"]
    assert cli.run(["simulate", *options, "--json", "report.json"]) == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["config"]["models"] == "models.toml"
    assert report["parties"][1]["layer_sizes"] == [64, 10]
