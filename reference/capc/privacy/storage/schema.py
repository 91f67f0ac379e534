"""What a ledger's database holds: two tables, and guards that keep the first one growing at its end only.

A file is others' until its schema was compared: a view, a trigger, a generated column or a virtual table runs what its
author wrote as soon as a table is read. So everything in it is one of the statements below, or the file is refused
before anything else is asked of it (CAPC-LEDG-019).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from capc.privacy.storage.errors import LedgerError

if TYPE_CHECKING:
    from capc.privacy.storage.connections import Connection

_TABLE = """
CREATE TABLE IF NOT EXISTS record (
    position INTEGER PRIMARY KEY CHECK (typeof(position) = 'integer' AND position >= 0),
    body BLOB NOT NULL CHECK (typeof(body) = 'blob'),
    link BLOB NOT NULL CHECK (typeof(link) = 'blob' AND length(link) = 32),
    signature BLOB NOT NULL CHECK (typeof(signature) = 'blob' AND length(signature) = 64),
    message BLOB CHECK (typeof(message) IN ('blob', 'null'))
)
"""
_CHECKPOINTS = """
CREATE TABLE IF NOT EXISTS checkpoint (
    size INTEGER PRIMARY KEY CHECK (typeof(size) = 'integer' AND size > 0),
    link BLOB NOT NULL CHECK (typeof(link) = 'blob' AND length(link) = 32),
    entries BLOB NOT NULL CHECK (typeof(entries) = 'blob'),
    signature BLOB NOT NULL CHECK (typeof(signature) = 'blob' AND length(signature) = 64)
)
"""
# The guard of insertions also stops INSERT OR REPLACE, which fires no trigger of a deletion.
_NO_UPDATE = (
    "CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON record "
    "BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END"
)
_NO_DELETE = (
    "CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON record "
    "BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END"
)
_NO_GAP = (
    "CREATE TRIGGER IF NOT EXISTS no_gap BEFORE INSERT ON record "
    "WHEN NEW.position <> (SELECT coalesce(max(position) + 1, 0) FROM record) "
    "BEGIN SELECT RAISE(ABORT, 'a ledger grows by one record at its end'); END"
)
# It counted all records whenever one was added.
_EARLIER_NO_GAP = (
    "CREATE TRIGGER IF NOT EXISTS no_gap BEFORE INSERT ON record "
    "WHEN NEW.position <> (SELECT count(*) FROM record) "
    "BEGIN SELECT RAISE(ABORT, 'a ledger grows by one record at its end'); END"
)


def _normal(sql: str) -> str:
    return " ".join(sql.replace("IF NOT EXISTS ", "").split())


_KNOWN = {
    ("table", "record", "record", _normal(_TABLE)),
    ("table", "checkpoint", "checkpoint", _normal(_CHECKPOINTS)),
    *(
        ("trigger", name, "record", _normal(sql))
        for name, sql in (
            ("no_update", _NO_UPDATE),
            ("no_delete", _NO_DELETE),
            ("no_gap", _NO_GAP),
            ("no_gap", _EARLIER_NO_GAP),
        )
    ),
}


def check_schema(connection: Connection, file: Path) -> bool:
    """Checks that a database holds what a ledger holds, and nothing else. A guard that is missing harms no reader.

    Returns:
        Whether there is the table of records; without it the database is empty.

    Raises:
        LedgerError: there is anything else.
        sqlite3.Error: the file is no database.
    """
    rows = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT ?", (len(_KNOWN) + 1,)
    ).fetchall()
    names = set()
    for kind, name, table, sql in rows:
        if not isinstance(sql, str) or (kind, name, table, _normal(sql)) not in _KNOWN:
            raise LedgerError(
                f"{file}: this is no ledger: it holds a {kind!s:.20} {name!s:.60} that no ledger has: name another file"
            )
        names.add(name)
    if rows and "record" not in names:
        raise LedgerError(f"{file}: this is no ledger, or a damaged one: no such table: record")
    return bool(rows)


def complete_schema(connection: Connection) -> None:
    """Makes what is missing, and puts the guard of today in the place of an earlier one; inside a transaction."""
    found = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'no_gap'").fetchall()
    if found and _normal(found[0][0]) == _normal(_EARLIER_NO_GAP):
        connection.execute("DROP TRIGGER no_gap").fetchall()
    for statement in (_TABLE, _CHECKPOINTS, _NO_UPDATE, _NO_DELETE, _NO_GAP):
        connection.execute(statement).fetchall()
