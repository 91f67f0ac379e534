"""Quality of a model on held-out rows: in the mean, of each class, and of each group (CAPC-RUN-031)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capc.learning.data import Column, Indices


@dataclass(frozen=True)
class GroupScore:
    """Quality on the rows of one group.

    Attributes:
        value: of the column, as in the source.
        accuracy: the fraction of its rows that are predicted right.
        balanced: the mean of that fraction over the classes that occur in the group.
    """

    value: int
    accuracy: float
    balanced: float


@dataclass(frozen=True)
class Score:
    """Quality on held-out rows.

    Attributes:
        accuracy: the fraction of rows that are predicted right.
        balanced: the mean of that fraction over the classes that occur.
        per_class: that fraction of each of the C classes; None of one that does not occur.
        groups: for each value of the column that occurs, ascending; empty without a column.
        per_label: where classes are sets, of each label the mean of the fractions of rows with and without it, as far
            as there are any, for which it is predicted right; empty otherwise.
    """

    accuracy: float
    balanced: float
    per_class: tuple[float | None, ...]
    groups: tuple[GroupScore, ...] = ()
    per_label: tuple[float, ...] = ()

    @property
    def worst_class(self) -> float:
        """The accuracy of the class that has the lowest."""
        return min(_known(self.per_class))

    @property
    def worst_group(self) -> float | None:
        """The balanced accuracy of the group that has the lowest; None without groups."""
        return min((group.balanced for group in self.groups), default=None)

    def document(self) -> dict[str, object]:
        """The score as a JSON object, the worst ones included."""
        return {
            "accuracy": self.accuracy,
            "balanced": self.balanced,
            "per_class": list(self.per_class),
            "worst_class": self.worst_class,
            "groups": [
                {"value": group.value, "accuracy": group.accuracy, "balanced": group.balanced} for group in self.groups
            ],
            "worst_group": self.worst_group,
            "per_label": list(self.per_label),
        }


def score(
    predicted: Indices, labels: Indices, num_classes: int, groups: Column | None = None, *, labels_of_sets: int = 0
) -> Score:
    """Compares predictions with the truth.

    Args:
        predicted: n class indices, n at least 1.
        labels: the n true ones in [0, C).
        num_classes: C.
        groups: an attribute of these n rows (:meth:`capc.learning.data.Column.of`); None leaves groups out.
        labels_of_sets: L, where classes are numbers of sets of labels; 0 where they are classes.
    """
    right = predicted == labels
    per_class = _per_class(right, labels, num_classes)
    parts = () if groups is None else _of_groups(right, labels, num_classes, groups)
    per_label = tuple(_of_label(predicted, labels, label) for label in range(labels_of_sets))
    return Score(float(right.mean()), _mean(per_class), per_class, parts, per_label)


def _of_label(predicted: Indices, labels: Indices, label: int) -> float:
    held = labels >> label & 1
    return _mean(_per_class((predicted >> label & 1) == held, held, 2))


def _of_groups(right: NDArray[np.bool_], labels: Indices, num_classes: int, groups: Column) -> tuple[GroupScore, ...]:
    parts = []
    for code, value in enumerate(groups.values):
        members = groups.codes == code
        if members.any():
            per_class = _per_class(right[members], labels[members], num_classes)
            parts.append(GroupScore(value, float(right[members].mean()), _mean(per_class)))
    return tuple(parts)


def _per_class(right: NDArray[np.bool_], labels: Indices, num_classes: int) -> tuple[float | None, ...]:
    rows = np.bincount(labels, minlength=num_classes).tolist()
    hits = np.bincount(labels[right], minlength=num_classes).tolist()
    return tuple(hit / count if count else None for hit, count in zip(hits, rows, strict=True))


def _mean(per_class: tuple[float | None, ...]) -> float:
    known = _known(per_class)
    return sum(known) / len(known)


def _known(per_class: tuple[float | None, ...]) -> list[float]:
    return [accuracy for accuracy in per_class if accuracy is not None]
