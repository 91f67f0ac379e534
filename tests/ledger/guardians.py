"""Guardians in processes of their own, which are killed by their own id and waited for."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from capc.foundation.errors import BudgetExhaustedError
from capc.privacy.ledger import Terms, open_ledger
from capc.privacy.storage.connections import Connection, connect
from ledger.cases import INPUTS, message_of

_LEFT = struct.Struct("<32sI16s")
"""A session tag, a query, and the beginning of what left: one write to a pipe, whole or not at all."""


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
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            self._live(end)
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
        """What left the process, and how it ended: 0 when its work was done, 9 when it was killed."""
        while chunk := os.read(self.pipe, 1 << 16):
            self.received += chunk
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        return [Left(*fields) for fields in _LEFT.iter_unpack(self.received)], os.waitstatus_to_exitcode(status)

    def _live(self, end: int) -> NoReturn:
        code = 1
        try:
            self._work(end)
            code = 0
        finally:
            # No handler of the parent, pytest's among them, may run in the child.
            os._exit(code)

    def _work(self, end: int) -> None:
        steps = Steps(self.dies_at)
        ledger = open_ledger(self.folder / "ledger", self.terms, connector=lambda file: Stepping(connect(file), steps))
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
    def __init__(self, last: int | None) -> None:
        self._left = last

    def next(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._left is not None:
            self._left -= 1


class Stepping:
    """A connection on which every statement is a step."""

    def __init__(self, connection: Connection, steps: Steps) -> None:
        self._connection = connection
        self._steps = steps

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        self._steps.next()
        return self._connection.execute(sql, parameters)

    def close(self) -> None:
        self._connection.close()
