"""The bytes of a ledger's records: canonical JSON, with a salt, one encoding for each entry (CAPC-LEDG-003).

A charge holds a commitment to what its noise is added to, and its opening is kept beside the body:

    opening    = blinding (32 bytes from the operating system) || inputs_digest
    commitment = SHA-256(domain || opening)

An answering party may have the body opened, salt included. The digest itself is a hash of masked votes: whoever knows
the masks, as the other parties together do, would try all candidates. Records of the kind `reserved` hold it as it is.
They were written before, are still read, and are opened to nobody (CAPC-LEDG-015, CAPC-LEDG-016).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from capc.charges import QueryCost
from capc.errors import InputError
from capc.events import DIGEST_BYTES, Dispatched, Receipt, Settled
from capc.ledger.errors import LedgerError
from capc.ledger.terms import Terms
from capc.parameters import canonical_json
from capc_spec.registry import TAGS

FORMAT = TAGS["ledger"].decode("ascii")
SALT_BYTES = 16
"""A salted digest tells nobody who does not have the body what was recorded: it may be one bit (CAPC-LEDG-012)."""

BLINDING_BYTES = 32
OPENING_BYTES = BLINDING_BYTES + DIGEST_BYTES
OPENED, CHARGED, DISPATCHED, SETTLED = "opened", "charged", "dispatched", "settled"
"""Kinds of records."""
UNBLINDED = "reserved"
"""The kind of charges of the earlier form."""


@dataclass(frozen=True)
class Opening:
    """The first record: what is fixed for the ledger's life.

    Attributes:
        terms: owner, data set and policy.
        public_key: Ed25519, 32 bytes; every head is signed under it.
    """

    terms: Terms
    public_key: bytes


def opening_body(opening: Opening, salt: bytes) -> bytes:
    """The body of the first record."""
    fields = {"format": FORMAT, "public_key": opening.public_key.hex(), **opening.terms.document()}
    return _body(OPENED, fields, salt)


def commitment_of(opening: bytes) -> bytes:
    """The commitment to what a charge is bound to.

    Args:
        opening: 32 secret bytes from the operating system, then the 32 bytes of the digest of inputs.
    """
    return hashlib.sha256(TAGS["ledger-commitment"] + opening).digest()


def charge_body(session_tag: bytes, query: int, commitment: bytes, cost: QueryCost, salt: bytes) -> bytes:
    """The body of a charge.

    Args:
        session_tag: the session.
        query: the number of the query in it.
        commitment: to what the noise is added to, 32 bytes.
        cost: what a query costs under the ledger's policy; the body holds it as exact rationals.
        salt: 16 bytes from the operating system.

    Reveals: to whoever it is opened to, that this query was charged.
    """
    fields = {"session": session_tag.hex(), "query": query, "commitment": commitment.hex()}
    return _body(CHARGED, fields | _cost_fields(cost), salt)


def unblinded_charge_body(receipt: Receipt, cost: QueryCost, salt: bytes) -> bytes:
    """The body of a charge in the earlier form, for reading: it tells votes, so no such record is written any more."""
    fields = {"session": receipt.session_tag.hex(), "query": receipt.query, "inputs": receipt.inputs_digest.hex()}
    return _body(UNBLINDED, fields | _cost_fields(cost), salt)


def later_body(entry: Dispatched | Settled, salt: bytes) -> bytes:
    """The body of what follows a charge.

    Args:
        entry: what happened.
        salt: 16 bytes from the operating system.
    """
    fields: dict[str, object] = {"session": entry.receipt.session_tag.hex(), "query": entry.receipt.query}
    if isinstance(entry, Dispatched):
        return _body(DISPATCHED, {**fields, "message": entry.message_digest.hex()}, salt)
    return _body(SETTLED, {**fields, "answered": entry.answered}, salt)


def may_be_opened(body: bytes) -> bool:
    """Whether the body of a record of a ledger may be shown to others at all: not a charge of the earlier form."""
    return _fields(body).get("kind") != UNBLINDED


def read_opening(body: bytes) -> Opening:
    """What the first record says.

    Raises:
        LedgerError: it is not the one encoding of an opening, or its budget does not keep what its policy promises.
    """
    fields = _fields(body)
    try:
        opening = Opening(Terms.from_document(fields), bytes.fromhex(fields["public_key"]))
        again = opening_body(opening, bytes.fromhex(fields["salt"]))
    except InputError as error:
        raise LedgerError(f"not the first record of a ledger: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LedgerError(f"not the first record of a ledger ({type(error).__name__})") from None
    if again != body:
        raise LedgerError("not the canonical first record of a ledger of this version")
    return opening


@dataclass(frozen=True, repr=False)
class QueryRecord:
    """What a later record says, before it is held against the records before it.

    Attributes:
        kind: one of the kinds above, unless somebody else wrote it.
        session_tag: the session.
        query: the query in it.
        fields: all fields, as JSON values.
    """

    kind: str
    session_tag: bytes
    query: int
    fields: dict[str, Any]

    def later_entry(self, receipt: Receipt) -> Dispatched | Settled:
        """The entry of a record that follows a charge, for the receipt of this query.

        Raises:
            LedgerError: the kind is unknown, or a field is missing or of another type.
        """
        try:
            if self.kind == DISPATCHED:
                return Dispatched(receipt, bytes.fromhex(self.fields["message"]))
            if self.kind == SETTLED and isinstance(self.fields["answered"], bool):
                return Settled(receipt, self.fields["answered"])
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(f"a {self.kind} record without its fields ({type(error).__name__})") from None
        raise LedgerError(f"a record of the unknown kind {self.kind!r}")

    @property
    def commitment(self) -> bytes:
        """To what a charge is bound.

        Raises:
            LedgerError: the record is not a charge, or its field is no commitment.
        """
        return self._digest("commitment", "a charge without a commitment to its inputs")

    @property
    def unblinded_digest(self) -> bytes:
        """What a charge of the earlier form is bound to.

        Raises:
            LedgerError: the record is not such a charge, or its field is no digest.
        """
        return self._digest("inputs", "a reserved record without the digest of its inputs")

    @property
    def salt(self) -> bytes:
        """The salt."""
        return bytes.fromhex(self.fields["salt"])

    def _digest(self, name: str, what: str) -> bytes:
        try:
            digest = bytes.fromhex(self.fields[name])
        except (KeyError, TypeError, ValueError):
            raise LedgerError(what) from None
        if len(digest) != DIGEST_BYTES:
            raise LedgerError(what)
        return digest


def read_query_record(body: bytes) -> QueryRecord:
    """What a later record says.

    Raises:
        LedgerError: it names no query of a session, or has no salt.
    """
    fields = _fields(body)
    try:
        record = QueryRecord(fields["kind"], bytes.fromhex(fields["session"]), fields["query"], fields)
        salt_bytes = len(record.salt)
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"a record that names no query ({type(error).__name__})") from None
    if salt_bytes != SALT_BYTES or type(record.query) is not int:
        raise LedgerError("a record without a salt of 16 bytes, or without the number of a query")
    return record


def _cost_fields(cost: QueryCost) -> dict[str, object]:
    return {"check": str(cost.check), "answer": str(cost.answer), "unit": cost.unit.value}


def _body(kind: str, fields: dict[str, object], salt: bytes) -> bytes:
    if len(salt) != SALT_BYTES:
        raise InputError(f"a salt of {len(salt)} bytes: it has {SALT_BYTES}")
    return canonical_json({"kind": kind, **fields, "salt": salt.hex()})


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise LedgerError("a record that is not JSON") from None
    if not isinstance(fields, dict):
        raise LedgerError("a record that is not a JSON object")
    return fields
