"""The judge of ports: the reference passes, and every seeded mistake is found at its level, operation and place."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from capc_verify.conformance import session
from capc_verify.conformance.child import BrokenPortError
from capc_verify.conformance.difference import compare
from capc_verify.conformance.judge import Judge
from capc_verify.conformance.levels import LEVELS, groups, vectors
from capc_verify.conformance.session import Conversation
from capc_verify.conformance.verdicts import Outcome, Verdict
from capc_verify.port import Answer, Port
from capc_verify.vectors.figures import HIGHEST, INSIDE, LOWEST
from capc_verify.vectors.registry import FILES
from support.port_mistakes import MISTAKES, SpokenChild, own_codes, without_snapshots
from support.sizes import is_nightly

REFERENCE = [sys.executable, "-m", "capc_verify.port"]
SOME = (
    "ring::ring_subtract_10",
    "session::parameters_skellam",
    "messages::hello_*",
    "aggregation::sum_wraps_10_2",
    "noise::bernoulli_2",
    "streams::tag_run",
    "he::open_exact",
    "operators::dense_5_3",
    "protocol_plain::answering_party_answer_setup_offer_short",
    "accounting::cost_skellam_2",
    "ledger::whole",
)
"""A little of every level, in which no mistake shows."""
ORDINARY = {
    "encodings": (),
    "two-party": (
        "messages::*",
        "aggregation::*",
        "gate_lists::*",
        "oblivious_transfer::*",
        "garbling::s*_1",
        "circuits::release_c3*",
    ),
    "noise": (),
    "streams": (),
    "he": ("he::*_given", "he::lengths_*", "he::decrypt_*", "he_layers::*", "operators::*"),
    "protocol": ("protocol_plain::answering_party_answer_setup*", "protocol_plain::*_recovers", "run::run_plain"),
    "accounting": (),
    "ledger": (),
}
"""Of every level, what an ordinary run judges; all of it if nothing is named."""


def verdicts(command: list[str], levels: tuple[str, ...] = (), patterns: tuple[str, ...] = ()) -> list[Verdict]:
    conversation = Conversation(command, 120.0)
    try:
        found = Judge(conversation, validate=True).judge(groups(levels, patterns))
        assert conversation.stop() is None
        return found
    finally:
        conversation.end()


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Verdict]]:
    """Judges a port that runs in this process."""

    def judge(make: Callable[[], Answer], patterns: tuple[str, ...]) -> list[Verdict]:
        monkeypatch.setattr(session, "Child", lambda _: SpokenChild(make()))
        return verdicts(["spoken"], patterns=patterns)

    return judge


@pytest.mark.slow
@pytest.mark.parametrize("level", list(LEVELS))
def test_the_reference_is_a_port_that_passes(level: str) -> None:
    patterns = () if is_nightly() else ORDINARY[level]
    found = verdicts(REFERENCE, (level,), patterns)
    assert [(verdict.name, verdict.message) for verdict in found if verdict.outcome is not Outcome.PASSED] == []
    chosen = groups((level,), patterns)
    assert len(found) == sum(len(group.chosen) for group in chosen) > 5


def test_every_vector_is_of_one_level() -> None:
    names = [(group.stem, name) for group in groups() for name in group.chosen]
    everything = [
        (stem, test["name"]) for stem in FILES for group in vectors(stem)["testGroups"] for test in group["tests"]
    ]
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(everything)


def test_a_level_stands_on_earlier_ones_only() -> None:
    names = list(LEVELS)
    for level in LEVELS.values():
        assert all(names.index(below) < names.index(level.name) for below in level.after)


def test_every_figure_of_a_vector_lies_inside_its_bounds() -> None:
    """The judge keeps the bounds and takes this for granted."""
    steps = [
        step
        for stem in FILES
        for group in vectors(stem)["testGroups"]
        for test in group["tests"]
        for step in test["operations"]
    ]
    bounded = [step for step in steps if INSIDE in step["expect"].get("out", {})]
    assert len(bounded) > 20
    assert all(step["expect"]["out"] == {INSIDE: True} for step in bounded)
    assert all({LOWEST, HIGHEST} <= set(step["in"]) for step in bounded)


@pytest.mark.slow
def test_a_port_never_sees_the_bounds(spoken: Callable[..., list[Verdict]]) -> None:
    asked: list[Any] = []

    def listening() -> Answer:
        port = Port()

        def answer(request: Any) -> Any:
            asked.append(request)
            return port.answer(request)

        return answer

    found = spoken(listening, ("noise::law_*", "accounting::*"))
    assert all(verdict.outcome is Outcome.PASSED for verdict in found)
    assert not any({LOWEST, HIGHEST, INSIDE, "expect"} & set(request.get("in", request)) for request in asked)
    assert sum(request.get("op") == "noise_law" for request in asked) > 5


@pytest.mark.parametrize("name", list(MISTAKES))
def test_a_seeded_mistake_is_found_where_it_is(name: str, spoken: Callable[..., list[Verdict]]) -> None:
    mistake = MISTAKES[name]
    found = spoken(mistake.make, (*SOME, *mistake.tests))
    wrong = [verdict for verdict in found if verdict.outcome not in {Outcome.PASSED, Outcome.BLOCKED}]
    assert wrong, "not found"
    assert {verdict.level for verdict in wrong} == {mistake.level}
    finding = wrong[0].finding
    assert finding is not None
    assert (finding.outcome, finding.op) == (mistake.outcome, mistake.op or finding.op)
    assert mistake.told in finding.message
    if mistake.place:
        assert finding.difference is not None
        assert (finding.difference.field, finding.difference.offset) == (mistake.place, mistake.offset)


def test_there_are_mistakes_on_every_level() -> None:
    assert len(MISTAKES) >= 30
    assert {mistake.level for mistake in MISTAKES.values()} == set(LEVELS)


@pytest.mark.slow
@pytest.mark.parametrize("make", [Port, without_snapshots, own_codes])
def test_what_is_no_mistake_passes(make: Callable[[], Any], spoken: Callable[..., list[Verdict]]) -> None:
    some = ("messages::mask_key_*", "oblivious_transfer::checked_wrong_*", *SOME)
    found = spoken((lambda: Port().answer) if make is Port else make, some)
    assert [(verdict.name, verdict.message) for verdict in found if verdict.outcome is not Outcome.PASSED] == []


@pytest.mark.slow
def test_preludes_are_performed_once(spoken: Callable[..., list[Verdict]]) -> None:
    performed: list[str] = []

    def counting() -> Answer:
        port = Port()

        def answer(request: Any) -> Any:
            performed.append(request.get("op", ""))
            return port.answer(request)

        return answer

    patterns = ("oblivious_transfer::choice_*", "oblivious_transfer::trees_*")
    assert {verdict.outcome for verdict in spoken(counting, patterns)} == {Outcome.PASSED}
    assert performed.count("base_ot_offer") == 1
    assert performed.count("base_ot_finish") == sum(
        step["op"] == "base_ot_finish"
        for group in groups(patterns=patterns)
        for name in {*group.chosen, "base_ot"}
        for test in group.document["tests"]
        if test["name"] == name
        for step in test["operations"]
    )


def test_what_a_broken_port_had_kept_is_performed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    class BreaksOnce(SpokenChild):
        def exchange(self, line: bytes, seconds: float) -> bytes:
            asked.extend([line] if b'"take_checked"' in line else [])
            if len(asked) == 3:
                asked.append(b"")
                raise BrokenPortError("ended with exit code 1")
            return super().exchange(line, seconds)

    monkeypatch.setattr(session, "Child", lambda _: BreaksOnce(Port().answer))
    found = verdicts(["spoken"], patterns=("oblivious_transfer::base_ot", "oblivious_transfer::trees_*"))
    assert [verdict.outcome for verdict in found] == ["passed", "passed", "broken", *["passed"] * (len(found) - 3)]
    assert len(found) > 5


@pytest.mark.slow
def test_one_missing_sampler_blocks_the_protocol_once(spoken: Callable[..., list[Verdict]]) -> None:
    def without_noise() -> Answer:
        port = Port()

        def answer(request: Any) -> Any:
            missing = request.get("op") in {"round_gaussian", "privacy_guardian_release", "run_session"}
            return {"errored": "no sampler"} if missing else port.answer(request)

        return answer

    patterns = ("noise::round_gaussian_1", "protocol_plain::privacy_guardian_release_*", "run::*")
    by_level: dict[str, set[Outcome]] = {}
    for verdict in spoken(without_noise, patterns):
        by_level.setdefault(verdict.level, set()).add(verdict.outcome)
        if verdict.level == "protocol":
            assert verdict.message.startswith("blocked by ")
    assert by_level == {"noise": {Outcome.ERRORED}, "protocol": {Outcome.BLOCKED}}


@pytest.mark.parametrize(
    ("found", "field", "told"),
    [
        ("00ff", None, ""),
        ("00fe", "out.data", "bytes with SHA-256"),
        ("00", "out.data", "1 bytes, expected 2 bytes"),
        ("0", "out.data", "bytes in lower-case hex"),
        (None, "out.data", "null"),
    ],
)
def test_bytes_of_which_a_vector_has_the_hash_are_compared_by_it(found: Any, field: str | None, told: str) -> None:
    shape = {"properties": {"data": {"$ref": "#/$defs/bytes_out"}}}
    expected = {"data": {"sha256": hashlib.sha256(bytes.fromhex("00ff")).hexdigest(), "length": 2}}
    difference = compare(expected, {"data": found}, shape, "out")
    assert (difference and difference.field) == field
    assert told in str(difference)
