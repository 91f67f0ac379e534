"""Words in Z_{2^k} inside a circuit: addition, subtraction, comparison by sign, selection, conjunction.

A word is a list of k wires, least significant bit first. AND counts are exact and are asserted by tests.

Spec: CAPC-ARG-017, CAPC-ARG-018, CAPC-ARG-011.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.two_party.circuits.builder import ONE, ZERO, Builder, Wire

Word = list[Wire]


def _add_with_carry(builder: Builder, left: Sequence[Wire], right: Sequence[Wire], carry: Wire) -> Word:
    """left + right + carry mod 2^k; the carry out of the last bit is not computed."""
    total: Word = []
    last = len(left) - 1
    for position, (a, b) in enumerate(zip(left, right, strict=True)):
        a_differs = builder.xor(a, carry)
        total.append(builder.xor(a_differs, b))
        if position < last:
            # The majority of a, b and carry, with one AND.
            carry = builder.xor(carry, builder.and_(a_differs, builder.xor(b, carry)))
    return total


def add(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Word:
    """left + right mod 2^k. Cost: k - 1 ANDs."""
    return _add_with_carry(builder, left, right, ZERO)


def open_word(builder: Builder, number: int) -> Word:
    """The l bits that both parties' words of l + 1 bits stand for: their sum without its lowest bit. Cost: l ANDs.

    The lowest bit says whether the error of shares was rounded up, and enters nothing (:mod:`capc.foundation.guarded`).
    """
    return add(builder, builder.garbler_word(number), builder.evaluator_word(number))[1:]


def subtract(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Word:
    """left - right mod 2^k. Cost: k - 1 ANDs."""
    return _add_with_carry(builder, left, [builder.invert(wire) for wire in right], ONE)


def less_than(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Wire:
    """1 exactly when left < right as signed numbers. Cost: k - 1 ANDs.

    Precondition: the signed difference fits k bits, |left - right| < 2^(k-1). Both operands below 2^(k-2) in
    magnitude suffice. Outside of it the sign of a wrapped difference says nothing (CAPC-ARG-004).
    """
    return subtract(builder, left, right)[-1]


def less_than_any(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Wire:
    """1 exactly when left < right as signed numbers, whatever they are. Cost: k ANDs.

    The sign of the difference in k + 1 bits, to which both words are extended.
    """
    return less_than(builder, [*left, left[-1]], [*right, right[-1]])


def select(builder: Builder, condition: Wire, if_one: Sequence[Wire], if_zero: Sequence[Wire]) -> Word:
    """``if_one`` where the condition is 1, else ``if_zero``. Cost: k ANDs."""
    return [builder.xor(b, builder.and_(condition, builder.xor(a, b))) for a, b in zip(if_one, if_zero, strict=True)]


def all_of(builder: Builder, wires: Sequence[Wire]) -> Wire:
    """1 exactly when every wire is. Cost for n wires: n - 1 ANDs, of depth ceil(log2 n)."""
    level = list(wires)
    while len(level) > 1:
        pairs = [builder.and_(a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def reaches(builder: Builder, word: Sequence[Wire], bound: int) -> Wire:
    """1 only where the unsigned word is at least the bound, and everywhere where it is above: what is free decides.

    At the bound itself it may be either, so that the last bits of the bound, t equal ones, are not looked at.
    Cost: k - t - 1, and none for t = k, where no word of k bits is above.
    """
    # Above the bound so far, of the bits below: at the bound itself the answer that makes its last bits free.
    reached: Wire = ONE if bound & 1 == 0 else ZERO
    for place, wire in enumerate(word):
        if bound >> place & 1:
            reached = builder.and_(reached, wire)
        else:
            reached = builder.invert(builder.and_(builder.invert(reached), builder.invert(wire)))
    return reached


def mask_with(builder: Builder, condition: Wire, word: Sequence[Wire]) -> Word:
    """The word where the condition is 1, else 0. Cost: k ANDs."""
    return [builder.and_(condition, wire) for wire in word]
