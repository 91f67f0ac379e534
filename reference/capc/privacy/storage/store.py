"""The file of a ledger: a SQLite table that only grows, and that is on the disk when a call returns.

Writers take turns (:mod:`capc.privacy.storage.file_lock`), so that what was read before a charge is still true when it
is written (CAPC-LEDG-007). A turn checks first that the file that is open is still the one by its name, and its only
one. The database is opened by SQLite and by nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

from capc.foundation.hidden import type_only
from capc.privacy.storage.connections import (
    Connection,
    connect,
    connected_to_read,
    look_at,
    make_durable,
    retry_while_busy,
    writer_died,
)
from capc.privacy.storage.disk import replace, sync_folder
from capc.privacy.storage.errors import LedgerError
from capc.privacy.storage.file_identity import Identity, check_not_mounted, identity_of, tighten
from capc.privacy.storage.file_lock import FileLock, lock_file, nobody_writes
from capc.privacy.storage.schema import check_schema, complete_schema

REPLACED = "the ledger was rolled back or replaced while it was in use: stop, and find out by whom"

_COLUMNS = "body, link, signature, message"
_PAGE = 100
_PAGE_BYTES = 1 << 23
_MAX_BODY_BYTES = 1 << 20


class Row(NamedTuple):
    """One record as it is kept.

    Attributes:
        body: canonical JSON.
        link: the link of the hash chain, 32 bytes.
        signature: the owner's, of the head that this record makes, 64 bytes.
        message: what is kept beside the body and never shown in its place: of a charge the opening of its commitment,
            of a dispatched record what left the privacy guardian, of others nothing.
    """

    body: bytes
    link: bytes
    signature: bytes
    message: bytes | None

    def __repr__(self) -> str:
        return type_only(self)


class SignedCheckpoint(NamedTuple):
    """A checkpoint as it is kept (:mod:`capc.privacy.ledger.checkpoints`).

    Attributes:
        size: how many records it covers.
        link: that of the last of them, 32 bytes.
        entries: what these records say, from the one after the checkpoint before.
        signature: the owner's, 64 bytes.
    """

    size: int
    link: bytes
    entries: bytes
    signature: bytes

    def __repr__(self) -> str:
        return type_only(self)


class Store:
    """The records of one ledger.

    Args:
        file: the database, as it was named.
        connection: to that file.
        identity: device and number of the file that was opened.
        gate: turns at it; None where nobody writes through this store.
    """

    def __init__(self, file: Path, connection: Connection, identity: Identity, gate: FileLock | None = None) -> None:
        self.file = file
        self._connection = connection
        # Absolute, as the process may change its folder.
        self._place = file.absolute()
        self._identity = identity
        self._gate = gate

    @classmethod
    def create(
        cls, file: Path, first: Callable[[], Row], connector: Callable[[Path], Connection] = connect
    ) -> tuple[Store, bool]:
        """The store of a file, durable and with its tables and guards; made if it is missing or empty.

        Args:
            file: the database.
            first: the record that a new ledger begins with; asked for before anything is made.
            connector: how the database is opened.

        Returns:
            The store, and whether it was made just now.

        Raises:
            LedgerError: the file is no ledger, has several names, cannot be written, or stays busy.
        """
        with explained(file):
            path = file.resolve()
            if _is_empty(path):
                # What it needs is refused before anything is made.
                first()
            else:
                _check_place(path)
                if not lock_file(path).exists() and not writer_died(path):
                    # No lock file is made beside a file of others; a file that needs its journal is looked at with it.
                    look_at(path, lambda connection: check_schema(connection, file))
            gate = FileLock(path)
            try:
                with gate.turn():
                    made = cls._opened(file, path, gate, first, connector)
            except BaseException:
                gate.close()
                raise
        # The names of the files must survive a power cut too.
        sync_folder(path.parent)
        return made

    @classmethod
    def _opened(
        cls, file: Path, path: Path, gate: FileLock, first: Callable[[], Row], connector: Callable[[Path], Connection]
    ) -> tuple[Store, bool]:
        is_new = _is_empty(path)
        if not path.exists():
            # Under another name first: nobody sees one that others may read.
            replace(path, "")
        identity = _check_place(path)
        tighten(path)
        store = cls(file, connector(path), identity, gate)
        try:
            check_schema(store._connection, file)
            retry_while_busy(lambda: make_durable(store._connection))
            with store.transaction():
                complete_schema(store._connection)
                is_new = not store._connection.execute("SELECT 1 FROM record LIMIT 1").fetchall()
                if is_new:
                    store.append(0, first())
        except BaseException:
            store._connection.close()
            if is_new and _is_empty(path):
                path.unlink(missing_ok=True)
                gate.remove()
            raise
        return store, is_new

    @classmethod
    @contextmanager
    def read_only(cls, file: Path) -> Iterator[Store]:
        """The store of a file that is there, for reading; it leaves nothing behind.

        Raises:
            LedgerError: the file is missing, is no ledger, or is not readable.
        """
        if not file.is_file():
            raise LedgerError(f"{file}: no such ledger: name the file that --ledger created")
        with ExitStack() as stack:
            with explained(file):
                path = file.resolve()
                with nobody_writes(path):
                    connection = stack.enter_context(connected_to_read(path))
                check_schema(connection, file)
            yield cls(file, connection, (0, 0))

    def turn(self) -> AbstractContextManager[None]:
        """Nobody else has a turn until the block ends."""
        return nullcontext() if self._gate is None else self._gate.turn()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The only writer until the block ends; then all of it is on the disk, or none of it.

        Raises:
            LedgerError: another writer kept its turn for too long, or the disk refused.
        """
        with explained(self.file), self.turn():
            self.check_in_place()
            with only_writer(self._connection):
                yield

    def check_process(self) -> None:
        """Checks that this process opened the store.

        Raises:
            LedgerError: it is a child of the one that did.
        """
        if self._gate is not None:
            self._gate.check_process()

    def check_in_place(self) -> None:
        """Checks that the file that is open still has its name: SQLite would go on with one that was replaced.

        Raises:
            LedgerError: the file was deleted, there is another one in its place, or it has several names now.
        """
        try:
            found = identity_of(self._place)
        except OSError:
            raise LedgerError(REPLACED) from None
        if found != self._identity:
            raise LedgerError(REPLACED)

    def append(self, position: int, row: Row) -> None:
        """Adds a record, inside a transaction."""
        self._connection.execute(
            f"INSERT INTO record (position, {_COLUMNS}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608
            (position, *row),
        ).fetchall()

    def rows(self, start: int = 0) -> Iterator[Row]:
        """The records from this position on, oldest first, a page at a time: messages make records large.

        Raises:
            LedgerError: the file is not readable, is no ledger, or a column is of another type.
        """
        page: list[Any] = [()]
        while page:
            with explained(self.file), self.turn():
                page = self._page(start)
            for position, *columns in page:
                row = Row(*columns)
                if position != start:
                    raise LedgerError(f"{self.file}: record {start} of the ledger was edited: it is not in its place")
                # A check of a table can be switched off by whoever writes.
                if not all(type(column) is bytes for column in row[:3]) or type(row.message) not in (bytes, type(None)):
                    raise LedgerError(
                        f"{self.file}: record {start} is not made of bytes: this is no ledger, or damaged"
                    )
                if len(row.body) > _MAX_BODY_BYTES:
                    raise LedgerError(f"{self.file}: record {start} has a body of {len(row.body)} bytes: no record has")
                yield row
                start += 1

    def _page(self, start: int) -> list[Any]:
        sizes = self._connection.execute(
            "SELECT coalesce(length(body), 0) + coalesce(length(message), 0) FROM record "
            "WHERE position >= ? ORDER BY position LIMIT ?",
            (start, _PAGE),
        ).fetchall()
        count, total = 0, 0
        for (size,) in sizes:
            total += size
            if count and total > _PAGE_BYTES:
                break
            count += 1
        statement = f"SELECT position, {_COLUMNS} FROM record WHERE position >= ? ORDER BY position LIMIT ?"  # noqa: S608
        page: list[Any] = self._connection.execute(statement, (start, count)).fetchall()
        return page

    def checkpoints(self) -> Iterator[SignedCheckpoint]:
        """The checkpoints that are kept, oldest first.

        Raises:
            LedgerError: the file is not readable, or a column is of another type.
        """
        statement = "SELECT size, link, entries, signature FROM checkpoint WHERE size > ? ORDER BY size LIMIT 1"
        size = 0
        with explained(self.file), self.turn():
            has_table = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'checkpoint'").fetchall()
        while has_table:
            with explained(self.file), self.turn():
                found = self._connection.execute(statement, (size,)).fetchall()
            if not found:
                return
            kept = SignedCheckpoint(*found[0])
            if type(kept.size) is not int or not all(type(column) is bytes for column in kept[1:]):
                raise LedgerError(f"{self.file}: a checkpoint is not made of bytes: this is no ledger, or damaged")
            yield kept
            size = kept.size

    def append_checkpoint(self, kept: SignedCheckpoint) -> None:
        """Adds a checkpoint, inside a transaction; one that is there already stays as it is."""
        self._connection.execute("INSERT OR IGNORE INTO checkpoint VALUES (?, ?, ?, ?)", tuple(kept)).fetchall()

    def drop_checkpoints(self) -> None:
        """Removes all checkpoints, inside a transaction: the records say everything."""
        self._connection.execute("DELETE FROM checkpoint").fetchall()

    def close(self) -> None:
        """Ends the connection. Nothing is lost by not calling it."""
        self._connection.close()
        if self._gate is not None:
            self._gate.close()

    def remove(self) -> None:
        """Removes the file from the disk, inside a turn."""
        self.check_in_place()
        self._connection.close()
        path = self._place.resolve()
        for name in (path, path.with_name(path.name + "-journal")):
            name.unlink(missing_ok=True)
        if self._gate is not None:
            self._gate.remove()
        sync_folder(path.parent)


@contextmanager
def only_writer(connection: Connection) -> Iterator[None]:
    """A turn as the only writer; when the block ends, all of it is on the disk, or none of it."""
    connection.execute("BEGIN IMMEDIATE").fetchall()
    try:
        yield
        connection.execute("COMMIT").fetchall()
    except BaseException:
        # SQLite may have ended the transaction itself, as it does after a full disk.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK").fetchall()
        raise


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turns errors of the disk and of SQLite into one line."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(
            f"{file}: not usable as a ledger ({error}): check the name, the disk and who uses it"
        ) from None


def _check_place(path: Path) -> Identity:
    check_not_mounted(path)
    return identity_of(path)


def _is_empty(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0
