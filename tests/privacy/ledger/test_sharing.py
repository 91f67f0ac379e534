"""One file among handles, processes, paths, forks and other programs: the budget is spent once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from capc.foundation.errors import BudgetExhaustedError
from capc.privacy.ledger import Ledger, LedgerError, open_ledger, reading
from capc.privacy.storage import file_identity
from capc.privacy.storage.file_lock import lock_file
from capc.session.parameters import Charge
from privacy.ledger.cases import COST, INPUTS, OTHER_TAG, TAG, FullDisk, Tap, make_ledger, make_terms, message_of, read
from privacy.ledger.guardians import ended, forked

forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
TERMS = make_terms(queries=5, charge=Charge.WORST_CASE)
ROOT = Path(__file__).parents[2]


def spend(ledger: Ledger, tag: bytes) -> int:
    """Charges until the budget is spent; how many messages left."""
    for query in range(100):
        try:
            ledger.dispatch(ledger.reserve(tag, query, INPUTS), message_of(query))
        except BudgetExhaustedError:
            return query
    raise AssertionError("the budget has no end")


def elsewhere(folder: Path, work: str) -> int:
    """What another interpreter answers, with ``ledger`` open."""
    program = (
        "import sys; from pathlib import Path; from privacy.ledger.test_sharing import *\n"
        f"with make_ledger(Path(sys.argv[1]), TERMS) as ledger: print({work})"
    )
    arguments = [sys.executable, "-c", program, str(folder)]
    done = subprocess.run(
        arguments, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-007", "CAPC-LEDG-017")
def test_two_handles_here_and_a_visitor_elsewhere_share_one_budget(tmp_path: Path) -> None:
    """The visitor would find no lock, and delete a log that the first handle goes on writing."""
    with make_ledger(tmp_path, TERMS) as first, make_ledger(tmp_path, TERMS) as second:
        assert elsewhere(tmp_path, "ledger.head.size") == 1
        assert spend(first, TAG) == 5
        assert elsewhere(tmp_path, "spend(ledger, OTHER_TAG)") == 0
        assert second.remaining_queries() == 0
    assert read(tmp_path / "ledger")[0].spent == 5 * COST


@forks
@pytest.mark.req("CAPC-LEDG-007", "CAPC-LEDG-017")
def test_what_opens_and_closes_the_file_inside_a_turn_frees_nobody(tmp_path: Path) -> None:
    """A backup in another thread of the guardian drops SQLite's locks while a charge is being written."""
    backups: list[int] = []

    def back_up(sql: str) -> None:
        if sql.startswith("INSERT"):
            backups.append(len((tmp_path / "ledger").read_bytes()))
            # Meanwhile another process would take its turn; it stops waiting when it is killed.
            assert ended(forked(waits)) == 7

    def waits() -> int:
        import fcntl

        with lock_file(tmp_path / "ledger").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 7
            return 0

    with make_ledger(tmp_path, TERMS) as other:
        with open_ledger(tmp_path / "ledger", TERMS, connector=lambda file: Tap(file, after=back_up)) as ledger:
            ledger.reserve(TAG, 1, INPUTS)
        assert len(backups) == 1
        assert other.spent == COST


@forks
@pytest.mark.req("CAPC-LEDG-021")
def test_a_handle_is_refused_in_a_forked_child_which_opens_its_own(tmp_path: Path) -> None:
    """The child starts with SQLite's memory of locks that it does not hold."""
    with make_ledger(tmp_path, TERMS) as ledger:
        receipt = ledger.reserve(TAG, 1, INPUTS)

        def work() -> int:
            calls: list[Callable[[], object]] = [
                lambda: ledger.reserve(TAG, 2, INPUTS),
                lambda: ledger.dispatch(receipt, b"message"),
                lambda: ledger.spent,
                lambda: ledger.dispatched(TAG, 1),
                ledger.proof,
            ]
            refused = 0
            for call in calls:
                try:
                    call()
                except LedgerError as error:
                    refused += "opened before this process was forked" in str(error)
            ledger.close()
            return refused

        assert ended(forked(work)) == 5
        assert ended(forked(lambda: spend(make_ledger(tmp_path, TERMS), OTHER_TAG))) == 4
        assert ledger.remaining_queries() == 0


@pytest.mark.req("CAPC-LEDG-017")
def test_a_symbolic_link_and_a_linked_folder_lead_to_one_ledger(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data" / "ledger")
    (tmp_path / "folder").symlink_to(tmp_path / "data")
    key = tmp_path / "key"
    paths = [tmp_path / "link", tmp_path / "folder" / "ledger", tmp_path / "data" / "ledger"]
    ledgers = [open_ledger(path, TERMS, key_file=key) for path in paths]
    assert [spend(ledger, bytes([number]) * 32) for number, ledger in enumerate(ledgers)] == [5, 0, 0]
    for ledger in ledgers:
        ledger.close()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["ledger", "ledger-journal", "ledger.lock"]


@pytest.mark.req("CAPC-LEDG-017", "CAPC-LEDG-018")
def test_a_file_with_two_names_is_refused_by_both_also_under_a_ledger_in_use(tmp_path: Path) -> None:
    """A guardian that died in a commit leaves its journal beside one of them only."""
    with make_ledger(tmp_path, TERMS) as ledger:
        ledger.reserve(TAG, 1, INPUTS)
        os.link(tmp_path / "ledger", tmp_path / "other")
        with pytest.raises(LedgerError, match=r"has 2 names \(hard links\).*remove the others"):
            ledger.reserve(TAG, 2, INPUTS)
        for name in ("ledger", "other"):
            with pytest.raises(LedgerError, match=r"has 2 names \(hard links\).*remove the others"):
                open_ledger(tmp_path / name, TERMS, key_file=tmp_path / "ledger.key")
        assert not lock_file(tmp_path / "other").exists()
        assert read(tmp_path / "other")[0].spent == COST
        (tmp_path / "other").unlink()
        ledger.reserve(TAG, 2, INPUTS)
        assert ledger.spent == 2 * COST


@pytest.mark.req("CAPC-LEDG-017", "CAPC-LEDG-018")
def test_a_file_that_is_mounted_by_itself_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    make_ledger(folder, TERMS).close()
    mounts = tmp_path / "mountinfo"
    escaped = str((folder / "ledger").resolve()).replace(" ", "\\040")
    lines = ["21 1 8:1 / / rw - ext4 /dev/sda1 rw", f"40 21 8:1 {escaped}.original {escaped} rw - ext4 /dev/sda1 rw"]
    monkeypatch.setattr(file_identity, "_MOUNTS", mounts)
    mounts.write_text("\n".join(lines) + "\n")
    with pytest.raises(LedgerError, match=r"this file is mounted by itself.*mount its folder"):
        make_ledger(folder, TERMS)
    # Its folder may be mounted.
    mounts.write_text("\n".join([lines[0], lines[1].replace("/ledger", "")]) + "\n")
    make_ledger(folder, TERMS).close()
    mounts.unlink()
    make_ledger(folder, TERMS).close()


def test_the_list_of_mounts_of_this_system_is_understood() -> None:
    if not file_identity._MOUNTS.exists():
        pytest.skip("only Linux lists mounts there")
    with pytest.raises(LedgerError, match="mounted by itself"):
        file_identity.check_not_mounted(Path("/proc"))


@pytest.mark.req("CAPC-LEDG-025")
def test_permissions_of_a_ledger_and_of_a_head_are_tightened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_ledger(tmp_path, TERMS).close()
    file = tmp_path / "ledger"
    file.chmod(0o644)
    make_ledger(tmp_path, TERMS).close()
    assert file.stat().st_mode & 0o777 == 0o600

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    file.chmod(0o640)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(LedgerError, match="others may use this file, and it is not yours to change: chmod 600 it"):
        make_ledger(tmp_path, TERMS)


@pytest.mark.req("CAPC-LEDG-025", "CAPC-LEDG-011")
@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
def test_each_permission_of_others_is_one(bit: int, tmp_path: Path) -> None:
    """It is taken from a ledger, and a key that has it is refused: somebody may have read it."""
    make_ledger(tmp_path, TERMS).close()
    file, key = tmp_path / "ledger", tmp_path / "ledger.key"
    file.chmod(0o600 | bit)
    make_ledger(tmp_path, TERMS).close()
    assert file.stat().st_mode & 0o777 == 0o600
    key.chmod(0o600 | bit)
    with pytest.raises(LedgerError, match="others may read this signing key"):
        make_ledger(tmp_path, TERMS)


@pytest.mark.req("CAPC-LEDG-024")
def test_a_refusal_leaves_nothing_that_was_not_there(tmp_path: Path) -> None:
    key = tmp_path / "ledger.key"
    key.write_text("no key")
    key.chmod(0o600)
    with pytest.raises(LedgerError, match="not a signing key"):
        make_ledger(tmp_path, TERMS)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.key"]
    key.unlink()

    disk = FullDisk(OSError(28, "No space left on device"))
    disk.statement = "COMMIT"
    with pytest.raises(LedgerError, match="No space left on device"):
        open_ledger(tmp_path / "ledger", TERMS, connector=disk.connect)
    assert [path.name for path in tmp_path.iterdir() if path.name != "ledger-journal"] == []


@pytest.mark.req("CAPC-LEDG-024")
def test_an_unused_ledger_is_removed_and_a_used_one_stays(tmp_path: Path) -> None:
    with make_ledger(tmp_path, TERMS) as ledger:
        assert ledger.created
        assert ledger.remove_unused()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.key"]
    with make_ledger(tmp_path, TERMS) as ledger:
        ledger.reserve(TAG, 1, INPUTS)
        assert not ledger.remove_unused()
    with make_ledger(tmp_path, TERMS) as ledger:
        assert not ledger.created
        assert ledger.spent == COST


@pytest.mark.req("CAPC-LEDG-017")
def test_a_ledger_that_another_thread_opens_keeps_its_locks(tmp_path: Path) -> None:
    """Nobody opens the file of a ledger beside SQLite; and no file is put in the place of one that was charged."""
    opened: list[object] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and watching:
            opened.append(arguments[0])

    watching = True
    sys.addaudithook(watch)
    with make_ledger(tmp_path, TERMS) as ledger:
        make_ledger(tmp_path, TERMS).close()
        ledger.reserve(TAG, 1, INPUTS)
        with reading(tmp_path / "ledger"):
            pass
    watching = False
    names = {Path(str(path)).name for path in opened}
    assert {"ledger.lock", "ledger.key"} <= names
    assert "ledger" not in names
