"""Oracles: values of the vectors that a port is given, so that it can be judged on what stands on a missing part.

What an oracle stands for is not judged, and whatever passes with one is told so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from capc.foundation.errors import InputError
from capc.session.envelope import HEADER
from capc_verify.conformance.levels import Group
from capc_verify.vectors.values import Json, resolve

Values = Callable[[Json], Json]
"""From an operation's expected outputs and intermediate values to what the port is given."""


@dataclass(frozen=True)
class Oracle:
    """One oracle.

    Attributes:
        stems: the vector files of what it stands for, and of what cannot be judged with it.
        gives: by operation.
        faults: see there; a vector with such an error of one of these operations is not judged.
    """

    stems: tuple[str, ...]
    gives: Mapping[str, Values]
    faults: frozenset[str] = frozenset()
    """Codes that one of these operations gives only where the missing part is there."""


def _fields(*names: str) -> Values:
    return lambda expected: {name: expected[name] for name in names if expected[name]}


def _drawn(expected: Json) -> Json:
    """Of the draws of a step, those of samplers."""
    found: dict[str, Any] = {}
    for draw in (draw for stream in expected["streams"] for draw in stream["draws"]):
        kind = draw["take"].partition(" x ")[2]
        if kind in _NOISE:
            found[_NOISE[kind]] = draw["integers"]
    return found


def _two_party(*fields: str, **others: str) -> Values:
    """Payloads of the messages in these fields, without headers, and other values under names of their own."""

    def values(expected: Json) -> Json:
        sent = {name: expected[name] for name in fields if expected[name] is not None}
        return {"payloads": {name: _payload(value) for name, value in sent.items()}} | {
            name: expected[of] for name, of in others.items()
        }

    return values


def _payload(value: Json) -> Json:
    if isinstance(value, dict) and "blob" not in value:
        return {party: _payload(message) for party, message in value.items()}
    return value[2 * HEADER.size :] if isinstance(value, str) else value


_NOISE = {"answer": "class_noise", "threshold": "threshold_noise"}
_SHARES = _fields("share_of_products")
ORACLES: Mapping[str, Oracle] = {
    "noise": Oracle(
        ("noise", "noise_traces"),
        {
            "privacy_guardian_release": _fields("class_noise", "threshold_noise"),
            "querying_party_request_release": _fields("threshold_noise"),
            "run_session": _fields("class_noise", "threshold_noise", "own_noise"),
            "step_draws": _drawn,
        },
    ),
    "he": Oracle(
        ("he", "he_layers", "run"),
        dict.fromkeys(
            ("querying_party_choose_labels", "querying_party_keep_sums", "querying_party_begin_rounds"), _SHARES
        ),
    ),
    "two-party": Oracle(
        (
            *("circuits", "gate_lists", "oblivious_transfer", "garbling"),
            *("protocol_batches", "protocol_all_pairs", "protocol_rounds", "run"),
        ),
        {
            "querying_party_begin_setup": _two_party("offers"),
            "answering_party_answer_setup": _two_party("message"),
            "privacy_guardian_answer_setup": _two_party("message"),
            "querying_party_finish_setup": _two_party("trees"),
            "answering_party_finish_setup": _two_party(),
            "privacy_guardian_finish_setup": _two_party(),
            "querying_party_open_batch": _two_party("messages"),
            "answering_party_take_transfers": _two_party(),
            "querying_party_choose_labels": _two_party("message"),
            "answering_party_garble_layer": _two_party("message", results="fresh_share"),
            "querying_party_evaluate_layer": _two_party(results="share"),
            "querying_party_request_release": _two_party("message"),
            "privacy_guardian_release": _two_party("message"),
            "querying_party_finish_release": _two_party("answered_message", label="label"),
            "privacy_guardian_read_answered": _two_party(answered="answered"),
        },
        frozenset(
            {
                *("malformed_length", "value_out_of_range", "non_canonical", "invalid_point"),
                *("inconsistent_transfers", "invalid_output_label"),
            }
        ),
    ),
}
"""By name. docs/porting.md describes them."""


def check_oracles(names: Sequence[str], supported: Sequence[str]) -> None:
    """Refuses oracles that there are not, or that the port does not take.

    Raises:
        InputError: one of them.
    """
    for name in names:
        if name not in ORACLES:
            raise InputError(f"--oracle {name}: choose from {', '.join(ORACLES)}")
        if name not in supported:
            told = ", ".join(supported) or "none"
            raise InputError(f"--oracle {name}: the port does not take it; its reply to start names {told}")


def given(names: Sequence[str], op: str, expected: Json) -> dict[str, Json]:
    """What oracles give with an operation.

    Args:
        names: the oracles.
        op: the operation.
        expected: its ``expect``, with blobs resolved; of one that must fail nothing is given.
    """
    if "error" in expected:
        return {}
    everything = {**expected["out"], **expected.get("intermediate", {})}
    found: dict[str, Json] = {}
    for name in names:
        if op in ORACLES[name].gives:
            found |= ORACLES[name].gives[op](everything)
    return found


def judged_with(names: Sequence[str], groups: Sequence[Group]) -> tuple[list[Group], list[str]]:
    """The groups that are judged, and the names of the vectors that an oracle stands for, which are not."""
    judged, others = [], []
    for group in groups:
        tests = {test["name"]: test for test in group.document["tests"]}
        chosen = [name for name in group.chosen if not any(_stands_for(each, group, tests[name]) for each in names)]
        others += [f"{group.stem}::{name}" for name in group.chosen if name not in chosen]
        if chosen:
            judged.append(replace(group, chosen=tuple(chosen)))
    return judged, others


def _stands_for(name: str, group: Group, test: Json) -> bool:
    """Whether an oracle stands for a vector: for its file, or for what finds a fault that it shows."""
    oracle = ORACLES[name]
    return group.stem in oracle.stems or any(
        step["op"] in oracle.gives and _is_theirs(step, oracle, group) for step in test["operations"]
    )


def _is_theirs(step: Json, oracle: Oracle, group: Group) -> bool:
    code = step["expect"].get("error", {}).get("code")
    if code not in oracle.faults:
        return False
    # A header that is too short is found without knowing any payload.
    whole = step["in"].get("message")
    short = whole is not None and len(resolve(whole, group.document["blobs"])) < 2 * HEADER.size
    return not (code == "malformed_length" and short)


def helped(names: Sequence[str], group: Group, test: str) -> tuple[str, ...]:
    """The oracles that give something in a test, or in what it begins with."""
    if not names:
        return ()
    tests = {entry["name"]: entry for entry in group.document["tests"]}
    steps: list[Json] = []
    while True:
        entry = tests[test]
        steps += entry["operations"]
        prelude = entry["prelude"]
        if prelude is None:
            break
        test = prelude["test"]
        tests[test] = {**tests[test], "operations": tests[test]["operations"][: prelude["operations"]]}
    # Whether blobs are resolved does not matter here.
    return tuple(name for name in names if any(given([name], step["op"], step["expect"]) for step in steps))
