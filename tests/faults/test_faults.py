"""Every seeded fault makes its named tests fail, and they exist and pass without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_verify.faults import FAULTS, families, seeded
from support.sizes import is_nightly

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 900
"""Of a family."""
PARTS = 3
"""Processes, which share the families: each loads all packages once."""


def _without_pytest() -> dict[str, str]:
    """What the environment is for a run of pytest inside of one."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-010")
@pytest.mark.parametrize("part", range(PARTS))
def test_faults_of_a_family_are_caught_and_one_at_least_by_a_quick_test(part: int) -> None:
    """Nightly all of them by all tests that are named; ordinarily, by quick tests, up to the first that one catches."""
    mine = {family: list(faults) for family, faults in list(families().items())[part::PARTS]}
    size = [] if is_nightly() else ["--one"]
    done = subprocess.run(
        [sys.executable, "-m", "capc_verify.faults", *size, *mine],
        cwd=ROOT,
        env=_without_pytest(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS * len(mine),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    caught = done.stdout.splitlines()
    if is_nightly():
        assert caught == [f"{family}: {name}: caught" for family, names in mine.items() for name in names]
    else:
        found = [line.split(": ") for line in caught]
        assert [family for family, _, _ in found] == list(mine)
        assert all(name in mine[family] and verdict == "caught" for family, name, verdict in found)


def test_every_fault_of_the_design_has_a_name() -> None:
    lines = {fault.design_line for fault in FAULTS.values()}
    assert lines == {1, 2, 3, 4, 5, 6, 7, 10, 11, 12, None}
    assert all(fault.summary.endswith(".") and fault.detected_by for fault in FAULTS.values())


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-010")
def test_all_tests_that_faults_name_exist() -> None:
    """With their parameters: who gives a test some, or other ones, gives its faults other names to be caught by."""
    named = {node for fault in FAULTS.values() for node in fault.detected_by}
    files = sorted({node.partition("::")[0] for node in named})
    listing = ["--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "no:capc_trace_recorder"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *listing, *files],
        cwd=ROOT,
        env=_without_pytest(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert named - set(done.stdout.splitlines()) == set()


def test_every_fault_is_of_one_family() -> None:
    assert sorted(name for faults in families().values() for name in faults) == sorted(FAULTS)


def test_an_unknown_fault_is_refused_by_name() -> None:
    first = ", ".join(sorted(FAULTS)[:3])
    assert "addend_forgotten" in first
    with pytest.raises(InputError, match=f"fault 'nonsense' is unknown: choose one of {first}, "):
        seeded("nonsense")
