"""Multi-label voting: the ideal functionality against its definition, in exact arithmetic."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.privacy import multi_label
from support.sizes import examples

LOGITS = st.lists(st.integers(-8, 8), min_size=1, max_size=6)
GRID = st.integers(0, 6)
TAU = st.fractions(Fraction(1, 8), Fraction(20), max_denominator=64)


@pytest.mark.req("CAPC-MPC-020")
@given(LOGITS, GRID)
def test_binary_votes_count_each_label_above_0(logits: list[int], grid_bits: int) -> None:
    assert multi_label.binary_votes(grid_bits)(logits) == [2**grid_bits if r > 0 else 0 for r in logits]


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-021")
@settings(max_examples=examples(ordinary=200, nightly=5000))
@given(LOGITS, GRID, TAU)
def test_a_tau_vote_is_the_largest_on_the_grid_within_the_norm(
    logits: list[int], grid_bits: int, tau: Fraction
) -> None:
    votes = multi_label.tau_votes(grid_bits, tau)(logits)
    limit = tau * 4**grid_bits
    chosen = sum(r > 0 for r in logits)
    assert [vote > 0 for vote in votes] == [r > 0 and max(votes) > 0 for r in logits]
    assert sum(vote * vote for vote in votes) <= limit
    scale = max(votes)
    assert scale <= 2**grid_bits
    assert not chosen or scale == 2**grid_bits or chosen * (scale + 1) ** 2 > limit


@pytest.mark.req("CAPC-MPC-022")
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=5), GRID)
def test_a_powerset_vote_is_one_hot_at_the_set(logits: list[int], grid_bits: int) -> None:
    votes = multi_label.powerset_votes(grid_bits)(logits)
    assert len(votes) == 2 ** len(logits)
    (number,) = [n for n, vote in enumerate(votes) if vote]
    assert votes[number] == 2**grid_bits
    assert [number >> j & 1 for j in range(len(logits))] == [int(r > 0) for r in logits]


@pytest.mark.req("CAPC-MPC-020", "CAPC-MPC-022")
@given(st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=1, max_size=5))
def test_without_noise_the_majority_is_released(parties: list[list[int]]) -> None:
    counts = multi_label.total_votes(multi_label.binary_votes(1), parties)
    labels = multi_label.released_labels(counts, [0] * 3, limit=len(parties))
    assert labels == [int(2 * sum(row[j] > 0 for row in parties) > len(parties)) for j in range(3)]
    sets = [sum((row[j] > 0) << j for j in range(3)) for row in parties]
    totals = multi_label.total_votes(multi_label.powerset_votes(0), parties)
    assert multi_label.released_set(totals, [0] * 8) == max(range(8), key=lambda n: (sets.count(n), -n))


@pytest.mark.req("CAPC-MPC-020")
def test_a_count_at_the_limit_is_not_released() -> None:
    assert multi_label.released_labels([4, 5, 3], [0, -1, 2], limit=4) == [0, 0, 1]


@pytest.mark.req("CAPC-MPC-020", "CAPC-MPC-021", "CAPC-MPC-022")
def test_named_edges() -> None:
    """A logit of 0, ties, no label chosen, and one party."""
    assert multi_label.binary_votes(3)([0, 1, -1]) == [0, 8, 0]
    assert multi_label.tau_votes(4, Fraction(2))([-1, 0]) == [0, 0]
    assert multi_label.tau_votes(4, Fraction(1))([1]) == [16]
    assert multi_label.powerset_votes(2)([-1, 0]) == [4, 0, 0, 0]
    assert multi_label.released_set([3, 5, 5, 0], [0, 0, 0, 0]) == 1
    assert multi_label.released_set([0, 0], [0, 0]) == 0


def test_more_sets_than_can_be_counted_are_refused() -> None:
    multi_label.powerset_votes(0)([0] * multi_label.MAX_POWERSET_LABELS)
    with pytest.raises(InputError, match="17 labels: powerset voting takes at most 16"):
        multi_label.powerset_votes(0)([0] * 17)


def test_a_tau_that_is_not_above_0_is_refused() -> None:
    with pytest.raises(InputError, match="tau_squared"):
        multi_label.tau_scale(1, 4, Fraction(0))
