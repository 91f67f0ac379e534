"""Edited, shortened and rewritten logs: what the owner refuses to continue, and a reader refuses to believe."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from capc.foundation.randomness import Seed
from capc.privacy.events import EventKind
from capc.privacy.ledger import Ledger, LedgerError, reading
from capc.privacy.ledger.chain import Head, digest_of, first_head
from privacy.ledger.cases import COST, INPUTS, OTHER_TAG, TAG, alter, make_ledger, message_of, read


def ordinary_log(folder: Path) -> Ledger:
    """Three queries, one of them settled and one of them not sent."""
    ledger = make_ledger(folder)
    for query in (1, 2):
        receipt = ledger.reserve(TAG, query, INPUTS)
        ledger.dispatch(receipt, message_of(query))
        if query == 1:
            ledger.settle(receipt, answered=False)
    ledger.reserve(OTHER_TAG, 1, INPUTS)
    return ledger


def tamper(file: Path, *statements: str | tuple[str, Sequence[Any]]) -> None:
    """What somebody with write access does to records."""
    alter(file, *(f"DROP TRIGGER {name}" for name in ("no_update", "no_delete", "no_gap")), *statements)


EDITS = {
    "body": "UPDATE record SET body = CAST(replace(CAST(body AS TEXT), '1/2', '1/3') AS BLOB) WHERE position = 1",
    "link": "UPDATE record SET link = zeroblob(32) WHERE position = 3",
    "signature": "UPDATE record SET signature = zeroblob(64) WHERE position = 3",
    "message": "UPDATE record SET message = x'00' WHERE position = 2",
    "no message": "UPDATE record SET message = NULL WHERE position = 2",
    "extra message": "UPDATE record SET message = x'00' WHERE position = 3",
    "opening": "UPDATE record SET message = zeroblob(64) WHERE position = 1",
    "short opening": "UPDATE record SET message = x'00' WHERE position = 1",
    "no opening": "UPDATE record SET message = NULL WHERE position = 1",
    "middle": "DELETE FROM record WHERE position = 2",
    "first": "DELETE FROM record WHERE position = 0",
    "all": "DELETE FROM record",
    "swap": "UPDATE record SET position = 7 - position + 100 WHERE position IN (3, 4)",
}


@pytest.mark.req("CAPC-LEDG-004")
@pytest.mark.parametrize("name", EDITS)
def test_an_edited_log_is_refused_by_its_owner_and_by_a_reader(tmp_path: Path, name: str) -> None:
    ordinary_log(tmp_path).close()
    assert read(tmp_path / "ledger")[0].head.size == 7
    tamper(tmp_path / "ledger", EDITS[name])
    with pytest.raises(LedgerError), reading(tmp_path / "ledger"):
        pass
    if name != "all":
        with pytest.raises(LedgerError):
            make_ledger(tmp_path)


def rewrite(folder: Path, change: Callable[[list[Any]], list[Any]], key: Seed | None = None) -> None:
    """Puts other bodies, with what is kept beside them, in the place of a log's; links and signatures are right.

    Args:
        folder: of the ledger.
        change: of the bodies.
        key: of whoever signs; the owner's if None.
    """
    key = key or Seed(bytes.fromhex((folder / "ledger.key").read_text()))
    made: list[tuple[Any, ...]] = []
    head: Head | None = None
    for body, message in change([(row.body, row.message) for row in read(folder / "ledger")[1]]):
        head = first_head(digest_of(body)) if head is None else head.extended(digest_of(body))
        made.append((len(made), body, head.link, head.sign(key), message))
    inserted = (("INSERT INTO record VALUES (?, ?, ?, ?, ?)", row) for row in made)
    tamper(folder / "ledger", "DELETE FROM record", *inserted)


@pytest.mark.req("CAPC-LEDG-004", "CAPC-LEDG-028")
def test_right_links_without_the_key_are_refused(tmp_path: Path) -> None:
    ordinary_log(tmp_path).close()
    rewrite(tmp_path, lambda rows: [*rows[:3], *rows[4:]], Seed(bytes(32)))
    with pytest.raises(LedgerError, match="not signed by the ledger's key"):
        make_ledger(tmp_path)


@pytest.mark.req("CAPC-LEDG-003", "CAPC-LEDG-008")
@pytest.mark.parametrize(
    ("position", "old", "new", "message"),
    [
        (1, b'"check":"2"', b'"check":"0"', "not those that the policy gives"),
        (1, b'"answer":"1/2"', b'"answer":"2/4"', "not those that the policy gives"),
        (1, b'"kind":"charged"', b'"kind":"gift"', "unknown kind 'gift'"),
        (1, b'"kind":"charged"', b'"kind":"reserved"', "a reserved record without its fields .*inputs"),
        (1, b'"commitment":', b'"inputs":', "a charged record without its fields .*commitment"),
        (5, b'"kind":"dispatched"', b'"kind":"gift"', "unknown kind 'gift'"),
        (3, b'"answered":false', b'"answered":0', "a settled record whose digest or answer is none"),
        (3, b'"query":1', b'"query":9', "never reserved"),
        (4, b'"query":2', b'"query":1', "charged before"),
        (4, b'"query":2', b'"query":true', "the number of a query"),
        (4, b"{", b"{ ", "not those that the policy gives"),
        (0, b'"format":', b'"formal":', "canonical first record"),
        (0, b'"grid_bits":4', b'"grid_bits":4.0', "not the first record"),
        (0, b'"epsilon":"10000000"', b'"epsilon":"1"', "and the policy promises 1: take"),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused_though_it_is_signed(
    tmp_path: Path, position: int, old: bytes, new: bytes, message: str
) -> None:
    """Even the owner cannot write what the account's rules do not allow."""
    ordinary_log(tmp_path).close()

    def edited(rows: list[Any]) -> list[Any]:
        body, beside = rows[position]
        assert old in body
        return [*rows[:position], (body.replace(old, new), beside), *rows[position + 1 :]]

    rewrite(tmp_path, edited)
    with pytest.raises(LedgerError, match=message):
        make_ledger(tmp_path)


@pytest.mark.req("CAPC-LEDG-008", "CAPC-ACCT-007")
def test_a_log_that_gives_back_a_charge_before_its_message_left_is_refused(tmp_path: Path) -> None:
    """Though the owner signed it, and the message came afterwards."""
    ordinary_log(tmp_path).close()
    # Opened, charged, dispatched, settled.
    rewrite(tmp_path, lambda rows: [rows[0], rows[1], rows[3], rows[2]])
    with pytest.raises(LedgerError, match=r"record 2 .* no message of query 1 was dispatched"):
        read(tmp_path / "ledger")


@pytest.mark.req("CAPC-LEDG-026")
def test_a_check_of_an_earlier_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Its terms have a threshold and no mode of it: one draw on the largest count was charged."""
    ordinary_log(tmp_path).close()
    rewrite(tmp_path, lambda rows: [(rows[0][0].replace(b'"threshold_mode":"two_draws",', b""), None), *rows[1:]])
    with pytest.raises(LedgerError, match=r"earlier version, one draw on the largest count: .* open another ledger"):
        read(tmp_path / "ledger")


@pytest.mark.req("CAPC-LEDG-008")
def test_a_log_that_spends_more_than_its_budget_is_refused(tmp_path: Path) -> None:
    ordinary_log(tmp_path).close()
    rewrite(tmp_path, lambda rows: [(rows[0][0].replace(b'"budget":"50"', b'"budget":"2"'), None), *rows[1:]])
    with pytest.raises(LedgerError, match="does not fit"):
        read(tmp_path / "ledger")


@pytest.mark.req("CAPC-LEDG-003")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record SET message = NULL",
        "DELETE FROM record WHERE position = 6",
        "INSERT OR REPLACE INTO record SELECT 0, body, link, signature, message FROM record WHERE position = 1",
        "INSERT INTO record SELECT 9, body, link, signature, message FROM record WHERE position = 1",
    ],
)
def test_the_table_only_grows_at_its_end(tmp_path: Path, statement: str) -> None:
    ordinary_log(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "ledger")
    with pytest.raises(sqlite3.IntegrityError, match="a ledger"):
        connection.execute(statement)
    connection.close()


@pytest.mark.req("CAPC-LEDG-004")
def test_a_roll_back_under_a_ledger_in_use_is_noticed(tmp_path: Path) -> None:
    ledger = ordinary_log(tmp_path)
    tamper(tmp_path / "ledger", "DELETE FROM record WHERE position >= 4")
    with pytest.raises(LedgerError, match="rolled back or replaced while it was in use"):
        ledger.reserve(TAG, 9, INPUTS)
    ledger.close()


def backup_of(file: Path) -> Path:
    """A copy of a ledger in use, as a tool for backups makes it."""
    source, copy = sqlite3.connect(file), sqlite3.connect(file.with_name("backup"))
    source.backup(copy)
    source.close()
    copy.close()
    return file.with_name("backup")


def deleted(file: Path) -> None:
    for name in ("ledger", "ledger-wal", "ledger-shm"):
        (file.with_name(name)).unlink(missing_ok=True)


def made_anew(file: Path) -> None:
    deleted(file)
    make_ledger(file.parent).close()


@pytest.mark.req("CAPC-LEDG-004")
@pytest.mark.parametrize(
    "spoil",
    [deleted, made_anew, lambda file: backup_of(file).replace(file)],
    ids=["deleted", "made anew", "replaced by a backup"],
)
def test_a_file_that_is_replaced_under_a_ledger_in_use_is_noticed(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    """SQLite goes on with the file that it has open, beside the one that everybody else sees."""
    ledger = ordinary_log(tmp_path)
    receipt = ledger.reserve(TAG, 8, INPUTS)
    spoil(tmp_path / "ledger")
    for call in (
        lambda: ledger.reserve(TAG, 9, INPUTS),
        lambda: ledger.dispatch(receipt, b"message"),
        lambda: ledger.spent,
        lambda: ledger.dispatched(TAG, 1),
        ledger.proof,
    ):
        with pytest.raises(LedgerError, match="rolled back or replaced while it was in use"):
            call()
    ledger.close()


def test_a_ledger_with_a_relative_name_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with make_ledger(Path()) as ledger:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        ledger.reserve(TAG, 1, INPUTS)
        assert ledger.spent == COST


@pytest.mark.parametrize("column", ["body", "link", "signature", "message"])
@pytest.mark.parametrize("value", ["NULL", "1", "1.5", "'text'"])
def test_a_column_of_another_type_is_refused(tmp_path: Path, column: str, value: str) -> None:
    """The table is the right one, and whoever wrote switched its checks off."""
    ordinary_log(tmp_path).close()
    file = tmp_path / "ledger"
    for number, statement in enumerate(
        (
            "DROP TRIGGER no_update",
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '         ') WHERE name = 'record'",
            f"UPDATE record SET {column} = {value} WHERE position = {2 if column == 'message' else 1}",  # noqa: S608
            "UPDATE sqlite_master SET sql = replace(sql, '          CHECK', ' NOT NULL CHECK') WHERE name = 'record'",
        )
    ):
        # The schema is read anew.
        connection = sqlite3.connect(file)
        connection.execute(f"PRAGMA writable_schema = {number % 2}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement)
        connection.commit()
        connection.close()
    for opens in (lambda: reading(file).__enter__(), lambda: make_ledger(tmp_path)):
        with pytest.raises(LedgerError, match=r"record . is not made of bytes|not the one that was recorded"):
            opens()


def test_reading_changes_nothing_and_cannot_charge(tmp_path: Path) -> None:
    ordinary_log(tmp_path).close()
    before = hashlib.sha256((tmp_path / "ledger").read_bytes()).digest()
    with reading(tmp_path / "ledger") as (log, _):
        assert log.spent == 2 + 2 * COST
        assert [event.kind for event in log.events][-1] is EventKind.ANSWER_RESERVED
        with pytest.raises(LedgerError, match="opened for reading"):
            log.reserve(TAG, 9, INPUTS)
    assert hashlib.sha256((tmp_path / "ledger").read_bytes()).digest() == before
