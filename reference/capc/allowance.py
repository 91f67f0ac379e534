"""How many queries an answering party answers before the noise of its HE responses may tell too much of its weights.

Flooding hides the noise of a product up to a statistical distance, which the HE layer bounds for each prepared layer.
Distances add up over layers and queries; a party fixes how far the sum may go, and for how many queries.

Spec: CAPC-HE-011.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from capc.errors import BudgetExhaustedError, ParameterError

DEFAULT_DISTANCE = Fraction(1, 1 << 40)
"""Statistical distance that all queries together may reach."""
DEFAULT_QUERIES = 1 << 16
"""Queries that a party declares unless it says otherwise."""


@dataclass(frozen=True)
class PrivacyAllowance:
    """How many queries an answering party answers before the noise of its responses may tell too much.

    Args of :meth:`for_model` fix it when a model is loaded; :meth:`charge` returns the allowance after one query.

    Attributes:
        queries: how many are allowed in all.
        charged: how many were charged.
        per_query: upper bound of one query's statistical distance. Depends on the weights: not shown.
    """

    queries: int
    charged: int
    per_query: Fraction = field(repr=False)

    @classmethod
    def for_model(
        cls, per_query: Fraction, *, distance: Fraction = DEFAULT_DISTANCE, queries: int = DEFAULT_QUERIES
    ) -> PrivacyAllowance:
        """The allowance of a model, if its bound meets the goal.

        Args:
            per_query: the sum of `LinearScheme.statistical_distance` over all layers.
            distance: the statistical distance that all queries together may reach, above 0 and below 1.
            queries: the declared number of queries, 1 or more.

        Raises:
            ParameterError: the goal is no goal, or the bound misses it. The latter's figures depend on the weights: it
                is for the answering party's operator, and is never sent.
        """
        if not 0 < distance < 1 or queries < 1:
            raise ParameterError(f"a statistical distance of {distance} over {queries} queries: choose one in (0, 1)")
        if per_query * queries > distance:
            raise ParameterError(
                f"{queries} queries reach a statistical distance of 2^{_ceil_log2(per_query * queries)}, "
                f"needed is 2^{_floor_log2(distance)}: use a parameter set with larger he_flood_bits "
                "(default has 88), smaller weights, or declare fewer queries"
            )
        return cls(queries, 0, per_query)

    @property
    def reached(self) -> Fraction:
        """Upper bound of the statistical distance of all charged queries together."""
        return self.charged * self.per_query

    def charge(self) -> PrivacyAllowance:
        """The allowance after one more query.

        Raises:
            BudgetExhaustedError: all declared queries were charged.
        """
        if self.charged >= self.queries:
            raise BudgetExhaustedError(
                f"all {self.queries} queries that the model's circuit privacy was declared for are answered: "
                "load the model anew with a goal for more"
            )
        return replace(self, charged=self.charged + 1)


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
