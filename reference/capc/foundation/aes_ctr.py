"""Short keys expanded by AES-128 in counter mode, so that any part of a stream can be made on its own.

`capc.foundation.randomness` is where secrets begin. This is for what is long and must be fast: the streams of the
oblivious transfers and the labels of input wires. A block is AES_key(low + 2^64 high); `high` names a use, and under
one key no use occurs twice.

Source: FIPS 197, SP 800-38A. Spec: CAPC-OT-004, CAPC-GC-002.
"""

from __future__ import annotations

from functools import lru_cache
from struct import iter_unpack

from capc.foundation.primitives import Permutation

KEY_BYTES = 16


# The leaves of all trees expand the same counters, one after the other. No counter is secret.
@lru_cache(maxsize=8)
def counters(lows: range, high: int) -> bytes:
    """For each counter the block with ``low`` in its first 8 bytes and ``high`` in its last; both below 2^64."""
    end = high.to_bytes(8, "little")
    return b"".join(low.to_bytes(8, "little") + end for low in lows)


def counter_blocks(key: bytes, lows: range, high: int) -> bytes:
    """16 bytes for each counter: AES of its block under a key of 16 bytes."""
    return Permutation(key).apply(counters(lows, high))


def stream_bits(key: bytes, high: int, count: int) -> int:
    """The first ``count`` bits of a stream, bit i of the number being bit i of the stream."""
    blocks = counter_blocks(key, range((count + 127) // 128), high)
    return int.from_bytes(blocks, "little") & ((1 << count) - 1)


def labels_at(key: bytes, lows: range, high: int) -> list[int]:
    """A label of 128 bits for each counter."""
    return to_labels(counter_blocks(key, lows, high))


def to_labels(blocks: bytes) -> list[int]:
    """The 128-bit numbers in bytes, little-endian."""
    return [low | high << 64 for low, high in iter_unpack("<QQ", blocks)]
