"""``capc mpc`` and the extension of ``capc`` that brings it: refusals in one line, reports, and exit codes."""

import datetime
import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from capc import cli
from capc.cli import app, doctor_command
from capc.job import plan
from capc_mpc import command, engine
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.expected import expected
from capc_mpc.interface.protocols import PROTOCOLS
from capc_mpc.interface.steps import PROGRAM_NAMES, Step
from capc_mpc.measuring import evidence, main_job
from capc_mpc.spdz import deployed, machine
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.machine import Machine
from capc_verify.audit import command as auditing
from capc_verify.conformance import command as conformance
from mpc.test_program_text import emulated_run
from support.mpc import DECLARED, HONEST_PARTY, needs_mp_spdz
from support.mpc import machine as stand_in


@pytest.fixture(autouse=True)
def _extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """``capc`` with the declared entry points, whatever metadata is installed."""

    def declared(group: str) -> list[EntryPoint]:
        return [EntryPoint(name, value, group) for name, value in DECLARED[group].items()]

    monkeypatch.setattr(app, "entry_points", declared)
    monkeypatch.setattr(doctor_command, "entry_points", declared)
    monkeypatch.setattr(app, "app", typer.Typer())
    app._with_extensions.cache_clear()
    yield
    app._with_extensions.cache_clear()


def test_the_declared_entry_points_are_the_commands_the_finding_and_the_engine() -> None:
    loaded = {
        (group, name): EntryPoint(name, value, group).load()
        for group in DECLARED
        for name, value in DECLARED[group].items()
    }
    assert loaded == {
        (app.EXTENSIONS, "conformance"): conformance.app,
        (app.EXTENSIONS, "mpc"): command.app,
        (app.EXTENSIONS, "verify"): auditing.app,
        (doctor_command.EXTENSIONS, "mpc"): machine.doctor_line,
        (plan.EXTENSIONS, "mp-spdz"): engine.open_engine,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mpc", "run", "argmix"], "program 'argmix' is unknown"),
        (["mpc", "run", "argmax", "2", "8"], "arguments '2 8' do not fit the head of argmax.mpc"),
        (["mpc", "run", "argmax", "2", "8", "4", "1", "--protocol", "yow"], "protocol 'yow' is unknown"),
        (["mpc", "run", "argmax", "2", "8", "4", "1", "--protocol", "shamir"], "assumes an honest majority"),
        (["mpc", "run", "argmax", "2", "8", "4", "1", "--model", "weak"], "model 'weak' is unknown"),
        (["mpc", "run", "argmax", "2", "8", "4", "1", "--inputs", "no.json"], "no.json (--inputs)"),
        (["mpc", "run", "label_release", "2", "8", "1", "other"], "mode 'other' is unknown"),
        (["mpc", "run", "argmax", "9" * 11, "37", "16", "1"], f"argmax: {'9' * 11} classes: choose 2 to 1024"),
        (["mpc", "run", "argmax", "10", "65", "16", "1"], "argmax 10 65 16 1: 65 bits of a number: choose 1 to 64"),
        (["mpc", "run", "argmax", "10", "37", "16", "0"], "argmax 10 37 16 0: 0 cases"),
        (["mpc", "run", "argmax", "10", "37", "16", "9999999"], "inputs in all: choose 1 to"),
        (["mpc", "network", "no.json"], "no.json: cannot be read"),
        (["mpc", "network", "deep.json"], "deep.json: no report of capc mpc bench"),
        (["mpc", "run", "argmax", "2", "8", "4", "1", "--inputs", "deep.json"], "deep.json (--inputs): not JSON"),
        (["mpc", "network", "no.json", "--latency-ms", "nan"], "nan: give a number from 0 on"),
        (["mpc", "network", "no.json", "--latency-ms", "inf"], "inf: give a number from 0 on"),
        (["mpc", "network", "no.json", "--megabits", "-5"], "-5: give a number above 0"),
        (["mpc", "network", "no.json", "--megabit", "5"], "See capc mpc network --help."),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deep.json").write_text("[" * 100_000 + "]" * 100_000)
    assert cli.run(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["mpc", "run", "argmax", "2", "8", "4", "1"], ["mpc", "bench"]])
def test_without_mp_spdz_the_remedy_is_one_line(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "find_machine", lambda: None)
    assert cli.run(words) == 2
    error = capsys.readouterr().err
    assert "MP-SPDZ is not installed: unpack a binary release" in error
    assert error.count("\n") == 1


def test_the_table_of_protocols_says_what_each_withstands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["mpc", "protocols", "--json", "-"]) == 0
    rows = {row["protocol"]: row for row in json.loads(capsys.readouterr().out)["protocols"]}
    assert set(rows) == set(PROTOCOLS)
    assert (rows["mascot"]["adversary"], rows["mascot"]["withstands"]) == ("malicious", "all coalitions")
    assert (rows["replicated-ring"]["corrupted"], rows["replicated-ring"]["withstands"]) == ("one", "single party")


def test_a_party_s_key_stays_and_its_certificate_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "keys"
    assert cli.run(["mpc", "keys", str(folder), "--party", "1"]) == 0
    made = {file.name for file in folder.iterdir()}
    assert {"P1.key", "P1.pem"} < made
    assert len(made) == 3
    assert (folder / "P1.key").stat().st_mode & 0o077 == 0
    told = capsys.readouterr().out.replace("\n", "")
    assert "P1.pem" in told
    assert "P1.key" not in told
    assert "(7 days)" in told
    assert cli.run(["mpc", "keys", str(tmp_path / "long"), "--party", "0", "--days", "90"]) == 0
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=90)
    assert f"valid until {ends:%Y-%m-%d}" in capsys.readouterr().out
    assert cli.run(["mpc", "keys", str(folder), "--party", "1"]) == 2
    assert "P1.key exists" in capsys.readouterr().err


def test_one_party_among_several_machines_tells_what_it_learns(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    installed = stand_in(tmp_path, HONEST_PARTY)
    monkeypatch.setattr(deployed, "the_machine", lambda: installed)
    keys, inputs = tmp_path / "keys", tmp_path / "own.json"
    keys.mkdir()
    write_keys(keys, 2)
    inputs.write_text('{"1 logit_shares": [[9, 0]], "1 logit_halves": [[1, 1]]}')
    words = ["mpc", "party", "argmax", "2", "8", "4", "1", "--party", "1", "--addresses", "a.example:1,b.example:2"]
    words += ["--keys", str(keys), "--inputs", str(inputs)]
    monkeypatch.setattr(deployed, "meet", lambda meeting: met.append((meeting.party, meeting.seconds, meeting.purpose)))
    met: list = []
    assert cli.run([*words, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["learnt"] == {"vote.0": [14], "vote.1": [0]}
    assert cli.run([*words, "--wait", "7.5"]) == 0
    capsys.readouterr()
    assert [(party, seconds) for party, seconds, _ in met] == [(1, 60.0), (1, 7.5)]
    assert met[0][2].startswith("argmax-2-8-4-1 (")
    assert met[0][2].endswith(") under semi2k of MP-SPDZ 9.8.7")
    assert cli.run([*words, "--addresses", "a.example:1"]) == 2
    assert "party 1 and 1 addresses for a run of 2 parties" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"1 logit_shares": [[63, 4]]},
            "case 0, logit 0 (--inputs): the shares add up to 64, and logits of 8 bits are",
        ),
        (
            {"1 logit_share": [[3, 4]]},
            "column 1 logit_share: argmax has no such input here: its columns are 0 masks, 0",
        ),
        ({"2 masks": [[3, 4]]}, "column 2 masks: argmax has no such input here"),
    ],
)
def test_inputs_that_the_head_does_not_admit_are_refused_before_mp_spdz_is_looked_for(
    columns: dict, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "the_machine", lambda: pytest.fail("looked for"))
    given = {"0 masks": [[0, 0]], "0 mask_halves": [[1, 1]], "0 fresh_shares": [[1, 2]]}
    given |= {"1 logit_shares": [[3, 4]], "1 logit_halves": [[1, 1]]}
    file = tmp_path / "inputs.json"
    file.write_text(json.dumps(given | columns))
    assert cli.run(["mpc", "run", "argmax", "2", "8", "4", "1", "--inputs", str(file)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_program_is_shown_with_its_order_of_inputs_and_who_learns_what(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        cli.run(["mpc", "show", "label_release", "10", "16", "5", "realised", "--protocol", "yao", "--json", "-"]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["head"].startswith("Step 3: ")
    assert [(line["party"], line["name"], line["count"], line["width"]) for line in found["inputs"]] == [
        (0, "checked_shares", 10, 16),
        (0, "noised_shares", 10, 16),
        (0, "limit", 1, 16),
        (0, "pad.1", 1, 1),
        (1, "vote_shares", 10, 16),
        (1, "checked_shares", 10, 16),
        (1, "pad.0", 1, 1),
        (1, "pad.2", 1, 4),
    ]
    assert [line["drawn"] for line in found["inputs"]] == [False, False, False, True, False, False, True, True]
    assert [(line["party"], line["name"]) for line in found["outputs"]] == [
        (1, "answered"),
        (0, "answered"),
        (1, "label"),
    ]
    for program in PROGRAM_NAMES:
        assert cli.run(["mpc", "show", program]) == 0
        said = capsys.readouterr().out
        assert all(
            word in said for word in ("Arguments: ", "Limits: 2 to 1024 classes", "Order: ", "all cases before the")
        )
    assert cli.run(["mpc", "show", "argmix"]) == 2
    assert "program 'argmix' is unknown" in capsys.readouterr().err


@needs_mp_spdz
def test_a_run_reports_protocol_model_and_equality(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ["mpc", "run", "argmax", "3", "8", "4", "2", "--protocol", "semi-bin", "--json", str(report)]
    assert cli.run(words) == 0
    found = json.loads(report.read_text())
    assert found["equals_reference"] is True
    assert (found["protocol"], found["model"], found["learnt"][0]) == ("semi-bin", "base", {})
    assert all(found["withstands"].values())


@needs_mp_spdz
def test_given_inputs_are_used(tmp_path: Path) -> None:
    inputs, report = tmp_path / "inputs.json", tmp_path / "report.json"
    given = {"0 masks": [[0, 0]], "0 mask_halves": [[0, 1]], "0 fresh_shares": [[1, 2]]}
    inputs.write_text(json.dumps(given | {"1 logit_shares": [[3, 4]], "1 logit_halves": [[1, 1]]}))
    words = ["mpc", "run", "argmax", "2", "8", "4", "1", "--inputs", str(inputs), "--json", str(report)]
    assert cli.run(words) == 0
    assert json.loads(report.read_text())["learnt"][1] == {"vote.0": [15], "vote.1": [15]}


@needs_mp_spdz
def test_evidence_is_recorded_again_with_the_same_inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(evidence, "folder", lambda: tmp_path)
    words = ["mpc", "record", "--programs", "multi_label_release", "--protocols", "semi-bin,yao"]
    assert cli.run(words) == 0
    records = evidence.load("multi_label_release")
    assert [record.protocol for record in records] == ["semi-bin", "yao"]
    assert all(record.learnt() == expected(record.step, record.cases) for record in records)


def test_a_protocol_that_fails_is_one_line_and_loses_no_record_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(step: Step, cases: list, protocol: str, **options: object) -> object:
        if protocol == "yao":
            raise MpcError("multi_label_release under yao: party 0 failed", "terminate called")
        return emulated_run(step, cases, protocol, **options)

    monkeypatch.setattr(evidence, "folder", lambda: tmp_path)
    monkeypatch.setattr(evidence, "run", run)
    monkeypatch.setattr(command, "the_machine", lambda: Machine(tmp_path, "0", {}))
    words = ["mpc", "record", "--programs", "multi_label_release", "--protocols", "semi2k,yao"]
    assert cli.run(words) == cli.EXIT_INPUT
    said = capsys.readouterr().err
    assert (said.count("\n"), "party 0 failed" in said) == (1, True)
    assert [record.protocol for record in evidence.load("multi_label_release")] == ["semi2k"]


def test_an_unknown_record_is_refused_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "the_machine", lambda: Machine(tmp_path, "0", {}))
    assert cli.run(["mpc", "record", "--programs", "argmaxx"]) == cli.EXIT_INPUT
    said = capsys.readouterr().err
    assert all(name in said for name in ("'argmaxx'", "argmax,", "main_job"))


def test_the_main_job_is_recorded_under_each_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    monkeypatch.setattr(main_job, "folder", lambda: tmp_path)
    monkeypatch.setattr(main_job, "run_job", lambda name: {"of": name})
    monkeypatch.setattr(command, "the_machine", lambda: Machine(tmp_path, "0", {}))
    assert cli.run(["mpc", "record", "--programs", "main_job", "--json", str(report)]) == 0
    assert len(json.loads(report.read_text())["files"]) == len(main_job.ENGINES)
    assert {name: main_job.load(name)["of"] for name in main_job.ENGINES} == {name: name for name in main_job.ENGINES}
