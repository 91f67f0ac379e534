"""Ledgers: entries in, records out; records in, the account that they tell; and what answering parties refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capc.foundation.errors import InputError
from capc.foundation.primitives import signing_public_key
from capc.foundation.randomness import Seed
from capc.privacy.ledger import KnownHead, LedgerLog, Proof, Terms, check_proof, replay
from capc.privacy.ledger.chain import START, Head, digest_of, first_head
from capc.privacy.ledger.records import CHARGED, DISPATCHED, SETTLED, Opening, QueryRecord, commitment_of, opening_body
from capc.privacy.storage.store import Row
from capc.session.parameters import ReleasePolicy
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.protocol.sessions import COMPOSITION, POLICY
from capc_verify.vectors.values import COUNT, DATA, FLAG, RATIONAL, Kind, many, optional, record

_TEXT = Kind(lambda _: {"type": "string"}, str, str)
_POLICY = record(POLICY, COMPOSITION)
_TERMS = record({"owner": _TEXT, "data_set": _TEXT, "policy": _POLICY, "grid_bits": COUNT, "budget": RATIONAL})
_ROW = {"body": DATA, "link": DATA, "signature": DATA, "message": optional(DATA)}
_STANDING = {"size": COUNT, "link": DATA, "spent": RATIONAL, "remaining_queries": COUNT}
_HEAD = {"identity": DATA, "size": COUNT, "link": DATA}
_NAME = {"key": DATA, "salt": DATA, "session_tag": DATA, "query": COUNT}


def terms_fields(terms: Terms) -> dict[str, Any]:
    """The fields that state these terms."""
    return {**vars(terms), "policy": vars(terms.policy)}


def _terms(fields: Mapping[str, Any]) -> Terms:
    return Terms(**{**fields, "policy": ReleasePolicy(**fields["policy"])})


def _open(call: Call) -> Result:
    key = Seed(call["key"])
    body = opening_body(Opening(_terms(call["terms"]), signing_public_key(key)), call["salt"])
    row = _signed(first_head(digest_of(body)), body, key, None)
    return Result(row._asdict(), (LedgerLog(row),), {"public_key": signing_public_key(key)})


def _append(call: Call, body: bytes, message: bytes | None = None) -> Result:
    log: LedgerLog = call.states[0]
    row = _signed(log.head.extended(digest_of(body)), body, Seed(call["key"]), message)
    log.extend([row])
    return Result(row._asdict())


def _body(call: Call, kind: str, digest: bytes = b"", *, answered: bool = False) -> bytes:
    record = QueryRecord(kind, call["session_tag"], call["query"], call["salt"], digest, answered)
    return record.body(call.states[0].cost)


def _signed(head: Head, body: bytes, key: Seed, message: bytes | None) -> Row:
    return Row(body, head.link, head.sign(key), message)


def _reserve(call: Call) -> Result:
    opening = call["blinding"] + call["inputs_digest"]
    return _append(call, _body(call, CHARGED, commitment_of(opening)), opening)


def _dispatch(call: Call) -> Result:
    return _append(call, _body(call, DISPATCHED, digest_of(call["message"])), call["message"])


def _settle(call: Call) -> Result:
    return _append(call, _body(call, SETTLED, answered=call["answered"]))


def _replay(call: Call) -> Result:
    log = replay(Row(**fields) for fields in call["records"])
    standing = {"spent": log.spent, "remaining_queries": log.remaining_queries()}
    return Result({"size": log.head.size, "link": log.head.link, **standing})


def _check(call: Call) -> Result:
    terms, kept = _terms(call["terms"]), call["seen"]
    began = () if kept is None else tuple(kept["began"])
    seen = None if kept is None else KnownHead(Head(**kept["head"]), kept["public_key"], terms, began)
    charged = [(entry["session_tag"], entry["query"]) for entry in call["charged"]]
    after = check_proof(seen, call["proof"], terms, charged)
    return Result({**vars(after.head), "began": list(after.began)})


def _checkpoint(call: Call) -> Result:
    log, key = replay(Row(**fields) for fields in call["records"]), Seed(call["key"])
    if signing_public_key(key) != log.public_key:
        raise InputError("another key than the owner's: nobody would begin at its checkpoint")
    checkpoint = log.checkpoint_after(call["state"])
    kept = checkpoint.signed(key)
    return Result({"entries": kept.entries, "state": checkpoint.state, "signature": kept.signature})


def proof_of(rows: list[Row], start: int, *opened: int) -> Proof:
    """What the owner of these records shows to a party that has seen the first ``start`` of them."""
    bodies = [row.body for row in rows]
    return Proof(
        rows[0].link,
        start,
        rows[start - 1].link if start else START,
        tuple(digest_of(body) for body in bodies[start:]),
        rows[-1].signature,
        tuple(bodies[position] for position in opened),
    )


LEDGER = GroupType(
    "Ledger",
    named(
        Operation("ledger_open", _open, {"key": DATA, "salt": DATA, "terms": _TERMS}, _ROW, {"public_key": DATA}),
        Operation("ledger_reserve", _reserve, {**_NAME, "blinding": DATA, "inputs_digest": DATA}, _ROW),
        Operation("ledger_dispatch", _dispatch, {**_NAME, "message": DATA}, _ROW),
        Operation("ledger_settle", _settle, {**_NAME, "answered": FLAG}, _ROW),
        Operation("ledger_replay", _replay, {"records": many(record(_ROW))}, _STANDING),
        Operation(
            "ledger_check_proof",
            _check,
            {
                "seen": optional(record({"head": record(_HEAD), "public_key": DATA, "began": many(COUNT)})),
                "terms": _TERMS,
                "charged": many(record({"session_tag": DATA, "query": COUNT})),
                "proof": DATA,
            },
            {**_HEAD, "began": many(COUNT)},
        ),
        Operation(
            "ledger_checkpoint",
            _checkpoint,
            {"key": DATA, "state": DATA, "records": many(record(_ROW))},
            {"entries": DATA, "state": DATA, "signature": DATA},
        ),
    ),
)
