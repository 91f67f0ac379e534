"""The argmax tournament: winner flags with ties to the lowest index, and the maximum itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.two_party.circuits.arithmetic import Word, less_than, less_than_any, select
from capc.two_party.circuits.builder import ONE, Builder, Wire


@dataclass(frozen=True)
class _Node:
    """A match: the subtrees that met, and whether the right one won."""

    left: _Node | int
    right: _Node | int
    right_wins: Wire


def argmax_flags(builder: Builder, values: Sequence[Word], *, full_range: bool = False) -> list[Wire]:
    """One flag per value: 1 for the first of the largest, 0 for all others.

    Args:
        builder: takes the gates.
        values: C words of k bits, signed.
        full_range: whether they may be any; each comparison then costs one AND more.

    Neighbours meet, an odd one out passes, and the order of indices is kept at every level; the right side wins
    only if it is strictly larger, so the lowest index wins ties (CAPC-ARG-002).

    Precondition unless ``full_range``: all pairwise differences fit the word (see
    :func:`capc.two_party.circuits.arithmetic.less_than`).
    Cost for C values of k bits: (C-1)(k-1) for comparisons, (C-2) k for carrying winners on, C-2 for the flags.
    """
    root, _ = _play(builder, values, keep_last_winner=False, full_range=full_range)
    return _flags(builder, root, len(values))


def flags_and_maximum(builder: Builder, values: Sequence[Word]) -> tuple[list[Wire], Word]:
    """The flags, and the largest value itself, of any words. Cost: as of the flags over the full range, and k more."""
    root, largest = _play(builder, values, keep_last_winner=True, full_range=True)
    return _flags(builder, root, len(values)), largest


def flags_from_results(builder: Builder, count: int, results: Sequence[Wire]) -> list[Wire]:
    """The same flags, where it is known of every match whether its right side won.

    Args:
        builder: takes the gates.
        count: C values.
        results: C - 1 wires, round after round, match after match (:func:`matches_per_round`).

    Cost: C-2.
    """
    entrants: list[_Node | int] = list(range(count))
    remaining = iter(results)
    while len(entrants) > 1:
        winners: list[_Node | int] = [
            _Node(left, right, next(remaining)) for left, right in zip(entrants[::2], entrants[1::2], strict=False)
        ]
        entrants = winners + entrants[2 * len(winners) :]
    return _flags(builder, entrants[0], count)


def matches_per_round(count: int) -> list[int]:
    """How many pairs of neighbours meet in each of the ceil(log2 count) rounds; count - 1 in all."""
    matches = []
    while count > 1:
        matches.append(count // 2)
        count -= count // 2
    return matches


def maximum(builder: Builder, values: Sequence[Word]) -> Word:
    """The largest value. Cost for C values of k bits: (C-1)(2k-1) ANDs. Precondition as for the flags."""
    return _play(builder, values, keep_last_winner=True, full_range=False)[1]


def _play(
    builder: Builder, values: Sequence[Word], *, keep_last_winner: bool, full_range: bool
) -> tuple[_Node | int, Word]:
    """Plays all rounds; returns the tree of matches and, if asked for, the value that won the last one."""
    compare = less_than_any if full_range else less_than
    entrants: list[tuple[_Node | int, Word]] = list(enumerate(values))
    while len(entrants) > 1:
        winners: list[tuple[_Node | int, Word]] = []
        for position in range(0, len(entrants) - 1, 2):
            (left, left_value), (right, right_value) = entrants[position], entrants[position + 1]
            right_wins = compare(builder, left_value, right_value)
            is_final = len(entrants) == 2
            winner = left_value
            if keep_last_winner or not is_final:
                winner = select(builder, right_wins, right_value, left_value)
            winners.append((_Node(left, right, right_wins), winner))
        if len(entrants) % 2:
            winners.append(entrants[-1])
        entrants = winners
    return entrants[0]


def _flags(builder: Builder, root: _Node | int, count: int) -> list[Wire]:
    flags: list[Wire] = [ONE] * count
    _spread(builder, root, ONE, flags)
    return flags


def _spread(builder: Builder, node: _Node | int, won: Wire, flags: list[Wire]) -> None:
    """Walks from the root down: a child's flag is its parent's flag and the result of their match."""
    if isinstance(node, int):
        flags[node] = won
        return
    right = builder.and_(won, node.right_wins)
    _spread(builder, node.left, builder.xor(won, right), flags)
    _spread(builder, node.right, right, flags)
