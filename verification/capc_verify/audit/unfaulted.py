"""Statements of kind test that no seeded fault breaks, each with the reason: read by the report, checked by a test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why some statements have no seeded fault.

    Attributes:
        text: the reason; for people.
        statements: the ids, in order.
    """

    text: str
    statements: tuple[str, ...]


def _of(text: str, names: str) -> Reason:
    return Reason(text, tuple(f"CAPC-{name}" for name in names.split()))


REASONS = (
    _of(
        "A fault is possible, and nobody has made one yet. Look at these tests first.",
        "ERR-003 GC-004 NAME-005 ROUND-007 RUN-002 RUN-007 RUN-025 RUN-034 RUN-043",
    ),
    _of(
        "It is compared with a second implementation that follows the words alone, or that is another engine: "
        "whatever the code changes, the comparison fails, so that a fault of choice would show nothing more.",
        "ACCT-137 ARG-017 ARG-018 ARG-019 ARG-020 ERR-004 ERR-005 ERR-006 HE-010 HE-018 HE-020 HE-021 "
        "HE-022 HE-023 HE-024 HE-025 HE-026 HE-027 NAME-003 NAME-004 NAME-007 NAME-008 NAME-009 NAME-010 NAME-011 "
        "NAME-012 NOISE-007 NOISE-008 NOISE-009 NOISE-010 NOISE-011 NOISE-012 PARAM-050 PARAM-051 PARAM-053 "
        "ROLE-016 ROLE-021 ROLE-023 ROUND-005 ROUND-011 WIRE-009",
    ),
    _of(
        "Its test reads a text, a table, a signature or the sources, and nothing that runs: a fault that is "
        "put into running code is not there.",
        "NAME-002 NAME-006 PARAM-013 SEC-012 SEC-025 VEC-001 VEC-002",
    ),
    _of(
        "It says what a party that deviates can do. Its tests are attacks that succeed against code without a "
        "fault, so that a fault would be a defence that nobody knows.",
        "SEC-020 SEC-021 SEC-022 SEC-023",
    ),
    _of(
        "It is about the seeded faults themselves: tests/faults/test_check.py has some that are not caught, "
        "and must say so.",
        "SEC-010",
    ),
    _of(
        "Programs for MP-SPDZ do it, in a language of their own, whose text a fault in Python does not reach. "
        "tests/verification/test_proofs.py and tests/mpc change that text, or what was recorded of it, and "
        "must notice.",
        "MPC-001 MPC-002 MPC-010 MPC-011 MPC-031",
    ),
    _of(
        "Where it is wrong, work is lost or a figure of cost is wrong, and nobody learns anything: gates, "
        "bytes and messages are counted and compared with formulas.",
        "AHEAD-004 BATCH-003 GC-012 ROLE-019 ROUND-002 RUN-022",
    ),
    _of(
        "Where it is wrong, results are wrong, and nobody learns anything more: they are compared with plain "
        "integers, or with another library, for random inputs.",
        "ARG-004 ARG-009 HE-013 MPC-020 MPC-022 MPC-040 PARAM-046 PARAM-058 PARAM-059 RUN-010 "
        "RUN-024 RUN-026 RUN-028 RUN-031 RUN-032 RUN-033 RUN-039 RUN-041 RUN-045 RUN-051 RUN-052 RUN-053",
    ),
    _of(
        "It is about what people are shown or asked, and which files a command leaves: tests run the command "
        "and compare all that it says.",
        "ACCT-113 ACCT-135 MPC-006 MPC-030 RUN-001 RUN-003 RUN-008 RUN-011 RUN-021 RUN-035 RUN-036 RUN-037 "
        "RUN-046 RUN-047",
    ),
)
"""Each statement stands under one reason."""


def reasons_for(statements: Iterable[str]) -> list[Reason]:
    """The reasons of those of these statements that have one; what has none is in no reason.

    Args:
        statements: those without a fault.
    """
    wanted = set(statements)
    found = [Reason(each.text, tuple(name for name in each.statements if name in wanted)) for each in REASONS]
    return [reason for reason in found if reason.statements]
