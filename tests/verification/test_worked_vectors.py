"""Worked vectors are whole: every step that draws, every tag, every family of circuits, every sampler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from capc.linear.bfv.context import context_for
from capc.session.widths import ParameterSet
from capc_spec.registry import STEP_LABELS, TAGS, entries
from capc_verify.conformance.levels import vectors
from capc_verify.vectors.cases.bfv import FixedKey
from capc_verify.vectors.derive import Source
from capc_verify.vectors.operations.worked.bfv_integers import request_problem
from capc_verify.vectors.operations.worked.gates import SMALLEST
from capc_verify.vectors.operations.worked.traces import TracedSampler

CONTEXT = context_for(ParameterSet.named("toy"))


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
    kinds = {"relu (l = 4, f = 0, n = 1, c = 1)": "capped_relu", "relu (l = 4, f = 0, n = 1, c = 2)": "relu_at_most"}
    kinds["leaky_relu (l = 4, f = 0, s = 1, n = 1, k = 2)"] = "capped_leaky_relu"
    assert listed == {kinds.get(name, name.partition(" ")[0]) for name in SMALLEST}
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


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize(("error", "refused"), [(0, False), (21, False), (-21, False), (23, True), (-23, True)])
def test_an_encryption_is_opened_within_its_error(error: int, refused: bool) -> None:
    key = FixedKey.drawn(CONTEXT, Source("test/errors"))
    wanted = [5, 4092, *[0] * (CONTEXT.degree - 2)]
    problem = request_problem(CONTEXT, key.coefficients, key.request([5, 4092], [0, error]), [wanted])
    assert (problem is not None) is refused
    if problem:
        assert problem.startswith("ciphertext 0: coefficient 1 is not within 43/2")


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-023")
def test_an_encryption_of_something_else_is_seen() -> None:
    key = FixedKey.drawn(CONTEXT, Source("test/something"))
    zeros = [0] * (CONTEXT.degree - 2)
    request = key.request([5, 4092], [0, 0])
    assert "coefficient 0" in str(request_problem(CONTEXT, key.coefficients, request, [[6, 4092, *zeros]]))
    assert "49216 bytes, and 98432 are due" in str(request_problem(CONTEXT, key.coefficients, request, [zeros] * 2))
    other = FixedKey.drawn(CONTEXT, Source("test/other"))
    assert "coefficient 0" in str(request_problem(CONTEXT, other.coefficients, request, [[5, 4092, *zeros]]))
