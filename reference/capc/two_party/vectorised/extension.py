"""Correlated transfers from trees: the garbling room's `ot_extension` on arrays, with the same bytes.

A stream is AES in counter mode. The cipher of each leaf is kept with the key, as setting it up costs more than a
short stream. Transfers are made in spans, so that beyond the labels themselves, and for the evaluator as many bytes of
columns until it needs its labels, or for the garbler if it works ahead of the message, memory does not depend on their
number: 2 MiB of streams and columns.

Spec: CAPC-OT-001, CAPC-OT-003 to CAPC-OT-007.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from threading import Lock

import numpy as np

from capc.foundation.encoding import LABEL_BITS, require_length
from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError
from capc.foundation.primitives import BufferPermutation, linear_hashes
from capc.two_party.garbling import extension_check, ot_extension
from capc.two_party.garbling.ggm_tree import LEAVES, TREE_BITS
from capc.two_party.garbling.ot_messages import OT_ROWS, OtExtension
from capc.two_party.vectorised.bits import pack, transpose
from capc.two_party.vectorised.labels import WORD, Bits, LabelBuffer, Words, to_label, to_number
from capc.two_party.vectorised.transfers import Unstored

SPAN = 1 << 16
"""Transfers that are made together; a multiple of 128, the bits of a block."""
BLOCK_BITS = LABEL_BITS
_GROUP_BLOCKS = 1 << 14
"""Blocks of streams that are folded together: 256 KiB."""

Streams = Sequence[Sequence[BufferPermutation | None]]
"""For each tree the ciphers of its leaves."""


class ConnectionKey(Unstored):
    """A key, and the nonces that it has used.

    Args:
        streams: for each tree the ciphers of its leaves, in the order in which they are folded.
    """

    def __init__(self, streams: Streams) -> None:
        self.streams = streams
        self._used: set[int] = set()
        self._taking = Lock()

    def require_free(self, nonce: int, count: int = 1) -> None:
        """Raises :class:`InputError` if one of these consecutive nonces was used before."""
        again = self._used.intersection(range(nonce, nonce + count))
        if again:
            raise InputError(f"transfer nonce {min(again)} comes again: use every nonce once")

    def take_nonces(self, nonce: int, count: int) -> None:
        """Marks consecutive nonces as used; a batch that was opened earlier may come later."""
        with self._taking:
            self.require_free(nonce, count)
            self._used.update(range(nonce, nonce + count))


class EvaluatorKey(ConnectionKey):
    """The evaluator's end: all leaves. Secret."""

    def __init__(self, key: ot_extension.EvaluatorKey) -> None:
        super().__init__([[BufferPermutation(leaf) for leaf in leaves] for leaves in key.leaves])


class GarblerKey(ConnectionKey):
    """The garbler's end: Delta, and the leaves in the order of y XOR alpha_j, of which the first is missing. Secret."""

    def __init__(self, key: ot_extension.GarblerKey) -> None:
        self.delta = to_label(key.delta)
        self.destroyed = key.destroyed
        alphas = [key.delta >> first & (LEAVES - 1) for first in range(0, LABEL_BITS, TREE_BITS)]
        ordered = [
            [leaves[place ^ alpha] for place in range(LEAVES)] for leaves, alpha in zip(key.leaves, alphas, strict=True)
        ]
        super().__init__([[None if leaf is None else BufferPermutation(leaf) for leaf in leaves] for leaves in ordered])
        bits = [[alpha >> i & 1 for i in range(TREE_BITS)] for alpha in alphas]
        self.received: Words = np.where(np.array(bits, bool), np.uint64(2**64 - 1), np.uint64(0))[:, :, None]
        """All ones for each column that a received row is added to."""
        self._expected: tuple[tuple[int, int], list[Words]] | None = None

    def expect(self, nonce: int, transfers: int) -> None:
        """Makes what the next extension needs besides its message, which has not come yet."""
        self.require_free(nonce)
        self._expected = (nonce, transfers), [columns.copy() for columns in self._columns(nonce, transfers)]

    def take_columns(self, nonce: int, transfers: int) -> Iterable[Words]:
        """For each span the columns of :meth:`_Folds.at`, to be overwritten; those expected, or made one by one."""
        expected, self._expected = self._expected, None
        if expected is not None and expected[0] == (nonce, transfers):
            return expected[1]
        return self._columns(nonce, transfers)

    def _columns(self, nonce: int, transfers: int) -> Iterator[Words]:
        folds = _Folds(self.streams, nonce, transfers)
        return (folds.at(start)[0] for start in range(0, transfers, SPAN))


class ReceivedLabels(Unstored):
    """The labels of an extension, made from its columns when they are first asked for: the message does not wait.

    Args:
        columns: for each span those of :meth:`_Folds.at`.
        transfers: how many labels.
    """

    def __init__(self, columns: list[Words], transfers: int) -> None:
        self._columns = columns
        self._transfers = transfers
        self._labels = _room(0)

    @property
    def columns(self) -> Sequence[Words]:
        """Those of each span; empty once the labels were made."""
        return self._columns

    def first(self, transfers: int) -> ReceivedLabels:
        """So many labels of these, which are not made yet."""
        blocks = -(-transfers // BLOCK_BITS)
        kept = [
            columns[:, : 2 * (blocks - start)]
            for start, columns in zip(range(0, blocks, SPAN // BLOCK_BITS), self._columns, strict=False)
        ]
        return ReceivedLabels(kept, transfers)

    def all(self) -> Words:
        """All labels, of shape (transfers, 2)."""
        if self._columns:
            self._labels = _room(self._transfers)
            for number, columns in enumerate(self._columns):
                transpose(columns, self._labels[number * SPAN : (number + 1) * SPAN])
            self._columns = []
        return self._labels[: self._transfers]


def extend_receive(key: EvaluatorKey, nonce: int, transfers: int) -> tuple[Bits, ReceivedLabels, bytes]:
    """Evaluator: random bits, one byte each; their labels; the message."""
    size = (transfers + 7) // 8
    rows = np.empty((OT_ROWS, size), np.uint8)
    first_row = np.empty(size, np.uint8)
    kept = []
    folds = _Folds(key.streams, nonce, transfers)
    for start in range(0, transfers, SPAN):
        columns, sums = folds.at(start)
        kept.append(columns.copy())
        here = slice(start // 8, min(start + SPAN + 7, size * 8) // 8)
        packed = sums.view(np.uint8)[:, : here.stop - here.start]
        first_row[here] = packed[0]
        np.bitwise_xor(packed[1:], packed[0], rows[:, here])
    if transfers % 8:
        rows[:, -1] &= (1 << transfers % 8) - 1
    bits = np.unpackbits(first_row, count=transfers, bitorder="little")
    return bits, ReceivedLabels(kept, transfers), rows.tobytes()


def extend_send(key: GarblerKey, nonce: int, transfers: int, payload: bytes) -> Words:
    """Garbler: the zero label of each transfer.

    Raises:
        InvalidPayloadError: the length is wrong, or padding bits are set (`non_canonical`).
    """
    labels = _room(transfers)
    for number, columns in enumerate(_sent_columns(key, nonce, transfers, payload)):
        transpose(columns, labels[number * SPAN : (number + 1) * SPAN])
    return labels[:transfers]


def send_checked(key: GarblerKey, set_up: bytes, nonce: int, transfers: int, payload: bytes) -> Words:
    """The garbling room's :func:`extension_check.send_checked`, on arrays; raises as it does."""
    extension_check.require_alive(key.destroyed)
    require_length(payload, extension_check.checked_length(transfers), "OT extension")
    made = extension_check.checked_transfers(transfers)
    rows, end = payload[: OtExtension.byte_length(made)], payload[OtExtension.byte_length(made) :]
    kept = [columns.copy() for columns in _sent_columns(key, nonce, made, rows)]
    hashed = linear_hashes(extension_check.challenge(set_up, nonce, rows), _joined(kept))
    extension_check.require_consistent(key.destroyed, to_number(key.delta), hashed, end)
    return ReceivedLabels(kept, made).all()[:transfers]


def receive_checked(key: EvaluatorKey, set_up: bytes, nonce: int, transfers: int) -> tuple[Bits, ReceivedLabels, bytes]:
    """The garbling room's :func:`extension_check.receive_checked`, on arrays: bits of one byte each, labels."""
    bits, labels, rows = extend_receive(key, nonce, extension_check.checked_transfers(transfers))
    columns = [pack(bits), *_joined(labels.columns)]
    hashed_bits, *hashed = linear_hashes(extension_check.challenge(set_up, nonce, rows), columns)
    payload = rows + extension_check.answer(hashed_bits, hashed).to_bytes()
    return bits[:transfers], labels.first(transfers), payload


def _joined(spans: Sequence[Words]) -> list[bytes]:
    """The bytes of each column, from all spans."""
    return [b"".join(span[column].tobytes() for span in spans) for column in range(LABEL_BITS)]


def _sent_columns(key: GarblerKey, nonce: int, transfers: int, payload: bytes) -> Iterator[Words]:
    """For each span the garbler's columns, received rows added. Raises as :func:`extend_send`."""
    require_length(payload, OtExtension.byte_length(transfers), "OT extension")
    rows = np.frombuffer(payload, np.uint8).reshape(OT_ROWS, -1)
    if transfers % 8 and (rows[:, -1] >> transfers % 8).any():
        raise InvalidPayloadError(ErrorCode.NON_CANONICAL, "padding bits set")
    for number, columns in enumerate(key.take_columns(nonce, transfers)):
        start = number * SPAN
        added = np.zeros((len(key.streams), columns.shape[1]), WORD)
        sent = rows[:, start // 8 : (start + SPAN) // 8]
        added.view(np.uint8)[1:, : sent.shape[1]] = sent
        by_tree = columns.reshape(len(key.streams), TREE_BITS, -1)
        by_tree ^= added[:, None, :] & key.received
        yield columns


def _room(transfers: int) -> Words:
    """Room for labels, in whole blocks."""
    return np.empty(((transfers + BLOCK_BITS - 1) // BLOCK_BITS * BLOCK_BITS, 2), WORD)


class _Folds:
    """The streams of all leaves, folded, a span of transfers at a time, in buffers that are used again."""

    def __init__(self, streams: Streams, nonce: int, transfers: int) -> None:
        self._streams = streams
        self._transfers = transfers
        blocks = (min(transfers, SPAN) + BLOCK_BITS - 1) // BLOCK_BITS
        self._counters = LabelBuffer(blocks)
        self._counters.labels(0, blocks)[:, 1] = nonce
        self._group = max(1, min(len(streams), _GROUP_BLOCKS // (LEAVES * max(blocks, 1))))
        self._leaves = LabelBuffer(self._group * LEAVES * blocks)
        self._columns = np.empty((LABEL_BITS, 2 * blocks), WORD)
        self._sums = np.empty((len(streams), 2 * blocks), WORD)

    def at(self, start: int) -> tuple[Words, Words]:
        """Column 4j + i, the XOR of the streams of tree j at places whose bit i is set; and the XOR of all, per tree.

        Each fold of the upper half onto the lower leaves the bits below to do: 26 XORs per tree and not 43.

        Args:
            start: the first transfer, a multiple of the span.

        Returns:
            columns of shape (128, words), sums of shape (32, words): views that the next call overwrites.
        """
        blocks = (min(self._transfers - start, SPAN) + BLOCK_BITS - 1) // BLOCK_BITS
        first = start // BLOCK_BITS
        self._counters.labels(0, blocks)[:, 0] = np.arange(first, first + blocks)
        source = self._counters.source(0, blocks)
        columns, sums = self._columns[:, : 2 * blocks], self._sums[:, : 2 * blocks]
        by_tree = columns.reshape(len(self._streams), TREE_BITS, -1, copy=False)
        for first in range(0, len(self._streams), self._group):
            here = slice(first, first + self._group)
            self._fold(self._streams[here], source, blocks, by_tree[here], sums[here])
        return columns, sums

    def _fold(self, trees: Streams, source: memoryview, blocks: int, columns: Words, sums: Words) -> None:
        """Some trees: their leaves' streams side by side, then the folds."""
        for leaf, target in zip(chain.from_iterable(trees), self._leaves.targets(blocks), strict=False):
            if leaf is not None:
                leaf.apply_into(source, target)
        folded = self._leaves.labels(0, len(trees) * LEAVES * blocks).reshape(len(trees), LEAVES, -1)
        if trees[0][0] is None:
            folded[:, 0] = 0
        for i in reversed(range(TREE_BITS)):
            lower, upper = folded[:, : 1 << i], folded[:, 1 << i : 2 << i]
            np.bitwise_xor.reduce(upper, axis=1, out=columns[:, i])
            np.bitwise_xor(lower, upper, lower)
        sums[:] = folded[:, 0]
