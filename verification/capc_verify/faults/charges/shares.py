"""Faults in one branch of what is charged: shares of a check, the first step of a filter, one tail of a law."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from flint import arb

from capc.foundation.errors import BudgetExhaustedError
from capc.noise.mechanism import RoundedGaussian
from capc.noise.shares import SharedNoise
from capc.privacy.accountants import filters, gdp, pld, steps, zcdp
from capc.privacy.accountants.steps import JointStep, Release, Step, Steps
from capc.privacy.accountants.unit import ProtectedUnit
from capc.privacy.events import EventKind
from capc.privacy.figures.statement import PrivacyStatement
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault


def lost_shares_of_checks_count() -> None:
    """Noise shares that were lost count on in a check, also where check and answer are charged jointly."""
    correct = steps.step_of

    def step_of(kind: EventKind, release: Release, unit: ProtectedUnit, lost: int = 0) -> Step | JointStep:
        step = correct(kind, release, unit, lost)
        if kind is EventKind.THRESHOLD_CHECK:
            return correct(kind, release, unit)
        if isinstance(step, JointStep):
            whole = correct(kind, release, unit)
            return replace(step, check=whole.check) if isinstance(whole, JointStep) else step
        return step

    replace_everywhere(correct, step_of)


def more_shares_than_were_added() -> None:
    """Shares that do not count may be fewer than none: more count than there are."""
    correct = SharedNoise.__post_init__

    def check(self: SharedNoise) -> None:
        if self.uncounted >= 0:
            correct(self)

    SharedNoise.__post_init__ = check  # type: ignore[method-assign]


def only_the_first_noise_is_looked_at() -> None:
    """The Gaussian curve is taken wherever the first step has rounded Gaussian noise."""
    correct = gdp.composed_mu_squared

    def composed(taken: Steps) -> Fraction:
        first = next(iter(taken), None)
        if not isinstance(first, Step) or not isinstance(first.noise, RoundedGaussian):
            return correct(taken)
        return sum((correct({first: count}) for count in taken.values()), Fraction(0))

    replace_everywhere(correct, composed)


def first_step_of_any_cost() -> None:
    """A filter of which nothing was spent takes a step that is above its whole budget."""
    correct = filters.Filter.admit

    def admit(self: filters.Filter, step: Step | JointStep) -> None:
        try:
            correct(self, step)
        except BudgetExhaustedError:
            if self._spent:
                raise
            self._spent = self.rule.cost({step: 1})

    filters.Filter.admit = admit  # type: ignore[method-assign]


def right_end_of_a_sum_forgotten() -> None:
    """What is cut from the right end of a sum's law is added to nothing."""
    correct = pld._sum

    def total(left: pld._Masses, right: pld._Masses, bits: int) -> pld._Masses:
        found = correct(left, right, bits)
        # Laws are symmetric: of what was cut, half was cut on the right.
        cut = found.lost - left.lost - right.lost
        return replace(found, lost=left.lost + right.lost + cut / 2)

    replace_in(pld, "_sum", total)


def one_tail_of_a_law() -> None:
    """Of one number's law the tail on one side only is counted as lost."""
    correct = pld._single

    def single(variance: Fraction, bits: int) -> pld._Masses:
        law = correct(variance, bits)
        return replace(law, lost=law.lost / 2)

    replace_in(pld, "_single", single)


def tails_of_one_kind_of_numbers() -> None:
    """Where checks and answers have laws of their own, what was cut from the first is not added to delta."""
    correct = pld.PrivacyLossDistribution.__init__

    def init(self: pld.PrivacyLossDistribution, steps: Steps, smallest_delta: Fraction) -> None:
        correct(self, steps, smallest_delta)
        if self._inner is not None:
            self._lost = self._inner.lost

    pld.PrivacyLossDistribution.__init__ = init  # type: ignore[method-assign]


def last_term_of_the_correction_left_out() -> None:
    """The correction of summed shares has a term too few: that of two shares is 0."""
    correct = zcdp.share_correction

    def correction(noise: SharedNoise) -> arb:
        return correct(replace(noise, uncounted=noise.uncounted + 1)) if noise.counted > 1 else correct(noise)

    replace_everywhere(correct, correction)


def correction_of_one_number() -> None:
    """The correction of summed shares is added once, however many numbers can differ."""
    correct = zcdp.shared_gaussian_rho

    def rho(step: Step, noise: SharedNoise) -> Fraction:
        moved = step.sensitivity
        return correct(replace(step, sensitivity=replace(moved, changed=1)), noise)

    replace_everywhere(correct, rho)


def diagnostics_for_a_cheat() -> None:
    """A statement takes whatever it is given as the epsilon towards a querying party that cheats."""
    correct = PrivacyStatement.__post_init__

    def check(self: PrivacyStatement) -> None:
        correct(replace(self, cheated=None) if self.cheated is not None else self)

    PrivacyStatement.__post_init__ = check  # type: ignore[method-assign]


_COUNT = "tests/privacy/test_shares_that_count.py::test_"

_STATED = "tests/privacy/figures/test_figures_of_statements.py::test_"

FAULTS = {
    "diagnostics_for_a_cheat": Fault(
        diagnostics_for_a_cheat,
        None,
        (
            _STATED + "no_number_of_a_statement_is_a_diagnostic[number0-cheated]",
            _STATED + "nobody_is_told_less_for_a_cheat_than_for_others",
        ),
    ),
    "lost_shares_of_checks_count": Fault(
        lost_shares_of_checks_count,
        None,
        tuple(f"{_COUNT}a_share_that_is_known_or_lost_counts_in_no_step[kinds{kinds}-share0]" for kinds in (1, 2, 3)),
    ),
    "more_shares_than_were_added": Fault(
        more_shares_than_were_added, None, (_COUNT + "no_more_shares_count_than_were_to_be_added",)
    ),
    "only_the_first_noise_is_looked_at": Fault(
        only_the_first_noise_is_looked_at,
        None,
        (_COUNT + "one_step_of_another_noise_anywhere_keeps_the_gaussian_curve_away[other0]",),
    ),
    "first_step_of_any_cost": Fault(
        first_step_of_any_cost,
        None,
        (_COUNT + "no_step_takes_a_filter_above_its_budget_the_first_as_little_as_the_last[0-gaussian]",),
    ),
    "right_end_of_a_sum_forgotten": Fault(
        right_end_of_a_sum_forgotten, None, (_COUNT + "what_is_cut_from_either_end_of_a_sum_is_lost[0]",)
    ),
    "one_tail_of_a_law": Fault(one_tail_of_a_law, None, (_COUNT + "both_tails_of_a_law_are_lost[variance2]",)),
    "tails_of_one_kind_of_numbers": Fault(
        tails_of_one_kind_of_numbers,
        None,
        (_COUNT + "what_is_cut_from_the_laws_of_several_kinds_of_numbers_is_added_for_each",),
    ),
    "last_term_of_the_correction_left_out": Fault(
        last_term_of_the_correction_left_out,
        None,
        tuple(f"{_COUNT}the_correction_of_shares_has_every_term_of_its_sum[deviation0-{count}]" for count in (2, 7)),
    ),
    "correction_of_one_number": Fault(
        correction_of_one_number,
        None,
        (_COUNT + "every_number_that_can_differ_costs_the_correction[2-5]",),
    ),
}
