"""The split: every row has at most one holder, and every holder what the public figures and the partition say."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from capc.foundation.errors import InputError
from capc.learning.data import Column, Dataset, Indices
from capc.learning.division import RoleSizes, role_sizes
from capc.learning.partition import MIN_PARTY_ROWS, Division, Partition, Skewed, Split, split

BY_CLASS = [Partition.IID, Partition.WEAK, Partition.MISSING, Partition.DIRICHLET]


def data_of(labels: Indices, num_classes: int, **columns: Indices) -> Dataset:
    """Rows without features to speak of, and columns whose values are 10, 11, ..."""
    attributes = {
        name: Column(name, tuple(range(10, 11 + int(codes.max()))), codes.astype(np.int64))
        for name, codes in columns.items()
    }
    return Dataset("rows", np.zeros((len(labels), 1)), labels, tuple(range(num_classes)), (), attributes)


def alike(rows: int, num_classes: int) -> Dataset:
    return data_of(np.arange(rows, dtype=np.int64) % num_classes, num_classes)


def count(dataset: Dataset, rows: Indices) -> list[int]:
    """Rows of each class, by a plain loop."""
    found = Counter(int(dataset.labels[row]) for row in rows)
    return [found[label] for label in range(dataset.num_classes)]


def held(found: Split) -> list[int]:
    return [int(row) for rows in (found.test, *found.pools, *found.parties) for row in rows]


@st.composite
def divisions(draw: st.DrawFn) -> tuple[Dataset, Division]:
    """Any labels and columns, and any division of as many rows as its figures need."""
    partition = draw(st.sampled_from(Partition))
    parties = draw(st.integers(1, 8))
    num_classes = draw(st.integers(2, 6))
    column = draw(st.sampled_from([None, "site"])) if partition is not Partition.IID else None
    rows = draw(st.integers(13 * MIN_PARTY_ROWS * parties // 8 + 20, 500))
    values = draw(st.integers(2, 9))
    each = (MIN_PARTY_ROWS, max(MIN_PARTY_ROWS, (rows - rows // 4 - rows // 10) // parties))
    queriers = draw(st.integers(1, min(parties, rows // 10)))
    party_rows = draw(st.none() | st.integers(*each))
    most = party_rows or each[1]
    division = Division(
        parties,
        queriers,
        partition,
        draw(st.sampled_from(Skewed)),
        "site" if partition is Partition.COLUMN else column,
        weak_classes=draw(st.integers(1, min(num_classes, values) - 1)),
        weak_ratio=draw(st.fractions(0, 1, max_denominator=20)),
        missing_classes=draw(st.none() | st.integers(1, min(num_classes, values) - 1)),
        alpha=draw(st.sampled_from([Fraction(1, 10**30), Fraction(1, 5), Fraction(1), Fraction(10**30)])),
        party_rows=party_rows,
        querying_rows=draw(st.none() | st.integers(MIN_PARTY_ROWS, most)) if queriers < parties else None,
    )
    labels = draw(arrays.arrays(np.int64, rows, elements=st.integers(0, num_classes - 1)))
    sites = draw(arrays.arrays(np.int64, rows, elements=st.integers(0, values - 1), fill=st.just(values - 1)))
    return data_of(labels, num_classes, site=sites), division


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-029", "CAPC-RUN-030")
@given(case=divisions(), seed=st.integers(0, 2**63 - 1))
def test_every_row_has_at_most_one_role_and_every_role_its_rows(case: tuple[Dataset, Division], seed: int) -> None:
    dataset, division = case
    sizes = role_sizes(division, dataset.num_rows)
    try:
        found = split(dataset, division, seed)
    except InputError as refusal:
        # Only what the data decide: too few values, or too few rows of what a party may have.
        assert division.partition in {Partition.COLUMN, Partition.WEAK, Partition.MISSING}
        assert str(refusal).startswith(("partition = ", "column = site: ", "weak_classes = ", "missing_classes = "))  # noqa: PT017
        return
    rows = held(found)
    assert len(rows) == len(set(rows))
    assert set(rows) <= set(range(dataset.num_rows))
    assert len(found.test) == sizes.test
    assert [len(pool) for pool in found.pools] == list(sizes.pools)
    assert len(found.parties) == division.parties
    assert min(len(share) for share in found.parties) >= MIN_PARTY_ROWS
    exact = division.partition is Partition.IID or (division.partition is Partition.DIRICHLET and division.sizes_given)
    for party, (share, size) in enumerate(zip(found.parties, sizes.parties, strict=True)):
        if exact or (division.skewed is Skewed.QUERYING and party >= division.queriers):
            assert len(share) == size
        elif division.partition in {Partition.WEAK, Partition.MISSING} or division.sizes_given:
            assert len(share) <= size
    if division.partition is Partition.DIRICHLET and not division.sizes_given and division.skewed is Skewed.ALL:
        assert len(rows) == dataset.num_rows
    again = split(dataset, division, seed)
    assert held(again) == rows


@pytest.mark.req("CAPC-RUN-029")
@pytest.mark.parametrize("partition", BY_CLASS)
def test_the_same_seed_gives_the_same_split_and_another_seed_another(partition: Partition) -> None:
    dataset, division = alike(400, 4), Division(5, 2, partition)
    first, again, other = (split(dataset, division, seed) for seed in (1, 1, 2))
    assert held(first) == held(again)
    assert held(first) != held(other)
    assert first.pools[0].tolist() != other.pools[0].tolist()


@pytest.mark.parametrize("partition", BY_CLASS)
@pytest.mark.parametrize("skewed", Skewed)
def test_held_out_rows_and_pools_are_drawn_from_all_rows_alike(partition: Partition, skewed: Skewed) -> None:
    """Mean frequencies of the first class over 60 seeds, five standard deviations wide; 3 of 10 rows have it."""
    dataset = data_of((np.arange(1000) % 10 < 7).astype(np.int64), 2)
    division = Division(4, 2, partition, skewed, weak_classes=1)
    found = [split(dataset, division, seed) for seed in range(60)]
    for rows in ([each.test for each in found], [each.pools[0] for each in found], [each.pools[1] for each in found]):
        every = np.concatenate(rows)
        assert abs((dataset.labels[every] == 0).mean() - 0.3) < 5 * (0.21 / len(every)) ** 0.5


def test_parties_that_are_not_skewed_are_drawn_at_random() -> None:
    """Their class counts vary as a hypergeometric law says, whose variance is computed here."""
    dataset, division = alike(2000, 2), Division(10, party_rows=100, querying_rows=8)
    counts = [count(dataset, share)[0] for seed in range(40) for share in split(dataset, division, seed).parties[1:]]
    assert abs(np.mean(counts) - 50) < 1
    assert 0.75 < np.var(counts) / (100 * 0.25 * 1900 / 1999) < 1.3


WEAK = st.tuples(st.integers(3, 6), st.integers(2, 12), st.fractions(0, 1, max_denominator=10), st.integers(0, 10**9))


@pytest.mark.req("CAPC-RUN-029")
@given(case=WEAK, skewed=st.sampled_from(Skewed))
def test_weak_classes_have_their_ratio_of_the_share_and_sizes_are_exact(
    case: tuple[int, int, Fraction, int], skewed: Skewed
) -> None:
    """Half of the rows are spare, so that every party can be filled up from its other classes."""
    num_classes, parties, ratio, seed = case
    dataset = alike(2400, num_classes)
    rows = 2400 - 600 - 240
    division = Division(
        parties, 1, Partition.WEAK, skewed, weak_classes=1, weak_ratio=ratio, party_rows=rows // (4 * parties)
    )
    found = split(dataset, division, seed)
    labelled = np.concatenate([found.parties[0], *found.parties[1:]])
    assert len(labelled) == parties * (rows // (4 * parties))
    left = np.setdiff1d(np.arange(2400), np.concatenate([found.test, *found.pools]))
    total = count(dataset, left)
    for share in found.parties if skewed is Skewed.ALL else found.parties[:1]:
        counts = count(dataset, share)
        shares = [Fraction(len(share) * each, rows) for each in total]
        weak = [label for label in range(num_classes) if abs(counts[label] - ratio * shares[label]) < 1]
        # One class is at the ratio within rounding, and the others at least at their share, within rounding too.
        assert any(
            all(counts[label] > shares[label] - 2 for label in range(num_classes) if label != low) for low in weak
        )


@pytest.mark.parametrize("ratio", [Fraction(0), Fraction(1, 10), Fraction(1, 2)])
def test_weak_classes_are_drawn_for_each_party_and_rounded_without_bias(ratio: Fraction) -> None:
    dataset = alike(20_000, 10)
    found = split(dataset, Division(200, partition=Partition.WEAK, weak_ratio=ratio), 5)
    counts = np.array([count(dataset, share) for share in found.parties])
    assert {len(share) for share in found.parties} == {65}
    lowest = np.sort(counts, axis=1)[:, :2]
    assert abs(lowest.mean() - 6.5 * ratio) < 0.25
    weak = {tuple(sorted(np.argsort(row, kind="stable")[:2])) for row in counts}
    assert len(weak) > 20
    assert counts.sum() == 13_000


@pytest.mark.req("CAPC-RUN-029")
@given(
    num_classes=st.integers(2, 8),
    parties=st.integers(1, 12),
    missing=st.none() | st.integers(1, 7),
    seed=st.integers(0, 10**9),
    skewed=st.sampled_from(Skewed),
)
def test_missing_classes_are_missing_and_every_class_stays_with_somebody(
    num_classes: int, parties: int, missing: int | None, seed: int, skewed: Skewed
) -> None:
    lacked = num_classes // 2 if missing is None else min(missing, num_classes - 1)
    dataset = alike(3000, num_classes)
    each = 1500 // (parties * num_classes)
    division = Division(
        parties, 1, Partition.MISSING, skewed, missing_classes=None if missing is None else lacked, party_rows=each
    )
    found = split(dataset, division, seed)
    counts = [count(dataset, share) for share in found.parties]
    # Fewer rows than one class has: nobody is short.
    assert [len(share) for share in found.parties] == [each] * parties
    for row in counts if skewed is Skewed.ALL else counts[:1]:
        assert sum(not rows for rows in row) >= lacked
        assert each < 3 * num_classes or sum(not rows for rows in row) == lacked
    kept = {label for row in counts for label, rows in enumerate(row) if rows}
    if parties * (num_classes - lacked) >= num_classes and each >= 3 * num_classes:
        assert len(kept) == num_classes


@pytest.mark.parametrize("seed", range(20))
def test_of_two_classes_one_is_missing_of_each_of_two_parties_and_none_of_both(seed: int) -> None:
    dataset = alike(200, 2)
    found = split(dataset, Division(2, partition=Partition.MISSING), seed)
    counts = sorted(count(dataset, share) for share in found.parties)
    assert [[bool(rows) for rows in row] for row in counts] == [[False, True], [True, False]]
    # 130 rows are left, of the classes about as many; who has fewer of its own than 65 stays smaller.
    labelled = np.setdiff1d(np.arange(200), np.concatenate([found.test, *found.pools]))
    assert sorted(map(sum, counts)) == sorted(min(65, rows) for rows in count(dataset, labelled))


def test_one_party_may_lack_classes_and_the_rest_belongs_to_none() -> None:
    dataset = alike(400, 4)
    (only,) = split(dataset, Division(1, partition=Partition.MISSING, party_rows=60), 3).parties
    assert sorted(map(bool, count(dataset, only))) == [False, False, True, True]
    assert len(only) == 60
    (everything,) = split(dataset, Division(1), 3).parties
    assert len(everything) == 260


def test_a_querying_party_is_skewed_alone_and_small() -> None:
    dataset = alike(20_000, 10)
    for partition in (Partition.WEAK, Partition.MISSING):
        division = Division(
            20, 2, partition, Skewed.QUERYING, party_rows=600, querying_rows=100, weak_ratio=Fraction(0)
        )
        found = split(dataset, division, 1)
        assert [len(share) for share in found.parties] == [100] * 2 + [600] * 18
        lacked = 2 if partition is Partition.WEAK else 5
        assert [count(dataset, share).count(0) for share in found.parties] == [lacked] * 2 + [0] * 18


def test_an_attribute_takes_the_place_of_the_classes() -> None:
    """The querying party lacks one sex, and has both classes."""
    sexes = np.arange(2000) // 2 % 2
    dataset = data_of(np.arange(2000, dtype=np.int64) % 2, 2, sex=sexes)
    division = Division(8, partition=Partition.MISSING, skewed=Skewed.QUERYING, column="sex")
    found = split(dataset, division, 4)
    assert {len(share) for share in found.parties} == {162, 163}
    assert [len(set(sexes[share].tolist())) for share in found.parties] == [1] + [2] * 7
    assert min(count(dataset, found.parties[0])) > 50


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-029")
@given(
    weights=st.lists(st.integers(1, 30), min_size=2, max_size=12),
    parties=st.integers(2, 5),
    seed=st.integers(0, 10**9),
    skewed=st.sampled_from(Skewed),
)
def test_a_column_deals_whole_values_to_parties(weights: list[int], parties: int, seed: int, skewed: Skewed) -> None:
    sites = np.repeat(np.arange(len(weights)), np.array(weights) * 40)
    dataset = data_of(np.arange(len(sites), dtype=np.int64) % 2, 2, site=sites)
    division = Division(parties, 1, Partition.COLUMN, skewed, column="site")
    if skewed is Skewed.ALL and len(weights) < parties:
        with pytest.raises(InputError, match=f"column = site: {len(weights)} of its values .* choose fewer parties"):
            split(dataset, division, seed)
        return
    found = split(dataset, division, seed)
    values = [set(sites[share].tolist()) for share in found.parties]
    if skewed is Skewed.ALL:
        # Each value is at one party, with all of its labelled rows.
        assert sum(map(len, values)) == len(weights)
        assert sorted(held(found)) == list(range(len(sites)))
    else:
        assert len(values[0]) < len(weights)
        assert len(found.parties[0]) <= role_sizes(division, dataset.num_rows).parties[0]


def test_values_are_dealt_such_that_small_ones_share_a_party() -> None:
    """With the smallest first, a party could be left with five rows."""
    sites = np.repeat([0, 1, 2], [2000, 9, 9])
    dataset = data_of(np.arange(len(sites), dtype=np.int64) % 2, 2, site=sites)
    division = Division(2, partition=Partition.COLUMN, column="site", test_rows=1, pool_rows=1)
    for seed in range(20):
        shares = split(dataset, division, seed).parties
        assert sorted(set(sites[share].tolist()) == {0} for share in shares) == [False, True]


@pytest.mark.req("CAPC-RUN-030", "CAPC-RUN-001")
@pytest.mark.parametrize(
    ("division", "problem"),
    [
        (Division(2, partition=Partition.COLUMN, column="none"), "column = none: it was not read with the data"),
        (Division(2, partition=Partition.COLUMN, column="one"), "column = one: 1 of its values are among the"),
        (
            Division(2, partition=Partition.COLUMN, skewed=Skewed.QUERYING, column="one"),
            "it takes 2 for parties that differ: choose a column with more",
        ),
        (
            Division(4, partition=Partition.COLUMN, column="two"),
            "2 of its values .* it takes 4 .* choose fewer parties",
        ),
        (
            Division(2, partition=Partition.MISSING, column="one"),
            "column = one: it has one value: choose a column with",
        ),
        (Division(2, partition=Partition.WEAK, column="one"), "column = one: it has one value"),
        (
            Division(2, partition=Partition.WEAK, column="two"),
            "weak_classes = 2: there are 2 values of two: choose at m",
        ),
        (
            Division(2, partition=Partition.MISSING, column="two", missing_classes=3),
            "missing_classes = 3: there are 2 values of two: choose at most 1",
        ),
        (
            Division(20, partition=Partition.MISSING, column="rare", weak_classes=1),
            "partition = missing: party .* would have [0-7] rows of the values of rare that it keeps, and each needs 8",
        ),
    ],
)
def test_what_only_the_data_rule_out_is_refused_in_one_line(division: Division, problem: str) -> None:
    labels = np.arange(400, dtype=np.int64) % 2
    dataset = data_of(labels, 2, one=np.zeros(400, int), two=labels, rare=(np.arange(400) < 5).astype(int))
    with pytest.raises(InputError, match=problem) as refusal:
        split(dataset, division, 0)
    assert str(refusal.value).isprintable()


def test_a_column_with_one_value_can_still_be_divided_in_unequal_shares() -> None:
    dataset = data_of(np.arange(400, dtype=np.int64) % 2, 2, one=np.zeros(400, int))
    found = split(dataset, Division(5, partition=Partition.DIRICHLET, column="one"), 0)
    assert sum(map(len, found.parties)) == 260
    assert len({len(share) for share in found.parties}) > 1


def test_dirichlet_shares_have_the_moments_of_the_law() -> None:
    """Each share of a class has mean 1/P and variance (1/P) (1 - 1/P) / (P alpha + 1)."""
    dataset, parties = alike(8000, 40), 5
    for alpha in (Fraction(1, 2), Fraction(1), Fraction(4)):
        shares = []
        for seed in range(20):
            found = split(dataset, Division(parties, partition=Partition.DIRICHLET, alpha=alpha), seed)
            counts = np.array([count(dataset, share) for share in found.parties])
            shares.append(counts / counts.sum(axis=0))
        variance = 0.2 * 0.8 / (parties * float(alpha) + 1)
        assert abs(np.var(shares) - variance) < 0.12 * variance


@pytest.mark.parametrize("alpha", [Fraction(1, 10**30), Fraction(1, 10**400)])
def test_with_a_tiny_alpha_a_class_is_at_one_party_unless_others_would_have_too_few(alpha: Fraction) -> None:
    dataset = alike(4000, 10)
    found = split(dataset, Division(6, partition=Partition.DIRICHLET, alpha=alpha), 2)
    counts = np.array([count(dataset, share) for share in found.parties])
    assert counts.sum() == 2600
    assert np.sort(counts, axis=0)[:-1].sum() <= 6 * MIN_PARTY_ROWS
    exact = split(dataset, Division(6, partition=Partition.DIRICHLET, alpha=alpha, party_rows=100), 2)
    assert [len(share) for share in exact.parties] == [100] * 6
    # Where three parties would have the same class whole, there are some 260 rows for their 300.
    assert min(max(count(dataset, share)) for share in exact.parties) > 60


@pytest.mark.parametrize("alpha", [Fraction(10**12), Fraction(10**400)])
def test_with_a_huge_alpha_all_parties_are_alike(alpha: Fraction) -> None:
    dataset = alike(4000, 10)
    found = split(dataset, Division(6, partition=Partition.DIRICHLET, alpha=alpha), 2)
    counts = np.array([count(dataset, share) for share in found.parties])
    assert np.ptp(counts, axis=0).max() <= 1


@pytest.mark.parametrize("partition", [*BY_CLASS, Partition.COLUMN])
def test_sizes_that_differ_are_geometric_and_drawn(partition: Partition) -> None:
    labels = np.arange(20_000, dtype=np.int64) % 4
    dataset = data_of(labels, 4, site=np.arange(20_000) % 60)
    division = Division(
        9,
        partition=partition,
        size_ratio=Fraction(16),
        column="site" if partition is Partition.COLUMN else None,
        party_rows=700,
    )
    sizes = [[len(share) for share in split(dataset, division, seed).parties] for seed in (1, 2)]
    assert sizes[0] != sizes[1]
    if partition is not Partition.COLUMN:
        expected = role_sizes(division, 20_000).parties
        for found in sizes:
            assert sorted(found) == sorted(expected)
        assert abs(max(expected) - 16 * min(expected)) <= 17
        steps = [larger / smaller for larger, smaller in pairwise(expected)]
        assert max(abs(step - 2**0.5) for step in steps) < 0.01


def test_a_querying_party_that_is_small_stays_so_when_sizes_differ() -> None:
    division = Division(6, 2, size_ratio=Fraction(5), querying_rows=9)
    shares = split(alike(2000, 2), division, 1).parties
    assert [len(share) for share in shares[:2]] == [9, 9]
    assert sum(map(len, shares)) == 1300


@given(
    rows=st.integers(30, 5000),
    parties=st.integers(1, 40),
    queriers=st.integers(1, 5),
    ratio=st.fractions(1, 50, max_denominator=7),
    party_rows=st.none() | st.integers(8, 100),
)
def test_public_sizes_are_a_plain_division(
    rows: int, parties: int, queriers: int, ratio: Fraction, party_rows: int | None
) -> None:
    division = Division(parties, min(queriers, parties), size_ratio=ratio, party_rows=party_rows)
    test, pools, sizes = role_sizes(division, rows)
    assert test == rows // 4
    assert (sum(pools), max(pools) - min(pools) <= 1) == (rows // 10, True)
    total = rows - test - sum(pools) if party_rows is None else parties * party_rows
    assert (sum(sizes), len(sizes)) == (total, parties)
    weights = [float(ratio) ** (-index / max(parties - 1, 1)) for index in range(parties)]
    assert all(
        abs(size - total * weight / sum(weights)) < 1 + 1e-6 for size, weight in zip(sizes, weights, strict=True)
    )
    plain = role_sizes(replace(division, size_ratio=Fraction(1)), rows)
    assert isinstance(plain, RoleSizes)
    assert max(plain.parties) - min(plain.parties) <= 1


def test_a_large_data_set_is_divided_in_a_moment() -> None:
    """Processor time, for a machine that is shared."""
    dataset = alike(70_000, 10)
    began = time.process_time()
    for partition in BY_CLASS:
        split(dataset, Division(251, 3, partition), 1)
    assert time.process_time() - began < 2
