"""The keys of the garbling hash: one for at most 2^17 rows, all from the hash key that a batch sends.

What a key hashed is what an attack on it can use, so that the concrete bound follows from the rows under one key, and
not from the size of a batch or a model. The rows of a chunk have places, hashed layer after hashed layer, side by side;
a layer that would cross a multiple of 2^17 begins at that multiple. Place p is hashed under key floor(p / 2^17) of the
chunk. Key j of chunk c is AES-128 of the block j + 2^64 c under the hash key of the batch: nothing is sent for it. A
row is one label at the evaluator, and both labels of a wire at the garbler.

Source: re-keying, Guo, Katz, Wang, Weng, Yu (CRYPTO 2020). Spec: CAPC-GC-011.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import InputError
from capc.foundation.primitives import Permutation
from capc.two_party.hash_use import HashUse

Cipher = TypeVar("Cipher")

MAX_ROWS = 1 << 40

MAX_HASHES = 1 << 24

KEY_ROWS = 1 << 17
"""The most rows under one key: 2^17 labels for the evaluator, 2^18 calls of the hash for the garbler."""


def layer_place(free: int, rows: int) -> int:
    """The place of a layer's first row.

    Args:
        free: the first place of the chunk that no layer has.
        rows: of the layer.
    """
    rest = -free % KEY_ROWS
    return free if rows <= rest else free + rest


def key_spans(first: int, rows: int) -> Iterator[tuple[int, slice]]:
    """Consecutive rows cut where the key changes.

    Args:
        first: the place of the first.
        rows: how many there are.

    Yields:
        the number of the key in its chunk, and which of the rows it hashes.
    """
    start = 0
    while start < rows:
        number, used = divmod(first + start, KEY_ROWS)
        end = min(rows, start + KEY_ROWS - used)
        yield number, slice(start, end)
        start = end


class HashKeys(Generic[Cipher]):
    """The keys and the tweaks of one batch, and what they hashed: what the hashes of both engines have in common.

    Args:
        hash_key: 16 bytes, fresh for every batch.
        nonce: of the batch, below 2^64; never used twice under one Delta.
        cipher: sets up AES under a key.
    """

    def __init__(self, hash_key: bytes, nonce: int, cipher: Callable[[bytes], Cipher]) -> None:
        self.nonce = nonce
        self._derive = Permutation(hash_key)
        self._make = cipher
        self._ciphers: dict[int, Cipher] = {}
        self._number = 0
        self._chunk = 0
        self._free = 0
        self._before = HashUse()

    def begin_chunk(self, number: int) -> None:
        """The rows to come are those of another chunk, which has keys of its own; chunk 0 has begun."""
        self._before = self.use
        self._chunk, self._free = number, 0
        self._ciphers.clear()

    def next_layer(self, rows: int) -> tuple[int, int]:
        """The number that is in the tweaks of the chunk's next layer, and the layer's place. It counts as hashed.

        Raises:
            InputError: the numbers are used up, or there are more rows than tweaks.
        """
        if self._number >= MAX_HASHES or rows > MAX_ROWS:
            raise InputError("a batch is too large for its tweaks: garble it in several batches")
        number, first, used = self._number, self._free, self._free % KEY_ROWS
        self._number = number + 1
        if used and used + rows <= KEY_ROWS:
            self._free = first + rows
        elif rows:
            # Another key begins.
            first = layer_place(first, rows)
            self._before = self.use
            for _ in range((rows - 1) // KEY_ROWS):
                self._before = self._before.with_key(KEY_ROWS)
            self._free = first + rows
        return number, first

    def key(self, number: int) -> bytes:
        """Key ``number`` of the chunk, 16 bytes."""
        block = number | self._chunk << 64
        return self._derive.apply(block.to_bytes(LABEL_BYTES, "little"))

    def cipher(self, number: int) -> Cipher:
        """AES under key ``number`` of the chunk."""
        if number not in self._ciphers:
            self._ciphers[number] = self._make(self.key(number))
        return self._ciphers[number]

    @property
    def use(self) -> HashUse:
        """What was hashed so far, this chunk included."""
        return self._before.with_key((self._free - 1) % KEY_ROWS + 1) if self._free else self._before
