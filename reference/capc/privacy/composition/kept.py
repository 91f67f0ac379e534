"""Compositions that were found before: in memory, as certificates of this package, and as certificates in a folder.

What the package has is part of it as its code is, and is read without taking steps again; tests do that. A folder that
cannot be written to is read all the same.

Spec: CAPC-ACCT-144.
"""

from __future__ import annotations

import errno
import secrets
from pathlib import Path

from capc.foundation.errors import InputError
from capc.privacy.composition.certificate import decode, encode, name_of
from capc.privacy.composition.recursion import BLOCK, Composed, Progress, Wanted, blocks_hold, compose
from capc.privacy.storage.disk import replace_bytes

SHIPPED = Path(__file__).parent / "shipped"
"""Of the default policies: to make them anew, empty it, and move here what their runs put in an empty cache folder."""

_REMEMBERED: dict[Wanted, Composed] = {}
_MOST_REMEMBERED = 32
MOST_BYTES = 1 << 26
"""Of a certificate, at most."""
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOSPC, errno.EDQUOT}


def composed(
    wanted: Wanted, folder: Path | None = None, progress: Progress | None = None, *, recheck: bool = False
) -> Composed:
    """The composition of a question, found again or computed.

    Args:
        wanted: the question.
        folder: where certificates are kept; None to keep them in memory only.
        progress: of a computation.
        recheck: whether all steps of a certificate are taken again, or those of one block, drawn at random.

    Raises:
        InputError: a certificate in the folder is refused, by its name; or as :func:`compose`.
    """
    if wanted in _REMEMBERED and not recheck:
        return _REMEMBERED[wanted]
    found = _shipped(wanted) if not recheck else None
    if found is None and folder is not None:
        found = read(wanted, folder / name_of(wanted), recheck=recheck)
    if found is None:
        found = compose(wanted, progress)
        if folder is not None:
            _write(found, folder / name_of(wanted))
    while len(_REMEMBERED) >= _MOST_REMEMBERED:
        del _REMEMBERED[next(iter(_REMEMBERED))]
    _REMEMBERED[wanted] = found
    return found


def _shipped(wanted: Wanted) -> Composed | None:
    file = SHIPPED / name_of(wanted)
    return decode(file.read_bytes(), wanted) if file.is_file() else None


def read(wanted: Wanted, file: Path, *, recheck: bool = False) -> Composed | None:
    """The certificate in a file, checked; None if there is no such file.

    Raises:
        InputError: the file is no valid certificate of an answer to this question.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(
            f"{file}: a kept composition cannot be read ({error.strerror}): allow it, or remove it"
        ) from error
    try:
        found = decode(content, wanted)
    except InputError as error:
        raise InputError(f"{file}: a kept composition is refused, since {error}: remove it") from error
    count = -(-found.labels // BLOCK)
    blocks = range(count) if recheck or not count else [secrets.randbelow(count)]
    if not blocks_hold(found, blocks):
        raise InputError(f"{file}: a kept composition is refused, since a step of it does not hold: remove it")
    return found


def _write(found: Composed, file: Path) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_bytes(file, encode(found))
    except OSError as error:
        # Then it is computed again the next time; anything else is a fault of the disk, and said.
        if error.errno not in _NOT_WRITABLE:
            raise
