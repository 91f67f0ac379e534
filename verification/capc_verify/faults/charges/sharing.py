"""Faults of what several handles, processes, runs and programs share: a ledger's file, and the heads beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from capc.privacy.ledger import LedgerLog, checkpoints, heads
from capc.privacy.storage import connections, disk, file_identity, file_lock, schema
from capc.privacy.storage.file_lock import lock_file
from capc.privacy.storage.store import Row, SignedCheckpoint, Store
from capc_verify.faults.patching import replace_everywhere


def locks_of_the_process() -> None:
    """Only SQLite's own locks exclude others, with a write-ahead log, and the file is opened beside SQLite."""

    @contextmanager
    def no_turn(self: file_lock.FileLock) -> Iterator[None]:
        self.check_process()
        yield

    def make_durable(connection: connections.Connection) -> None:
        connection.execute("PRAGMA synchronous = FULL").fetchall()
        connection.execute("PRAGMA journal_mode = WAL").fetchall()

    def identity_of(file: Path) -> file_identity.Identity:
        with file.open("rb"):
            return correct(file)

    correct = file_identity.identity_of
    file_lock.FileLock.turn = no_turn  # type: ignore[method-assign]
    replace_everywhere(connections.make_durable, make_durable)
    replace_everywhere(correct, identity_of)


def handles_follow_forks() -> None:
    """A handle goes on in a forked child as if its locks were there."""

    def check_nothing(_self: file_lock.FileLock) -> None:
        pass

    file_lock.FileLock.check_process = check_nothing  # type: ignore[assignment, method-assign]


def any_name_of_a_file() -> None:
    """A ledger is opened by any of its hard links, and where it is mounted by itself."""

    def identity_of(file: Path) -> file_identity.Identity:
        status = file.stat()
        return status.st_dev, status.st_ino

    def check_nothing(_file: Path) -> None:
        pass

    replace_everywhere(file_identity.identity_of, identity_of)
    replace_everywhere(file_identity.check_not_mounted, check_nothing)


def charges_after_the_kept_head_only() -> None:
    """A charge counts only if it is newer than the head that any run of the party saw last."""
    correct = heads.KnownHead.after

    def after(self: heads.KnownHead, links: Sequence[bytes], oldest_charge: int | None) -> heads.KnownHead:
        return replace(correct(self, links, oldest_charge), began=())

    heads.KnownHead.after = after  # type: ignore[method-assign]


def last_head_wins() -> None:
    """Whoever saves a head last replaces what others kept, a larger head or another history too."""

    def merged(_kept: heads.KnownHead, seen: heads.KnownHead, _file: Path) -> heads.KnownHead:
        return seen

    replace_everywhere(heads._merged, merged)


def full_disk_unexplained() -> None:
    """A head that cannot be written ends in whatever the operating system raises."""

    def save(seen: heads.KnownHead, file: Path) -> heads.KnownHead:
        disk.replace(file, heads._text(seen))
        return seen

    replace_everywhere(heads.save_known_head, save)


def schema_taken_on_trust() -> None:
    """A file is read without a look at what its tables are."""

    def trust(_connection: connections.Connection, _file: Path) -> bool:
        return True

    replace_everywhere(schema.check_schema, trust)


def schema_looked_at_last() -> None:
    """Under its lock a file is looked at when tables and guards were made in it, and a first record was asked for."""
    check = schema.check_schema

    def later(connection: connections.Connection, file: Path) -> bool:
        return True if lock_file(file).exists() else check(connection, file)

    @contextmanager
    def transaction(self: Store) -> Iterator[None]:
        with taken(self):
            yield
            check(self._connection, self.file)

    taken = Store.transaction
    replace_everywhere(check, later)
    Store.transaction = transaction  # type: ignore[method-assign]


def read_in_place() -> None:
    """Readers open the file as SQLite does by itself: with its log, its journal and its index beside it."""

    @contextmanager
    def connected(file: Path) -> Iterator[connections.Connection]:
        connection = connections._connected(f"{file.as_uri()}?mode=ro")
        try:
            yield connection
        finally:
            connection.close()

    replace_everywhere(connections.connected_to_read, connected)


def checkpoints_of_anybody() -> None:
    """A checkpoint is believed whoever signed it."""

    def believe(_self: checkpoints.Checkpoint, _public_key: bytes, _signature: bytes) -> bool:
        return True

    checkpoints.Checkpoint.is_signed = believe  # type: ignore[assignment, method-assign]


def checkpoints_of_any_history() -> None:
    """A checkpoint that is signed is believed, whatever records lie there."""
    correct = LedgerLog._resume

    def resume(self: LedgerLog, kept: Sequence[SignedCheckpoint], _last: Row | None) -> bool:
        return correct(self, kept, Row(b"", kept[-1].link, b"", None))

    LedgerLog._resume = resume  # type: ignore[assignment, method-assign]


def open_permissions_stay() -> None:
    """A ledger or a head that others may use stays so."""

    def keep(_file: Path) -> None:
        pass

    replace_everywhere(file_identity.tighten, keep)
