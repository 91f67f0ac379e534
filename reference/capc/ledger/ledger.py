"""An account that survives crashes: every entry is on the disk before the call that made it returns.

:class:`Ledger` is a :class:`capc.accounting.Account`. It keeps the same rules and adds no state of its own: what was
spent is what the log says, read again before every decision, so that any number of sessions, querying parties and
processes share one budget. Per query:

1. ``reserve`` writes the full charge and returns the receipt. Only now may noise be drawn.
2. ``dispatch`` writes the message that the noise went into and returns it. Only now may it leave.
3. ``settle``, in realised mode.

Crash before 1 is on the disk: nothing was drawn. Between 1 and 2: the charge is wasted, and the query can never be
charged again, so its noise is gone. After 2: ``dispatched`` gives the identical bytes, to be sent again.

What lies on the disk: session tags, query numbers, commitments, the answered bits of realised mode; beside them the
openings of the commitments, which are the owner's and in no body, and the messages of step 3, garbled circuits that
mean something only to the querying party, which was sent them anyway. Noise, votes, shares and seeds are never written.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from capc.events import Entry, Reserved
from capc.ledger.chain import Head, digest_of, first_head
from capc.ledger.errors import LedgerError
from capc.ledger.keys import default_key_file, read_key, read_or_create_key
from capc.ledger.log import LedgerLog, replay
from capc.ledger.records import (
    BLINDING_BYTES,
    CHARGED,
    DISPATCHED,
    SALT_BYTES,
    UNBLINDED,
    Opening,
    charge_body,
    commitment_of,
    later_body,
    opening_body,
)
from capc.ledger.store import REPLACED, Connection, Row, Store, connect
from capc.ledger.terms import Terms
from capc.ledger.watch import Proof
from capc.primitives import signing_public_key
from capc.randomness import Seed


class Ledger(LedgerLog):
    """The durable account of one protected data set. Make it with :func:`open_ledger`.

    Args:
        store: the file; it holds the first record at least.
        key: the secret that signs every head.

    Raises:
        LedgerError: the log is wrong, or was made with another key.

    Spec: CAPC-LEDG-001 to CAPC-LEDG-008.
    """

    def __init__(self, store: Store, key: Seed) -> None:
        rows = store.rows()
        first = next(rows, None)
        if first is None:
            raise LedgerError("the ledger holds no record: create it with open_ledger")
        super().__init__(first)
        if self.public_key != signing_public_key(key):
            raise LedgerError("the signing key is not the one that the ledger was created with: name that one")
        self._store = store
        self._key = key
        self.extend(rows)

    @property
    def file(self) -> Path:
        """The database."""
        return self._store.file

    def dispatched(self, session_tag: bytes, query: int) -> bytes | None:
        """The message that was written down for a query, to be sent again as it is; None if there is none."""
        self._refresh()
        position = self._positions.get((DISPATCHED, session_tag, query))
        return None if position is None else next(self._store.rows(position)).message

    def proof(self, seen: int = 0, charged: Iterable[tuple[bytes, int]] = ()) -> bytes:
        """What an answering party checks with :func:`capc.ledger.watch.check_proof` before it takes part.

        Args:
            seen: how many records the party has seen before.
            charged: session tag and number of queries whose charges it wants to see.

        Raises:
            LedgerError: a charge is in the earlier form, which tells votes and is opened to nobody (CAPC-LEDG-016).

        Reveals: how many records there are; of the records themselves only the first, and those charges.
        """
        self._refresh()
        charged = tuple(charged)
        for tag, query in charged:
            if (UNBLINDED, tag, query) in self._positions:
                raise LedgerError(
                    f"the charge of query {query} of session {tag.hex()[:16]} is in the form of an earlier version, "
                    "which tells votes and is opened to nobody: take part without asking for it"
                )
        head = self._head
        bodies = [row.body for row in islice(self._store.rows(seen), max(head.size - seen, 0))]
        wanted = {self._positions.get((CHARGED, tag, query)) for tag, query in charged}
        opened = [body for position, body in enumerate(bodies, start=seen) if position == 0 or position in wanted]
        start = min(seen, head.size)
        return Proof(
            head.identity, start, tuple(map(digest_of, bodies)), head.sign(self._key), tuple(opened)
        ).to_bytes()

    def close(self) -> None:
        """Ends the use of the file. Nothing is lost by not calling it."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._lock:
            with self._store.transaction():
                self._catch_up()
                yield
            # What this call wrote counts as written because it can be read.
            self._catch_up()

    def _write(self, entry: Entry, message: bytes | None = None) -> None:
        salt = secrets.token_bytes(SALT_BYTES)
        if isinstance(entry, Reserved):
            receipt = entry.receipt
            message = opening = secrets.token_bytes(BLINDING_BYTES) + receipt.inputs_digest
            body = charge_body(receipt.session_tag, receipt.query, commitment_of(opening), self.cost, salt)
        else:
            body = later_body(entry, salt)
        row = _row(self._head.extended(digest_of(body)), body, self._key, message)
        # A record that no reader would accept would end the ledger for ever.
        self._read(row)
        self._store.append(self._head.size, row)

    def _refresh(self) -> None:
        with self._lock:
            self._catch_up()

    def _catch_up(self) -> None:
        self._store.check_in_place()
        rows = self._store.rows(self._head.size - 1)
        last = next(rows, None)
        if last is None or last.link != self._head.link:
            raise LedgerError(REPLACED)
        self.extend(rows)


def open_ledger(
    file: Path, terms: Terms, *, key_file: Path | None = None, connector: Callable[[Path], Connection] = connect
) -> Ledger:
    """Continues the ledger in a file, or creates it.

    Args:
        file: the database.
        terms: what the caller takes the ledger to be; a new one is created with them.
        key_file: the signing key; beside the ledger if None. It is made, with mode 0600, only with a new ledger.
        connector: how the database is opened.

    Raises:
        LedgerError: the file or the key cannot be used, or the log is wrong.
        InputError: the ledger was created with other terms; the message names the first field that differs.
    """
    if file.exists() and not file.is_file():
        raise LedgerError(f"{file}: not a plain file: name a ledger, or a file that is not there yet")
    key_file = key_file or default_key_file(file)
    is_new = not file.exists() or file.stat().st_size == 0
    made = read_or_create_key(key_file) if is_new else None
    store = Store.create(file, connector)
    try:
        # Of a file that is no ledger, nobody looks for its key.
        key = read_key(key_file) if made is None else made
        with store.transaction():
            if next(store.rows(), None) is None:
                body = opening_body(Opening(terms, signing_public_key(key)), secrets.token_bytes(SALT_BYTES))
                store.append(0, _row(first_head(digest_of(body)), body, key, None))
        ledger = Ledger(store, key)
        terms.check_same(ledger.terms)
    except BaseException:
        store.close()
        raise
    return ledger


@contextmanager
def reading(file: Path) -> Iterator[tuple[LedgerLog, Store]]:
    """The account that a file tells, and its records, without its key and without changing it.

    Raises:
        LedgerError: the file is no ledger, or its log is wrong.
    """
    store = Store.read_only(file)
    try:
        yield replay(store.rows()), store
    finally:
        store.close()


def _row(head: Head, body: bytes, key: Seed, message: bytes | None) -> Row:
    return Row(body, head.link, head.sign(key), message)
