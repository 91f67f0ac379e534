"""Deals rows of several groups to several parties: how many of which to whom.

Groups are classes, or an attribute's values. All counts are whole numbers, and matrices are parties x groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capc.learning.data import Floats, Indices

Mask = NDArray[np.bool_]

_ROUNDS = 200
_SETTLED = 0.01


def spread(need: Indices, spare: Indices, weights: Floats, generator: np.random.Generator) -> Indices:
    """As many rows as there can be, in proportions near to the weights.

    1. Weights are scaled until every party has what it needs and no group gives more than it has.
    2. Fractions are rounded at random, within what is spare.
    3. A party that is short takes from groups that it may have, and where these are spent, from parties that can have
       others instead. So none is short if rows can be dealt such that none is; and if they cannot, the sum is maximal.

    Args:
        need: rows of each party.
        spare: rows of each group.
        weights: at least 0; a party gets none of a group with weight 0.
        generator: of what is drawn.

    Returns:
        Rows of each party and group.
    """
    target = _fit(need, spare, weights)
    # No group has so many parties that what is added for rounded floats is a row.
    dealt = np.floor(target + 1e-9).astype(np.int64)
    need, spare, allowed = need - dealt.sum(axis=1), spare - dealt.sum(axis=0), weights > 0
    for party in generator.permutation(len(need)):
        _round_up(party, dealt, need, spare, target, generator)
        _fill_up(party, dealt, need, spare, allowed)
    for party in np.flatnonzero(need).tolist():
        while need[party] and _take_from_another(party, dealt, need, spare, allowed):
            pass
    return dealt


def round_shares(shares: Floats, most: Indices, generator: np.random.Generator) -> Indices:
    """Rounds each share up or down at random, such that a group gives at most its sum, rounded up or down.

    Args:
        shares: exact ones; those of a party sum to at most its ``most``.
        most: rows of each party.
        generator: of what is drawn.
    """
    # Short of 1 by more than what sums of floats are wrong by: a group that is given away whole gives no row more.
    offsets = generator.random(shares.shape[1]) * (1 - 1e-6)
    ends = np.floor(np.cumsum(shares, axis=0) + offsets).astype(np.int64)
    rounded = np.diff(ends, axis=0, prepend=0)
    for party in np.flatnonzero(rounded.sum(axis=1) > most):
        up = np.flatnonzero(rounded[party] > shares[party])
        rounded[party, generator.permutation(up)[: rounded[party].sum() - most[party]]] -= 1
    return rounded


def _fit(need: Indices, spare: Indices, weights: Floats) -> Floats:
    target = weights.astype(np.float64)
    for _ in range(_ROUNDS):
        target = target * _quotient(need, target.sum(axis=1))[:, None]
        target = target * np.minimum(_quotient(spare, target.sum(axis=0)), 1.0)
        if np.all(need - target.sum(axis=1) < _SETTLED):
            break
    return target


def _quotient(wanted: Indices, found: Floats) -> Floats:
    return np.asarray(np.where(found > 0, wanted / np.where(found > 0, found, 1.0), 0.0))


def _round_up(
    party: int, dealt: Indices, need: Indices, spare: Indices, target: Floats, generator: np.random.Generator
) -> None:
    chances = np.where(spare > 0, np.maximum(target[party] - dealt[party], 0.0), 0.0)
    count = min(int(need[party]), int(np.count_nonzero(chances > 1e-9)))
    if count:
        chances[chances <= 1e-9] = 0.0
        chosen = generator.choice(len(chances), count, replace=False, p=chances / chances.sum())
        dealt[party, chosen] += 1
        spare[chosen] -= 1
        need[party] -= count


def _fill_up(party: int, dealt: Indices, need: Indices, spare: Indices, allowed: Mask) -> None:
    """Takes what is spare of the groups that a party may have, in proportion."""
    while need[party]:
        there = np.where(allowed[party], spare, 0)
        total = there.sum()
        if not total:
            return
        taken = there * min(need[party], total) // total
        if not taken.any():
            taken[there.argmax()] = 1
        dealt[party] += taken
        spare -= taken
        need[party] -= taken.sum()


def _take_from_another(party: int, dealt: Indices, need: Indices, spare: Indices, allowed: Mask) -> bool:
    """Lets a party have rows of others that can have spare ones instead: an augmenting path of a flow.

    Source: Ford, Fulkerson 1956, breadth first.
    """
    via: dict[int, tuple[int, int]] = {}
    """Of a group: the party that would take of it, and the group that this party would give for it (-1: none)."""
    reached = allowed[party].copy()
    queue = [int(group) for group in np.flatnonzero(reached)]
    via.update((group, (party, -1)) for group in queue)
    asked = np.zeros(len(need), dtype=np.bool_)
    asked[party] = True
    for group in queue:
        if spare[group]:
            _follow(group, via, dealt, need, spare)
            return True
        for other in np.flatnonzero((dealt[:, group] > 0) & ~asked):
            asked[other] = True
            fresh = [int(found) for found in np.flatnonzero(allowed[other] & ~reached)]
            reached[fresh] = True
            via.update((found, (int(other), group)) for found in fresh)
            queue.extend(fresh)
    return False


def _follow(group: int, via: dict[int, tuple[int, int]], dealt: Indices, need: Indices, spare: Indices) -> None:
    """Moves as many rows along a path as each of its steps has."""
    steps = [(group, *via[group])]
    while steps[-1][2] >= 0:
        steps.append((steps[-1][2], *via[steps[-1][2]]))
    party = steps[-1][1]
    count = min(spare[group], need[party], *(dealt[other, given] for _, other, given in steps[:-1]))
    spare[group] -= count
    need[party] -= count
    for taken, other, given in steps:
        dealt[other, taken] += count
        if given >= 0:
            dealt[other, given] -= count
