"""How much the noise of an answering party's HE responses may tell of its weights, over all queries and sessions.

Flooding hides the noise of a product up to a statistical distance, which the HE layer bounds for each response that is
sent. Distances add up over layers, queries and sessions; a party fixes how far the sum may go, and for how many
queries, charges every response before it leaves, and hands what is left to its next session.

Spec: CAPC-HE-011.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

from capc.foundation.errors import BudgetExhaustedError, InputError, ParameterError

DEFAULT_DISTANCE = Fraction(1, 1 << 40)
"""Statistical distance that all queries together may reach."""
DEFAULT_QUERIES = 1 << 16
"""Queries that a party declares unless it says otherwise."""

_FIELDS = frozenset({"distance", "queries", "charged", "reached"})


@dataclass(frozen=True)
class PrivacyAllowance:
    """What an answering party allows, and what of it is spent. Values do not change: a charge gives a new one.

    Attributes:
        distance: the statistical distance that all responses together may reach, above 0 and below 1.
        queries: how many are allowed in all, 1 or more.
        charged: how many were charged.
        reached: upper bound of the distance of all responses charged so far. Depends on the weights: not shown.

    Raises:
        ParameterError: the goal is no goal, or more is spent than it allows.
    """

    distance: Fraction = DEFAULT_DISTANCE
    queries: int = DEFAULT_QUERIES
    charged: int = 0
    reached: Fraction = field(default=Fraction(0), repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.distance < 1 or self.queries < 1:
            raise ParameterError(
                f"a statistical distance of {self.distance} over {self.queries} queries: choose one in (0, 1)"
            )
        if not 0 <= self.charged <= self.queries or not 0 <= self.reached <= self.distance:
            raise ParameterError(f"{self.charged} of {self.queries} queries charged: more is spent than was allowed")

    @property
    def remaining(self) -> int:
        """How many queries are left."""
        return self.queries - self.charged

    def check_model(self, per_query: Fraction) -> None:
        """Refuses a model whose responses to the queries that are left could exceed the goal.

        Args:
            per_query: the sum of `LinearScheme.distance_per_query` over all layers. No batch then costs more for each
                of its queries, so the queries end before the distance does.

        Raises:
            ParameterError: as said. Its figures depend on the weights: it is for the answering party's operator, and
                is never sent.
        """
        left = self.remaining
        total = self.reached + left * per_query
        if total > self.distance:
            raise ParameterError(
                f"{left} queries reach a statistical distance of 2^{_ceil_log2(total)}, needed is "
                f"2^{_floor_log2(self.distance)}: use a parameter set with larger he_flood_bits (default has 88), "
                "smaller weights, or declare fewer queries"
            )

    def charge(self, count: int, distance: Fraction) -> PrivacyAllowance:
        """The allowance after the responses of one batch; to be kept before they are sent.

        Args:
            count: queries of the batch, 1 or more.
            distance: upper bound of the statistical distance of all that is sent for them.

        Raises:
            BudgetExhaustedError: the queries or the distance that are left do not suffice. Nothing was charged.
            InputError: there is no query, or the distance is negative.
        """
        if count < 1 or distance < 0:
            raise InputError(f"a charge of {count} queries: charge 1 or more, at a distance of 0 or more")
        if self.charged + count > self.queries or self.reached + distance > self.distance:
            raise BudgetExhaustedError(
                f"{self.charged} of the {self.queries} queries that the model's circuit privacy was declared for are "
                f"answered, and {count} more do not fit: load the model anew with a goal for more"
            )
        return replace(self, charged=self.charged + count, reached=self.reached + distance)

    def document(self) -> dict[str, object]:
        """The allowance as it is kept for the next session. It depends on the weights and stays with the party."""
        return {
            "distance": str(self.distance),
            "queries": self.queries,
            "charged": self.charged,
            "reached": str(self.reached),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> PrivacyAllowance:
        """The allowance that :meth:`document` described.

        Raises:
            InputError: the document is not one, or states more spent than allowed.
        """
        remedy = "restore the file as it was written, or declare a new goal for a new model"
        if not isinstance(document, Mapping) or set(document) != _FIELDS:
            raise InputError(f"a privacy allowance has the fields {', '.join(sorted(_FIELDS))}: {remedy}")
        try:
            return cls(
                distance=_fraction(document["distance"]),
                queries=_count(document["queries"]),
                charged=_count(document["charged"]),
                reached=_fraction(document["reached"]),
            )
        except (ValueError, ParameterError):
            raise InputError(f"a privacy allowance whose fields are out of order: {remedy}") from None


class AllowanceKeeper(Protocol):
    """Where an allowance outlives a session, such as :class:`capc.privacy.ledger.StoredAllowance`."""

    @property
    def value(self) -> PrivacyAllowance:
        """The allowance as it is now."""

    def charge(self, count: int, distance: Fraction) -> None:
        """Charges one batch, durably, before any of its responses leaves.

        Raises:
            BudgetExhaustedError: what is left does not suffice. Nothing was charged.
        """


def _fraction(value: object) -> Fraction:
    """The fraction of a string "numerator/denominator", as ``str`` writes it and in no other form."""
    numerator, _, denominator = str(value).partition("/")
    digits = numerator + (denominator or "1")
    if not (digits.isascii() and digits.isdigit()) or int(denominator or "1") == 0:
        raise ValueError("not a fraction")
    fraction = Fraction(int(numerator), int(denominator or "1"))
    if str(fraction) != value:
        raise ValueError("not a fraction in lowest terms")
    return fraction


def _count(value: object) -> int:
    if type(value) is not int:
        raise ValueError("not an integer")
    return value


def _ceil_log2(value: Fraction) -> int:
    """The smallest k with value <= 2^k, for a value above 0."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    while value > Fraction(2) ** exponent:
        exponent += 1
    while value <= Fraction(2) ** (exponent - 1):
        exponent -= 1
    return exponent


def _floor_log2(value: Fraction) -> int:
    return -_ceil_log2(1 / value)
