"""Labels as arrays: 128-bit numbers as pairs of 64-bit words, low word first, so that memory holds their wire bytes.

Spec: CAPC-GC-009.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.primitives import BufferPermutation

Words = npt.NDArray[np.uint64]
"""64-bit words; as labels of shape (..., 2)."""
Bits = npt.NDArray[np.uint8]
"""One byte per bit, or packed bits, as each function says."""
Indices = npt.NDArray[np.int64]

WORD = np.dtype("<u8")
_ALL_BUT_LOWEST = np.uint64(2**64 - 2)


class LabelBuffer:
    """Contiguous labels that AES reads and writes in place.

    Args:
        count: labels; one more is allocated, as the permutation wants room behind its output.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._labels = np.zeros((count + 1, 2), WORD)
        self._bytes = self._labels.reshape(-1).view(np.uint8).data

    def labels(self, start: int, count: int) -> Words:
        """A view of some labels, of shape (count, 2)."""
        return self._labels[start : start + count]

    def source(self, start: int, count: int) -> memoryview:
        """The bytes of the same labels."""
        return self._bytes[start * LABEL_BYTES : (start + count) * LABEL_BYTES]

    def target(self, start: int, count: int) -> memoryview:
        """The same with a label's room behind, as the permutation's output."""
        return self._bytes[start * LABEL_BYTES : (start + count + 1) * LABEL_BYTES]

    def targets(self, each: int) -> Iterator[memoryview]:
        """Outputs side by side, of ``each`` labels. The room behind one is the next one, so fill them in order."""
        size = each * LABEL_BYTES
        for start in range(0, self.count // max(each, 1) * size, size or 1):
            yield self._bytes[start : start + size + LABEL_BYTES]


def to_label(number: int) -> Words:
    """One label from a number below 2^128."""
    return np.frombuffer(number.to_bytes(LABEL_BYTES, "little"), WORD).copy()


def to_numbers(labels: Words) -> list[list[int]]:
    """The numbers of labels of shape (rows, columns, 2)."""
    return [[low | high << 64 for low, high in row] for row in labels.tolist()]


def word_rows(words: Words) -> list[tuple[int, ...]]:
    """The numbers of words of shape (rows, columns), 1 column or more: tuples, which the garbage collector lets be."""
    return [*zip(*words.T.tolist(), strict=True)]


def to_number(label: Words) -> int:
    """The number of one label."""
    return int.from_bytes(label.tobytes(), "little")


def colours(labels: Words) -> Bits:
    """The lowest bit of each label of shape (..., 2), one byte each."""
    return (labels[..., 0] & np.uint64(1)).astype(np.uint8)


def multiples(offset: Words) -> Words:
    """A look-up table, of shape (2, 2): 0 and the offset, for bits that say whether the offset is added."""
    return np.stack([np.zeros_like(offset), offset])


def select(table: Words, bits: Bits) -> Words:
    """Row ``bit`` of a table for every bit of a flat array: an array of shape (bits, 2)."""
    return table.take(bits, axis=0, mode="clip")


def set_lowest_bits(labels: Words, bits: Bits | int) -> None:
    """Makes these bits the lowest ones of labels of shape (n, 2)."""
    low = labels[:, 0]
    low &= _ALL_BUT_LOWEST
    low |= bits


def expand_labels(key: bytes, high: int, counters: LabelBuffer, target: memoryview, count: int) -> None:
    """Label i is AES_key(i + 2^64 high), as :func:`capc.foundation.aes_ctr.labels_at` gives for the counters from 0 on.

    Args:
        key: 16 bytes.
        high: below 2^64.
        counters: low words 0, 1, ...; the high words are overwritten.
        target: ``count`` labels, and room behind.
        count: how many.
    """
    if count:
        counters.labels(0, count)[:, 1] = high
        BufferPermutation(key).apply_into(counters.source(0, count), target)


def strided(words: Words, start: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Words:
    """A view of contiguous words; strides are in bytes, and it may not leave the words.

    It takes a tenth of the time of NumPy's ``as_strided``: a program has thousands of views.

    Args:
        words: what is viewed.
        start: bytes before its first word.
        shape: of the view.
        strides: one for each axis.
    """
    return np.ndarray(shape, WORD, words.data, start, strides)


def new_counters(count: int) -> LabelBuffer:
    """Low words 0, 1, ..., count - 1; high words 0."""
    buffer = LabelBuffer(count)
    buffer.labels(0, count)[:, 0] = np.arange(count)
    return buffer
