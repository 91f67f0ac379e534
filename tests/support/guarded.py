"""Shares with guard bits: all of them at toy widths, with every error, and the words that they give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from capc.foundation import guarded
from capc.two_party.circuits.tournament import matches_per_round
from support.oracles import Words, grid

WIDTHS = [(3, 1), (4, 2), (3, 3), (3, 4), (4, 3), (4, 5), (5, 4)]
"""l and h, small enough for all shares."""


def signed_range(magnitude_bits: int) -> range:
    """All integers r with |r| < 2^magnitude_bits."""
    return range(1 - (1 << magnitude_bits), 1 << magnitude_bits)


def errors_within(guard_bits: int) -> range:
    """All v that are dropped without a trace: from -2^(h-2) - 1 to 2^(h-2) - 1; of one guard bit -1 and 0."""
    return range(-(1 << guard_bits >> 2) - 1, max(1, 1 << guard_bits >> 2))


def near_errors(guard_bits: int) -> st.SearchStrategy[int]:
    """Errors of which any two differ by an error within the room, often the most."""
    most = errors_within(guard_bits)[-1]
    return st.sampled_from([0, most]) | st.integers(0, most)


def share_pairs(logit_bits: int, guard_bits: int, error: int) -> tuple[Words, Words, Words]:
    """All z of the ring with all shares of the garbler, and the evaluator's: they add up to 2^h z + error."""
    share_bits = logit_bits + guard_bits
    cases = grid(range(1 << logit_bits), range(1 << share_bits))
    z, garbler = cases[:, 0], cases[:, 1]
    return z, ((z << guard_bits) + error - garbler) % (1 << share_bits), garbler


def words_of_shares(garbler: Words, evaluator: Words, logit_bits: int, guard_bits: int) -> tuple[Words, Words]:
    """The garbler's and the evaluator's words, as the steps make them."""
    mine = guarded.garbler_word(garbler.astype(np.uint64), logit_bits, guard_bits)
    return mine.astype(np.int64), guarded.evaluator_word(evaluator.astype(np.uint64), guard_bits).astype(np.int64)


def winner_of(classes: int, signs: Sequence[int]) -> int:
    """The class that wins, where it is known of every match whether its right side won."""
    entrants, remaining = list(range(classes)), iter(signs)
    for matches in matches_per_round(classes):
        won = [entrants[2 * match + next(remaining)] for match in range(matches)]
        entrants = won + entrants[2 * matches :]
    return entrants[0]
