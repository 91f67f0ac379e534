"""What the commands print, write and return; the protocol is a stand-in."""

from __future__ import annotations

import builtins
import functools
import json
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from capc import cli
from capc.cli import app, doctor_command, run_command
from capc.foundation.environment import EXTRAS
from capc.foundation.errors import InputError
from capc.job.job import Job
from capc.protocol.collaboration import QueryResult
from job.stand_in import Opener, Plurality, validate

TINY = ["run", "--parties", "2", "--queries", "3"]


def forget(monkeypatch: pytest.MonkeyPatch, *prefixes: str) -> None:
    """Has modules imported anew, until the test ends: afterwards packages have the old ones again, by every way."""
    for name in sorted((name for name in sys.modules if name.startswith(prefixes)), reverse=True):
        package, _, child = name.rpartition(".")
        monkeypatch.delattr(sys.modules[package], child, raising=False)
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Opener]:
    def install(**options: Any) -> Opener:
        opener = Opener(**options)
        monkeypatch.setattr(run_command, "Job", functools.partial(Job, opener=opener))
        return opener

    return install


@pytest.mark.slow
def test_a_run_prints_its_tables_and_writes_its_report(
    stand_in: Callable[..., Opener], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stand_in(withhold=frozenset({2}))
    file = tmp_path / "report.json"
    assert cli.run([*TINY, "--threshold", "1", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    report = json.loads(file.read_text())
    validate(report)
    assert report["status"] == "complete"
    assert report["config"]["parties"] == 2
    assert "2 released, 1 withheld" in printed
    assert "3 of 3 equal to the ideal functionality" in printed
    assert "setup" in printed
    assert "and 2 bytes, after the set-up" in printed
    assert report["steps"]["ahead"] == {"seconds": 0.5, "bytes": 6, "rounds": 1}
    assert [query["bytes"] for query in report["queries"]] == [2, 2, 2]
    assert f"{report['queriers'][0]['after']['accuracy']:.3f}" in printed


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-006", "CAPC-ACCT-005")
def test_the_table_calls_only_the_enforced_budget_a_guarantee(
    stand_in: Callable[..., Opener], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    stand_in()
    assert cli.run([*TINY, "--epsilon", "3"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "guarantee" in line]
    assert len(lines) == 2
    assert "enforced" in lines[0]
    assert "epsilon <= 3 at delta" in lines[0]
    assert "guarantee of the enforced budget" in lines[0]
    assert "realised" in lines[1]
    assert "not a guarantee unless the counts were fixed in advance" in lines[1]


@pytest.mark.req("CAPC-ACCT-004")
def test_the_table_tells_no_epsilon_below_the_enforced_one(
    stand_in: Callable[..., Opener], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    stand_in()
    assert cli.run([*TINY, "--epsilon", "3.1415926"]) == 0
    told = capsys.readouterr().out
    assert "epsilon by adversary: semi_honest 3.1416, " in told
    assert "epsilon <= 3.1416 at delta" in told


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-134", "CAPC-ACCT-152")
def test_the_table_tells_the_epsilon_towards_both_adversaries(
    stand_in: Callable[..., Opener], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    stand_in()
    file = tmp_path / "report.json"
    assert cli.run([*TINY, "--accounting", "argmax_renyi", "--json", str(file)]) == 0
    towards = json.loads(file.read_text())["privacy"]["adversaries"]
    assert towards["semi_honest"] == 10 < towards["cheating_querying_party"]
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "epsilon by adversary" in line]
    shown = dict(re.findall(r"(semi_honest|cheating_querying_party) ([0-9.]+)", line))
    assert {name: float(epsilon) for name, epsilon in shown.items()} == pytest.approx(towards, rel=1e-4)


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-012")
def test_the_table_tells_the_concrete_bound(
    stand_in: Callable[..., Opener], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    stand_in()
    file = tmp_path / "report.json"
    assert cli.run([*TINY, "--json", str(file)]) == 0
    shown = json.loads(file.read_text())["garbling"]
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "hash keys" in line]
    assert f"{shown['hash_keys']} hash keys, at most {shown['most_rows']:,} rows" in line
    assert f"2^{shown['key_bits']:.1f} for a key, 2^{shown['run_bits']:.1f} for the run" in line
    assert f"2^{shown['delta_bits']:.1f} within delta" in line


@pytest.mark.slow
def test_json_on_standard_output_stands_there_alone(
    stand_in: Callable[..., Opener], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in()
    assert cli.run([*TINY, "--json", "-"]) == 0
    captured = capsys.readouterr()
    validate(json.loads(captured.out))
    assert "Complete" in captured.err


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-003")
@pytest.mark.parametrize("target", ["file", "-"])
def test_ctrl_c_leaves_a_report_and_exits_with_130(
    stand_in: Callable[..., Opener], capsys: pytest.CaptureFixture[str], tmp_path: Path, target: str
) -> None:
    stand_in(interrupt_at=3)
    file = tmp_path / "report.json"
    assert cli.run([*TINY, "--batch", "1", "--json", str(file) if target == "file" else "-"]) == 130
    captured = capsys.readouterr()
    report = json.loads(file.read_text() if target == "file" else captured.out)
    validate(report)
    assert report["status"] == "interrupted"
    assert len(report["queries"]) == 2
    assert report["privacy"]["remaining_queries"] == 0
    assert "Interrupted" in captured.out + captured.err


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-003")
def test_labels_before_a_refusal_are_shown(
    stand_in: Callable[..., Opener], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were paid for; the refusal is still one line, and the exit code its own."""
    stand_in()
    correct = Plurality.label_batch
    asked: list[int] = []

    def refuse_the_third(self: Plurality, queries: Sequence[Sequence[int]]) -> list[QueryResult]:
        asked.append(len(queries))
        if len(asked) == 3:
            raise InputError("the head that was seen cannot be kept")
        return correct(self, queries)

    monkeypatch.setattr(Plurality, "label_batch", refuse_the_third)
    assert cli.run([*TINY, "--batch", "1", "--json", "-"]) == 2
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    validate(report)
    assert len(report["queries"]) == 2
    assert captured.err.rstrip().endswith("capc: the head that was seen cannot be kept")


def interrupt(*_: object, **__: object) -> None:
    signal.raise_signal(signal.SIGINT)


EARLY = "capc: interrupted before anything was done: no report was written, and a report that is there is of an earlier"


@pytest.mark.req("CAPC-RUN-003")
@pytest.mark.parametrize("moment", ["parsing", "importing", "preparing", "splitting"])
def test_ctrl_c_before_the_run_says_that_nothing_was_done_and_that_a_report_there_is_older(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, moment: str
) -> None:
    file = tmp_path / "report.json"
    file.write_text("an earlier report")
    if moment == "parsing":
        monkeypatch.setattr(app.app.registered_callback, "callback", lambda version=False: interrupt())
    elif moment == "importing":
        forget(monkeypatch, "capc.cli.run")
        interrupt_import(monkeypatch, "capc.cli.run_table")
    else:
        monkeypatch.setattr(run_command, "prepare" if moment == "preparing" else "Job", interrupt)
    assert cli.run([*TINY, "--json", str(file)]) == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(EARLY)
    assert captured.err.count("\n") == 1
    assert file.read_text() == "an earlier report"
    assert list(tmp_path.iterdir()) == [file]


def interrupt_import(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    real = builtins.__import__

    def interrupted(name: str, *arguments: Any, **options: Any) -> Any:
        if name == module:
            interrupt()
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", interrupted)


def test_ctrl_c_while_the_command_line_is_loaded_or_the_doctor_looks_is_said_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as looking:
        looking.setattr(doctor_command, "requirements", interrupt)
        assert cli.run(["doctor"]) == 130
    forget(monkeypatch, "capc.cli.app")
    interrupt_import(monkeypatch, "typer")
    assert cli.run(["doctor"]) == 130
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(EARLY)
    assert second == first


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-003")
def test_a_second_ctrl_c_keeps_the_report_and_claims_nothing_else(
    stand_in: Callable[..., Opener], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stand_in(interrupt_at=3)
    monkeypatch.setattr(run_command, "show", interrupt)
    file = tmp_path / "report.json"
    assert cli.run([*TINY, "--batch", "2", "--json", str(file)]) == 130
    report = json.loads(file.read_text())
    validate(report)
    assert len(report["queries"]) == 2
    assert "before anything was done" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-003", "CAPC-RUN-011")
def test_the_file_is_up_to_date_and_valid_during_every_batch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stand_in: Callable[..., Opener]
) -> None:
    """So that nothing is lost even if the process is killed."""
    file = tmp_path / "report.json"
    seen = []
    opener = stand_in()

    def watched(*arguments: Any) -> Any:
        labeller = opener(*arguments)
        label = labeller.label_batch

        def watching(queries: Any) -> Any:
            report = json.loads(file.read_text())
            validate(report)
            seen.append((report["status"], len(report["queries"])))
            return label(queries)

        monkeypatch.setattr(labeller, "label_batch", watching)
        return labeller

    monkeypatch.setattr(run_command, "Job", functools.partial(Job, opener=watched))
    assert cli.run([*TINY, "--batch", "2", "--queries", "5", "--json", str(file)]) == 0
    assert seen == [("interrupted", 0), ("interrupted", 2), ("interrupted", 4)]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-004")
def test_a_spent_budget_is_said_and_is_no_error(
    stand_in: Callable[..., Opener], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in()
    assert cli.run([*TINY, "--sigma", "1"]) == 0
    printed = capsys.readouterr().out
    assert "Stopped: the budget does not allow another query" in printed
    assert "2 of 3 asked" in printed


@pytest.mark.slow
def test_another_error_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(run_command, "Job", functools.partial(Job, opener=broken))
    with pytest.raises(RuntimeError, match="a fault of the program"):
        cli.run(TINY)


@pytest.mark.slow
def test_options_come_from_the_file_too(stand_in: Callable[..., Opener], tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("parties = 2\nqueries = 9\nepsilon = 2.5\n")
    opener = stand_in()
    assert cli.run(["run", "--config", str(tmp_path / "run.toml"), "--queries", "1"]) == 0
    assert len(opener.opened[0].models) == 2
    assert len(opener.opened[0].asked) == 1
    assert opener.opened[0].account.policy.epsilon == 2.5


def test_the_doctor_knows_every_package_that_the_extras_declare() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    declared = {"core": project["dependencies"], **project["optional-dependencies"]}
    for extra, distributions in EXTRAS.items():
        names = {requirement.split(">")[0].split("=")[0] for requirement in declared[extra]}
        assert names == set(distributions)
    inside = project["optional-dependencies"]["run"][0].removeprefix("capc[").removesuffix("]").split(",")
    assert set(inside) == set(EXTRAS) - {"core"}


def test_the_doctor_reports_versions_and_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.run(["doctor"]) == 0
    assert "tenseal" in capsys.readouterr().out
    monkeypatch.setitem(EXTRAS, "he", ("tenseal", "no-such-package"))
    assert cli.run(["doctor", "--json", "-"]) == 1
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["missing"] == ["no-such-package"]
    assert found["packages"]["tenseal"] is not None
    assert "pip install" in captured.err


@pytest.mark.parametrize(
    ("module", "distribution", "extra"), [("torch", "torch", "learning"), ("flint", "python-flint", "privacy")]
)
def test_a_missing_extra_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: str,
    distribution: str,
    extra: str,
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments, **options)

    first = ("capc.cli.run", "capc.job", "capc.learning", "capc.privacy.accountants")
    forget(monkeypatch, *first)
    monkeypatch.setattr(builtins, "__import__", without)
    assert cli.run(TINY) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"the package {distribution} of the extra '{extra}'" in line
    assert "pip install" in line


def test_a_module_that_no_extra_has_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise ModuleNotFoundError("No module named 'capc.absent'", name="capc.absent")

    monkeypatch.setattr(run_command, "prepare", broken)
    with pytest.raises(ModuleNotFoundError):
        cli.run(TINY)


def test_without_a_command_there_is_only_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    wanted = capsys.readouterr()
    assert "Usage: capc" in wanted.out
    assert cli.run([]) == 2
    assert capsys.readouterr() == wanted
    assert wanted.err == ""


@pytest.mark.slow
def test_help_and_version_need_none_of_the_heavy_packages() -> None:
    script = """
import sys
from capc import cli
codes = [cli.run(arguments) for arguments in (["--help"], ["run", "--help"], ["--version"])]
heavy = {"numpy", "torch", "sklearn", "tenseal", "flint"} & set(sys.modules)
sys.exit(f"{codes} {heavy}" if any(codes) or heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "capc 0." in done.stdout
