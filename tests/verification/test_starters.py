"""The starter ports are built and judged, where their toolchain is installed; elsewhere the skip says what was not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from capc import cli

PORTS = Path(__file__).parents[2] / "ports"


def built(tool: str, arguments: list[str], source: Path, program: Path) -> None:
    """Compiles a starter without a warning; skips the test if nothing here can."""
    compiler = shutil.which(tool)
    if compiler is None:
        pytest.skip(f"{tool} is not installed: the starter in {source.parent} was NEITHER BUILT NOR JUDGED")
    done = subprocess.run(
        [compiler, *arguments, str(source), "-o", str(program)],
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def rust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("rust") / "port"
    built("rustc", ["--edition", "2021", "-O"], PORTS / "rust" / "port.rs", program)
    return program


@pytest.mark.slow
def test_the_starter_in_rust_passes_the_first_level(rust: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["conformance", "run", "--level", "encodings", "--port", str(rust), "--validate-io"]) == 0
    assert "starter 0.1 in Rust" in capsys.readouterr().out


@pytest.mark.slow
def test_it_skips_what_it_does_not_do(rust: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = ["conformance", "run", "--level", "noise", "--port", str(rust)]
    assert cli.run(later) == 1
    assert "skipped: operation 0 (bernoulli): bernoulli is not there yet" in capsys.readouterr().out
    listed = tmp_path / "known.txt"
    listed.write_text("skip noise::*\n", encoding="utf-8")
    assert cli.run([*later, "--expect", str(listed)]) == 0
