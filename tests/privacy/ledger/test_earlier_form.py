"""Ledgers that a version without commitments began: they count and go on, and what tells votes stays closed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc import cli
from capc.foundation.errors import InputError
from capc.privacy.events import Reservation
from capc.privacy.ledger import Ledger, LedgerError, Proof, check_proof
from capc.privacy.ledger.chain import digest_of
from capc.privacy.ledger.records import BLINDING_BYTES, commitment_of, may_be_opened, read_query_record
from capc.privacy.query_cost import query_cost
from privacy.ledger.cases import (
    COST,
    INPUTS,
    TAG,
    make_ledger,
    make_terms,
    message_of,
    read,
    reserve_in_the_earlier_form,
)
from support.sizes import examples

NAMES = [(TAG, 1), (TAG, 2)]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Query 1 was charged and sent by the earlier version, query 2 by this one."""
    with make_ledger(tmp_path) as ledger:
        ledger.dispatch(reserve_in_the_earlier_form(ledger, 1), message_of(1))
    with make_ledger(tmp_path) as ledger:
        ledger.dispatch(ledger.reserve(TAG, 2, INPUTS), message_of(2))
        yield ledger


def told(ledger: Ledger) -> list[str]:
    """Everything that the digest of query 1 could be read from."""
    body = read(ledger.file)[1][1].body
    assert INPUTS.hex() in body.decode()
    return [INPUTS.hex(), json.loads(body)["salt"], body.hex()]


@pytest.mark.req("CAPC-LEDG-016")
def test_the_earlier_form_is_read_byte_for_byte() -> None:
    """As a guardian of the earlier version wrote it."""
    written = (
        b'{"answer":"1/2","check":"2","inputs":"' + b"aa" * 32 + b'","kind":"reserved","query":7,"salt":"'
        b"000102030405060708090a0b0c0d0e0f"
        b'","session":"' + TAG.hex().encode() + b'","unit":"mu_squared"}'
    )
    record = read_query_record(written)
    terms = make_terms()
    assert (record.session_tag, record.query, record.digest) == (TAG, 7, INPUTS)
    assert record.body(query_cost(terms.policy, terms.grid_bits)) == written
    assert not may_be_opened(written)


@pytest.mark.req("CAPC-LEDG-016", "CAPC-LEDG-008")
def test_an_earlier_ledger_counts_verifies_and_goes_on_in_the_new_form(tmp_path: Path, ledger: Ledger) -> None:
    assert ledger.spent == 2 * COST
    with pytest.raises(InputError, match=r"query 1 .* was charged before"):
        ledger.reserve(TAG, 1, INPUTS)
    assert ledger.dispatched(TAG, 1) == message_of(1)
    ledger.close()
    log, rows = read(tmp_path / "ledger")
    assert log.spent == 2 * COST
    kinds = [json.loads(row.body)["kind"] for row in rows]
    assert kinds == ["opened", "reserved", "dispatched", "charged", "dispatched"]


@pytest.mark.req("CAPC-LEDG-016")
def test_a_charge_of_the_earlier_form_is_dispatched_and_settled_after_an_upgrade(tmp_path: Path) -> None:
    with make_ledger(tmp_path) as ledger:
        receipt = reserve_in_the_earlier_form(ledger, 1)
    with make_ledger(tmp_path) as ledger:
        with pytest.raises(InputError, match="not one of this account"):
            ledger.dispatch(replace(receipt, inputs_digest=bytes(32)), message_of(1))
        ledger.dispatch(receipt, message_of(1))
        ledger.settle(receipt, answered=False)
        assert ledger.spent == 2


@pytest.mark.req("CAPC-LEDG-016")
@pytest.mark.parametrize("seen", [0, 1, 2, 5])
@pytest.mark.parametrize("names", [NAMES[:1], NAMES, NAMES[::-1]], ids=["one", "both", "last"])
def test_a_charge_of_the_earlier_form_is_opened_to_nobody_who_asks_for_it(
    ledger: Ledger, seen: int, names: list[tuple[bytes, int]]
) -> None:
    with pytest.raises(
        LedgerError, match=r"^the charge of query 1 of session 00010203\w* is in the form of an earlier"
    ):
        ledger.proof(seen, iter(names))


@pytest.mark.req("CAPC-LEDG-016", "CAPC-LEDG-010")
def test_other_proofs_of_an_earlier_ledger_show_nothing_of_it(ledger: Ledger) -> None:
    for seen in range(5):
        for names in ([], NAMES[1:], [(TAG, 3)]):
            proof = ledger.proof(seen, names)
            assert not [text for text in told(ledger) if bytes.fromhex(text) in proof or text.encode() in proof]
    assert check_proof(None, ledger.proof(0, NAMES[1:]), make_terms(), NAMES[1:]).head == ledger.head


@pytest.mark.req("CAPC-LEDG-016")
def test_an_answering_party_refuses_a_charge_of_the_earlier_form_that_it_is_shown(tmp_path: Path) -> None:
    """By a guardian of the earlier version: it says why, and accuses nobody of a missing charge."""
    with make_ledger(tmp_path) as ledger:
        seen = check_proof(None, ledger.proof(), make_terms())
        reserve_in_the_earlier_form(ledger, 1)
        body = read(ledger.file)[1][1].body
        shown = replace(Proof.from_bytes(ledger.proof(1)), opened=(body,)).to_bytes()
    with pytest.raises(LedgerError, match="query 1 is in the form of an earlier version, which tells votes"):
        check_proof(seen, shown, make_terms(), NAMES[:1])


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-016")
@pytest.mark.parametrize("command", ["show", "verify", "export"])
def test_no_command_shows_a_body_of_the_earlier_form(
    ledger: Ledger, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = told(ledger)
    ledger.close()
    answer = tmp_path / "answer.json"
    assert cli.run(["ledger", command, str(ledger.file), "--json", str(answer)]) == 0
    text = capsys.readouterr().out + answer.read_text()
    assert not [secret for secret in secrets if secret in text]
    if command == "export":
        entries = json.loads(answer.read_text())["entries"]
        assert ["withheld" in entry for entry in entries] == [False, True, False, False, False]
        assert entries[1]["withheld"] == digest_of(read(ledger.file)[1][1].body).hex()


@pytest.mark.req("CAPC-LEDG-015")
def test_an_auditor_of_the_file_verifies_every_commitment(ledger: Ledger) -> None:
    charge = read(ledger.file)[1][3]
    assert charge.message is not None
    assert charge.message[BLINDING_BYTES:] == INPUTS
    assert commitment_of(charge.message).hex() == json.loads(charge.body)["commitment"]


@pytest.mark.req("CAPC-LEDG-015")
def test_after_a_restart_the_owner_knows_for_which_inputs_a_query_was_charged(tmp_path: Path) -> None:
    with make_ledger(tmp_path) as ledger:
        receipt = ledger.reserve(TAG, 1, INPUTS)
    with make_ledger(tmp_path) as again:
        with pytest.raises(InputError, match="not one of this account"):
            again.dispatch(replace(receipt, inputs_digest=bytes(32)), message_of(1))
        again.dispatch(receipt, message_of(1))


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-012", "CAPC-LEDG-015", "CAPC-LEDG-016")
@given(data=st.data())
@settings(max_examples=examples(ordinary=25, nightly=500), deadline=None)
def test_whatever_is_asked_for_no_digest_of_inputs_and_no_opening_leaves(data: st.DataObject) -> None:
    """Charges of either form in any order, and any request."""
    forms = data.draw(st.lists(st.booleans(), max_size=5), label="new form")
    with tempfile.TemporaryDirectory() as name, make_ledger(Path(name)) as ledger:
        for query, new in enumerate(forms):
            if new:
                ledger.reserve(TAG, query, INPUTS)
            else:
                reserve_in_the_earlier_form(ledger, query)
        asked = data.draw(st.lists(st.integers(0, 6), max_size=4), label="asked for")
        seen = data.draw(st.integers(0, len(forms) + 2), label="seen")
        _, rows = read(ledger.file)
        if any(query < len(forms) and not forms[query] for query in asked):
            with pytest.raises(LedgerError, match="in the form of an earlier version") as refusal:
                ledger.proof(seen, [(TAG, query) for query in asked])
            left = str(refusal.value).encode()
        else:
            left = ledger.proof(seen, [(TAG, query) for query in asked])
    for secret in (INPUTS, *(row.message for row in rows if row.message)):
        assert secret not in left
        assert secret.hex().encode() not in left
        assert secret[:BLINDING_BYTES].hex().encode() not in left


@pytest.mark.req("CAPC-ROLE-013", "CAPC-LEDG-016")
def test_no_representation_shows_a_digest_of_inputs_or_an_opening(ledger: Ledger) -> None:
    log, rows = read(ledger.file)
    held = [*rows, *map(read_query_record, (row.body for row in rows[1:])), *log._receipts.values(), ledger, log]
    held.append(Reservation(log._receipts[TAG, 2]))
    opening = rows[3].message
    assert opening is not None
    for each in held:
        for secret in (INPUTS, opening[:BLINDING_BYTES], opening):
            assert secret.hex() not in repr(each)
            assert repr(secret)[2:-1] not in repr(each)
