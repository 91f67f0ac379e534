"""The concrete bound of what a run garbled, as section 05 of the specification argues it.

With AES-128 as an ideal cipher, an adversary that evaluates it at most 2^p times gains at most 2^(p-127) m + S / 2^127,
for m rows under the key of the hash that hashed most, and S the sum of the squares of all keys' rows. The figures are
the logarithms of the evaluations at which this reaches 1, or what is left of delta; they are rounded down.

An evaluator that bets on c bits of Delta has 127 - c in the place of 127, with probability 2^-c: the bound stays.

Spec: CAPC-GC-012.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import e, exp, floor, log1p, log2

from capc.two_party.hash_use import HashUse

DELTA_BITS = 127
"""Free bits of an offset: the lowest is 1."""
_SHOWN = 10
"""Figures have one decimal."""


@dataclass(frozen=True)
class GarblingBound:
    """Logarithms to base 2 of evaluations of AES; None where even none of them keeps the bound.

    Attributes:
        use: what was hashed.
        key_bits: until one key, the one that hashed most, gives way.
        run_bits: until anything of the run does.
        delta_bits: until the advantage, times 1 + e^epsilon, is delta.
    """

    use: HashUse
    key_bits: float
    run_bits: float | None
    delta_bits: float | None


def garbling_bound(use: HashUse, epsilon: Fraction, delta: Fraction) -> GarblingBound | None:
    """The bound of a run; None of one that hashed nothing."""
    if not use.keys:
        return None
    # 1 + e^epsilon = e^epsilon (1 + e^-epsilon), which does not overflow.
    factor_bits = float(epsilon) * log2(e) + log1p(exp(-float(epsilon))) / log1p(1)
    delta_bits = _room(use, log2(delta.numerator) - log2(delta.denominator) - factor_bits)
    return GarblingBound(use, _shown(DELTA_BITS - log2(use.most)), _room(use, 0.0), delta_bits)


def _room(use: HashUse, advantage_bits: float) -> float | None:
    """How many evaluations, as a logarithm, until the bound is 2^advantage_bits."""
    whole = DELTA_BITS + advantage_bits
    if log2(use.squares) >= whole:
        return None
    collisions = 2.0 ** (log2(use.squares) - whole)
    return _shown(whole + log1p(-collisions) / log1p(1) - log2(use.most))


def _shown(bits: float) -> float:
    """Rounded down, so that the last digit never says too much."""
    return floor(bits * _SHOWN) / _SHOWN
