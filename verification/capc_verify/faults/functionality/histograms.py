"""Faults on the way from votes to a label: masks of votes, thresholds, and what is given without consensus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

from capc.foundation import ring
from capc.foundation.randomness import RandomSource, Seed
from capc.session.parameters import Parameters
from capc.steps import release_circuit, zero_sum
from capc.steps.answering_party import external
from capc.steps.privacy_guardian import external as guardian
from capc.two_party.circuits import arithmetic
from capc.two_party.circuits import release as circuits
from capc.two_party.circuits.builder import Builder, Wire
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault


def masks_added_by_both() -> None:
    """Both parties of a pair add what they draw from their key, so that masks do not sum to zero."""

    def mask(
        me: int,  # noqa: ARG001
        keys: Mapping[int, Seed],
        label: bytes,
        num_classes: int,
        vote_bits: int,
        expand: Callable[[Seed, bytes], RandomSource],
    ) -> list[int]:
        total = [0] * num_classes
        for key in keys.values():
            total = ring.add(total, ring.uniform(expand(key, label), num_classes, vote_bits), vote_bits)
        return total

    replace_everywhere(zero_sum.zero_sum_mask, mask)


def label_beside_no_consensus() -> None:
    """The circuit gives the label out also where the threshold is missed."""

    def all_of_it(builder: Builder, condition: Wire, word: Sequence[Wire]) -> list[Wire]:  # noqa: ARG001
        return list(word)

    replace_in(circuits, "mask_with", all_of_it)


def any_label_of_a_circuit() -> None:
    """The querying party takes whatever label the guardian's circuit gives."""

    def check(parameters: Parameters, bits: Sequence[int]) -> None:
        pass

    replace_everywhere(release_circuit.check_outputs, check)


def threshold_passed_only_above() -> None:
    """A count that reaches the threshold exactly does not pass it."""
    correct = arithmetic.less_than_any

    def not_above(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Wire:
        return builder.invert(correct(builder, right, left))

    replace_in(circuits, "less_than_any", not_above)


def fresh_shares_of_zero() -> None:
    """With an outside engine an answering party's shares of its vote are zeros: the querying party is sent the vote."""

    def zeros(source: RandomSource, count: int, width: int) -> list[int]:  # noqa: ARG001
        return [0] * count

    replace_in(external, "ring", SimpleNamespace(uniform=zeros))


def fresh_shares_of_even_numbers() -> None:
    """With an outside engine an answering party's shares are twice what is drawn: a bit of each shows its vote."""

    def even(source: RandomSource, count: int, width: int) -> list[int]:
        return [2 * number for number in ring.uniform(source, count, width - 1)]

    replace_in(external, "ring", SimpleNamespace(uniform=even))


def fresh_shares_that_cancel() -> None:
    """With an outside engine an answering party's last share is that of all others: the sum of its votes is zero."""

    def cancelling(source: RandomSource, count: int, width: int) -> list[int]:
        drawn = ring.uniform(source, count - 1, width)
        return [*drawn, -sum(drawn) % (1 << width)]

    replace_in(external, "ring", SimpleNamespace(uniform=cancelling))


def words_committed_to_bare() -> None:
    """A guardian of an outside engine commits to its words without a blinding: a guess of them can be checked."""
    replace_in(guardian, "_BLINDING_BITS", 0)


_RELEASE = "tests/two_party/circuits/test_release.py::test_"
_EXTERNAL = "tests/protocol/test_external_methods.py::test_"

_UNIFORM = _EXTERNAL + "every_bit_of_a_vote_share_is_uniform_whatever_the_others_and_the_masks_are"

FAULTS = {
    "masks_added_by_both": Fault(
        masks_added_by_both,
        None,
        (
            "tests/steps/test_zero_sum.py::test_masks_of_all_parties_sum_to_zero",
            "tests/steps/test_steps.py::test_querying_party_and_guardian_hold_shares_of_the_histogram[winners0]",
            "tests/steps/test_offline.py::test_labels_do_not_depend_on_the_size_of_the_batch",
            "tests/protocol/test_equals_ideal.py::test_all_pairs_give_the_ideal_labels_at_once_and_prepared[fast]",
            "tests/protocol/test_equals_ideal.py::test_hybrid_rounds_equal_ideal_functionality[discrete]",
        ),
    ),
    "label_beside_no_consensus": Fault(
        label_beside_no_consensus,
        None,
        (
            _RELEASE + "single_draw_for_all_words_and_limits[2-3]",
            _RELEASE + "confident_release_for_all_words_and_limits[2-3-False]",
            _RELEASE + "costs_and_that_only_the_label_and_the_answered_bit_are_opened[10-10]",
        ),
    ),
    "any_label_of_a_circuit": Fault(
        any_label_of_a_circuit,
        None,
        (
            "tests/steps/test_release.py"
            "::test_a_label_with_a_flipped_decoding_bit_is_refused_and_costs_nothing[beside no consensus]",
        ),
    ),
    "threshold_passed_only_above": Fault(
        threshold_passed_only_above,
        None,
        (
            "tests/protocol/test_equals_ideal.py::test_threshold_is_inclusive_and_withholds_the_label[2-1-realised]",
            _RELEASE + "single_draw_for_all_words_and_limits[2-3]",
        ),
    ),
    "fresh_shares_of_zero": Fault(
        fresh_shares_of_zero, None, (_EXTERNAL + "vote_shares_are_fresh_and_nothing_is_used_twice",)
    ),
    "fresh_shares_of_even_numbers": Fault(fresh_shares_of_even_numbers, None, (_UNIFORM,)),
    "fresh_shares_that_cancel": Fault(fresh_shares_that_cancel, None, (_UNIFORM,)),
    "words_committed_to_bare": Fault(
        words_committed_to_bare, None, (_EXTERNAL + "what_is_written_down_is_a_hiding_commitment",)
    ),
}
"""These faults, and the tests that must notice them."""
