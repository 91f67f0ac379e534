"""The bytes of a ledger's records: canonical JSON, with a salt, one encoding for each entry (CAPC-LEDG-003)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from capc.charges import QueryCost
from capc.errors import InputError
from capc.events import Dispatched, Entry, Receipt, Reserved, Settled
from capc.ledger.errors import LedgerError
from capc.ledger.terms import Terms
from capc.parameters import canonical_json

FORMAT = "CaPC/0.1/ledger"
SALT_BYTES = 16
"""A salted digest tells nobody who does not have the body what was recorded: it may be one bit (CAPC-LEDG-012)."""


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
    return _body("opened", fields, salt)


def entry_body(entry: Entry, cost: QueryCost, salt: bytes) -> bytes:
    """The body of a later record.

    Args:
        entry: what happened.
        cost: what a query costs under the ledger's policy; a reservation holds it as exact rationals.
        salt: 16 bytes from the operating system.
    """
    receipt = entry.receipt
    fields: dict[str, object] = {"session": receipt.session_tag.hex(), "query": receipt.query}
    match entry:
        case Reserved():
            fields |= {"inputs": receipt.inputs_digest.hex(), "check": str(cost.check), "answer": str(cost.answer)}
            return _body("reserved", {**fields, "unit": cost.unit.value}, salt)
        case Dispatched():
            return _body("dispatched", {**fields, "message": entry.message_digest.hex()}, salt)
        case Settled():
            return _body("settled", {**fields, "answered": entry.answered}, salt)


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


@dataclass(frozen=True)
class QueryRecord:
    """What a later record says, before it is held against the records before it.

    Attributes:
        kind: `reserved`, `dispatched` or `settled`.
        session_tag: the session.
        query: the query in it.
        fields: all fields, as JSON values.
    """

    kind: str
    session_tag: bytes
    query: int
    fields: dict[str, Any]

    def entry(self, receipt: Receipt) -> Entry:
        """The entry, for the receipt of this query.

        Raises:
            LedgerError: the kind is unknown, or a field is missing or of another type.
        """
        try:
            if self.kind == "reserved":
                return Reserved(receipt)
            if self.kind == "dispatched":
                return Dispatched(receipt, bytes.fromhex(self.fields["message"]))
            if self.kind == "settled" and isinstance(self.fields["answered"], bool):
                return Settled(receipt, self.fields["answered"])
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(f"a {self.kind} record without its fields ({type(error).__name__})") from None
        raise LedgerError(f"a record of the unknown kind {self.kind!r}")

    @property
    def inputs_digest(self) -> bytes:
        """What a reservation is bound to.

        Raises:
            LedgerError: the record is not a reservation, or its field is no digest.
        """
        try:
            return bytes.fromhex(self.fields["inputs"])
        except (KeyError, TypeError, ValueError):
            raise LedgerError("a reserved record without the digest of its inputs") from None

    @property
    def salt(self) -> bytes:
        """The salt."""
        return bytes.fromhex(self.fields["salt"])


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
