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
from dataclasses import dataclass, replace
from typing import Any

from capc.foundation.errors import InputError
from capc.privacy.events import DIGEST_BYTES
from capc.privacy.ledger.terms import Terms
from capc.privacy.query_cost import QueryCost
from capc.privacy.storage.errors import LedgerError
from capc.session.parameters import canonical_json
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

_DIGESTS = {CHARGED: "commitment", UNBLINDED: "inputs", DISPATCHED: "message"}
"""What the digest of a record is called in its body."""


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


def may_be_opened(body: bytes) -> bool:
    """Whether the body of a record of a ledger may be shown to others at all: not a charge of the earlier form."""
    return _fields(body).get("kind") != UNBLINDED


def read_opening(body: bytes) -> Opening:
    """What the first record says.

    Raises:
        LedgerError: it is not the one encoding of an opening, or its budget does not keep what its policy promises.
    """
    fields = _fields(body)
    if fields.get("threshold") is not None and "threshold_mode" not in fields:
        raise LedgerError(
            "it charges a threshold check of an earlier version, one draw on the largest count: see with that version "
            "what is left of its budget, and open another ledger for that"
        )
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
    """What a later record says.

    Attributes:
        kind: one of the kinds above.
        session_tag: the session.
        query: the query in it.
        salt: 16 bytes from the operating system.
        digest: 32 bytes: of a charge the commitment to what the noise is added to, in the earlier form that itself; of
            a dispatched record the digest of the message; of a settled one nothing.
        answered: of a settled record, whether a label was released.
    """

    kind: str
    session_tag: bytes
    query: int
    salt: bytes
    digest: bytes = b""
    answered: bool = False

    def body(self, cost: QueryCost) -> bytes:
        """The one encoding.

        Args:
            cost: what a query costs under the ledger's policy; the body of a charge holds it as exact rationals.

        Reveals: to whoever it is opened to, that this query was charged. In the earlier form it tells votes, so no such
            record is written any more.
        """
        fields: dict[str, object] = {"session": self.session_tag.hex(), "query": self.query}
        if self.kind == SETTLED:
            fields["answered"] = self.answered
        else:
            fields[_DIGESTS[self.kind]] = self.digest.hex()
        if self.kind in (CHARGED, UNBLINDED):
            fields |= {"check": str(cost.check), "answer": str(cost.answer), "unit": cost.unit.value}
        return _body(self.kind, fields, self.salt)


def read_query_record(body: bytes) -> QueryRecord:
    """What a later record says, before it is held against the records before it, and against its one encoding.

    Raises:
        LedgerError: the kind is unknown, or a field is missing or of another type.
    """
    fields = _fields(body)
    kind = fields.get("kind")
    if kind not in (*_DIGESTS, SETTLED):
        raise LedgerError(f"a record of the unknown kind {kind!r:.60}")
    try:
        record = QueryRecord(kind, bytes.fromhex(fields["session"]), fields["query"], bytes.fromhex(fields["salt"]))
        if kind == SETTLED:
            record = replace(record, answered=fields["answered"])
        else:
            record = replace(record, digest=bytes.fromhex(fields[_DIGESTS[kind]]))
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"a {kind} record without its fields ({type(error).__name__}: {error})") from None
    if len(record.salt) != SALT_BYTES or type(record.query) is not int:
        raise LedgerError("a record without a salt of 16 bytes, or without the number of a query")
    if type(record.answered) is not bool or len(record.digest) != (0 if kind == SETTLED else DIGEST_BYTES):
        raise LedgerError(f"a {kind} record whose digest or answer is none")
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
