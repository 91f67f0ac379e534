"""Oracles: values of the vectors that a port is given, so that it can be judged on what stands on a missing part.

What an oracle stands for is not judged, and whatever passes with one is told so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capc.foundation.errors import InputError
from capc_verify.conformance.levels import Group
from capc_verify.vectors.values import Json

Values = Callable[[Json], Json]
"""From an operation's expected outputs and intermediate values to what the port is given."""


@dataclass(frozen=True)
class Oracle:
    """One oracle.

    Attributes:
        stems: the vector files of what it stands for, and of what cannot be judged with it.
        gives: by operation.
    """

    stems: tuple[str, ...]
    gives: Mapping[str, Values]


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
        {"querying_party_choose_labels": _SHARES, "querying_party_begin_rounds": _SHARES},
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
    left_out = {stem for name in names for stem in ORACLES[name].stems}
    judged = [group for group in groups if group.stem not in left_out]
    others = [f"{group.stem}::{name}" for group in groups if group.stem in left_out for name in group.chosen]
    return judged, others


def helped(names: Sequence[str], group: Group, test: str) -> tuple[str, ...]:
    """The oracles that give something in a test, or in what it begins with."""
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
