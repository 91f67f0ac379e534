"""Who holds which rows: a seeded split into disjoint roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from capc.foundation.errors import InputError
from capc.learning.data import Indices

MIN_PARTY_ROWS = 8
"""An answering party with fewer rows than this cannot train a model that is worth asking."""
SKEW = 1.0
"""Concentration of the Dirichlet law by which `skewed` divides each class among the answering parties."""


class Partition(StrEnum):
    """How the answering parties' rows are divided among them."""

    IID = "iid"
    SKEWED = "skewed"


@dataclass(frozen=True)
class Sizes:
    """Rows of each role, from the number n of rows and C of classes alone.

    Attributes:
        test: held out for the report, a quarter.
        labelled: the querying party's own labelled rows, a fiftieth, at least two for each class.
        pool: the querying party's unlabelled rows, a tenth.
        answering: the rest, for all answering parties together.
    """

    test: int
    labelled: int
    pool: int
    answering: int

    @classmethod
    def of(cls, num_rows: int, num_classes: int) -> Sizes:
        """The sizes for n rows in C classes; ``answering`` is negative when there are far too few rows."""
        test, labelled, pool = num_rows // 4, max(num_rows // 50, 2 * num_classes), num_rows // 10
        return cls(test, labelled, pool, num_rows - test - labelled - pool)

    def check(self, parties: int, queries: int, parties_place: str, queries_place: str, rows_place: str) -> None:
        """Checks that every role gets the rows that it needs.

        Args:
            parties: K.
            queries: how many points of the pool will be queried.
            parties_place: where K was given, for the message.
            queries_place: where the number of queries was given, for the message.
            rows_place: where the rows come from, for the message.

        Raises:
            InputError: the pool is smaller than the number of queries, or an answering party would get fewer than
                ``MIN_PARTY_ROWS`` rows.
        """
        most = max(self.answering, 0) // MIN_PARTY_ROWS
        if self.test < 1 or self.pool < 1 or most < 1:
            total = self.test + self.labelled + self.pool + self.answering
            raise InputError(
                f"{total} rows ({rows_place}): too few for a test set, a querying party and an answering party: "
                "give more rows"
            )
        if parties > most:
            raise InputError(
                f"parties = {parties} ({parties_place}): {self.answering} rows are left for the answering parties and "
                f"each needs {MIN_PARTY_ROWS}: choose at most {most}, or give more rows"
            )
        if queries > self.pool:
            raise InputError(
                f"queries = {queries} ({queries_place}): the unlabelled pool has {self.pool} rows: "
                f"choose at most {self.pool}, or give more rows"
            )


@dataclass(frozen=True)
class Split:
    """Row indices of each role; every row of the data occurs in exactly one of them.

    Attributes:
        test: held-out rows.
        labelled: the querying party's labelled rows.
        pool: the querying party's unlabelled rows.
        answering: one array for each of the K answering parties.
    """

    test: Indices
    labelled: Indices
    pool: Indices
    answering: tuple[Indices, ...]


def split(labels: Indices, num_classes: int, parties: int, partition: Partition, seed: int) -> Split:
    """Divides the rows among the roles.

    Args:
        labels: n class indices in [0, C).
        num_classes: C.
        parties: K, for which ``Sizes.check`` passed.
        partition: equal shares drawn at random, or shares of each class drawn from a Dirichlet law.
        seed: decides everything that is drawn here.
    """
    sizes = Sizes.of(len(labels), num_classes)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels)).astype(np.int64)
    ends = np.cumsum([sizes.test, sizes.labelled, sizes.pool])
    test, labelled, pool, rest = np.split(order, ends)
    if partition is Partition.IID:
        shares = [np.asarray(share) for share in np.array_split(rest, parties)]
    else:
        shares = _skewed(rest, labels, num_classes, parties, generator)
    return Split(test, labelled, pool, tuple(shares))


def _skewed(
    rows: Indices, labels: Indices, num_classes: int, parties: int, generator: np.random.Generator
) -> list[Indices]:
    shares: list[list[int]] = [[] for _ in range(parties)]
    for label in range(num_classes):
        members = rows[labels[rows] == label]
        fractions = generator.dirichlet([SKEW] * parties)
        ends = np.floor(np.cumsum(fractions)[:-1] * len(members)).astype(np.int64)
        for share, part in zip(shares, np.split(members, ends), strict=True):
            share.extend(int(row) for row in part)
    _top_up(shares)
    return [np.array(share, dtype=np.int64) for share in shares]


def _top_up(shares: Sequence[list[int]]) -> None:
    """Moves rows from the largest share to the smallest, until every share is usable."""
    while True:
        smallest = min(shares, key=len)
        if len(smallest) >= MIN_PARTY_ROWS:
            return
        smallest.append(max(shares, key=len).pop())
