"""Ports that hang, end, or write what they must not: each is reported, ended by its id, and judged on."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_verify.conformance import child, judge, session
from capc_verify.conformance.judge import Judge
from capc_verify.conformance.levels import groups
from capc_verify.conformance.session import Conversation
from capc_verify.conformance.verdicts import Outcome, Verdict
from capc_verify.conformance.wire import request_line
from support import hostile_port
from support.hostile_port import AT_THE_END, AT_THE_START, WAYS

ADDITIONS = "ring::ring_add_*"
SECONDS = 2.0


def command(way: str, *more: str) -> list[str]:
    return [sys.executable, str(hostile_port.__file__), way, *more]


def judged(way: str, *more: str) -> tuple[list[Verdict], Conversation]:
    conversation = Conversation(command(way, *more), SECONDS)
    try:
        return Judge(conversation).judge(groups(patterns=[ADDITIONS])), conversation
    finally:
        conversation.end()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_FAREWELL", 1.0)
    monkeypatch.setattr(child, "LONGEST_LINE", 1 << 20)


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if way not in {"reset_refused", "leaves_a_child"}])
def test_a_hostile_port_is_reported_and_judged_on(way: str) -> None:
    found, conversation = judged(way)
    by_name = {verdict.name: verdict for verdict in found}
    wrong = by_name.pop("ring::ring_add_10")
    assert {verdict.outcome for verdict in by_name.values()} == {Outcome.PASSED}
    assert len(by_name) == 4
    if WAYS[way]:
        assert wrong.outcome is Outcome.BROKEN
        assert WAYS[way] in wrong.message
    else:
        assert wrong.outcome is Outcome.PASSED
    if way == "floods_stderr":
        assert 1000 < len(conversation.stderr) <= 1 << 14


def test_no_more_of_standard_error_is_kept_than_its_end() -> None:
    port = child.Child(command("floods_stderr"))
    try:
        fields = {"in": {"left": ["1"], "right": ["2"], "width": 10}}
        assert json.loads(port.exchange(request_line(1, "run", **fields), 20.0))["out"] == {"elements": ["3"]}
    finally:
        port.end()
    assert 1000 < len(port.stderr) <= child.STDERR_KEPT


@pytest.mark.slow
def test_a_port_that_does_not_reset_passes_nothing() -> None:
    found, _ = judged("reset_refused")
    assert {verdict.outcome for verdict in found} == {Outcome.BROKEN}
    assert all("replied to reset with errored" in verdict.message for verdict in found)


@pytest.mark.slow
def test_what_a_port_started_ends_with_it(tmp_path: Path) -> None:
    found, _ = judged("leaves_a_child", str(tmp_path))
    assert [verdict.outcome for verdict in found].count(Outcome.BROKEN) == 1
    started = int((tmp_path / "child").read_text(encoding="ascii"))
    deadline = time.monotonic() + 10
    while is_running(started):
        assert time.monotonic() < deadline, "still there"
        time.sleep(0.05)


def is_running(process: int) -> bool:
    """Whether it is there and no zombie, whose parent has yet to look at it."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.slow
@pytest.mark.parametrize("way", list(AT_THE_START))
def test_a_port_that_does_not_start_is_refused(way: str) -> None:
    with pytest.raises(InputError) as refusal:
        judged(way)
    assert AT_THE_START[way] in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be started"):
        Conversation([str(tmp_path / "nothing")], SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("way", list(AT_THE_END))
def test_a_bad_end_is_reported(way: str) -> None:
    conversation = Conversation(command(way), SECONDS)
    found = Judge(conversation).judge(groups(patterns=[ADDITIONS]))
    assert {verdict.outcome for verdict in found} == {Outcome.PASSED}
    assert AT_THE_END[way] in str(conversation.stop())


def test_a_good_end_is_none() -> None:
    conversation = Conversation(command("good"), SECONDS)
    assert conversation.stop() is None
    assert conversation.stderr == ""


def test_what_breaks_the_port_again_and_again_is_not_asked_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "BREAKS_OF_ONE_OPERATION", 1)
    conversation = Conversation(command("exits"), SECONDS)
    found = Judge(conversation).judge(groups(patterns=[ADDITIONS]))
    conversation.end()
    outcomes = [verdict.outcome for verdict in found]
    assert outcomes == [Outcome.PASSED, Outcome.BROKEN, Outcome.BLOCKED, Outcome.BLOCKED, Outcome.BLOCKED]
    assert found[1].message.endswith("ended with exit code 3; its last line on stderr: out of memory")
    assert conversation.stderr == "out of memory\n"
    assert "not asked any more: ring_add broke the port 1 times" in found[-1].message


def test_a_port_that_breaks_when_all_is_forgotten_is_reported() -> None:
    found, _ = judged("forgets_badly")
    assert [verdict.outcome for verdict in found] == [Outcome.PASSED] * 4 + [Outcome.BROKEN]


@pytest.mark.slow
def test_a_port_that_is_another_when_it_is_started_again_is_broken(tmp_path: Path) -> None:
    found, _ = judged("changes", str(tmp_path / "started"))
    assert [verdict.outcome for verdict in found] == [Outcome.PASSED] + [Outcome.BROKEN] * 4
    assert "describes itself otherwise" in found[-1].message


def test_an_interrupt_while_a_port_starts_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    class Interrupted(child.Child):
        def exchange(self, line: bytes, seconds: float) -> bytes:
            raise KeyboardInterrupt

        def end(self) -> None:
            super().end()
            ended.append(self._process.returncode)

    monkeypatch.setattr(session, "Child", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        Conversation(command("good"), SECONDS)
    assert len(ended) == 1
    assert ended[0] is not None


def test_no_descriptor_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    judged("exits")
    assert len(os.listdir("/proc/self/fd")) == before
