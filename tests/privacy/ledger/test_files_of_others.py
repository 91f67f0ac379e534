"""Files that others made or moved: hostile ones are refused at once, and readers leave no trace."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from capc.privacy.ledger import LedgerError, default_key_file, open_ledger, reading
from capc.privacy.storage import connections, schema
from capc.privacy.storage.file_lock import lock_file
from capc.privacy.storage.store import Store
from privacy.ledger.cases import COST, INPUTS, OTHER_TAG, TAG, alter, make_ledger, make_terms, message_of, read
from privacy.ledger.guardians import ended, forked

TERMS = make_terms()
_RECURSION = (
    "WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c) SELECT x AS position, zeroblob(1000000) AS body, "
    "zeroblob(32) AS link, zeroblob(64) AS signature, NULL AS message FROM c"
)
_COLUMNS = "position INTEGER PRIMARY KEY, body BLOB, link BLOB, signature BLOB, message BLOB"
HOSTILE = {
    "view": [f"CREATE VIEW record AS {_RECURSION}"],
    "view_beside": [schema._TABLE, f"CREATE VIEW other AS {_RECURSION}"],
    "view_of_checkpoints": [schema._TABLE, f"CREATE VIEW checkpoint AS {_RECURSION}"],
    "trigger": [schema._TABLE, "CREATE TRIGGER evil AFTER INSERT ON record BEGIN DELETE FROM record; END"],
    "trigger_by_a_name_of_ours": [schema._TABLE, "CREATE TRIGGER no_gap AFTER INSERT ON record BEGIN SELECT 1; END"],
    "generated": [f"CREATE TABLE record ({_COLUMNS}, more AS (zeroblob(1000000000)))"],
    "generated_body": [
        _COLUMNS.join(["CREATE TABLE record (", ")"]).replace("body BLOB", "body AS (zeroblob(99999999))")
    ],
    "virtual": ["CREATE VIRTUAL TABLE record USING fts5(position, body, link, signature, message)"],
    "no_checks": [f"CREATE TABLE record ({_COLUMNS})"],
    "without_rowid": [schema._TABLE.rstrip() + " WITHOUT ROWID"],
    "index": [schema._TABLE, "CREATE INDEX evil ON record (body)"],
    "index_of_an_expression": [schema._TABLE, "CREATE INDEX evil ON record (length(body || zeroblob(100000000)))"],
    "statistics": [schema._TABLE, "ANALYZE"],
    "checkpoints_only": [schema._CHECKPOINTS],
    "another_program": ["CREATE TABLE t (a)"],
    "many_tables": [f"CREATE TABLE t{number} (a)" for number in range(500)],
    "deep_expression": [f"CREATE VIEW record AS SELECT {'(' * 60}1{')' * 60} AS body"],
    "long": [f"CREATE TABLE record (a CHECK (a <> '{'x' * 200_000}'))"],
}


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (30, 30))


@pytest.mark.req("CAPC-LEDG-019")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_holds_anything_else_is_refused_at_once(name: str, tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    alter(file, *HOSTILE[name])
    before, start = file.read_bytes(), time.process_time()
    for opens in (lambda: reading(file).__enter__(), lambda: make_ledger(tmp_path)):
        with pytest.raises(LedgerError, match=r"this is no ledger|not usable as a ledger") as caught:
            opens()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600
        assert "key" not in str(caught.value)
    assert time.process_time() - start < 2
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]


@pytest.mark.req("CAPC-LEDG-019")
@pytest.mark.parametrize("beside", ["ledger.lock", "ledger-journal"])
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_read_before_the_schema_also_under_a_lock(name: str, beside: str, tmp_path: Path) -> None:
    """A file that was exchanged under its lock is not looked at by a reader before: its guardian opens it at once."""
    file = tmp_path / "ledger"
    alter(file, "PRAGMA journal_mode = WAL", *HOSTILE[name])
    (tmp_path / beside).touch(0o600)
    before, told = file.read_bytes(), []

    def connect(path: Path) -> sqlite3.Connection:
        connection = connections.connect(path)
        connection.set_trace_callback(told.append)
        return connection

    with pytest.raises(LedgerError, match=r"this is no ledger|not usable as a ledger"):
        Store.create(file, lambda: pytest.fail("a first record was asked for"), connect)
    assert [statement for statement in told if "sqlite_master" not in statement] == []
    assert file.read_bytes() == before


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-019")
def test_the_command_refuses_a_hostile_file_in_bounded_time_and_memory(tmp_path: Path) -> None:
    file = tmp_path / "evil.ledger"
    alter(file, HOSTILE["view"][0])
    program = "import sys; from capc.cli import run; sys.exit(run(['ledger', 'verify', sys.argv[1]]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], check=False, capture_output=True, text=True, preexec_fn=limited
    )
    assert done.returncode == 2
    assert "holds a view record that no ledger has" in done.stderr
    assert done.stderr.count("\n") == 1


def patched(file: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(file.read_bytes())
    change(data)
    file.write_bytes(data)


def overflow_in_a_circle(data: bytearray) -> None:
    """Every page that holds the rest of a long column leads to itself."""
    page = int.from_bytes(data[16:18], "big")
    for number in range(3, len(data) // page + 1):
        start = (number - 1) * page
        if int.from_bytes(data[start : start + 4], "big") in range(2, len(data) // page + 1):
            data[start : start + 4] = number.to_bytes(4, "big")


def children_in_a_circle(data: bytearray) -> None:
    """The page of all records is an inner one, whose children are itself."""
    page = int.from_bytes(data[16:18], "big")
    for number in range(2, len(data) // page + 1):
        start = (number - 1) * page
        if data[start] == 0x0D:
            data[start] = 0x05
            data[start + 8 : start + 12] = number.to_bytes(4, "big")


@pytest.mark.req("CAPC-LEDG-019")
@pytest.mark.parametrize("damage", [overflow_in_a_circle, children_in_a_circle])
def test_pages_that_lead_in_a_circle_end(damage: Callable[[bytearray], None], tmp_path: Path) -> None:
    with make_ledger(tmp_path) as ledger:
        for query in range(3):
            ledger.dispatch(ledger.reserve(TAG, query, INPUTS), bytes(range(250)) * 200)
    patched(tmp_path / "ledger", damage)
    start = time.process_time()
    for opens in (lambda: reading(tmp_path / "ledger").__enter__(), lambda: make_ledger(tmp_path)):
        with pytest.raises(LedgerError):
            opens()
    assert time.process_time() - start < 5


@pytest.mark.req("CAPC-LEDG-019")
def test_a_statement_that_takes_too_long_and_a_column_that_is_too_large_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_ledger(tmp_path).close()
    monkeypatch.setattr(connections, "_MAX_STEPS", 1000)
    connection = connections.connect(tmp_path / "ledger")
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute("WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c")
    with pytest.raises(sqlite3.DataError, match="too big"):
        connection.execute(f"SELECT zeroblob({connections.MAX_VALUE_BYTES + 1})").fetchall()
    assert connection.execute("PRAGMA trusted_schema").fetchall() == [(0,)]
    assert connection.execute("PRAGMA cell_size_check").fetchall() == [(1,)]
    connection.close()


# --- reading without a trace --------------------------------------------------------------------------------------


def filled(folder: Path) -> Path:
    """A ledger with two charges, and nothing beside it."""
    with make_ledger(folder) as ledger:
        ledger.dispatch(ledger.reserve(TAG, 1, INPUTS), message_of(1))
        ledger.reserve(OTHER_TAG, 1, INPUTS)
    return folder / "ledger"


def of_an_earlier_version(file: Path) -> sqlite3.Connection:
    """Makes a file what the version before wrote: a write-ahead log, another guard, no checkpoints, no lock."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("DROP TRIGGER no_gap")
    connection.execute(schema._EARLIER_NO_GAP)
    connection.execute("DROP TABLE checkpoint")
    connection.execute("PRAGMA journal_mode = WAL")
    lock_file(file).unlink()
    (file.with_name(file.name + "-journal")).unlink(missing_ok=True)
    return connection


def killed_in_a_commit(file: Path) -> None:
    """A guardian dies when pages of its transaction are in the file, and its journal is not cut."""

    def work() -> None:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("DROP TRIGGER no_gap")
        connection.execute("BEGIN IMMEDIATE")
        for position in range(5, 100):
            connection.execute(
                "INSERT INTO record VALUES (?, zeroblob(4000), zeroblob(32), zeroblob(64), NULL)", (position,)
            )
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(forked(work)) == -signal.SIGKILL
    assert file.with_name("ledger-journal").stat().st_size > 0


def moved(file: Path, target: Path) -> Path:
    """An auditor's copy: the file, and its journal or log."""
    target.mkdir()
    for suffix in ("", "-journal", "-wal"):
        if (file.with_name(file.name + suffix)).exists():
            shutil.copy(file.with_name(file.name + suffix), target)
    return target / file.name


forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


@forks
@pytest.mark.req("CAPC-LEDG-023")
@pytest.mark.parametrize("state", ["closed", "killed", "earlier_closed", "earlier_with_a_log"])
def test_readers_change_nothing_and_leave_nothing(state: str, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    file = filled(tmp_path / "made")
    connection = of_an_earlier_version(file) if state.startswith("earlier") else None
    if state == "killed":
        killed_in_a_commit(file)
    if state == "earlier_with_a_log" and connection is not None:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE t (a)")
        connection.execute("DROP TABLE t")
    copy = moved(file, tmp_path / "copy")
    if connection is not None:
        connection.close()
    names = {path.name: path.read_bytes() for path in copy.parent.iterdir()}
    assert ("ledger-wal" in names) == (state == "earlier_with_a_log")
    copy.parent.chmod(0o500)
    with reading(copy) as (log, store):
        assert log.spent == 2 * COST
        assert log.head.size == len(list(store.rows())) == 4
        assert {path.name: path.read_bytes() for path in copy.parent.iterdir()} == names
    copy.parent.chmod(0o700)
    assert {path.name: path.read_bytes() for path in copy.parent.iterdir()} == names
    # Its owner goes on, whatever state it was left in.
    shutil.copy(default_key_file(file), copy.parent)
    with make_ledger(copy.parent) as ledger:
        assert ledger.spent == 2 * COST
        ledger.reserve(TAG, 2, INPUTS)
    assert read(copy)[0].spent == 3 * COST
    assert sorted(path.name for path in copy.parent.iterdir()) == [
        "ledger",
        "ledger-journal",
        "ledger.key",
        "ledger.lock",
    ]


@pytest.mark.req("CAPC-LEDG-023")
def test_media_that_cannot_be_written_are_read(tmp_path: Path) -> None:
    """A real file system, mounted for reading only; only root may mount."""
    folder = tmp_path / "media"
    folder.mkdir()
    (tmp_path / "made").mkdir()
    file = filled(tmp_path / "made")
    mounted = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("this user may mount nothing; the test above reads from a folder without rights")
    try:
        shutil.copy(file, folder)
        shutil.copy(lock_file(file), folder)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True, capture_output=True)
        assert read(folder / "ledger")[0].spent == 2 * COST
        with pytest.raises(LedgerError, match="ead-only"):
            open_ledger(folder / "ledger", TERMS, key_file=default_key_file(file))
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True)


@forks
@pytest.mark.req("CAPC-LEDG-023")
def test_a_file_that_is_too_large_to_be_copied_is_refused_with_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = filled(tmp_path)
    killed_in_a_commit(file)
    monkeypatch.setattr(connections, "MAX_COPY_BYTES", 1000)
    message = "copy both into a folder of yours, and open the copy with its key"
    with pytest.raises(LedgerError, match=message), reading(file):
        pass


@pytest.mark.req("CAPC-LEDG-007", "CAPC-LEDG-023")
def test_a_reader_does_not_stop_a_writer_nor_the_other_way_round(tmp_path: Path) -> None:
    with make_ledger(tmp_path) as ledger:
        ledger.reserve(TAG, 1, INPUTS)
        with reading(tmp_path / "ledger") as (log, store):
            assert log.spent == COST
            ledger.reserve(TAG, 2, INPUTS)
            assert len(list(store.rows())) == 3
