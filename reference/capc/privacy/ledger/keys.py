"""The file of a ledger's signing key: made once, for its owner's eyes only, never shown (CAPC-LEDG-011)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from capc.foundation.randomness import SEED_BYTES, Seed, fresh_seed
from capc.privacy.storage.disk import create_secret
from capc.privacy.storage.errors import LedgerError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def default_key_file(ledger: Path) -> Path:
    """Where the key of a ledger lies unless another place is named."""
    return ledger.parent / f"{ledger.name}.key"


def read_key(file: Path) -> Seed:
    """The key in a file.

    Raises:
        LedgerError: the file is missing, is not a key, or others may read it.
    """
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise LedgerError(f"{file}: no readable signing key: name the one that the ledger was created with") from None
    if os.name != "nt" and mode & _OTHERS:
        raise LedgerError(f"{file}: others may read this signing key: chmod 600 it")
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise LedgerError(f"{file}: not a signing key: it holds {2 * SEED_BYTES} hexadecimal digits")
    return Seed(seed)


def read_or_create_key(file: Path) -> Seed:
    """The key in a file, which is made with mode 0600 if it is missing, and is on the disk then.

    Raises:
        LedgerError: the file can be neither read nor made.
    """
    if file.exists():
        return read_key(file)
    seed = fresh_seed()
    try:
        create_secret(file, seed.hex() + "\n")
    except FileExistsError:
        # Another process was quicker.
        return read_key(file)
    except OSError as error:
        raise LedgerError(f"{file}: the signing key cannot be written ({error.strerror}): name another file") from None
    return seed
