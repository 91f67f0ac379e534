"""A cap on steps of one kind, and what an adaptive adversary reaches under it: no more than the curve of all."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import exp

import pytest

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.noise.mechanism import DiscreteGaussian
from capc.noise.sensitivity import Sensitivity
from capc.privacy.accountants.filters import Filter, capped_filter
from capc.privacy.accountants.pld import PrivacyLossDistribution
from capc.privacy.accountants.steps import Step
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.figures.methods import Method, statement_for

ONE = Sensitivity(Fraction(1), Fraction(1), 1)
STEP = Step(DiscreteGaussian(Fraction(1), 0), ONE)


@pytest.mark.req("CAPC-ACCT-110")
def test_a_cap_counts_steps_of_one_kind_and_names_its_theorem() -> None:
    kept = Filter(capped_filter(STEP), Fraction(3))
    assert "Zhu, Dong and Wang" in kept.rule.theorem
    for _ in range(3):
        kept.admit(STEP)
    with pytest.raises(BudgetExhaustedError):
        kept.admit(STEP)
    assert kept.reading[0] == 3
    other = Filter(capped_filter(STEP), Fraction(3))
    for step in (
        Step(DiscreteGaussian(Fraction(2), 0), ONE),
        Step(STEP.noise, Sensitivity(Fraction(2), Fraction(2), 2)),
    ):
        with pytest.raises(InputError, match="steps of one kind"):
            other.admit(step)
    assert other.reading[0] == 0


@cache
def law() -> dict[int, float]:
    weights = {n: exp(-(n**2) / 2) for n in range(-9, 10)}
    total = sum(weights.values())
    return {n: weight / total for n, weight in weights.items()}


def reached(left: int, here: float, there: float, epsilon: float) -> float:
    """The largest delta of a strategy that chooses each step's shift, or to stop, by all earlier outputs."""
    stopped = max(here - exp(epsilon) * there, 0.0)
    if not left:
        return stopped
    masses = law()
    best = stopped
    for shift in (-1, 0, 1):
        best = max(
            best,
            sum(
                reached(left - 1, here * p, there * masses.get(n - shift, 0.0), epsilon)
                for n, p in masses.items()
                if here * p > 1e-12
            ),
        )
    return best


@pytest.mark.req("CAPC-ACCT-103")
@pytest.mark.parametrize("epsilon", [Fraction(0), Fraction(1), Fraction(3)])
@pytest.mark.parametrize("count", [1, 2])
def test_no_adaptive_strategy_under_a_cap_exceeds_the_curve_of_all_steps(count: int, epsilon: Fraction) -> None:
    curve = float(PrivacyLossDistribution({STEP: count}, Fraction(1, 10**8)).delta_upper(epsilon))
    strategy = reached(count, 1.0, 1.0, float(epsilon))
    assert strategy <= curve * (1 + 1e-9)
    # Never stopping, and always moving, reaches it.
    assert strategy >= curve * (1 - 1e-6) - 1e-9


def test_a_figure_says_that_caps_are_enough_and_the_curve_is_no_filter() -> None:
    unit = ProtectedUnit(Relation.NULL_VOTE)
    found = statement_for({STEP: 3}, unit, Fraction(1, 10**5), Method.LOSS_DISTRIBUTION)
    (told,) = [line for line in found.hypotheses if "caps fixed in advance" in line]
    assert "no filter may stop on this curve" in told
    assert not found.guarantee
