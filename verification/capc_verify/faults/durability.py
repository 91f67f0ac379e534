"""Faults of a ledger that only shows when a process dies or the power goes, or when it is opened again."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from capc.job.purse import Purse
from capc.privacy.ledger import Ledger, Terms, open_ledger
from capc.privacy.storage import connections, store
from capc_verify.faults.patching import replace_everywhere


def budget_of_one_run() -> None:
    """The budget is a variable of the run: whoever starts again starts with all of it."""

    def open_anew(file: Path, terms: Terms, **options: object) -> Ledger:
        for suffix in ("", "-journal"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        return open_ledger(file, terms, **options)  # type: ignore[arg-type]

    replace_everywhere(open_ledger, open_anew)


def not_synchronised() -> None:
    """Commits return before the disk has them, as SQLite does with `synchronous = OFF`."""

    def make_fast(connection: connections.Connection) -> None:
        connection.execute("PRAGMA journal_mode = TRUNCATE").fetchall()
        connection.execute("PRAGMA synchronous = OFF").fetchall()

    replace_everywhere(connections.make_durable, make_fast)


def sent_before_commit() -> None:
    """A call returns, and its message leaves, before its transaction is committed; the next call commits it."""
    waiting: set[int] = set()

    @contextmanager
    def commit_late(self: store.Store) -> Iterator[None]:
        connection = self._connection
        if id(connection) in waiting:
            connection.execute("COMMIT").fetchall()
            waiting.discard(id(connection))
        connection.execute("BEGIN IMMEDIATE").fetchall()
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK").fetchall()
            raise
        waiting.add(id(connection))

    def close(self: store.Store) -> None:
        waiting.discard(id(self._connection))
        # The last transaction may be over already.
        with suppress(sqlite3.Error):
            self._connection.execute("COMMIT").fetchall()
        self._connection.close()

    store.Store.transaction = commit_late  # type: ignore[method-assign]
    store.Store.close = close  # type: ignore[method-assign]


def rows_written_after_they_are_asked() -> None:
    """The querying party's journal hears of a row when its label has come."""
    take, settle = Purse.take, Purse.settle

    def take_without_writing(self: Purse, rows: Sequence[int]) -> list[int]:  # noqa: ARG001
        return list(rows)

    def write_all(self: Purse, released: Iterable[tuple[int, int | None]]) -> None:
        outcomes = list(released)
        take(self, [row for row, _ in outcomes])
        settle(self, outcomes)

    Purse.take = take_without_writing  # type: ignore[method-assign]
    Purse.settle = write_all  # type: ignore[method-assign]


def labels_written_after_they_are_shown() -> None:
    """The labels of a batch reach the journal when the next batch begins."""
    take, settle = Purse.take, Purse.settle
    waiting: defaultdict[Purse, list[tuple[int, int | None]]] = defaultdict(list)

    def take_late(self: Purse, rows: Sequence[int]) -> list[int]:
        settle(self, waiting.pop(self, []))
        return take(self, rows)

    def wait(self: Purse, released: Iterable[tuple[int, int | None]]) -> None:
        waiting[self].extend(released)

    Purse.take = take_late  # type: ignore[method-assign]
    Purse.settle = wait  # type: ignore[method-assign]
