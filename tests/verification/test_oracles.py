"""Oracles: a port without samplers, or without F_linear, is judged on the rest, and its pass is told as what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from capc import cli
from capc.linear.ideal import IdealLinear
from capc.noise.grid_noise import GridNoise
from capc.two_party.garbling.readable import GarbledScheme, GarbledTwoParty
from capc_verify.conformance import session
from capc_verify.conformance.judge import Judge
from capc_verify.conformance.levels import groups
from capc_verify.conformance.oracles import ORACLES, given, judged_with
from capc_verify.conformance.session import Conversation
from capc_verify.conformance.verdicts import Outcome, Verdict
from capc_verify.port import Answer, Port
from capc_verify.vectors.operations.protocol.feed import SUPPORTED
from capc_verify.vectors.operations.protocol.feeding import NumbersOnly
from support.port_mistakes import SpokenChild

RELEASES = (
    "protocol_plain::honest_session",
    "protocol_realised::honest_session",
    "protocol_realised::*_reused",
    "run::run_realised*",
    "streams::*release*",
)
CIRCUITS = (
    "protocol_plain::honest_session",
    "protocol_realised::honest_session",
    "protocol_threshold::honest_session",
    "protocol_plain::privacy_guardian_*",
    "protocol_plain::querying_party_choose_labels_*",
)
LAYERS = ("protocol_plain::honest_session", "protocol_batches::honest*", "protocol_rounds::honest*")
FEW = 6


@pytest.fixture
def asked() -> list[Any]:
    return []


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> Callable[[Port], None]:
    """Lets a port in this process be judged, and writes down what it is asked."""

    def speak(port: Port) -> None:
        def answer(request: Any) -> Any:
            asked.append(request)
            return port.answer(request)

        monkeypatch.setattr(session, "Child", lambda _: SpokenChild(answer))

    return speak


def judge(patterns: tuple[str, ...], *oracles: str) -> list[Verdict]:
    conversation = Conversation(["spoken"], 120.0)
    chosen, _ = judged_with(oracles, groups(patterns=patterns))
    try:
        return Judge(conversation, validate=True, oracles=oracles).judge(chosen)
    finally:
        conversation.end()


def wrong(verdicts: list[Verdict]) -> list[tuple[str, str]]:
    return [(verdict.name, verdict.message) for verdict in verdicts if verdict.outcome is not Outcome.PASSED]


def missing(*_: object) -> Any:
    raise NotImplementedError("this port has none")


@pytest.fixture
def no_samplers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GridNoise, "sample", missing)


@pytest.mark.slow
@pytest.mark.usefixtures("no_samplers")
def test_a_port_without_samplers_passes_the_rest_with_the_oracle(spoken: Callable[[Port], None]) -> None:
    spoken(Port())
    found = judge(RELEASES, "noise")
    assert wrong(found) == []
    assert sum(verdict.oracles == ("noise",) for verdict in found) >= FEW
    spoken(Port())
    without = judge(RELEASES)
    assert {verdict.name for verdict in found if verdict.oracles} >= {name for name, _ in wrong(without)}
    assert len(wrong(without)) >= FEW


@pytest.mark.slow
def test_a_port_without_the_tables_of_f_linear_passes_the_rest_with_the_oracle(spoken: Callable[[Port], None]) -> None:
    spoken(Port(NumbersOnly))
    found = judge(LAYERS, "he")
    assert wrong(found) == []
    assert [verdict.oracles for verdict in found] == [("he",)] * len(LAYERS)
    spoken(Port(NumbersOnly))
    assert len(wrong(judge(LAYERS))) == len(LAYERS)


@pytest.fixture
def no_circuits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GarbledScheme, "evaluator_offer", missing)
    monkeypatch.setattr(GarbledScheme, "garbler_choose", missing)
    names = ("evaluator_finish", "garbler_finish", "extend_evaluator", "extend_garbler", "choose", "garble", "evaluate")
    for name in names:
        monkeypatch.setattr(GarbledTwoParty, name, missing)


@pytest.mark.slow
@pytest.mark.usefixtures("no_circuits")
def test_a_port_without_two_party_computation_passes_the_rest_with_the_oracle(spoken: Callable[[Port], None]) -> None:
    spoken(Port())
    found = judge(CIRCUITS, "two-party")
    assert wrong(found) == []
    assert len(found) > 40
    spoken(Port())
    assert len(wrong(judge(CIRCUITS))) >= len(found)


@pytest.mark.usefixtures("no_circuits", "no_samplers")
def test_oracles_help_together(spoken: Callable[[Port], None]) -> None:
    spoken(Port(NumbersOnly))
    found = judge(("protocol_realised::honest_session",), *ORACLES)
    assert wrong(found) == []
    assert [verdict.oracles for verdict in found] == [tuple(ORACLES)]


def test_faults_that_only_the_missing_part_can_find_are_not_judged() -> None:
    chosen, left_out = judged_with(["two-party"], groups(patterns=("protocol_plain::*",)))
    judged = {name for group in chosen for name in group.chosen}
    step = "answering_party_garble_layer_message"
    assert {f"{step}_header_cut", f"{step}_type", f"{step}_session", f"{step}_query"} <= judged
    assert {f"protocol_plain::{step}_short", f"protocol_plain::{step}_long"} <= set(left_out)
    assert "protocol_plain::privacy_guardian_release_state_reused" not in left_out


def test_what_is_given_is_used(spoken: Callable[[Port], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Other noise in the oracle's place gives another result: no pass comes from the port's own sampler."""
    from capc_verify.conformance import judge as judging

    def other(names: Any, op: str, expected: Any) -> Any:
        values = given(names, op, expected)
        return {name: [str(int(value) + 16) for value in row] for name, row in values.items()}

    monkeypatch.setattr(judging, "given", other)
    spoken(Port())
    assert wrong(judge(("streams::plain_privacy_guardian_release*",), "noise"))


@pytest.mark.slow
def test_nothing_is_given_unasked_or_to_what_must_fail(spoken: Callable[[Port], None], asked: list[Any]) -> None:
    spoken(Port())
    judge(("protocol_plain::privacy_guardian_release_*",))
    assert asked
    assert not any("oracle" in request for request in asked)
    asked.clear()
    spoken(Port())
    judge(("protocol_plain::privacy_guardian_release_*",), "noise")
    helped = [request for request in asked if "oracle" in request]
    assert helped
    assert {request["op"] for request in helped} == {"privacy_guardian_release"}
    assert len(helped) < sum(request.get("op") == "privacy_guardian_release" for request in asked)


def test_what_an_oracle_stands_for_is_not_judged() -> None:
    for name, oracle in ORACLES.items():
        chosen, left_out = judged_with([name], groups())
        assert not {group.stem for group in chosen} & set(oracle.stems)
        assert {entry.partition("::")[0] for entry in left_out} >= set(oracle.stems)
        judged = [f"{group.stem}::{test}" for group in chosen for test in group.chosen]
        assert not set(judged) & set(left_out)
        assert len(judged) + len(left_out) == sum(len(group.chosen) for group in groups())
    assert judged_with([], groups()) == (groups(), [])


def test_the_reference_takes_every_oracle() -> None:
    assert set(SUPPORTED) == set(ORACLES)


COMMAND = ["conformance", "run", "--port", "spoken", "--test", "streams::realised_*", "--test", "noise::poisson_1"]


def test_a_pass_with_an_oracle_is_told_as_one(
    spoken: Callable[[Port], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, junit = tmp_path / "report.json", tmp_path / "report.xml"
    spoken(Port())
    assert cli.run([*COMMAND, "--oracle", "noise", "--json", str(told), "--junit", str(junit)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "passes ONLY with the oracle noise"
    assert said[-2] == "not judged, as oracles stand for it: noise (1 vectors)"
    assert any(line.startswith("streams") and "with values of an oracle" in line for line in said)
    report = json.loads(told.read_text("utf-8"))
    assert (report["passes"], report["passes_with_oracles"], report["oracles"]) == (False, True, ["noise"])
    assert report["not_judged"] == ["noise::poisson_1"]
    assert any(test["oracles"] == ["noise"] for test in report["tests"])
    counts = report["statements"]["CAPC-NAME-003"]
    assert counts["passed"] == sum(counts.values()) == len(report["tests"])
    top = ElementTree.parse(junit).getroot()  # noqa: S314  # written just now
    assert str(top.get("name")).endswith(", with the oracle noise")
    told_of = {entry.get("name"): entry.get("value") for entry in top.iter("property")}
    assert told_of["CAPC-NAME-003"] == f"{counts['passed']} of {counts['passed']} passed"
    assert [suite.get("skipped") for suite in top.iter("testsuite") if suite.get("name") == "not judged"] == ["1"]


def test_a_plain_pass_says_nothing_of_oracles(
    spoken: Callable[[Port], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "report.json"
    spoken(Port())
    assert cli.run([*COMMAND, "--json", str(told)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "passes"
    report = json.loads(told.read_text("utf-8"))
    assert (report["passes"], report["passes_with_oracles"], report["not_judged"]) == (True, None, [])


@pytest.mark.usefixtures("no_samplers")
def test_a_failure_with_an_oracle_is_one(spoken: Callable[[Port], None], capsys: pytest.CaptureFixture[str]) -> None:
    spoken(Port())
    assert cli.run([*COMMAND, "--oracle", "he"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "DOES NOT PASS, even with the oracle he"


def without_oracles(port: Port) -> Answer:
    def answer(request: Any) -> Any:
        outcome = port.answer(request)
        if request["request"] == "start":
            del outcome["out"]["oracles"]
        return outcome

    return answer


@pytest.mark.slow
def test_an_oracle_is_refused_that_is_none_or_that_the_port_does_not_take(
    monkeypatch: pytest.MonkeyPatch, spoken: Callable[[Port], None], capsys: pytest.CaptureFixture[str]
) -> None:
    spoken(Port())
    assert cli.run([*COMMAND, "--oracle", "luck"]) == 2
    assert "--oracle luck: choose from noise, he" in capsys.readouterr().err
    monkeypatch.setattr(session, "Child", lambda _: SpokenChild(without_oracles(Port())))
    assert cli.run(COMMAND) == 0
    capsys.readouterr()
    assert cli.run([*COMMAND, "--oracle", "noise"]) == 2
    assert "the port does not take it; its reply to start names none" in capsys.readouterr().err


@pytest.mark.slow
def test_only_f_linear_itself_is_left_out(monkeypatch: pytest.MonkeyPatch, spoken: Callable[[Port], None]) -> None:
    """The port that the oracle helps does not multiply: no product is computed anywhere in its place."""
    calls: list[int] = []
    monkeypatch.setattr(IdealLinear, "evaluate", lambda *_: calls.append(1))
    spoken(Port(NumbersOnly))
    assert wrong(judge(("protocol_plain::honest_session",), "he")) == []
    assert calls == []
