"""The runner against a stand-in machine of a few lines: files, limits, errors, and that nothing is left running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.interface import steps
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.protocols import Model
from capc_mpc.spdz.machine import HOME_VARIABLE, Machine, doctor_line, find_machine
from capc_mpc.spdz.ports import free_ports, held_ports
from capc_mpc.spdz.processes import Limits
from capc_mpc.spdz.running import run
from support.mpc import ARGMAX_CASE as CASE
from support.mpc import COMPILER, HONEST_PARTY, machine, needs_mp_spdz

STEP = steps.argmax(2, 8, 4, 1)
"""Logits 10 and 2: class 0 wins, and the querying party's shares are -2 and 0 mod 16."""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.mark.req("CAPC-MPC-006")
def test_a_run_gives_each_party_s_outputs_and_costs(tmp_path: Path, cache: Path) -> None:
    done = run(STEP, [CASE], "semi2k", machine=machine(tmp_path, HONEST_PARTY), cache=cache)
    assert done.learnt == [{}, {"vote.0": [14], "vote.1": [0]}]
    assert done.raw == [[], [("vote.0", [-2 * 2**60]), ("vote.1", [0])]]
    assert (done.costs.seconds, done.costs.bytes_sent, done.costs.rounds) == (0.5, 3000, 7)
    assert done.version == "9.8.7"
    assert done.command[0] == "semi2k-party.x"
    assert done.costs.sent == (1000, 1000)
    assert (done.around.compiled_before, done.around.made_keys) == (False, False)
    assert min(done.around.compile_seconds, done.around.keys_seconds) > 0
    assert len(done.around.peak_bytes) == 2


@pytest.mark.slow
def test_a_program_is_compiled_once_for_its_content(tmp_path: Path, cache: Path) -> None:
    installed = machine(tmp_path, HONEST_PARTY)
    for _ in range(2):
        run(STEP, [CASE], "semi2k", machine=installed, cache=cache)
    assert len(list(cache.iterdir())) == 1
    with pytest.raises(MpcError):
        run(
            steps.argmax(2, 9, 4, 1),
            [CASE],
            "semi2k",
            machine=Machine(installed.home, "x", {"semi2k": Path("/bin/false")}),
            cache=cache,
        )
    assert len(list(cache.iterdir())) == 2


@pytest.mark.req("CAPC-MPC-006")
def test_a_party_that_fails_is_one_error_with_its_lines(tmp_path: Path, cache: Path) -> None:
    party = "import sys\nprint('noise', file=sys.stderr)\nsys.exit('fatal error: no such share')\n"
    with pytest.raises(MpcError, match=r"argmax under semi2k: party . failed: fatal error: no such share"):
        run(STEP, [CASE], "semi2k", machine=machine(tmp_path, party), cache=cache)


def test_a_compiler_that_fails_is_one_error_with_its_lines(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(MpcError, match="compiling argmax 2 8 4 1 failed: CompilerError: wrong"):
        run(
            STEP,
            [CASE],
            "semi2k",
            machine=machine(tmp_path, "", "import sys\nsys.exit('CompilerError: wrong')"),
            cache=cache,
        )
    assert not [entry for entry in cache.iterdir() if not entry.name.startswith("new-")]


HANGING_PARTY = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
pathlib.Path({marks!r}, str(child.pid)).touch()
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-006")
def test_a_compiler_that_hangs_is_stopped(tmp_path: Path, cache: Path) -> None:
    hanging = machine(tmp_path, HONEST_PARTY, "import time\ntime.sleep(20)\n" + COMPILER)
    with pytest.raises(MpcError, match="compiling argmax took more than 1 s"):
        run(STEP, [CASE], "semi2k", machine=hanging, cache=cache, limits=Limits(seconds=1))


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-006")
def test_what_hangs_is_stopped_with_everything_that_it_started(tmp_path: Path, cache: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    hanging = machine(tmp_path, HANGING_PARTY.format(marks=str(marks)))
    with pytest.raises(MpcError, match="took more than 2 s and was stopped"):
        run(STEP, [CASE], "semi2k", machine=hanging, cache=cache, limits=Limits(seconds=2))
    assert_ended(marks)


RUNNER = """
from pathlib import Path
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.running import run
from capc_mpc.interface.steps import argmax
home = Path({home!r})
case = {{(0, "masks"): [1, 2], (0, "mask_halves"): [1, 0], (1, "logit_shares"): [9, 0], (1, "logit_halves"): [1, 1]}}
run(argmax(2, 8, 4, 1), [case], "semi2k", machine=Machine(home, "9", {{"semi2k": home / "semi2k-party.x"}}), cache=home)
"""


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-006")
def test_a_runner_that_is_terminated_takes_its_parties_along(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    home = machine(tmp_path, HANGING_PARTY.format(marks=str(marks))).home
    runner = subprocess.Popen([sys.executable, "-c", RUNNER.format(home=str(home))], stderr=subprocess.PIPE)
    wait_until(lambda: len(list(marks.iterdir())) == 2 or runner.poll() is not None)
    runner.terminate()
    _, error = runner.communicate(timeout=60)
    assert runner.returncode == 128 + signal.SIGTERM, error
    assert_ended(marks)


def assert_ended(marks: Path) -> None:
    """The processes whose numbers are the names of these files, of which there are some, end."""
    children = [int(mark.name) for mark in marks.iterdir()]
    assert children
    wait_until(lambda: not any(map(_is_running, children)))


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-006")
def test_memory_is_limited(tmp_path: Path, cache: Path) -> None:
    party = "x = bytearray(3 << 30)\n"
    with pytest.raises(MpcError, match="MemoryError"):
        run(STEP, [CASE], "semi2k", machine=machine(tmp_path, party), cache=cache, limits=Limits(30, 1 << 30))


@pytest.mark.req("CAPC-MPC-005")
def test_a_weaker_protocol_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="assumes an honest majority"):
        run(STEP, [CASE], "replicated-ring", machine=machine(tmp_path, "raise SystemExit(1)"))


def test_without_a_machine_one_line_says_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    monkeypatch.setattr(Path, "is_file", lambda _path: False)
    assert find_machine() is None
    assert HOME_VARIABLE in doctor_line()
    with pytest.raises(InputError, match=r"MP-SPDZ is not installed: .*MP_SPDZ_HOME"):
        run(STEP, [CASE], "semi2k")


def test_a_home_without_a_compiler_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=r"no compile\.py"):
        find_machine()


def test_doctor_says_version_and_party_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(machine(tmp_path, "").home))
    assert doctor_line().startswith("MP-SPDZ 9.8.7 in ")
    assert ": semi2k; not there: spdz2k" in doctor_line()


@pytest.mark.parametrize(("head", "commit"), [("ref: refs/heads/main", " (0123abcd)"), ("89ef4567" * 5, " (89ef4567)")])
def test_a_build_from_a_checkout_has_its_commit_in_the_version(
    head: str, commit: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = machine(tmp_path, "").home
    (home / ".git" / "refs" / "heads").mkdir(parents=True)
    (home / ".git" / "HEAD").write_text(head + "\n")
    (home / ".git" / "refs" / "heads" / "main").write_text("0123abcd" * 5 + "\n")
    (home / "yao-party.x").touch(mode=0o644)
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    found = find_machine()
    assert found is not None
    assert found.version == f"9.8.7{commit}"
    assert found.protocols() == ["semi2k"]


def test_ports_that_are_taken_are_passed_by() -> None:
    import socket

    first = free_ports(4)
    with socket.socket() as taken:
        # Connections of earlier runs may still be waiting for their end there.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", first + 2))
        taken.listen()
        assert free_ports(4) not in range(first - 1, first + 3)


def test_ports_of_a_run_are_passed_by_until_it_has_ended() -> None:
    with held_ports(4) as first:
        assert free_ports(4) not in range(first - 3, first + 4)
    assert free_ports(4) == first


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([], "0 cases were given for a batch of 1"),
        ([{**CASE, (0, "masks"): [1]}], "masks of party 0: give 2 numbers of 8 bits"),
        ([{**CASE, (0, "masks"): [1, 256]}], "masks of party 0: give 2 numbers of 8 bits"),
        ([{**CASE, (0, "mask_halves"): [1, 2]}], "mask_halves of party 0: give 2 numbers of 1 bits"),
        ([{(0, "masks"): [1, 2]}], "party 0 was given no mask_halves"),
        ([{(0, "masks"): [1, 2], (0, "mask_halves"): [1, 0]}], "party 1 was given no logit_shares"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(tmp_path: Path, cases: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(STEP, cases, "semi2k", machine=machine(tmp_path, HONEST_PARTY))


TELLING_PARTY = """
import glob, sys
print('fatal error', *[open(file).read() for file in glob.glob('Player-Data/Input-P*')])
sys.exit('fatal error: gone')
"""


@pytest.mark.req("CAPC-MPC-006")
def test_a_failure_quotes_nothing_that_a_party_printed(tmp_path: Path, cache: Path) -> None:
    case = {**CASE, (0, "masks"): [201, 203], (1, "logit_shares"): [205, 207]}
    with pytest.raises(MpcError, match="fatal error: gone") as caught:
        run(STEP, [case], "semi2k", machine=machine(tmp_path, TELLING_PARTY), cache=cache)
    shown = f"{caught.value} {caught.value!r} {caught.value.lines}"
    assert not any(number in shown for number in ("201", "203", "205", "207"))


def test_no_input_is_shown_in_an_error_or_a_repr(tmp_path: Path, cache: Path) -> None:
    done = run(STEP, [CASE], "semi2k", machine=machine(tmp_path, HONEST_PARTY), cache=cache)
    said = repr(replace(done, around=None))
    assert "masks" not in said
    assert "14" not in said


@needs_mp_spdz
def test_two_runs_at_once_do_not_meet() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _n: run(STEP, [CASE], "semi-bin"), range(2)))
    assert [done.learnt for done in runs] == [[{}, {"vote.0": [14], "vote.1": [0]}]] * 2


def test_the_declared_model_stands_in_the_result(tmp_path: Path, cache: Path) -> None:
    installed = machine(tmp_path, HONEST_PARTY)
    done = run(STEP, [CASE], "semi2k", model=Model.HONEST_MAJORITY, machine=installed, cache=cache)
    assert done.model is Model.HONEST_MAJORITY
