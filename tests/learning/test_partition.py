"""The split: every row has exactly one holder, and every holder has enough."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.learning.partition import MIN_PARTY_ROWS, Partition, Sizes, split


@st.composite
def populations(draw: st.DrawFn) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], int, int]:
    num_classes = draw(st.integers(2, 6))
    rows = draw(st.integers(40, 300))
    labels = np.array(draw(st.lists(st.integers(0, num_classes - 1), min_size=rows, max_size=rows)), dtype=np.int64)
    most = Sizes.of(rows, num_classes).answering // MIN_PARTY_ROWS
    assume(most >= 1)
    return labels, num_classes, draw(st.integers(1, most))


@pytest.mark.slow
@given(population=populations(), partition=st.sampled_from(Partition), seed=st.integers(0, 2**63 - 1))
def test_every_row_belongs_to_exactly_one_role(
    population: tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], int, int], partition: Partition, seed: int
) -> None:
    labels, num_classes, parties = population
    division = split(labels, num_classes, parties, partition, seed)
    held = np.concatenate([division.test, division.labelled, division.pool, *division.answering])
    assert sorted(held.tolist()) == list(range(len(labels)))
    assert len(division.answering) == parties
    assert min(len(rows) for rows in division.answering) >= MIN_PARTY_ROWS
    sizes = Sizes.of(len(labels), num_classes)
    assert (len(division.test), len(division.labelled), len(division.pool)) == (sizes.test, sizes.labelled, sizes.pool)


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    labels = np.arange(400, dtype=np.int64) % 4
    for partition in Partition:
        first, again, other = (split(labels, 4, 5, partition, seed) for seed in (1, 1, 2))
        assert [rows.tolist() for rows in first.answering] == [rows.tolist() for rows in again.answering]
        assert first.pool.tolist() != other.pool.tolist()


def test_skewed_parties_see_other_class_frequencies_than_iid_ones() -> None:
    """The spread of class frequencies over 40 parties, more than twice that of equal shares."""
    labels = np.arange(4000, dtype=np.int64) % 4

    def spread(partition: Partition) -> float:
        shares = split(labels, 4, 40, partition, 3).answering
        frequencies = [np.bincount(labels[rows], minlength=4) / len(rows) for rows in shares]
        return float(np.std(frequencies, axis=0).mean())

    assert spread(Partition.SKEWED) > 2 * spread(Partition.IID)


def check(rows: int, classes: int, parties: int, queries: int) -> None:
    Sizes.of(rows, classes).check(parties, queries, "--parties", "--queries", "a file")


def test_one_answering_party_is_enough() -> None:
    check(rows=100, classes=2, parties=1, queries=10)


@pytest.mark.parametrize(
    ("rows", "classes", "parties", "queries", "problem"),
    [
        (1797, 10, 142, 20, "parties = 142 (--parties)"),
        (1797, 10, 4096, 20, "parties = 4096 (--parties)"),
        (1797, 10, 20, 180, "queries = 180 (--queries): the unlabelled pool has 179"),
        (10, 2, 1, 1, "10 rows (a file): too few"),
        (3, 3, 1, 1, "3 rows (a file): too few"),
    ],
)
def test_a_role_without_enough_rows_is_refused(
    rows: int, classes: int, parties: int, queries: int, problem: str
) -> None:
    with pytest.raises(InputError) as refusal:
        check(rows, classes, parties, queries)
    assert problem in str(refusal.value)


@given(rows=st.integers(2, 3000), classes=st.integers(2, 20))
def test_the_largest_number_of_parties_named_in_a_refusal_is_accepted(rows: int, classes: int) -> None:
    sizes = Sizes.of(rows, classes)
    most = sizes.answering // MIN_PARTY_ROWS
    assume(most >= 1)
    check(rows, classes, most, sizes.pool)
    with pytest.raises(InputError, match=f"at most {most}"):
        check(rows, classes, most + 1, sizes.pool)
