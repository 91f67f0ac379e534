"""Short keys expanded by AES-128 in counter mode, so that any part of a stream can be made on its own.

`capc.foundation.randomness` is where secrets begin. This is for what is long and must be fast: the streams of the
oblivious transfers and the labels of input wires. A block is AES_key(low + 2^64 high); `high` names a use, and under
one key no use occurs twice.

Source: FIPS 197, SP 800-38A. Spec: CAPC-OT-004, CAPC-GC-002.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.primitives import Permutation

KEY_BYTES = 16


def counter_blocks(key: bytes, lows: Sequence[int], high: int) -> bytes:
    """16 bytes for each counter: AES_key of the block with ``low`` in its first 8 bytes and ``high`` in its last.

    Args:
        key: 16 bytes.
        lows: counters below 2^64.
        high: below 2^64.
    """
    end = high.to_bytes(8, "little")
    return Permutation(key).apply(b"".join(low.to_bytes(8, "little") + end for low in lows))


def stream_bits(key: bytes, high: int, count: int) -> int:
    """The first ``count`` bits of a stream, bit i of the number being bit i of the stream."""
    blocks = counter_blocks(key, range((count + 127) // 128), high)
    return int.from_bytes(blocks, "little") & ((1 << count) - 1)


def labels_at(key: bytes, lows: Sequence[int], high: int) -> list[int]:
    """A label of 128 bits for each counter."""
    return to_labels(counter_blocks(key, lows, high))


def to_labels(blocks: bytes) -> list[int]:
    """The 128-bit numbers in bytes, little-endian."""
    return [int.from_bytes(blocks[at : at + LABEL_BYTES], "little") for at in range(0, len(blocks), LABEL_BYTES)]
