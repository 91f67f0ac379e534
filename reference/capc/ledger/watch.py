"""What an answering party checks of a ledger before it takes part in a query (CAPC-LEDG-009, CAPC-LEDG-010).

The party keeps the last head that it saw. It takes part only if the ledger's owner shows, under the same key, a head
that extends the one it kept: so nothing that it has seen can be taken back, and two histories cannot both be shown
to it. Digests are all that it needs for this. Bodies it sees only where it is told what they say: the first record,
and the charges of queries in which it took part.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from capc.charges import query_cost
from capc.errors import ErrorCode, InvalidPayloadError
from capc.ledger import disk
from capc.ledger.chain import HASH_BYTES, Head, digest_of, first_head
from capc.ledger.errors import LedgerError
from capc.ledger.records import UNBLINDED, charge_body, read_opening, read_query_record
from capc.ledger.terms import Terms
from capc.parameters import canonical_json
from capc.primitives import SIGNATURE_BYTES

_COUNTS = struct.Struct("<QII")


@dataclass(frozen=True)
class Proof:
    """That a signed head extends an earlier one.

    Layout: identity 32 bytes, start u64, number of digests u32, number of opened bodies u32, the digests (32 bytes
    each), the signature 64 bytes, then each opened body behind its length u32. Little-endian.

    Attributes:
        identity: of the ledger.
        start: how many records come before the first digest.
        digests: of the records from there to the end.
        signature: of the head that they lead to.
        opened: bodies of some of these records.
    """

    identity: bytes
    start: int
    digests: tuple[bytes, ...]
    signature: bytes
    opened: tuple[bytes, ...] = ()

    def to_bytes(self) -> bytes:
        """The message."""
        counts = _COUNTS.pack(self.start, len(self.digests), len(self.opened))
        bodies = b"".join(len(body).to_bytes(4, "little") + body for body in self.opened)
        return self.identity + counts + b"".join(self.digests) + self.signature + bodies

    @classmethod
    def from_bytes(cls, message: bytes) -> Proof:
        """The proof in a message.

        Raises:
            InvalidPayloadError: it is shorter or longer than its counts say.
        """
        reader = _Reader(message)
        identity = reader.take(HASH_BYTES)
        start, digests, opened = _COUNTS.unpack(reader.take(_COUNTS.size))
        # One read each: a count is believed only as far as there are bytes for it.
        links = tuple(reader.take(HASH_BYTES) for _ in range(digests))
        signature = reader.take(SIGNATURE_BYTES)
        bodies = tuple(reader.take(int.from_bytes(reader.take(4), "little")) for _ in range(opened))
        reader.finish()
        return cls(identity, start, links, signature, bodies)


@dataclass(frozen=True)
class Seen:
    """What an answering party keeps of a ledger. Nothing here is secret; losing it loses the protection.

    Attributes:
        head: the last one that it accepted.
        public_key: the owner's, from the first record.
        terms: owner, data set and policy, from the first record.
    """

    head: Head
    public_key: bytes
    terms: Terms


def check_proof(seen: Seen | None, message: bytes, terms: Terms, charged: Iterable[tuple[bytes, int]] = ()) -> Seen:
    """Accepts a ledger's proof, or refuses to take part.

    1. The first time, the first record is shown, and from then on its key and terms count.
    2. The terms are those that the party agreed to, and the budget is not above it.
    3. The digests lead from the head that was seen to a head that the owner signed.
    4. The charges that the party asked for are among these records, each of what the terms say that a query costs.

    Args:
        seen: what this returned the last time; None the first time.
        message: the bytes of a :class:`Proof`.
        terms: what the party agreed to; the budget is the most that it accepts.
        charged: session tag and number of queries that must have been charged since the last time.

    Returns:
        What to keep, durably, before taking part.

    Raises:
        LedgerError: the party must not take part; the message says why.
        InputError: the ledger's terms are others; the message names the first field that differs.
        InvalidPayloadError: the message is malformed.
    """
    proof = Proof.from_bytes(message)
    # 1.
    seen = seen or _first_contact(proof)
    # 2.
    terms.check_same(seen.terms)
    if seen.terms.budget > terms.budget:
        raise LedgerError(f"the ledger's budget {seen.terms.budget} is above the {terms.budget} that was agreed to")
    # 3.
    head = _extended(seen, proof)
    # 4.
    known = set(proof.digests)
    charges = {_charge(body, seen.terms) for body in proof.opened[proof.start == 0 :] if digest_of(body) in known}
    for tag, query in charged:
        if (tag, query) not in charges:
            raise LedgerError(f"query {query} of session {tag.hex()[:16]} took place, and the ledger shows no charge")
    return Seen(head, seen.public_key, seen.terms)


def _charge(body: bytes, terms: Terms) -> tuple[bytes, int]:
    """Whose charge a record is; it has the one body that the terms give it, whatever else the owner signed."""
    record = read_query_record(body)
    if record.kind == UNBLINDED:
        raise LedgerError(
            f"the charge of query {record.query} is in the form of an earlier version, which tells votes and is opened "
            "to nobody: its owner must not show it"
        )
    cost = query_cost(terms.policy, terms.grid_bits)
    if charge_body(record.session_tag, record.query, record.commitment, cost, record.salt) != body:
        raise LedgerError(f"the charge of query {record.query} is not the one that the ledger's terms give it")
    return record.session_tag, record.query


def _first_contact(proof: Proof) -> Seen:
    if proof.start != 0 or not proof.digests or not proof.opened or digest_of(proof.opened[0]) != proof.digests[0]:
        raise LedgerError("the ledger did not show its first record to a party that never saw it")
    opening = read_opening(proof.opened[0])
    head = first_head(proof.digests[0])
    return Seen(Head(head.identity, 0, bytes(HASH_BYTES)), opening.public_key, opening.terms)


def _extended(seen: Seen, proof: Proof) -> Head:
    head = seen.head
    if proof.identity != head.identity:
        raise LedgerError("another ledger than the one that was seen before: it was replaced, or created anew")
    if proof.start + len(proof.digests) < head.size:
        raise LedgerError(
            f"the ledger was rolled back: {head.size} records were seen, and now there are "
            f"{proof.start + len(proof.digests)}"
        )
    if proof.start != head.size:
        raise LedgerError(f"the proof begins at record {proof.start}, and {head.size} were seen")
    for digest in proof.digests:
        head = head.extended(digest)
    if head.size == 0 or not head.is_signed(seen.public_key, proof.signature):
        raise LedgerError("the ledger's head does not extend the one that was seen before: it was edited or forked")
    return head


def load_seen(file: Path) -> Seen | None:
    """What :func:`save_seen` kept; None if there is no such file.

    Raises:
        LedgerError: the file holds something else.
    """
    if not file.exists():
        return None
    try:
        fields = json.loads(file.read_text(encoding="ascii"))
        if type(fields["size"]) is not int or fields["size"] < 1:
            raise ValueError
        head = Head(bytes.fromhex(fields["identity"]), fields["size"], bytes.fromhex(fields["link"]))
        return Seen(head, bytes.fromhex(fields["public_key"]), Terms.from_document(fields["terms"]))
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise LedgerError(f"{file}: not a head that an answering party kept ({type(error).__name__})") from None


def save_seen(seen: Seen, file: Path) -> None:
    """Keeps what was seen, durably: call it before taking part."""
    head = seen.head
    fields = {
        "identity": head.identity.hex(),
        "size": head.size,
        "link": head.link.hex(),
        "public_key": seen.public_key.hex(),
        "terms": seen.terms.document(),
    }
    disk.replace(file, canonical_json(fields).decode("ascii") + "\n")


class _Reader:
    def __init__(self, message: bytes) -> None:
        self._message = message
        self._position = 0

    def take(self, length: int) -> bytes:
        end = self._position + length
        if end > len(self._message):
            raise InvalidPayloadError(ErrorCode.MALFORMED_LENGTH, "a ledger proof shorter than its counts say")
        taken = self._message[self._position : end]
        self._position = end
        return taken

    def finish(self) -> None:
        if self._position != len(self._message):
            raise InvalidPayloadError(ErrorCode.MALFORMED_LENGTH, "a ledger proof longer than its counts say")
