"""Terms, and ledgers in a folder of the test."""

from __future__ import annotations

import secrets
from fractions import Fraction
from pathlib import Path

from capc.privacy.events import Receipt
from capc.privacy.ledger import Ledger, Terms, open_ledger
from capc.privacy.ledger.chain import digest_of
from capc.privacy.ledger.records import SALT_BYTES, unblinded_charge_body
from capc.privacy.storage.store import Row
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy

TAG = bytes(range(32))
OTHER_TAG = bytes(32)
INPUTS = b"\xaa" * 32
COST = Fraction(3, 2)
"""What a query costs under :func:`make_terms`: a check of 1, and an answer of 1/2."""


def make_terms(queries: int = 20, charge: Charge = Charge.REALISED) -> Terms:
    """Terms whose budget admits that many queries."""
    policy = ReleasePolicy(
        mechanism=NoiseName.ROUNDED_GAUSSIAN,
        sigma=Fraction(2),
        threshold=Fraction(3),
        threshold_sigma=Fraction(1),
        charge=charge,
        adjacency=Adjacency.REPLACE_ONE,
        # Enough for the budgets of all tests.
        epsilon=Fraction(10**7),
        delta=Fraction(1, 10**5),
    )
    return Terms("privacy_guardian", "digits", policy, 4, COST * queries)


def make_ledger(folder: Path, terms: Terms | None = None) -> Ledger:
    """A ledger in this folder: a new one, or the one that is there."""
    return open_ledger(folder / "ledger", terms or make_terms())


def message_of(query: int) -> bytes:
    """What leaves the privacy guardian for a query."""
    return b"circuits of query " + query.to_bytes(4, "little")


def reserve_in_the_earlier_form(ledger: Ledger, query: int) -> Receipt:
    """What a guardian of an earlier version wrote, which did not know of commitments."""
    receipt = Receipt(TAG, query, INPUTS, ledger.cost.worst_case, ledger.cost.unit)
    body = unblinded_charge_body(receipt, ledger.cost, secrets.token_bytes(SALT_BYTES))
    head = ledger.head.extended(digest_of(body))
    with ledger._store.transaction():
        ledger._store.append(ledger.head.size, Row(body, head.link, head.sign(ledger._key), None))
    return receipt
