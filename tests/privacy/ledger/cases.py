"""Terms, ledgers in a folder of the test, and what a test does with their files and connections."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from capc.privacy.events import Receipt
from capc.privacy.ledger import Ledger, LedgerLog, Terms, open_ledger, reading
from capc.privacy.ledger.chain import digest_of
from capc.privacy.ledger.records import SALT_BYTES, UNBLINDED, QueryRecord
from capc.privacy.storage.connections import connect
from capc.privacy.storage.store import Row
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy

TAG = bytes(range(32))
OTHER_TAG = bytes(32)
INPUTS = b"\xaa" * 32
COST, CHECK = Fraction(5, 2), Fraction(2)
"""What a query costs under :func:`make_terms`, and what its check alone costs."""


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


def copy_of(folder: Path, name: str) -> Path:
    """A copy of a folder's ledger and of its key, in a new folder inside of it."""
    (folder / name).mkdir()
    for file in ("ledger", "ledger.key"):
        shutil.copy(folder / file, folder / name)
    return folder / name


def read(file: Path) -> tuple[LedgerLog, list[Row]]:
    """What a reader believes: the account that a file tells, and its records."""
    with reading(file) as (log, store):
        return log, list(store.rows())


def alter(file: Path, *statements: str | tuple[str, Sequence[Any]]) -> None:
    """What somebody with write access does, who knows SQLite. Each statement changes something."""
    connection = sqlite3.connect(file)
    for statement in statements:
        arguments = (statement,) if isinstance(statement, str) else statement
        assert connection.execute(*arguments).rowcount != 0
    connection.commit()
    connection.close()


class Tap:
    """A connection on which something happens before and after each statement."""

    def __init__(self, file: Path, before: Callable[[str], object] = str, after: Callable[[str], object] = str) -> None:
        self._connection, self._before, self._after = connect(file), before, after

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        self._before(sql)
        result = self._connection.execute(sql, parameters)
        self._after(sql)
        return result

    def close(self) -> None:
        self._connection.close()


class FullDisk:
    """Its connections fail once, at the next statement that begins so."""

    statement: str | None = None

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error or sqlite3.OperationalError("database or disk is full")

    def connect(self, file: Path) -> Tap:
        return Tap(file, self._before)

    def _before(self, sql: str) -> None:
        if self.statement is not None and sql.startswith(self.statement):
            self.statement = None
            raise self._error


def message_of(query: int) -> bytes:
    """What leaves the privacy guardian for a query."""
    return b"circuits of query " + query.to_bytes(4, "little")


def reserve_in_the_earlier_form(ledger: Ledger, query: int) -> Receipt:
    """What a guardian of an earlier version wrote, which did not know of commitments."""
    receipt = Receipt(TAG, query, INPUTS, ledger.cost.worst_case, ledger.cost.unit)
    body = QueryRecord(UNBLINDED, TAG, query, secrets.token_bytes(SALT_BYTES), INPUTS).body(ledger.cost)
    head = ledger.head.extended(digest_of(body))
    with ledger._store.transaction():
        ledger._store.append(ledger.head.size, Row(body, head.link, head.sign(ledger._key), None))
    return receipt
