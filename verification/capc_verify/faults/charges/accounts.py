"""Faults of accounts: what is compared with a budget, given back, translated into noise, and called a guarantee."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.noise.sensitivity import Sensitivity
from capc.privacy.account import Account
from capc.privacy.accountants import ballots, conversion, filters, gdp, policies, steps
from capc.privacy.accountants.unit import ProtectedUnit
from capc.privacy.events import EventKind, Receipt
from capc.privacy.figures import statement
from capc.session.parameters import ReleasePolicy
from capc_verify.faults.patching import replace_everywhere
from capc_verify.faults.planting import Fault


def one_query_above_the_budget() -> None:
    """A query is admitted as long as anything of the budget is left."""
    correct = Account._admit

    def admit(self: Account, session_tag: bytes, query: int, inputs_digest: bytes) -> Receipt:
        budget = self.budget
        if self._spent < budget:
            self.budget = budget + self.cost.worst_case
        try:
            return correct(self, session_tag, query, inputs_digest)
        finally:
            self.budget = budget

    Account._admit = admit  # type: ignore[method-assign]


def queries_charged_again() -> None:
    """The account does not look whether a query of a session was charged before."""
    correct = Account._admit

    def admit(self: Account, session_tag: bytes, query: int, inputs_digest: bytes) -> Receipt:
        kept, self._receipts = self._receipts, {}
        try:
            return correct(self, session_tag, query, inputs_digest)
        finally:
            self._receipts = kept

    Account._admit = admit  # type: ignore[method-assign]


def given_back_before_the_message_left() -> None:
    """A withheld answer is given back although no message of its query was written down."""
    correct = Account._check_settlement

    def check(self: Account, receipt: Receipt) -> None:
        kept, self._dispatched = self._dispatched, {self._key_of(receipt, "settle"): b""}
        try:
            correct(self, receipt)
        finally:
            self._dispatched = kept

    Account._check_settlement = check  # type: ignore[method-assign]


def reading_called_a_guarantee() -> None:
    """The figure of what was spent is a guarantee, as that of the budget is."""
    correct = statement.spent_statement

    def spent(account: Account, sampler_distance: Fraction = Fraction(0)) -> statement.PrivacyStatement:
        return replace(correct(account, sampler_distance), guarantee=True)

    replace_everywhere(correct, spent)


def diagnostics_taken_for_figures() -> None:
    """A statement takes whatever it is given as epsilon and delta."""

    def check_nothing(self: statement.PrivacyStatement) -> None:
        pass

    statement.PrivacyStatement.__post_init__ = check_nothing  # type: ignore[method-assign]


def unknown_events_are_free() -> None:
    """What no rule translates is left out of the steps, and costs nothing."""
    correct = steps.steps_of

    def steps_of(events: Iterable[Any], release: steps.Release, unit: ProtectedUnit) -> steps.Steps:
        return correct([event for event in events if event.kind in list(EventKind)], release, unit)

    replace_everywhere(correct, steps_of)


def both_ways_of_charging() -> None:
    """Nobody looks whether joint and separate charges are in one log."""

    def check_nothing(queries: Iterable[Counter[EventKind]]) -> None:
        pass

    replace_everywhere(steps._check_one_way_of_charging, check_nothing)


def weights_enter_once() -> None:
    """A vote of weight w costs w times one vote, not w^2 times; nor does a record of t parties cost t^2 times."""
    correct: Any = ProtectedUnit.histogram

    def histogram(self: ProtectedUnit) -> Sensitivity:
        right: Sensitivity = correct.fget(self)
        return replace(right, squared=min(right.squared, right.absolute))

    ProtectedUnit.histogram = property(histogram)  # type: ignore[assignment, method-assign]


def ballots_move_one_count() -> None:
    """A ballot on a set of labels is charged as if it could change one of them."""

    def sensitivity(self: ballots.BinaryRelease, unit: ProtectedUnit) -> Sensitivity:  # noqa: ARG001
        return Sensitivity(unit.influence**2, unit.influence, 1)

    ballots.BinaryRelease.sensitivity = sensitivity  # type: ignore[method-assign]


def filter_admits_the_last_step() -> None:
    """A filter refuses a step only if its budget was passed before it."""
    correct = filters.Filter.admit

    def admit(self: filters.Filter, step: steps.Step | steps.JointStep) -> None:
        budget = self.budget
        if self._spent < budget:
            self.budget = budget + self.rule.cost({step: 1})
        try:
            correct(self, step)
        finally:
            self.budget = budget

    filters.Filter.admit = admit  # type: ignore[method-assign]


def gaussian_curve_for_any_noise() -> None:
    """Every noise of a deviation is charged as if it were the rounded Gaussian of it."""
    correct = gdp.composed_mu_squared

    def like(step: steps.Step | steps.JointStep) -> steps.Step | steps.JointStep:
        if isinstance(step, steps.Step) and isinstance(step.noise, DiscreteGaussian | Skellam):
            return replace(step, noise=RoundedGaussian(step.noise.sigma_votes, step.noise.grid_bits))
        return step

    def composed(taken: steps.Steps) -> Fraction:
        return sum((count * correct({like(step): 1}) for step, count in taken.items()), Fraction(0))

    replace_everywhere(correct, composed)


def epsilon_rounded_down() -> None:
    """A figure is the last decimal that is too small, instead of the first that holds."""
    correct = conversion.epsilon_upper
    last_digit = Fraction(1, 10**11)

    def epsilon(unit: Any, cost: Fraction, delta: Fraction, order: Fraction | None = None) -> Fraction:  # noqa: ANN401
        return correct(unit, cost, delta, order) * (1 - last_digit)

    replace_everywhere(correct, epsilon)


def budget_of_labels_unchecked() -> None:
    """Whoever counts labels may promise more of them than the policy speaks of."""
    correct = policies._certify_composition

    def certify(policy: ReleasePolicy, queries: int, grid_bits: int, budget: Fraction) -> None:
        correct(policy, queries, grid_bits, min(budget, Fraction(queries)))

    replace_everywhere(correct, certify)


def nothing_left_to_wraps() -> None:
    """All of a policy's delta goes to noise, also where labels alone are charged."""

    def delta_of_noise(self: ReleasePolicy) -> Fraction:
        return self.delta

    ReleasePolicy.delta_of_noise = property(delta_of_noise)  # type: ignore[assignment, method-assign]


_ACCOUNT = "tests/privacy/test_account.py::test_"
_EVENTS = "tests/privacy/test_events.py::test_"
_PRIVACY = "tests/privacy/accountants/test_privacy.py::test_"
_LABELS = "tests/privacy/test_label_accounts.py::test_"

FAULTS = {
    "one_query_above_the_budget": Fault(
        one_query_above_the_budget,
        None,
        (
            _ACCOUNT + "no_history_spends_more_than_the_budget",
            _ACCOUNT + "the_exact_budget_can_be_spent_and_not_a_sliver_more[worst_case]",
        ),
    ),
    "queries_charged_again": Fault(
        queries_charged_again,
        None,
        (
            _ACCOUNT + "one_query_of_one_session_is_charged_once",
            _ACCOUNT + "a_settled_query_still_cannot_be_charged_again",
        ),
    ),
    "given_back_before_the_message_left": Fault(
        given_back_before_the_message_left,
        None,
        (
            _ACCOUNT + "only_a_query_whose_message_has_left_is_settled[True]",
            "tests/privacy/ledger/test_damage.py"
            "::test_a_log_that_gives_back_a_charge_before_its_message_left_is_refused",
        ),
    ),
    "reading_called_a_guarantee": Fault(
        reading_called_a_guarantee,
        None,
        (
            _PRIVACY + "only_the_budget_is_a_guarantee[rounded_gaussian]",
            "tests/job/test_report.py::test_only_the_enforced_budget_is_called_a_guarantee",
        ),
    ),
    "diagnostics_taken_for_figures": Fault(
        diagnostics_taken_for_figures,
        None,
        ("tests/privacy/analysis/test_analysis.py::test_no_diagnostic_can_be_the_epsilon_of_a_statement",),
    ),
    "unknown_events_are_free": Fault(
        unknown_events_are_free, None, (_EVENTS + "an_unknown_event_or_noise_is_refused_by_name",)
    ),
    "both_ways_of_charging": Fault(
        both_ways_of_charging, None, (_EVENTS + "joint_and_separate_charges_are_not_mixed[answer_reserved]",)
    ),
    "weights_enter_once": Fault(
        weights_enter_once, None, (_EVENTS + "weights_and_holders_enter_as_squares[null_vote]",)
    ),
    "ballots_move_one_count": Fault(
        ballots_move_one_count,
        None,
        (_EVENTS + "ballots_are_charged_for_their_distance", _EVENTS + "the_charge_of_exact_votes_is_reached[2]"),
    ),
    "filter_admits_the_last_step": Fault(
        filter_admits_the_last_step, None, (_EVENTS + "a_filter_names_its_theorem_and_never_passes_its_budget",)
    ),
    "gaussian_curve_for_any_noise": Fault(
        gaussian_curve_for_any_noise,
        None,
        ("tests/privacy/accountants/test_accountants.py::test_the_gaussian_curve_is_for_rounded_gaussian_noise_only",),
    ),
    "epsilon_rounded_down": Fault(
        epsilon_rounded_down,
        None,
        (_PRIVACY + "epsilon_is_tight_and_never_too_small[mu_squared-true_gaussian_epsilon]",),
    ),
    "budget_of_labels_unchecked": Fault(
        budget_of_labels_unchecked,
        None,
        (_LABELS + "labels_that_are_counted_are_as_many_as_a_composition_keeps[replace_one]",),
    ),
    "nothing_left_to_wraps": Fault(
        nothing_left_to_wraps, None, (_LABELS + "a_little_of_delta_is_left_to_wraps_where_labels_are_charged",)
    ),
}
"""These faults, and the tests that must notice them."""
