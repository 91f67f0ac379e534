"""Which statements are asked about: those of claims, single ones, or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc_verify.audit.claims import Claims
from capc_verify.trace.spec import ID, Specification, explain_unknown

ALL = "all"
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Selection:
    """What is run again.

    Attributes:
        asked: claims and ids as they were named; none for all.
        statements: their ids, in order.
        quick: only the cheapest evidence of each.
    """

    asked: tuple[str, ...]
    statements: tuple[str, ...]
    quick: bool

    @property
    def name(self) -> str:
        """Of the files in which a run of it is kept."""
        named = "+".join(self.asked).replace("*", "s") or ALL
        return f"{named[:_LONGEST_NAME]}{'.quick' if self.quick else ''}"

    @property
    def words(self) -> str:
        """For people."""
        return f"{' '.join(self.asked) or 'all statements'}{', quick' if self.quick else ''}"


def select(asked: Sequence[str], specification: Specification, claims: Claims, *, quick: bool) -> Selection:
    """What was asked for.

    Args:
        asked: names of claims (``1``, ``1*``) and ids of statements; none for all.
        specification: its statements.
        claims: those of section 90.
        quick: only the cheapest evidence of each.

    Raises:
        InputError: something is neither.
    """
    chosen: dict[str, None] = {}
    for name in asked:
        if name in claims.claims:
            chosen |= dict.fromkeys(claims.claims[name].statements)
        elif ID.fullmatch(name):
            problem = explain_unknown(name, specification)
            if problem:
                raise InputError(problem)
            chosen[name] = None
        else:
            known = ", ".join(claims.claims)
            raise InputError(
                f"{name!r}: neither a claim nor a statement: give one of {known}, or an id as CAPC-SEC-001"
            )
    statements = sorted(chosen) if asked else list(specification.statements)
    return Selection(tuple(asked), tuple(statements), quick)
