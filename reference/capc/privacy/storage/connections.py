"""Connections to SQLite: durable ones for the owner, and ones for readers that leave no trace.

The rollback journal is truncated at every commit (`journal_mode = TRUNCATE`), with full synchronisation: the journal is
synchronised before the database is written, the database before the journal is truncated, and that too before the
commit returns. Between transactions a connection holds no lock and no state, and the database file alone is the whole
ledger. A write-ahead log does not do here: its connections hold a lock for as long as they are open, and whatever
drops that lock lets the next process delete the log under them.

Files are others' until they were checked: connections trust no schema, check cells, and end a statement that takes
more steps, or a value that is larger, than a ledger has.

Spec: CAPC-LEDG-021, CAPC-LEDG-023.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from capc.privacy.storage.errors import LedgerError
from capc.privacy.storage.file_lock import BUSY_SECONDS

MAX_VALUE_BYTES = 1 << 26
"""The largest column: a message is some tens of kilobytes."""
MAX_COPY_BYTES = 1 << 28
"""The largest database that is copied for reading."""

_MAX_STEPS = 50_000_000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 10_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
}
_JOURNAL, _LOG = "-journal", "-wal"


class Connection(Protocol):
    """What a store needs of a connection to SQLite."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:  # noqa: ANN401
        """Runs a statement; the result has ``fetchall``."""

    def close(self) -> None:
        """Ends the connection."""


def connect(file: Path) -> Connection:
    """A connection to a file that is there, which leaves transactions to the store."""
    return _connected(f"{file.resolve().as_uri()}?mode=rw")


def look_at(file: Path, check: Callable[[Connection], object]) -> None:
    """Runs a check on a file as it lies there, without a lock, a journal, or a trace.

    Raises:
        sqlite3.Error: the file is no database.
    """
    with closing(_connected(f"{file.as_uri()}?mode=ro&immutable=1")) as connection:
        check(connection)


@contextmanager
def connected_to_read(file: Path) -> Iterator[Connection]:
    """A connection that changes nothing and leaves no file, also on media that cannot be written.

    1. Where a writer died inside a commit, its journal, or the log of an earlier version, lies beside the file. Both
       are copied into a folder of this user, and the copy is put in order and read.
    2. A file of an earlier version without a log is read as it lies there: SQLite would make an index beside it.
    3. Any other file is read in its place, while others may write.

    Args:
        file: by its canonical name; it is there.

    Raises:
        LedgerError: a file to be copied is too large.
    """
    with ExitStack() as stack:
        uri = file.as_uri()
        if writer_died(file):
            # 1.
            uri = f"{stack.enter_context(_copy(file)).as_uri()}?mode=rw"
        elif _needs_log(uri):
            # 2.
            uri += "?mode=ro&immutable=1"
        else:
            # 3.
            uri += "?mode=ro"
        yield stack.enter_context(closing(_connected(uri)))


def writer_died(file: Path) -> bool:
    """Whether a journal, or the log of an earlier version, holds what belongs into the file: it is not whole alone."""
    return any(_size(file, suffix) for suffix in (_JOURNAL, _LOG))


def make_durable(connection: Connection) -> None:
    """Settings under which a commit that returned survives a power cut.

    Raises:
        LedgerError: the file system does not allow them.
    """
    connection.execute("PRAGMA synchronous = FULL").fetchall()
    # Elsewhere these two do nothing; on macOS an ordinary fsync leaves data in the drive's cache.
    connection.execute("PRAGMA fullfsync = ON").fetchall()
    connection.execute("PRAGMA checkpoint_fullfsync = ON").fetchall()
    mode, level = _value(connection, "PRAGMA journal_mode = TRUNCATE"), _value(connection, "PRAGMA synchronous")
    if mode != "truncate" or level != 2:
        raise LedgerError(f"SQLite offers journal_mode {mode}, synchronous {level}: put the ledger on a local disk")


def retry_while_busy(attempt: Callable[[], None]) -> None:
    """Leaving the write-ahead log of an earlier version does not wait for its turn by itself."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _connected(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        connection.set_progress_handler(lambda: 1, _MAX_STEPS)
    except BaseException:
        connection.close()
        raise
    return connection


def _needs_log(uri: str) -> bool:
    """Whether this is a database with a write-ahead log, which cannot be read without locks."""
    with closing(_connected(f"{uri}?mode=ro&nolock=1")) as connection:
        try:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
                return True
            raise
    return False


@contextmanager
def _copy(file: Path) -> Iterator[Path]:
    """The database as it lies on the disk, with the journal or log beside it, in a folder of this user."""
    if file.stat().st_size > MAX_COPY_BYTES:
        raise LedgerError(
            f"{file}: a writer died in a commit, and its journal lies beside the file, which is too large to be copied "
            "here: copy both into a folder of yours, and open the copy with its key to put it in order"
        )
    with tempfile.TemporaryDirectory(prefix="capc-ledger-") as folder:
        target = Path(folder) / file.name
        with closing(_connected(f"{file.as_uri()}?mode=ro&immutable=1")) as source:
            # Through SQLite, which knows what this process holds: see capc.privacy.storage.file_lock.
            target.write_bytes(source.serialize())
        for suffix in (_JOURNAL, _LOG):
            if _size(file, suffix):
                target.with_name(target.name + suffix).write_bytes(file.with_name(file.name + suffix).read_bytes())
        yield target


def _size(file: Path, suffix: str) -> int:
    try:
        return file.with_name(file.name + suffix).stat().st_size
    except FileNotFoundError:
        return 0


def _value(connection: Connection, pragma: str) -> object:
    return connection.execute(pragma).fetchall()[0][0]
