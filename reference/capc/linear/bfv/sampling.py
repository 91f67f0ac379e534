"""The laws of what hides the weights in a response, from a stream of uniform bytes.

Source: the HE standard's ternary secrets; SEAL's centred binomial errors. Spec: CAPC-HE-004, CAPC-HE-014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capc.foundation.randomness import RandomSource
from capc.linear.bfv.wire.packing import widen
from capc.linear.bfv.wire.seal_format import Words
from capc.session.widths import ERROR_COINS


def ternary(source: RandomSource, count: int) -> NDArray[np.uint8]:
    """``count`` integers, independent and exactly uniform modulo 3, that stand for 0, 1, -1: each byte below 255."""
    found, missing = [], count
    while missing:
        drawn = np.frombuffer(source.read(missing), dtype=np.uint8)
        found.append(drawn[drawn < 255])
        missing -= found[-1].size
    return np.concatenate(found) % 3


def centred_binomial(source: RandomSource, count: int) -> NDArray[np.int64]:
    """``count`` independent errors: heads among 42 fair coins, the low bits of 6 bytes, less 21."""
    coins = np.zeros(count, dtype="<u8")
    widen(np.frombuffer(source.read(6 * count), dtype="V6"), coins)
    heads: NDArray[np.uint8] = np.bitwise_count(coins & np.uint64((1 << ERROR_COINS) - 1))
    return heads.astype(np.int64) - ERROR_COINS // 2


def below(source: RandomSource, count: int, bound: int) -> Words:
    """``count`` integers, independent and exactly uniform below ``bound``: as many calls of ``source.below(bound)``."""
    bits = (bound - 1).bit_length()
    width, mask = (bits + 7) // 8, np.uint64((1 << bits) - 1)
    found, missing = [], count
    while missing:
        drawn = np.zeros(missing, dtype="<u8")
        widen(np.frombuffer(source.read(width * missing), dtype=f"V{width}"), drawn)
        drawn &= mask
        found.append(drawn[drawn < bound])
        missing -= found[-1].size
    return np.concatenate(found) if found else np.zeros(0, dtype=np.uint64)
