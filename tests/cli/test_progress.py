"""What a run says while it works, where nobody sees bars."""

from __future__ import annotations

import functools
import io
import re
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc import cli
from capc.cli import run_command
from capc.cli.progress import Lines, displays
from capc.cli.terminal import timed_lines
from capc.cli.terminal.timed_lines import INTERVAL
from capc.job.job import Job
from capc.job.state import Stage
from job.stand_in import Opener, Plurality

TINY = ["run", "--parties", "2", "--queries", "3", "--batch", "1"]
STAGES = {Stage.TRAINING: 3, Stage.SETUP: 1, Stage.QUERIES: 3, Stage.RETRAINING: 1}


@pytest.fixture
def opener(monkeypatch: pytest.MonkeyPatch) -> Opener:
    made = Opener()
    monkeypatch.setattr(run_command, "Job", functools.partial(Job, opener=made))
    return made


def told(lines: list[str]) -> None:
    """Each stage once: that it begins, and that it ends."""
    expected = []
    for stage, total in STAGES.items():
        expected += [rf"{stage.value}: 0 of {total}", rf"{stage.value}: {total} of {total}, [0-9]+ s"]
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-021")
@pytest.mark.parametrize("target", [None, "-"])
def test_without_a_terminal_each_stage_is_told_on_standard_error_and_in_the_log(
    opener: Opener, capsys: pytest.CaptureFixture[str], tmp_path: Path, target: str | None
) -> None:
    log = tmp_path / "log"
    log.write_text("an older one")
    assert cli.run([*TINY, "--log", str(log), *(["--json", target] if target else [])]) == 0
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if re.match(r"[a-z ]+: [0-9]+ of [0-9]+", line)]
    told(lines)
    told(log.read_text().splitlines())
    assert "0 of 3" not in captured.out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-021")
def test_on_a_terminal_there_are_bars_and_the_log_still_has_lines(
    opener: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert cli.run([*TINY, "--log", str(tmp_path / "log")]) == 0
    told((tmp_path / "log").read_text().splitlines())
    assert "training local models" in screen.getvalue()
    assert "0 of 3" not in screen.getvalue()


@pytest.mark.req("CAPC-RUN-021")
def test_a_step_that_takes_long_is_told_while_it_lasts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(timed_lines, "INTERVAL", 0.05)
    with displays(None) as (lines,):
        lines.started(Stage.SETUP, 1)
        time.sleep(0.5)
        lines.advanced(Stage.SETUP)
        time.sleep(0.2)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "setting up the session: 0 of 1"
    assert 1 <= said.count("setting up the session: 0 of 1, 0 s") <= 10
    assert said[-1].startswith("setting up the session: 1 of 1, ")


@pytest.mark.req("CAPC-RUN-021")
@given(waits=st.lists(st.floats(0, 3 * INTERVAL), min_size=1, max_size=60), beats=st.lists(st.booleans(), max_size=60))
def test_lines_come_at_a_limited_rate(waits: list[float], beats: list[bool]) -> None:
    now = [0.0]
    said: list[tuple[float, str]] = []
    lines = Lines(lambda line: said.append((now[0], line)), lambda: now[0])
    lines.started(Stage.QUERIES, len(waits))
    for wait, beat in zip(waits, [*beats, *[False] * len(waits)], strict=False):
        now[0] += wait
        if beat:
            lines.beat()
        lines.advanced(Stage.QUERIES)
    lines.beat()
    assert said[0][1] == f"labelling queries: 0 of {len(waits)}"
    assert said[-1][1] == f"labelling queries: {len(waits)} of {len(waits)}, {now[0]:.0f} s"
    between = [moment for moment, _ in said[:-1]]
    assert all(later - earlier >= INTERVAL for earlier, later in pairwise(between))
    assert len(said) <= 2 + now[0] / INTERVAL


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("none/log", "does not exist"),
        (".", "not a plain file"),
        ("report.json", "this is the file report.json (--json)"),
        ("run.toml", "this is the file run.toml (--config)"),
        ("l", "this is the file l (--ledger)"),
        ("own/j", "this is the file own/j (--journal)"),
    ],
)
def test_a_log_that_cannot_be_written_is_refused(
    opener: Opener,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    fragment: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "run.toml").write_text("sigma = 9\n")
    files = ["--json", "report.json", "--config", "run.toml", "--ledger", "l", "--journal", "own/j"]
    assert cli.run([*TINY, *files, "--log", name]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"capc: log = {name} (--log): ")
    assert fragment in line
    assert line.count("\n") == 1
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["own", "run.toml"]


def test_a_run_that_fails_ends_its_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any) -> Plurality:
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(run_command, "Job", functools.partial(Job, opener=broken))
    call: Callable[..., int] = cli.run
    with pytest.raises(RuntimeError, match="a fault of the program"):
        call(TINY)
    assert capsys.readouterr().err.splitlines()[-1] == "setting up the session: 0 of 1"
