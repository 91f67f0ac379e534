"""What the querying party keeps over many runs: which rows it asked about, and the labels that it bought.

A row is known by a keyed digest: who has the file and lacks the key, which lies in a file of its own, cannot tell which
rows it speaks of. Rows are written before they are asked, and labels before they are used, each time as a whole new
file that is on the disk when the call returns. Two runs on one journal take turns.

Spec: CAPC-RUN-016 to CAPC-RUN-020.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.foundation.randomness import SEED_BYTES, Seed, fresh_seed
from capc.job.keeping.files import beside
from capc.privacy.storage.disk import create_secret, replace, sync_folder
from capc_spec.registry import TAGS

if sys.platform != "win32":
    import fcntl

FORMAT = "capc_journal/v1"
KEY_SUFFIX = ".key"
ROLES_SUFFIX = ".roles"
_LOCK_SUFFIX = ".lock"
_DIGEST_DIGITS = 2 * hashlib.sha256().digest_size
_REMEDY = "restore it as it was, or name another journal"


@dataclass(frozen=True)
class AskedRow:
    """What became of a row that was asked about.

    Attributes:
        times: how often it was asked.
        label: the released label as the data names it; None if none was released, or the run was killed before.
    """

    times: int
    label: int | None

    __repr__ = type_only


def default_folder() -> Path:
    """Where journals lie unless another place is named: the user's own state, away from every ledger.

    Raises:
        InputError: the user has no home folder.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        raise InputError("journal: there is no home folder to keep it in: name a file with --journal") from None
    return base / "capc" / "querying_party"


def check_place(file: Path, ledger: Path) -> None:
    """Refuses a journal where it cannot or must not lie, before anything is made.

    Args:
        file: the journal.
        ledger: the ledger of the run, whose folder is the privacy guardian's.

    Raises:
        InputError: something else is there, the folder cannot be written, or it is the ledger's.
    """
    folder = file.resolve().parent
    if folder == ledger.resolve().parent:
        raise InputError(
            f"journal = {file}: this is the folder of the ledger, which is the privacy guardian's: name a file of the "
            "querying party's own, in another folder"
        )
    for suffix in ("", KEY_SUFFIX, ROLES_SUFFIX, _LOCK_SUFFIX):
        there = beside(file, suffix)
        if there.exists() and not there.is_file():
            raise InputError(f"journal = {file}: {there} is not a plain file: name another")
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"journal = {file}: the folder {folder} cannot be written: name another")
    if file.exists() and not ledger.exists():
        raise InputError(
            f"journal = {file}: it belongs to another ledger than {ledger}, which is not there: name another"
        )


class Journal:
    """The journal of one querying party on one ledger.

    Args:
        file: the journal; made for its owner only if it is missing, and so are its folder and key.
        ledger: the identity of the ledger.

    Raises:
        InputError: the file or its key cannot be used, or belongs to another ledger.
    """

    def __init__(self, file: Path, ledger: bytes) -> None:
        self.file = file
        self._ledger = ledger.hex()
        with self._explained():
            _make_folder(file.resolve().parent)
            self._key = self._read_key()
            with self._only_writer():
                if not file.exists():
                    self._write({})
                self._own(file)
        self.rows()

    def digest(self, row: bytes) -> str:
        """How the journal calls a row.

        Args:
            row: the digest of its features (:func:`capc.learning.data.row_digest`).
        """
        return hmac.new(self._key, TAGS["journal-row"] + row, hashlib.sha256).hexdigest()

    def rows(self) -> Mapping[str, AskedRow]:
        """Every row that was asked about, by digest.

        Raises:
            InputError: the file is damaged, or belongs to another ledger.
        """
        document = self._read(self.file)
        if document.get("ledger") != self._ledger:
            raise InputError(f"{self.file}: it belongs to another ledger: name another journal")
        try:
            found = {name: AskedRow(entry["times"], entry["label"]) for name, entry in document["rows"].items()}
        except (KeyError, TypeError, AttributeError):
            raise self._damaged(self.file) from None
        for name, row in found.items():
            if len(name) != _DIGEST_DIGITS or type(row.times) is not int or type(row.label) not in {int, type(None)}:
                raise self._damaged(self.file)
        return found

    def ask(self, rows: Sequence[bytes], *, again: bool) -> list[bool]:
        """Writes down rows that are about to be asked; on the disk when this returns (CAPC-RUN-017).

        Args:
            rows: their digests.
            again: whether a row may be asked that was asked before.

        Returns:
            Which of them may be asked now; the others were asked before, perhaps by another run in the meantime.
        """
        with self._changing() as known:
            admitted = []
            for row in rows:
                name = self.digest(row)
                before = known.get(name)
                admitted.append(before is None or again)
                if admitted[-1]:
                    known[name] = AskedRow(1, None) if before is None else AskedRow(before.times + 1, before.label)
        return admitted

    def take_back(self, rows: Sequence[bytes]) -> None:
        """Rows that were written down, and not asked after all, since the budget did not admit them."""
        with self._changing() as known:
            for row in rows:
                name = self.digest(row)
                entry = known[name]
                if entry.times == 1:
                    del known[name]
                else:
                    known[name] = AskedRow(entry.times - 1, entry.label)

    def settle(self, released: Mapping[bytes, int | None]) -> None:
        """Writes down labels; on the disk when this returns, so that none is used before (CAPC-RUN-018).

        Args:
            released: the label of each row, or None for one that was withheld.
        """
        with self._changing() as known:
            for row, label in released.items():
                name = self.digest(row)
                if label is not None:
                    known[name] = AskedRow(known[name].times, label)

    def keep_roles(self, roles: Mapping[str, Sequence[bytes]], remedy: str) -> None:
        """Refuses a split that gives a row to another role than an earlier run did; else remembers it (CAPC-RUN-020).

        The split is the demonstration's, which plays all parties: where each party holds rows of its own, nobody
        divides them, and this file does not exist.

        Args:
            roles: digests of the rows of each role.
            remedy: what to do about it.

        Raises:
            InputError: a row has changed hands.
        """
        file = beside(self.file, ROLES_SUFFIX)
        with self._explained(), self._only_writer():
            known: dict[str, set[str]] = {}
            for role, digests in (self._read(file) if file.exists() else {}).items():
                for name in digests.split():
                    known.setdefault(name, set()).add(role)
            now = {role: {self.digest(row) for row in rows} for role, rows in roles.items()}
            for role, names in now.items():
                for name in names:
                    if name in known and role not in known[name]:
                        was = " and ".join(sorted(known[name]))
                        raise InputError(f"a row of {was} in an earlier run would be one of {role} now: {remedy}")
            earlier = {role: {name for name, held in known.items() if role in held} for role in _roles_of(known)}
            merged = {role: now.get(role, set()) | earlier.get(role, set()) for role in {*now, *earlier}}
            if merged != earlier:
                replace(file, json.dumps({role: " ".join(sorted(names)) for role, names in sorted(merged.items())}))
            self._own(file)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, AskedRow]]:
        with self._explained(), self._only_writer():
            known = dict(self.rows())
            before = dict(known)
            yield known
            if known != before:
                self._write(known)

    def _write(self, rows: Mapping[str, AskedRow]) -> None:
        entries = {name: {"times": row.times, "label": row.label} for name, row in rows.items()}
        replace(self.file, json.dumps({"format": FORMAT, "ledger": self._ledger, "rows": entries}) + "\n")

    def _read(self, file: Path) -> dict[str, Any]:
        try:
            document = json.loads(file.read_text(encoding="ascii"))
        except FileNotFoundError:
            raise InputError(f"{file}: the journal is gone: {_REMEDY}") from None
        except (OSError, ValueError, RecursionError):
            raise self._damaged(file) from None
        if not isinstance(document, dict) or (file == self.file and document.get("format") != FORMAT):
            raise self._damaged(file)
        return document

    def _read_key(self) -> Seed:
        file = beside(self.file, KEY_SUFFIX)
        if not file.exists():
            if self.file.exists():
                raise InputError(f"{file}: the journal's key is gone, and its rows cannot be told without: {_REMEDY}")
            seed = fresh_seed()
            try:
                create_secret(file, seed.hex() + "\n")
            except FileExistsError:
                # Another process was quicker.
                return self._read_key()
            return Seed(seed)
        self._own(file)
        try:
            key = bytes.fromhex(file.read_text(encoding="ascii"))
        except ValueError:
            key = b""
        if len(key) != SEED_BYTES:
            raise InputError(f"{file}: not the key of a journal: {_REMEDY}")
        return Seed(key)

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        """Waits until nobody else writes. The lock is on a file of its own, which is never replaced."""
        lock = beside(self.file, _LOCK_SUFFIX)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"{self.file}: the journal cannot be used ({error.strerror}): name another") from None

    def _own(self, file: Path) -> None:
        """Nobody else may read it, whoever made it."""
        if os.name != "nt":
            file.chmod(0o600)

    def _damaged(self, file: Path) -> InputError:
        return InputError(f"{file}: not a journal, or a damaged one: {_REMEDY}")


def _roles_of(known: Mapping[str, set[str]]) -> set[str]:
    return {role for roles in known.values() for role in roles}


def _make_folder(folder: Path) -> None:
    """Makes a folder for its owner only, and those above it; each name is on the disk when this returns."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)
