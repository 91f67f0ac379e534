"""The garbling hash on buffers: TMMO, as :class:`capc.two_party.garbling.half_gates.LabelHash`, with the same tweaks.

A tweak is row + 2^40 number + 2^64 nonce; its rows and nonce stay in a buffer from call to call, and only the
number is filled in anew. A chunk's rows are always hashed under the same keys of
:mod:`capc.two_party.garbling.hash_keys`, so that views know theirs by number.

Spec: CAPC-GC-002, CAPC-GC-003, CAPC-GC-011.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.hidden import type_only
from capc.foundation.primitives import BufferPermutation
from capc.two_party.garbling.hash_keys import HashKeys, key_spans
from capc.two_party.vectorised.labels import WORD, LabelBuffer, Words, new_counters, strided

Numbers = npt.NDArray[np.uint32]
_NUMBER_SHIFT = 8
"""The number begins at bit 40, which is bit 8 of the tweak's second 32-bit word."""


class HashViews(NamedTuple):
    """Views for one digest, made once: the operands, which the digests replace, and what is needed on the way.

    Attributes:
        key: the number in its chunk of the one key that hashes all of it.
    """

    key: int
    source: memoryview
    target: memoryview
    inner: memoryview
    operands: Words
    inner_words: Words
    tweaks: Words

    def __repr__(self) -> str:
        return type_only(self)


class HashBuffers:
    """Room for digests, and the tweaks of all rows.

    Args:
        rows: the most rows that a number has.
        blocks: the most labels of one digest.
    """

    def __init__(self, rows: int, blocks: int) -> None:
        self.blocks = LabelBuffer(blocks)
        self._inner = LabelBuffer(blocks)
        self._tweaks = new_counters(rows).labels(0, rows)

    def set_nonce(self, nonce: int) -> None:
        """The batch's nonce, in all tweaks."""
        self._tweaks[:, 1] = nonce

    def numbers(self, rows: int) -> Numbers:
        """Where the tweaks of the first rows hold the number."""
        return self._tweaks[:rows].view(np.uint32)[:, 1]

    def views(self, operands: int, parts: Sequence[slice], first: int) -> list[HashViews]:
        """Views of the first blocks, more than one only where the key changes.

        Args:
            operands: labels that share a tweak; they are hashed one part after the other, for each operand in turn.
            parts: the rows of each part, of equal lengths at equal distances.
            first: the place of row 0 in its chunk.
        """
        cuts = [
            (key, slice(part.start + span.start, part.start + span.stop))
            for part in parts
            for key, span in key_spans(first + part.start, part.stop - part.start)
        ]
        if len({key for key, _ in cuts}) <= 1:
            return [self._views(cuts[0][0] if cuts else 0, 0, operands, parts)]
        views, at = [], 0
        for key, rows in cuts * operands:
            views.append(self._views(key, at, 1, [rows]))
            at += rows.stop - rows.start
        return views

    def _views(self, key: int, at: int, operands: int, parts: Sequence[slice]) -> HashViews:
        """Views of the blocks from ``at`` on, all under one key."""
        if len(parts) == 2 and parts[0].stop == parts[1].start:
            parts = [slice(parts[0].start, parts[1].stop)]
        rows = parts[0].stop - parts[0].start
        count = operands * len(parts) * rows
        distance = parts[-1].start - parts[0].start
        shape, strides = (len(parts), 2 * rows), (distance * LABEL_BYTES, WORD.itemsize)
        tweaks = strided(self._tweaks, parts[0].start * LABEL_BYTES, shape, strides)
        return HashViews(
            key,
            self.blocks.source(at, count),
            self.blocks.target(at, count),
            self._inner.target(at, count),
            self.blocks.labels(at, count).reshape(operands, len(parts), 2 * rows),
            self._inner.labels(at, count).reshape(operands, len(parts), 2 * rows),
            tweaks if len(parts) > 1 else tweaks[0],
        )


class BatchHash(HashKeys[Callable[[memoryview, memoryview], int]]):
    """The hash of one batch, on buffers.

    Args:
        key: 16 bytes, fresh for every batch.
        nonce: of the batch, below 2^64; never used twice under one Delta.
    """

    def __init__(self, key: bytes, nonce: int) -> None:
        super().__init__(key, nonce, lambda key: BufferPermutation(key).apply_into)

    def next_number(self, numbers: Numbers) -> None:
        """Gives rows their tweaks, which no rows had before; errors as of :meth:`HashKeys.next_layer`."""
        numbers.fill(self.next_layer(len(numbers))[0] << _NUMBER_SHIFT)

    def digest(self, views: Sequence[HashViews]) -> None:
        """Replaces each operand x by pi(pi(x) XOR tweak) XOR pi(x). Every row once per number."""
        for key, source, target, inner, operands, inner_words, tweaks in views:
            permute = self._ciphers.get(key) or self.cipher(key)
            permute(source, inner)
            np.bitwise_xor(inner_words, tweaks, operands)
            permute(source, target)
            np.bitwise_xor(operands, inner_words, operands)
