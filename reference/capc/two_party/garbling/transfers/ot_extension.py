"""Any number of correlated oblivious transfers of labels, of random bits, from trees (:mod:`.ggm_tree`).

For transfer i the garbler has a zero label q_i, the evaluator a random bit x_i and its label t_i = q_i XOR x_i Delta.
They are made before the inputs are known. An input bit b is then transferred by sending d = b XOR x: the zero label
becomes q XOR d Delta, and t is the label of b.

What is here checks nothing: :mod:`.extension_check` does, towards an evaluator that sends other rows than its own.

Source: Roy, "SoftSpokenOT" (CRYPTO 2022), the semi-honest protocol over subfields of 16 elements; derandomisation,
Beaver 1995. Spec: CAPC-OT-001, CAPC-OT-003 to CAPC-OT-007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from capc.foundation.aes_ctr import stream_bits
from capc.foundation.single_use import SpentMark
from capc.two_party.garbling.transfers.ggm_tree import LEAVES, TREE_BITS
from capc.two_party.garbling.transfers.ot_messages import OtExtension


@dataclass(frozen=True, repr=False)
class EvaluatorKey:
    """The evaluator's end: the 16 leaves of each of 32 trees. Secret.

    Attributes:
        leaves: of each tree.
        set_up: digest of the set-up, 32 bytes, the same at both ends; the challenge of every check is bound to it.
    """

    leaves: tuple[tuple[bytes, ...], ...]
    set_up: bytes

    def __repr__(self) -> str:
        return "<EvaluatorKey>"


@dataclass(frozen=True, repr=False)
class GarblerKey:
    """The garbler's end: Delta, and all leaves but alpha_j, bits 4j to 4j + 3 of Delta, of each tree. Secret.

    Attributes:
        delta: the offset.
        leaves: of each tree.
        set_up: as of the evaluator.
        destroyed: taken when a check failed. All copies of the key share it, and no copy makes transfers after that.
    """

    delta: int
    leaves: tuple[tuple[bytes | None, ...], ...]
    set_up: bytes
    destroyed: SpentMark = field(default_factory=SpentMark, kw_only=True, compare=False)

    def __repr__(self) -> str:
        return "<GarblerKey>"


def extend_receive(key: EvaluatorKey, nonce: int, transfers: int) -> tuple[int, list[int], OtExtension]:
    """Evaluator: random bits, the label of each, and the rows that let the garbler follow.

    1. s_{j,y} is the stream of leaf y of tree j at this nonce.
    2. u_j = XOR of all s_{j,y}; column 4j + i is the XOR of those s_{j,y} whose y has bit i set.
    3. The bits x are u_0, which the garbler cannot know; sent is u_j XOR u_0 for every other tree.
    4. Label r is bit r of every column.

    Args:
        key: the evaluator's end.
        nonce: below 2^64; it must never occur twice under one key, as the same bits would come again.
        transfers: m.
    """
    columns, sums = [], []
    for leaves in key.leaves:
        streams = [stream_bits(leaf, nonce, transfers) for leaf in leaves]
        sums.append(_xor_of(streams, range(LEAVES)))
        columns += [_xor_of(streams, _with_bit(i)) for i in range(TREE_BITS)]
    bits = sums[0]
    return bits, transpose(columns, transfers), OtExtension(tuple(total ^ bits for total in sums[1:]), transfers)


def extend_send(key: GarblerKey, nonce: int, message: OtExtension) -> list[int]:
    """Garbler: the zero label of each transfer.

    Column 4j + i is the XOR of those s_{j,y} for which y XOR alpha_j has bit i set, and of the received row j where
    alpha_j has bit i set. The leaf alpha_j itself is never needed.
    """
    columns = []
    for tree, (leaves, row) in enumerate(zip(key.leaves, (0, *message.rows), strict=True)):
        alpha = key.delta >> tree * TREE_BITS & (LEAVES - 1)
        streams = [0 if leaf is None else stream_bits(leaf, nonce, message.transfers) for leaf in leaves]
        for i in range(TREE_BITS):
            column = _xor_of(streams, [y ^ alpha for y in _with_bit(i)])
            columns.append(column ^ row if alpha >> i & 1 else column)
    return transpose(columns, message.transfers)


def transpose(columns: Sequence[int], rows: int) -> list[int]:
    """Row i, whose bit j is bit i of column j; from len(columns) columns of ``rows`` bits."""
    if not rows:
        return []
    # Text is the fastest transposition that needs no library: most significant column first.
    texts = [format(column, f"0{rows}b") for column in reversed(columns)]
    return [int("".join(bits), 2) for bits in zip(*texts, strict=True)][::-1]


def _with_bit(i: int) -> list[int]:
    return [y for y in range(LEAVES) if y >> i & 1]


def _xor_of(streams: Sequence[int], chosen: Sequence[int]) -> int:
    total = 0
    for y in chosen:
        total ^= streams[y]
    return total
