"""Records of nightly runs: what is recorded, what never is, and whether those that are checked in are of this suite."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

from capc_verify.nightly import EVIDENCE, digest, main

ROOT = Path(__file__).parents[2]
CONFTEST = 'pytest_plugins = ["capc_verify.pytest_plugin"]\n'
SIZES = "from support.sizes import examples\n"
_ASSIGNED = re.compile(r"^(Test\w+) = ", re.MULTILINE)
"""Classes of tests that hypothesis makes of a state machine."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout with one room that has a nightly size, and one that has none."""
    for name, text in {
        "pytest.ini": "[pytest]\npythonpath = tests\naddopts = --import-mode=importlib\n",
        ".gitignore": ".trace\n.pytest_cache\n__pycache__\n",
        "tests/conftest.py": CONFTEST,
        "tests/support/sizes.py": "import os\ndef examples(): return os.environ.get('CAPC_NIGHTLY')\n",
        "tests/long/test_long.py": f"{SIZES}def test_size(): assert examples() == '1'\n",
        "tests/short/test_short.py": "def test_nothing(): pass\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    commit(tmp_path)
    return tmp_path


def commit(repository: Path) -> None:
    for command in (["add", "."], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m"]):
        subprocess.run(["git", *command], cwd=repository, check=True)


@pytest.mark.slow
def test_a_room_that_passed_at_the_nightly_size_is_recorded_with_its_commit(repository: Path) -> None:
    assert main(["--root", str(repository), "--workers", "1"]) == 0
    (path,) = (repository / EVIDENCE).iterdir()
    record = json.loads(path.read_text(encoding="utf-8"))
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True)
    assert (path.name, record["commit"]) == ("long.json", head.stdout.strip())
    (entry,) = record["tests"].items()
    assert entry[0] == "tests/long/test_long.py::test_size"
    assert (entry[1]["passed"], entry[1]["skipped"], entry[1]["failed"]) == (1, 0, 0)


@pytest.mark.slow
def test_every_room_is_recorded_with_one_commit(repository: Path) -> None:
    (repository / "tests/longer").mkdir()
    (repository / "tests/longer/test_longer.py").write_text(
        f"{SIZES}def test_size(): assert examples() == '1'\n", "utf-8"
    )
    commit(repository)
    assert main(["--root", str(repository), "--workers", "1"]) == 0
    records = [json.loads(path.read_text("utf-8")) for path in sorted((repository / EVIDENCE).iterdir())]
    assert [record["command"].split()[-1] for record in records] == ["long", "longer"]
    assert records[0]["commit"] == records[1]["commit"]


@pytest.mark.slow
def test_a_failure_is_not_recorded(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (repository / "tests/long/test_long.py").write_text(f"{SIZES}def test_size(): assert not examples()\n", "utf-8")
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e", "commit", "-qam", "m"], cwd=repository, check=True
    )
    assert main(["--root", str(repository), "--workers", "1"]) == 1
    assert "long: not recorded" in capfd.readouterr().err
    assert not (repository / EVIDENCE).exists()


def test_a_tree_that_is_no_commits_is_refused_before_anything_runs(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "tests/long/new.py").write_text("", encoding="utf-8")
    assert main(["--root", str(repository), "long"]) == 2
    assert capsys.readouterr().err == (
        "nightly: ?? tests/long/new.py: not committed; a record is of a commit, so commit first\n"
    )


def test_a_room_without_nightly_sizes_is_refused_by_name(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(repository), "long", "short"]) == 2
    assert capsys.readouterr().err == "nightly: short: no tests with nightly sizes there; choose from long\n"


def test_cases_of_one_function_are_counted_together(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite>"
        '<testcase classname="tests.a.test_b" name="test_c[1]" time="1.25"><properties>'
        '<property name="file" value="read"/></properties></testcase>'
        '<testcase classname="tests.a.test_b" name="test_c[2]" time="2"><skipped message="m"/></testcase>'
        '<testcase classname="tests.a.test_b" name="test_c[3]" time="0.5"><error message="m"/></testcase>'
        '<testcase classname="tests.a.test_b.TestD" name="runTest" time="1"/>'
        "</testsuite></testsuites>",
        encoding="utf-8",
    )
    assert digest(report) == {
        "tests/a/test_b.py::TestD::runTest": {"passed": 1, "skipped": 0, "failed": 0, "seconds": 1.0},
        "tests/a/test_b.py::test_c": {"passed": 1, "skipped": 1, "failed": 1, "seconds": 3.7, "told": {"file": "read"}},
    }


@pytest.mark.slow
@pytest.mark.parametrize("room", sorted(path.stem for path in (ROOT / EVIDENCE).glob("*.json")))
def test_the_record_that_is_checked_in_names_tests_that_exist_and_failed_none(room: str) -> None:
    record = json.loads((ROOT / EVIDENCE / f"{room}.json").read_text(encoding="utf-8"))
    assert len(record["commit"]) == 40
    for name, counts in record["tests"].items():
        file, function, *_ = name.split("::")
        defined = {node.name for node in ast.parse((ROOT / file).read_text("utf-8")).body if hasattr(node, "name")}
        assert function in defined | set(_ASSIGNED.findall((ROOT / file).read_text("utf-8"))), name
        assert counts["failed"] == 0
        assert counts["passed"] + counts["skipped"] > 0
    assert any(counts["passed"] for counts in record["tests"].values())


def test_the_record_of_the_corpus_is_of_all_exporters() -> None:
    """What the test itself asserts, of the run that is recorded: and that no exporter was missing."""
    record = json.loads((ROOT / EVIDENCE / "models.corpus.json").read_text(encoding="utf-8"))
    entry = record["tests"]["tests/models/corpus/test_corpus.py::test_the_whole_corpus"]
    told = entry["told"]
    assert (entry["passed"], entry["skipped"]) == (1, 0)
    exporters = {name.removeprefix("version of ") for name in told if name.startswith("version of ")}
    assert exporters >= {"torch", "onnxscript", "skl2onnx", "tf2onnx", "keras"}
    outcomes = [outcome for name, outcome in told.items() if ": " in name]
    read = [outcome for outcome in outcomes if outcome.startswith("read: ")]
    assert (len(outcomes), len(read)) == (int(told["files"]), int(told["read"]))
    assert len(outcomes) >= 150
    assert len(read) >= 0.8 * len(outcomes)
