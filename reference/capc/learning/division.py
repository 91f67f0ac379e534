"""How a data set is divided, in public figures, and what these alone rule out (CAPC-RUN-030)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from capc.foundation.errors import InputError
from capc.learning.data import DataShape

MIN_PARTY_ROWS = 8
"""A party with fewer labelled rows than this cannot train a model that is worth asking."""
MAX_RATIO = 1_000_000

Place = Callable[[str], str]
"""Where an option was given, by its name."""


class Partition(StrEnum):
    """Which labelled rows a party holds."""

    IID = "iid"
    """As many as the others, drawn at random."""
    WEAK = "weak"
    """Some classes, drawn for each party, at a fraction of the share that they would have."""
    MISSING = "missing"
    """None of some classes, drawn for each party."""
    DIRICHLET = "dirichlet"
    """Shares of each class that are drawn from a symmetric Dirichlet law."""
    COLUMN = "column"
    """Those with certain values of a column, so that a party is a hospital or a state."""


class Skewed(StrEnum):
    """Whom the partition skews; the others hold rows that are drawn at random."""

    ALL = "all"
    QUERYING = "querying"


@dataclass(frozen=True)
class Division:
    """Public figures of a division.

    Attributes:
        parties: P = K + 1, all that hold labelled rows.
        queriers: how many of them query: parties 0 to ``queriers`` - 1, each with a pool of its own.
        partition: which labelled rows a party holds.
        skewed: for whom that holds.
        column: the attribute whose values take the place of the classes.
        weak_classes: how many classes of each party are weak.
        weak_ratio: of its share, what a party keeps of a weak class; in [0, 1].
        missing_classes: how many classes each party lacks; None: half of them, rounded down.
        alpha: concentration of the Dirichlet law.
        test_rows: held out; None: a quarter of all rows.
        pool_rows: of all pools together; None: a tenth of all rows.
        party_rows: labelled rows of each party, in the mean if sizes differ; None: what there is, divided equally.
        querying_rows: labelled rows of each querying party, at most those of any other; None: as the others.
        size_ratio: labelled rows of the largest party over those of the smallest, whose sizes are geometric.
    """

    parties: int
    queriers: int = 1
    partition: Partition = Partition.IID
    skewed: Skewed = Skewed.ALL
    column: str | None = None
    weak_classes: int = 2
    weak_ratio: Fraction = Fraction(1, 10)
    missing_classes: int | None = None
    alpha: Fraction = Fraction(1)
    test_rows: int | None = None
    pool_rows: int | None = None
    party_rows: int | None = None
    querying_rows: int | None = None
    size_ratio: Fraction = Fraction(1)

    @property
    def sizes_given(self) -> bool:
        """Whether a figure says how many rows parties hold, and not only what there is."""
        return self.party_rows is not None or self.querying_rows is not None or self.size_ratio != 1


class RoleSizes(NamedTuple):
    """Rows of each role, from public figures alone.

    Attributes:
        test: held out.
        pools: of each querying party.
        parties: labelled, of each party; where sizes are geometric, who has which is drawn later.
    """

    test: int
    pools: tuple[int, ...]
    parties: tuple[int, ...]


def role_sizes(division: Division, num_rows: int) -> RoleSizes:
    """The sizes for n rows.

    A party holds that many rows if the partition has them. `dirichlet` has no such sizes unless ``sizes_given``, and
    `column` takes them as the most that a party holds of its values.
    """
    test = num_rows // 4 if division.test_rows is None else division.test_rows
    pool = num_rows // 10 if division.pool_rows is None else division.pool_rows
    own = () if division.querying_rows is None else (division.querying_rows,) * division.queriers
    others = division.parties - len(own)
    total = max(num_rows - test - pool - sum(own), 0)
    if division.party_rows is not None:
        total = division.party_rows * others
    return RoleSizes(
        test, _geometric(pool, division.queriers, 1.0), own + _geometric(total, others, float(division.size_ratio))
    )


def _geometric(total: int, count: int, ratio: float) -> tuple[int, ...]:
    """Descending sizes whose first is ``ratio`` times the last, each within one row of the exact figure."""
    weights = ratio ** (-np.arange(count) / max(count - 1, 1))
    sizes = np.floor(total * weights / weights.sum()).astype(np.int64)
    sizes[: total - sizes.sum()] += 1
    return tuple(sizes.tolist())


def check_division(division: Division, shape: DataShape, place: Place, rows_place: str, queries: int) -> None:
    """Refuses what public figures rule out. ``parties`` is told as K = P - 1, as users give it.

    Args:
        division: the figures.
        shape: rows, features and classes of the data.
        place: where an option was given, by the name of the figure, or `queries`.
        rows_place: where the rows come from.
        queries: how many points of its own pool each querying party asks about.

    Raises:
        InputError: a figure is out of range, figures contradict each other, or a role would get too few rows.
    """
    _check_ranges(division, place)
    _check_classes(division, shape.classes, place)
    _check_roles(division, shape.rows, place, rows_place)
    pool = min(role_sizes(division, shape.rows).pools)
    if queries > pool:
        whose = "the unlabelled pool" if division.queriers == 1 else "a querying party's unlabelled pool"
        raise _refusal("queries", queries, place, f"{whose} has {pool} rows: choose at most {pool}, or more pool_rows")
    _check_sizes(division, shape.rows, place)


def _check_ranges(division: Division, place: Place) -> None:
    if not 1 <= division.queriers <= division.parties:
        most = division.parties
        raise _refusal("queriers", division.queriers, place, f"there are {most} parties: choose 1 to {most}")
    if not 0 <= division.weak_ratio <= 1:
        raise _refusal("weak_ratio", division.weak_ratio, place, "choose a number from 0 to 1")
    if division.alpha <= 0:
        raise _refusal("alpha", division.alpha, place, "choose a number above 0")
    if not 1 <= division.size_ratio <= MAX_RATIO:
        raise _refusal("size_ratio", division.size_ratio, place, f"choose a number from 1 to {MAX_RATIO}")
    for name in ("test_rows", "pool_rows", "weak_classes", "missing_classes"):
        value = getattr(division, name)
        if value is not None and value < 1:
            raise _refusal(name, value, place, "choose at least 1")
    for name in ("party_rows", "querying_rows"):
        value = getattr(division, name)
        if value is not None and value < MIN_PARTY_ROWS:
            raise _refusal(name, value, place, f"each party needs {MIN_PARTY_ROWS} rows: choose at least as many")
    if division.querying_rows is not None and division.queriers == division.parties:
        raise _refusal("querying_rows", division.querying_rows, place, "every party queries: choose party_rows instead")
    if division.partition is Partition.COLUMN and division.column is None:
        raise _refusal("partition", division.partition, place, "name the column too")
    if division.partition is Partition.IID and division.column is not None:
        remedy = f"partition = iid ({place('partition')}) uses no column: choose another, or leave this out"
        raise _refusal("column", division.column, place, remedy)


def _check_classes(division: Division, num_classes: int, place: Place) -> None:
    """Of a column, its values decide the same once it is read."""
    if division.column is not None:
        return
    for name, partition in (("weak_classes", Partition.WEAK), ("missing_classes", Partition.MISSING)):
        value = getattr(division, name)
        if division.partition is partition and value is not None and value >= num_classes:
            remedy = f"there are {num_classes} classes, and one at least is to be whole: choose at most"
            raise _refusal(name, value, place, f"{remedy} {num_classes - 1}")


def _check_roles(division: Division, rows: int, place: Place, rows_place: str) -> None:
    """Whether there are rows for the test, the pools, and the least that parties need."""
    sizes, least = role_sizes(division, rows), MIN_PARTY_ROWS * division.parties
    test, pool = sizes.test, sum(sizes.pools)
    left = rows - test - pool
    if division.pool_rows is not None and pool < division.queriers:
        remedy = f"{division.queriers} querying parties need a row each: choose at least {division.queriers}"
        raise _refusal("pool_rows", pool, place, remedy)
    if left < least:
        told = f"of {rows} rows ({rows_place}), {max(left, 0)} are left for {division.parties} parties"
        told += f" and each needs {MIN_PARTY_ROWS}: choose at most"
        if division.test_rows is not None and rows - pool - least >= 1:
            raise _refusal("test_rows", test, place, f"{told} {rows - pool - least}")
        if division.pool_rows is not None and rows - test - least >= division.queriers:
            raise _refusal("pool_rows", pool, place, f"{told} {rows - test - least}")
        most = left // MIN_PARTY_ROWS
        if most > 1:
            raise _refusal("parties", division.parties - 1, place, f"{told} {most - 1}, or give more rows")
    elif test >= 1 and pool >= division.queriers:
        return
    elif test >= 1 and pool >= 1:
        remedy = f"the pools have {pool} rows together: choose at most {pool}, or more pool_rows"
        raise _refusal("queriers", division.queriers, place, remedy)
    raise InputError(
        f"{rows} rows ({rows_place}): too few for {test} held out, {pool} in pools and {MIN_PARTY_ROWS} of each of "
        f"{division.parties} parties: give more rows"
    )


def _check_sizes(division: Division, rows: int, place: Place) -> None:
    """Whether all parties get what the figures say, once there is enough for the least that they need.

    Each figure is held to the least of those that are checked after it, so that none is refused twice.
    """
    sizes = role_sizes(division, rows)
    left = rows - sizes.test - sum(sizes.pools)
    own, each = division.querying_rows, division.party_rows
    small = 0 if own is None else division.queriers
    others = division.parties - small
    told = f"{left} rows are left for {division.parties} parties: choose at most"
    most = (left - MIN_PARTY_ROWS * small) // others
    if each is not None and each > most:
        raise _refusal("party_rows", each, place, f"{told} {most}, or fewer parties")

    def smallest(own_rows: int, ratio: Fraction) -> int:
        """Of the parties that ``querying_rows`` says nothing about."""
        changed = replace(division, querying_rows=None if own is None else own_rows, size_ratio=ratio)
        return min(role_sizes(changed, rows).parties[-others:])

    least = smallest(MIN_PARTY_ROWS, division.size_ratio)
    if least < MIN_PARTY_ROWS:
        most = _most(int(division.size_ratio), lambda r: smallest(MIN_PARTY_ROWS, Fraction(r)) >= MIN_PARTY_ROWS)
        remedy = f"the smallest party would have {least} rows and each needs {MIN_PARTY_ROWS}: choose {most} or less"
        raise _refusal("size_ratio", division.size_ratio, place, remedy)

    def fits(own_rows: int) -> bool:
        room = left // division.parties if each is None else (left - each * others) // small
        return own_rows <= min(room, smallest(own_rows, division.size_ratio))

    if own is not None and not fits(own):
        remedy = f"{left} rows are left for {division.parties} parties, and no other is to have fewer: choose at most"
        raise _refusal("querying_rows", own, place, f"{remedy} {_most(own, fits)}")


def _most(high: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to ``high`` that fits, where 1 does and with a number every smaller one."""
    low = 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _refusal(name: str, value: object, place: Place, remedy: str) -> InputError:
    shown = f"{float(value):.12g}" if isinstance(value, Fraction) else value
    return InputError(f"{name} = {shown} ({place(name)}): {remedy}")
