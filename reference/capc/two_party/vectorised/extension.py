"""Correlated transfers from trees: the garbling room's `ot_extension` and its check on arrays, with the same bytes.

A stream is AES in counter mode. The cipher of each leaf is kept with the key, as setting it up costs more than a
short stream. Streams are folded in spans, in 2 MiB of buffers, into columns: 16 bytes for a transfer, each column in
one piece, as the hash of the check takes it. Labels are made from columns, and are as many bytes.

Spec: CAPC-OT-001, CAPC-OT-003 to CAPC-OT-010.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from threading import Lock

import numpy as np

from capc.foundation.encoding import LABEL_BITS, require_length
from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError
from capc.foundation.primitives import BufferPermutation, linear_hashes
from capc.foundation.single_use import require_alive
from capc.two_party.garbling.transfers import extension_check, ot_extension
from capc.two_party.garbling.transfers.ggm_tree import LEAVES, TREE_BITS
from capc.two_party.garbling.transfers.ot_messages import (
    BLOCK_BITS,
    OT_ROWS,
    CheckedExtension,
    ExtensionCheck,
    OtExtension,
    checked_transfers,
)
from capc.two_party.vectorised.bits import transpose
from capc.two_party.vectorised.labels import WORD, Bits, LabelBuffer, Words, to_label, to_number
from capc.two_party.vectorised.transfers import Unstored

SPAN = 1 << 16
"""Transfers whose streams are folded together; a multiple of 128, the bits of a block."""
_GROUP_BLOCKS = 1 << 14
"""Blocks of streams that are folded together: 256 KiB."""

Streams = Sequence[Sequence[BufferPermutation | None]]
"""For each tree the ciphers of its leaves."""


class ConnectionKey(Unstored):
    """A key, and the nonces that it has used.

    Args:
        streams: for each tree the ciphers of its leaves, in the order in which they are folded.
        set_up: digest of the set-up.
    """

    def __init__(self, streams: Streams, set_up: bytes) -> None:
        self.streams = streams
        self.set_up = set_up
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
        super().__init__([[BufferPermutation(leaf) for leaf in leaves] for leaves in key.leaves], key.set_up)


class GarblerKey(ConnectionKey):
    """The garbler's end: Delta, and the leaves in the order of y XOR alpha_j, of which the first is missing. Secret."""

    def __init__(self, key: ot_extension.GarblerKey) -> None:
        self.delta = to_label(key.delta)
        self.destroyed = key.destroyed
        alphas = [key.delta >> first & (LEAVES - 1) for first in range(0, LABEL_BITS, TREE_BITS)]
        ordered = [
            [leaves[place ^ alpha] for place in range(LEAVES)] for leaves, alpha in zip(key.leaves, alphas, strict=True)
        ]
        streams = [[None if leaf is None else BufferPermutation(leaf) for leaf in leaves] for leaves in ordered]
        super().__init__(streams, key.set_up)
        bits = [[alpha >> i & 1 for i in range(TREE_BITS)] for alpha in alphas]
        self.received: Words = np.where(np.array(bits, bool), np.uint64(2**64 - 1), np.uint64(0))[:, :, None]
        """All ones for each column that a received row is added to."""
        self._expected: tuple[tuple[int, int], Words] | None = None

    def expect(self, nonce: int, transfers: int) -> None:
        """Makes what the next extension needs besides its message, which has not come yet."""
        require_alive(self.destroyed)
        self.require_free(nonce)
        columns = _room_of_columns(transfers)
        for _ in _fold_into(columns, self.streams, nonce, transfers):
            pass
        with self._taking:
            self._expected = (nonce, transfers), columns

    def take_columns(self, nonce: int, transfers: int) -> tuple[Words, Iterable[slice]]:
        """The columns, and the words of each span as soon as they are there; those expected, or made one by one."""
        # Two threads never take the same columns, which the rows are added to in place.
        with self._taking:
            expected, self._expected = self._expected, None
        if expected is not None and expected[0] == (nonce, transfers):
            return expected[1], _spans(transfers)
        columns = _room_of_columns(transfers)
        return columns, (here for here, _ in _fold_into(columns, self.streams, nonce, transfers))


class ReceivedLabels(Unstored):
    """The labels of an extension, made from its columns when they are first asked for: the message does not wait.

    Args:
        columns: of all transfers, or of more.
        transfers: how many labels.
    """

    def __init__(self, columns: Words, transfers: int) -> None:
        self._columns: Words | None = columns
        self._transfers = transfers
        self._labels = np.empty((0, 2), WORD)

    def all(self) -> Words:
        """All labels, of shape (transfers, 2)."""
        if self._columns is not None:
            self._labels = _labels(self._columns, self._transfers)
            self._columns = None
        return self._labels


def extend_receive(key: EvaluatorKey, nonce: int, transfers: int) -> tuple[Bits, ReceivedLabels, bytes]:
    """Evaluator: random bits, one byte each; their labels; the rows, without a check."""
    rows = np.empty((OT_ROWS, (transfers + 7) // 8), np.uint8)
    first_row, columns = _receive(key, nonce, transfers, rows)
    if transfers % 8:
        rows[:, -1] &= (1 << transfers % 8) - 1
    bits = np.unpackbits(first_row, count=transfers, bitorder="little")
    return bits, ReceivedLabels(columns, transfers), rows.tobytes()


def extend_send(key: GarblerKey, nonce: int, transfers: int, payload: bytes) -> Words:
    """Garbler: the zero label of each transfer, from rows that nothing checks.

    Raises:
        InvalidPayloadError: the length is wrong, or padding bits are set (`non_canonical`).
    """
    require_length(payload, OtExtension.byte_length(transfers), "OT extension")
    rows = np.frombuffer(payload, np.uint8).reshape(OT_ROWS, -1)
    if transfers % 8 and (rows[:, -1] >> transfers % 8).any():
        raise InvalidPayloadError(ErrorCode.NON_CANONICAL, "padding bits set")
    return _labels(_send(key, nonce, transfers, rows), transfers)


def receive_checked(key: EvaluatorKey, nonce: int, transfers: int) -> tuple[Bits, ReceivedLabels, bytes]:
    """The garbling room's :func:`extension_check.receive_checked` on arrays: bits, one byte each; labels; payload."""
    made = checked_transfers(transfers)
    split = OtExtension.byte_length(made)
    # The check goes behind the rows, in their own buffer.
    payload = np.empty(split + ExtensionCheck.byte_length(), np.uint8)
    rows = payload[:split]
    first_row, columns = _receive(key, nonce, made, rows.reshape(OT_ROWS, -1))
    challenge = extension_check.challenge(key.set_up, nonce, rows.data)
    hashed_bits, *hashed = linear_hashes(challenge, [first_row.data, *_pieces(columns)])
    payload[split:] = np.frombuffer(extension_check.answer(hashed_bits, hashed).to_bytes(), np.uint8)
    bits = np.unpackbits(first_row, count=transfers, bitorder="little")
    return bits, ReceivedLabels(columns, transfers), payload.tobytes()


def send_checked(key: GarblerKey, nonce: int, transfers: int, payload: bytes) -> Words:
    """The garbling room's :func:`extension_check.send_checked`, on arrays; raises as it does, or as parsing."""
    require_alive(key.destroyed)
    require_length(payload, CheckedExtension.byte_length(transfers), "OT extension")
    made = checked_transfers(transfers)
    split = OtExtension.byte_length(made)
    rows = np.frombuffer(payload, np.uint8, split)
    columns = _send(key, nonce, made, rows.reshape(OT_ROWS, -1))
    hashed = linear_hashes(extension_check.challenge(key.set_up, nonce, rows.data), _pieces(columns))
    check = ExtensionCheck.from_bytes(payload[split:])
    extension_check.require_consistent(key.destroyed, to_number(key.delta), hashed, check)
    return _labels(columns, transfers)


def _receive(key: EvaluatorKey, nonce: int, transfers: int, rows: Bits) -> tuple[Bits, Words]:
    """The random bits, packed, and the columns; fills the rows, of shape (31, bytes), padding bits included."""
    first_row = np.empty(rows.shape[1], np.uint8)
    columns = _room_of_columns(transfers)
    for here, sums in _fold_into(columns, key.streams, nonce, transfers):
        place = slice(8 * here.start, min(8 * here.stop, len(first_row)))
        packed = sums.view(np.uint8)[:, : place.stop - place.start]
        first_row[place] = packed[0]
        np.bitwise_xor(packed[1:], packed[0], rows[:, place])
    return first_row, columns


def _send(key: GarblerKey, nonce: int, transfers: int, rows: Bits) -> Words:
    """The garbler's columns, received rows added."""
    columns, spans = key.take_columns(nonce, transfers)
    for here in spans:
        added = np.zeros((len(key.streams), here.stop - here.start), WORD)
        sent = rows[:, 8 * here.start : 8 * here.stop]
        added.view(np.uint8)[1:, : sent.shape[1]] = sent
        by_tree = _by_tree(columns[:, here])
        by_tree ^= added[:, None, :] & key.received
    return columns


def _labels(columns: Words, transfers: int) -> Words:
    """The labels of the first transfers; columns may be overwritten."""
    words = _words(transfers)
    labels = np.empty((64 * words, 2), WORD)
    transpose(columns[:, :words], labels)
    return labels[:transfers]


def _pieces(columns: Words) -> list[memoryview]:
    """The bytes of each column."""
    return [column.data for column in columns.view(np.uint8)]


def _words(transfers: int) -> int:
    """Of 64 bits, in whole blocks."""
    return 2 * -(-transfers // BLOCK_BITS)


def _room_of_columns(transfers: int) -> Words:
    return np.empty((LABEL_BITS, _words(transfers)), WORD)


def _by_tree(columns: Words) -> Words:
    """The same columns, of shape (32, 4, words)."""
    return columns.reshape(LABEL_BITS // TREE_BITS, TREE_BITS, -1, copy=False)


def _spans(transfers: int) -> list[slice]:
    """The words of each span."""
    words, most = _words(transfers), _words(SPAN)
    return [slice(start, min(start + most, words)) for start in range(0, words, most)]


def _fold_into(columns: Words, streams: Streams, nonce: int, transfers: int) -> Iterator[tuple[slice, Words]]:
    """Fills the columns span by span; for each its words, and the sums of :meth:`_Folds.fill`."""
    folds = _Folds(streams, nonce, transfers)
    for here in _spans(transfers):
        yield here, folds.fill(here, columns[:, here])


class _Folds:
    """The streams of all leaves, folded, a span of transfers at a time, in buffers that are used again."""

    def __init__(self, streams: Streams, nonce: int, transfers: int) -> None:
        self._streams = streams
        blocks = _words(min(transfers, SPAN)) // 2
        self._counters = LabelBuffer(blocks)
        self._counters.labels(0, blocks)[:, 1] = nonce
        self._group = max(1, min(len(streams), _GROUP_BLOCKS // (LEAVES * max(blocks, 1))))
        self._leaves = LabelBuffer(self._group * LEAVES * blocks)
        self._sums = np.empty((len(streams), 2 * blocks), WORD)

    def fill(self, here: slice, columns: Words) -> Words:
        """Column 4j + i, the XOR of the streams of tree j at places whose bit i is set; and the XOR of all, per tree.

        Each fold of the upper half onto the lower leaves the bits below to do: 26 XORs per tree and not 43.

        Args:
            here: the words of a span.
            columns: of this span, of shape (128, words); filled.

        Returns:
            sums of shape (32, words): a view that the next call overwrites.
        """
        first, blocks = here.start // 2, columns.shape[1] // 2
        self._counters.labels(0, blocks)[:, 0] = np.arange(first, first + blocks)
        source = self._counters.source(0, blocks)
        sums, by_tree = self._sums[:, : 2 * blocks], _by_tree(columns)
        for start in range(0, len(self._streams), self._group):
            trees = slice(start, start + self._group)
            self._fold(self._streams[trees], source, blocks, by_tree[trees], sums[trees])
        return sums

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
