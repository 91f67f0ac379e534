"""``capc mpc bench`` on a stand-in of MP-SPDZ: checks before, rows that are kept, going on, exit codes, and reports."""

import csv
import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from capc import cli
from capc_mpc import bench_command
from capc_mpc.bench import campaign, document
from capc_mpc.bench import measure as measuring
from capc_mpc.bench.measure import measure
from capc_mpc.spdz.machine import HOME_VARIABLE, Machine
from support.mpc import ARGMAX_PARTY, embedded_stand_in, machine, needs_mp_spdz

SCHEMA = json.loads((resources.files("capc_spec") / "schemas" / "mpc_bench.schema.json").read_text("utf-8"))
SIZES = ["--classes", "2", "--logit-bits", "8", "--vote-bits", "4"]
WORDS = ["mpc", "bench", "--programs", "argmax", "--protocols", "semi2k", "--batch", "1,2", "--repeats", "1", *SIZES]
WORDS += ["--warm-ups", "0"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The stand-in as the installed MP-SPDZ, and the working folder empty."""
    place = tmp_path / "machine"
    place.mkdir()
    found = machine(place, ARGMAX_PARTY)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(HOME_VARIABLE, str(found.home))
    monkeypatch.setattr(measuring, "measure_at", embedded_stand_in)
    return found


def report(folder: str = "out") -> Any:
    found = json.loads((Path(folder) / "bench.json").read_text())
    Draft202012Validator(SCHEMA).validate(found)
    return found


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == document.SCHEMA
    assert set(SCHEMA["properties"]["status"]["enum"]) == {str(status) for status in document.Status}


@pytest.mark.slow
def test_a_report_has_rows_tables_figures_and_csv(installed: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*WORDS, "--report", "out", "--csv", "rows.csv"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("4 variants: about ")
    found = report()
    assert (found["status"], found["mp_spdz"], found["left_out"]) == ("complete", "9.8.7", [])
    assert found["code"] == document.code_digest()
    assert [(r["variant"]["protocol"], r["variant"]["batch"], r["equal"]) for r in found["rows"]] == [
        ("embedded", 1, True),
        ("semi2k", 1, True),
        ("embedded", 2, True),
        ("semi2k", 2, True),
    ]
    assert [(row["predicted"], row["link"]) for row in found["rows"]] == [({}, None)] * 4
    page = Path("out/README.md").read_text()
    assert "| semi2k | 2 | base, semi honest | tls | 500 | 0 % | 1 | 0.15 | 0.1 |" in page
    assert "1,000,000 / 2,000,000" in page
    figure = Path("out/argmax.svg").read_text()
    assert all(words in figure for words in ("ms per case", "bytes per case", "rounds"))
    assert all(legend in figure for legend in ("all coalitions, semi-honest", "embedded engine"))
    lines = list(csv.DictReader(Path("rows.csv").read_text().splitlines()))
    assert [(line["protocol"], line["batch"]) for line in lines] == [
        (row["variant"]["protocol"], str(row["variant"]["batch"])) for row in found["rows"]
    ]
    assert lines[1]["median_seconds"] == "0.5"
    assert Path("out/bench.csv").read_text() == Path("rows.csv").read_text()


@pytest.mark.slow
def test_the_tables_fit_eighty_columns_and_are_whole_in_a_pipe(
    installed: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for columns in ("80", None):
        if columns is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", columns)
        assert cli.run([*WORDS, "--batch", "2"]) == 0
        lines = capsys.readouterr().out.splitlines()
        heading = next(line.split() for line in lines if "protocol" in line)
        assert heading == ["protocol", "TLS", "ms", "±%", "set-up", "kB", "rounds", "MB", "same"]
        (row,) = [line.split() for line in lines if line.strip().startswith("semi2k ")]
        assert (row[:4], row[5:7], row[-1]) == (["semi2k", "yes", "250", "0"], ["1,500", "7"], "yes")
        assert max(len(line) for line in lines if "─" in line or "semi2k " in line) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--protocols", "semi2k,yao"], "yao-party.x is not in"),
        (["--protocols", "semi3k"], "protocol 'semi3k' is unknown"),
        (["--programs", "argmaxx"], "program 'argmaxx' is unknown (--programs)"),
        (["--classes", "2,1"], "argmax: 1 classes: choose 2 to 1024"),
        (["--logit-bits", "65"], "65 bits of a number: choose 1 to 64"),
        (["--batch", "1,two"], "'1,two' (--batch): give numbers separated by commas"),
        (["--sigma", "-1"], "'-1' (--sigma): give numbers separated by commas"),
        (["--threads", "0"], "'0' (--threads): give numbers from 1 upwards"),
        (["--edabits", "maybe"], "'maybe' (--edabits): choose among auto, on and off"),
        (["--party-flags", "-p 3"], "-p: a flag of the party program that the runner decides"),
        (["--report", "file"], "report = file (--report)"),
        (["--csv", "nowhere/rows.csv"], "csv = nowhere/rows.csv (--csv): the folder"),
        (["--resume"], "--resume goes on with a report: name its folder with --report"),
        (["--resume", "--report", "none"], "none/bench.json: cannot be read"),
        (["--latency-ms", "nan"], "nan: give a number from 0 on"),
        (["--latency-ms", "1"], "give --measure-network or --record-traffic too"),
        (["--measure-network", "--links", "lan,moon"], "link 'moon' is unknown (--links): choose among lan, wan, slow"),
    ],
)
def test_everything_is_checked_before_the_first_run(
    words: list[str],
    message: str,
    installed: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("file").write_text("in the way")
    monkeypatch.setattr(campaign, "measure", lambda *_: pytest.fail("measured"))
    assert cli.run([*WORDS, *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["file"]


def _stops_after(rows: int, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    left = [None] * rows

    def measured(variant: Any, setting: Any) -> Any:
        if not left:
            raise error
        left.pop()
        return measure(variant, setting)

    monkeypatch.setattr(campaign, "measure", measured)


@pytest.mark.slow
def test_ctrl_c_keeps_the_rows_before_and_resume_goes_on_with_them(
    installed: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _stops_after(2, monkeypatch, KeyboardInterrupt())
    assert cli.run([*WORDS, "--report", "out"]) == cli.EXIT_INTERRUPTED
    assert "--resume goes on" in capsys.readouterr().out
    before = report()
    assert (before["status"], len(before["rows"])) == ("interrupted", 2)
    assert "**Not whole: interrupted.**" in Path("out/README.md").read_text()
    assert cli.run([*WORDS, "--report", "out"]) == 2
    assert "a report that is not whole: give --resume" in capsys.readouterr().err
    monkeypatch.setattr(campaign, "measure", measure)
    assert cli.run([*WORDS, "--report", "out", "--resume"]) == 0
    assert capsys.readouterr().out.startswith("2 variants, besides 2 rows that are there: about ")
    after = report()
    assert (after["status"], after["rows"][:2], len(after["rows"])) == ("complete", before["rows"], 4)


def test_a_kill_loses_the_row_that_was_being_measured_only(installed: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    _stops_after(1, monkeypatch, SystemExit(9))
    with pytest.raises(SystemExit):
        cli.run([*WORDS, "--report", "out"])
    found = report()
    assert (found["status"], len(found["rows"])) == ("running", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"code": "0123"}, "its rows are of another state of this project's code (0123, and here"),
        ({"mp_spdz": "1.2.3"}, "its rows are of another MP-SPDZ (1.2.3, and here 9.8.7)"),
        ({"machine": {"cores": 3}}, "its rows are of another machine"),
        ({"repeats": 7}, "its rows have repeats = 7: give the same"),
        ({"schema": "other"}, "no report of capc mpc bench of schema"),
    ],
)
def test_rows_of_another_origin_are_not_gone_on_with(
    change: dict, said: str, installed: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _stops_after(0, monkeypatch, KeyboardInterrupt())
    assert cli.run([*WORDS, "--report", "out"]) == cli.EXIT_INTERRUPTED
    file = Path("out/bench.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    capsys.readouterr()
    assert cli.run([*WORDS, "--report", "out", "--resume"]) == 2
    assert said in capsys.readouterr().err


def test_what_did_not_run_is_named_and_the_exit_code_says_so(
    installed: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    program = installed.home / "semi2k-party.x"
    program.write_text(program.read_text().replace("import pathlib, sys", "raise SystemExit('fatal error: gone')", 1))
    assert cli.run([*WORDS, "--batch", "1"]) == 1
    said = capsys.readouterr().out
    assert "NOT MEASURED: argmax semi2k C=2 l=8 w=4 B=1 over loopback: argmax under semi2k: party" in said
    assert "fatal error: gone" in said


def test_no_variant_begins_after_the_time(installed: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*WORDS, "--minutes", "0", "--report", "out"]) == 1
    said = capsys.readouterr().out
    assert "; no variant begins after 0 min (--minutes)" in said
    assert said.count("NOT MEASURED") == 4
    assert report()["status"] == "out_of_time"


def test_a_wrong_result_is_told_by_the_exit_code(installed: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    program = installed.home / "semi2k-party.x"
    program.write_text(program.read_text().replace("(v - s)", "(v - s + 1)"))
    assert cli.run([*WORDS, "--batch", "1"]) == 1
    assert " NO" in capsys.readouterr().out


@pytest.mark.slow
def test_the_embedded_engine_alone_needs_no_mp_spdz(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_command, "the_machine", lambda: pytest.fail("looked for MP-SPDZ"))
    file = tmp_path / "bench.json"
    assert cli.run([*WORDS, "--protocols", "embedded", "--batch", "1", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    Draft202012Validator(SCHEMA).validate(found)
    assert (found["mp_spdz"], found["rows"][0]["channels"]) == (None, "plain")
    capsys.readouterr()
    assert cli.run(["mpc", "network", str(file)]) == 2
    told = capsys.readouterr()
    assert "no traffic was recorded beside it" in told.err
    assert "protocol  TLS" in told.out


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other", "rows": []}', '{"rows": []}'])
def test_a_file_that_is_no_report_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text(text)
    assert cli.run(["mpc", "network", str(tmp_path / "x.json")]) == 2
    assert "x.json: no report of capc mpc bench" in capsys.readouterr().err


@needs_mp_spdz
def test_the_bench_measures_the_real_machine(tmp_path: Path) -> None:
    words = ["mpc", "bench", "--programs", "label_release", "--protocols", "yao", "--classes", "2", "--batch", "1"]
    file = tmp_path / "x.json"
    assert cli.run([*words, "--repeats", "2", "--report", str(tmp_path / "out"), "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    Draft202012Validator(SCHEMA).validate(found)
    _, row = found["rows"]
    assert (row["equal"], row["channels"], len(row["runs"])) == (True, "plain", 2)
    assert all(peak > 1 << 20 for run in row["runs"] for peak in run["peak"])
    assert all(run["setup"] > 0 for run in row["runs"])
    assert (tmp_path / "out" / "label_release.svg").is_file()


@pytest.mark.parametrize("option", ["--minutes", "--long", "--seconds", "--latency-ms", "--megabits"])
@pytest.mark.parametrize("number", ["nan", "inf", "-1"])
def test_what_is_no_length_of_time_and_no_rate_is_refused(
    option: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit of `nan` seconds would be none: no number is above it."""
    assert cli.run(["mpc", "bench", "--protocols", "embedded", f"{option}={number}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"'{option}'" in line
    assert f"{number}: give a number " in line


def test_a_protocol_that_there_is_not_is_named_though_nothing_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    assert cli.run(["mpc", "bench", "--protocols", "yao,nobody"]) == 2
    assert "protocol 'nobody' is unknown: choose one of " in capsys.readouterr().err
