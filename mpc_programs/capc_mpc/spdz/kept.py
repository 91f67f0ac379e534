"""Keys for homomorphic encryption that parties generate together, kept between runs.

LowGear's parties need minutes for keys, so MP-SPDZ reads those of an earlier run again, whatever the program, and makes
new ones where the parties' do not fit together. Each run has a MAC key of its own all the same.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from capc.foundation.errors import InputError
from capc_mpc.interface.protocols import Protocol

_GENERATES = frozenset({"lowgear"})
"""Protocols whose parties generate keys."""
_SECRETS = "*-Secrets-*"
"""What MP-SPDZ calls the files, each for one party, number of parties and choice of parameters."""


def restore(row: Protocol, folder: Path, data: Path) -> bool:
    """Copies what was kept to where a run reads it, and tells whether there was anything."""
    kept = list(folder.glob(_SECRETS)) if row.name in _GENERATES else []
    for file in kept:
        shutil.copy(file, data / file.name)
    return bool(kept)


def require_place(row: Protocol, folder: Path) -> None:
    """Raises :class:`InputError` if what a run would generate for minutes could not be kept in a folder afterwards."""
    if row.name in _GENERATES and folder.is_dir() and not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: {row.name} keeps what it generates there: make it writable")


def keep(row: Protocol, data: Path, folder: Path) -> bool:
    """Keeps what a run has generated, in a folder that the user alone can read, and tells whether it has any."""
    made = list(data.glob(_SECRETS)) if row.name in _GENERATES else []
    if made:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in made:
        unfinished = folder / f"new-{os.getpid()}-{file.name}"
        unfinished.touch(mode=0o600)
        shutil.copyfile(file, unfinished)
        unfinished.rename(folder / file.name)
    return bool(made)
