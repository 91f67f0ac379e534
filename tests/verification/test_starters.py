"""The starter ports are built and judged, where their toolchain is installed; elsewhere the skip says what was not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from capc import cli

PORTS = Path(__file__).parents[2] / "ports"


STARTERS = {
    "Rust": ("rustc", ["-O", "--edition", "2021", "rust/port.rs"]),
    "Go": ("go", ["build", "go/port.go", "go/documents.go", "go/shake.go"]),
}
"""What compiles each, from the folder of ports; without a warning."""
MOST_LINES = 600
IN_THE_PLACE_OF_LIBRARIES = {"json.rs", "hash.rs", "shake.go"}
"""What a standard library has not, and a port may take from elsewhere."""


@pytest.fixture(scope="module", params=list(STARTERS))
def starter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The language of a starter, and the program; skips its tests if nothing here can compile it."""
    tool, arguments = STARTERS[request.param]
    compiler = shutil.which(tool)
    if compiler is None:
        pytest.skip(f"{tool} is not installed: the starter in {request.param} was NEITHER BUILT NOR JUDGED")
    program = tmp_path_factory.mktemp("starter") / "port"
    done = subprocess.run(
        [compiler, *arguments[:1], "-o", str(program), *arguments[1:]],
        cwd=PORTS,
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return request.param, str(program)


@pytest.mark.parametrize("language", STARTERS)
def test_a_starter_is_short_enough_to_be_read(language: str) -> None:
    """All lines count, but for what stands in the place of libraries."""
    files = [file for file in (PORTS / language.lower()).iterdir() if file.suffix in {".go", ".rs"}]
    own = [file for file in files if file.name not in IN_THE_PLACE_OF_LIBRARIES]
    assert len(files) - len(own) in {1, 2}
    assert 300 <= sum(len(file.read_text(encoding="utf-8").splitlines()) for file in own) <= MOST_LINES


@pytest.mark.slow
def test_a_starter_passes_the_first_level(starter: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    language, program = starter
    assert cli.run(["conformance", "run", "--level", "encodings", "--port", program, "--validate-io"]) == 0
    assert f"starter 0.1 in {language}" in capsys.readouterr().out


@pytest.mark.slow
def test_it_skips_what_it_does_not_do(
    starter: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = ["conformance", "run", "--level", "noise", "--port", starter[1]]
    assert cli.run(later) == 1
    assert "skipped: operation 0 (bernoulli): " in capsys.readouterr().out
    listed = tmp_path / "known.txt"
    listed.write_text("skip noise::*\nskip noise_traces::*\n", encoding="utf-8")
    assert cli.run([*later, "--expect", str(listed)]) == 0


@pytest.mark.slow
def test_it_skips_live_sessions(starter: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = ["conformance", "live", "--mode", "one_query", "--role", "privacy_guardian", "--port", starter[1]]
    assert cli.run(live) == 1
    assert "live::one_query/privacy_guardian: skipped: operation 0 (join): " in capsys.readouterr().out
    listed = tmp_path / "known.txt"
    listed.write_text("skip live::*\n", encoding="utf-8")
    assert cli.run([*live, "--expect", str(listed)]) == 0
