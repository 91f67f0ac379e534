"""The check of an extension: the rows that the evaluator sent are those of one and the same vector of bits.

For column c the garbler has q_c, the evaluator t_c, and q_c = t_c XOR Delta_c x with the bits x, if the rows are
right. For a linear hash h the evaluator sends h(x) and a digest of all h(t_c); the garbler makes the same digest from
h(q_c) XOR Delta_c h(x). The hash is chosen by the rows, so that nobody waits.

A row j whose error h does not send to 0 passes only if bits 4j to 4j + 3 of Delta were guessed: c bits with
probability 2^-c, for all trees with an error together. A check that fails destroys the key.

Source: Roy, "SoftSpokenOT" (CRYPTO 2022), section 4; a digest in the place of the hashed columns: Baum and others,
"Publicly verifiable zero-knowledge and post-quantum signatures from VOLE-in-the-head" (CRYPTO 2023).

Spec: CAPC-OT-009, CAPC-OT-012.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from capc.foundation.encoding import LABEL_BITS
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.foundation.single_use import SpentMark, require_alive
from capc.two_party.garbling.transfers.ggm_tree import xor
from capc.two_party.garbling.transfers.ot_extension import (
    EvaluatorKey,
    GarblerKey,
    extend_receive,
    extend_send,
    transpose,
)
from capc.two_party.garbling.transfers.ot_messages import (
    BLOCK_BYTES,
    CheckedExtension,
    ExtensionCheck,
    checked_transfers,
)
from capc.two_party.garbling.transfers.universal_hash import column_hashes
from capc_spec.registry import TAGS


def set_up_digest(context: bytes, said: bytes, trees: bytes) -> bytes:
    """What the challenge of every extension of a set-up is bound to: 32 bytes, the same at both ends.

    Args:
        context: of the connection.
        said: offer and choice, of fixed lengths.
        trees: the payload that ended the set-up.
    """
    framed = TAGS["ot-set-up"] + len(context).to_bytes(2, "little") + context + said + trees
    return hashlib.sha256(framed).digest()


def challenge(set_up: bytes, nonce: int, rows: bytes | memoryview) -> bytes:
    """The key of the hash, 16 bytes: a function of the set-up, the position and all rows (Fiat and Shamir)."""
    digest = hashlib.sha256(TAGS["ot-challenge"] + set_up + nonce.to_bytes(8, "little"))
    digest.update(rows)
    return digest.digest()[:BLOCK_BYTES]


def answer(bits: bytes, columns: Sequence[bytes]) -> ExtensionCheck:
    """Evaluator: from h(x), and h(t_c) for each column.

    Reveals: nothing; h(x) is uniform by the sacrificed transfers, and the garbler can compute the digest itself.
    """
    return ExtensionCheck(bits, _digest(columns))


def holds(delta: int, columns: Sequence[bytes], check: ExtensionCheck) -> bool:
    """Garbler: whether the evaluator's rows were right, from h(q_c) for each column.

    Reveals: to the evaluator, by going on or not, whether it guessed right; all columns make one bit.
    """
    expected = [xor(column, check.bits) if delta >> c & 1 else column for c, column in enumerate(columns)]
    return hmac.compare_digest(_digest(expected), check.digest)


def receive_checked(key: EvaluatorKey, nonce: int, transfers: int) -> tuple[int, list[int], CheckedExtension]:
    """Evaluator: random bits, the label of each, and the message: rows, then their check.

    Args:
        key: the evaluator's end.
        nonce: below 2^64, once per key.
        transfers: those that are used; of more that are made, what came out is forgotten.
    """
    made = checked_transfers(transfers)
    bits, labels, rows = extend_receive(key, nonce, made)
    columns = [_packed(column, made) for column in (bits, *transpose(labels, LABEL_BITS))]
    hashed_bits, *hashed = column_hashes(challenge(key.set_up, nonce, rows.to_bytes()), columns)
    message = CheckedExtension(rows, answer(hashed_bits, hashed))
    return bits & ((1 << transfers) - 1), labels[:transfers], message


def send_checked(key: GarblerKey, nonce: int, transfers: int, message: CheckedExtension) -> list[int]:
    """Garbler: the zero label of each transfer, none before the check of all.

    Raises:
        InvalidPayloadError: rows that are inconsistent (`inconsistent_transfers`), which destroys the key: each further
            try would test another guess of Delta.
        StateReuseError: the key was destroyed.
    """
    require_alive(key.destroyed)
    labels = extend_send(key, nonce, message.extension)
    columns = [_packed(column, message.extension.transfers) for column in transpose(labels, LABEL_BITS)]
    hashed = column_hashes(challenge(key.set_up, nonce, message.extension.to_bytes()), columns)
    require_consistent(key.destroyed, key.delta, hashed, message.check)
    return labels[:transfers]


def require_consistent(destroyed: SpentMark, delta: int, columns: Sequence[bytes], check: ExtensionCheck) -> None:
    """Destroys the key, and raises :class:`InvalidPayloadError`, unless the check :func:`holds`."""
    if not holds(delta, columns, check):
        destroyed.take()
        raise InvalidPayloadError(ErrorCode.INCONSISTENT_TRANSFERS, "rows of an OT extension that are inconsistent")
    # Another thread may have seen a check fail meanwhile; whoever guesses in two messages at once learns one bit.
    require_alive(destroyed)


def _packed(column: int, transfers: int) -> bytes:
    return column.to_bytes(transfers // 8, "little")


def _digest(columns: Sequence[bytes]) -> bytes:
    return hashlib.sha256(TAGS["ot-columns"] + b"".join(columns)).digest()
