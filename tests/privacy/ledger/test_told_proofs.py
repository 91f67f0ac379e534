"""CAPC-LEDG-027 by its words alone: what a party keeps after a proof, or that it refuses, on vectors and on looks."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError, InvalidPayloadError
from capc.privacy.ledger import KnownHead, Terms, check_proof
from capc.privacy.query_cost import query_cost
from capc.session.parameters import ReleasePolicy, canonical_json
from capc_spec.registry import TAGS
from capc_verify.vectors.operations.ledgers import LEDGER
from capc_verify.vectors.values import resolve
from privacy.ledger.cases import INPUTS, TAG, make_ledger, make_terms, message_of
from support.sizes import examples

FILE = Path(__file__).parents[3] / "spec" / "capc_spec" / "vectors" / "ledger.json"
NOTHING = bytes(32)
Charge = tuple[bytes, int]


class RefusedError(Exception):
    """The code."""


@dataclass(frozen=True)
class Kept:
    identity: bytes
    size: int
    link: bytes
    public_key: bytes
    terms: Terms
    began: tuple[int, ...]


def require(holds: bool, code: str = "input_error") -> None:
    if not holds:
        raise RefusedError(code)


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def parts_of(proof: bytes) -> tuple[bytes, int, bytes, list[bytes], bytes, list[bytes]]:
    """The table: what a proof is made of."""
    place = 0

    def take(size: int) -> bytes:
        nonlocal place
        place += size
        require(place <= len(proof), "malformed_length")
        return proof[place - size : place]

    def number(size: int) -> int:
        return int.from_bytes(take(size), "little")

    identity, start, digests, bodies, before = take(32), number(8), number(4), number(4), take(32)
    hashes = [take(32) for _ in range(digests)]
    signature, shown = take(64), [take(number(4)) for _ in range(bodies)]
    require(place == len(proof), "malformed_length")
    return identity, start, before, hashes, signature, shown


def first_record(body: bytes) -> tuple[bytes, Terms]:
    fields = json.loads(body)
    return bytes.fromhex(fields["public_key"]), Terms.from_document(fields)


def named_terms(terms: Terms) -> dict[str, Any]:
    return {key: value for key, value in terms.document().items() if key != "budget"}


def charge_of(body: bytes, terms: Terms) -> Charge:
    """What a body charges, if it is the one encoding of a charge under these terms."""
    fields, cost = json.loads(body), query_cost(terms.policy, terms.grid_bits)
    require(fields["kind"] == "charged" and set(fields) == CHARGED and canonical_json(fields) == body)
    costs = {"check": str(cost.check), "answer": str(cost.answer), "unit": cost.unit.value}
    require(all(fields[name] == value for name, value in costs.items()))
    return bytes.fromhex(fields["session"]), fields["query"]


CHARGED = {"kind", "session", "query", "commitment", "check", "answer", "unit", "salt"}


def taken(kept: Kept | None, proof: bytes, agreed: Terms, asked: Iterable[Charge]) -> Kept:
    """The eight steps."""
    identity, start, before, digests, signature, bodies = parts_of(proof)
    if kept is None:
        require(start == 0 and bool(digests) and bool(bodies) and sha(bodies[0]) == digests[0])
        key, terms = first_record(bodies[0])
        kept = Kept(sha(TAGS["ledger-link"], NOTHING, digests[0]), 0, NOTHING, key, terms, ())
    require(named_terms(kept.terms) == named_terms(agreed) and kept.terms.budget <= agreed.budget)
    size = start + len(digests)
    require(identity == kept.identity and size >= kept.size >= start)
    links = [before]
    for digest in digests:
        links.append(sha(TAGS["ledger-link"], links[-1], digest))
    require(links[kept.size - start] == kept.link and (start > 0 or before == NOTHING) and size > 0)
    signed = TAGS["ledger-head"] + identity + size.to_bytes(8, "little") + links[-1]
    try:
        Ed25519PublicKey.from_public_bytes(kept.public_key).verify(signature, signed)
    except InvalidSignature:
        raise RefusedError("input_error") from None
    oldest = min(kept.began, default=kept.size)
    counting = {}
    for body in bodies[1 if start == 0 else 0 :]:
        if sha(body) in digests and start + digests.index(sha(body)) >= oldest:
            counting[charge_of(body, kept.terms)] = start + digests.index(sha(body))
    asked = list(asked)
    require(all(charge in counting for charge in asked))
    began = list(kept.began)
    if not asked:
        began.append(size)
    else:
        least = min(counting[charge] for charge in asked)
        if ended := [each for each in began if each <= least]:
            began.remove(max(ended))
    return Kept(identity, size, links[-1], kept.public_key, kept.terms, tuple(sorted(began)[-64:]))


def cases() -> list[tuple[str, Any, Any]]:
    """Every check of a proof in the vectors."""
    document = json.loads(FILE.read_text("utf-8"))
    found = []
    for group in document["testGroups"]:
        for test in group["tests"]:
            for operation in test["operations"]:
                if operation["op"] == "ledger_check_proof":
                    found.append((test["name"], resolve(operation["in"], group["blobs"]), operation["expect"]))
    return found


def read_case(given: Any) -> tuple[Kept | None, bytes, Terms, list[Charge]]:
    takes = LEDGER.operations["ledger_check_proof"].takes
    fields = {name: takes[name].read(value) for name, value in given.items()}
    seen = fields["seen"]
    terms = Terms(**{**fields["terms"], "policy": ReleasePolicy(**fields["terms"]["policy"])})
    kept = None
    if seen is not None:
        kept = Kept(**seen["head"], public_key=seen["public_key"], terms=terms, began=tuple(seen["began"]))
    return kept, fields["proof"], terms, [(entry["session_tag"], entry["query"]) for entry in fields["charged"]]


@pytest.mark.req("CAPC-LEDG-027", "CAPC-LEDG-009", "CAPC-LEDG-010")
@pytest.mark.parametrize(("name", "given_", "expect"), cases(), ids=[name for name, *_ in cases()])
def test_words_give_what_the_vectors_say(name: str, given_: Any, expect: Any) -> None:
    del name
    if "error" in expect:
        with pytest.raises(RefusedError, match=expect["error"]["code"]):
            taken(*read_case(given_))
        return
    after, out = taken(*read_case(given_)), expect["out"]
    assert (after.identity.hex(), after.size, after.link.hex()) == (out["identity"], out["size"], out["link"])
    assert list(after.began) == out["began"]


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-027")
@given(turns=st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 7), max_size=2)), max_size=12))
@settings(max_examples=examples(ordinary=15, nightly=300), deadline=None)
def test_words_keep_what_the_code_keeps_over_looks_of_several_runs(turns: list[tuple[int, list[int]]]) -> None:
    """Each turn charges some queries; then somebody looks and asks for some charges, or begins a run."""
    with tempfile.TemporaryDirectory() as folder, make_ledger(Path(folder)) as ledger:
        seen: KnownHead | None = None
        kept: Kept | None = None
        charged = 0
        for fresh, asked in turns:
            for query in range(charged, charged + fresh):
                ledger.dispatch(ledger.reserve(TAG, query, INPUTS), message_of(query))
            charged += fresh
            names = [(TAG, query) for query in asked if query < charged]
            proof = ledger.proof(0 if seen is None else seen.head.size, names)
            told: Kept | None = None
            with suppress(RefusedError):
                told = taken(kept, proof, make_terms(), names)
            try:
                seen = check_proof(seen, proof, make_terms(), names)
            except (InputError, InvalidPayloadError):
                assert told is None
                continue
            assert told is not None
            kept = told
            assert (kept.identity, kept.size, kept.link) == (seen.head.identity, seen.head.size, seen.head.link)
            assert kept.began == seen.began
