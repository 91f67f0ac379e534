"""The laws of what hides the weights in a response, from a stream of uniform bytes.

Source: the HE standard's ternary secrets; SEAL's centred binomial errors. Spec: CAPC-HE-003, CAPC-HE-014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capc.foundation.randomness import RandomSource
from capc.linear.bfv.wire.packing import widen

ERROR_COINS = 42
"""Fair coins of one coefficient of an error: its variance is a quarter of them, its magnitude at most half."""


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


def flooding_noise(source: RandomSource, count: int, bits: int) -> list[int]:
    """``count`` integers, independent and exactly uniform in [-2^bits, 2^bits): ``source.bits(bits + 1)`` - 2^bits."""
    bound, width = 1 << bits, bits // 8 + 1
    data, mask = source.read(count * width), 2 * bound - 1
    starts = range(0, count * width, width)
    return [(int.from_bytes(data[start : start + width], "little") & mask) - bound for start in starts]
