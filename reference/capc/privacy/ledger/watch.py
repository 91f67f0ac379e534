"""What an answering party checks of a ledger before it takes part in a query (CAPC-LEDG-009, CAPC-LEDG-010).

The party keeps the last head that it saw. It takes part only if the ledger's owner shows, under the same key, a head
that extends the one it kept: so nothing that it has seen can be taken back, and two histories cannot both be shown
to it. Digests are all that it needs for this. Bodies it sees only where it is told what they say: the first record,
and the charges of queries in which it took part.

Several runs of one party may look at one ledger, and share what the party keeps. What one of them saw last may then
cover the charges that another one still has to ask for. So a proof may begin before the head that was kept: the link
that it begins with and its digests are the right ones if they lead through that head, as links are hashes of all
before them. And the party keeps the sizes at which runs began that have not asked yet: a charge counts if it is not
older than the oldest of them (CAPC-LEDG-010).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO

from capc.foundation.encoding import require_length
from capc.foundation.primitives import SIGNATURE_BYTES
from capc.privacy.ledger.chain import HASH_BYTES, START, Head, digest_of, first_head, next_link
from capc.privacy.ledger.heads import KnownHead
from capc.privacy.ledger.records import CHARGED, UNBLINDED, read_opening, read_query_record
from capc.privacy.ledger.terms import Terms
from capc.privacy.query_cost import query_cost
from capc.privacy.storage.errors import LedgerError

_COUNTS = struct.Struct("<QII")


@dataclass(frozen=True)
class Proof:
    """That a signed head extends an earlier one.

    Layout: identity 32 bytes, start u64, number of digests u32, number of opened bodies u32, the link before (32
    bytes), the digests (32 bytes each), the signature (64 bytes), then each opened body behind its length u32.
    Little-endian.

    Attributes:
        identity: of the ledger.
        start: how many records come before the first digest.
        before: the link of the last of those; 32 zero bytes if there are none.
        digests: of the records from there to the end.
        signature: of the head that they lead to.
        opened: bodies of some of these records.
    """

    identity: bytes
    start: int
    before: bytes
    digests: tuple[bytes, ...]
    signature: bytes
    opened: tuple[bytes, ...] = ()

    def to_bytes(self) -> bytes:
        """The message."""
        counts = _COUNTS.pack(self.start, len(self.digests), len(self.opened))
        bodies = b"".join(len(body).to_bytes(4, "little") + body for body in self.opened)
        return self.identity + counts + self.before + b"".join(self.digests) + self.signature + bodies

    @classmethod
    def from_bytes(cls, message: bytes) -> Proof:
        """The proof in a message.

        Raises:
            InvalidPayloadError: it is shorter or longer than its counts say.
        """
        left = BytesIO(message)

        def take(length: int) -> bytes:
            taken = left.read(length)
            require_length(taken, length, "a part of a ledger proof")
            return taken

        identity = take(HASH_BYTES)
        start, digests, opened = _COUNTS.unpack(take(_COUNTS.size))
        before = take(HASH_BYTES)
        # One read each: a count is believed only as far as there are bytes for it.
        links = tuple(take(HASH_BYTES) for _ in range(digests))
        signature = take(SIGNATURE_BYTES)
        bodies = tuple(take(int.from_bytes(take(4), "little")) for _ in range(opened))
        require_length(left.read(), 0, "more than its counts say after a ledger proof")
        return cls(identity, start, before, links, signature, bodies)


def check_proof(
    seen: KnownHead | None, message: bytes, terms: Terms, charged: Iterable[tuple[bytes, int]] = ()
) -> KnownHead:
    """Accepts a ledger's proof, or refuses to take part.

    1. The first time, the first record is shown, and from then on its key and terms count.
    2. The terms are those that the party agreed to, and the budget is not above it.
    3. The digests lead through the head that was seen to a head that the owner signed.
    4. The charges that the party asked for are among these records, each of what the terms say that a query costs, and
       none is older than the oldest run that has not asked yet.
    5. A look that asks for nothing begins a run; one that asks for charges ends the one that began last before them.

    Args:
        seen: what this returned the last time; None the first time.
        message: the bytes of a :class:`Proof`.
        terms: what the party agreed to; the budget is the most that it accepts.
        charged: session tag and number of queries that must have been charged since this run began.

    Returns:
        What to keep, durably, before taking part.

    Raises:
        LedgerError: the party must not take part; the message says why.
        InputError: the ledger's terms are others; the message names the first field that differs.
        InvalidPayloadError: the message is malformed.

    Spec: CAPC-LEDG-027.
    """
    proof = Proof.from_bytes(message)
    # 1.
    seen = seen or _first_contact(proof)
    # 2.
    terms.check_same(seen.terms)
    if seen.terms.budget > terms.budget:
        raise LedgerError(f"the ledger's budget {seen.terms.budget} is above the {terms.budget} that was agreed to")
    # 3.
    links = _links(seen, proof)
    # 4.
    positions = {digest: position for position, digest in enumerate(proof.digests, start=proof.start)}
    oldest, charges = min(seen.began, default=seen.head.size), {}
    for body in proof.opened[proof.start == 0 :]:
        position = positions.get(digest_of(body), -1)
        if position >= oldest:
            charges[_charge(body, seen.terms)] = position
    charged = tuple(charged)
    for tag, query in charged:
        if (tag, query) not in charges:
            raise LedgerError(f"query {query} of session {tag.hex()[:16]} took place, and the ledger shows no charge")
    # 5.
    return seen.after(links, min((charges[name] for name in charged), default=None))


def _charge(body: bytes, terms: Terms) -> tuple[bytes, int]:
    """Whose charge a record is; it has the one body that the terms give it, whatever else the owner signed."""
    record = read_query_record(body)
    if record.kind == UNBLINDED:
        raise LedgerError(
            f"the charge of query {record.query} is in the form of an earlier version, which tells votes and is opened "
            "to nobody: its owner must not show it"
        )
    cost = query_cost(terms.policy, terms.grid_bits)
    if record.kind != CHARGED or record.body(cost) != body:
        raise LedgerError(f"the charge of query {record.query} is not the one that the ledger's terms give it")
    return record.session_tag, record.query


def _first_contact(proof: Proof) -> KnownHead:
    if proof.start != 0 or not proof.digests or not proof.opened or digest_of(proof.opened[0]) != proof.digests[0]:
        raise LedgerError("the ledger did not show its first record to a party that never saw it")
    opening = read_opening(proof.opened[0])
    head = first_head(proof.digests[0])
    return KnownHead(Head(head.identity, 0, START), opening.public_key, opening.terms)


def _links(seen: KnownHead, proof: Proof) -> list[bytes]:
    """The links of the records that follow the head that was seen, if they lead from it to what the owner signed."""
    head = seen.head
    if proof.identity != head.identity:
        raise LedgerError("another ledger than the one that was seen before: it was replaced, or created anew")
    size = proof.start + len(proof.digests)
    if size < head.size:
        raise LedgerError(f"the ledger was rolled back: {head.size} records were seen, and now there are {size}")
    if proof.start > head.size:
        raise LedgerError(f"the proof begins at record {proof.start}, and {head.size} were seen")
    links = [proof.before]
    for digest in proof.digests:
        links.append(next_link(links[-1], digest))
    extends = links[head.size - proof.start] == head.link and (proof.start > 0 or proof.before == START)
    if size == 0 or not extends or not Head(head.identity, size, links[-1]).is_signed(seen.public_key, proof.signature):
        raise LedgerError("the ledger's head does not extend the one that was seen before: it was edited or forked")
    return links[head.size - proof.start + 1 :]
