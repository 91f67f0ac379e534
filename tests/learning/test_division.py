"""Public figures of a division: what they rule out, with value, place and remedy, and that the remedy helps."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.learning.data import Dataset, DataShape
from capc.learning.division import MIN_PARTY_ROWS, Division, Partition, Skewed, check_division, role_sizes
from capc.learning.partition import split


def check(division: Division, rows: int = 1797, classes: int = 10, queries: int = 20) -> None:
    check_division(division, DataShape(rows, 64, classes), lambda name: f"--{name}", "a file", queries)


@pytest.mark.parametrize(
    "division",
    [
        Division(21),
        Division(2),
        Division(1),
        Division(6, 6),
        Division(21, 3, Partition.WEAK, Skewed.QUERYING),
        Division(21, partition=Partition.MISSING, missing_classes=9),
        Division(21, partition=Partition.COLUMN, column="site"),
        Division(21, partition=Partition.MISSING, missing_classes=11, column="site"),
        Division(21, weak_classes=30, missing_classes=30),
        Division(140, test_rows=500, pool_rows=170),
        Division(21, party_rows=55, querying_rows=8, size_ratio=Fraction(4)),
        Division(21, weak_ratio=Fraction(0)),
    ],
    ids=str,
)
def test_divisions_that_can_be_made_are_admitted(division: Division) -> None:
    check(division)


@pytest.mark.req("CAPC-RUN-030", "CAPC-RUN-001")
@pytest.mark.parametrize(
    ("division", "problem"),
    [
        (Division(3, 0), "queriers = 0 (--queriers): there are 3 parties: choose 1 to 3"),
        (Division(3, 4), "queriers = 4 (--queriers): there are 3 parties: choose 1 to 3"),
        (Division(3, weak_ratio=Fraction(3, 2)), "weak_ratio = 1.5 (--weak_ratio): choose a number from 0 to 1"),
        (Division(3, weak_ratio=Fraction(-1, 10)), "weak_ratio = -0.1"),
        (Division(3, alpha=Fraction(0)), "alpha = 0 (--alpha): choose a number above 0"),
        (Division(3, size_ratio=Fraction(1, 2)), "size_ratio = 0.5 (--size_ratio): choose a number from 1 to 1000000"),
        (Division(3, size_ratio=Fraction(10**9)), "size_ratio = 1000000000 (--size_ratio)"),
        (Division(3, test_rows=0), "test_rows = 0 (--test_rows): choose at least 1"),
        (Division(3, pool_rows=-1), "pool_rows = -1 (--pool_rows): choose at least 1"),
        (Division(3, weak_classes=0), "weak_classes = 0 (--weak_classes): choose at least 1"),
        (Division(3, missing_classes=0), "missing_classes = 0 (--missing_classes): choose at least 1"),
        (Division(3, party_rows=7), "party_rows = 7 (--party_rows): each party needs 8 rows"),
        (Division(3, querying_rows=7), "querying_rows = 7 (--querying_rows): each party needs 8 rows"),
        (
            Division(3, 3, querying_rows=9),
            "querying_rows = 9 (--querying_rows): every party queries: choose party_rows",
        ),
        (Division(3, partition=Partition.COLUMN), "partition = column (--partition): name the column too"),
        (Division(3, column="sex"), "column = sex (--column): partition = iid (--partition) uses no column"),
        (
            Division(3, partition=Partition.WEAK, weak_classes=10),
            "weak_classes = 10 (--weak_classes): there are 10 classes, and one at least is to be whole: choose at m",
        ),
        (
            Division(3, partition=Partition.MISSING, missing_classes=10),
            "missing_classes = 10 (--missing_classes): there are 10 classes",
        ),
        (Division(501), "parties = 500 (--parties): of 1797 rows (a file), 1169 are left for 501 parties"),
        (
            Division(21, 3),
            "queries = 99 (--queries): a querying party's unlabelled pool has 59 rows: choose at most 59",
        ),
        (Division(21, 5, pool_rows=4), "pool_rows = 4 (--pool_rows): 5 querying parties need a row each"),
        (Division(140, 140, test_rows=580, pool_rows=90), "pool_rows = 90 (--pool_rows): 140 querying parties need"),
        (Division(21, test_rows=1797), "test_rows = 1797 (--test_rows): of 1797 rows (a file), 0 are left"),
        (Division(21, test_rows=9000), "choose at most 1450"),
        (Division(21, pool_rows=1500), "pool_rows = 1500 (--pool_rows): of 1797 rows (a file), 0 are left"),
        (Division(21, party_rows=60), "party_rows = 60 (--party_rows): 1169 rows are left for 21 parties: choose at"),
        (Division(21, querying_rows=56), "querying_rows = 56 (--querying_rows): 1169 rows are left for 21 parties"),
        (Division(21, party_rows=30, querying_rows=31), "querying_rows = 31 (--querying_rows): 1169 rows are left"),
        (Division(21, size_ratio=Fraction(100)), "size_ratio = 100 (--size_ratio): the smallest party would have"),
    ],
)
def test_what_public_figures_rule_out_is_refused_with_value_place_and_remedy(division: Division, problem: str) -> None:
    with pytest.raises(InputError) as refusal:
        check(division, queries=99)
    assert problem in str(refusal.value)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    ("rows", "classes", "division"),
    [(10, 2, Division(2)), (3, 3, Division(2)), (9, 2, Division(1)), (30, 2, Division(2, test_rows=29, pool_rows=29))],
)
def test_rows_that_are_too_few_for_any_division_are_refused(rows: int, classes: int, division: Division) -> None:
    with pytest.raises(InputError, match=rf"^{rows} rows \(a file\): too few for .*: give more rows$"):
        check(division, rows, classes, 1)


FIGURES = ("parties", "queriers", "queries", "test_rows", "pool_rows", "party_rows", "querying_rows", "size_ratio")


@st.composite
def figures(draw: st.DrawFn) -> tuple[Division, int, int]:
    parties, rows = draw(st.integers(2, 30)), draw(st.integers(20, 900))
    few = st.none() | st.integers(1, 500)
    division = Division(
        parties,
        draw(st.integers(1, parties)),
        test_rows=draw(few),
        pool_rows=draw(few),
        party_rows=draw(st.none() | st.integers(8, 90)),
        querying_rows=draw(st.none() | st.integers(8, 90)),
        size_ratio=draw(st.just(Fraction(1)) | st.fractions(1, 60, max_denominator=3)),
    )
    return division, rows, draw(st.integers(1, 50))


@pytest.mark.req("CAPC-RUN-030", "CAPC-RUN-001")
@given(case=figures())
def test_the_value_that_a_refusal_names_is_not_refused_again_and_the_next_one_is(
    case: tuple[Division, int, int],
) -> None:
    """Until a division is admitted, in at most as many steps as there are figures; then it can be made."""
    division, rows, queries = case
    corrected: set[str] = set()
    while True:
        if division.queriers == division.parties:
            division = replace(division, querying_rows=None)
        try:
            check(division, rows, 2, queries)
            break
        except InputError as error:
            line = str(error)
        found = re.fullmatch(r"(\w+) = \S+ \(--\w+\): .*choose (at most|at least|)(?:1 to)? ?([0-9]+).*", line)
        if found is None:
            assert re.match(rf"{rows} rows .*: too few for .*: give more rows", line), line
            least = sum((role_sizes(division, rows).test, *role_sizes(division, rows).pools))
            assert rows < least + MIN_PARTY_ROWS * division.parties or rows < 10 * division.queriers
            return
        name, bound, value = found[1], found[2], int(found[3])
        assert name not in corrected, line
        corrected.add(name)
        if bound == "at most":
            check_refused(division, rows, queries, name, value + 1)
        if name == "queries":
            queries = value
        else:
            given_as = Fraction(value) if name == "size_ratio" else value + (name == "parties")
            division = replace(division, **{name: given_as})
            division = replace(division, queriers=min(division.queriers, division.parties))
    labels = np.arange(rows, dtype=np.int64) % 2
    found_split = split(Dataset("rows", np.zeros((rows, 1)), labels, (0, 1), ()), division, 0)
    sizes = role_sizes(division, rows)
    assert sorted(map(len, found_split.parties)) == sorted(sizes.parties)
    assert min(sizes.parties) >= MIN_PARTY_ROWS
    assert min(map(len, found_split.pools)) >= queries
    if division.querying_rows is not None:
        assert max(sizes.parties[: division.queriers]) <= min(sizes.parties[division.queriers :])


def check_refused(division: Division, rows: int, queries: int, name: str, value: int) -> None:
    """The same figures with one of them changed."""
    if name == "queries":
        queries = value
    else:
        division = replace(division, **{name: value + (name == "parties")})
    with pytest.raises(InputError):
        check(division, rows, 2, queries)


def test_the_number_of_parties_that_a_refusal_names_is_of_those_that_answer() -> None:
    with pytest.raises(InputError, match=r"parties = 146 .* choose at most 145, or give more rows"):
        check(Division(147))
    check(Division(146))
