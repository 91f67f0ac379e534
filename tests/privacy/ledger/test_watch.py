"""What an answering party refuses: roll-back, forks, other ledgers, missing charges, malformed proofs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError, InvalidPayloadError
from capc.foundation.randomness import Seed
from capc.privacy.ledger import KnownHead, Ledger, LedgerError, Proof, check_proof, load_known_head, save_known_head
from capc.privacy.ledger.chain import digest_of
from capc.privacy.ledger.records import read_opening, read_query_record
from capc.session.parameters import canonical_json
from privacy.ledger.cases import COST, INPUTS, TAG, copy_of, make_ledger, make_terms, message_of, read
from support.sizes import examples


def charge(ledger: Ledger, *queries: int, withheld: bool = False) -> None:
    for query in queries:
        receipt = ledger.reserve(TAG, query, INPUTS)
        ledger.dispatch(receipt, message_of(query))
        if withheld:
            ledger.settle(receipt, answered=False)


def look(seen: KnownHead | None, ledger: Ledger, *charged: int) -> KnownHead:
    """One look of an answering party at the ledger."""
    size = 0 if seen is None else seen.head.size
    names = [(TAG, query) for query in charged]
    return check_proof(seen, ledger.proof(size, names), make_terms(), names)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with make_ledger(tmp_path) as made:
        yield made


@pytest.mark.req("CAPC-LEDG-009")
@given(counts=st.lists(st.integers(0, 3), max_size=4))
@settings(max_examples=examples(ordinary=10, nightly=200), deadline=None)
def test_every_extension_of_what_was_seen_is_accepted(counts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name, make_ledger(Path(name)) as ledger:
        seen = look(None, ledger)
        done = 0
        for count in counts:
            new = range(done, done + count)
            charge(ledger, *new)
            seen = look(seen, ledger, *new)
            assert seen.head == ledger.head
            done += count


@pytest.mark.req("CAPC-LEDG-009", "CAPC-LEDG-027")
def test_a_ledger_that_was_rolled_back_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    charge(ledger, 1)
    ledger.close()
    copy = copy_of(tmp_path, "old")
    with make_ledger(tmp_path) as continued:
        charge(continued, 2)
        seen = look(None, continued)
    with make_ledger(copy) as old:
        assert old.spent == COST
        with pytest.raises(LedgerError, match="rolled back: 5 records were seen, and now there are 3"):
            look(seen, old)


@pytest.mark.req("CAPC-LEDG-009", "CAPC-LEDG-027")
@pytest.mark.parametrize("more", [0, 1, 3])
def test_a_fork_is_refused_though_it_is_signed_and_longer(tmp_path: Path, ledger: Ledger, more: int) -> None:
    """The same key, the same beginning, another continuation."""
    charge(ledger, 1)
    ledger.close()
    copy = copy_of(tmp_path, "fork")
    with make_ledger(tmp_path) as continued:
        charge(continued, 2)
        seen = look(None, continued)
    with make_ledger(copy) as fork:
        charge(fork, *range(3, 4 + more))
        assert read(copy / "ledger")[0].head == fork.head
        with pytest.raises(LedgerError, match="edited or forked"):
            look(seen, fork)


@pytest.mark.req("CAPC-LEDG-009")
def test_a_ledger_that_was_created_anew_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    seen = look(None, ledger)
    ledger.close()
    (tmp_path / "new").mkdir()
    shutil.copy(tmp_path / "ledger.key", tmp_path / "new")
    with make_ledger(tmp_path / "new") as anew, pytest.raises(LedgerError, match="another ledger"):
        look(seen, anew)


@pytest.mark.req("CAPC-LEDG-009")
def test_other_terms_or_a_larger_budget_than_agreed_are_refused(ledger: Ledger) -> None:
    proof = ledger.proof()
    other = replace(make_terms(), policy=replace(make_terms().policy, sigma=Fraction(7)))
    with pytest.raises(InputError, match=r"^sigma = 7: the ledger was created with sigma = 2"):
        check_proof(None, proof, other)
    with pytest.raises(LedgerError, match="is above the 95/2 that was agreed to"):
        check_proof(None, proof, make_terms(queries=19))
    assert check_proof(None, proof, make_terms(queries=21)).terms == make_terms()


@pytest.mark.req("CAPC-LEDG-010")
def test_a_query_that_took_place_and_was_not_charged_is_noticed(ledger: Ledger) -> None:
    seen = look(None, ledger)
    charge(ledger, 1)
    with pytest.raises(LedgerError, match="query 2 of session 0001020304050607 took place"):
        look(seen, ledger, 2)
    seen = look(seen, ledger, 1)
    with pytest.raises(LedgerError, match=r"query 1 .* shows no charge"):
        look(seen, ledger, 1)


@pytest.mark.req("CAPC-LEDG-010")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"answer":"1/2"', b'"answer":"0"'),
        (b'"check":"2"', b'"check":"0"'),
        (b'"unit":"mu_squared"', b'"unit":"rho"'),
        (b'"answer":"1/2"', b'"answer":"2/4"'),
        (b'"kind":"charged"', b'"kind":"settled"'),
    ],
)
def test_a_charge_below_what_a_query_costs_is_refused_though_it_is_signed(
    tmp_path: Path, ledger: Ledger, old: bytes, new: bytes
) -> None:
    """An owner with the key, which charges less than its terms say and signs that."""
    seen = look(None, ledger)
    charge(ledger, 1)
    honest = Proof.from_bytes(ledger.proof(1, [(TAG, 1)]))
    assert old in honest.opened[0]
    body = honest.opened[0].replace(old, new)
    key = Seed(bytes.fromhex((tmp_path / "ledger.key").read_text()))
    head = seen.head.extended(digest_of(body))
    forged = replace(honest, digests=(digest_of(body),), signature=head.sign(key), opened=(body,))
    refusal = "is not the one that the ledger's terms give it|a settled record without its fields"
    with pytest.raises(LedgerError, match=refusal):
        check_proof(seen, forged.to_bytes(), make_terms(), [(TAG, 1)])


@pytest.mark.req("CAPC-LEDG-010")
def test_a_charge_that_is_not_in_the_log_does_not_count(tmp_path: Path, ledger: Ledger) -> None:
    """The body of a charge from another ledger, beside the digests of this one."""
    seen = look(None, ledger)
    (tmp_path / "other").mkdir()
    with make_ledger(tmp_path / "other") as other:
        charge(other, 1)
        body = Proof.from_bytes(other.proof(1, [(TAG, 1)])).opened[0]
    charge(ledger, 2)
    forged = replace(Proof.from_bytes(ledger.proof(1)), opened=(body,)).to_bytes()
    with pytest.raises(LedgerError, match="shows no charge"):
        check_proof(seen, forged, make_terms(), [(TAG, 1)])


@pytest.mark.req("CAPC-LEDG-012")
def test_a_proof_shows_digests_the_first_record_and_the_charges_that_were_asked_for(ledger: Ledger) -> None:
    charge(ledger, 1, 2)
    charge(ledger, 3, withheld=True)
    proof = Proof.from_bytes(ledger.proof(0, [(TAG, 2)]))
    assert len(proof.digests) == 8
    opening, charged = proof.opened
    assert b'"kind":"opened"' in opening
    assert b'"kind":"charged"' in charged
    assert b'"query":2' in charged
    assert b"answered" not in ledger.proof(0, [(TAG, 3)])


@pytest.mark.req("CAPC-LEDG-012")
def test_equal_outcomes_have_different_digests(ledger: Ledger) -> None:
    """Otherwise one could try both answers."""
    charge(ledger, *range(4), withheld=True)
    digests = Proof.from_bytes(ledger.proof()).digests
    assert len(set(digests)) == len(digests) == 13
    salts = {row.body[row.body.index(b'"salt":"') :] for row in read(ledger.file)[1]}
    assert len(salts) == 13


def test_the_first_look_needs_the_first_record(ledger: Ledger) -> None:
    charge(ledger, 1)
    proof = Proof.from_bytes(ledger.proof())
    for forged in (
        replace(proof, opened=()),
        replace(proof, start=1, digests=proof.digests[1:]),
        replace(proof, digests=()),
        replace(proof, opened=(proof.opened[0] + b" ",)),
        replace(proof, identity=digest_of(b"")),
        replace(proof, signature=bytes(64)),
    ):
        with pytest.raises(LedgerError):
            check_proof(None, forged.to_bytes(), make_terms())


@pytest.mark.req("CAPC-LEDG-009")
@given(data=st.data())
@settings(max_examples=examples(ordinary=60, nightly=2000), deadline=None)
def test_no_changed_byte_is_accepted(data: st.DataObject) -> None:
    """Every byte of a proof counts."""
    seen, proof = _recorded()
    place, change = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(1, 255))
    changed = bytearray(proof)
    changed[place] ^= change
    with pytest.raises((LedgerError, InvalidPayloadError)):
        check_proof(seen, bytes(changed), make_terms(), [(TAG, 1)])


@given(cut=st.integers(0, 10**6), extra=st.binary(min_size=1, max_size=3))
@settings(max_examples=examples(ordinary=40, nightly=1000), deadline=None)
def test_a_proof_of_another_length_is_malformed(cut: int, extra: bytes) -> None:
    _, proof = _recorded()
    for other in (proof[: cut % len(proof)], proof + extra):
        with pytest.raises(InvalidPayloadError, match="malformed_length"):
            Proof.from_bytes(other)
    assert Proof.from_bytes(proof).to_bytes() == proof


@cache
def _recorded() -> tuple[KnownHead, bytes]:
    with tempfile.TemporaryDirectory() as name, make_ledger(Path(name)) as ledger:
        seen = look(None, ledger)
        charge(ledger, 1)
        return seen, ledger.proof(1, [(TAG, 1)])


@pytest.mark.req("CAPC-LEDG-009")
def test_what_was_seen_survives_in_a_file(tmp_path: Path, ledger: Ledger) -> None:
    file = tmp_path / "answering_party_1.json"
    assert load_known_head(file) is None
    seen = look(None, ledger)
    save_known_head(seen, file)
    assert load_known_head(file) == seen
    charge(ledger, 1)
    save_known_head(look(load_known_head(file), ledger, 1), file)
    assert load_known_head(file) != seen
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    file.write_text("{}")
    with pytest.raises(LedgerError, match="not a head"):
        load_known_head(file)


@pytest.mark.req("CAPC-LEDG-009")
@pytest.mark.parametrize("size", [True, 1.0, "1", None, 0, -1])
def test_a_kept_head_has_a_whole_size(tmp_path: Path, ledger: Ledger, size: object) -> None:
    file = tmp_path / "answering_party_1.json"
    save_known_head(look(None, ledger), file)
    file.write_text(json.dumps({**json.loads(file.read_text()), "size": size}))
    with pytest.raises(LedgerError, match="not a head"):
        load_known_head(file)


HOSTILE = ["1/0", "1e999999999", "0x1", "-1", "1_0", " 1", "2/4/8", "9" * 5000, "", 1.5, True, [], "\u0661"]
"""What no field with a rational may hold: values that cannot be computed with, take for ever, or have two spellings."""


@pytest.mark.req("CAPC-LEDG-003", "CAPC-LEDG-009")
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", ["sigma", "threshold", "epsilon", "budget"])
def test_hostile_numbers_in_the_terms_are_refused(tmp_path: Path, ledger: Ledger, name: str, value: object) -> None:
    body = read(ledger.file)[1][0].body
    with pytest.raises(LedgerError, match="not the first record"):
        read_opening(canonical_json({**json.loads(body), name: value}))
    file = tmp_path / "head.json"
    save_known_head(look(None, ledger), file)
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "terms": {**kept["terms"], name: value}}))
    with pytest.raises(LedgerError, match="not a head"):
        load_known_head(file)


@pytest.mark.req("CAPC-LEDG-009")
@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, "\ud800"], ids=["deep", "long", "surrogate"])
def test_hostile_json_is_refused(tmp_path: Path, text: str) -> None:
    body = text.encode("utf-8", "surrogatepass")
    for parse in (read_opening, read_query_record):
        with pytest.raises(LedgerError, match="not JSON"):
            parse(body)
    (tmp_path / "head.json").write_bytes(body)
    with pytest.raises(LedgerError, match="not a head"):
        load_known_head(tmp_path / "head.json")


@pytest.mark.parametrize("grid_bits", [-1, 65, 10**9, 4.0, True])
def test_a_grid_that_no_noise_has_is_refused(grid_bits: Any) -> None:
    with pytest.raises(InputError, match="grid_bits: give a whole number from 0 to 64"):
        replace(make_terms(), grid_bits=grid_bits)
