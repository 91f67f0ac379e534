"""Every input that cannot be used: exit code 2 and one line, before any training or protocol work."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from capc import cli
from capc.cli import run_command
from capc.job import models as models_module
from capc.job.job import Job
from capc.job.options import WITHDRAWN_ALLOWANCES, flag


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> functools.partial[str]:
    """Runs ``capc`` in an empty folder where training and the protocol raise; returns the line of the refusal."""

    def forbidden(*_: object, **__: object) -> object:
        pytest.fail("the input was not refused before training or protocol work")

    for training in ("train", "train_side_by_side"):
        monkeypatch.setattr(models_module, training, forbidden)
    monkeypatch.setattr(run_command, "Job", functools.partial(Job, opener=forbidden))
    monkeypatch.chdir(tmp_path)
    return functools.partial(_refusal, capsys)


def _refusal(capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> str:
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("\n")
    assert captured.err.startswith("capc: ")
    return captured.err


FLAGS = [
    (["--parties", "0"], ["parties = 0", "--parties", "choose"]),
    (["--parties", "x"], ["parties = x", "--parties", "choose"]),
    (["--parties", "1000"], ["parties = 1000", "--parties", "at most"]),
    (["--queries", "0"], ["queries = 0", "--queries", "choose"]),
    (["--queries", "180"], ["queries = 180", "--queries", "at most 179"]),
    (["--batch", "0"], ["batch = 0", "--batch", "choose"]),
    (["--batch", "5000"], ["batch = 5000", "--batch", "from 1 to 4096"]),
    (["--epsilon", "0"], ["epsilon = 0", "--epsilon", "choose"]),
    (["--epsilon", "-1"], ["epsilon = -1", "--epsilon", "choose"]),
    (["--epsilon=nan"], ["epsilon = nan", "--epsilon", "choose"]),
    (["--delta", "0"], ["delta = 0", "--delta", "choose"]),
    (["--delta", "1"], ["delta = 1", "--delta", "choose"]),
    (["--delta", "1e-200"], ["delta = 1e-200", "--delta", "choose a number of at least 1e-30 and below 1"]),
    (["--sigma", "0"], ["sigma = 0", "--sigma", "choose"]),
    (["--sigma", "-2"], ["sigma = -2", "--sigma", "choose"]),
    (["--sigma", "0.1"], ["sigma = 0.1", "--sigma", "choose at least"]),
    (["--threshold", "-1"], ["threshold = -1", "--threshold", "choose"]),
    (["--threshold", "1.01"], ["threshold = 101/100", "--threshold", "choose"]),
    (["--threshold-sigma", "1"], ["threshold_sigma = 1", "--threshold-sigma", "--threshold"]),
    (["--charge", "realised"], ["charge = realised", "--charge", "--threshold"]),
    (["--charge", "maybe"], ["charge = maybe", "--charge", "choose"]),
    (["--mechanism", "laplace"], ["mechanism = laplace", "--mechanism", "choose"]),
    (["--adjacency", "none"], ["adjacency = none", "--adjacency", "choose"]),
    (["--partition", "sorted"], ["partition = sorted", "--partition", "choose"]),
    (["--parameters", "huge"], ["'huge'", "--parameters", "choose"]),
    (["--seed", "-1"], ["seed = -1", "--seed", "choose"]),
    (["--data", "none.npz"], ["none.npz", "no such file", "name"]),
    (["--config", "none.toml"], ["none.toml", "--config", "no such file", "name"]),
    (["--data", "."], [".: this is a folder: name an .npz archive"]),
    (["--config", "."], ["config = . (--config): this is a folder: name a TOML file"]),
    (["--data", "/dev/null"], ["/dev/null: this is not a plain file: name"]),
    (["--json", "none/report.json"], ["none/report.json", "--json", "create"]),
    (["--json", "."], ["json = .", "--json", "name"]),
    (["--ledger", ""], ["ledger = ", "--ledger", "choose the name of a ledger"]),
    (["--ledger", "none/ledger"], ["none/ledger.key", "cannot be written", "--ledger", "name another"]),
    (["--ledger", "."], ["not a plain file", "--ledger", "name a ledger"]),
    (["--ledger-key", "key"], ["ledger_key = key", "--ledger-key", "give --ledger too"]),
    (["--ledger", "l", "--json", "l"], ["json = l", "name another"]),
    (["--sigmas", "1"], ["--sigmas", "capc run --help"]),
    (["--sigma"], ["--sigma", "--help"]),
    (["extra"], ["extra", "capc run --help"]),
]


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize(("arguments", "fragments"), FLAGS, ids=[" ".join(arguments) for arguments, _ in FLAGS])
def test_a_flag_that_cannot_be_used_is_refused(
    refused: functools.partial[str], arguments: list[str], fragments: list[str]
) -> None:
    line = refused(["run", *arguments])
    assert all(fragment in line for fragment in fragments), line


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("command", ["run", "simulate"])
@pytest.mark.parametrize(("name", "text", "toml"), [("allowance", "kept", "'kept'"), ("allowance_queries", "5", "5")])
def test_an_option_that_is_withdrawn_says_what_it_was_and_why(
    refused: functools.partial[str], command: str, name: str, text: str, toml: str
) -> None:
    """As a flag, and in a file, also that of a study."""
    said = f": this {WITHDRAWN_ALLOWANCES}: leave it out\n"
    assert refused([command, f"{flag(name)}={text}"]) == f"capc: {name} = {text} ({flag(name)}){said}"
    for more in ("parties = 3", "[sweep]\nepsilon = [1, 2]" if command == "simulate" else ""):
        Path("run.toml").write_text(f"{name} = {toml}\n{more}\n")
        assert refused([command, "--config", "run.toml"]) == f"capc: {name} = {text} (run.toml: {name}){said}"


@pytest.mark.req("CAPC-RUN-001")
def test_files_of_a_withdrawn_option_beside_a_ledger_are_told_of(refused: functools.partial[str]) -> None:
    folder = Path("l.allowances")
    folder.mkdir()
    line = refused(["run", "--ledger", "l", "--sigma", "9"])
    assert line == f"capc: ledger = l (--ledger): l.allowances {WITHDRAWN_ALLOWANCES}: remove it\n"
    assert [path.name for path in Path().iterdir()] == ["l.allowances"]


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("arguments", [["walk"], ["--loud"], ["doctor", "--fix"]])
def test_an_unknown_command_or_flag_is_refused(refused: functools.partial[str], arguments: list[str]) -> None:
    assert arguments[-1] in refused(arguments)


TOMLS = [
    ("sigmas = 1", ["sigmas", "run.toml", "choose from", "threshold_sigma"]),
    ("[run]\nparties = 3", ["run", "run.toml", "choose from"]),
    ('parties = "3"', ["parties = 3", "run.toml: parties", "choose"]),
    ("parties = 0", ["parties = 0", "run.toml: parties", "choose"]),
    ("batch = 0", ["batch = 0", "run.toml: batch", "choose"]),
    ('inference = "exact"', ["inference", "run.toml", "choose from"]),
    ("prepare = 1", ["prepare = 1", "run.toml: prepare", "choose yes or no"]),
    ("queries = 0", ["queries = 0", "run.toml: queries", "choose"]),
    ("epsilon = 0.0", ["epsilon = 0.0", "run.toml: epsilon", "choose"]),
    ("delta = 1.0", ["delta = 1.0", "run.toml: delta", "choose"]),
    ("sigma = -1.5", ["sigma = -1.5", "run.toml: sigma", "choose"]),
    ("sigma = 0.1", ["sigma = 0.1", "run.toml: sigma", "choose at least"]),
    ("parties = ", ["run.toml", "--config", "TOML"]),
    ('data = "none.npz"', ["none.npz", "no such file"]),
]


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize(("text", "fragments"), TOMLS, ids=[text for text, _ in TOMLS])
def test_a_file_of_options_that_cannot_be_used_is_refused(
    refused: functools.partial[str], text: str, fragments: list[str]
) -> None:
    Path("run.toml").write_text(text)
    line = refused(["run", "--config", "run.toml"])
    assert all(fragment in line for fragment in fragments), line


def arrays(rows: int = 400, classes: int = 4) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    generator = np.random.default_rng(1)
    return {"x": generator.uniform(0, 1, (rows, 3)), "y": np.arange(rows) % classes}


with_nan = arrays()
with_nan["x"][7, 2] = np.nan

DATA = [
    ("one class", {"y": np.zeros(400, dtype=np.int64)}, [], ["y holds 1 class", "give at least 2"]),
    ("NaN", {"x": with_nan["x"]}, [], ["x[7, 2] = nan", "remove or replace"]),
    ("vector", {"x": np.zeros(400)}, [], ["x has the shape (400,)", "give"]),
    ("lengths", {"y": np.zeros(3, dtype=np.int64)}, [], ["400 rows and y has 3", "give"]),
    ("floats", {"y": np.zeros(400)}, [], ["y has the type float64", "give integer"]),
    ("objects", {"x": np.full((400, 3), None)}, [], ["the array x cannot be read", "store plain numbers"]),
    ("few rows", arrays(rows=12), [], ["12 rows (rows.npz)", "too few", "give more"]),
    ("no data", {}, ["--parties", "40"], ["parties = 40 (--parties)", "choose at most"]),
    ("small pool", {}, ["--queries", "41"], ["queries = 41 (--queries)", "choose at most 40"]),
]


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize(("content", "arguments", "fragments"), [case[1:] for case in DATA], ids=[c[0] for c in DATA])
def test_data_that_cannot_be_used_is_refused(
    refused: functools.partial[str], content: dict[str, object], arguments: list[str], fragments: list[str]
) -> None:
    np.savez("rows.npz", allow_pickle=True, **{**arrays(), **content})
    line = refused(["run", "--data", "rows.npz", *arguments])
    assert all(fragment in line for fragment in fragments), line
    assert "rows.npz" in line or "--" in line


@pytest.mark.req("CAPC-RUN-001")
def test_a_file_that_is_no_archive_is_refused(refused: functools.partial[str]) -> None:
    Path("rows.npz").write_text("1,2,3")
    assert "rows.npz: not an .npz archive" in refused(["run", "--data", "rows.npz"])


SAME = {
    "same name": lambda report, source: report.with_name(source.name),
    "other spelling": lambda report, source: Path("folder") / ".." / source.name,
    "absolute": lambda report, source: source.resolve(),
    "symbolic link": lambda report, source: report.symlink_to(source) or report,
    "hard link": lambda report, source: report.hardlink_to(source) or report,
}


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("reaches", SAME.values(), ids=SAME.keys())
@pytest.mark.parametrize("given", ["--data", "--config", "run.toml: data"])
def test_a_report_that_would_replace_an_input_is_refused(
    refused: functools.partial[str], reaches: Callable[[Path, Path], Path], given: str
) -> None:
    """Whether the input is named by a flag or in the file of options, and by whatever name the report reaches it."""
    Path("folder").mkdir()
    np.savez("in.npz", **arrays())
    Path("run.toml").write_text("data = 'in.npz'\n" if given == "run.toml: data" else "parties = 2\n")
    source = Path("run.toml" if given == "--config" else "in.npz")
    report = reaches(Path("report.json"), source)
    before = source.read_bytes()
    inputs = ["--data", "in.npz"] if given == "--data" else ["--config", "run.toml"]
    line = refused(["run", *inputs, "--json", str(report)])
    assert f"json = {report} (--json): this is the file {source} ({given}): name another" in line
    assert source.read_bytes() == before
