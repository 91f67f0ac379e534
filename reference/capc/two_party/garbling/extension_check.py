"""The check of an extension: the rows that the evaluator sent are those of one and the same vector of bits.

For column c the garbler has q_c, the evaluator t_c, and q_c = t_c XOR Delta_c x with the bits x, if the rows are
right. For a linear hash h the evaluator sends h(x) and a digest of all h(t_c); the garbler makes the same digest from
h(q_c) XOR Delta_c h(x). The hash is chosen by the rows, so that nobody waits.

A row j whose error h does not send to 0 passes only if bits 4j to 4j + 3 of Delta were guessed: c bits with
probability 2^-c, for all trees with an error together. A check that fails destroys the key.

Source: Roy, "SoftSpokenOT" (CRYPTO 2022), section 4; a digest in the place of the hashed columns: Baum and others,
"Publicly verifiable zero-knowledge and post-quantum signatures from VOLE-in-the-head" (CRYPTO 2023).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation.encoding import LABEL_BITS, require_length
from capc.foundation.errors import ErrorCode, InvalidPayloadError, StateReuseError
from capc.foundation.single_use import SpentMark
from capc.two_party.garbling.ot_extension import EvaluatorKey, GarblerKey, extend_receive, extend_send, transpose
from capc.two_party.garbling.ot_messages import OtExtension
from capc.two_party.garbling.universal_hash import BLOCK_BYTES, column_hashes
from capc_spec.registry import TAGS

BLOCK_BITS = 8 * BLOCK_BYTES
DIGEST_BYTES = 32


def checked_transfers(transfers: int) -> int:
    """Transfers that are made for so many that are used: whole blocks, and one more that hides the others in h(x).

    The last block is sacrificed whole. 128 transfers at the end that begin within a block would not hide all of x:
    what they add to h(x) need not be all of the field.
    """
    return (-(-transfers // BLOCK_BITS) + 1) * BLOCK_BITS


def set_up_digest(context: bytes, offer: bytes, choice: bytes, trees: bytes) -> bytes:
    """What the challenge of every extension of a set-up is bound to: 32 bytes, the same at both ends."""
    framed = TAGS["ot-set-up"] + len(context).to_bytes(2, "little") + context + offer + choice + trees
    return hashlib.sha256(framed).digest()


def challenge(set_up: bytes, nonce: int, rows: bytes) -> bytes:
    """The key of the hash, 16 bytes: a function of the set-up, the position and all rows (Fiat and Shamir)."""
    return hashlib.sha256(TAGS["ot-challenge"] + set_up + nonce.to_bytes(8, "little") + rows).digest()[:BLOCK_BYTES]


@dataclass(frozen=True)
class ExtensionCheck:
    """What the evaluator sends behind its rows. Layout: h(x), 16 bytes; the digest, 32.

    Attributes:
        bits: h(x).
        digest: of h(t_c) for all columns.
    """

    bits: bytes
    digest: bytes

    def to_bytes(self) -> bytes:
        """The end of the payload."""
        return self.bits + self.digest

    @staticmethod
    def byte_length() -> int:
        """48."""
        return BLOCK_BYTES + DIGEST_BYTES

    @classmethod
    def from_bytes(cls, payload: bytes) -> ExtensionCheck:
        """The end of the payload, parsed."""
        require_length(payload, cls.byte_length(), "check of an OT extension")
        return cls(payload[:BLOCK_BYTES], payload[BLOCK_BYTES:])


def answer(bits: bytes, columns: Sequence[bytes]) -> ExtensionCheck:
    """Evaluator: from h(x), and h(t_c) for each column.

    Reveals: nothing; h(x) is uniform by the sacrificed transfers, and the garbler can compute the digest itself.
    """
    return ExtensionCheck(bits, _digest(columns))


def holds(delta: int, columns: Sequence[bytes], check: ExtensionCheck) -> bool:
    """Garbler: whether the evaluator's rows were right, from h(q_c) for each column.

    Reveals: to the evaluator, by going on or not, whether it guessed right; all columns make one bit.
    """
    expected = [_xor(column, check.bits) if delta >> c & 1 else column for c, column in enumerate(columns)]
    return hmac.compare_digest(_digest(expected), check.digest)


def checked_length(transfers: int) -> int:
    """Bytes of an extension with its check: 31 rows of whole blocks, 48."""
    return OtExtension.byte_length(checked_transfers(transfers)) + ExtensionCheck.byte_length()


def receive_checked(key: EvaluatorKey, set_up: bytes, nonce: int, transfers: int) -> tuple[int, list[int], bytes]:
    """Evaluator: random bits, the label of each, and the payload: rows, then their check.

    Args:
        key: the evaluator's end.
        set_up: see :func:`set_up_digest`.
        nonce: below 2^64, once per key.
        transfers: those that are used; of more that are made, what came out is forgotten.
    """
    made = checked_transfers(transfers)
    bits, labels, message = extend_receive(key, nonce, made)
    rows = message.to_bytes()
    hashed_bits, *hashed = column_hashes(
        challenge(set_up, nonce, rows), [_packed(column, made) for column in (bits, *transpose(labels, LABEL_BITS))]
    )
    return bits & ((1 << transfers) - 1), labels[:transfers], rows + answer(hashed_bits, hashed).to_bytes()


def send_checked(key: GarblerKey, set_up: bytes, nonce: int, transfers: int, payload: bytes) -> list[int]:
    """Garbler: the zero label of each transfer, none before the check of all.

    Raises:
        InvalidPayloadError: a wrong length; or rows that are inconsistent (`inconsistent_transfers`), which destroys
            the key: each further try would test another guess of Delta.
        StateReuseError: the key was destroyed.
    """
    require_alive(key.destroyed)
    require_length(payload, checked_length(transfers), "OT extension")
    rows, end = payload[: -ExtensionCheck.byte_length()], payload[-ExtensionCheck.byte_length() :]
    made = checked_transfers(transfers)
    labels = extend_send(key, nonce, OtExtension.from_bytes(rows, made))
    columns = [_packed(column, made) for column in transpose(labels, LABEL_BITS)]
    require_consistent(key.destroyed, key.delta, column_hashes(challenge(set_up, nonce, rows), columns), end)
    return labels[:transfers]


def require_alive(destroyed: SpentMark) -> None:
    """Raises :class:`StateReuseError` for a key, or chosen seeds, that a failed check has destroyed."""
    if destroyed.spent:
        raise StateReuseError("a check of these oblivious transfers failed: their key is destroyed, make a new session")


def require_consistent(destroyed: SpentMark, delta: int, columns: Sequence[bytes], payload: bytes) -> None:
    """Destroys the key, and raises :class:`InvalidPayloadError`, unless the check at a payload's end :func:`holds`."""
    if not holds(delta, columns, ExtensionCheck.from_bytes(payload)):
        destroyed.take()
        raise InvalidPayloadError(ErrorCode.INCONSISTENT_TRANSFERS, "rows of an OT extension that are inconsistent")
    # Another thread may have seen a check fail meanwhile; whoever guesses in two messages at once learns one bit.
    require_alive(destroyed)


def _packed(column: int, transfers: int) -> bytes:
    return column.to_bytes(transfers // 8, "little")


def _digest(columns: Sequence[bytes]) -> bytes:
    return hashlib.sha256(TAGS["ot-columns"] + b"".join(columns)).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
