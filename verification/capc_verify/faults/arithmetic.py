"""Faults in numbers: modulus, parsing, comparisons, the law of the noise, and what it is charged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

from capc.foundation import encoding, guarded, ring
from capc.foundation.randomness import RandomSource
from capc.models import model
from capc.models.architecture import StageShape
from capc.models.importing import quantise
from capc.models.model import QuantisedLayer
from capc.noise import gaussian, release_noise, shares, skellam
from capc.noise.lazy_uniform import LazyUniform
from capc.noise.mechanism import ReleaseMechanisms, release_mechanisms
from capc.noise.release_noise import ReleaseNoise
from capc.noise.sensitivity import Sensitivity
from capc.privacy import query_cost
from capc.privacy.accountants import policies
from capc.privacy.figures import statement
from capc.privacy.query_cost import QueryCost
from capc.session.parameters import Adjacency, ReleasePolicy, ThresholdMode
from capc.steps.querying_party import release
from capc.two_party.circuits import argmax, relu, tournament
from capc.two_party.circuits.arithmetic import (
    Word,
    add,
    all_of,
    less_than,
    less_than_any,
    mask_with,
    open_word,
    select,
)
from capc.two_party.circuits.builder import ONE, Builder, Circuit, Sharing, Wire
from capc_verify.faults.patching import State, replace_everywhere, replace_in, with_altered_state, with_suite
from capc_verify.faults.planting import Fault

_INT_BITS = 32
_MANTISSA_BITS = 53


def modulus_in_32_bits() -> None:
    """2^k is computed in 32-bit arithmetic, where the shift count wraps: 2^38 becomes 2^6."""

    def reduce(value: int, width: int) -> int:
        return value & ((1 << width % _INT_BITS) - 1)

    replace_everywhere(ring.reduce, reduce)


def parsed_through_int() -> None:
    """Ring elements are parsed through a 32-bit integer."""
    correct = encoding.elements_from_bytes

    def elements_from_bytes(data: bytes, width: int) -> list[int]:
        return [element & ((1 << _INT_BITS) - 1) for element in correct(data, width)]

    replace_everywhere(correct, elements_from_bytes)


def last_index_on_ties() -> None:
    """The right side of a match also wins a tie."""

    def at_most(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Wire:
        return builder.invert(less_than(builder, right, left))

    def at_most_any(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Wire:
        return builder.invert(less_than_any(builder, right, left))

    replace_in(tournament, "less_than", at_most)
    replace_in(tournament, "less_than_any", at_most_any)


def last_class_by_comparisons() -> None:
    """By all pairs, the last class wins by its own comparisons, not if no other does: some words give no vote."""

    def vote_circuit_low_depth(num_classes: int, logit_bits: int, vote_bits: int) -> Circuit:
        pairs = list(combinations(range(num_classes), 2))
        builder = Builder(logit_bits + 1, len(pairs), len(pairs))
        beats: dict[tuple[int, int], Wire] = {}
        for number, (c, d) in enumerate(pairs):
            right_wins = open_word(builder, number)[-1]
            beats[d, c], beats[c, d] = right_wins, builder.invert(right_wins)
        flags = [all_of(builder, [beats[c, d] for d in range(num_classes) if d != c]) for c in range(num_classes)]
        return builder.build("vote_low_depth", flags, Sharing(word_bits=1, width=vote_bits))

    replace_everywhere(argmax.vote_circuit_low_depth, vote_circuit_low_depth)


def dropped_bit_compared() -> None:
    """Votes compare sums with their lowest bit, so that the error of a response decides ties."""

    def sum_of_words(builder: Builder, number: int) -> Word:
        return add(builder, builder.garbler_word(number), builder.evaluator_word(number))

    replace_in(argmax, "open_word", sum_of_words)


def addend_forgotten() -> None:
    """The answering party's word is cut like the querying party's: errors and both roundings borrow from the value."""

    def garbler_word(share: guarded.Share, logit_bits: int, guard_bits: int) -> guarded.Share:  # noqa: ARG001
        return guarded.evaluator_word(share, guard_bits)

    def garbler_words(
        rows: Iterable[Iterable[int]],
        logit_bits: int,  # noqa: ARG001
        guard_bits: int,
    ) -> list[list[int]]:
        return guarded.evaluator_words(rows, guard_bits)

    replace_everywhere(guarded.garbler_word, garbler_word)
    replace_everywhere(guarded.garbler_words, garbler_words)


def cap_wraps() -> None:
    """A ReLU with a cap keeps the low bits of what is above it."""

    def low_bits(builder: Builder, positive: Wire, kept: Word, cap: int) -> Word:
        return mask_with(builder, positive, kept[: cap.bit_length()])

    replace_in(relu, "_capped", low_bits)


def cap_of_negative_sums() -> None:
    """A ReLU with a cap asks the bits above it only, and not the sign: negative sums become the cap."""

    def unsigned(builder: Builder, positive: Wire, kept: Word, cap: int) -> Word:  # noqa: ARG001
        cap_bits = cap.bit_length()
        fits = all_of(builder, [*map(builder.invert, kept[cap_bits:])])
        return select(builder, fits, kept[:cap_bits], [ONE] * cap_bits)

    replace_in(relu, "_capped", unsigned)


def session_scale_for_all_layers() -> None:
    """ReLUs drop f bits, whatever fraction bits a layer's weights have."""

    def scale_bits(self: StageShape, fraction_bits: int) -> int:  # noqa: ARG001
        return fraction_bits

    StageShape.scale_bits = scale_bits  # type: ignore[method-assign]


def bounds_of_weights_ignored() -> None:
    """Rows above the bound that an architecture states are kept as they are."""

    def kept(layer: QuantisedLayer, taken: int, most: int) -> QuantisedLayer:  # noqa: ARG001
        return layer

    replace_everywhere(quantise.clipped_layer, kept)


def bounds_without_biases() -> None:
    """A row's bound forgets its bias."""

    def row_bound(weights: Sequence[int], biases: Sequence[int], taken: int) -> int:  # noqa: ARG001
        return sum(map(abs, weights)) * taken

    replace_everywhere(model.row_bound, row_bound)


def truncated_float_noise() -> None:
    """A floating-point Gaussian (Box and Muller), truncated towards zero."""

    def round_gaussian(source: RandomSource, sigma: Fraction) -> int:
        radius, angle = ((source.bits(_MANTISSA_BITS) + 1) / (1 << _MANTISSA_BITS) for _ in range(2))
        return int(float(sigma) * math.sqrt(-2 * math.log(radius)) * math.cos(2 * math.pi * angle))

    replace_everywhere(gaussian.round_gaussian, round_gaussian)


def halved_noise() -> None:
    """The sampler of the rounded Gaussian draws half of the deviation that is charged."""
    correct = gaussian.round_gaussian

    def round_gaussian(source: RandomSource, sigma: Fraction) -> int:
        return correct(source, sigma / 2)

    replace_everywhere(correct, round_gaussian)


def biased_rounding() -> None:
    """The exactly sampled magnitude is rounded down instead of to the nearest integer."""

    def nearest(k: int, x: LazyUniform, sigma: Fraction) -> int:
        count = 0
        while True:
            prefix, bits = x.interval(count)
            low = sigma * ((k << bits) + prefix) / (1 << bits)
            high = sigma * ((k << bits) + prefix + 1) / (1 << bits)
            if math.floor(low) == math.ceil(high) - 1:
                return math.floor(low)
            count += 1

    replace_in(gaussian, "_nearest", nearest)


def one_sided_skellam() -> None:
    """The Skellam sampler forgets the second Poisson number and centres the first by its mean."""
    correct = skellam.skellam

    def one_sided(source: RandomSource, variance: Fraction) -> int:
        half = variance / 2
        return skellam.poisson(source, half) - half.numerator // half.denominator

    replace_everywhere(correct, one_sided)


def colluders_count() -> None:
    """Noise shares of colluding and lost contributors are counted as if nobody knew them."""
    shares.SharedNoise.counted = property(lambda noise: noise.contributors)  # type: ignore[assignment, method-assign]


def no_noise() -> None:
    """The guardian adds zeros for noise."""

    def draw_zeros(mechanisms: ReleaseMechanisms, num_classes: int, source: RandomSource) -> ReleaseNoise:  # noqa: ARG001
        return ReleaseNoise((0,) * num_classes, () if mechanisms.threshold is None else (0,) * num_classes)

    replace_everywhere(release_noise.draw_release_noise, draw_zeros)


def no_own_threshold_noise() -> None:
    """In realised mode the querying party adds no threshold noise: the guardian sees a bit that only it has noised."""

    def alter(state: State) -> State:
        mechanisms = state.party.suite.mechanisms
        return with_suite(state, mechanisms=replace(mechanisms, threshold=mechanisms.threshold and _Zeros()))

    step = release.querying_party_request_release
    replace_everywhere(step, with_altered_state(step, alter))


class _Zeros:
    """Noise that is always 0."""

    def sample(self, source: RandomSource, count: int) -> list[int]:  # noqa: ARG002
        return [0] * count


def statistical_terms_left_out() -> None:
    """Printed deltas are those of the noise alone."""

    def unchanged(told: statement.PrivacyStatement, distance: Fraction) -> statement.PrivacyStatement:  # noqa: ARG001
        return told

    replace_everywhere(statement.with_sampler_distance, unchanged)


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
            "tests/privacy/composition/test_offsets.py::test_a_label_is_one_of_three_whatever_wraps",
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
