"""``capc conformance run``: its list of expectations, exit codes, reports, and one line for what cannot be used."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from capc import cli
from capc_verify.conformance import command
from capc_verify.conformance.expectations import Expectation, with_expectations
from capc_verify.conformance.judge import blocked_by_levels
from capc_verify.conformance.report import Judgement, junit_report, lines
from capc_verify.conformance.verdicts import Finding, Outcome, Verdict
from support import hostile_port

ADDITIONS = "ring::ring_add_*"


def port(way: str) -> str:
    return shlex.join([sys.executable, str(hostile_port.__file__), way])


def run(way: str, *more: str) -> int:
    return cli.run(["conformance", "run", "--port", port(way), "--test", ADDITIONS, "--seconds", "20", *more])


def report(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_good_port_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("good", "--validate-io") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("hostile 1 in Python")
    assert said[1].split() == ["encodings", "5", "of", "5", "passed"]
    assert said[-1] == "passes"


def test_a_bad_port_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("exits") == 1
    said = capsys.readouterr().out
    assert "ring::ring_add_10: broken: operation 0 (ring_add): the port ended with exit code 3" in said
    assert "  out of memory" in said
    assert said.endswith("DOES NOT PASS\n")


def test_the_reports_say_it_all(tmp_path: Path) -> None:
    told, junit = tmp_path / "report.json", tmp_path / "report.xml"
    assert run("two_outcomes", "--json", str(told), "--junit", str(junit)) == 1
    found = report(told)
    assert found["passes"] is False
    assert found["levels"]["encodings"] | {"passed": 4, "broken": 1} == found["levels"]["encodings"]
    (wrong,) = [test for test in found["tests"] if not test["as_it_must"]]
    assert (wrong["name"], wrong["operation"], wrong["op"]) == ("ring::ring_add_10", 0, "ring_add")
    counts = found["statements"][wrong["requirements"][0]]
    assert (counts["passed"], counts["broken"]) == (4, 1)
    suite = ElementTree.parse(junit).find("testsuite")  # noqa: S314  # written just now
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "1", "0")
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == [wrong["name"]]
    told_of = {entry.get("name"): entry.get("value") for entry in suite.iter("property")}
    assert told_of[wrong["requirements"][0]] == "4 of 5 passed"


@pytest.mark.slow
def test_results_are_not_opened_without_what_opens_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "tenseal" else find_spec(name))
    assert run("good") == 0
    capsys.readouterr()
    assert cli.run(["conformance", "run", "--port", port("good"), "--test", "he_layers::new_key"]) == 2
    refused("with packages of the extra verify", capsys)


def test_json_to_standard_output_is_alone_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("good", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["passes"] is True


@pytest.mark.parametrize(
    ("way", "entries", "code"),
    [
        ("exits", "fail ring::ring_add_10  # to be mended\n", 0),
        ("exits", "\n# nothing here\nfail ring::*_10\n", 0),
        ("exits", "skip ring::ring_add_10\n", 1),
        ("good", "fail ring::ring_add_10\n", 1),
        ("good", "skip ring::ring_add_10\n", 1),
        ("exits", "fail ring::ring_add_16\n", 1),
    ],
)
def test_what_is_listed_must_fail_and_nothing_else_may(tmp_path: Path, way: str, entries: str, code: int) -> None:
    listed = tmp_path / "known.txt"
    listed.write_text(entries, encoding="utf-8")
    assert run(way, "--expect", str(listed)) == code


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("fails ring::ring_add_10\n", "line 1: write `fail FILE::NAME`"),
        ("fail\n", "line 1: write `fail FILE::NAME`"),
        ("\nfail ring::ring_sub\n", "line 2: no vector is called 'ring::ring_sub'"),
        ("fail ring::*\nskip ring::ring_add_2\n", "ring::ring_add_2 is listed both"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(
    tmp_path: Path, entries: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "known.txt"
    listed.write_text(entries, encoding="utf-8")
    assert run("good", "--expect", str(listed)) == 2
    refused(message, capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", ""], "give the program"),
        (["--port", "'"], "No closing quotation"),
        (["--port", "./no/such/port"], "cannot be started"),
        (["--port", port("other_version")], "is for specification 0.0.1"),
        (["--port", port("good"), "--level", "noises"], "choose from encodings, two-party"),
        (["--port", port("good"), "--level", "noise", "--test", ADDITIONS], "no vector is called"),
        (["--port", port("good"), "--seconds", "0"], "--seconds 0: give a value above 0"),
        (["--port", port("good"), "--seconds", "nan"], "--seconds nan: give a value above 0"),
        (["--port", port("good"), "--expect", "no/such/list"], "cannot be read"),
        (["--port", port("good"), "--json", "no/such/folder/x"], "does not exist"),
        (["--port", port("good"), "--junit", "no/such/folder/x"], "does not exist"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["conformance", "run", *arguments]) == 2
    refused(message, capsys)


def refused(message: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("capc: ")
    assert said.err.count("\n") == 1
    assert message in said.err


def verdict(level: str, name: str, outcome: Outcome) -> Verdict:
    finding = None if outcome is Outcome.PASSED else Finding(outcome, "why", 0, "op")
    return Verdict(level, name, ("CAPC-NOISE-001",), finding, 0.0)


def test_a_failure_above_a_failed_level_is_blocked_by_it() -> None:
    found = blocked_by_levels(
        [
            verdict("encodings", "a", Outcome.PASSED),
            verdict("noise", "b", Outcome.SKIPPED),
            verdict("protocol", "c", Outcome.FAILED),
            verdict("protocol", "d", Outcome.PASSED),
            verdict("protocol", "e", Outcome.BROKEN),
            verdict("accounting", "f", Outcome.FAILED),
        ]
    )
    outcomes = [entry.outcome for entry in found]
    assert outcomes == ["passed", "skipped", "blocked", "passed", "broken", "failed"]
    assert found[2].message == "blocked by level noise: why"


def test_a_skip_fails_unless_it_is_listed() -> None:
    skipped = [verdict("noise", "noise::poisson_1", Outcome.SKIPPED)]
    assert not Judgement(PORT, skipped, None, "").passes
    assert Judgement(PORT, with_expectations(skipped, [Expectation("skip", "noise::*")]), None, "").passes
    assert not Judgement(PORT, with_expectations(skipped, [Expectation("fail", "noise::*")]), None, "").passes


def test_nothing_judged_is_no_pass() -> None:
    assert not Judgement(PORT, [], None, "").passes


def test_a_bad_end_is_no_pass_in_any_report() -> None:
    judgement = Judgement(PORT, [verdict("noise", "noise::poisson_1", Outcome.PASSED)], "ended with exit code 1", "")
    assert not judgement.passes
    assert "the port ended with exit code 1" in list(lines(judgement))
    assert 'failures="1"' in junit_report(judgement)


PORT = {"name": "p\x00", "version": "1", "language": "C", "spec_version": "0"}


def test_listed_failures_are_skipped_cases_of_junit() -> None:
    failed = with_expectations([verdict("noise", "noise::a", Outcome.FAILED)], [Expectation("fail", "noise::a")])
    written = junit_report(Judgement(PORT, failed, None, ""))
    suite = ElementTree.fromstring(written).find("testsuite")  # noqa: S314  # written just now
    assert suite is not None
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
