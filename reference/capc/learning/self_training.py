"""Self-training: a party labels its own pool with its own model, where that is sure, and learns from it.

It costs nothing and asks nobody, so it is what bought labels are compared with.

Source: pseudo-labels (Lee, Pseudo-label: the simple and efficient semi-supervised learning method for deep neural
networks, ICML workshop 2013), for predictions above a fixed confidence (Sohn et al., FixMatch, NeurIPS 2020,
section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from capc.learning.data import Floats
from capc.learning.strategies import probabilities
from capc.learning.training import LocalModel, TrainingTask

Model = TypeVar("Model", bound=LocalModel)
CONFIDENCE = 0.95
"""The least probability of the likeliest class."""


def self_train(task: TrainingTask, pool: Floats, train: Callable[[TrainingTask], Model]) -> Model:
    """Trains on the labelled rows, then anew on these and on every row of the pool of which the first model is sure.

    Args:
        task: the training on labelled rows.
        pool: n x d unlabelled rows, n may be 0.
        train: what trains, once or twice.
    """
    first = train(task)
    likely = probabilities(first.logits(pool))
    sure = likely.max(axis=1) >= CONFIDENCE
    if not sure.any():
        return first
    guessed = np.asarray(likely[sure].argmax(axis=1), dtype=np.int64)
    return train(
        replace(
            task,
            features=np.concatenate([task.features, pool[sure]]),
            labels=np.concatenate([task.labels, guessed]),
        )
    )
