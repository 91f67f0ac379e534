"""Which points of the pool the querying party asks about.

Source: margin sampling (Scheffer, Decomain, Wrobel 2001), as in section 4.2 of CaPC (arXiv 2102.05188).
"""

from __future__ import annotations

import numpy as np

from capc.learning.data import Floats, Indices
from capc.learning.training import FloatModel


def margins(logits: Floats) -> Floats:
    """Probability of the most likely class minus that of the second, for each row of n x C logits."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    ordered = np.sort(shifted / shifted.sum(axis=1, keepdims=True), axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2], dtype=np.float64)


def by_margin(model: FloatModel, features: Floats, pool: Indices, count: int) -> Indices:
    """The ``count`` different points of the pool with the smallest margins, the smallest first.

    All are chosen before the first query, from the querying party's own model: the choice then depends on nothing
    that another party's data has touched.

    Args:
        model: the querying party's own.
        features: n x d, all rows of the data.
        pool: indices of the unlabelled rows.
        count: how many, at most the size of the pool.
    """
    order = np.argsort(margins(model.logits(features[pool])), kind="stable")
    return pool[order[:count]]
