"""The commands of `capc verify`: what they print, their exit codes, and one line for what cannot be used."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from capc import cli
from capc.foundation.errors import InputError
from capc_verify.audit import auditing
from capc_verify.audit.report.inventory import digest, inventory
from capc_verify.audit.report.page import page
from capc_verify.audit.runs import faulting
from capc_verify.audit.runs.faulting import JOURNAL, Caught, last_results, try_faults
from capc_verify.audit.runs.journal import write_line
from capc_verify.audit.runs.running import InterruptedRunError
from capc_verify.faults import FAULTS
from capc_verify.freshness.records import EVIDENCE
from support.sizes import some
from support.toy_checkout import Audited, ToyCheckout

ROOT = Path(__file__).parents[3]
GUIDES = {
    "verify.md": {"1", "CAPC-TOY-001", "--quick", "--all", "key", "check", "show", "faults", "stale"},
    "audit.md": {"CAPC-TOY-001", "--quick", "--all", "key", "check", "show", "faults", "stale"},
}
"""What the commands of each guide are about."""
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


@pytest.fixture
def toy(tmp_path: Path) -> ToyCheckout:
    return ToyCheckout.made(tmp_path)


@pytest.mark.slow
def test_a_statement_is_shown_with_all_that_stands_behind_it(
    of_all: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    assert of_all.verify("show", "CAPC-TOY-002") == 0
    said = capsys.readouterr().out
    for line in (
        "CAPC-TOY-002 (enumeration), spec/01-toy.md:5",
        "  | one | 1 |",
        "claims: 1, 1*",
        "confirmed with its evidence",
        "  reference/toy/toy.py:4 height",
        "    def height():\n        return 2",
        "tests: 1 functions, 1 cases",
        "vectors: 0",
        "seeded faults: 0",
    ):
        assert line in said, line
    assert re.search(r"test_each: 1 case, 1 passed; last \d{4}-.* at [0-9a-f]{12}\n", said)


def test_a_statement_that_was_not_run_here_says_so(toy: ToyCheckout, capsys: pytest.CaptureFixture[str]) -> None:
    toy.edit("spec/01-toy.md", "NOT lift", "NOT ever lift")
    assert cli.run(["verify", "show", "CAPC-TOY-003", "--root", str(toy.root)]) == 0
    said = capsys.readouterr().out
    assert "CHANGED since its evidence was confirmed" in said
    assert (
        "test_push: 2 cases, passed in the run that spec/traceability.json is of; not run by capc verify here" in said
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run"], "nothing to run: give claims or statements, or --quick, or --all"),
        (["--all", "--quick"], "--all with --quick: give one of them"),
        (["1", "--all"], "--all with 1: give one of them"),
        (["7"], "'7': neither a claim nor a statement: give one of 1, 1*, or an id as CAPC-SEC-001"),
        (["show", "CAPC-TOY-009"], "CAPC-TOY-009 is not a statement of spec/*.md"),
        (["faults", "nonsense"], "fault 'nonsense' is unknown: choose one of "),
        (["check", "pytest.ini"], "pytest.ini: no readable JSON"),
        (["check", "spec/traceability.json"], "not a report of the form verify_report/v1: name the JSON that"),
        (["1", "--json", "none/r.json"], "(--json): the folder"),
        (["1", "--json", "r.html"], "the page beside it has this name: end it with .json"),
        (["1", "--sign", "none"], "none (--sign): not readable (No such file or directory): make one with"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    toy: ToyCheckout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(toy.root)
    assert cli.run(["verify", *arguments]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert line in said


@pytest.mark.parametrize("arguments", [["--all"], ["show", "CAPC-TOY-001"], ["stale"]])
def test_outside_a_checkout_the_remedy_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert cli.run(["verify", *arguments, "--root", str(tmp_path)]) == 2
    assert "holds no spec/*.md: run this in a checkout, or give --root" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InterruptedRunError(3, 9), "3 of 9 tests had ended and are kept; the same command goes on"),
        (KeyboardInterrupt(), "no report was written; tests that had ended are kept"),
    ],
)
def test_ctrl_c_says_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, told: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(auditing, "audit", interrupted)
    assert cli.run(["verify", "--quick"]) == 130
    assert capsys.readouterr().err == f"capc: interrupted: {told}\n"


@pytest.mark.slow
def test_files_that_change_while_tests_run_show_nothing(toy: ToyCheckout) -> None:
    toy.edit("tests/toy/test_toy.py", 'ran.write("low ")', '(ROOT / "reference/toy/toy.py").write_text("")')
    with pytest.raises(InputError, match=r"reference/toy/toy.py: changed while tests ran, so that nothing is shown"):
        auditing.audit(toy.root, ["CAPC-TOY-001"], quick=True, workers=1, fresh=False, log=None)


@pytest.mark.slow
def test_stale_records_are_listed_with_what_makes_them_anew(
    toy: ToyCheckout, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = ["verify", "stale", "--root", str(toy.root)]
    assert cli.run(stale) == 0
    toy.write("tests/toy/test_long.py", "from support.sizes import examples  # CAPC-TOY-001\n")
    assert cli.run(stale) == 1
    assert capsys.readouterr().out == "toy: missing: it was never recorded; make nightly ROOMS=toy\n"
    toy.write(f"{EVIDENCE.as_posix()}/toy.json", json.dumps({"commit": "c" * 40, "date": "2026-01-02"}))
    assert cli.run([*stale, "--json", "-"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("toy: stale, made 2026-01-02 at cccccccccccc: nobody can tell: ")
    (record,) = json.loads(said.out)["records"]
    assert (record["state"], record["statements"]) == ("stale", ["CAPC-TOY-001"])


NAMES = ["addend_forgotten", "biased_rounding"]


@pytest.fixture
def faults_end(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Faults are not put in: the first that is asked for is not caught. What would have been tried."""
    asked: list[list[str]] = []

    def try_family(root: Path, names: list[str], tree: str, commit: str) -> tuple[int, str]:
        asked.append(names)
        for name in names:
            caught = name != NAMES[0]
            result = Caught(name, caught, () if caught else ("t: passed",), "2026-01-01T00:00:00+00:00", tree, commit)
            write_line(root / JOURNAL, asdict(result))
        return 0, ""

    monkeypatch.setattr(faulting, "_try_family", try_family)
    return asked


@pytest.mark.slow
def test_faults_are_tried_by_name_and_a_survivor_is_told(
    toy: ToyCheckout, faults_end: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    faults = ["verify", "faults", "--root", str(toy.root)]
    assert cli.run([*faults, *NAMES]) == 1
    assert capsys.readouterr().out == f"{NAMES[0]}: NOT CAUGHT\n  t: passed\n{NAMES[1]}: caught\n"
    assert sorted(name for names in faults_end for name in names) == NAMES
    # Without names all others are tried, and then none.
    assert cli.run(faults) == 1
    tried = sorted(name for names in faults_end for name in names)
    assert tried == sorted(FAULTS)
    assert cli.run(faults) == 1
    assert sorted(name for names in faults_end for name in names) == tried
    # Other files are another matter.
    toy.write("reference/toy/toy.py", "")
    assert cli.run([*faults, "--json", "-"]) == 1
    assert len([name for names in faults_end for name in names]) == 2 * len(FAULTS)


def test_a_fault_of_which_nothing_is_said_is_a_mistake(toy: ToyCheckout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulting, "_try_family", lambda *_: (1, "no tests here"))
    with pytest.raises(
        InputError, match=r"fault addend_forgotten: its tests were not run \(exit code 1\): no tests here"
    ):
        try_faults(toy.root, NAMES[:1], "t", "c", auditing_watcher())


def auditing_watcher() -> Any:
    class Quiet:
        def at(self, done: int, total: int) -> None:
            pass

    return Quiet()


@pytest.mark.slow
def test_the_page_says_what_became_of_a_fault(audited: Audited) -> None:
    report = audited.document()
    last = asdict(Caught(NAMES[0], False, ("t: passed",), "2026-01-01T00:00:00+00:00", "0" * 64, "c"))
    for fault in report["matrix"]["faults"]:
        fault["last"] = last if fault["name"] == NAMES[0] else None
    assert "NOT CAUGHT: t: passed, 2026-01-01T00:00:00+00:00, on other files" in page(report)


@pytest.mark.slow
def test_a_fault_of_this_repository_is_caught() -> None:
    """The one whose tests are the quickest."""
    tree = digest(inventory(ROOT))
    (result,) = try_faults(ROOT, ["modulus_in_32_bits"], tree, "", auditing_watcher()).values()
    assert result.caught, result.problems
    assert last_results(ROOT)["modulus_in_32_bits"].tree == tree


@pytest.mark.slow
@pytest.mark.usefixtures("faults_end")
@pytest.mark.parametrize("guide", some(GUIDES, ordinary=1))
def test_the_guides_commands_work_as_they_stand(
    toy: ToyCheckout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], guide: str
) -> None:
    """In the toy, which has other statements; seeded faults are those of the repository, and are not put in."""
    monkeypatch.chdir(toy.root)
    text = (ROOT / "docs" / guide).read_text("utf-8")
    commands = [line[2:] for block in BLOCK.findall(text) for line in block.splitlines() if line[:2] == "$ "]
    kinds = set()
    for command in commands:
        words = shlex.split(re.sub(r"CAPC-[A-Z]+-\d+", "CAPC-TOY-001", command), comments=True)
        if words[:2] == ["capc", "verify"]:
            assert cli.run(words[1:]) == 0, command
            kinds.add(words[2])
        elif words[0] == "openssl" and shutil.which("openssl"):
            subprocess.run(words, cwd=toy.root, check=True)
    assert kinds == GUIDES[guide]
    assert capsys.readouterr().out
