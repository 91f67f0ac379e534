"""Output words as fresh additive shares, from all lanes' labels at once: the readable `output_sharing` on arrays.

Everything is computed mod 2^64 and reduced at the end, which is exact as 2^width divides 2^64.

Spec: CAPC-GC-006.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.two_party.circuits.builder import Sharing
from capc.two_party.vectorised.hashing import BatchHash, HashBuffers
from capc.two_party.vectorised.labels import WORD, Bits, Words, select


class RowCodec:
    """Projection rows as bytes: for each output wire one element of Z_{2^(w-i)} per lane.

    Args:
        sharing: word length and ring.
        outputs: output wires.
        lanes: instances.
    """

    def __init__(self, sharing: Sharing, outputs: int, lanes: int) -> None:
        self._lanes = lanes
        self.places = np.arange(outputs, dtype=WORD) % np.uint64(sharing.word_bits)
        widths = [sharing.width - number % sharing.word_bits for number in range(outputs)]
        self.masks: Words = np.array([(1 << width) - 1 for width in widths], WORD)[:, None]
        self._runs: list[tuple[int, int, int, int]] = []
        start = at = 0
        for size, group in groupby((width + 7) // 8 for width in widths):
            count = len(list(group))
            self._runs.append((start, start + count, size, at))
            start, at = start + count, at + count * size * lanes
        self.length = at

    def write(self, rows: Words, target: Bits) -> None:
        """Rows of shape (outputs, lanes), below their moduli, into ``length`` bytes."""
        for start, end, size, at in self._runs:
            shape = (end - start, self._lanes, size)
            elements = rows[start:end].view(np.uint8).reshape(end - start, self._lanes, 8)
            target[at : at + (end - start) * self._lanes * size].reshape(shape)[...] = elements[:, :, :size]

    def read(self, data: Bits) -> Words:
        """The inverse.

        Raises:
            InvalidPayloadError: a number outside its ring (`value_out_of_range`).
        """
        rows = np.zeros((len(self.masks), self._lanes), WORD)
        for start, end, size, at in self._runs:
            shape = (end - start, self._lanes, size)
            elements = rows[start:end].view(np.uint8).reshape(end - start, self._lanes, 8)
            elements[:, :, :size] = data[at : at + (end - start) * self._lanes * size].reshape(shape)
        if (rows > self.masks).any():
            raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "a projection row outside its ring")
        return rows


class _Projection:
    def __init__(
        self, sharing: Sharing, outputs: int, lanes: int, hashes: HashBuffers, operands: int, first: int
    ) -> None:
        self.codec = RowCodec(sharing, outputs, lanes)
        self._sharing = sharing
        self._shape = (outputs, lanes)
        self._rows = outputs * lanes
        self._views = hashes.views(operands, [slice(0, self._rows)], first)
        self._numbers = hashes.numbers(self._rows)
        self._hashed = [hashes.blocks.labels(number * self._rows, self._rows) for number in range(operands)]

    def _words(self, parts: Words) -> Words:
        """The words of each lane, of shape (lanes, words): over a word's wires the sum of 2^i times the part."""
        shifted = np.left_shift(parts, self.codec.places[:, None])
        words: Words = shifted.reshape(-1, self._sharing.word_bits, self._shape[1]).sum(axis=1, dtype=WORD)
        words &= np.uint64((1 << self._sharing.width) - 1)
        return words.T


class GarblerProjection(_Projection):
    """The garbler's end, as :func:`capc.two_party.garbling.output_sharing.share_by_garbler`."""

    def __init__(self, sharing: Sharing, outputs: int, lanes: int, hashes: HashBuffers, first: int) -> None:
        super().__init__(sharing, outputs, lanes, hashes, 2, first)
        self.bytes: Bits = np.empty(self.codec.length, np.uint8)

    def share(
        self, zero_labels: Words, table: Words, offsets: Words, label_hash: BatchHash, weights: Words | None = None
    ) -> tuple[Words, Bits]:
        """The garbler's shares of each lane's words, and the rows as bytes, in a buffer that is used again.

        Args:
            zero_labels: of each output wire for each lane, flat.
            table: 0 and Delta.
            offsets: Delta, as often.
            label_hash: the batch's hash.
            weights: of each output wire for each lane, of shape (outputs, lanes); 1 if not given.
        """
        permute = zero_labels[:, 0] & np.uint64(1)
        np.bitwise_xor(zero_labels, select(table, permute.view(np.int64)), self._hashed[0])
        return self._project(permute, offsets, label_hash, weights)

    def project(
        self, labels: Words, permute: Words, offsets: Words, label_hash: BatchHash, weights: Words | None = None
    ) -> tuple[Words, Bits]:
        """As :func:`capc.two_party.garbling.output_sharing.project_by_garbler`.

        Args:
            labels: K_0 of each output wire for each lane, flat.
            permute: the bit that each of them stands for.
            offsets: Delta, as often.
            label_hash: the batch's hash.
            weights: as of :meth:`share`.
        """
        self._hashed[0][:] = labels
        return self._project(permute, offsets, label_hash, weights)

    def _project(
        self, permute: Words, offsets: Words, label_hash: BatchHash, weights: Words | None
    ) -> tuple[Words, Bits]:
        """From labels K_0 where they are hashed."""
        hash_zero, hash_one = self._hashed
        np.bitwise_xor(hash_zero, offsets, hash_one)
        label_hash.next_number(self._numbers)
        label_hash.digest(self._views)
        weight = np.uint64(1) if weights is None else weights
        weighted = permute.reshape(self._shape) * weight
        kept = weighted - hash_zero[:, 0].reshape(self._shape)
        # h_0 - h_1 + (1 - 2p) D
        rows = weight - weighted - hash_one[:, 0].reshape(self._shape) - kept
        rows &= self.codec.masks
        self.codec.write(rows, self.bytes)
        return self._words(kept), self.bytes


class EvaluatorProjection(_Projection):
    """The evaluator's end, as :func:`capc.two_party.garbling.output_sharing.share_by_evaluator`."""

    def __init__(self, sharing: Sharing, outputs: int, lanes: int, hashes: HashBuffers, first: int) -> None:
        super().__init__(sharing, outputs, lanes, hashes, 1, first)

    def share(self, active_labels: Words, rows: Words, label_hash: BatchHash) -> Words:
        """The evaluator's shares of each lane's words, from active labels, flat, and the garbler's rows."""
        return self.project(active_labels, active_labels[:, 0] & np.uint64(1), rows, label_hash)

    def project(self, labels: Words, numbers: Words, rows: Words, label_hash: BatchHash) -> Words:
        """The same from labels K_c, flat, and their numbers c."""
        (hashed,) = self._hashed
        hashed[:] = labels
        label_hash.next_number(self._numbers)
        label_hash.digest(self._views)
        parts = hashed[:, 0].reshape(self._shape) + numbers.reshape(self._shape) * rows
        return self._words(parts)
