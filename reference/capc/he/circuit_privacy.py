"""How much the noise of responses can tell of the weights: a bound, and an allowance of queries.

**The bound.** In a response, a released coefficient of c0 is

    -(c1 s) + round(q z / 2^l) + F + D,    F uniform on the 2^(b+1) + 1 integers of [-2^b, 2^b],

where z = W x + addend is uniform, c1 and s do not depend on the weights, and the integer D is the sum of

* the product of the weights with the errors e of the request, which are independent, of mean 0, variance 21/2 and at
  most 21 in magnitude; every weight of a row of blocks meets one of them: E|.| <= sqrt(21/2 sum w^2) (Jensen);
* the product with the roundings of round(q x / 2^l), at most 1/2 each, and zero where x is not encoded: only the
  weights of the output's own channel meet them: at most sum |w| / 2;
* the noise of the fresh encryption of zero after its special prime p is divided out: at most
  21 (2 N + 1) / p + (N + 1) / 2, with ternary s and u;
* the roundings of the addend and of z: at most 1 together.

F + D and F are within statistical distance |D| / 2^(b+1) for every fixed D. The errors are part of what the querying
party knows, so the distance of all it sees is at most the mean: the sum of E|D| / 2^(b+1) over the released
coefficients. No event of small probability is left out. Then c1 holds the only use of u and its own error, so that it
is an RLWE sample at key level, independent of the weights; switching to the last level only computes on what is there.

The bound is for keys and requests that were made as the specification says (semi-honest querying party). Distances of
several responses add up, also when one request serves several of them.

Source: Gentry 2009 (flooding); Huang et al. 2022. Spec: CAPC-HE-003.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import isqrt

from capc.errors import BudgetExhaustedError, ParameterError
from capc.he.weights import PreparedWeights

ERROR_VARIANCE = Fraction(21, 2)
"""Of a coefficient of an encryption's error: SEAL's centred binomial of 21 pairs of bits."""
ERROR_MAGNITUDE = 21
"""The largest such coefficient."""
DEFAULT_DISTANCE = Fraction(1, 1 << 40)
"""Statistical distance that all queries together may reach."""
DEFAULT_QUERIES = 1 << 16
"""Queries over which it is reached at the earliest."""


def distance_per_response(prepared: PreparedWeights) -> Fraction:
    """An upper bound of the statistical distance of one response from one whose noise does not depend on the weights.

    Exact, and rounded up where a root is taken. It depends on the weights and stays with the answering party.
    """
    context, encoding = prepared.context, prepared.encoding
    fixed = _noise_of_zero(context.degree, context.key_primes[-1]) + 1
    positions, tiling = encoding.tiling.convolution.grid.positions, encoding.tiling
    total = Fraction(0)
    for row in range(len(tiling.rows)):
        magnitudes = prepared.magnitudes(row)
        squares = sum(weight * weight for channel in magnitudes for weight in channel)
        spread = _ceil_sqrt(ERROR_VARIANCE * squares)
        total += sum(positions * (Fraction(sum(channel), 2) + spread + fixed) for channel in magnitudes)
    return total / (1 << (context.flood_bits + 1))


def _noise_of_zero(degree: int, special_prime: int) -> Fraction:
    return Fraction(ERROR_MAGNITUDE * (2 * degree + 1), special_prime) + Fraction(degree + 1, 2)


def _ceil_sqrt(square: Fraction) -> int:
    """An integer not below the root of ``square``, and by less than 2 above it."""
    return isqrt(square.numerator // square.denominator) + 1


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
            per_query: the sum of :func:`distance_per_response` over all layers, each as often as it is evaluated.
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
