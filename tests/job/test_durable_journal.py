"""What a journal says is on the disk by then: first the new content, and then that it has the old one's name."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from capc.job.keeping.journal import Journal

ROWS = [bytes([number]) * 32 for number in range(3)]
CHANGES: dict[str, Callable[[Journal], object]] = {
    "asked": lambda journal: journal.ask(ROWS[1:], again=False),
    "released": lambda journal: journal.settle({ROWS[0]: 7}),
    "taken back": lambda journal: journal.take_back(ROWS[:1]),
}


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no folders")
@pytest.mark.req("CAPC-RUN-017", "CAPC-RUN-018")
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_the_journal_is_on_the_disk_when_the_call_returns(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "journal"
    journal = Journal(file, bytes(32))
    journal.ask(ROWS[:1], again=False)
    before, synchronise = file.read_bytes(), os.fsync
    seen: list[tuple[str, bytes, bytes]] = []

    def fsync(descriptor: int) -> None:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            assert found.st_ino == tmp_path.stat().st_ino
            seen.append(("folder", b"", file.read_bytes()))
        else:
            (written,) = (path for path in tmp_path.iterdir() if path.stat().st_ino == found.st_ino)
            seen.append(("content", written.read_bytes(), file.read_bytes()))
        synchronise(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    CHANGES[name](journal)
    after = file.read_bytes()
    assert after != before
    assert seen == [("content", after, before), ("folder", b"", after)]
