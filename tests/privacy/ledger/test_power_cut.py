"""A power cut at every write: what was not synchronised is gone, and each message that had left is still charged.

A killed process proves nothing of this, since the operating system keeps its writes. Here every write of SQLite is
noted, and the disk is put together again as it would be found after a cut at each of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.privacy.ledger import open_ledger
from privacy.ledger.cases import COST, INPUTS, TAG, make_ledger, make_terms, message_of
from privacy.ledger.power import Disk, Note
from support.sizes import examples

QUERIES = 4
NUMBERS = st.integers(0, (1 << 16) - 1)


def played(folder: Path, disk: Disk) -> None:
    """A guardian that charges, sends and settles, and is restarted once."""
    for run in range(2):
        with open_ledger(folder / "ledger", make_terms(), connector=disk.connector()) as ledger:
            for query in range(run * QUERIES, (run + 1) * QUERIES):
                receipt = ledger.reserve(TAG, query, INPUTS)
                message = ledger.dispatch(receipt, message_of(query))
                disk.left(query)
                assert message == message_of(query)
                if query % 2:
                    ledger.settle(receipt, answered=False)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Disk, Path]:
    folder, disk = tmp_path_factory.mktemp("recorded"), Disk()
    played(folder, disk)
    return disk, folder


def check_after_cut(folder: Path, recording: tuple[Disk, Path], cut: int, keep: Iterable[int] = ()) -> None:
    """Puts the power back: the ledger verifies, knows every message that left, and goes on."""
    disk, recorded = recording
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # The key was synchronised before the database was made.
    shutil.copy(recorded / "ledger.key", folder)
    for name, content in disk.after_cut(cut, keep).items():
        (folder / name).write_bytes(content)
    with make_ledger(folder) as ledger:
        left = [note.offset for note in disk.notes[:cut] if note.what == "left"]
        for query in left:
            assert ledger.dispatched(TAG, query) == message_of(query), f"cut {cut}: the charge of {query} is lost"
        assert ledger.spent >= sum(COST if query % 2 == 0 else 1 for query in left)
        ledger.reserve(TAG, 1000, INPUTS)


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-001", "CAPC-LEDG-006")
def test_after_a_cut_at_any_write_every_message_that_left_is_charged(
    recording: tuple[Disk, Path], tmp_path: Path
) -> None:
    """Every write that was not synchronised is discarded."""
    for cut in range(len(recording[0].notes) + 1):
        check_after_cut(tmp_path / "disk", recording, cut)


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-001", "CAPC-LEDG-006")
def test_any_one_unsynchronised_write_may_have_reached_the_disk(recording: tuple[Disk, Path], tmp_path: Path) -> None:
    """Each alone, at every cut, ordinarily at every third: such as a first page, whose journal takes it back."""
    notes, tried = recording[0].notes, 0
    for cut in range(0, len(notes) + 1, examples(ordinary=3, nightly=1)):
        for position in recording[0].unsynchronised(cut):
            check_after_cut(tmp_path / "disk", recording, cut, [position])
            tried += 1
    assert tried > 100


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-001", "CAPC-LEDG-006")
@given(cut=NUMBERS, keep=st.sets(NUMBERS, max_size=80))
@settings(max_examples=examples(ordinary=25, nightly=2000), deadline=None)
def test_it_does_not_matter_which_unsynchronised_writes_reached_the_disk(
    cut: int, keep: set[int], recording: tuple[Disk, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Disks reorder: any of the writes may have arrived. Numbers are taken modulo what this recording has."""
    notes = recording[0].notes
    cut %= len(notes) + 1
    writes = [position for position in range(cut) if notes[position].what in ("write", "truncate")]
    kept = {writes[number % len(writes)] for number in keep} if writes else set()
    check_after_cut(tmp_path_factory.mktemp("cut") / "disk", recording, cut, kept)


def test_the_recording_holds_what_can_go_wrong(recording: tuple[Disk, Path]) -> None:
    """Charges, journals that are cut, and a restart; otherwise the tests above would show little."""
    notes = recording[0].notes
    assert [note.offset for note in notes if note.what == "left"] == list(range(2 * QUERIES))
    assert sum(note == Note("sync", "ledger") for note in notes) > 3
    assert sum(note.what == "write" and note.file == "ledger-journal" for note in notes) > 50
    assert sum(note == Note("truncate", "ledger-journal") for note in notes) > 10
    assert all(b"noise" not in note.data for note in notes)
