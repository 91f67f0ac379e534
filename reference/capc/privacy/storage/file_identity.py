"""Where a ledger lies: one file, by one name, for its owner only.

SQLite's journal lies beside the database and has its name. A process that died leaves it there, and the next one
finds it only by the same name: so a file has one name, or it is refused. Nothing here opens the file: it is looked at
by ``stat`` (see :mod:`capc.privacy.storage.file_lock`).
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from capc.privacy.storage.errors import LedgerError

Identity = tuple[int, int]
"""Device and number of a file. The number of a file that is open is not given to another one."""

_MOUNTS = Path("/proc/self/mountinfo")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def identity_of(file: Path) -> Identity:
    """Which file this is, whatever it is called.

    Raises:
        LedgerError: the file has several names: hard links.
        OSError: there is none.
    """
    status = file.stat()
    if status.st_nlink > 1:
        raise LedgerError(
            f"{file}: this file has {status.st_nlink} names (hard links), and its journal lies beside one of them "
            "only: remove the others"
        )
    return status.st_dev, status.st_ino


def check_not_mounted(file: Path) -> None:
    """Checks that a file is reached through its own folder, where its journal lies.

    Args:
        file: by its canonical name.

    Raises:
        LedgerError: it is mounted by itself, as a bind mount of one file is.
    """
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        # Only Linux mounts single files, and says here which.
        return
    if os.fsencode(file) in {_unescaped(line.split()[4]) for line in lines}:
        raise LedgerError(
            f"{file}: this file is mounted by itself, and its journal lies beside the original: mount its folder"
        )


def tighten(file: Path) -> None:
    """Takes from others what they may do with a file.

    Raises:
        LedgerError: this user may not do so.
    """
    if os.name == "nt" or not stat.S_IMODE(file.stat().st_mode) & _OTHERS:
        return
    try:
        file.chmod(0o600)
    except OSError:
        raise LedgerError(f"{file}: others may use this file, and it is not yours to change: chmod 600 it") from None


def _unescaped(name: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), name)
