"""An account that survives crashes: every entry is on the disk before the call that made it returns.

:class:`Ledger` is a :class:`capc.privacy.account.Account`. It keeps the same rules and adds no state of its own: what
was spent is what the log says, read again before every decision, so that any number of sessions, querying parties and
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
from functools import reduce
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from capc.foundation.primitives import signing_public_key
from capc.foundation.randomness import Seed
from capc.privacy.events import Dispatch, Entry, Reservation, Settlement
from capc.privacy.ledger.chain import START, Head, digest_of, first_head, next_link
from capc.privacy.ledger.keys import default_key_file, read_key, read_or_create_key
from capc.privacy.ledger.log import LedgerLog, replay
from capc.privacy.ledger.records import (
    BLINDING_BYTES,
    CHARGED,
    DISPATCHED,
    SALT_BYTES,
    SETTLED,
    UNBLINDED,
    Opening,
    QueryRecord,
    commitment_of,
    opening_body,
    read_opening,
)
from capc.privacy.ledger.terms import Terms
from capc.privacy.ledger.watch import Proof
from capc.privacy.storage.connections import Connection, connect
from capc.privacy.storage.errors import LedgerError
from capc.privacy.storage.store import REPLACED, Row, Store, explained


class Ledger(LedgerLog):
    """The durable account of one protected data set. Make it with :func:`open_ledger`.

    Args:
        store: the file; it holds the first record at least.
        key: the secret that signs every head.

    Raises:
        LedgerError: the log is wrong, or was made with another key.

    Attributes:
        created: whether :func:`open_ledger` made the file just now.

    Spec: CAPC-LEDG-001 to CAPC-LEDG-008, CAPC-LEDG-017, CAPC-LEDG-020.
    """

    created = False

    def __init__(self, store: Store, key: Seed) -> None:
        first = next(store.rows(), None)
        if first is None:
            raise LedgerError("the ledger holds no record: create it with open_ledger")
        super().__init__(first)
        if self.public_key != signing_public_key(key):
            raise LedgerError("the signing key is not the one that the ledger was created with: name that one")
        self._store = store
        self._key = key
        kept = list(store.checkpoints())
        # Whoever else wrote a checkpoint, the records say everything; the next turn replaces them.
        resumed = self._resume(kept, next(store.rows(kept[-1].size - 1), None)) if kept else False
        self._foreign = bool(kept) and not resumed
        self._covered = kept[-1].size if resumed else 0
        self.extend(store.rows(self._head.size))

    @property
    def file(self) -> Path:
        """The database."""
        return self._store.file

    def dispatched(self, session_tag: bytes, query: int) -> bytes | None:
        """The message that was written down for a query, to be sent again as it is; None if there is none."""
        self._refresh()
        position = self._positions.get((DISPATCHED, session_tag, query))
        if position is None:
            return None
        message = next(self._store.rows(position)).message
        # A record that a checkpoint covers was not read when the ledger was opened.
        if message is None or digest_of(message) != self._dispatched[session_tag, query]:
            raise LedgerError(
                f"record {position} of the ledger was edited: its message is not the one that was recorded"
            )
        return message

    def proof(self, seen: int = 0, charged: Iterable[tuple[bytes, int]] = ()) -> bytes:
        """What an answering party checks with :func:`capc.privacy.ledger.watch.check_proof` before it takes part.

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
        wanted = {self._positions[CHARGED, *name] for name in charged if (CHARGED, *name) in self._positions}
        start = min(seen, head.size, *wanted)
        before = next(self._store.rows(start - 1)).link if start else START
        bodies = [row.body for row in islice(self._store.rows(start), head.size - start)]
        digests = tuple(map(digest_of, bodies))
        if reduce(next_link, digests, before) != head.link:
            raise LedgerError(f"a record of the ledger from {start} on was edited: verify the ledger")
        opened = tuple(body for position, body in enumerate(bodies, start=start) if position == 0 or position in wanted)
        return Proof(head.identity, start, before, digests, head.sign(self._key), opened).to_bytes()

    def close(self) -> None:
        """Ends the use of the file. Nothing is lost by not calling it."""
        self._store.close()

    def remove_unused(self) -> bool:
        """Removes the file again, if no query was ever charged; the ledger cannot be used any more then.

        Returns:
            Whether it was removed.

        Raises:
            LedgerError: the file was replaced, or the disk refused.
        """
        with self._lock, explained(self.file), self._store.turn():
            self._catch_up()
            unused = self._head.size == 1
            if unused:
                self._store.remove()
        return unused

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # Before the lock, which a thread of the parent may have held when it forked.
        self._store.check_process()
        with self._lock:
            with self._store.transaction():
                self._catch_up()
                size = self._keep_checkpoints()
                yield
            self._foreign, self._covered = False, size
            # What this call wrote counts as written because it can be read.
            self._catch_up()

    def _keep_checkpoints(self) -> int:
        """Writes the checkpoints that are due, in the transaction of the next record: never of one that is not there.

        Returns:
            How many records are covered when the transaction is over.
        """
        if self._foreign:
            self._store.drop_checkpoints()
        for each in self._checkpoints:
            if each.head.size > self._covered:
                self._store.append_checkpoint(each.signed(self._key))
        return self._checkpoints[-1].head.size if self._checkpoints else 0

    def _write(self, entry: Entry, message: bytes | None = None) -> None:
        name = entry.receipt.session_tag, entry.receipt.query, secrets.token_bytes(SALT_BYTES)
        match entry:
            case Reservation(receipt):
                message = secrets.token_bytes(BLINDING_BYTES) + receipt.inputs_digest
                record = QueryRecord(CHARGED, *name, commitment_of(message))
            case Dispatch(_, digest):
                record = QueryRecord(DISPATCHED, *name, digest)
            case Settlement(_, answered):
                record = QueryRecord(SETTLED, *name, answered=answered)
        body = record.body(self.cost)
        row = _row(self._head.extended(digest_of(body)), body, self._key, message)
        # A record that no reader would accept would end the ledger for ever.
        self._read(row)
        self._store.append(self._head.size, row)

    def _refresh(self) -> None:
        self._store.check_process()
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
    """Continues the ledger in a file, or creates it. A refusal creates nothing.

    Args:
        file: the database.
        terms: what the caller takes the ledger to be; a new one is created with them.
        key_file: the signing key; beside the ledger if None. It is made, with mode 0600, only with a new ledger.
        connector: how the database is opened.

    Raises:
        LedgerError: the file or the key cannot be used, or the log is wrong.
        InputError: the ledger was created with other terms; the message names the first field that differs.

    Spec: CAPC-LEDG-002, CAPC-LEDG-008, CAPC-LEDG-017 to CAPC-LEDG-020.
    """
    if file.exists() and not file.is_file():
        raise LedgerError(f"{file}: not a plain file: name a ledger, or a file that is not there yet")
    key_file = key_file or default_key_file(file)
    had_key = key_file.exists()

    def first() -> Row:
        key = read_or_create_key(key_file)
        body = opening_body(Opening(terms, signing_public_key(key)), secrets.token_bytes(SALT_BYTES))
        return _row(first_head(digest_of(body)), body, key, None)

    try:
        store, created = Store.create(file, first, connector)
    except BaseException:
        if not had_key and not file.exists():
            key_file.unlink(missing_ok=True)
        raise
    try:
        ledger = Ledger(store, read_key(key_file))
        terms.check_same(ledger.terms)
    except BaseException:
        store.close()
        raise
    ledger.created = created
    return ledger


def kept_terms(file: Path) -> Terms:
    """What a ledger was created with; nothing else of it is read or checked.

    Raises:
        LedgerError: the file is no ledger, or its first record opens none.
    """
    with Store.read_only(file) as store:
        first = next(store.rows(), None)
    if first is None:
        raise LedgerError(f"{file}: a ledger without a record: name another file")
    return read_opening(first.body).terms


@contextmanager
def reading(file: Path) -> Iterator[tuple[LedgerLog, Store]]:
    """The account that a file tells, and its records, without its key and without changing it or its folder.

    All of it is replayed from the first record, and its checkpoints are held against that.

    Raises:
        LedgerError: the file is no ledger, or its log is wrong.
    """
    with Store.read_only(file) as store:
        # Before the records: meanwhile others may add records, and checkpoints of those.
        kept = list(store.checkpoints())
        log = replay(store.rows())
        log.check_kept(kept)
        yield log, store


def _row(head: Head, body: bytes, key: Seed, message: bytes | None) -> Row:
    return Row(body, head.link, head.sign(key), message)
