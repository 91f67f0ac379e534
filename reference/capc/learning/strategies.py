"""Which rows of the pool a querying party asks about: strategies of active learning.

A strategy sees the querying party's own model, its own rows and its pool, and nothing that another party's data has
touched except through labels that were paid for.

Sources: entropy and margin sampling (Scheffer, Decomain, Wrobel 2001; Settles, Active learning literature survey,
2009, section 3.1), of which CaPC (arXiv 2102.05188, section 4.2) takes the margin; k-means of rows weighed by their
uncertainty (Zhdanov, Diverse mini-batch active learning, arXiv 1901.05954, 2019, section 3.3); greedy k-centre (Sener
and Savarese, Active learning for convolutional neural networks: a core-set approach, ICLR 2018, algorithm 1).

Spec: CAPC-RUN-032, CAPC-RUN-033.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from capc.learning.data import Floats, Indices
from capc.learning.training import LocalModel

WIDTH = 50
"""Of the rows with the smallest margins so many times the count are clustered."""
_LEAST_WEIGHT = 1e-6
"""Of a row of which the model is sure: weights may not all be 0."""
_BLOCK_CELLS = 1 << 22
"""Of an array of distances; as float64 they take 32 MiB."""


class Strategy(StrEnum):
    """How rows are chosen."""

    RANDOM = "random"
    """In an order drawn from the seed."""
    ENTROPY = "entropy"
    """The largest entropy of the predicted classes first."""
    MARGIN = "margin"
    """The smallest margin between the two likeliest classes first."""
    MARGIN_CLUSTERS = "margin_clusters"
    """K-means over rows weighed by one minus their margin; the row nearest to the centre of each cluster."""
    K_CENTRE = "k_centre"
    """The row that is farthest from all rows that are labelled or chosen first."""


def choose(
    strategy: Strategy,
    model: LocalModel,
    features: Floats,
    labelled: Indices,
    pool: Indices,
    count: int,
    seed: Sequence[int],
) -> Indices:
    """The whole pool in the order in which it should be asked, since some of the first may have been asked already.

    Ties go to the lower row. The order of ``pool`` does not matter.

    Args:
        strategy: the rule; it holds for the first ``count`` at least.
        model: the querying party's own.
        features: n x d, all rows of the data.
        labelled: indices of the rows whose labels the querying party has.
        pool: different indices of unlabelled rows.
        count: how many are to be asked, at least 1; all if there are fewer.
        seed: decides what the strategy draws.
    """
    rows = np.sort(pool)
    if len(rows) < 2:
        return rows
    count = min(count, len(rows))
    match strategy:
        case Strategy.RANDOM:
            order = np.random.default_rng(list(seed)).permutation(len(rows))
        case Strategy.ENTROPY:
            order = np.argsort(-entropies(model.logits(features[rows])), kind="stable")
        case Strategy.MARGIN:
            order = np.argsort(margins(model.logits(features[rows])), kind="stable")
        case Strategy.MARGIN_CLUSTERS:
            order = _clustered(features[rows], margins(model.logits(features[rows])), count, seed)
        case Strategy.K_CENTRE:
            order = _farthest_first(features[rows], features[labelled], count)
    return np.asarray(rows[order], dtype=np.int64)


def margins(logits: Floats) -> Floats:
    """Probability of the most likely class minus that of the second, for each row of n x C logits."""
    ordered = np.sort(probabilities(logits), axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2], dtype=np.float64)


def entropies(logits: Floats) -> Floats:
    """The entropy of the predicted classes in nats, for each row of n x C logits."""
    likely = probabilities(logits)
    logarithms = np.log(likely, out=np.zeros_like(likely), where=likely > 0)
    return np.asarray(-(likely * logarithms).sum(axis=1), dtype=np.float64)


def probabilities(logits: Floats) -> Floats:
    """The softmax of each row of n x C logits, n may be 0."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float64)


def _clustered(features: Floats, gaps: Floats, count: int, seed: Sequence[int]) -> Indices:
    """Of each cluster in turn the row that is nearest to its centre, of the heaviest first; then the others by margin.

    A row near a centre is like many others: votes agree on it more often than on a row of the smallest margin, and it
    stands for more of the pool.
    """
    by_margin = np.argsort(gaps, kind="stable")
    candidates, others = np.sort(by_margin[: WIDTH * count]), by_margin[WIDTH * count :]
    weights = np.maximum(1 - gaps[candidates], _LEAST_WEIGHT)
    clusters, squares = _clusters(features[candidates], weights, count, seed)
    inner = np.lexsort((squares, clusters))
    turns = np.empty(len(candidates), dtype=np.int64)
    turns[inner] = np.arange(len(candidates)) - np.searchsorted(clusters[inner], clusters[inner])
    heaviness = np.bincount(clusters, weights)[clusters]
    return np.concatenate([candidates[np.lexsort((clusters, -heaviness, turns))], others])


def _clusters(features: Floats, weights: Floats, count: int, seed: Sequence[int]) -> tuple[Indices, Floats]:
    """Of each row its cluster by weighted k-means, ``count`` at most, and the squared distance to its centre."""
    from sklearn.cluster import KMeans  # noqa: PLC0415  # a second of import time that other strategies do not need
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  # as above
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  # comes with scikit-learn

    state = int(np.random.SeedSequence(list(seed)).generate_state(1)[0])
    # One thread: sums are then in the same order whatever the machine.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # There may be fewer different rows than clusters; some are empty then.
        warnings.simplefilter("ignore", ConvergenceWarning)
        means = KMeans(min(count, len(features)), n_init=1, random_state=state)
        clusters = np.asarray(means.fit_predict(features, sample_weight=weights), dtype=np.int64)
    centres = np.asarray(means.cluster_centers_, dtype=np.float64)
    return clusters, np.asarray(((features - centres[clusters]) ** 2).sum(axis=1), dtype=np.float64)


def _farthest_first(features: Floats, labelled: Floats, count: int) -> Indices:
    """Greedy k-centre for the first ``count``; then the others, the farthest from all of these first."""
    nearest = _nearest_squares(features, labelled)
    chosen = []
    for _ in range(count):
        row = int(nearest.argmax())
        chosen.append(row)
        nearest = np.minimum(nearest, _squares(features, features[row]))
        # A chosen row comes after all others, also where these are at distance 0.
        nearest[row] = -1.0
    rest = np.argsort(-nearest, kind="stable")[: len(nearest) - count]
    return np.concatenate([np.array(chosen, dtype=np.int64), rest])


def _nearest_squares(features: Floats, centres: Floats) -> Floats:
    """Of each row the squared distance to the nearest centre; infinite where there is no centre."""
    nearest = np.full(len(features), np.inf)
    if not len(centres):
        return nearest
    lengths = (centres**2).sum(axis=1)
    step = max(1, _BLOCK_CELLS // max(len(centres), features.shape[1]))
    for start in range(0, len(features), step):
        block = features[start : start + step]
        # A product finds the centre quickly; the difference to it is exact for equal rows.
        closest = (lengths - 2 * block @ centres.T).argmin(axis=1)
        nearest[start : start + step] = ((block - centres[closest]) ** 2).sum(axis=1)
    return nearest


def _squares(features: Floats, centre: Floats) -> Floats:
    squares = np.empty(len(features))
    step = max(1, _BLOCK_CELLS // features.shape[1])
    for start in range(0, len(features), step):
        squares[start : start + step] = ((features[start : start + step] - centre) ** 2).sum(axis=1)
    return squares
