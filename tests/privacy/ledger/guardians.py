"""Children in processes of their own, guardians among them, which are killed by their own id and waited for."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from capc.foundation.errors import BudgetExhaustedError
from capc.privacy.ledger import Terms, open_ledger
from privacy.ledger.cases import INPUTS, Tap, message_of

_LEFT = struct.Struct("<32sI16s")
"""A session tag, a query, and the beginning of what left: one write to a pipe, whole or not at all."""


def forked(work: Callable[[], int | None]) -> int:
    """The id of a child that does this work and ends; no handler of the parent, pytest's among them, runs in it."""
    pid = os.fork()
    if pid == 0:
        code = 101
        try:
            code = work() or 0
        finally:
            os._exit(code)
    return pid


def ended(pid: int) -> int:
    """How a child ended: what its work returned, 101 after an exception, or the negative number of a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@dataclass(frozen=True)
class Left:
    """A message that left a guardian."""

    session_tag: bytes
    query: int
    beginning: bytes


@dataclass
class Guardian:
    """A child process that charges and sends until its budget or its work is done.

    Args:
        folder: where the ledger lies.
        terms: of the ledger.
        tag: the session.
        queries: how many to play.
        dies_at: the step at which the process kills itself; None never. Steps are the statements of SQLite, and
            what happens before and after sending.
        message: what is sent for a query.
    """

    folder: Path
    terms: Terms
    tag: bytes
    queries: int
    dies_at: int | None = None
    message: Callable[[int], bytes] = message_of
    pid: int = field(init=False)
    pipe: int = field(init=False)
    received: bytes = b""

    def start(self) -> Guardian:
        """Forks; the child never comes back."""
        self.pipe, end = os.pipe()
        self.pid = forked(lambda: self._work(end))
        os.close(end)
        return self

    def kill(self) -> None:
        """SIGKILL, to this process only."""
        os.kill(self.pid, signal.SIGKILL)

    def await_messages(self, count: int) -> None:
        """Returns once that many messages have left the process, or it has ended."""
        while len(self.received) < count * _LEFT.size:
            chunk = os.read(self.pipe, _LEFT.size)
            if not chunk:
                return
            self.received += chunk

    def wait(self) -> tuple[list[Left], int]:
        """What left the process, and how it ended: 0 when its work was done, -9 when it was killed."""
        while chunk := os.read(self.pipe, 1 << 16):
            self.received += chunk
        os.close(self.pipe)
        return [Left(*fields) for fields in _LEFT.iter_unpack(self.received)], ended(self.pid)

    def _work(self, end: int) -> None:
        os.close(self.pipe)
        steps = Steps(self.dies_at)
        ledger = open_ledger(self.folder / "ledger", self.terms, connector=lambda file: Tap(file, steps.next))
        for query in range(self.queries):
            try:
                receipt = ledger.reserve(self.tag, query, INPUTS)
            except BudgetExhaustedError:
                return
            sent = ledger.dispatch(receipt, self.message(query))
            steps.next()
            os.write(end, _LEFT.pack(self.tag, query, sent[:16]))
            steps.next()
            if query % 2:
                ledger.settle(receipt, answered=False)


class Steps:
    """The process kills itself at the step of this number."""

    def __init__(self, last: int | None) -> None:
        self._left = last

    def next(self, _statement: str = "") -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._left is not None:
            self._left -= 1
