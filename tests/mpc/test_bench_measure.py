"""Rows of variants, measured on stand-ins of MP-SPDZ's programs and on the embedded engine."""

from dataclasses import replace
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.bench import measure as measuring
from capc_mpc.bench.measure import LONG_SECONDS, Setting, measure
from capc_mpc.bench.rows import Once, Row, from_json, to_json
from capc_mpc.bench.variants import PROGRAMS, Variant
from capc_mpc.interface.protocols import Adversary, Model
from capc_mpc.spdz.costs import Costs
from capc_mpc.spdz.machine import Machine
from capc_mpc.two_processes.ways import ONE_CIRCUIT, circuit_of
from support.mpc import ARGMAX_PARTY, machine

ARGMAX = Variant("argmax", "semi2k", 5, classes=3, logit_bits=8, vote_bits=4, threads=1)


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Setting(machine(tmp_path, ARGMAX_PARTY))


@pytest.mark.slow
def test_a_row_has_every_part_of_the_time_apart(setting: Setting) -> None:
    row = measure(ARGMAX, replace(setting, repeats=2))
    assert (row.equal, row.refused, row.warm_ups, len(row.runs)) == (True, None, 1, 2)
    assert (row.seconds, row.spread) == (0.5, 0.0)
    assert (row.median_of("online"), row.median_of("offline")) == (0.1, 0.15)
    assert row.sent() == (1_000_000, 2_000_000)
    assert row.received() == (2_000_000, 1_000_000)
    assert (row.network, row.channels, row.parties) == ("loopback", "tls", 2)
    assert row.compile > 0
    assert row.keys > 0
    assert row.joint_keys is None
    assert from_json(to_json(row)) == row


def test_set_up_is_what_a_party_needs_outside_of_its_own_time(setting: Setting, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    connecting = machine(slow, "import time\ntime.sleep(0.7)\n" + ARGMAX_PARTY)
    row = measure(ARGMAX, replace(setting, machine=connecting, repeats=1, warm_ups=0))
    # The party that says 0.25 s took 0.7 s and more.
    assert 0.4 < row.median_of("setup") < 5


@pytest.mark.slow
def test_threads_are_runs_at_once_whose_bytes_are_added(setting: Setting) -> None:
    row = measure(replace(ARGMAX, threads=2), replace(setting, repeats=1, warm_ups=0))
    assert (row.equal, row.seconds, row.sent()) == (True, 0.5, (2_000_000, 4_000_000))


@pytest.mark.slow
def test_a_wrong_share_is_noticed(setting: Setting, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    liar = machine(wrong, ARGMAX_PARTY.replace("(v - s)", "(v - s + 1)"))
    assert measure(ARGMAX, replace(setting, machine=liar)).equal is False


def test_what_fails_says_why_and_has_no_figures(setting: Setting, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    row = measure(ARGMAX, replace(setting, machine=machine(bad, "raise SystemExit('fatal error: no share')")))
    assert "fatal error: no share" in row.refused
    assert (row.ran, row.runs, row.equal) == (False, (), None)
    missing = measure(ARGMAX, replace(setting, machine=Machine(tmp_path, "0", {})))
    assert "semi2k-party.x is not in" in missing.refused
    assert from_json(to_json(row)) == row
    with pytest.raises(InputError, match="yao has 2 parties"):
        measure(Variant("guardian_free", "yao", 1, 2, 2, None, 12, 2, "3"), setting)


@pytest.mark.parametrize(("seconds", "warm_ups", "runs"), [(LONG_SECONDS + 1, 0, 1), (0.1, 2, 3)])
def test_a_long_run_is_the_measurement(
    seconds: float, warm_ups: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = Once(seconds, 0.0, None, None, (1, 1), (None, None))
    monkeypatch.setattr(measuring, "_run", lambda *_: measuring._Ran(True, once, Costs(seconds, 2, 1)))
    row = measure(ARGMAX, Setting(None, repeats=3, warm_ups=2))
    assert (row.warm_ups, [run.seconds for run in row.runs]) == (warm_ups, [seconds] * runs)


def test_keys_that_parties_made_together_are_not_in_the_row_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    around = measuring.Around(0.001, True, 2.0, False, 0.1, (1, 1))
    made = [measuring._Ran(True, Once(300.0, 0.1, None, None, (1, 1), (1, 1)), Costs(300.0, 2, 1), around)]
    later = measuring._Ran(
        True, Once(14.0, 0.1, None, None, (1, 1), (1, 1)), Costs(14.0, 2, 1), replace(around, made_keys=False)
    )
    monkeypatch.setattr(measuring, "_run", lambda *_: made.pop() if made else later)
    row = measure(ARGMAX, Setting(None, repeats=2, warm_ups=1))
    assert (row.seconds, row.joint_keys, row.warm_ups) == (14.0, 286.0, 1)


def test_the_spread_is_the_distance_of_the_quartiles() -> None:
    runs = tuple(Once(seconds, None, None, None, (), ()) for seconds in (1.0, 2.0, 3.0, 4.0, 9.0))
    row = Row(ARGMAX, "loopback", 2, Model.BASE, Adversary.SEMI_HONEST, "tls", runs=runs)
    assert (row.seconds, row.spread, row.median_of("setup"), row.peak()) == (3.0, pytest.approx(2 / 3), None, None)


@pytest.mark.slow
@pytest.mark.parametrize("program", [name for name in PROGRAMS if name == "argmax" or name.startswith("label_release")])
def test_the_embedded_engine_is_measured_and_compared_on_the_same_inputs(program: str) -> None:
    sizes = {"logit_bits": 20} if "logit_bits" in PROGRAMS[program].axes else {}
    row = measure(Variant(program, ONE_CIRCUIT, 9, classes=3, vote_bits=16, **sizes), Setting(None, repeats=2))
    assert (row.equal, len(row.runs), row.channels) == (True, 2, "plain")
    assert row.costs.counts["ANDs"] == 9 * circuit_of(row.variant.step()).and_count
    assert sum(row.sent()) == row.costs.bytes_sent
