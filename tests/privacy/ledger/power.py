"""A disk that can lose its power: all writes of SQLite are noted; only what was synchronised is sure to be there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Note:
    """Something that happened: a write, truncation, synchronisation or deletion of a file, or a message that left.

    Attributes:
        what: `write`, `truncate`, `sync`, `delete` or `left`.
        file: the file's name; for a message empty.
        offset: where a write begins, or the size after a truncation, or the number of the message.
        data: what was written.
    """

    what: str
    file: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """What happened, in order."""

    notes: list[Note] = field(default_factory=list, init=False, repr=False)

    def left(self, number: int) -> None:
        """A message left the process."""
        self.notes.append(Note("left", offset=number))

    def connector(self) -> Callable[[Path], Any]:
        """Opens databases whose writes are noted here."""
        name = f"noting{next(_NUMBERS)}"
        vfs = _NotingVfs(name, self)

        def connect(file: Path) -> apsw.Connection:
            return apsw.Connection(str(file), vfs=vfs.vfs_name)

        return connect

    def unsynchronised(self, cut: int) -> list[int]:
        """Positions of the writes before a cut that need not have reached the disk."""
        return [
            position
            for position, note in enumerate(self.notes[:cut])
            if note.what in ("write", "truncate") and Note("sync", note.file) not in self.notes[position:cut]
        ]

    def after_cut(self, cut: int, keep: Iterable[int] = ()) -> dict[str, bytes]:
        """What is on the disk when the power comes back.

        Args:
            cut: how many notes happened before the power went.
            keep: positions of writes that reached the disk though nobody synchronised them.
        """
        kept, files = set(keep), {}
        for name in {note.file for note in self.notes[:cut] if note.file}:
            synced = max((i for i in range(cut) if self.notes[i] == Note("sync", name)), default=-1)
            content: bytearray | None = None
            for position in range(cut):
                note = self.notes[position]
                if note.file == name and (position < synced or position in kept or note.what == "delete"):
                    content = _applied(content, note)
            if content is not None:
                files[name] = bytes(content)
        return files


def _applied(content: bytearray | None, note: Note) -> bytearray | None:
    if note.what == "delete":
        return None
    content = bytearray() if content is None else content
    if note.what == "truncate":
        del content[note.offset :]
    elif note.what == "write":
        content.extend(bytes(max(0, note.offset - len(content))))
        content[note.offset : note.offset + len(note.data)] = note.data
    return content


class _NotingVfs(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self.vfs_name = name
        self._disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _NotingFile:  # noqa: N802
        return _NotingFile(name, flags, self._disk)

    def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: N802
        self._disk.notes.append(Note("delete", Path(name).name))
        super().xDelete(name, sync_folder)


class _NotingFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], disk: Disk) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(path).name
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.notes.append(Note("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.notes.append(Note("truncate", self._name, size))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._disk.notes.append(Note("sync", self._name))
