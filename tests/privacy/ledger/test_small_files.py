"""Files beside a ledger after a power cut: its key, and the heads that others keep of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from capc.privacy.ledger import KnownHead, open_ledger, save_known_head
from capc.privacy.ledger.chain import first_head
from capc.privacy.storage import disk
from privacy.ledger.cases import make_terms


def keep_a_head(folder: Path) -> None:
    """As an answering party does before it takes part."""
    save_known_head(KnownHead(first_head(bytes(32)), bytes(32), make_terms()), folder / "file")


def make_a_ledger(folder: Path) -> None:
    """Whose key lies elsewhere."""
    (folder / "ledgers").mkdir()
    open_ledger(folder / "ledgers" / "ledger", make_terms(), key_file=folder / "file").close()


WAYS: dict[str, Callable[[Path], None]] = {
    "head": keep_a_head,
    "key": make_a_ledger,
    "secret": lambda folder: disk.create_secret(folder / "file", "a secret"),
    "text": lambda folder: disk.replace(folder / "file", "a text"),
    "bytes": lambda folder: disk.replace_bytes(folder / "file", b"some bytes"),
}


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no folders")
@pytest.mark.req("CAPC-LEDG-001", "CAPC-LEDG-022")
@pytest.mark.parametrize("name", WAYS)
def test_a_file_gets_its_name_when_it_is_whole_and_both_are_on_the_disk_when_the_call_returns(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the key no charge could follow; a head that is lost lets its ledger be rolled back."""
    file, correct = tmp_path / "file", os.fsync
    seen: list[tuple[str, bool]] = []

    def fsync(descriptor: int) -> None:
        there, here = os.fstat(descriptor), os.stat(tmp_path)
        if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
            seen.append(("folder", file.exists()))
        else:
            temporary = [path for path in tmp_path.iterdir() if path.stat().st_ino == there.st_ino]
            if temporary and temporary[0].name.startswith(".file."):
                content.append(temporary[0].read_bytes())
                seen.append(("content", file.exists()))
        correct(descriptor)

    content: list[bytes] = []
    monkeypatch.setattr(os, "fsync", fsync)
    WAYS[name](tmp_path)
    assert seen[0] == ("content", False)
    assert seen[-1] == ("folder", True)
    assert content == [file.read_bytes()]
    assert file.stat().st_mode & 0o077 == 0
