"""Evidence that is run again: what is chosen, what is kept of a run that was interrupted, and what is not believed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.cli.terminal import timed_lines
from capc.foundation.errors import InputError
from capc_verify.audit.claims import read_claims
from capc_verify.audit.runs import running
from capc_verify.audit.runs.display import Lines
from capc_verify.audit.runs.journal import Journal, Outcome, latest, read_journal, write_line
from capc_verify.audit.runs.recording import choose
from capc_verify.audit.runs.running import Files, InterruptedRunError, Run, finish, run_again
from capc_verify.audit.selection import select
from capc_verify.quick import CASES
from capc_verify.trace.report import read_report
from capc_verify.trace.spec import read_specification
from support.sizes import some
from support.toy_checkout import ToyCheckout

NODES = st.sampled_from(
    [f"tests/t.py::test_{name}" for name in "abcd"] + [f"tests/v.py::test_vector[f::{n}]" for n in range(6)]
)
IDS = st.sampled_from(["CAPC-TOY-001", "CAPC-TOY-002", "CAPC-TOY-003"])
NAMED = st.dictionaries(NODES, st.dictionaries(IDS, st.just("test")))


class Quiet:
    def at(self, done: int, total: int) -> None:
        pass


class Impatient:
    """Presses Ctrl-C as soon as so many tests have ended."""

    def __init__(self, tests: int) -> None:
        self._tests = tests

    def at(self, done: int, total: int) -> None:
        if done >= self._tests:
            raise KeyboardInterrupt


def run(
    toy: ToyCheckout, *asked: str, quick: bool = False, tree: str = "t", watcher: Any = None, fresh: bool = False
) -> Run:
    specification = read_specification(toy.root)
    selection = select(asked, specification, read_claims(toy.root, specification), quick=quick)
    files = Files.of(toy.root, selection.name, None)
    evidence = read_report(toy.root).evidence
    return run_again(
        toy.root, selection, evidence, {"tree": tree}, watcher or Quiet(), files=files, workers=2, fresh=fresh
    )


@given(NAMED, st.sets(NODES), st.dictionaries(IDS, st.lists(NODES)))
def test_a_quick_run_has_something_of_everything_and_nothing_else(
    named: Mapping[str, Mapping[str, str]], quick: set[str], evidence: Mapping[str, list[str]]
) -> None:
    naming = {node for node, ids in named.items() if set(ids) & set(evidence)}
    assert choose(named, None, evidence) == naming
    chosen = choose(named, quick, evidence)
    assert naming & quick <= chosen <= naming
    for nodes in evidence.values():
        assert chosen & set(nodes) or not naming & set(nodes)
    # For want of a quick one: one test, or the first vectors.
    assert len(chosen - quick) <= CASES * len(evidence)


@pytest.mark.slow
def test_a_quick_run_of_the_toy_leaves_out_cases_and_takes_one_slow_test(tmp_path: Path) -> None:
    found = run(ToyCheckout.made(tmp_path), quick=True)
    of = "tests/toy/test_toy.py::"
    assert set(found.journal.outcomes) == {
        *(f"{of}test_low[{n}]" for n in range(CASES)),
        f"{of}test_each",
        f"{of}test_push[a]",
    }
    assert set(found.collected.left_out) == {*(f"{of}test_low[{n}]" for n in range(CASES, 6)), f"{of}test_push[b]"}
    assert all(outcome.outcome == "passed" for outcome in found.journal.outcomes.values())


@pytest.mark.slow
def test_after_ctrl_c_the_same_run_goes_on_and_no_test_that_ended_is_run_twice(tmp_path: Path) -> None:
    toy = ToyCheckout.made(tmp_path)
    toy.write("wait.txt", "")
    with pytest.raises(InterruptedRunError) as interrupted:
        run(toy, "1", watcher=Impatient(6))
    assert str(interrupted.value) == "6 of 7"
    (toy.root / "wait.txt").unlink()
    found = run(toy, "1")
    assert (found.went_on_from, len(found.journal.outcomes)) == (6, 7)
    assert toy.read("ran.txt") == "low " * 6
    # Until it is reported it can be gone on from, and nothing is left to run.
    assert run(toy, "1").went_on_from == 7
    finish(Files.of(toy.root, "1", None), found.journal.ended)
    # What was reported is not gone on from, nor what was of other files, nor what is to be fresh.
    assert run(toy, "1").went_on_from == 0
    toy.write("wait.txt", "")
    for case in some([{"tree": "other"}, {"fresh": True}], ordinary=1):
        with pytest.raises(InterruptedRunError):
            run(toy, "1", watcher=Impatient(6))
        (toy.root / "wait.txt").unlink()
        assert run(toy, "1", **case).went_on_from == 0
        toy.write("wait.txt", "")


@pytest.mark.slow
def test_pytest_that_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    toy = ToyCheckout.made(tmp_path)
    toy.edit("tests/toy/test_toy.py", "CAPC-TOY-002", "CAPC-TOY-009")
    with pytest.raises(InputError, match=r"exit code 4: ERROR: .*CAPC-TOY-009 is not a statement of spec.*1\.log"):
        run(toy, "1")


def test_what_a_kill_cut_is_not_counted_and_what_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    assert read_journal(path) is None
    write_line(path, {"head": {"tree": "t"}})
    write_line(path, Outcome("a", "passed", 0.1, "2026-01-01T00:00:00+00:00"))
    write_line(path, {"broken": "tests/b.py", "reason": "r"})
    whole = path.read_text("utf-8")
    for cut in range(len(whole) + 1):
        path.write_text(whole[:cut], "utf-8")
        found = read_journal(path) or Journal()
        assert len(found.outcomes) == (whole[:cut].count("\n") >= 2)
    assert (found.head, found.broken, found.ended) == ({"tree": "t"}, {"tests/b.py": "r"}, "")
    path.write_text(whole + '{"node": 1}\n', "utf-8")
    with pytest.raises(InputError, match=r"all.jsonl:4: not a line of a journal .*; remove the file"):
        read_journal(path)


def test_the_last_result_of_a_test_is_that_of_its_latest_run(tmp_path: Path) -> None:
    folder = tmp_path / ".trace" / "verify"
    folder.mkdir(parents=True)
    for name, day, outcome in (("a", 1, "passed"), ("b", 2, "failed")):
        write_line(folder / f"{name}.jsonl", {"head": {"tree": name}})
        write_line(folder / f"{name}.jsonl", Outcome("n", outcome, 0, f"2026-01-0{day}T00:00:00+00:00"))
    assert [(found.outcome, head) for found, head in latest(tmp_path).values()] == [("failed", {"tree": "b"})]


def test_lines_come_first_last_and_now_and_then() -> None:
    times, said = [0.0, 1.0, 2.0, 3.0, 3 + timed_lines.INTERVAL, 20.0, 21.0], list[str]()
    clock = iter(times)
    lines = Lines("w", said.append, lambda: next(clock))
    for at in ((0, 0), (0, 3), (1, 3), (2, 3), (3, 3), (3, 3)):
        lines.at(*at)
    assert said == ["w: 0 of 3, 2 s", "w: 2 of 3, 13 s", "w: 3 of 3, 20 s"]


def test_what_is_missing_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"holds no spec/\*.md and no tests: run this in a checkout, or give --root"):
        running.check_runnable(tmp_path)
    toy = ToyCheckout.made(tmp_path)
    monkeypatch.setattr(running, "find_spec", lambda name: None if name == "xdist" else object())
    with pytest.raises(InputError, match=r"package xdist, which is not installed: pip install -e '.\[dev\]'"):
        running.check_runnable(toy.root)


@pytest.mark.slow
def test_reports_are_checked_and_shown_without_pytest() -> None:
    program = "import sys; sys.modules['pytest'] = None; import capc_verify.audit.auditing, capc_verify.audit.command"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_plan_is_whole_for_whoever_reads_it(tmp_path: Path) -> None:
    from capc_verify.audit.runs.plan import Collected, read_collected, write_collected

    found = Collected({"a": {"CAPC-TOY-001": "test"}}, {})
    write_collected(tmp_path / "c.json", found)
    assert read_collected(tmp_path / "c.json") == found
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]
    assert json.loads((tmp_path / "c.json").read_text("utf-8"))["left_out"] == {}
