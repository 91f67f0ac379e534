"""The garbling hash on buffers: TMMO, as :class:`capc.garbling.LabelHash`, with the same tweaks.

A tweak is row + 2^40 number + 2^64 position; its rows and position stay in a buffer from call to call, and only the
number is filled in anew.

Spec: CAPC-GC-002, CAPC-GC-003.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from capc.errors import InputError
from capc.garbling import MAX_HASHES
from capc.primitives import BufferPermutation
from capc.vectorised.labels import LabelBuffer, Words, new_counters

_NUMBER_SHIFT = 8
"""The number begins at bit 40, which is bit 8 of the tweak's second 32-bit word."""


class HashViews(NamedTuple):
    """Views for one digest, made once: the operands, which the digests replace, and what is needed on the way."""

    source: memoryview
    target: memoryview
    inner: memoryview
    operands: Words
    inner_words: Words
    tweaks: Words
    numbers: npt.NDArray[np.uint32]


class HashBuffers:
    """Room for digests of up to ``rows`` labels per operand.

    Args:
        rows: the most rows of a call.
        operands: the most operands of a call: labels that share a row's tweak.
    """

    def __init__(self, rows: int, operands: int) -> None:
        self.blocks = LabelBuffer(rows * operands)
        self._inner = LabelBuffer(rows * operands)
        self._tweaks = new_counters(rows)
        self._rows = rows

    def set_position(self, position: int) -> None:
        """The batch's position, in all tweaks."""
        self._tweaks.labels(0, self._rows)[:, 1] = position

    def views(self, rows: int, operands: int) -> HashViews:
        """Views of the first ``operands * rows`` blocks."""
        count = rows * operands
        tweaks = self._tweaks.labels(0, rows)
        return HashViews(
            self.blocks.source(0, count),
            self.blocks.target(0, count),
            self._inner.target(0, count),
            self.blocks.labels(0, count).reshape(operands, 2 * rows),
            self._inner.labels(0, count).reshape(operands, 2 * rows),
            tweaks.reshape(2 * rows),
            tweaks.view(np.uint32)[:, 1],
        )


class BatchHash:
    """The hash of one batch. Each digest has the next number, so that no tweak occurs twice.

    Args:
        key: 16 bytes, fresh for every batch.
        position: of the batch, below 2^64; never used twice under one Delta.
    """

    def __init__(self, key: bytes, position: int) -> None:
        self.position = position
        self._permute = BufferPermutation(key).apply_into
        self._number = 0

    def digest(self, views: HashViews) -> None:
        """Replaces each operand x by pi(pi(x) XOR tweak) XOR pi(x).

        Raises:
            InputError: more digests than tweaks.
        """
        if self._number >= MAX_HASHES:
            raise InputError("a batch is too large for its tweaks: garble it in several batches")
        source, target, inner, operands, inner_words, tweaks, numbers = views
        numbers.fill(self._number << _NUMBER_SHIFT)
        self._number += 1
        self._permute(source, inner)
        np.bitwise_xor(inner_words, tweaks, operands)
        self._permute(source, target)
        np.bitwise_xor(operands, inner_words, operands)
