"""Scores, against scikit-learn and against a count by hand."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from capc.learning.data import Column, Indices
from capc.learning.metrics import GroupScore, Score, score


def indices(values: list[int]) -> Indices:
    return np.array(values, dtype=np.int64)


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Indices, Indices, int, Column]:
    """Classes and groups that may or may not occur, one row among them."""
    num_classes, num_groups = draw(st.integers(2, 6)), draw(st.integers(1, 4))
    cells = st.tuples(*(st.integers(0, most - 1) for most in (num_classes, num_classes, num_groups)))
    rows = draw(st.lists(cells, min_size=1, max_size=40))
    predicted, labels, codes = (indices(list(column)) for column in zip(*rows, strict=True))
    return predicted, labels, num_classes, Column("site", tuple(range(100, 100 + num_groups)), codes)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-031")
@given(case=predictions())
def test_scores_are_those_of_scikit_learn(case: tuple[Indices, Indices, int, Column]) -> None:
    predicted, labels, num_classes, groups = case
    found = score(predicted, labels, num_classes, groups)
    assert found.accuracy == pytest.approx(accuracy_score(labels, predicted))
    occurring = np.unique(labels)
    recalls = recall_score(labels, predicted, labels=occurring, average=None)
    assert [found.per_class[label] for label in occurring] == pytest.approx(list(recalls))
    assert [label for label, known in enumerate(found.per_class) if known is not None] == occurring.tolist()
    assert found.balanced == pytest.approx(float(np.mean(recalls)))
    assert found.worst_class == pytest.approx(recalls.min())
    assert [group.value for group in found.groups] == [100 + code for code in np.unique(groups.codes)]
    for group in found.groups:
        part = groups.codes == group.value - 100
        assert group.accuracy == pytest.approx(accuracy_score(labels[part], predicted[part]))
        recalls = recall_score(labels[part], predicted[part], labels=np.unique(labels[part]), average=None)
        assert group.balanced == pytest.approx(float(np.mean(recalls)))
    assert found.worst_group == min(group.balanced for group in found.groups)


@given(case=predictions())
def test_scores_are_a_count_of_rows(case: tuple[Indices, Indices, int, Column]) -> None:
    predicted, labels, num_classes, groups = case
    found = score(predicted, labels, num_classes, groups)
    for label, known in enumerate(found.per_class):
        right = [guess == label for guess, truth in zip(predicted, labels, strict=True) if truth == label]
        assert known == (float(Fraction(sum(right), len(right))) if right else None)


def test_balanced_accuracy_is_scikit_learns_where_every_predicted_class_occurs() -> None:
    labels, predicted = indices([0, 0, 0, 1, 2, 2]), indices([0, 1, 0, 1, 0, 2])
    assert score(predicted, labels, 3).balanced == pytest.approx(balanced_accuracy_score(labels, predicted))


@pytest.mark.req("CAPC-RUN-031")
def test_the_mean_hides_the_worst_class_and_group_and_the_score_tells_them() -> None:
    """Nine of ten rows are right; the one that is wrong is a class and a group of its own."""
    labels, predicted = indices([0] * 9 + [1]), indices([0] * 10)
    found = score(predicted, labels, 3, Column("sex", (4, 7, 9), indices([0] * 9 + [2])))
    assert found == Score(0.9, 0.5, (1.0, 0.0, None), (GroupScore(4, 1.0, 1.0), GroupScore(9, 0.0, 0.0)))
    assert json.loads(json.dumps(found.document())) == {
        "accuracy": 0.9,
        "balanced": 0.5,
        "per_class": [1.0, 0.0, None],
        "worst_class": 0.0,
        "groups": [
            {"value": 4, "accuracy": 1.0, "balanced": 1.0},
            {"value": 9, "accuracy": 0.0, "balanced": 0.0},
        ],
        "worst_group": 0.0,
        "per_label": [],
    }


def test_without_groups_there_is_no_worst_one() -> None:
    found = score(indices([1]), indices([1]), 2)
    assert (found.groups, found.worst_group, found.worst_class) == ((), None, 1.0)
    assert found.document()["worst_group"] is None


def test_groups_follow_their_rows() -> None:
    """A column restricted to some rows scores as the whole column does on these rows alone."""
    column = Column("site", (1, 2), indices([0, 1, 1, 0, 1]))
    rows = indices([4, 0, 2])
    found = score(indices([0, 0, 1]), indices([0, 1, 1]), 2, column.of(rows))
    assert found.groups == (GroupScore(1, 0.0, 0.0), GroupScore(2, 1.0, 1.0))
