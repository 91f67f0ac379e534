"""Small files that are whole at every moment and survive a power cut.

Spec: CAPC-LEDG-025.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Returns once the names of the files in a folder are on the disk."""
    if os.name == "nt":
        # Windows opens no folders, and NTFS journals its names.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_secret(file: Path, text: str) -> None:
    """Makes a file that only its owner can read, whole or not at all.

    Raises:
        FileExistsError: there is something by that name, which is left as it is.
    """
    with _written_beside(file, text.encode("ascii")) as temporary:
        # Unlike a rename, a link refuses to replace what is there.
        os.link(temporary, file)


def replace(file: Path, text: str) -> None:
    """Puts a text in the place of a file's content; at every moment all of the old or all of the new is there."""
    replace_bytes(file, text.encode("ascii"))


def replace_bytes(file: Path, content: bytes) -> None:
    """As ``replace``, for bytes; what is there now can be read by its owner only."""
    with _written_beside(file, content) as temporary:
        temporary.replace(file)


@contextmanager
def _written_beside(file: Path, content: bytes) -> Iterator[Path]:
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(file.resolve().parent)
