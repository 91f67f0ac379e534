"""Where an owner may begin to replay its own ledger: checkpoints, signed, one for every 1,024 records.

    entries_k   = of each record after checkpoint k - 1, up to record 1024 k - 1, and without the first record:
                  kind (1 byte) || session tag (32) || query u32 || value (32)
    state_k     = SHA-256(domain || state_(k-1) || entries_k)      state_0 is 32 zero bytes
    signature_k = Ed25519(domain || identity || u64(1024 k) || link of record 1024 k - 1 || state_k)

| kind | record | value |
|---|---|---|
| 0 | `charged` | the digest of the inputs |
| 1 | `reserved`, the earlier form | the digest of the inputs |
| 2 | `dispatched` | the digest of the message |
| 3, 4 | `settled`, withheld or answered | zeros |

A checkpoint says again what the records before it say, and nothing else: what was spent, which queries were charged,
dispatched and settled follow from it as from them. It is written in the transaction of a later record, so that it never
covers a record that is not there. The owner believes it because it signed it, after it had replayed what it covers;
whoever verifies replays everything, and compares (CAPC-LEDG-008, CAPC-LEDG-020).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from capc.foundation.hidden import type_only
from capc.foundation.primitives import sign, signature_holds
from capc.foundation.randomness import Seed
from capc.privacy.events import Dispatch, Entry, Receipt, Reservation, Settlement
from capc.privacy.ledger.chain import HASH_BYTES, Head
from capc.privacy.ledger.records import CHARGED, DISPATCHED, SETTLED, UNBLINDED
from capc.privacy.storage.errors import LedgerError
from capc.privacy.storage.store import SignedCheckpoint
from capc_spec.registry import TAGS

EVERY = 1024
"""How many records lie between two checkpoints."""
START = bytes(HASH_BYTES)
"""The state before the first checkpoint."""

_ENTRY = struct.Struct("<B32sI32s")
ENTRY_BYTES = _ENTRY.size
_KINDS = (CHARGED, UNBLINDED, DISPATCHED, SETTLED, SETTLED)
_CHARGED, _UNBLINDED, _DISPATCHED, _WITHHELD, _ANSWERED = range(5)


@dataclass(frozen=True)
class Checkpoint:
    """What a log says up to one record.

    Attributes:
        head: that the record makes.
        state: digest of all entries up to there, 32 bytes.
        entries: those since the checkpoint before.
    """

    head: Head
    state: bytes
    entries: bytes

    __repr__ = type_only

    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        head = self.head
        return TAGS["ledger-checkpoint"] + head.identity + head.size.to_bytes(8, "little") + head.link + self.state

    def signed(self, key: Seed) -> SignedCheckpoint:
        """What is kept of it."""
        return SignedCheckpoint(self.head.size, self.head.link, self.entries, sign(key, self.signed_bytes()))

    def is_signed(self, public_key: bytes, signature: bytes) -> bool:
        """Whether this is the owner's signature."""
        return signature_holds(public_key, self.signed_bytes(), signature)


def entry_bytes(kind: str, entry: Entry) -> bytes:
    """What a checkpoint says of one record.

    Args:
        kind: of the record.
        entry: what it says.
    """
    receipt = entry.receipt
    match entry:
        case Reservation():
            code, value = (_CHARGED if kind == CHARGED else _UNBLINDED), receipt.inputs_digest
        case Dispatch():
            code, value = _DISPATCHED, entry.message_digest
        case Settlement():
            code, value = (_ANSWERED if entry.answered else _WITHHELD), bytes(HASH_BYTES)
    return _ENTRY.pack(code, receipt.session_tag, receipt.query, value)


def next_state(state: bytes, entries: bytes) -> bytes:
    """The state after these entries."""
    return hashlib.sha256(TAGS["ledger-state"] + state + entries).digest()


def is_due(size: int) -> bool:
    """Whether there is a checkpoint after this many records."""
    return size % EVERY == 0


def read_signed(kept: Sequence[SignedCheckpoint], identity: bytes, public_key: bytes) -> list[Checkpoint] | None:
    """The checkpoints of this ledger's owner, or None where there are none, or somebody else wrote one of them.

    The last signature is over all entries.

    Args:
        kept: all of them, oldest first.
        identity: of the ledger.
        public_key: the owner's.
    """
    state, read = START, []
    for number, each in enumerate(kept, start=1):
        expected = EVERY - (number == 1)
        if each.size != number * EVERY or len(each.entries) != expected * ENTRY_BYTES:
            return None
        state = next_state(state, each.entries)
        read.append(Checkpoint(Head(identity, each.size, each.link), state, each.entries))
    if not read or not read[-1].is_signed(public_key, kept[-1].signature):
        return None
    return read


def entries_of(
    checkpoint: Checkpoint, receipts: dict[tuple[bytes, int], Receipt], like: Receipt
) -> Iterator[tuple[str, Entry]]:
    """The kinds of the records that a checkpoint covers, and what they say.

    Args:
        checkpoint: of this ledger's owner.
        receipts: of the queries that were charged before; whoever takes an entry adds its own.
        like: cost and unit of every query.

    Raises:
        LedgerError: the owner signed what no log says.
    """
    reserved, unit = like.reserved, like.unit
    try:
        for code, tag, query, value in _ENTRY.iter_unpack(checkpoint.entries):
            kind = _KINDS[code]
            if code <= _UNBLINDED:
                yield kind, Reservation(Receipt(tag, query, value, reserved, unit))
            elif code == _DISPATCHED:
                yield kind, Dispatch(receipts[tag, query], value)
            else:
                yield kind, Settlement(receipts[tag, query], code == _ANSWERED)
    except (KeyError, IndexError):
        raise LedgerError(
            f"the ledger's checkpoint of {checkpoint.head.size} records is signed, and says what no log says: verify "
            "the ledger, and find out who has its key"
        ) from None
