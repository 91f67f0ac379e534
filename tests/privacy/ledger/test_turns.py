"""Who has a turn at a file: one holder at a time, by whatever path and lock file he came, and whoever lives on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from capc.privacy.ledger import LedgerError, open_ledger
from capc.privacy.storage import file_lock
from capc.privacy.storage.file_lock import FileLock, lock_file
from privacy.ledger.cases import make_terms
from privacy.ledger.guardians import ended, forked

forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a turn."""
    monkeypatch.setattr(file_lock, "BUSY_SECONDS", 0.01)


def removed(gate: FileLock, lock: Path) -> None:
    """As whoever removes an unused ledger does."""
    del lock
    gate.remove()


def deleted(gate: FileLock, lock: Path) -> None:
    """As a user does."""
    del gate
    lock.unlink()


def exchanged(gate: FileLock, lock: Path) -> None:
    """As a backup that is put back does."""
    del gate
    lock.with_name("other").touch(0o600)
    lock.with_name("other").replace(lock)


@pytest.mark.req("CAPC-LEDG-017")
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("way", [removed, deleted, exchanged])
def test_who_had_a_lock_file_that_is_no_more_has_no_turn_beside_that_of_the_new_one(
    way: Callable[[FileLock, Path], None], tmp_path: Path
) -> None:
    file = tmp_path / "ledger"
    old, remover, new = FileLock(file), FileLock(file), FileLock(file)
    with old.turn():
        pass
    with remover.turn():
        way(remover, lock_file(file))
    with new.turn():
        with pytest.raises(LedgerError, match="others kept their turn"), old.turn():
            pass
        with pytest.raises(LedgerError, match="others kept their turn"), remover.turn():
            pass
    for gate in (old, remover, new):
        with gate.turn():
            pass
        gate.close()


@forks
@pytest.mark.req("CAPC-LEDG-017", "CAPC-LEDG-021")
@pytest.mark.parametrize("inside", [False, True])
def test_a_turn_ends_with_its_process_whenever_it_forked_a_child_that_lives_on(
    inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was forked long before the turn has the descriptor of its lock as much as one forked in it."""
    begins, began = os.pipe()
    ends, end = os.pipe()

    def linger() -> None:
        if os.fork() == 0:
            os.read(ends, 1)
            os._exit(0)

    def guardian() -> None:
        gate = FileLock(tmp_path / "ledger")
        with gate.turn():
            pass
        if not inside:
            linger()
        with gate.turn():
            if inside:
                linger()
            os.write(began, b"b")
            os.kill(os.getpid(), signal.SIGKILL)

    pid = forked(guardian)
    try:
        assert os.read(begins, 1) == b"b"
        assert ended(pid) == -signal.SIGKILL
        monkeypatch.setattr(file_lock, "BUSY_SECONDS", 1.0)
        gate = FileLock(tmp_path / "ledger")
        with gate.turn():
            pass
        gate.close()
    finally:
        os.write(end, b"e")
        for descriptor in (begins, began, ends, end):
            os.close(descriptor)


@pytest.mark.req("CAPC-LEDG-017")
@pytest.mark.usefixtures("impatient")
def test_every_path_to_a_ledger_leads_to_the_lock_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own locks would keep two writers apart too, until somebody closes the file."""
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "link").symlink_to(data / "ledger")
    (tmp_path / "folder").symlink_to(data)
    (tmp_path / "twice").symlink_to(tmp_path / "link")
    monkeypatch.chdir(tmp_path)
    names = ("data/ledger", "link", "twice", "folder/../data/ledger")
    paths = [*map(Path, names), tmp_path / "folder" / "ledger"]
    ledgers = [open_ledger(path, make_terms(), key_file=tmp_path / "key") for path in paths]
    for one, other in zip(ledgers, [*ledgers[1:], ledgers[0]], strict=True):
        with one._store.turn(), pytest.raises(LedgerError, match="others kept their turn"), other._store.turn():
            pass
    for ledger in ledgers:
        ledger.close()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "link", "folder", "twice", "key"}
    assert {path.name for path in data.iterdir()} <= {"ledger", "ledger-journal", "ledger.lock"}
