"""Faults in what a release compares, and in what that is charged."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from capc.foundation.randomness import RandomSource
from capc.noise import release_noise
from capc.noise.mechanism import ReleaseMechanisms, release_mechanisms
from capc.noise.release_noise import ReleaseNoise
from capc.noise.sensitivity import Sensitivity
from capc.privacy import query_cost
from capc.privacy.accountants import policies
from capc.privacy.query_cost import QueryCost
from capc.session.parameters import Adjacency, ReleasePolicy, ThresholdMode
from capc.two_party.circuits import tournament
from capc.two_party.circuits.arithmetic import less_than
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault

_QUIET = 2


def wrapped_comparison() -> None:
    """A release compares by the sign of a difference that wraps: offsets on shares make a smaller sum win."""
    replace_in(tournament, "less_than_any", less_than)


def class_checked_without_noise() -> None:
    """The check's draw of one class is left out: that count is compared as it is."""

    def altered(draws: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(0 if c == _QUIET else draw for c, draw in enumerate(draws))

    _alter_check(altered)


def one_draw_for_all_checks() -> None:
    """All classes have the same draw in the check, which is then a draw on the largest count."""

    def altered(draws: tuple[int, ...]) -> tuple[int, ...]:
        return draws[:1] * len(draws)

    _alter_check(altered)


def _alter_check(altered: object) -> None:
    correct = release_noise.draw_release_noise

    def faulty(mechanisms: ReleaseMechanisms, num_classes: int, source: RandomSource) -> ReleaseNoise:
        drawn = correct(mechanisms, num_classes, source)
        return replace(drawn, threshold=altered(drawn.threshold) if drawn.threshold else ())  # type: ignore[operator]

    replace_everywhere(correct, faulty)


def single_draw_charged_for_one_count() -> None:
    """A query with a single draw is charged as if neighbours moved one count only."""
    correct = query_cost.query_cost

    def faulty(policy: ReleasePolicy, grid_bits: int, answered: Sensitivity | None = None) -> QueryCost:
        if policy.threshold_mode is ThresholdMode.SINGLE_DRAW:
            policy = replace(policy, adjacency=Adjacency.NULL_VOTE)
        return correct(policy, grid_bits, answered)

    replace_everywhere(correct, faulty)


def check_charged_for_the_largest_count() -> None:
    """A check with draws of its own is charged as if the largest count alone moved, by one vote."""
    correct = query_cost.query_cost

    def faulty(policy: ReleasePolicy, grid_bits: int, answered: Sensitivity | None = None) -> QueryCost:
        cost = correct(policy, grid_bits, answered)
        return replace(cost, check=correct(replace(policy, adjacency=Adjacency.NULL_VOTE), grid_bits, answered).check)

    replace_everywhere(correct, faulty)


def joint_cost_of_the_largest_count() -> None:
    """A joint cost is bounded for a check that moves by one vote under both relations."""

    def faulty(policy: ReleasePolicy) -> tuple[Fraction, Fraction, Fraction]:
        order, _, answer = correct(policy)
        threshold = release_mechanisms(policy, 0).threshold
        return order, threshold.cost(Fraction(1)) if threshold else Fraction(0), answer

    correct = policies._joint_arguments
    replace_in(policies, "_joint_arguments", faulty)


_OFFSETS = "tests/faulty_parties/test_release_offsets.py::test_"
_WORDS = "tests/steps/test_release.py::test_every_word_of_a_release_that_depends_on_votes_has_noise"
_LAWS = "tests/privacy/accountants/test_offsets.py::test_"

FAULTS_OF_COMPARISONS: dict[str, Fault] = {
    "wrapped_comparison": Fault(
        wrapped_comparison,
        None,
        (
            "tests/two_party/circuits/test_release.py::test_release_for_all_counts_and_shares[2-3]",
            _OFFSETS + "counts_at_the_ends_of_the_ring_tell_nothing[querying-single_draw]",
        ),
    ),
    "class_checked_without_noise": Fault(
        class_checked_without_noise,
        None,
        (_WORDS + "[worst_case]", _OFFSETS + "a_count_at_the_wrap_boundary_is_hidden_by_the_noise[worst_case]"),
    ),
    "one_draw_for_all_checks": Fault(
        one_draw_for_all_checks,
        None,
        (_WORDS + "[realised]",),
    ),
    "single_draw_charged_for_one_count": Fault(
        single_draw_charged_for_one_count,
        None,
        (
            "tests/privacy/test_account.py"
            "::test_a_single_draw_is_charged_as_one_answer_whatever_leaves[rounded_gaussian-replace_one]",
            _LAWS + "no_offsets_tell_neighbours_apart_better_than_charged[replace_one-rounded_gaussian-single_draw]",
        ),
    ),
    "check_charged_for_the_largest_count": Fault(
        check_charged_for_the_largest_count,
        None,
        ("tests/privacy/test_account.py::test_reserve_charges_check_and_answer_before_anything_is_known",),
    ),
    "joint_cost_of_the_largest_count": Fault(
        joint_cost_of_the_largest_count,
        None,
        (_LAWS + "joint_costs_hold_at_the_ends_and_those_of_earlier_versions_did_not[sigma1-order0]",),
    ),
}
