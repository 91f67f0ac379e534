"""Faults in what a ledger shows: to answering parties that ask for a proof, and to whoever reads an export."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace

from capc.privacy.ledger import Ledger, Proof, ledger, records
from capc.privacy.ledger.records import BLINDING_BYTES, CHARGED, SETTLED, UNBLINDED
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault


def digest_without_blinding() -> None:
    """A charge holds the digest of all vote shares as it is: whoever can form the candidates compares them."""

    def digest_itself(opening: bytes) -> bytes:
        return opening[BLINDING_BYTES:]

    replace_everywhere(records.commitment_of, digest_itself)


def salt_for_blinding() -> None:
    """The commitment is blinded by the salt of its body, which is shown with it."""

    class Again:
        """Draws a salt, and gives it out again where a blinding is asked for."""

        def __init__(self) -> None:
            self._salt = b""

        def token_bytes(self, length: int) -> bytes:
            """The salt, or the last one repeated."""
            if length == BLINDING_BYTES:
                return (self._salt * BLINDING_BYTES)[:BLINDING_BYTES]
            self._salt = secrets.token_bytes(length)
            return self._salt

    replace_in(ledger, "secrets", Again())


def settlement_opened() -> None:
    """Who asks for the charge of a query is shown its settlement too: whether it was answered."""
    _open_more((CHARGED, SETTLED))


def earlier_form_opened() -> None:
    """A charge of the earlier form, which holds the digest of all vote shares, is opened to whoever asks for it."""
    _open_more((CHARGED, UNBLINDED))
    replace_everywhere(records.may_be_opened, lambda _: True)


def _open_more(kinds: Iterable[str]) -> None:
    """Opens all records of these kinds that belong to a query that was asked for."""
    correct = Ledger.proof

    def proof(self: Ledger, seen: int = 0, charged: Iterable[tuple[bytes, int]] = ()) -> bytes:
        honest = Proof.from_bytes(correct(self, seen))
        places = {self._positions.get((kind, *name)) for name in charged for kind in kinds}
        rows = enumerate(self._store.rows(honest.start), start=honest.start)
        opened = tuple(row.body for place, row in rows if place == 0 or place in places)
        return replace(honest, opened=opened).to_bytes()

    Ledger.proof = proof  # type: ignore[method-assign]


_LEDGERS = "tests/views/test_ledgers.py::test_"
_CHARGES = _LEDGERS + "opened_charges_tell_"
_CANDIDATES = "tests/privacy/ledger/test_commitments.py::test_no_hash_of_a_candidate_"

FAULTS = {
    "digest_without_blinding": Fault(
        digest_without_blinding,
        None,
        (
            _CANDIDATES + "vote_of_the_one_honest_party_is_in_an_opened_charge[worst_case]",
            _CANDIDATES + "histogram_of_two_honest_parties_is_in_an_opened_charge",
            _CHARGES + "the_querying_party_and_all_answering_parties_but_one_nothing[seen0]",
            _CHARGES + "them_nothing_of_the_histogram_of_two_honest_parties",
        ),
    ),
    "salt_for_blinding": Fault(
        salt_for_blinding,
        None,
        (
            _CANDIDATES + "vote_of_the_one_honest_party_is_in_an_opened_charge[worst_case]",
            _CHARGES + "the_querying_party_and_all_answering_parties_but_one_nothing[seen0]",
            _CHARGES + "them_nothing_of_the_histogram_of_two_honest_parties",
        ),
    ),
    "settlement_opened": Fault(
        settlement_opened,
        None,
        (
            "tests/privacy/ledger/test_watch.py"
            "::test_a_proof_shows_digests_the_first_record_and_the_charges_that_were_asked_for",
            _LEDGERS + "while_a_budget_lasts_the_ledger_tells_an_answering_party_nothing[realised]",
        ),
    ),
    "earlier_form_opened": Fault(
        earlier_form_opened,
        None,
        (
            "tests/privacy/ledger/test_earlier_form.py"
            "::test_a_charge_of_the_earlier_form_is_opened_to_nobody_who_asks_for_it[one-0]",
            "tests/privacy/ledger/test_earlier_form.py::test_no_command_shows_a_body_of_the_earlier_form[export]",
        ),
    ),
}
"""These faults, and the tests that must notice them."""
