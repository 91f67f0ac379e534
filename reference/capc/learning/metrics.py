"""Accuracy on held-out rows."""

from __future__ import annotations

import numpy as np

from capc.learning.data import Indices


def accuracy(predicted: Indices, labels: Indices) -> float:
    """The fraction of rows whose predicted class is right; there is at least one row."""
    return float(np.mean(predicted == labels))


def balanced_accuracy(predicted: Indices, labels: Indices) -> float:
    """The mean, over the classes that occur in ``labels``, of the fraction of that class predicted right."""
    right = predicted == labels
    return float(np.mean([np.mean(right[labels == label]) for label in np.unique(labels)]))
