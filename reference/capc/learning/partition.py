"""Who holds which rows: a seeded split into disjoint roles.

Spec: CAPC-RUN-029, CAPC-RUN-030.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from capc.foundation.errors import InputError
from capc.learning.data import Dataset, Floats, Indices
from capc.learning.dealing import Mask, round_shares, spread
from capc.learning.division import (
    MIN_PARTY_ROWS,
    Division,
    Partition,
    Skewed,
    check_division,
    role_sizes,
)

__all__ = ["MIN_PARTY_ROWS", "Division", "Partition", "Skewed", "Split", "check_division", "role_sizes", "split"]


@dataclass(frozen=True)
class Split:
    """Row indices of each role; every row of the data occurs in at most one of them.

    Attributes:
        test: held-out rows.
        pools: unlabelled rows of each querying party.
        parties: labelled rows of each of the P parties.
    """

    test: Indices
    pools: tuple[Indices, ...]
    parties: tuple[Indices, ...]


@dataclass(frozen=True)
class _Groups:
    """The labelled rows by what the partition acts on.

    Attributes:
        what: for messages.
        codes: of each of these rows, its class or its value's index.
        rows: how many rows each group has.
    """

    what: str
    codes: Indices
    rows: Indices

    @property
    def count(self) -> int:
        """The number G of groups, those without a row included."""
        return len(self.rows)


def split(dataset: Dataset, division: Division, seed: int) -> Split:
    """Divides the rows among the roles.

    Held-out rows and pools are drawn first, from all rows alike. Parties that are skewed get theirs next, and the
    others from what these left, at random. A skewed party has as many rows as ``role_sizes`` says, filled up from the
    groups of which it has its full share. Where these are spent it holds fewer rows, for it keeps what the partition
    says of it, and the rows that nobody may have belong to none.

    Args:
        dataset: with the column of the division, if it names one.
        division: for which ``check_division`` passed.
        seed: decides everything that is drawn here.

    Raises:
        InputError: the column is missing or has too few values, or a party would get fewer than ``MIN_PARTY_ROWS``.
    """
    sizes = role_sizes(division, dataset.num_rows)
    generator = np.random.default_rng(seed)
    order = generator.permutation(dataset.num_rows).astype(np.int64)
    test, pool, rest = np.split(order, np.cumsum([sizes.test, sum(sizes.pools)]))
    need = np.array(sizes.parties, dtype=np.int64)
    if division.size_ratio != 1:
        drawn = slice(0 if division.querying_rows is None else division.queriers, None)
        need[drawn] = generator.permutation(need[drawn])
    skewed = division.parties if division.skewed is Skewed.ALL else division.queriers
    if division.partition is Partition.IID:
        skewed = 0
    groups = _groups(dataset, division, rest)
    dealt = _dealt(division, groups, need[:skewed], generator)
    _check_dealt(division, groups, dealt)
    left, *parties = _given_out(rest, groups, dealt, generator)
    parties += np.split(left, np.cumsum(need[skewed:]))[:-1]
    return Split(test, tuple(np.split(pool, np.cumsum(sizes.pools)[:-1])), tuple(parties))


def _groups(dataset: Dataset, division: Division, rest: Indices) -> _Groups:
    if division.column is None:
        codes, count, what = dataset.labels[rest], dataset.num_classes, "classes"
    else:
        if division.column not in dataset.columns:
            raise InputError(f"column = {division.column}: it was not read with the data: name it there, or another")
        column = dataset.columns[division.column]
        codes, count, what = column.codes[rest], len(column.values), f"values of {column.name}"
    return _Groups(what, codes, np.bincount(codes, minlength=count))


def _dealt(division: Division, groups: _Groups, need: Indices, generator: np.random.Generator) -> Indices:
    """How many rows of each group each skewed party gets."""
    parties, fixed = len(need), np.zeros((len(need), groups.count), dtype=np.int64)
    weights = np.tile(groups.rows.astype(np.float64), (parties, 1))
    if division.partition is Partition.WEAK:
        weak = _drawn(parties, groups.count, _few(division, groups), generator)
        share = need[:, None] * groups.rows / groups.rows.sum()
        fixed = round_shares(np.where(weak, share * float(division.weak_ratio), 0.0), need, generator)
        weights[weak] = 0.0
    elif division.partition is Partition.MISSING:
        kept = ~_drawn(parties, groups.count, _few(division, groups), generator)
        if parties == division.parties:
            _keep_every_group(kept, groups, generator)
        weights[~kept] = 0.0
    elif division.partition is Partition.DIRICHLET:
        logs = _log_gamma(float(min(max(division.alpha, _TINY), _HUGE)), (parties, groups.count), generator)
        if parties == division.parties and not division.sizes_given:
            return _topped_up(_by_fractions(logs, groups))
        # Of each party in proportion to its largest. The least weight lets every party fill up from any group.
        weights *= np.maximum(np.exp(logs - logs.max(axis=1, keepdims=True)), _LEAST_WEIGHT)
    elif division.partition is Partition.COLUMN:
        weights *= _dealt_values(division, groups, parties, generator)
        if parties == division.parties and not division.sizes_given:
            need = np.full(parties, groups.rows.sum())
    return fixed + spread(need - fixed.sum(axis=1), groups.rows - fixed.sum(axis=0), weights, generator)


def _few(division: Division, groups: _Groups) -> int:
    """How many groups of each party are weak, or missing."""
    if division.partition is Partition.WEAK:
        name, few = "weak_classes", division.weak_classes
    else:
        half = groups.count // 2
        name, few = "missing_classes", half if division.missing_classes is None else division.missing_classes
    if groups.count < 2:
        raise InputError(f"column = {division.column}: it has one value: choose a column with at least 2")
    if few >= groups.count:
        most = groups.count - 1
        raise InputError(f"{name} = {few}: there are {groups.count} {groups.what}: choose at most {most}")
    return few


def _drawn(parties: int, count: int, few: int, generator: np.random.Generator) -> Mask:
    """For each party, ``few`` different ones of ``count`` groups."""
    chosen = np.zeros((parties, count), dtype=np.bool_)
    first = np.argsort(generator.random((parties, count)), axis=1)[:, :few]
    np.put_along_axis(chosen, first, values=True, axis=1)
    return chosen


def _keep_every_group(kept: Mask, groups: _Groups, generator: np.random.Generator) -> None:
    """Gives each group that all parties lack to one of them, for a group that another keeps too, while there is one."""
    for group in np.flatnonzero(~kept.any(axis=0) & (groups.rows > 0)):
        # Of these a party can lack one more, and nothing is lost.
        spared = kept & ((kept.sum(axis=0) > 1) | (groups.rows == 0))
        able = np.flatnonzero(spared.any(axis=1))
        if not len(able):
            return
        party = generator.choice(able)
        kept[party, generator.choice(np.flatnonzero(spared[party]))] = False
        kept[party, group] = True


_TINY, _HUGE = Fraction(1, 10**100), Fraction(10**100)
"""Beyond these a concentration makes no difference that floats could tell."""
_LEAST_WEIGHT = 1e-9


def _log_gamma(alpha: float, shape: tuple[int, int], generator: np.random.Generator) -> Floats:
    """Logarithms of draws from a gamma law, which stay finite where the draws are too small for floats.

    Source: Marsaglia, Tsang 2000, section 6: a draw for alpha + 1, times a uniform one to the power of 1/alpha.
    """
    larger = np.log(generator.standard_gamma(alpha + 1, shape))
    return np.asarray(larger + np.log(1 - generator.random(shape)) / alpha)


def _by_fractions(logs: Floats, groups: _Groups) -> Indices:
    """Each group divided by fractions of a Dirichlet law: gamma draws over their sum."""
    fractions = np.exp(logs - logs.max(axis=0))
    # What sums of floats are wrong by must not take a whole row from one party for the next.
    ends = np.floor(np.cumsum(fractions / fractions.sum(axis=0), axis=0) * groups.rows + 1e-9).astype(np.int64)
    ends[-1] = groups.rows
    return np.asarray(np.diff(ends, axis=0, prepend=0))


def _topped_up(dealt: Indices) -> Indices:
    """Moves rows from the largest party to the smallest, until every party is usable."""
    sizes = dealt.sum(axis=1)
    while sizes.min() < MIN_PARTY_ROWS:
        small, large = sizes.argmin(), sizes.argmax()
        group = dealt[large].argmax()
        dealt[large, group] -= 1
        dealt[small, group] += 1
        sizes[large] -= 1
        sizes[small] += 1
    return dealt


def _dealt_values(division: Division, groups: _Groups, parties: int, generator: np.random.Generator) -> Mask:
    """Which values each skewed party has: the largest first, each to the party that has the fewest rows so far.

    Where only querying parties are skewed, each has what it would have if all parties were, or one value if these are
    fewer than the parties.
    """
    there = np.flatnonzero(groups.rows)
    least = max(parties, min(division.parties, 2))
    if len(there) < least:
        remedy = (
            "choose a column with more" if parties < division.parties else "choose fewer parties, or another column"
        )
        raise InputError(
            f"column = {division.column}: {len(there)} of its values are among the labelled rows, and it takes {least} "
            f"for parties that differ: {remedy}"
        )
    seats = min(division.parties, len(there))
    who = generator.permutation(seats)
    held, dealt = np.zeros(seats, dtype=np.int64), np.zeros((seats, groups.count), dtype=np.bool_)
    mixed = generator.permutation(there)
    for value in mixed[np.argsort(-groups.rows[mixed], kind="stable")]:
        seat = held.argmin()
        held[seat] += groups.rows[value]
        dealt[who[seat], value] = True
    return dealt[:parties]


def _check_dealt(division: Division, groups: _Groups, dealt: Indices) -> None:
    for party, rows in enumerate(dealt.sum(axis=1).tolist()):
        if rows < MIN_PARTY_ROWS:
            raise InputError(
                f"partition = {division.partition}: party {party} would have {rows} rows of the {groups.what} that it "
                f"keeps, and each needs {MIN_PARTY_ROWS}: choose fewer parties, another partition or another seed"
            )


def _given_out(rest: Indices, groups: _Groups, dealt: Indices, generator: np.random.Generator) -> list[Indices]:
    """Hands out as many rows as were dealt, in random order: first what nobody got, then each party's."""
    parties = len(dealt)
    owner = np.zeros(len(rest), dtype=np.int64)
    by_group = np.split(np.argsort(groups.codes, kind="stable"), np.cumsum(groups.rows)[:-1])
    for group, places in enumerate(by_group):
        owners = np.repeat(np.arange(1, parties + 1), dealt[:, group])
        owner[places[: len(owners)]] = owners
    mixed = generator.permutation(len(rest))
    by_owner = rest[mixed[np.argsort(owner[mixed], kind="stable")]]
    return np.split(by_owner, np.cumsum(np.bincount(owner, minlength=parties + 1))[:-1])
