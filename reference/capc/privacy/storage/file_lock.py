"""Turns at a file: one holder at a time among threads, handles, processes and forked workers.

SQLite's own locks on a file are POSIX locks. They belong to the process, so that opening and closing the file anywhere
in it, for whatever reason, drops those of all its connections; and a forked child starts with SQLite's memory of locks
that it does not hold. A turn depends on neither: it is a lock of the open file description (``flock``) on a file of
its own, `NAME.lock`, which SQLite never touches. SQLite's locks are held inside a turn only, as a second line and for
programs that know nothing of turns.

- Each handle has a descriptor of its own, so two handles of one process exclude each other.
- A fork waits until no statement of SQLite runs in its process, and the child closes the descriptors that it
  inherited: a turn ends with the process that took it. The child is refused the handles; it opens its own.
- Whoever gets the lock checks that the file still has its name, since it may have been removed while he waited.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from weakref import WeakSet

from capc.privacy.storage.errors import LedgerError

try:
    import fcntl
except ImportError:  # Windows, where SQLite's locks belong to handles and nothing forks.
    fcntl = None  # type: ignore[assignment]

BUSY_SECONDS = 30.0
"""How long somebody waits for a turn, which lasts one small transaction."""

_SUFFIX = ".lock"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.005
_ALONE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_STATEMENTS = RLock()
"""Held while a statement of SQLite runs, and by a fork."""


def lock_file(file: Path) -> Path:
    """The file whose lock is a turn at this one."""
    return file.with_name(file.name + _SUFFIX)


class FileLock:
    """Turns at one file, for one handle. Nothing is opened before the first turn.

    Args:
        file: what is taken turns at, by its canonical name.

    Spec: CAPC-LEDG-017.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._place = lock_file(file)
        self._descriptor: int | None = None
        self._process = os.getpid()
        self._mutex = RLock()
        self._depth = 0
        _GATES.add(self)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else has a turn until the block ends. A turn inside a turn of the same thread is the same one.

        Raises:
            LedgerError: this is a child of the process that opened the handle, or others keep their turn for too long.
            OSError: the lock file cannot be made.
        """
        self.check_process()
        with self._mutex:
            if not self._depth:
                self._lock()
            self._depth += 1
            try:
                with _STATEMENTS:
                    yield
            finally:
                self._depth -= 1
                if not self._depth:
                    self._unlock()

    def check_process(self) -> None:
        """Checks that this is the process that opened the handle.

        Raises:
            LedgerError: it is a child of that one.
        """
        if self._process != os.getpid():
            raise LedgerError(
                f"{self.file}: opened before this process was forked, and its locks stayed with the parent: open it "
                "again here"
            )

    def close(self) -> None:
        """Gives back the descriptor; after a turn only."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Removes the lock file, inside a turn; those who wait for it make a new one."""
        self._place.unlink(missing_ok=True)

    def _lock(self) -> None:
        while True:
            if self._descriptor is None:
                self._descriptor = os.open(self._place, os.O_RDWR | os.O_CREAT | _ALONE, 0o600)
            _wait_for_lock(self._descriptor, self.file)
            if self._is_in_place(self._descriptor):
                return
            self.close()

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            found, held = self._place.stat(), os.fstat(descriptor)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def _unlock(self) -> None:
        if self._descriptor is not None and fcntl is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


_GATES: WeakSet[FileLock] = WeakSet()


@contextmanager
def nobody_writes(file: Path) -> Iterator[None]:
    """Nobody has a turn at a file until the block ends. It makes no file: where there is none to lock, nobody has one.

    Args:
        file: what others take turns at, by its canonical name.

    Raises:
        LedgerError: others keep their turn for too long.
    """
    try:
        descriptor = os.open(lock_file(file), os.O_RDONLY | _ALONE)
    except OSError:
        yield
        return
    try:
        _wait_for_lock(descriptor, file, shared=True)
        yield
    finally:
        os.close(descriptor)


def _try_to_lock(descriptor: int, *, shared: bool = False) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for_lock(descriptor: int, file: Path, *, shared: bool = False) -> None:
    deadline, pause = time.monotonic() + BUSY_SECONDS, _FIRST_PAUSE
    while not _try_to_lock(descriptor, shared=shared):
        if time.monotonic() > deadline:
            raise LedgerError(
                f"{file}: others kept their turn for {BUSY_SECONDS:g} s (by {lock_file(file).name}): check who uses "
                "it, and try again"
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _in_child() -> None:
    # A descriptor is shared with the parent: kept open here, its lock would outlive the parent.
    for gate in list(_GATES):
        with suppress(OSError):
            gate.close()
    _STATEMENTS.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_STATEMENTS.acquire, after_in_parent=_STATEMENTS.release, after_in_child=_in_child)
