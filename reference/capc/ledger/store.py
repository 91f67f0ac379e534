"""The file of a ledger: one SQLite table that only grows, and that is on the disk when a call returns.

Write-ahead log with full synchronisation: a commit returns after the log was synchronised, and a checkpoint
synchronises the log before it copies pages and the database after it. Writers take their turn with BEGIN IMMEDIATE,
so that what was read before a charge is still true when it is written (CAPC-LEDG-001, CAPC-LEDG-007).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from capc.ledger.disk import sync_folder
from capc.ledger.errors import LedgerError

REPLACED = "the ledger was rolled back or replaced while it was in use: stop, and find out by whom"

BUSY_SECONDS = 30.0
"""How long a writer waits for its turn. A turn lasts one small transaction."""

_TABLE = """
CREATE TABLE IF NOT EXISTS record (
    position INTEGER PRIMARY KEY CHECK (typeof(position) = 'integer' AND position >= 0),
    body BLOB NOT NULL CHECK (typeof(body) = 'blob'),
    link BLOB NOT NULL CHECK (typeof(link) = 'blob' AND length(link) = 32),
    signature BLOB NOT NULL CHECK (typeof(signature) = 'blob' AND length(signature) = 64),
    message BLOB CHECK (typeof(message) IN ('blob', 'null'))
)
"""
# The guard of insertions also stops INSERT OR REPLACE, which fires no trigger of a deletion.
_GUARDS = (
    "CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON record "
    "BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END",
    "CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON record "
    "BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END",
    "CREATE TRIGGER IF NOT EXISTS no_gap BEFORE INSERT ON record "
    "WHEN NEW.position <> (SELECT count(*) FROM record) "
    "BEGIN SELECT RAISE(ABORT, 'a ledger grows by one record at its end'); END",
)
_COLUMNS = "body, link, signature, message"
_PAGE = 100


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
        return "<Row>"


class Connection(Protocol):
    """What a store needs of a connection to SQLite."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:  # noqa: ANN401
        """Runs a statement; the result has ``fetchall``."""

    def close(self) -> None:
        """Ends the connection."""


def connect(file: Path) -> Connection:
    """A connection that leaves transactions to the store."""
    return sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def connect_to_read(file: Path) -> Connection:
    """A connection that cannot change the file.

    Raises:
        LedgerError: there is no such file.
    """
    if not file.is_file():
        raise LedgerError(f"{file}: no such ledger: name the file that --ledger created")
    uri = f"{file.resolve().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def make_durable(connection: Connection) -> None:
    """Settings under which a commit that returned survives a power cut.

    Raises:
        LedgerError: the file system does not allow them.
    """
    connection.execute("PRAGMA synchronous = FULL").fetchall()
    # Elsewhere these two do nothing; on macOS an ordinary fsync leaves data in the drive's cache.
    connection.execute("PRAGMA fullfsync = ON").fetchall()
    connection.execute("PRAGMA checkpoint_fullfsync = ON").fetchall()
    mode, level = _value(connection, "PRAGMA journal_mode = WAL"), _value(connection, "PRAGMA synchronous")
    if mode != "wal" or level != 2:
        raise LedgerError(f"SQLite offers journal_mode {mode}, synchronous {level}: put the ledger on a local disk")


class Store:
    """The records of one ledger.

    Args:
        file: the database; made if it is missing and the connection may do so.
        connection: to that file.
        identity: device and number of the file that was opened.
    """

    def __init__(self, file: Path, connection: Connection, identity: tuple[int, int]) -> None:
        self.file = file
        self._connection = connection
        # Absolute, as the process may change its folder.
        self._place = file.absolute()
        self._identity = identity

    @classmethod
    def create(cls, file: Path, connector: Callable[[Path], Connection] = connect) -> Store:
        """The store of a file, durable and with its table and guards; made if it is missing.

        Raises:
            LedgerError: the file is no SQLite database, cannot be written, or stays busy.
        """
        with explained(file):
            # SQLite gives its log and index the rights of the database: answered bits are for the owner only.
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
            identity = _identity_of(os.fstat(descriptor))
            os.close(descriptor)
            store = cls(file, connector(file), identity)
            with store._closed_on_error():
                retry_while_busy(lambda: make_durable(store._connection))
                with store.transaction():
                    for statement in (_TABLE, *_GUARDS):
                        store._connection.execute(statement).fetchall()
        # The names of the files must survive a power cut too.
        sync_folder(file.resolve().parent)
        return store

    @classmethod
    def read_only(cls, file: Path) -> Store:
        """The store of a file that is there, for reading.

        Raises:
            LedgerError: the file is missing, or is not readable.
        """
        with explained(file):
            return cls(file, connect_to_read(file), _identity_of(file.stat()))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """The only writer until the block ends; then all of it is on the disk, or none of it.

        Raises:
            LedgerError: another writer kept its turn for too long, or the disk refused.
        """
        with explained(self.file), only_writer(self._connection):
            yield

    def check_in_place(self) -> None:
        """Checks that the file that is open still has its name: SQLite would go on with one that was replaced.

        The number of a file that is open is not given to another one.

        Raises:
            LedgerError: the file was deleted, or there is another one in its place.
        """
        try:
            found = _identity_of(self._place.stat())
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
        statement = f"SELECT {_COLUMNS} FROM record WHERE position >= ? ORDER BY position LIMIT ?"  # noqa: S608
        page = [()] * _PAGE
        while len(page) == _PAGE:
            with explained(self.file):
                page = self._connection.execute(statement, (start, _PAGE)).fetchall()
            for row in (Row(*columns) for columns in page):
                # A table that others made may lack the checks of this one.
                if not all(type(column) is bytes for column in row[:3]) or type(row.message) not in (bytes, type(None)):
                    raise LedgerError(
                        f"{self.file}: record {start} is not made of bytes: this is no ledger, or damaged"
                    )
                yield row
                start += 1

    def close(self) -> None:
        """Ends the connection. Nothing is lost by not calling it."""
        self._connection.close()

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise


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
def explained(file: Path, what: str = "a ledger") -> Iterator[None]:
    """Turns errors of the disk and of SQLite into one line."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(f"{file}: not usable as {what} ({error}): check the name, the disk and who uses it") from None


def retry_while_busy(attempt: Callable[[], None]) -> None:
    """Switching to the write-ahead log does not wait for its turn by itself."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _identity_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _value(connection: Connection, pragma: str) -> object:
    return connection.execute(pragma).fetchall()[0][0]
