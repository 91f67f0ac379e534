"""Correlated transfers from the trees of `capc.puncturable`: `capc.ot_extension` on arrays, the same bytes.

A stream is AES in counter mode. The cipher of each leaf is kept with the key, as setting it up costs more than a
short stream. Transfers are made in spans, so that beyond the labels themselves memory does not depend on their number:
2 MiB of streams and columns.

Spec: CAPC-OT-001, CAPC-OT-003 to CAPC-OT-007.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from capc import ot_extension
from capc.errors import ErrorCode, InputError, InvalidPayloadError
from capc.messages import OT_ROWS, OtExtension, require_length
from capc.parameters import LABEL_BITS
from capc.primitives import BufferPermutation
from capc.puncturable import LEAVES, TREE_BITS
from capc.vectorised.bits import transpose
from capc.vectorised.labels import WORD, Bits, LabelBuffer, Words, new_counters, to_label

SPAN = 1 << 16
"""Transfers that are made together; a multiple of 128, the bits of a block."""
_GROUP_WORDS = 1 << 15
"""64-bit words of streams that are folded together: 256 KiB."""


class ConnectionKey:
    """A key that lives as long as its connection and no longer: it cannot be copied or pickled.

    A key that came back after a restart would meet positions that it has used, and so would repeat transfers and tweaks
    under one Delta. Whoever starts again makes a new set-up, with a new Delta.

    Args:
        streams: for each tree the ciphers of its leaves, in the order in which they are folded.
    """

    def __init__(self, streams: Sequence[Sequence[BufferPermutation | None]]) -> None:
        self.streams = streams
        self._free_from = 0

    def require_free(self, position: int) -> None:
        """Raises :class:`InputError` if this position or a later one was used before."""
        if position < self._free_from:
            raise InputError(f"transfer position {position} comes again: the next free one is {self._free_from}")

    def take_positions(self, position: int, count: int) -> None:
        """Marks consecutive positions, and all before them, as used."""
        self.require_free(position)
        self._free_from = position + count

    def __reduce_ex__(self, protocol: object) -> str:
        raise InputError("keys of a connection are not stored or copied: a new connection makes a new set-up")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class EvaluatorKey(ConnectionKey):
    """The evaluator's end: all leaves. Secret."""

    def __init__(self, key: ot_extension.EvaluatorKey) -> None:
        super().__init__([[BufferPermutation(leaf) for leaf in leaves] for leaves in key.leaves])


class GarblerKey(ConnectionKey):
    """The garbler's end: Delta, and the leaves in the order of y XOR alpha_j, of which the first is missing. Secret."""

    def __init__(self, key: ot_extension.GarblerKey) -> None:
        self.delta = to_label(key.delta)
        alphas = [key.delta >> first & (LEAVES - 1) for first in range(0, LABEL_BITS, TREE_BITS)]
        ordered = [
            [leaves[place ^ alpha] for place in range(LEAVES)] for leaves, alpha in zip(key.leaves, alphas, strict=True)
        ]
        super().__init__([[None if leaf is None else BufferPermutation(leaf) for leaf in leaves] for leaves in ordered])
        bits = [[alpha >> i & 1 for i in range(TREE_BITS)] for alpha in alphas]
        self.received: Words = np.where(np.array(bits, bool), np.uint64(2**64 - 1), np.uint64(0))[:, :, None]
        """All ones for each column that a received row is added to."""


def extend_receive(key: EvaluatorKey, position: int, transfers: int) -> tuple[Bits, Words, bytes]:
    """Evaluator: random bits, one byte each; their labels; the message."""
    size = (transfers + 7) // 8
    rows = np.empty((OT_ROWS, size), np.uint8)
    first_row = np.empty(size, np.uint8)
    labels = []
    for start, end, counters in _spans(transfers, position):
        columns, sums = _fold_streams(key.streams, counters)
        packed = sums.view(np.uint8)[:, : (end - start + 7) // 8]
        if end % 8:
            packed[:, -1] &= (1 << end % 8) - 1
        here = slice(start // 8, (end + 7) // 8)
        first_row[here] = packed[0]
        np.bitwise_xor(packed[1:], packed[0], rows[:, here])
        labels.append(transpose(columns)[: end - start])
    return np.unpackbits(first_row, count=transfers, bitorder="little"), _joined(labels), rows.tobytes()


def extend_send(key: GarblerKey, position: int, transfers: int, payload: bytes) -> Words:
    """Garbler: the zero label of each transfer.

    Raises:
        InvalidPayloadError: the length is wrong, or padding bits are set (`non_canonical`).
    """
    require_length(payload, OtExtension.byte_length(transfers), "OT extension")
    rows = np.frombuffer(payload, np.uint8).reshape(OT_ROWS, -1)
    if transfers % 8 and (rows[:, -1] >> transfers % 8).any():
        raise InvalidPayloadError(ErrorCode.NON_CANONICAL, "padding bits set")
    labels = []
    for start, end, counters in _spans(transfers, position):
        columns, sums = _fold_streams(key.streams, counters)
        received = np.zeros_like(sums)
        received.view(np.uint8)[1:, : (end - start + 7) // 8] = rows[:, start // 8 : (end + 7) // 8]
        by_tree = columns.reshape(len(key.streams), TREE_BITS, -1)
        by_tree ^= received[:, None, :] & key.received
        labels.append(transpose(columns)[: end - start])
    return _joined(labels)


def _joined(labels: list[Words]) -> Words:
    if len(labels) == 1:
        return labels[0]
    return np.concatenate([np.empty((0, 2), WORD), *labels])


def _spans(transfers: int, position: int) -> Iterator[tuple[int, int, LabelBuffer]]:
    """Start and end of each span of transfers, and the counters of its blocks."""
    blocks = (min(transfers, SPAN) + 127) // 128
    counters = new_counters(blocks)
    counters.labels(0, blocks)[:, 1] = position
    for start in range(0, transfers, SPAN):
        end = min(start + SPAN, transfers)
        used = (end - start + 127) // 128
        counters.labels(0, used)[:, 0] = np.arange(start // 128, start // 128 + used)
        if used < blocks:
            shorter = new_counters(used)
            shorter.labels(0, used)[:] = counters.labels(0, used)
            counters = shorter
        yield start, end, counters


def _fold_streams(streams: Sequence[Sequence[BufferPermutation | None]], counters: LabelBuffer) -> tuple[Words, Words]:
    """Column 4j + i, the XOR of the streams of tree j at the places whose bit i is set; and the XOR of all, per tree.

    Each fold of the upper half onto the lower leaves the bits below to do: 26 XORs per tree and not 43.

    Returns:
        columns of shape (128, words); sums of shape (32, words).
    """
    blocks = counters.count
    source = counters.source(0, blocks)
    words = 2 * blocks
    columns = np.empty((len(streams), TREE_BITS, words), WORD)
    sums = np.empty((len(streams), words), WORD)
    group = max(1, min(len(streams), _GROUP_WORDS // (LEAVES * words)))
    buffer = LabelBuffer(group * LEAVES * blocks)
    for first in range(0, len(streams), group):
        trees = streams[first : first + group]
        leaves = [leaf for tree in trees for leaf in tree]
        for number, leaf in enumerate(leaves):
            if leaf is None:
                buffer.labels(number * blocks, blocks).fill(0)
            else:
                leaf.apply_into(source, buffer.target(number * blocks, blocks))
        folded = buffer.labels(0, len(leaves) * blocks).reshape(len(trees), LEAVES, words)
        here = slice(first, first + len(trees))
        for i in reversed(range(TREE_BITS)):
            lower, upper = folded[:, : 1 << i], folded[:, 1 << i : 2 << i]
            np.bitwise_xor.reduce(upper, axis=1, out=columns[here, i])
            np.bitwise_xor(lower, upper, lower)
        sums[here] = folded[:, 0]
    return columns.reshape(LABEL_BITS, words), sums
