"""Statements of kind test against seeded faults: which fault is caught by a test that names which statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capc_verify.faults import FAULTS
from capc_verify.trace.spec import Specification


def faults_of_statements(evidence: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """For each statement the faults that a test catches which is evidence for it, by name.

    Args:
        evidence: for each statement its tests.
    """
    catching: dict[str, list[str]] = {}
    for name, fault in FAULTS.items():
        for node in fault.detected_by:
            catching.setdefault(node, []).append(name)
    return {
        identifier: sorted({name for node in nodes for name in catching.get(node, ())})
        for identifier, nodes in evidence.items()
    }


def without_fault(specification: Specification, faults: Mapping[str, Sequence[str]]) -> list[str]:
    """The binding statements of kind test that no seeded fault breaks."""
    return [
        name
        for name, statement in specification.statements.items()
        if statement.binding and statement.kind == "test" and not faults.get(name)
    ]
