"""The wheel's file list against the tree, on small made-up repositories with one difference each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc_verify.wheel_check import compare, main

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "capc"
version = "0"
[tool.hatch.build.targets.wheel]
packages = ["spec/capc_spec", "reference/capc", "verification/capc_verify"]
"""
FILES = ("spec/capc_spec/sets/toy.json", "reference/capc/foundation/ring.py", "verification/capc_verify/views.py")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    return tmp_path


def run(repository: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["--root", str(repository)])
    return code, capsys.readouterr().out


def test_same_files_pass(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(repository, capsys) == (0, "wheel: the same 3 files as the tree\n")


def test_file_that_an_ignore_rule_keeps_out_of_the_wheel_is_named(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / ".gitignore").write_text("sets/\n", encoding="utf-8")
    code, output = run(repository, capsys)
    assert code == 1
    assert output.startswith("capc_spec/sets/toy.json: in the tree, not in the wheel")


def test_file_that_git_does_not_track_is_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "reference" / "capc" / "extra.py").write_text("", encoding="utf-8")
    code, output = run(repository, capsys)
    assert code == 1
    assert output.startswith("capc/extra.py: in the wheel, not tracked")


def test_failed_build_is_one_line(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "pyproject.toml").write_text("", encoding="utf-8")
    assert main(["--root", str(repository)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "hatchling build" in line


@pytest.mark.slow
@given(both=st.frozensets(st.text()), tree=st.frozensets(st.text()), wheel=st.frozensets(st.text()))
def test_every_difference_is_named_once_and_nothing_else(
    both: frozenset[str], tree: frozenset[str], wheel: frozenset[str]
) -> None:
    lines = compare(both | tree, both | wheel)
    missing = {line.removesuffix(": in the tree, not in the wheel (does an ignore file match it?)") for line in lines}
    extra = {line.removesuffix(": in the wheel, not tracked by git (add it, or remove it)") for line in lines}
    assert missing >= tree - wheel - both
    assert extra >= wheel - tree - both
    assert len(lines) == len((tree ^ wheel) - both)
