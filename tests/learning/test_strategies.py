"""Which rows are asked: each rule against a plain one of its own, and what holds for all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import cdist
from scipy.stats import entropy

from capc.learning import strategies
from capc.learning.data import Floats, Indices
from capc.learning.strategies import Strategy, choose, entropies, margins
from capc.learning.training import FloatModel

logits = arrays.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=st.floats(-1e3, 1e3))
every = pytest.mark.parametrize("strategy", list(Strategy))


class Case:
    """A pool of 1 to 30 rows, of which some are equal, and 0 to 5 labelled rows.

    Features are small whole numbers, so that distances are exact and often tie.
    """

    def __init__(self, size: int, labelled: int, seed: int, values: int = 4) -> None:
        generator = np.random.default_rng(seed)
        self.features = generator.integers(0, values, (2 * size + 5, 3)).astype(np.float64)
        shuffled = generator.permutation(2 * size + 5).astype(np.int64)
        self.pool, self.labelled = shuffled[:size], shuffled[size : size + labelled]
        self.model = FloatModel((generator.normal(0, 1, (4, 3)),), (np.zeros(4),))

    def chosen(self, strategy: Strategy, count: int, seed: int = 7, pool: Indices | None = None) -> list[int]:
        rows = self.pool if pool is None else pool
        order = choose(strategy, self.model, self.features, self.labelled, rows, count, (seed, 1))
        return [int(row) for row in order]


cases = st.builds(Case, st.integers(1, 30), st.integers(0, 5), st.integers(0, 1000))


@given(values=logits)
def test_a_margin_is_the_gap_between_the_two_likeliest_classes(values: Floats) -> None:
    for row, margin in zip(values, margins(values), strict=True):
        exponentials = [float(np.exp(value - max(row))) for value in row]
        first, second = sorted((value / sum(exponentials) for value in exponentials), reverse=True)[:2]
        assert abs(margin - (first - second)) < 1e-12


@given(values=logits)
def test_an_entropy_is_that_of_scipy(values: Floats) -> None:
    for row, found in zip(values, entropies(values), strict=True):
        assert abs(found - entropy(np.exp(row - row.max()))) < 1e-12


@pytest.mark.req("CAPC-RUN-033")
@every
@settings(deadline=None, max_examples=30)
@given(case=cases, count=st.integers(1, 40))
def test_an_order_is_a_permutation_that_seed_and_set_decide(strategy: Strategy, case: Case, count: int) -> None:
    found = case.chosen(strategy, count)
    assert sorted(found) == sorted(case.pool.tolist())
    assert found == case.chosen(strategy, count, pool=np.sort(case.pool)[::-1])


@pytest.mark.req("CAPC-RUN-033")
def test_another_seed_gives_another_random_order() -> None:
    case = Case(30, 3, 1)
    assert case.chosen(Strategy.RANDOM, 5, seed=1) != case.chosen(Strategy.RANDOM, 5, seed=2)


@pytest.mark.req("CAPC-RUN-032")
@pytest.mark.parametrize("strategy", [Strategy.MARGIN, Strategy.ENTROPY])
@given(case=cases, count=st.integers(1, 40))
def test_the_least_sure_rows_come_first_and_ties_go_to_the_lower_row(
    strategy: Strategy, case: Case, count: int
) -> None:
    values = case.model.logits(case.features[np.sort(case.pool)])
    keys = margins(values) if strategy is Strategy.MARGIN else -entropies(values)
    expected = sorted(zip(keys.tolist(), sorted(case.pool.tolist()), strict=True))
    assert case.chosen(strategy, count) == [row for _, row in expected]


@pytest.mark.req("CAPC-RUN-032")
@given(case=cases, count=st.integers(1, 40), block=st.sampled_from([1, 10, 1 << 22]))
def test_k_centre_takes_the_row_farthest_from_all_labelled_and_chosen(case: Case, count: int, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strategies, "_BLOCK_CELLS", block)
        found = case.chosen(Strategy.K_CENTRE, count)
    left, centres = sorted(case.pool.tolist()), case.labelled.tolist()
    for row in found[:count]:
        # The oracle: of those with the largest distance the lowest row.
        farthest = [cdist(case.features[[one]], case.features[centres]).min() if centres else 0.0 for one in left]
        assert row == left[int(np.argmax(farthest))]
        left.remove(row)
        centres.append(row)
    if left:
        nearest = cdist(case.features[left], case.features[centres]).min(axis=1)
        assert found[count:] == [row for _, row in sorted(zip(-nearest, left, strict=True))]


def blobs() -> tuple[Floats, FloatModel]:
    """60 rows in three places far apart, of sizes 10, 20 and 30, of which the model is equally unsure."""
    generator = np.random.default_rng(3)
    places = np.repeat([[0.0, 9.0], [0.0, 0.0], [0.0, -9.0]], [10, 20, 30], axis=0)
    features = places + generator.normal(0, 0.1, (60, 2)) * [0, 1]
    return features, FloatModel((np.array([[1.0, 0.0], [-1.0, 0.0]]),), (np.zeros(2),))


@pytest.mark.req("CAPC-RUN-032")
def test_clusters_give_one_row_each_in_turn_that_nearest_to_the_centre_of_the_heaviest_first() -> None:
    features, model = blobs()
    found = choose(Strategy.MARGIN_CLUSTERS, model, features, np.arange(0), np.arange(60), 3, (1, 2)).tolist()
    groups = [range(30, 60), range(10, 30), range(10)]
    for turn in range(10):
        for place, group in enumerate(groups):
            centre = features[group].mean(axis=0)
            nearest = sorted(group, key=lambda row: float(((features[row] - centre) ** 2).sum()))
            assert found[3 * turn + place] == nearest[turn]


@pytest.mark.req("CAPC-RUN-032")
def test_clusters_are_of_the_least_sure_rows_and_the_others_follow_by_margin() -> None:
    generator = np.random.default_rng(4)
    features = generator.normal(0, 1, (500, 2))
    model = FloatModel((generator.normal(0, 1, (3, 2)),), (np.zeros(3),))
    found = choose(Strategy.MARGIN_CLUSTERS, model, features, np.arange(0), np.arange(500), 4, (1, 2)).tolist()
    by_margin = np.argsort(margins(model.logits(features)), kind="stable").tolist()
    assert set(found[:200]) == set(by_margin[: strategies.WIDTH * 4])
    assert found[200:] == by_margin[200:]


@pytest.mark.req("CAPC-RUN-032")
@every
def test_equal_rows_come_in_their_order(strategy: Strategy) -> None:
    features, model = np.ones((9, 2)), FloatModel((np.eye(2),), (np.zeros(2),))
    found = choose(strategy, model, features, np.array([0]), np.array([8, 4, 6, 2]), 3, (1, 2)).tolist()
    assert found == [2, 4, 6, 8] if strategy is not Strategy.RANDOM else sorted(found) == [2, 4, 6, 8]


@every
def test_a_model_that_is_sure_of_all_rows_and_a_pool_of_one_or_none(strategy: Strategy) -> None:
    features = np.arange(12, dtype=np.float64).reshape(6, 2)
    model = FloatModel((np.array([[1e6, 0.0], [-1e6, 0.0]]),), (np.array([1e6, 0.0]),))
    for size in (0, 1, 5):
        found = choose(strategy, model, features, np.array([5]), np.arange(size), 2, (1, 2)).tolist()
        assert sorted(found) == list(range(size))
