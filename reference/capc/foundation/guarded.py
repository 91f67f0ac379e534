"""Shares with guard bits: in Z_{2^T}, T = l + h, they add up to 2^h z + v, where z in Z_{2^l} is meant and v is small.

An HE response gives such shares: v comes from its noise and from two roundings. What enters a circuit is one word of
l + 1 bits from each party; the words add up to 2 z or 2 z + 1 modulo 2^(l+1), and the circuit drops the lowest bit
before anything else. That is exact for -2^(h-2) - 1 <= v <= 2^(h-2) - 1.

Both functions of one share take integers and arrays of words alike.

Source: a guard bit as in SiRnn's truncation (Rathee et al., IEEE S&P 2021). Spec: CAPC-HE-001, CAPC-HE-017.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from capc.foundation import ring

Share = TypeVar("Share")
"""An integer, or an array of unsigned words."""

GUARD_BITS = 8
"""h of every published set."""


def room(guard_bits: int) -> int:
    """The largest |v| that is dropped without a trace, for h >= 1."""
    return max((1 << guard_bits >> 2) - 1, 0)


def evaluator_word(share: Share, guard_bits: int) -> Share:
    """The l + 1 bits of the querying party's share."""
    number: Any = share
    word: Share = number >> guard_bits - 1
    return word


def garbler_word(share: Share, logit_bits: int, guard_bits: int) -> Share:
    """The l + 1 bits of the answering party's share, to which a room for v and half of a bit are added first."""
    number: Any = share
    moved: Share = (number + (3 << guard_bits >> 2)) & (1 << logit_bits + guard_bits) - 1
    return evaluator_word(moved, guard_bits)


def evaluator_words(rows: Iterable[Iterable[int]], guard_bits: int) -> list[list[int]]:
    """:func:`evaluator_word` of rows of shares. Its formula stands here: a call for each share would take most time."""
    dropped = guard_bits - 1
    return [[share >> dropped for share in row] for row in rows]


def garbler_words(rows: Iterable[Iterable[int]], logit_bits: int, guard_bits: int) -> list[list[int]]:
    """:func:`garbler_word` of rows of shares, likewise."""
    added, mask, dropped = 3 << guard_bits >> 2, (1 << logit_bits + guard_bits) - 1, guard_bits - 1
    return [[(share + added & mask) >> dropped for share in row] for row in rows]


def opened(evaluator: int, garbler: int, logit_bits: int) -> int:
    """z from both words, in the clear, as circuits compute it."""
    return ring.reduce(evaluator + garbler, logit_bits + 1) >> 1
