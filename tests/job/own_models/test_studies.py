"""Studies of runs in which parties bring models of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

from capc import cli
from capc.job.job import Job
from job.stand_in import validate
from support.onnx_files import onnx_model

TABLE = """
[answering_party_1]
model = "ward.onnx"
"""
CODE = """
[answering_party_1]
model = "nets.py:small"
"""
SMALL = ("--parties", "4", "--queries", "3", "--party-rows", "20", "--sigma", "9", "--repeats", "2")


def network(seed: int) -> onnx.ModelProto:
    torch.manual_seed(seed)
    return onnx_model(nn.Sequential(nn.Linear(64, 10)).double(), (64,))


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A folder with both kinds of models; and the seed of each run that was no kept one."""
    monkeypatch.chdir(tmp_path)
    Path("models.toml").write_text(TABLE)
    Path("code.toml").write_text(CODE)
    Path("nets.py").write_text("from torch import nn\ndef small():\n    return nn.Linear(64, 10)\n")
    onnx.save(network(0), "ward.onnx")
    seeds: list[int] = []
    correct = Job.run

    def run(job: Job) -> Any:
        seeds.append(job.state.plan.config.seed)
        return correct(job)

    monkeypatch.setattr(Job, "run", run)
    return seeds


def simulated(*arguments: str) -> Any:
    assert cli.run(["simulate", *SMALL, *arguments, "--json", "study.json"]) == 0
    study = json.loads(Path("study.json").read_text())
    validate(study, "study")
    return study


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-046")
def test_reports_are_kept_for_the_networks_that_files_hold(ran: list[int]) -> None:
    first = simulated("--models", "models.toml", "--out", "kept")
    assert ran == [0, 1]
    assert simulated("--models", "models.toml", "--out", "kept")["cells"] == first["cells"]
    assert ran == [0, 1]
    # The same name, and another network in it.
    onnx.save(network(1), "ward.onnx")
    simulated("--models", "models.toml", "--out", "kept")
    assert ran == [0, 1, 0, 1]


@pytest.mark.slow
def test_code_is_run_in_a_study_that_forgets(ran: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    assert simulated("--models", "code.toml")["cells"][0]["repeats"] == 2
    assert ran == [0, 1]
    capsys.readouterr()
    assert cli.run(["simulate", *SMALL, "--models", "code.toml", "--out", "kept"]) != 0
    told = capsys.readouterr().err.strip()
    assert told.splitlines()[-1] == (
        "capc: models = code.toml (--models): --out keeps reports, and cannot know when the code of nets.py:small "
        "changed: leave out --out, or give ONNX files"
    )
    assert ran == [0, 1]
