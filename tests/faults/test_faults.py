"""Every seeded fault makes its named tests fail, and they exist and pass without it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_verify.faults import FAULTS, apply

ROOT = Path(__file__).parents[2]
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=line", "-q")
TIMEOUT_SECONDS = 600
ACCIDENTS = re.compile(r"(TypeError|AttributeError|NameError|ImportError|KeyError|IndexError|struct\.error)")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Pytest on its own, with lines wide enough for whole node ids."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [*PYTEST, *arguments],
        cwd=ROOT,
        env={**environment, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def failures(output: str) -> dict[str, str]:
    """Node id to message, of every test that pytest's summary calls failed."""
    return dict(re.findall(r"^FAILED (\S+) - (.*)$", output, re.MULTILINE))


@pytest.mark.req("CAPC-SEC-010")
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_seeded_fault_makes_its_named_tests_fail(name: str) -> None:
    named = FAULTS[name].detected_by
    result = run("--seed-fault", name, *named)
    assert result.returncode == 1, result.stdout + result.stderr
    failed = failures(result.stdout)
    assert set(failed) == set(named), result.stdout
    # A test that trips over the fault's own mistake would prove nothing.
    assert not [message for message in failed.values() if ACCIDENTS.match(message)], failed
    assert "ERROR" not in result.stdout


@pytest.mark.req("CAPC-SEC-010")
def test_the_named_tests_pass_without_a_fault() -> None:
    named = sorted({node for fault in FAULTS.values() for node in fault.detected_by})
    result = run("--trace-append", *named)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(named)} passed" in result.stdout


def test_every_fault_of_the_design_has_a_name() -> None:
    lines = {fault.design_line for fault in FAULTS.values()}
    assert lines == {1, 2, 3, 4, 5, 6, 7, 10, 11, 12, None}
    assert all(fault.summary.endswith(".") and fault.detected_by for fault in FAULTS.values())


def test_an_unknown_fault_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="fault 'nonsense' is unknown: choose one of any_name_of_a_file, bi"):
        apply("nonsense")
