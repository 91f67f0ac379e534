"""What a release costs whoever adds to the shares: exact laws of words in the ring, for offsets of choice.

Nothing here uses the accountants' theory. A word is a count, an offset and a draw mod 2^w; its law is summed up in
high precision, the law of label and answered bit follows by enumeration, and its divergences are held against claims.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import product

import mpmath
import numpy as np
import pytest

from capc.noise.mechanism import release_mechanisms
from capc.privacy.account import Account
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.confident_gnmax import joint_renyi_upper
from capc.privacy.accountants.conversion import epsilon_upper, gaussian_dp_delta_upper
from capc.privacy.accountants.policies import joint_cost, with_argmax_cost
from capc.privacy.figures.statement import enforced_epsilons
from capc.privacy.query_cost import query_cost
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy, ThresholdMode
from privacy.accountants.test_neighbours import DELTAS, FLOAT_ERROR, hockey_stick, noise_law
from support.argmax import Histogram, neighbouring_pairs

VOTE_BITS, CLASSES, PARTIES, THRESHOLD = 6, 3, 2, 2
HALF = 1 << (VOTE_BITS - 1)
OFFSETS = [*product([0, -HALF // 2, HALF - 3, HALF - 1, THRESHOLD + 1], repeat=CLASSES)]
"""Where counts are, at the bottom, and where a vote more wraps."""


def make_policy(mode: ThresholdMode, name: NoiseName, adjacency: Adjacency, **changes: Fraction) -> ReleasePolicy:
    order = {"renyi_order": Fraction(4)} if name is NoiseName.SKELLAM else {}
    fields = {"sigma": Fraction(1), "threshold_sigma": Fraction(1), **order, **changes}
    if mode is ThresholdMode.SINGLE_DRAW:
        fields["threshold_sigma"] = None
    return ReleasePolicy(
        name, threshold=Fraction(THRESHOLD), charge=Charge.WORST_CASE, adjacency=adjacency, epsilon=Fraction(10),
        delta=Fraction(1, 10**5), threshold_mode=mode, **fields,
    )  # fmt: skip


def word_law(mean: int, law: np.ndarray) -> np.ndarray:
    """Of a sum mod 2^w, as the signed numbers from -2^(w-1) on."""
    found = np.zeros(2 * HALF)
    np.add.at(found, (np.arange(len(law)) - len(law) // 2 + mean + HALF) % (2 * HALF), law)
    return found


def release_law(
    counts: Histogram,
    offsets: tuple[int, ...],
    label: np.ndarray,
    check: np.ndarray | None,
    threshold: int = THRESHOLD,
) -> np.ndarray:
    """P(no consensus), then P(each label); with a single draw ``check`` is None."""
    noisy = [word_law(count + offset, label) for count, offset in zip(counts, offsets, strict=True)]
    below = [np.cumsum(each) - each for each in noisy]
    wins = [
        each * np.prod([below[d] if d < c else below[d] + noisy[d] for d in range(CLASSES) if d != c], axis=0)
        for c, each in enumerate(noisy)
    ]
    reaching = np.arange(-HALF, HALF) >= threshold
    if check is None:
        labels = np.array([each[reaching].sum() for each in wins])
        return np.concatenate([[1 - labels.sum()], labels])
    checked = [word_law(count + offset, check) for count, offset in zip(counts, offsets, strict=True)]
    withheld = np.prod([each[~reaching].sum() for each in checked])
    return np.concatenate([[withheld], (1 - withheld) * np.array([each.sum() for each in wins])])


def worst_excess(policy: ReleasePolicy, charged: Fraction | None = None) -> float:
    """The largest divergence minus delta: over neighbours, offsets of choice, and claims of the policy's cost."""
    mechanisms, cost = release_mechanisms(policy, 0), query_cost(policy, 0)
    label = noise_law(mechanisms.answer, 0)
    check = None if mechanisms.threshold is None else noise_law(mechanisms.threshold, 0)
    pairs = neighbouring_pairs(PARTIES, CLASSES, policy.adjacency)
    worst = -1.0
    claims = [
        (float(epsilon_upper(cost.unit, charged or cost.worst_case, delta, policy.renyi_order)), float(delta))
        for delta in DELTAS
    ]
    for offsets in OFFSETS:
        laws = {h: release_law(h, offsets, label, check) for h in {h for pair in pairs for h in pair}}
        for h, n in pairs:
            for epsilon, delta in claims:
                worst = max(worst, hockey_stick(laws[h], laws[n], epsilon) - delta)
    return worst


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-103", "CAPC-ACCT-119", "CAPC-ACCT-120", "CAPC-SEC-030")
@pytest.mark.parametrize("mode", ThresholdMode)
@pytest.mark.parametrize("name", NoiseName)
@pytest.mark.parametrize("adjacency", Adjacency)
def test_no_offsets_tell_neighbours_apart_better_than_charged(
    mode: ThresholdMode, name: NoiseName, adjacency: Adjacency
) -> None:
    assert worst_excess(make_policy(mode, name, adjacency)) <= FLOAT_ERROR


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-134", "CAPC-ACCT-145")
@pytest.mark.parametrize("mode", [ThresholdMode.SINGLE_DRAW, None])
@pytest.mark.parametrize("name", NoiseName)
@pytest.mark.parametrize("adjacency", Adjacency)
def test_no_offsets_tell_more_than_is_printed_towards_a_cheat_where_labels_are_charged(
    mode: ThresholdMode | None, name: NoiseName, adjacency: Adjacency
) -> None:
    """The enforced epsilon of one label of a policy, against all these offsets, with the threshold and without."""
    policy = make_policy(ThresholdMode.SINGLE_DRAW, name, adjacency, renyi_order=Fraction(2), sigma=Fraction(3))
    if mode is None:
        policy = replace(policy, threshold=None, threshold_mode=ThresholdMode.TWO_DRAWS)
    policy = with_argmax_cost(policy, 0)
    account = Account(policy, 0, query_cost(policy, 0).worst_case)
    claim, delta = float(enforced_epsilons(account)[Adversary.CHEATING]), float(policy.delta)
    law, threshold = noise_law(release_mechanisms(policy, 0).answer, 0), -HALF if mode is None else THRESHOLD
    pairs = neighbouring_pairs(PARTIES, CLASSES, adjacency)
    for offsets in OFFSETS:
        laws = {h: release_law(h, offsets, law, None, threshold) for h in {h for pair in pairs for h in pair}}
        assert max(hockey_stick(laws[h], laws[n], claim) for h, n in pairs) <= delta + FLOAT_ERROR


# Two counts at opposite ends: each passes, and fails where a vote leaves the one or comes to the other.
_HIGH, _LOW = HALF - 3, THRESHOLD + 1
_ENDS = (_HIGH, _LOW, -HALF // 2)
_BEFORE, _AFTER = (0, 1, 0), (1, 0, 0)


@lru_cache
def bits_at_the_ends(s1: Fraction) -> tuple[mpmath.mpf, mpmath.mpf]:
    """P(no consensus) of both neighbours, by mpmath, for rounded Gaussian draws of the check."""
    with mpmath.workdps(40):
        deviation = mpmath.mpf(s1.numerator) / s1.denominator

        def withheld(counts: Histogram) -> mpmath.mpf:
            total = mpmath.mpf(1)
            for count, offset in zip(counts, _ENDS, strict=True):
                mean = count + offset
                # Whole turns of the ring: from T to the top passes.
                total *= 1 - mpmath.fsum(
                    mpmath.quad(
                        lambda x, m=mean + 2 * HALF * turn: mpmath.npdf(x, m, deviation),
                        [THRESHOLD - mpmath.mpf(1) / 2, HALF - mpmath.mpf(1) / 2],
                    )
                    for turn in (-1, 0, 1)
                )
            return total

        return withheld(_BEFORE), withheld(_AFTER)


@pytest.mark.req("CAPC-ACCT-120")
@pytest.mark.parametrize("s1", [Fraction(1), Fraction(7, 2)])
@pytest.mark.parametrize("name", NoiseName)
@pytest.mark.parametrize("adjacency", Adjacency)
def test_a_check_costs_what_an_answer_of_its_deviation_costs(
    name: NoiseName, adjacency: Adjacency, s1: Fraction
) -> None:
    """Label and bit together have slack for a check that is charged half: here it is looked at alone."""
    cost = query_cost(make_policy(ThresholdMode.TWO_DRAWS, name, adjacency, sigma=s1, threshold_sigma=s1), 0)
    assert cost.check == cost.answer
    squared = {Adjacency.REPLACE_ONE: 2, Adjacency.NULL_VOTE: 1}[adjacency]
    if name is NoiseName.ROUNDED_GAUSSIAN:
        assert cost.check == squared / s1**2
    elif name is NoiseName.DISCRETE_GAUSSIAN:
        assert cost.check == squared / (2 * s1**2)


@pytest.mark.req("CAPC-ACCT-120")
@pytest.mark.parametrize("s1", [Fraction(3, 4), Fraction(1)])
def test_the_check_of_earlier_versions_was_charged_too_little(s1: Fraction) -> None:
    """The answered bit alone refutes 1 / s1^2 under replace_one, and not 2 / s1^2."""
    q, p = map(float, bits_at_the_ends(s1))
    assert q < p
    excess = {}
    for squared in (1, 2):
        deltas = [gaussian_dp_delta_upper(squared / s1**2, Fraction(n, 8)) for n in range(1, 60)]
        excess[squared] = max(p - np.exp(n / 8) * q - float(delta) for n, delta in enumerate(deltas, 1))
    assert excess[1] > 1e-4
    assert excess[2] <= FLOAT_ERROR
    law = noise_law(release_mechanisms(make_policy(ThresholdMode.TWO_DRAWS, NoiseName.ROUNDED_GAUSSIAN,
                    Adjacency.REPLACE_ONE, threshold_sigma=s1), 0).threshold, 0)  # fmt: skip
    quadrature = [release_law(counts, _ENDS, law, law)[0] for counts in (_BEFORE, _AFTER)]
    assert np.allclose(quadrature, [q, p], rtol=1e-9)


@pytest.mark.req("CAPC-ACCT-116", "CAPC-ACCT-120")
@pytest.mark.parametrize("order", [Fraction(4), Fraction(8)])
@pytest.mark.parametrize("sigma", [Fraction(8), Fraction(40)])
def test_joint_costs_hold_at_the_ends_and_those_of_earlier_versions_did_not(order: Fraction, sigma: Fraction) -> None:
    """The exact Renyi divergence of bit and label, by mpmath, in both directions."""
    s1 = Fraction(1)
    policy = make_policy(
        ThresholdMode.TWO_DRAWS, NoiseName.ROUNDED_GAUSSIAN, Adjacency.REPLACE_ONE,
        sigma=sigma, threshold_sigma=s1, renyi_order=order,
    )  # fmt: skip
    label = noise_law(release_mechanisms(policy, 0).answer, 0)
    both = []
    for counts, withheld in zip((_BEFORE, _AFTER), bits_at_the_ends(s1), strict=True):
        labels = release_law(counts, _ENDS, label, label)[1:]
        shares = [mpmath.mpf(entry) / mpmath.mpf(labels.sum()) for entry in labels]
        both.append([withheld, *((1 - withheld) * share for share in shares)])
    divergences = [
        mpmath.log(mpmath.fsum(p ** float(order) * q ** (1 - float(order)) for p, q in zip(left, right, strict=True)))
        / float(order - 1)
        for left, right in (both, both[::-1])
    ]
    assert max(divergences) <= float(joint_cost(policy))
    earlier = joint_renyi_upper(order, 1 / s1**2, order / sigma**2)
    assert max(divergences) > float(earlier)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-119")
def test_a_single_draw_charged_for_one_count_would_be_refuted() -> None:
    """The checks above have teeth: the distance of the whole histogram is needed."""
    policy = make_policy(ThresholdMode.SINGLE_DRAW, NoiseName.ROUNDED_GAUSSIAN, Adjacency.REPLACE_ONE)
    assert worst_excess(policy, query_cost(policy, 0).worst_case / 2) > 1e-4
