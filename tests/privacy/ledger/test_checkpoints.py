"""Checkpoints: an owner that begins at one tells the same account, and believes none that it did not sign."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.randomness import Seed
from capc.privacy.events import Dispatch, EventKind
from capc.privacy.ledger import Ledger, LedgerError, check_proof, checkpoints, open_ledger, reading
from capc.privacy.ledger.checkpoints import Checkpoint
from capc.privacy.storage.store import Row, SignedCheckpoint, Store
from privacy.ledger.cases import INPUTS, TAG, FullDisk, alter, copy_of, make_ledger, make_terms, message_of, read
from privacy.ledger.guardians import Guardian
from privacy.ledger.test_damage import rewrite, tamper
from support.sizes import examples

TERMS = make_terms(queries=10**5)
EVERY = 8


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every eighth record instead of every 1,024."""
    monkeypatch.setattr(checkpoints, "EVERY", EVERY)


def play(ledger: Ledger, first: int, count: int) -> None:
    for query in range(first, first + count):
        receipt = ledger.reserve(TAG, query, INPUTS)
        if query % 4:
            ledger.dispatch(receipt, message_of(query))
        if query % 4 > 1:
            ledger.settle(receipt, answered=query % 4 == 2)


def sizes(file: Path) -> list[int]:
    """Of the checkpoints that are kept."""
    with reading(file) as (_, store):
        return [kept.size for kept in store.checkpoints()]


def account(ledger: Ledger) -> tuple[Any, ...]:
    """Everything that a ledger tells."""
    known = ledger._receipts, ledger._dispatched, ledger._settled, ledger._positions
    return ledger.head, ledger.spent, ledger.events, *known


def played(folder: Path, queries: int = 12) -> tuple[Any, ...]:
    """Makes a ledger of these queries; everything that it tells."""
    with make_ledger(folder, TERMS) as ledger:
        play(ledger, 0, queries)
        return account(ledger)


@pytest.fixture
def rows_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions from which records are read, one for each record."""
    positions: list[int] = []
    correct = Store.rows

    def rows(self: Store, start: int = 0) -> Iterator[Row]:
        for position, row in enumerate(correct(self, start), start=start):
            positions.append(position)
            yield row

    monkeypatch.setattr(Store, "rows", rows)
    return positions


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-008", "CAPC-LEDG-020")
@given(counts=st.lists(st.integers(0, 12), max_size=4))
@settings(max_examples=examples(ordinary=15, nightly=300), deadline=None)
def test_who_begins_at_a_checkpoint_tells_the_same_account(
    counts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, done = tmp_path_factory.mktemp("ledger"), 0
    for count in counts:
        with make_ledger(folder, TERMS) as ledger:
            play(ledger, done, count)
            done += count
            told = account(ledger)
        with make_ledger(folder, TERMS) as again:
            assert account(again) == told
        # The records alone, and the checkpoints are held against them.
        log, _ = read(folder / "ledger")
        assert (log.head, log.spent, log.events) == told[:3]
        alone = copy_of(folder, f"after_{done}_{len(list(folder.iterdir()))}")
        if told[0].size > EVERY:
            alter(alone / "ledger", "DELETE FROM checkpoint")
        with make_ledger(alone, TERMS) as again:
            assert account(again) == told


@pytest.mark.req("CAPC-LEDG-020")
def test_an_owner_reads_what_came_after_the_last_checkpoint(tmp_path: Path, rows_read: list[int]) -> None:
    size = played(tmp_path, 40)[0].size
    covered = sizes(tmp_path / "ledger")[-1]
    assert size - covered <= EVERY + 3
    rows_read.clear()
    make_ledger(tmp_path, TERMS).close()
    # The first record, the last one that is covered, and the rest.
    assert rows_read[:2] == [0, covered - 1]
    assert sorted(set(rows_read[2:])) == list(range(covered, size))


@pytest.mark.req("CAPC-LEDG-008", "CAPC-LEDG-020")
def test_a_reader_replays_everything(tmp_path: Path, rows_read: list[int]) -> None:
    size = played(tmp_path, 40)[0].size
    rows_read.clear()
    with reading(tmp_path / "ledger"):
        assert rows_read == list(range(size))


@pytest.mark.req("CAPC-LEDG-020")
def test_a_ledger_of_an_earlier_version_gets_its_checkpoints_with_the_next_record(tmp_path: Path) -> None:
    played(tmp_path, 20)
    alter(tmp_path / "ledger", "DELETE FROM checkpoint")
    with make_ledger(tmp_path, TERMS) as ledger:
        assert sizes(tmp_path / "ledger") == []
        play(ledger, 100, 1)
        assert sizes(tmp_path / "ledger") == list(range(EVERY, ledger.head.size, EVERY))


FOREIGN = {
    "signature": "UPDATE checkpoint SET signature = zeroblob(64) WHERE size = 24",
    "entries": "UPDATE checkpoint SET entries = (SELECT entries FROM checkpoint WHERE size = 16) WHERE size = 24",
    "an_early_one": "UPDATE checkpoint SET entries = zeroblob(length(entries)) WHERE size = 8",
    "link": "UPDATE checkpoint SET link = zeroblob(32) WHERE size = 24",
    "a_gap": "DELETE FROM checkpoint WHERE size = 8",
    "length": "UPDATE checkpoint SET entries = zeroblob(3) WHERE size = 24",
    "size": "UPDATE checkpoint SET size = 25 WHERE size = 24",
    "one_more": "INSERT INTO checkpoint SELECT 32, link, entries, signature FROM checkpoint WHERE size = 24",
}


@pytest.mark.req("CAPC-LEDG-008", "CAPC-LEDG-020")
@pytest.mark.parametrize("name", FOREIGN)
def test_a_checkpoint_of_somebody_else_is_replaced_and_refused(tmp_path: Path, name: str) -> None:
    """It is not believed, and it stops nobody: the records say everything."""
    told = played(tmp_path)
    file = tmp_path / "ledger"
    assert sizes(file) == [8, 16, 24]
    alter(file, FOREIGN[name])
    if name != "a_gap":
        with pytest.raises(LedgerError, match="checkpoint"), reading(file):
            pass
    with make_ledger(tmp_path, TERMS) as again:
        assert account(again) == told
        play(again, 100, 1)
    assert sizes(file) == [8, 16, 24]


@pytest.mark.req("CAPC-LEDG-020")
def test_a_log_that_was_cut_below_its_checkpoint_is_refused(tmp_path: Path) -> None:
    played(tmp_path)
    tamper(tmp_path / "ledger", "DELETE FROM record WHERE position >= 20")
    with pytest.raises(LedgerError, match="rolled back: its owner signed a checkpoint of 24 records"):
        make_ledger(tmp_path, TERMS)
    message = "a checkpoint of the ledger is of 24 records, and there are 20"
    with pytest.raises(LedgerError, match=message), reading(tmp_path / "ledger"):
        pass


@pytest.mark.req("CAPC-LEDG-020")
def test_a_checkpoint_of_another_history_is_refused(tmp_path: Path) -> None:
    """Both signed by the owner: one of them was shown to nobody, or is a backup."""
    played(tmp_path, 3)
    fork = copy_of(tmp_path, "fork")
    with make_ledger(tmp_path, TERMS) as one, make_ledger(fork, TERMS) as other:
        play(one, 10, 12)
        play(other, 30, 12)
    with reading(fork / "ledger") as (_, store):
        foreign = list(store.checkpoints())
    inserted = [("INSERT INTO checkpoint VALUES (?, ?, ?, ?)", kept) for kept in foreign]
    alter(tmp_path / "ledger", "DELETE FROM checkpoint", *inserted)
    with pytest.raises(LedgerError, match=r"forked: its owner signed a checkpoint of \d+ other records"):
        make_ledger(tmp_path, TERMS)
    with pytest.raises(LedgerError, match="does not say what the records say"), reading(tmp_path / "ledger"):
        pass


@pytest.mark.req("CAPC-LEDG-020")
def test_an_older_checkpoint_that_is_put_back_is_a_beginning_like_any_other(tmp_path: Path) -> None:
    told = played(tmp_path)
    alter(tmp_path / "ledger", "DELETE FROM checkpoint WHERE size > 8")
    with make_ledger(tmp_path, TERMS) as again:
        assert account(again) == told
    assert read(tmp_path / "ledger")[0].spent == told[1]


@pytest.mark.req("CAPC-LEDG-020")
def test_a_checkpoint_that_its_owner_signed_and_no_log_says_is_refused(tmp_path: Path) -> None:
    with make_ledger(tmp_path, TERMS) as ledger:
        play(ledger, 0, 5)
        key = Seed(bytes.fromhex((tmp_path / "ledger.key").read_text()))
        (kept,) = ledger._store.checkpoints()
        uncharged = Dispatch(replace(next(iter(ledger._receipts.values())), query=999), bytes(32))
        first = checkpoints.entry_bytes("dispatched", uncharged)
        entries = first + kept.entries[len(first) :]
        head = ledger._checkpoints[0].head
    forged = Checkpoint(head, checkpoints.next_state(checkpoints.START, entries), entries).signed(key)
    update = "UPDATE checkpoint SET entries = ?, signature = ?"
    alter(tmp_path / "ledger", (update, (forged.entries, forged.signature)))
    with pytest.raises(LedgerError, match="is signed, and says what no log says"):
        make_ledger(tmp_path, TERMS)
    with pytest.raises(LedgerError, match="does not say what the records say"), reading(tmp_path / "ledger"):
        pass


@pytest.mark.req("CAPC-LEDG-004", "CAPC-LEDG-006", "CAPC-LEDG-020")
def test_a_covered_record_that_was_edited_is_noticed_when_it_is_used(tmp_path: Path) -> None:
    """It is not read when the ledger is opened; a reader who replays everything refuses it at once."""
    with make_ledger(tmp_path, TERMS) as ledger:
        play(ledger, 0, 12)
        seen = check_proof(None, ledger.proof(), TERMS)
    file = tmp_path / "ledger"
    tamper(
        file,
        "UPDATE record SET message = x'00' WHERE position = 3",
        "UPDATE record SET body = CAST(replace(CAST(body AS TEXT), '1/2', '1/3') AS BLOB) WHERE position = 4",
    )
    with pytest.raises(LedgerError, match="record 3 of the ledger was edited"), reading(file):
        pass
    with make_ledger(tmp_path, TERMS) as again:
        with pytest.raises(LedgerError, match="record 3 of the ledger was edited"):
            again.dispatched(TAG, 1)
        with pytest.raises(LedgerError, match="a record of the ledger from 0 on was edited"):
            again.proof()
        assert check_proof(seen, again.proof(seen.head.size), TERMS).head == seen.head


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-001", "CAPC-LEDG-020")
def test_a_death_at_any_step_leaves_no_checkpoint_ahead_of_its_records(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 2)
    for step in itertools.count(30):
        folder = tmp_path / str(step)
        folder.mkdir()
        left, code = Guardian(folder, TERMS, TAG, 2, dies_at=step).start().wait()
        with reading(folder / "ledger") as (log, store):
            assert all(kept.size < log.head.size for kept in store.checkpoints())
            size = log.head.size
        with make_ledger(folder, TERMS) as ledger:
            assert ledger.head.size == size
            assert all(ledger.dispatched(message.session_tag, message.query) for message in left)
        if code == 0:
            assert step > 40
            break


@pytest.mark.req("CAPC-LEDG-020")
def test_a_transaction_that_fails_takes_its_checkpoint_with_it(tmp_path: Path) -> None:
    disk = FullDisk()
    with open_ledger(tmp_path / "ledger", TERMS, connector=disk.connect) as ledger:
        while ledger.head.size < EVERY:
            ledger.reserve(TAG, ledger.head.size, INPUTS)
        disk.statement = "INSERT INTO record"
        with pytest.raises(LedgerError, match="disk is full"):
            ledger.reserve(TAG, 100, INPUTS)
        assert sizes(tmp_path / "ledger") == []
        ledger.reserve(TAG, 100, INPUTS)
        assert sizes(tmp_path / "ledger") == [EVERY]


@pytest.mark.req("CAPC-LEDG-017", "CAPC-LEDG-020")
def test_two_handles_write_each_checkpoint_once(tmp_path: Path) -> None:
    with make_ledger(tmp_path, TERMS) as one, make_ledger(tmp_path, TERMS) as other:
        for query in range(40):
            (one, other)[query % 2].reserve(TAG, query, INPUTS)
    assert sizes(tmp_path / "ledger") == [8, 16, 24, 32, 40]


@pytest.mark.req("CAPC-LEDG-008")
def test_an_answer_that_was_withheld_counts_from_a_checkpoint_too(tmp_path: Path) -> None:
    played(tmp_path)
    with make_ledger(tmp_path, TERMS) as again:
        assert sum(event.kind is EventKind.LABEL_WITHHELD for event in again.events) == 3
        assert again.spent == 12 * again.cost.worst_case - 3 * again.cost.answer


def test_the_records_of_a_rewritten_log_are_what_a_checkpoint_is_of(tmp_path: Path) -> None:
    """A log that its owner writes anew, with checkpoints of the old one, is another history."""
    played(tmp_path)
    rewrite(tmp_path, lambda rows: [*rows[:10], *rows[11:]])
    with pytest.raises(LedgerError):
        make_ledger(tmp_path, TERMS)


def test_what_is_kept_has_four_columns() -> None:
    assert SignedCheckpoint._fields == ("size", "link", "entries", "signature")
