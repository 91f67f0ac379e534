"""Counts that are dealt: within what there is, as many as a maximal flow, near to the weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from capc.learning.data import Floats, Indices
from capc.learning.dealing import Mask, round_shares, spread


def largest_flow(need: Indices, spare: Indices, allowed: Mask) -> int:
    """By SciPy: source, parties, groups, sink."""
    parties, groups = allowed.shape
    capacity = np.zeros((parties + groups + 2, parties + groups + 2), dtype=np.int32)
    capacity[0, 1 : parties + 1] = need
    capacity[1 : parties + 1, parties + 1 : -1] = allowed * need[:, None]
    capacity[parties + 1 : -1, -1] = spare
    return int(maximum_flow(csr_array(capacity), 0, parties + groups + 1).flow_value)


@st.composite
def deals(draw: st.DrawFn) -> tuple[Indices, Indices, Floats]:
    """Few groups for a party and few rows of a group, so that most are short or blocked by others."""
    parties, groups = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    need = draw(st.lists(st.integers(0, 20), min_size=parties, max_size=parties))
    spare = draw(st.lists(st.integers(0, 20), min_size=groups, max_size=groups))
    weight = st.sampled_from([0.0, 0.0, 0.0, 1e-9, 0.3, 1.0, 40.0])
    weights = draw(st.lists(weight, min_size=parties * groups, max_size=parties * groups))
    return np.array(need), np.array(spare), np.array(weights).reshape(parties, groups)


@pytest.mark.slow
@given(deal=deals(), seed=st.integers(0, 10**9))
def test_as_many_rows_are_dealt_as_can_be(deal: tuple[Indices, Indices, Floats], seed: int) -> None:
    need, spare, weights = deal
    before = need.copy(), spare.copy(), weights.copy()
    dealt = spread(need, spare, weights, np.random.default_rng(seed))
    assert dealt.min() >= 0
    assert np.all(dealt.sum(axis=1) <= need)
    assert np.all(dealt.sum(axis=0) <= spare)
    assert not dealt[weights == 0].any()
    assert dealt.sum() == largest_flow(need, spare, weights > 0)
    assert all(map(np.array_equal, before, deal))


def test_a_party_that_is_blocked_takes_from_one_that_can_have_other_rows() -> None:
    """Two parties share the first group; only one of them may have the second."""
    need, spare, weights = np.array([10, 10]), np.array([10, 10]), np.array([[1.0, 1e-9], [1.0, 0.0]])
    for seed in range(10):
        assert spread(need, spare, weights, np.random.default_rng(seed)).tolist() == [[0, 10], [10, 0]]
    chain = np.array([[1.0, 1e-9, 0.0], [0.0, 1.0, 1e-9], [1.0, 0.0, 0.0]])
    found = spread(np.array([6, 6, 6]), np.array([6, 6, 6]), chain, np.random.default_rng(0))
    assert found.tolist() == [[0, 6, 0], [0, 0, 6], [6, 0, 0]]


def test_rows_are_dealt_in_proportion_where_there_are_enough() -> None:
    need, spare = np.array([100, 200, 50]), np.array([1000, 1000, 1000])
    weights = np.array([[1.0, 1.0, 2.0], [1.0, 0.0, 3.0], [0.0, 0.0, 5.0]])
    found = spread(need, spare, weights, np.random.default_rng(0))
    assert found.tolist() == [[25, 25, 50], [50, 0, 150], [0, 0, 50]]


def test_a_shortage_is_shared() -> None:
    found = spread(np.array([10] * 5), np.array([25, 0]), np.ones((5, 2)), np.random.default_rng(0))
    assert found.tolist() == [[5, 0]] * 5


def test_fractions_are_rounded_at_random_without_bias() -> None:
    """Means over 400 draws, within five standard deviations of a fair one."""
    weights = np.array([[1.0, 2.0, 4.0]])
    generator = np.random.default_rng(3)
    mean = np.mean([spread(np.array([10]), np.array([90, 90, 90]), weights, generator)[0] for _ in range(400)], axis=0)
    assert np.abs(mean - np.array([10, 20, 40]) / 7).max() < 5 * 0.5 / 20


@given(
    rows=st.lists(st.integers(0, 40), min_size=1, max_size=5),
    most=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    ratio=st.sampled_from([0.0, 0.1, 0.37, 1.0]),
    seed=st.integers(0, 10**9),
)
def test_shares_are_rounded_within_what_parties_and_groups_have(
    rows: list[int], most: list[int], ratio: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    total, sizes = max(sum(most), 1), np.array(most)
    shares = np.array(rows) * sizes[:, None] / total * ratio * generator.integers(0, 2, (len(most), len(rows)))
    shares *= np.minimum(1, np.divide(sizes, shares.sum(axis=1), where=shares.sum(axis=1) > 0, out=np.ones(len(most))))[
        :, None
    ]
    found = round_shares(shares, sizes, generator)
    assert np.abs(found - shares).max() < 1 + 1e-9
    assert found.min() >= 0
    assert np.all(found.sum(axis=1) <= sizes)
    assert np.all(found.sum(axis=0) <= np.array(rows))


def test_rounded_shares_have_no_bias() -> None:
    shares, generator = np.full((30, 2), 0.55), np.random.default_rng(1)
    found = [round_shares(shares, np.full(30, 8), generator) for _ in range(200)]
    assert np.mean(found) == pytest.approx(0.55, abs=0.01)
    assert np.abs(np.mean(found, axis=0) - 0.55).max() < 5 * 0.5 / 200**0.5
