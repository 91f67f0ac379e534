"""The processes of a run: started with limits, watched to their end, and never left behind.

Spec: CAPC-MPC-006.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from capc_mpc.interface.errors import MpcError

_POLL_SECONDS = 0.005
_PEAK = "VmHWM:"


@dataclass(frozen=True)
class Limits:
    """What a run may use.

    Attributes:
        seconds: of one run, and of one compilation.
        memory_bytes: address space of each party.
    """

    seconds: float = 600.0
    memory_bytes: int = 8 << 30


@dataclass(frozen=True)
class Ended:
    """How a party's process ended.

    Attributes:
        code: its exit code, the negative number of the signal that ended it, or None if it was ended from here, since
            another party failed.
        seconds: from its start to its end.
        peak_bytes: the most memory that was resident, as last seen some milliseconds before its end; None where the
            system does not tell.
    """

    code: int | None
    seconds: float
    peak_bytes: int | None

    @property
    def failed(self) -> bool:
        """Whether it ended by itself, and not well."""
        return bool(self.code)


class _Running:
    """A party's process, with what has been seen of it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._start = time.monotonic()
        self._seconds: float | None = None
        self._peak: int | None = None

    def is_over(self) -> bool:
        """Looks at the process once more."""
        if self._seconds is None:
            # Read before the process is asked for: what has ended has no memory.
            self._peak = _peak_bytes(self.process.pid) or self._peak
            if self.process.poll() is not None:
                self._seconds = time.monotonic() - self._start
        return self._seconds is not None

    def kill(self) -> None:
        """Ends it with its own session, and collects it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ended(self) -> Ended:
        """What became of it."""
        seconds = time.monotonic() - self._start if self._seconds is None else self._seconds
        return Ended(None if self._seconds is None else self.process.returncode, seconds, self._peak)


_live: set[_Running] = set()
"""What runs at this moment, in whatever thread."""


def end_all() -> None:
    """Ends the parties of all runs: for whoever is interrupted while other threads wait for theirs."""
    for running in list(_live):
        running.kill()


def execute(commands: Mapping[int, Sequence[str]], folder: Path, limits: Limits, what: str) -> dict[int, Ended]:
    """Runs parties on this machine to their end, or until one of them fails, and returns how each ended.

    Args:
        commands: of each party.
        folder: where they run, and where their streams go (:func:`read_streams`).
        limits: time and memory.
        what: the run, as errors name it.

    Raises:
        MpcError: the time is over.
    """
    parties: dict[int, _Running] = {}
    with _termination_as_exit():
        try:
            for party, command in commands.items():
                parties[party] = _Running(_start(party, command, folder, limits))
                _live.add(parties[party])
            _wait(list(parties.values()), limits.seconds, what)
            return {party: running.ended() for party, running in parties.items()}
        finally:
            for running in parties.values():
                running.kill()
                _live.discard(running)


def failures(ended: Mapping[int, Ended]) -> list[int]:
    """The parties that failed."""
    return [party for party, end in ended.items() if end.failed]


def failure(ended: Mapping[int, Ended], folder: Path, what: str) -> MpcError:
    """The error of a run in which parties failed: the first of them, and what their error streams say."""
    first, *_ = failures(ended)
    code = ended[first].code or 0
    signalled = f", ended by {signal.Signals(-code).name}" if code < 0 else ""
    said = "\n".join(read_streams(folder, party)[1] for party in failures(ended))
    return MpcError(f"{what}: party {first} failed{signalled}", said)


def read_streams(folder: Path, party: int) -> tuple[str, str]:
    """(output, error stream) of a party that has ended."""
    out, err = ((folder / f"{kind}-{party}").read_text(errors="replace") for kind in ("out", "err"))
    return out, err


@contextmanager
def _termination_as_exit() -> Iterator[None]:
    """SIGTERM, which would end this process at once, unwinds it instead: parties have sessions of their own."""

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _start(party: int, command: Sequence[str], folder: Path, limits: Limits) -> subprocess.Popen[bytes]:
    with (folder / f"out-{party}").open("wb") as out, (folder / f"err-{party}").open("wb") as err:
        process = subprocess.Popen(  # noqa: S603  # the installation's own party program
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
    if hasattr(resource, "prlimit"):
        resource.prlimit(process.pid, resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    return process


def _wait(parties: Sequence[_Running], seconds: float, what: str) -> None:
    """Waits until all have ended or one has failed.

    Raises:
        MpcError: the time is over.
    """
    end = time.monotonic() + seconds
    while sum(party.is_over() for party in parties) < len(parties):
        if any(party.process.returncode for party in parties):
            return
        if time.monotonic() > end:
            raise MpcError(f"{what} took more than {seconds:g} s and was stopped")
        time.sleep(_POLL_SECONDS)


def _peak_bytes(process: int) -> int | None:
    """The high-water mark of resident memory, where the system has it.

    What the system tells of children that have ended counts from before they became the party program, and so has
    this process's own memory in it.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line for line in lines if line.startswith(_PEAK)]
    return 1024 * int(found[0].split()[1]) if found else None
