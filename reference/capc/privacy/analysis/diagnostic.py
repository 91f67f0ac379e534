"""The result type of analysis mode, made so that it is never mistaken for a guarantee.

Spec: CAPC-ACCT-112.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor

from flint import arb

from capc.privacy.accountants.ball_arithmetic import exact_lower, exact_upper

_DIGITS = 20


class Scope(StrEnum):
    """What a diagnostic speaks about."""

    ONE_SIDED = "one-sided diagnostic at this histogram: bounds D(M(h) || M(h')) only, never a guarantee"
    TWO_SIDED = "exact at this histogram in both directions, nothing about other histograms, never a guarantee"
    LAW = "what happens at these votes, which is itself a release of them; bounds no divergence, never a guarantee"
    RELEASE_COST = "cost of releasing a data-dependent figure; the figure itself is never a guarantee"


@dataclass(frozen=True)
class Diagnostic:
    """One data-dependent figure. Its value is text, not a number, and there is no field called epsilon.

    Attributes:
        quantity: what was computed, in words, with its order or epsilon argument.
        at_least: the certified lower end, a decimal.
        at_most: the certified upper end, a decimal.
        scope: what it speaks about.
        adjacency: the neighbouring relation.
        preconditions: what was checked before it was computed.
    """

    quantity: str
    at_least: str
    at_most: str
    scope: Scope
    adjacency: str
    preconditions: tuple[str, ...]

    @classmethod
    def of(cls, quantity: str, value: arb, scope: Scope, adjacency: str, preconditions: tuple[str, ...]) -> Diagnostic:
        """The figure with both ends of a ball as decimals, rounded outwards."""
        low, high = _decimal(exact_lower(value), floor), _decimal(exact_upper(value), ceil)
        return cls(quantity, low, high, scope, adjacency, preconditions)

    def __str__(self) -> str:
        """One line with its label."""
        return f"{self.quantity}: {self.at_least} .. {self.at_most} ({self.scope.value}; adjacency {self.adjacency})"


def _decimal(value: Fraction, rounded: Callable[[Fraction], int]) -> str:
    whole = rounded(value * 10**_DIGITS)
    sign, digits = ("-" if whole < 0 else ""), str(abs(whole)).rjust(_DIGITS + 1, "0")
    return f"{sign}{digits[:-_DIGITS]}.{digits[-_DIGITS:]}"
