"""Whatever the options are: a refusal comes before any training, in one line, and leaves no file behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from capc import cli
from capc.cli.app import RUN_OPTIONS, SIMULATE_OPTIONS
from capc.cli.run_command import OUTPUTS
from capc.job import models as models_module
from capc.job.collaboration import open_collaboration
from capc.job.config import OPTIONS, JobConfig
from capc.job.options import OF_THE_PROTOCOL, flag
from capc.learning.training import FloatModel, TrainingTask, train
from support.onnx_files import onnx_model
from support.sizes import examples


class TrainedError(Exception):
    """Training was reached: nothing speaks against the options any more."""


class SetUpError(Exception):
    """The session was set up: nothing speaks against them at all."""


KINDS = get_type_hints(JobConfig)
"""The type of each option's value."""


def bad_texts(name: str) -> list[str]:
    """What an option does not admit, by its type and by what its remedy says."""
    kind, remedy = KINDS[name], OPTIONS[name].remedy
    if kind in {int, int | None}:
        least, most = map(int, re.findall(r"\d+", remedy))
        return [str(least - 1), str(most + 1), "x", "", "1.5", "1e3"]
    if kind in {Fraction, Fraction | None}:
        (most,) = re.findall(r"(?:below|at most) (\d+),", remedy)
        return ["-1", "nan", "inf", "x", "", str(int(most) + 1), "1e-999999999", "1." + "1" * 99]
    if remedy.startswith(("one of", "some,")):
        return ["", "other", "EXACT"]
    if kind is bool:
        return ["", "true", "maybe"]
    return ["", *([] if kind == Path | None else ["\n", "x" * 999])]


BAD = [(name, text) for name in OPTIONS for text in bad_texts(name)]


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.fixture
def training_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def told(*_: object, **__: object) -> None:
        raise TrainedError

    for training in ("train", "train_side_by_side"):
        monkeypatch.setattr(models_module, training, told)
    monkeypatch.chdir(tmp_path)


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.usefixtures("training_is_told")
@pytest.mark.parametrize(("name", "text"), BAD, ids=lambda value: value[:20])
def test_each_option_refuses_what_it_does_not_admit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, text: str
) -> None:
    """Beside a ledger, which is not made."""
    assert cli.run(["run", "--ledger", "l", f"{flag(name)}={text}", "--log", "log", "--json", "json"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"capc: {name} = ")
    assert flag(name) in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert everything(tmp_path) == []


ODD: dict[str, list[str]] = {
    "data": ["rows.npz", "few.npz", "wide.npz", "none.npz", ".", "text"],
    "models": ["own.toml", "text", "none.toml", "dir"],
    "parties": ["1", "2", "3", "40", "4096"],
    "queries": ["1", "2", "9", "150", "100000"],
    "batch": ["1", "10", "4096"],
    "workers": ["0", "1"],
    "parameters": ["default", "fast", "test", "toy", "huge"],
    "renyi_order": ["1", "1.01", "2", "4.5", "1000000"],
    "sigma": ["0.01", "1", "9", "5000"],
    "threshold": ["0", "1", "1.03", "2", "50"],
    "threshold_sigma": ["0.01", "1", "900"],
    "epsilon": ["0.00001", "1", "10", "1000"],
    "delta": ["1e-30", "0.00001", "0.5"],
    "engine": ["embedded", "mp-spdz", "mp-spdz:semi2k", "mp-spdz:none", "other"],
    "declare_model": ["base", "honest_majority", "other"],
    "seed": ["0", "7"],
    "ledger": ["l", "none/l", ".", "text", "dir/l", "l.key"],
    "ledger_key": ["k", "none/k", ".", "text", "l"],
    "journal": ["own/j", "j", ".", "text", "text/j", "dir"],
    "data_set": ["x", "a b"],
    "queriers": ["1", "2", "3", "4", "41", "4096"],
    "rounds": ["1", "2", "10", "1000"],
    "tau_squared": ["0.5", "2", "100"],
    "baselines": ["self_training", "noiseless,pooled", "pooled,pooled", "other"],
    "column": ["site", "x", "y", "none", "wide"],
    "group": ["site", "x", "none"],
    "weak_classes": ["1", "2", "3", "100"],
    "weak_ratio": ["0", "0.1", "1", "1e-9"],
    "missing_classes": ["1", "2", "3", "100"],
    "alpha": ["0.01", "1", "1000000", "1e-30"],
    "test_rows": ["1", "100", "400", "100000"],
    "pool_rows": ["1", "20", "400", "100000"],
    "party_rows": ["1", "8", "40", "100000"],
    "querying_rows": ["1", "8", "40", "100000"],
    "size_ratio": ["0.5", "1", "4", "10000"],
    "keep": ["models", "text", "dir", "text/models", "rows.npz"],
}


def texts(name: str) -> list[str]:
    remedy = OPTIONS[name].remedy
    if remedy.startswith("one of "):
        return remedy.removeprefix("one of ").split(", ")
    return ["yes", "no"] if KINDS[name] is bool else ODD[name]


COMBINATIONS = st.lists(st.sampled_from(sorted(OPTIONS)), max_size=6, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(texts(name)) for name in names})
)


@cache
def own_network() -> bytes:
    """For rows of six features in three classes."""
    torch.manual_seed(0)
    content: bytes = onnx_model(nn.Linear(6, 3).double(), (6,)).SerializeToString()
    return content


@contextmanager
def folder_of_odd_things(folder: Path) -> Iterator[list[Path]]:
    generator = np.random.default_rng(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        for name, rows, width in (("rows", 400, 6), ("few", 12, 6), ("wide", 400, 5000)):
            site = generator.integers(0, 5, rows)
            np.savez(folder / name, x=generator.normal(size=(rows, width)), y=np.arange(rows) % 3, site=site)
        (folder / "own.onnx").write_bytes(own_network())
        (folder / "own.toml").write_text('[answering_party_1]\nmodel = "own.onnx"\n')
        (folder / "text").write_text("text")
        (folder / "dir").mkdir()
        yield everything(folder)


TRAINED: dict[object, FloatModel] = {}


def train_once(task: TrainingTask) -> FloatModel:
    """Small rows: the session's shapes matter here, and not what is learnt."""
    kind = task.sizes, task.bound
    if kind not in TRAINED:
        TRAINED[kind] = train(replace(task, features=task.features[:4], labels=task.labels[:4]))
    return TRAINED[kind]


def set_up(*arguments: Any, **options: Any) -> object:
    open_collaboration(*arguments, **options)
    raise SetUpError


def outcome(arguments: list[str], *, late: bool) -> str | None:
    """The line of a refusal, or None for a run that nothing speaks against, which ends with training or the set-up."""

    def told(*_: object, **__: object) -> None:
        raise TrainedError

    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "_say", lines.append)
        if late:
            patch.setattr(models_module, "train", train_once)
            patch.setattr(models_module, "train_side_by_side", lambda tasks, _: map(train_once, tasks))
            patch.setattr("capc.job.job.open_collaboration", set_up)
        else:
            for training in ("train", "train_side_by_side"):
                patch.setattr(models_module, training, told)
        try:
            assert cli.run(arguments) == 2
        except (TrainedError, SetUpError):
            return None
    (line,) = lines
    assert line
    return line


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-001")
@settings(max_examples=examples(ordinary=20, nightly=3000))
@given(given_options=COMBINATIONS)
@example(given_options={"parties": "2", "threshold": "50"})
@example(given_options={"ledger": "l", "journal": "j"})
@example(given_options={"ledger": "l", "engine": "other"})
@example(given_options={"data": "rows.npz", "models": "own.toml", "queries": "9", "parties": "3"})
@example(given_options={"data": "wide.npz", "queries": "9", "parties": "3"})
def test_a_refusal_comes_before_training_and_leaves_no_file(
    tmp_path_factory: pytest.TempPathFactory, given_options: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    arguments = ["run", *[f"{flag(name)}={text}" for name, text in given_options.items()], "--log", "log"]
    with folder_of_odd_things(folder) as before:
        line = outcome([*arguments, "--json", "report"], late=False)
        if line is not None:
            assert "\n" not in line
            assert everything(folder) == before


LATE = "trained could wrap in the logit ring"
"""What only a trained model decides (CAPC-RUN-005)."""


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-001")
@settings(max_examples=examples(ordinary=5, nightly=500))
@given(given_options=COMBINATIONS)
@example(given_options={"data": "wide.npz", "queries": "9", "parties": "1"})
@example(given_options={"data": "rows.npz", "parties": "1", "parameters": "test"})
@example(given_options={"data": "rows.npz", "models": "own.toml", "parties": "2", "queries": "2"})
@example(given_options={"vote_variant": "multi_round", "parties": "1", "ledger": "l"})
@example(given_options={"journal": "own/j", "ledger": "l", "parties": "2"})
def test_nothing_but_the_trained_models_is_refused_after_training(
    tmp_path_factory: pytest.TempPathFactory, given_options: dict[str, str]
) -> None:
    """What passes all checks is set up by the real protocol; only weights can still be refused."""
    # Sessions of many parties take long to set up, and say no more.
    fewer = {**given_options, "parties": "2"} if given_options.get("parties", "9") not in {"1", "2"} else given_options
    arguments = ["run", *[f"{flag(name)}={text}" for name, text in fewer.items()]]
    with folder_of_odd_things(tmp_path_factory.mktemp("checks")):
        if outcome(arguments, late=False) is not None:
            return
    # Elsewhere: what the checks have made, as a ledger and a journal of its charges, is not there.
    with folder_of_odd_things(tmp_path_factory.mktemp("run")):
        line = outcome(arguments, late=True)
        assert line is None or LATE in line, line


DOCUMENTS = [*(Path(__file__).parents[2] / "docs").glob("*.md"), Path(__file__).parents[2] / "README.md"]


def test_documents_name_every_option_and_no_other() -> None:
    read = {file.name: file.read_text(encoding="utf-8") for file in DOCUMENTS}
    assert [name for name in RUN_OPTIONS if f"{flag(name)}" not in read["main-job.md"]] == []
    assert [name for name in ("repeats", "out") if flag(name) not in read["studies.md"]] == []
    for name, text in read.items():
        lines = re.findall(r"^\$ capc (run|simulate) ([^#\n]*)", text, re.MULTILINE)
        for command, rest in lines:
            known = map(flag, RUN_OPTIONS if command == "run" else SIMULATE_OPTIONS)
            assert set(re.findall(r"--[a-z-]+", rest)) <= set(known), (name, rest)


def test_the_tables_name_every_option() -> None:
    assert {name for name, _ in BAD} == set(OPTIONS)
    assert [name for name in RUN_OPTIONS if name not in {"config", *OUTPUTS}] == list(OPTIONS)
    assert set(SIMULATE_OPTIONS) == {*RUN_OPTIONS, "repeats", "out"} - set(OF_THE_PROTOCOL)
    assert all(len(texts(name)) > 1 for name in OPTIONS)
