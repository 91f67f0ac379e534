"""The seeded faults in what a release compares and charges, and the tests that must notice them."""

from __future__ import annotations

from capc_verify.faults import comparisons
from capc_verify.faults.planting import Fault

_OFFSETS = "tests/faulty_parties/test_release_offsets.py::test_"
_WORDS = "tests/steps/test_release.py::test_every_word_of_a_release_that_depends_on_votes_has_noise"
_LAWS = "tests/privacy/accountants/test_offsets.py::test_"

RELEASE_FAULTS: dict[str, Fault] = {
    "wrapped_comparison": Fault(
        comparisons.wrapped_comparison,
        None,
        (
            "tests/two_party/circuits/test_release.py::test_release_for_all_counts_and_shares[2-3]",
            _OFFSETS + "counts_at_the_ends_of_the_ring_tell_nothing[querying-single_draw]",
        ),
    ),
    "class_checked_without_noise": Fault(
        comparisons.class_checked_without_noise,
        None,
        (_WORDS + "[worst_case]", _OFFSETS + "a_release_is_a_function_of_the_noised_counts[querying-worst_case]"),
    ),
    "one_draw_for_all_checks": Fault(
        comparisons.one_draw_for_all_checks,
        None,
        (_WORDS + "[realised]", _OFFSETS + "a_release_is_a_function_of_the_noised_counts[answering-realised]"),
    ),
    "single_draw_charged_for_one_count": Fault(
        comparisons.single_draw_charged_for_one_count,
        None,
        (
            "tests/privacy/test_account.py"
            "::test_a_single_draw_is_charged_as_one_answer_whatever_leaves[rounded_gaussian-replace_one]",
            _LAWS + "no_offsets_tell_neighbours_apart_better_than_charged[replace_one-rounded_gaussian-single_draw]",
        ),
    ),
    "check_charged_for_the_largest_count": Fault(
        comparisons.check_charged_for_the_largest_count,
        None,
        ("tests/privacy/test_account.py::test_reserve_charges_check_and_answer_before_anything_is_known",),
    ),
    "joint_cost_of_the_largest_count": Fault(
        comparisons.joint_cost_of_the_largest_count,
        None,
        (_LAWS + "joint_costs_hold_at_the_ends_and_those_of_earlier_versions_did_not[sigma1-order0]",),
    ),
}
