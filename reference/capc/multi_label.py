"""Ideal functionality of multi-label votes: which of k labels hold, decided by noisy votes of whole ballots.

A ballot is one party's 0/1 vector over k labels. Three mechanisms turn ballots and noise into released bits; they
differ in what they count, and so in what noise costs (`capc.accountants.ballots`):

- Binary: each label is a vote of its own between "no" and "yes", GNMax with two classes, k times.
- Tau: a ballot is shortened to Euclidean length tau before it is counted; each label is released as "yes" where its
  noisy sum is more than half of the parties.
- Powerset: a ballot is one vote for one of the 2^k sets of labels, GNMax with 2^k classes.

Ties go to the lowest class index, so to "no" and to the smaller set number.

Source: Dziedzic et al., Private Multi-Winner Voting for Machine Learning, PoPETs 2023 (arXiv 2211.15410). The grid, the
rounding of shortened ballots towards zero and the tie rule are this project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt

from capc.circuits.vote import one_hot_argmax
from capc.errors import InputError

MAX_POWERSET_LABELS = 16
"""Powerset voting counts 2^k classes."""

Ballot = Sequence[int]


def binary_vote(ballots: Sequence[Ballot], noise: Sequence[tuple[int, int]], grid_bits: int) -> tuple[int, ...]:
    """The released bits of Binary voting.

    Args:
        ballots: one list of k bits per answering party, at least one party.
        noise: k pairs of draws in grid units, for "no" and for "yes".
        grid_bits: g.

    Raises:
        InputError: a length or a bit is wrong.
    """
    labels = _check(ballots, len(noise))
    unit = 1 << grid_bits
    yes = [sum(ballot[label] for ballot in ballots) for label in range(labels)]
    return tuple(
        one_hot_argmax([(len(ballots) - count) * unit + no_draw, count * unit + yes_draw])[1]
        for count, (no_draw, yes_draw) in zip(yes, noise, strict=True)
    )


def clip_ballot(ballot: Ballot, tau_squared: Fraction, grid_bits: int) -> list[int]:
    """A ballot shortened to Euclidean length at most tau, in grid units, rounded towards zero.

    Each 1 of a ballot with n ones becomes min(1, tau / sqrt(n)) votes. Rounding towards zero keeps the length at most
    tau exactly.

    Args:
        ballot: k bits.
        tau_squared: tau^2 in votes^2, above 0.
        grid_bits: g.

    Raises:
        InputError: tau^2 is not above 0.
    """
    if tau_squared <= 0:
        raise InputError(f"tau_squared = {tau_squared}: give a rational above 0")
    ones = sum(ballot)
    unit = 1 << grid_bits
    square = unit * unit * tau_squared / max(ones, 1)
    entry = min(unit, isqrt(square.numerator // square.denominator))
    return [entry * bit for bit in ballot]


def tau_vote(ballots: Sequence[Ballot], noise: Sequence[int], tau_squared: Fraction, grid_bits: int) -> tuple[int, ...]:
    """The released bits of tau voting: label j holds if its noisy sum is more than half of the parties.

    Args:
        ballots: one list of k bits per answering party, at least one party.
        noise: k draws in grid units.
        tau_squared: tau^2 in votes^2, above 0.
        grid_bits: g.

    Raises:
        InputError: a length, a bit or tau is wrong.
    """
    _check(ballots, len(noise))
    clipped = [clip_ballot(ballot, tau_squared, grid_bits) for ballot in ballots]
    half = len(ballots) << grid_bits
    return tuple(
        int(2 * (sum(column) + draw) > half) for column, draw in zip(zip(*clipped, strict=True), noise, strict=True)
    )


def powerset_vote(ballots: Sequence[Ballot], noise: Sequence[int], grid_bits: int) -> tuple[int, ...]:
    """The released bits of Powerset voting. Set number sum_j bit_j 2^j is a class.

    Args:
        ballots: one list of k bits per answering party, at least one party.
        noise: 2^k draws in grid units.
        grid_bits: g.

    Raises:
        InputError: a length or a bit is wrong, or k is above 16.
    """
    labels = _check(ballots, len(ballots[0]) if ballots else 0)
    if labels > MAX_POWERSET_LABELS:
        raise InputError(
            f"labels = {labels}: Powerset voting counts 2^k sets; give at most {MAX_POWERSET_LABELS} labels"
        )
    if len(noise) != 1 << labels:
        raise InputError(f"noise has {len(noise)} draws: Powerset voting over {labels} labels needs {1 << labels}")
    counts = list(noise)
    for ballot in ballots:
        counts[sum(bit << label for label, bit in enumerate(ballot))] += 1 << grid_bits
    winner = one_hot_argmax(counts).index(1)
    return tuple(winner >> label & 1 for label in range(labels))


def _check(ballots: Sequence[Ballot], labels: int) -> int:
    if not ballots or labels < 1:
        raise InputError(f"{len(ballots)} ballots over {labels} labels: give at least one of each")
    for number, ballot in enumerate(ballots):
        if len(ballot) != labels or any(bit not in (0, 1) for bit in ballot):
            raise InputError(f"ballot {number} is not a list of {labels} bits: give 0 or 1 for each label")
    return labels
