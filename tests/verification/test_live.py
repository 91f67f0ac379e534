"""Ports as one party of live sessions, and on transcripts: the reference passes, and each seeded mistake is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc import cli
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.session.envelope import MessageType
from capc_verify.conformance import session
from capc_verify.conformance.live.judging import LiveJudge, live_sessions, replayed_parties, shadow
from capc_verify.conformance.session import Conversation
from capc_verify.conformance.verdicts import Outcome, Verdict
from capc_verify.live.sessions import MODES, live_session
from capc_verify.live.transcript import ideal_labels, read_transcript, transcript_text
from capc_verify.port import Answer, Port
from capc_verify.vectors.values import party_named
from support import hostile_port
from support.live_mistakes import AP, FLIPPED, MISTAKES, PG, QP, flip, live_port, of_kind, seed_of_another
from support.port_mistakes import SpokenChild
from support.sizes import examples, is_nightly

REFERENCE = [sys.executable, "-m", "capc_verify.port"]
Judged = Callable[[Callable[[], Answer], Callable[[LiveJudge], list[Verdict]]], list[Verdict]]


def judged(command: list[str], judge: Callable[[LiveJudge], list[Verdict]], seconds: float = 120.0) -> list[Verdict]:
    conversation = Conversation(command, seconds)
    try:
        found = judge(LiveJudge(conversation))
        assert conversation.stop() is None
        return found
    finally:
        conversation.end()


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> Judged:
    """Judges a port that runs in this process."""

    def judge(make: Callable[[], Answer], what: Callable[[LiveJudge], list[Verdict]]) -> list[Verdict]:
        monkeypatch.setattr(session, "Child", lambda _: SpokenChild(make()))
        return judged(["spoken"], what)

    return judge


def ordinary() -> list[tuple[str, Party]]:
    """One party of each mode, each in turn; nightly all of them."""
    everyone = live_sessions()
    return everyone if is_nightly() else [everyone[4 * place + place % 4] for place in range(len(MODES))]


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-023", "CAPC-REL-001")
def test_the_reference_is_a_port_that_passes_as_each_party() -> None:
    found = judged(REFERENCE, lambda judge: judge.live(ordinary()))
    assert [(verdict.name, verdict.message) for verdict in found if verdict.outcome is not Outcome.PASSED] == []
    assert {verdict.name.partition("::")[2].partition("/")[0] for verdict in found} == set(MODES)
    assert {verdict.name.rpartition("/")[2] for verdict in found} == {QP, AP, "answering_party_2", PG}


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001")
def test_all_modes_have_the_labels_of_the_ideal_functionality_and_both_outcomes_of_a_check() -> None:
    labels = {}
    for mode in MODES:
        transcript = shadow(mode)
        labels[mode] = transcript.ended[QUERYING_PARTY]["labels"]
        assert labels[mode] == ideal_labels(transcript.joins, transcript.ended)
    for mode in ("single_draw", "two_draws", "realised"):
        assert None in labels[mode]
        assert set(labels[mode]) != {None}


def test_all_message_types_are_flipped() -> None:
    """But for the hello, which no honest session has."""
    assert {kind for _, _, kind, _ in FLIPPED} == {kind.name.lower() for kind in MessageType} - {"hello"}


MANGLED = [
    (mode, me)
    for mode in ("one_query", "realised", "rounds", "prepared", "encrypted")
    for me in live_session(mode).joins
]


@pytest.mark.slow
@settings(max_examples=examples(ordinary=6, nightly=300), deadline=None)
@given(st.sampled_from(MANGLED), st.integers(0, 30), st.sampled_from(["cut", "grown", "replaced", "header"]), st.data())
def test_whatever_a_port_sends_the_judge_finds_it_and_goes_on(
    played: tuple[str, Party], number: int, way: str, data: st.DataObject
) -> None:
    mode, me = played
    sent = [message.data for message in shadow(mode).messages if message.sender == me]
    number %= len(sent)
    raw = sent[number]
    drawn = data.draw(st.binary(min_size=1, max_size=44))
    mangled = {
        "cut": raw[: data.draw(st.integers(0, len(raw) - 1))],
        "grown": raw + drawn,
        "replaced": drawn,
        "header": drawn[:1] + raw[1:] if drawn[:1] != raw[:1] else raw[:-1],
    }[way]
    seen = [0]

    def alter(send: list[Any], _: Any) -> None:
        for each in send:
            if seen[0] == number:
                each["message"] = mangled.hex()
            seen[0] += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "Child", lambda _: SpokenChild(live_port(alter)()))
        (verdict,) = judged(["spoken"], lambda judge: judge.live([played]))
    assert verdict.outcome is Outcome.FAILED
    assert "; then " in verdict.message


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "party", "kind", "stream"), FLIPPED)
def test_a_flipped_bit_of_each_message_is_found_on_the_transcript(
    mode: str, party: str, kind: str, stream: str, spoken: Judged
) -> None:
    transcript, me = shadow(mode), party_named(party)
    sent = next(each for each in transcript.messages if each.sender == me and each.data[0] == MessageType[kind.upper()])
    after = "join" if sent.after is None else MessageType(transcript.messages[sent.after].data[0]).name.lower()
    (verdict,) = spoken(of_kind(kind, flip(-1)), lambda judge: judge.replay(transcript, [me]))
    assert verdict.name == f"replay::{mode}/{party}"
    finding = verdict.finding
    assert finding is not None
    assert after in finding.op
    assert finding.difference is not None
    assert finding.difference.field == f"send.{kind} to {sent.receiver}.message"
    assert finding.difference.offset == len(sent.data) - 1
    assert finding.difference.stream == (repr(stream) if stream else "")


@pytest.mark.slow
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_where_it_is_and_the_reference_says_what_it_makes_of_it(name: str, spoken: Judged) -> None:
    mistake = MISTAKES[name]
    (verdict,) = spoken(mistake.make, lambda judge: judge.live([(mistake.mode, party_named(mistake.party))]))
    finding = verdict.finding
    assert finding is not None
    assert (finding.outcome, finding.op) == (mistake.outcome, mistake.op)
    assert (finding.difference.field if finding.difference else "") == mistake.place
    for part in mistake.told:
        assert part in finding.message


@pytest.mark.slow
def test_a_seed_of_the_session_before_is_found_at_the_first_draw(spoken: Judged) -> None:
    sessions = [("one_query", PRIVACY_GUARDIAN), ("single_draw", PRIVACY_GUARDIAN)]
    first, second = spoken(
        seed_of_another(live_session("one_query").joins[PRIVACY_GUARDIAN]["seed"]), lambda judge: judge.live(sessions)
    )
    assert first.finding is None
    assert second.finding is not None
    assert second.finding.difference is not None
    assert second.finding.difference.field == "send.base_ot_choice to querying_party.message"
    assert second.finding.difference.stream == "'privacy_guardian_answer_setup'"


def hostile(way: str, *more: str) -> list[str]:
    return [sys.executable, str(hostile_port.__file__), way, *more]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["hangs", "exits", "junk", "two_replies", "endless_lines"])
def test_a_port_that_breaks_is_told_and_started_again_until_it_is_not_asked_any_more(way: str) -> None:
    sessions = [("one_query", PRIVACY_GUARDIAN)] * 4
    found = judged(hostile(way), lambda judge: judge.live(sessions), seconds=2.0)
    assert [verdict.outcome for verdict in found] == [Outcome.BROKEN] * 3 + [Outcome.BLOCKED]
    for verdict in found[:3]:
        assert hostile_port.WAYS[way] in verdict.message
    assert "broke 3 times as privacy_guardian" in found[3].message


@pytest.mark.slow
def test_a_port_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    (verdict,) = judged(
        hostile("leaves_a_child", str(tmp_path)), lambda judge: judge.live([("one_query", QUERYING_PARTY)]), seconds=3.0
    )
    assert verdict.outcome is Outcome.BROKEN
    child = int((tmp_path / "child").read_text(encoding="ascii"))
    for _ in range(100):
        if not running(child):
            return
        time.sleep(0.05)
    raise AssertionError("the child of the port still runs")


def running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A process that has ended may wait for init to notice.
    return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text(encoding="ascii")


@pytest.mark.slow
def test_a_bad_session_does_no_harm_to_the_next(spoken: Judged) -> None:
    """The same port, wrong once: the reference's parties of the next session know nothing of it."""
    made = of_kind("ot_extension", flip(60))
    found = spoken(made, lambda judge: judge.live([("one_query", QUERYING_PARTY)] * 2))
    assert [verdict.outcome for verdict in found] == [Outcome.FAILED, Outcome.PASSED]


def test_messages_before_a_session_are_errored() -> None:
    request = {"request": "deliver", "from": QP, "message": "00"}
    assert Port().answer(request) == {"errored": "no session was joined"}


# Commands.


@pytest.mark.slow
def test_a_transcript_is_recorded_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, port = tmp_path / "t.jsonl", " ".join(REFERENCE)
    assert cli.run(["conformance", "record", "--mode", "realised", str(file)]) == 0
    assert read_transcript(file) == shadow("realised")
    told = tmp_path / "report.json"
    assert cli.run(["conformance", "replay", str(file), "--port", port, "--json", str(told)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["replay", "4", "of", "4", "passed"]
    names = [test["name"] for test in json.loads(told.read_text(encoding="utf-8"))["tests"]]
    assert names == [f"replay::realised/{me}" for me in (QP, AP, "answering_party_2", PG)]


@pytest.mark.slow
def test_of_a_transcript_with_he_all_but_the_querying_party_are_replayed(spoken: Judged) -> None:
    parties = replayed_parties(shadow("encrypted"), ())
    assert [str(me) for me in parties] == [AP, "answering_party_2", PG]
    found = spoken(lambda: Port().answer, lambda judge: judge.replay(shadow("encrypted"), parties))
    assert [verdict.outcome for verdict in found] == [Outcome.PASSED] * 3


@pytest.mark.slow
def test_a_live_port_is_judged_by_command_with_a_list_of_what_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["conformance", "live", "--mode", "one_query", "--role", PG, "--port", " ".join(hostile("good"))]
    assert cli.run(command) == 1
    said = capsys.readouterr().out
    assert said.splitlines()[1].split() == ["live", "0", "of", "1", "passed,", "1", "failed"]
    assert (
        "live::one_query/privacy_guardian: failed: operation 0 (join): send.session_check to answering_party_1" in said
    )
    listed = tmp_path / "known.txt"
    listed.write_text("fail live::*/privacy_guardian\n", encoding="utf-8")
    assert cli.run([*command, "--expect", str(listed)]) == 0
    listed.write_text("skip live::nothing/*\n", encoding="utf-8")
    assert cli.run([*command, "--expect", str(listed)]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is no whole transcript"),
        (["{}", "{}"], "is no whole transcript (KeyError)"),
        (["1", "2"], "is no whole transcript"),
        (["x"], "is no whole transcript"),
    ],
)
def test_what_is_no_transcript_is_refused(
    tmp_path: Path, lines: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(tmp_path, lines, message, capsys)


@pytest.mark.slow
def test_a_transcript_with_a_gap_or_of_another_version_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = transcript_text(shadow("one_query")).splitlines()
    refused(tmp_path, [*lines[:3], *lines[4:]], "messages or parties are missing", capsys)
    refused(tmp_path, lines[:-1], "is no whole transcript", capsys)
    refused(tmp_path, [lines[0].replace("transcript/v1", "transcript/v0"), *lines[1:]], "transcript/v0", capsys)
    refused(tmp_path, [lines[0].replace('"linear"', '"layers"'), *lines[1:]], "fields ['budget'", capsys)
    encrypted = replace(shadow("encrypted"), messages=())
    refused(tmp_path, transcript_text(encrypted).splitlines(), "cannot be replayed", capsys, "--role", QP)


def refused(tmp_path: Path, lines: list[str], message: str, capsys: pytest.CaptureFixture[str], *more: str) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert cli.run(["conformance", "replay", str(file), "--port", "no-port", *more]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("capc: ")
    assert said.err.count("\n") == 1
    assert message in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["live", "--port", "p", "--mode", "two_queries"], "choose from one_query, batch"),
        (["live", "--port", "p", "--role", "judge"], "judge"),
        (["live", "--port", "./no/such/port", "--mode", "one_query"], "cannot be started"),
        (["live", "--port", "p", "--seconds", "0"], "--seconds 0"),
        (["record", "--mode", "two_queries", "x"], "choose from one_query, batch"),
        (["record", "no/such/folder/x"], "does not exist"),
        (["replay", "no/such/file", "--port", "p"], "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["conformance", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


@pytest.mark.slow
def test_the_command_loads_no_library_that_parties_need() -> None:
    code = "import sys, capc_verify.conformance.command; print(*{'numpy', 'tenseal', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
