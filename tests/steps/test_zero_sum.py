"""Zero-sum masks and pairwise keys, against a derivation with a second implementation of the curve."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation import primitives, ring
from capc.foundation.primitives import Point, Scalar
from capc.foundation.randomness import Seed, XofSource
from capc.steps.zero_sum import pairwise_key, zero_sum_mask
from support import oracles

TAG = bytes(range(32, 64))


@lru_cache
def scalars(count: int) -> tuple[Scalar, ...]:
    return tuple(primitives.random_scalar(XofSource(Seed(bytes(32)), bytes([i]))) for i in range(count))


@lru_cache
def all_keys(count: int) -> dict[int, dict[int, Seed]]:
    mine = scalars(count)
    points = {i + 1: primitives.base_multiply(scalar) for i, scalar in enumerate(mine)}
    return {
        me: {peer: pairwise_key(TAG, mine[me - 1], points, me, peer) for peer in points if peer != me} for me in points
    }


@pytest.mark.req("CAPC-AGG-001")
@given(st.integers(1, 6), st.integers(2, 5), st.integers(2, 64), st.integers(1, 2**32 - 1))
def test_masks_of_all_parties_sum_to_zero(count: int, num_classes: int, vote_bits: int, query: int) -> None:
    label = b"zero-sum/" + TAG + query.to_bytes(4, "little")
    masks = [zero_sum_mask(me, keys, label, num_classes, vote_bits, XofSource) for me, keys in all_keys(count).items()]
    assert [sum(column) % 2**vote_bits for column in zip(*masks, strict=True)] == [0] * num_classes
    assert all(0 <= entry < 2**vote_bits for mask in masks for entry in mask)


def test_one_answering_party_alone_has_the_zero_mask() -> None:
    assert zero_sum_mask(1, {}, b"label", 3, 10, XofSource) == [0, 0, 0]


@pytest.mark.req("CAPC-AGG-002")
def test_lower_index_adds_and_higher_subtracts() -> None:
    keys = {2: Seed(b"a" * 32), 4: Seed(b"b" * 32)}
    label = b"zero-sum/query"
    drawn = {
        peer: [
            int.from_bytes(hashlib.shake_256(b"CaPC/0.1/xof\x20" + key + label).digest(6)[i : i + 2], "little") % 2**10
            for i in (0, 2, 4)
        ]
        for peer, key in keys.items()
    }
    expected = [(-low + high) % 2**10 for low, high in zip(drawn[2], drawn[4], strict=True)]
    assert zero_sum_mask(3, keys, label, 3, 10, XofSource) == expected


def test_masks_of_other_queries_differ() -> None:
    keys = all_keys(3)[1]
    masks = {
        tuple(zero_sum_mask(1, keys, b"zero-sum/" + TAG + q.to_bytes(4, "little"), 4, 64, XofSource))
        for q in range(1, 50)
    }
    assert len(masks) == 49


@pytest.mark.req("CAPC-AGG-005")
@settings(max_examples=10)
@given(st.integers(1, oracles.L - 1), st.integers(1, oracles.L - 1), st.integers(1, 4095))
def test_both_ends_derive_the_same_key(a: int, b: int, low: int) -> None:
    high = low + 1
    first, second = Scalar(a.to_bytes(32, "little")), Scalar(b.to_bytes(32, "little"))
    points: dict[int, Point] = {low: primitives.base_multiply(first), high: primitives.base_multiply(second)}
    key = pairwise_key(TAG, first, points, low, high)
    assert key == pairwise_key(TAG, second, points, high, low)
    shared = oracles.curve_encode(oracles.curve_multiply(a * b % oracles.L, oracles.BASE))
    indices = low.to_bytes(2, "little") + high.to_bytes(2, "little")
    preimage = b"CaPC/0.1/pairwise-mask" + TAG + indices + points[low] + points[high] + shared
    assert key == hashlib.sha256(preimage).digest()


def test_pairwise_keys_differ_between_pairs_and_sessions() -> None:
    keys = all_keys(5)
    pairs = {frozenset((me, peer)): key for me, peers in keys.items() for peer, key in peers.items()}
    assert len(set(pairs.values())) == len(pairs) == 10
    mine = scalars(2)
    points = {1: primitives.base_multiply(mine[0]), 2: primitives.base_multiply(mine[1])}
    assert pairwise_key(bytes(32), mine[0], points, 1, 2) != keys[1][2]


@pytest.mark.slow
@given(st.integers(1, 5), st.integers(1, 4), st.integers(2, 64), st.data())
def test_shares_are_summed_in_the_ring(count: int, num_classes: int, width: int, data: st.DataObject) -> None:
    element = st.integers(0, (1 << width) - 1)
    shares = data.draw(
        st.lists(
            st.lists(element, min_size=num_classes, max_size=num_classes).map(tuple), min_size=count, max_size=count
        )
    )
    before = list(shares)
    assert ring.sum_shares(shares, width) == [sum(column) % 2**width for column in zip(*shares, strict=True)]
    assert shares == before
