"""Margin sampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from capc.learning.active import by_margin, margins
from capc.learning.data import Floats
from capc.learning.training import FloatModel

logits = arrays.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=st.floats(-1e3, 1e3))


@given(values=logits)
def test_a_margin_is_the_gap_between_the_two_likeliest_classes(values: Floats) -> None:
    for row, margin in zip(values, margins(values), strict=True):
        exponentials = [float(np.exp(value - max(row))) for value in row]
        first, second = sorted((value / sum(exponentials) for value in exponentials), reverse=True)[:2]
        assert abs(margin - (first - second)) < 1e-12


@pytest.mark.slow
@given(size=st.integers(1, 30), seed=st.integers(0, 1000), data=st.data())
def test_the_queries_are_different_points_of_the_pool_with_the_smallest_margins(
    size: int, seed: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, size))
    generator = np.random.default_rng(seed)
    features = generator.uniform(-1, 1, (2 * size, 3))
    pool = generator.permutation(2 * size)[:size].astype(np.int64)
    model = FloatModel((generator.normal(0, 1, (4, 3)),), (np.zeros(4),))
    chosen = by_margin(model, features, pool, count).tolist()
    assert len(set(chosen)) == count
    assert set(chosen) <= set(pool.tolist())
    margin = dict(zip(pool.tolist(), margins(model.logits(features[pool])).tolist(), strict=True))
    others = [margin[row] for row in pool.tolist() if row not in chosen]
    assert not others or max(margin[row] for row in chosen) <= min(others)
    assert [margin[row] for row in chosen] == sorted(margin[row] for row in chosen)
