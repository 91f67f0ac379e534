"""Noise shares that are lost or known to a coalition, in every step that they are in; noise that no curve carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product

import mpmath
import pytest
from flint import ctx

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.noise.sensitivity import Sensitivity
from capc.noise.shares import DiscreteGaussianShare, NoiseShare, SharedNoise, SkellamShare
from capc.privacy.accountants import pld
from capc.privacy.accountants.filters import Filter, capped_filter, gaussian_filter, renyi_filter, zcdp_filter
from capc.privacy.accountants.gdp import composed_mu_squared
from capc.privacy.accountants.pld import DELTA_FLOOR, PrivacyLossDistribution
from capc.privacy.accountants.steps import JointStep, Noise, Release, Step, Steps, steps_of
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.accountants.zcdp import share_correction, zcdp_rho
from capc.privacy.events import Event, EventKind
from capc.privacy.figures.methods import Method, statement_for

UNIT = ProtectedUnit(Relation.REPLACE_ONE)
TAG = bytes(32)
CHECK, ANSWER, JOINT = EventKind.THRESHOLD_CHECK, EventKind.ANSWER_RESERVED, EventKind.CONFIDENT_STEP
CONTRIBUTORS = 5


def noises_of(steps: Steps) -> list[Noise]:
    """The noise of each step as often as it was taken, of a joint one both."""
    found: list[Noise] = []
    for step, count in steps.items():
        found += count * ([step.check.noise, step.answer.noise] if isinstance(step, JointStep) else [step.noise])
    return found


@pytest.mark.req("CAPC-ACCT-106")
@pytest.mark.parametrize("share", [DiscreteGaussianShare(Fraction(2), 0), SkellamShare(Fraction(2), 0)])
@pytest.mark.parametrize("kinds", [(ANSWER,), (CHECK,), (CHECK, ANSWER), (JOINT,)])
def test_a_share_that_is_known_or_lost_counts_in_no_step(kinds: tuple[EventKind, ...], share: NoiseShare) -> None:
    """Neither in a check nor in an answer, and those that are lost count beside those of a coalition."""
    for known, lost in product(range(CONTRIBUTORS), range(CONTRIBUTORS + 1)):
        noise = SharedNoise(share, CONTRIBUTORS, known)
        events = [Event(kind, TAG, 1) for kind in (*kinds, *[EventKind.NOISE_SHARE_LOST] * lost)]
        if known + lost >= CONTRIBUTORS:
            with pytest.raises(InputError, match="at least one share must count"):
                steps_of(events, Release(noise, noise), UNIT)
            continue
        found = noises_of(steps_of(events, Release(noise, noise), UNIT))
        assert len(found) == (2 if kinds == (JOINT,) else len(kinds))
        for each in found:
            assert isinstance(each, SharedNoise)
            assert each.counted == CONTRIBUTORS - known - lost
            assert each.variance_votes == each.counted * share.sigma_votes**2


@pytest.mark.req("CAPC-ACCT-106")
def test_no_more_shares_count_than_were_to_be_added() -> None:
    share = DiscreteGaussianShare(Fraction(2), 0)
    for contributors, uncounted in ((5, -1), (5, -5), (1, -1), (5, 5), (5, 6), (0, -1), (0, 0), (-1, -2)):
        with pytest.raises(InputError, match="at least one share must count"):
            SharedNoise(share, contributors, uncounted)


GAUSSIANS = [Step(RoundedGaussian(Fraction(sigma), 4), Sensitivity(Fraction(2), Fraction(2), 2)) for sigma in (3, 5)]
OTHERS = [
    Step(noise, Sensitivity(Fraction(2), Fraction(2), 2))
    for noise in (
        DiscreteGaussian(Fraction(4), 4),
        Skellam(Fraction(4), 4),
        SharedNoise(DiscreteGaussianShare(Fraction(2), 4), 4),
        SharedNoise(SkellamShare(Fraction(2), 4), 4),
    )
]


@pytest.mark.req("CAPC-ACCT-102")
@pytest.mark.parametrize("other", [*OTHERS, JointStep(*GAUSSIANS)])
def test_one_step_of_another_noise_anywhere_keeps_the_gaussian_curve_away(other: Step | JointStep) -> None:
    """Wherever it stands among steps that the curve carries."""
    assert composed_mu_squared(dict.fromkeys(GAUSSIANS, 2)) == 4 * Fraction(1, 9) + 4 * Fraction(1, 25)
    for order in permutations([*GAUSSIANS, other]):
        with pytest.raises(InputError, match=r"not bounded by the Gaussian-DP curve|no Gaussian-DP cost"):
            composed_mu_squared(dict.fromkeys(order, 1))  # type: ignore[arg-type]
        with pytest.raises(InputError):
            statement_for(dict.fromkeys(order, 1), UNIT, Fraction(1, 10**5), Method.GAUSSIAN_DP)  # type: ignore[arg-type]
    filled = Filter(gaussian_filter(), Fraction(10))
    for step in GAUSSIANS:
        filled.admit(step)
    with pytest.raises(InputError):
        filled.admit(other)


RULES = {
    "gaussian": gaussian_filter(),
    "zcdp": zcdp_filter(),
    "renyi": renyi_filter(Fraction(8)),
    "capped": capped_filter(GAUSSIANS[0]),
}


@pytest.mark.req("CAPC-ACCT-110", "CAPC-ACCT-002")
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("taken", range(4))
def test_no_step_takes_a_filter_above_its_budget_the_first_as_little_as_the_last(name: str, taken: int) -> None:
    rule, step = RULES[name], GAUSSIANS[0]
    cost = rule.cost({step: 1})
    kept = Filter(rule, cost * (taken + 1) - Fraction(1, 10**9))
    for _ in range(taken):
        kept.admit(step)
    for _ in range(2):
        with pytest.raises(BudgetExhaustedError):
            kept.admit(step)
        assert kept.reading[0] == taken * cost


@pytest.mark.req("CAPC-ACCT-105")
@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("deviation", [Fraction(3, 2), Fraction(2), Fraction(7, 2)])
def test_the_correction_of_shares_has_every_term_of_its_sum(count: int, deviation: Fraction) -> None:
    """10 times the sum over k = 1 to n - 1 of exp(-2 pi^2 v^2 k / (k + 1)); of two shares the first is the last."""
    with mpmath.workdps(60):
        rate = 2 * mpmath.pi**2 * mpmath.mpf(deviation.numerator) ** 2 / deviation.denominator**2
        exact = 10 * mpmath.fsum(mpmath.exp(-rate * k / (k + 1)) for k in range(1, count))
        with ctx.workprec(300):
            found = mpmath.mpf(
                share_correction(SharedNoise(DiscreteGaussianShare(deviation, 0), count)).str(50, radius=False)
            )
        assert abs(found - exact) <= exact * mpmath.mpf(10) ** -40


@pytest.mark.req("CAPC-ACCT-105")
def test_what_is_cut_from_the_laws_of_several_kinds_of_numbers_is_added_for_each() -> None:
    """At an epsilon that no loss reaches, what is left of delta is what was cut, of checks and answers together."""
    moved, delta = Sensitivity(Fraction(2), Fraction(2), 2), Fraction(1, 1 << 30)
    steps = [Step(DiscreteGaussian(Fraction(sigma), 0), moved) for sigma in (3, 4)]

    def left(taken: Sequence[Step]) -> Fraction:
        return PrivacyLossDistribution(dict.fromkeys(taken, 3), delta).delta_upper(Fraction(10**6))

    assert all(left([step]) > DELTA_FLOOR for step in steps)
    assert left(steps) == sum(left([step]) for step in steps)


@pytest.mark.req("CAPC-ACCT-105")
@pytest.mark.parametrize("changed", [1, 2, 5])
@pytest.mark.parametrize("count", [2, 3])
def test_every_number_that_can_differ_costs_the_correction(changed: int, count: int) -> None:
    """min(s^2 / 2 + tau d, (s + tau sqrt(d))^2 / 2), by another library."""
    noise = SharedNoise(DiscreteGaussianShare(Fraction(3, 2), 0), count)
    with mpmath.workdps(50):
        square = mpmath.mpf(4 * changed) / (9 * count)
        rate = mpmath.pi**2 * mpmath.mpf(9) / 2
        tau = 10 * mpmath.fsum(mpmath.exp(-rate * k / (k + 1)) for k in range(1, count))
        exact = min(square / 2 + tau * changed, (mpmath.sqrt(square) + tau * mpmath.sqrt(changed)) ** 2 / 2)
        moved = Sensitivity(Fraction(changed), Fraction(changed), changed)
        found = zcdp_rho({Step(noise, moved): 1})
        assert exact <= mpmath.mpf(found.numerator) / found.denominator <= exact * (1 + mpmath.mpf(10) ** -10)


@pytest.mark.req("CAPC-ACCT-105")
@pytest.mark.parametrize("variance", [Fraction(9, 4), Fraction(100), Fraction(4000)])
def test_both_tails_of_a_law_are_lost(variance: Fraction) -> None:
    """Of wide laws the first number outside has nearly the probability of the last one inside."""
    bits = 60
    law = pld._single(variance, bits)
    reach = -law.start
    assert len(law.values) == 2 * reach + 1
    with mpmath.workdps(50):
        rate = mpmath.mpf(variance.denominator) / (2 * variance.numerator)
        weights = [mpmath.exp(-rate * n * n) for n in range(4 * reach)]
        tails = 2 * mpmath.fsum(weights[reach + 1 :]) / (2 * mpmath.fsum(weights) - 1)
        assert tails <= mpmath.mpf(law.lost.numerator) / law.lost.denominator
    assert list(law.values) == list(reversed(law.values))


@pytest.mark.req("CAPC-ACCT-105")
@pytest.mark.parametrize("lopsided", [0, 30, -30])
def test_what_is_cut_from_either_end_of_a_sum_is_lost(lopsided: int) -> None:
    """Nothing of the product's mass is gone: it is kept, or it is among what was lost."""
    bits = 40
    law = pld._single(Fraction(100), bits)
    values = list(law.values)[max(lopsided, 0) : len(law.values) + min(lopsided, 0)]
    law = replace(law, values=values)
    found = pld._sum(law, law, bits)
    whole = [0] * (2 * len(values) - 1)
    for place, one in enumerate(values):
        for other, mass in enumerate(values):
            whole[place + other] += one * mass
    first = found.start - 2 * law.start
    last = first + len(found.values)
    assert 0 < first < last < len(whole)
    outside = sum(whole[:first]) + sum(whole[last:])
    assert found.lost >= 2 * law.lost + Fraction(outside, 1 << 2 * bits)
    assert all(kept << bits >= mass for kept, mass in zip(found.values, whole[first:last], strict=True))
