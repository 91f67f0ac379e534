"""Rules of a ledger's records, of its file and of the heads that are kept, each tried over all that it speaks of."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc.foundation.primitives import signing_public_key
from capc.foundation.randomness import Seed
from capc.privacy.ledger import KnownHead, LedgerError, Proof, Terms, check_proof, checkpoints, replay, save_known_head
from capc.privacy.ledger.chain import Head, digest_of, first_head
from capc.privacy.ledger.records import (
    CHARGED,
    DISPATCHED,
    SETTLED,
    UNBLINDED,
    Opening,
    QueryRecord,
    opening_body,
    read_opening,
)
from capc.privacy.query_cost import query_cost
from capc.privacy.storage import schema
from capc.privacy.storage.store import Row
from capc.session.parameters import canonical_json
from capc_spec.registry import TAGS
from privacy.ledger.cases import INPUTS, TAG, alter, make_ledger, make_terms, read, reserve_in_the_earlier_form

KEY, SALT = Seed(b"\x05" * 32), b"\x06" * 16
OPENING, MESSAGE = bytes(range(64)), b"what left"
DIGESTS = {
    CHARGED: hashlib.sha256(TAGS["ledger-commitment"] + OPENING).digest(),
    UNBLINDED: OPENING[32:],
    DISPATCHED: hashlib.sha256(MESSAGE).digest(),
    SETTLED: b"",
}
BESIDE = {CHARGED: OPENING, UNBLINDED: None, DISPATCHED: MESSAGE, SETTLED: None}
"""What lies beside a record of each kind, by the table of records."""
OTHERS = (None, b"", OPENING, OPENING[:-1], OPENING + b"\x00", MESSAGE, MESSAGE[:-1], b"something else")


def log_of(kinds: tuple[str, ...], last: bytes | None) -> list[Row]:
    """Records about one query, linked and signed as they should be; ``last`` lies beside the last one."""
    terms = make_terms()
    body = opening_body(Opening(terms, signing_public_key(KEY)), SALT)
    head: Head = first_head(digest_of(body))
    rows = [Row(body, head.link, head.sign(KEY), None)]
    for kind in kinds:
        body = QueryRecord(kind, TAG, 0, SALT, DIGESTS[kind]).body(query_cost(terms.policy, terms.grid_bits))
        head = head.extended(digest_of(body))
        rows.append(Row(body, head.link, head.sign(KEY), BESIDE[kind]))
    return [*rows[:-1], rows[-1]._replace(message=last)]


@pytest.mark.req("CAPC-LEDG-028")
@pytest.mark.parametrize(
    "kinds",
    [(CHARGED,), (UNBLINDED,), (CHARGED, DISPATCHED), (CHARGED, DISPATCHED, SETTLED), (UNBLINDED, DISPATCHED, SETTLED)],
    ids=" ".join,
)
def test_beside_a_record_lies_what_belongs_to_it_and_nothing_else(kinds: tuple[str, ...]) -> None:
    right = BESIDE[kinds[-1]]
    assert replay(log_of(kinds, right)).head.size == 1 + len(kinds)
    for other in OTHERS:
        if other != right:
            with pytest.raises(InputError):
                replay(log_of(kinds, other))


def schema_of(file: Path, *statements: str) -> set[tuple[str, ...]]:
    """What a database holds after these statements."""
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    held = set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall())
    connection.close()
    return held


GUARDS = ("no_update", "no_delete", "no_gap")


@pytest.mark.req("CAPC-LEDG-003")
def test_whatever_guard_a_file_lacks_it_has_again_once_it_was_opened(tmp_path: Path) -> None:
    """Also a file with records, of this version or an earlier one: from then on nobody's statement but adds."""
    make_ledger(tmp_path).close()
    file = tmp_path / "ledger"
    whole = schema_of(file)
    assert {name for kind, name, *_ in whole if kind == "trigger"} == set(GUARDS)
    ways = [[f"DROP TRIGGER {name}" for name in names] for names in (*zip(GUARDS), GUARDS)]
    ways.append(["DROP TRIGGER no_gap", schema._EARLIER_NO_GAP, "DROP TABLE checkpoint"])
    for way in ways:
        assert schema_of(file, *way) != whole
        make_ledger(tmp_path).close()
        assert schema_of(file) == whole


OTHER_TERMS = {
    "owner": replace(make_terms(), owner="answering_party_1"),
    "data_set": replace(make_terms(), data_set="letters"),
    "sigma": replace(make_terms(), policy=replace(make_terms().policy, sigma=Fraction(7))),
    "delta": replace(make_terms(), policy=replace(make_terms().policy, delta=Fraction(1, 10**4))),
    "grid_bits": replace(make_terms(), grid_bits=5),
    "budget": make_terms(queries=19),
}


@pytest.mark.req("CAPC-LEDG-027", "CAPC-LEDG-009")
def test_terms_are_those_that_were_agreed_to_at_every_look(tmp_path: Path) -> None:
    """Not at the first one only: what a party agrees to may change, and the head that it keeps stays."""

    def refused(seen: KnownHead | None, terms: Terms, name: str) -> None:
        with pytest.raises(InputError, match=name):
            check_proof(seen, ledger.proof(0 if seen is None else seen.head.size), terms)

    with make_ledger(tmp_path) as ledger:
        seen: KnownHead | None = None
        for query in range(3):
            for name, terms in OTHER_TERMS.items():
                refused(seen, terms, name)
            seen = check_proof(seen, ledger.proof(0 if seen is None else seen.head.size), make_terms())
            ledger.reserve(TAG, query, INPUTS)


@pytest.mark.req("CAPC-LEDG-027")
def test_of_more_than_64_runs_that_have_not_asked_the_last_ones_stay() -> None:
    """As the eighth step says, so that a charge that is too old for those that are left stays too old."""
    head = first_head(bytes(32))
    seen = KnownHead(head, bytes(32), make_terms())
    sizes: list[int] = []
    for number in range(1, 71):
        seen = seen.after([bytes([number]) * 32], None)
        sizes = [*sizes, 1 + number][-64:]
        assert seen.began == tuple(sizes)
    assert (seen.began[0], seen.began[-1], len(seen.began)) == (8, 71, 64)


@pytest.mark.req("CAPC-LEDG-016", "CAPC-LEDG-020")
@pytest.mark.parametrize("query", range(4))
def test_a_charge_of_the_earlier_form_that_a_checkpoint_covers_is_opened_to_nobody_either(
    query: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins at a checkpoint knows of every charge which form it has, wherever it lies."""
    monkeypatch.setattr(checkpoints, "EVERY", 3)
    with make_ledger(tmp_path) as ledger:
        for number in range(4):
            if number == query:
                reserve_in_the_earlier_form(ledger, number)
            else:
                ledger.reserve(TAG, number, INPUTS)
        ledger.dispatch(ledger.reserve(TAG, 9, INPUTS), b"message")
    body = read(tmp_path / "ledger")[1][1 + query].body
    assert INPUTS.hex().encode() in body
    with make_ledger(tmp_path) as ledger:
        assert ledger._covered == 6
        for seen in range(ledger.head.size + 1):
            with pytest.raises(LedgerError, match=f"^the charge of query {query} .* is in the form of an earlier"):
                ledger.proof(seen, [(TAG, query)])
            assert body not in ledger.proof(seen, [(TAG, number) for number in range(4) if number != query])


@pytest.mark.req("CAPC-LEDG-022")
@pytest.mark.parametrize(("mine", "others"), [*product(range(1, 4), repeat=2)])
def test_two_histories_are_a_fork_whichever_of_them_is_longer(mine: int, others: int, tmp_path: Path) -> None:
    """Also where both are of one length: then either could be called the larger head."""
    common = KnownHead(first_head(bytes(32)), bytes(32), make_terms())
    file = tmp_path / "head"
    common = save_known_head(common, file)

    def branch(name: int, length: int) -> KnownHead:
        return common.after([bytes([name, place]) * 16 for place in range(length)], None)

    save_known_head(branch(1, mine), file)
    before = file.read_bytes()
    with pytest.raises(LedgerError, match="the ledger was forked"):
        save_known_head(branch(2, others), file)
    assert file.read_bytes() == before


@pytest.mark.req("CAPC-LEDG-026")
@pytest.mark.parametrize("sigma", ["1", "5/2", None])
@pytest.mark.parametrize("threshold", ["0", "3"])
def test_a_check_of_an_earlier_version_is_told_whatever_else_its_record_says(threshold: str, sigma: str | None) -> None:
    body = opening_body(Opening(make_terms(), signing_public_key(KEY)), SALT)
    fields = {**json.loads(body), "threshold": threshold, "threshold_sigma": sigma}
    del fields["threshold_mode"]
    with pytest.raises(LedgerError, match=r"^it charges a threshold check of an earlier version, one draw on the larg"):
        read_opening(canonical_json(fields))


@pytest.mark.req("CAPC-LEDG-023", "CAPC-LEDG-008")
def test_a_reader_counts_what_lies_in_the_log_of_an_earlier_version_only(tmp_path: Path) -> None:
    """Records that were never written into the file itself, which a writer that was killed leaves so."""
    with make_ledger(tmp_path) as ledger:
        for query in range(3):
            ledger.reserve(TAG, query, INPUTS)
        head = ledger.head
    file, copy = tmp_path / "ledger", tmp_path / "copy" / "ledger"
    rows = read(file)[1]
    file.unlink()
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0", schema._TABLE):
        connection.execute(statement)
    connection.execute("INSERT INTO record VALUES (0, ?, ?, ?, ?)", rows[0])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for position, row in enumerate(rows[1:], start=1):
        connection.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?)", (position, *row))
    copy.parent.mkdir()
    for name in ("ledger", "ledger-wal"):
        shutil.copy(tmp_path / name, copy.parent)
    connection.close()
    before = {path.name: path.read_bytes() for path in copy.parent.iterdir()}
    assert read(copy)[0].head == head
    assert {path.name: path.read_bytes() for path in copy.parent.iterdir()} == before


@pytest.mark.req("CAPC-LEDG-020")
@pytest.mark.parametrize("number", range(1, 4))
def test_whoever_verifies_holds_every_checkpoint_against_its_owners_key(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the last one only, over which the owner's own signature is enough."""
    monkeypatch.setattr(checkpoints, "EVERY", 3)
    with make_ledger(tmp_path) as ledger:
        for query in range(9):
            ledger.reserve(TAG, query, INPUTS)
    file = tmp_path / "ledger"
    assert read(file)[0].head.size == 10
    alter(file, ("UPDATE checkpoint SET signature = ? WHERE size = ?", (bytes(64), 3 * number)))
    with pytest.raises(LedgerError, match=f"checkpoint of {3 * number} records is not signed by its key"):
        read(file)


@pytest.mark.req("CAPC-LEDG-009", "CAPC-LEDG-027")
@pytest.mark.parametrize("known", [False, True])
def test_no_record_that_is_shown_brings_a_key_of_its_own_to_a_head_that_is_kept(known: bool, tmp_path: Path) -> None:
    """Whoever knows all digests, and not the owner's key, goes on under a key of its own."""
    body = opening_body(Opening(make_terms(), signing_public_key(KEY)), SALT)
    with make_ledger(tmp_path) as ledger:
        ledger.reserve(TAG, 0, INPUTS)
        seen = check_proof(None, ledger.proof(), make_terms()) if known else None
        honest = Proof.from_bytes(ledger.proof())
        more = (*honest.digests, bytes(32))
        forged = ledger.head.extended(bytes(32)).sign(KEY)
    for opened in ((body,), (honest.opened[0], body), (body, honest.opened[0]), honest.opened):
        proof = replace(honest, digests=more, signature=forged, opened=opened)
        with pytest.raises(LedgerError):
            check_proof(seen, proof.to_bytes(), make_terms())
