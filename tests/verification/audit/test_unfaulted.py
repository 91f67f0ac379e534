"""Statements of kind test without a seeded fault: all are listed with a reason, and none that has a fault."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from capc_verify.audit.matrix import faults_of_statements, without_fault
from capc_verify.audit.unfaulted import REASONS, reasons_for
from capc_verify.faults import FAULTS
from capc_verify.trace.evidence import read_vectors, replayed_vector
from capc_verify.trace.report import read_report
from capc_verify.trace.spec import ID, read_specification

ROOT = Path(__file__).parents[3]
LEAST = 120
"""So many statements of kind test have a fault at least."""


@cache
def markers_of(file: str) -> dict[str, set[str]]:
    """The ids in the decorators of each function of a file of tests."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            found[node.name] = {name for each in node.decorator_list for name in ID.findall(ast.unparse(each))}
    return found


def named_by(node: str, vectors: Mapping[str, frozenset[str]]) -> set[str]:
    """What a test names by its markers, or the vector that it replays."""
    file, _, function = node.partition("[")[0].partition("::")
    return markers_of(file)[function] | vectors.get(replayed_vector(node), frozenset())


@pytest.mark.slow
def test_what_has_no_fault_is_listed_with_a_reason_and_nothing_else_is() -> None:
    """A fault counts for what its tests name now, and for what they were evidence of when the suite ran last."""
    specification = read_specification(ROOT)
    vectors = read_vectors(ROOT)
    nodes = {node for fault in FAULTS.values() for node in fault.detected_by}
    named = {name for node in nodes for name in named_by(node, vectors)}
    missing = set(without_fault(specification, faults_of_statements(read_report(ROOT).evidence))) - named
    of_kind_test = [each for each in specification.statements.values() if each.binding and each.kind == "test"]
    assert len(of_kind_test) - len(missing) >= LEAST
    listed = Counter(name for reason in REASONS for name in reason.statements)
    assert max(listed.values()) == 1
    assert set(listed) == missing


def test_reasons_are_sentences_and_keep_the_order_of_ids() -> None:
    for reason in REASONS:
        assert reason.text.endswith(".")
        assert list(reason.statements) == sorted(reason.statements)
        assert all(ID.fullmatch(name) for name in reason.statements)


def test_reasons_are_given_for_what_was_asked_alone() -> None:
    first, second, *_ = REASONS
    (given,) = reasons_for([second.statements[0], "CAPC-TOY-001"])
    assert (given.text, given.statements) == (second.text, second.statements[:1])
    assert reasons_for([]) == []
    assert reasons_for(first.statements)[0] == first
