"""Rows over emulated links: what is recorded, kept and predicted, and what is said where it cannot be."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from capc import cli
from capc.foundation.errors import InputError
from capc_mpc.bench import measure as measuring
from capc_mpc.bench import over_networks, traffic
from capc_mpc.bench.links import LINKS, told
from capc_mpc.bench.measure import Setting, blank
from capc_mpc.bench.over_networks import OverNetworks
from capc_mpc.bench.rows import Link, Once, Row, from_json, to_json
from capc_mpc.bench.tables import markdown, modelled, narrow, narrow_cells, sections
from capc_mpc.bench.traffic import Traffic
from capc_mpc.bench.variants import Variant
from capc_mpc.emulated.network import EmulatedNetwork, LinkReport, LinkSpec
from capc_mpc.modelled.prediction import marks_of
from capc_mpc.modelled.programme import Action
from capc_mpc.modelled.recording import StreamName
from capc_mpc.spdz.costs import Costs
from capc_mpc.spdz.machine import HOME_VARIABLE
from capc_mpc.spdz.site import Loopback, Site
from support.emulated import needs_network
from support.mpc import ARGMAX_PARTY, embedded_stand_in, machine
from support.sizes import nightly_only

ARGMAX = Variant("argmax", "semi2k", 2, classes=2, logit_bits=8, vote_bits=4, threads=1)
THERE, BACK = StreamName(0, 1, 1, 0), StreamName(1, 0, 1, 0)
TRAFFIC = Traffic(
    {
        0: [Action({}, 0.25, None, 0, "began 0"), Action({}, 0.5, THERE, 1448)],
        1: [
            Action({}, 0.0, None, 0, "began 0"),
            Action({THERE: 1448}, 0.125, BACK, 7),
            Action({}, 0.0, None, 0, "ended 0"),
        ],
    },
    late=0.001,
)
REPORT = LinkReport(1.5, 2e-5, 1e-3, (10, 20), 0, "reno", "tun", ())
SCHEMA = json.loads((resources.files("capc_spec") / "schemas" / "mpc_bench.schema.json").read_text("utf-8"))


class Unmade(EmulatedNetwork):
    """A network that nobody made."""

    dropped = 0

    def __enter__(self) -> "Unmade":
        return self

    def __exit__(self, *_: object) -> None:
        self.report = replace(REPORT, dropped=self.dropped)


def measured(variant: Variant, setting: Setting, site: Site) -> Row:
    once = Once(0.5, None, None, None, (1, 2), (None, None))
    row = replace(blank(variant), equal=True, runs=(once,) * setting.repeats, costs=Costs(0.5, 3, 2, sent=(1, 2)))
    return replace(row, network=site.name)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is measured, and the traffic is known."""
    monkeypatch.setattr(over_networks, "EmulatedNetwork", Unmade)
    monkeypatch.setattr(over_networks, "measure", measured)
    monkeypatch.setattr(traffic, "record", lambda *_, **__: TRAFFIC)
    return []


def rows_of(lines: list[str], variant: Variant = ARGMAX) -> list[Row]:
    links = {"far": LinkSpec(0.1, 1e6), "slower": LinkSpec(400.0, None)}
    over = OverNetworks(first=True, say=lines.append, keep=lambda *_: lines.append("kept"))
    return over(variant, Setting(None, repeats=3, networks={"far": links["far"]}, links=links))


def test_traffic_is_kept_beside_a_report_and_read_again(tmp_path: Path) -> None:
    traffic.save(tmp_path, ARGMAX, TRAFFIC)
    assert traffic.load(tmp_path, ARGMAX) == TRAFFIC
    assert traffic.load(tmp_path, replace(ARGMAX, batch=3)) is None
    (file,) = (tmp_path / traffic.FOLDER).iterdir()
    for text in (b"", b"x", file.read_bytes()[:-20]):
        file.write_bytes(text)
        with pytest.raises(InputError, match="no recorded traffic of capc mpc bench: record it again"):
            traffic.load(tmp_path, ARGMAX)


def test_a_variant_has_a_row_for_each_link_with_what_the_model_says_of_it(lines: list[str]) -> None:
    here, far, slower = rows_of(lines)
    # Until the evaluator is done: 0.75 s, a message of 1,500 bytes with headers and a late delay, 0.125 s.
    seconds = 0.75 + 8 * 1500 / 1e6 + 0.101 + 0.125
    assert here.predicted["far"].seconds == far.predicted["far"].seconds == pytest.approx(seconds)
    assert (here.network, here.link, here.off) == ("loopback", None, None)
    assert far.link == Link(0.1, 1e6, "tun", "reno", True, 2e-5, 1.5)
    assert far.off == pytest.approx(seconds / 0.5 - 1)
    assert (len(far.runs), len(slower.runs)) == (3, 1)
    assert lines[0] == "kept"
    assert lines[1] == "  over far (100 ms, 1 Mbit/s), predicted 0.988 s"
    for row in (here, far, slower):
        assert from_json(json.loads(json.dumps(to_json(row)))) == row


def test_tables_tell_the_link_the_model_and_by_how_much_it_misses(lines: list[str]) -> None:
    here, far, _ = sections(rows_of(lines))
    assert far.title.endswith("over far (100 ms, 1 Mbit/s)")
    cells = dict(zip(narrow(far), narrow_cells(far.rows[0], far), strict=True))
    assert (cells["ms"], cells["model"], cells["off %"], cells["TLS"]) == ("250", "494", "+98", "yes")
    assert "| 875 + 1 * 101 + 12 + 0 | 20 | 1.5 |" in markdown(far)
    assert narrow(here)[-2:] == ["MB", "same"]
    assert modelled(here) == [["protocol", "far"], ["semi2k", "494"]]
    assert modelled(far) == []


def test_a_link_that_lost_packets_measured_nothing(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Unmade, "dropped", 4)
    _, far, _ = rows_of(lines)
    assert far.refused == "the emulated link lost 4 packets: its queue was full"
    assert not far.ran


def test_what_cannot_be_recorded_is_measured_and_not_modelled(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, far, _ = rows_of(lines, replace(ARGMAX, threads=2))
    assert (here.predicted, far.predicted, far.ran) == ({}, {}, True)

    def refused(*_: object, **__: object) -> None:
        raise InputError("no emulated network: not permitted")

    monkeypatch.setattr(traffic, "record", refused)
    assert rows_of(lines)[1].predicted == {}
    assert "  not modelled: no emulated network: not permitted" in lines


def test_of_three_recordings_the_median_counts_and_a_long_one_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    took = [3.0, 1.0, 2.0, 9.0, 21.0, 22.0, 301.0]
    monkeypatch.setattr(traffic, "EmulatedNetwork", Unmade)
    made = []
    for _ in range(3):
        recorded = traffic.record(2, lambda _: marks_of(0, [(0.0, took.pop(0))]), first=False)
        made.append((recorded.over(LinkSpec()).seconds, recorded.late, len(took)))
    assert made == [(2.0, 2e-5, 3), (21.0, 2e-5, 1), (301.0, 2e-5, 0)]


def test_links_are_told_in_one_line() -> None:
    assert [told(spec) for spec in LINKS.values()] == ["0.5 ms, 1000 Mbit/s", "20 ms, 100 Mbit/s", "0.4 ms, 20 Mbit/s"]
    assert told(LinkSpec(0.001)) == "1 ms, no limit"


@needs_network
def test_parties_on_loopback_can_come_first_too() -> None:
    text = "import os; print(os.sched_getscheduler(0) == os.SCHED_RR)"
    told = []
    for first in (False, True):
        command = Loopback(first).placed(0, [sys.executable, "-c", text])
        told.append(subprocess.run(command, capture_output=True, text=True, check=True))
    assert [done.stdout.strip() for done in told] == ["False", "True"]


@nightly_only
@needs_network
def test_a_bench_over_links_and_a_model_of_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a stand-in whose parties say nothing to each other. By day the parts of it stand for it, here and beside."""
    for module in (measuring, over_networks):
        monkeypatch.setattr(module, "measure_at", embedded_stand_in)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(HOME_VARIABLE, str(machine(tmp_path, ARGMAX_PARTY).home))
    words = ["mpc", "bench", "--programs", "argmax", "--protocols", "semi2k", "--batch", "2", "--classes", "2"]
    words += ["--logit-bits", "8", "--vote-bits", "4", "--repeats", "1", "--warm-ups", "0", "--links", "lan"]
    folder = tmp_path / "out"
    assert cli.run([*words, "--measure-network", "--latency-ms", "3", "--report", str(folder)]) == 0
    found = json.loads((folder / "bench.json").read_text())
    Draft202012Validator(SCHEMA).validate(found)
    assert found["link_ceiling"]["bits_per_second"] > 1e8
    here, lan, given = (row for row in found["rows"] if row["variant"]["protocol"] == "semi2k")
    assert [row["network"] for row in (here, lan, given)] == ["loopback", "lan", "given"]
    assert set(here["predicted"]) == {*LINKS, "given"}
    assert (given["link"]["delay"], given["link"]["rate"], given["equal"]) == (0.003, 1e8, True)
    assert given["predicted"]["given"]["seconds"] == pytest.approx(0.5, abs=0.01)
    assert {"argmax.svg", "argmax-over-lan.svg", "argmax-over-given.svg"} < {file.name for file in folder.iterdir()}
    capsys.readouterr()
    assert cli.run(["mpc", "network", str(folder / "bench.json"), "--latency-ms", "9", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert all(set(row["predicted"]) == {*LINKS, "given"} for row in rows)
