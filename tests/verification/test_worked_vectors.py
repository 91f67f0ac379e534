"""Worked vectors are whole: every step that draws, every tag, every family of circuits, every sampler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from capc_spec.registry import STEP_LABELS, TAGS, entries
from capc_verify.conformance.levels import vectors
from capc_verify.vectors.operations.worked.gates import SMALLEST
from capc_verify.vectors.operations.worked.traces import TracedSampler


def operations(stem: str, op: str) -> Iterator[Any]:
    for group in vectors(stem)["testGroups"]:
        for test in group["tests"]:
            yield from (step for step in test["operations"] if step["op"] == op)


@pytest.mark.req("CAPC-NAME-001")
def test_every_tag_is_used_once() -> None:
    assert [step["in"]["of"]["kind"] for step in operations("streams", "tag_use")] == list(TAGS)


@pytest.mark.req("CAPC-NAME-003")
def test_every_entry_of_the_table_of_draws_is_made_by_some_vector() -> None:
    made: dict[str, set[str]] = {step: set() for step in STEP_LABELS}
    for step in operations("streams", "step_draws"):
        for stream in step["expect"]["out"]["streams"]:
            made[step["in"]["step"]] |= {draw["take"].partition(" x ")[2] for draw in stream["draws"]}
    for step, entry in entries("steps").items():
        wanted = [draw["take"].partition(" x ")[2].partition("(")[0] for draw in entry["draws"]]
        assert {take.partition("(")[0] for take in made[step]} == set(wanted), step


@pytest.mark.req("CAPC-NAME-003")
def test_draws_of_some_cases_only_are_shown_with_and_without() -> None:
    counts: dict[str, set[int]] = {}
    for step in operations("streams", "step_draws"):
        drawn = sum(len(stream["draws"]) for stream in step["expect"]["out"]["streams"])
        counts.setdefault(step["in"]["step"], set()).add(drawn)
    partial = {step for step, entry in entries("steps").items() if any("when" in draw for draw in entry["draws"])}
    one_case = {"answering_party_evaluate_layer", "answering_party_prepare_layer"}
    assert all(len(counts[step]) > 1 for step in partial - one_case)


def test_every_family_of_circuits_is_listed() -> None:
    listed = {step["in"]["circuit"]["kind"] for step in operations("gate_lists", "circuit_gates")}
    assert listed == {name.partition(" ")[0] for name in SMALLEST}
    for step in operations("gate_lists", "circuit_gates"):
        out = step["expect"]["out"]
        assert out["bristol"][0].split()[0] == str(len(out["gates"]) + sum("EQW" in line for line in out["bristol"]))
        first = out["garbler_inputs"] + out["evaluator_inputs"]
        staged = sorted(wire for stage in out["stages"] for wire in (*stage["ands"], *stage["free"]))
        assert staged == list(range(first, first + len(out["gates"])))


def test_every_sampler_is_traced() -> None:
    steps = list(operations("noise_traces", "sampler_trace"))
    assert {step["in"]["sampler"] for step in steps} == {sampler.value for sampler in TracedSampler}
    for step in steps:
        draws = [draw.split(" | ") for draw in step["expect"]["intermediate"]["draws"]]
        assert sum(len(taken) // 2 for _, _, taken, _ in draws if taken != "-") == step["expect"]["out"]["consumed"]
