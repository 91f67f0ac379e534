"""The port's process: lines in, lines out, each within its time; it is ended by its own id, with all it started."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from capc.foundation.errors import InputError

LONGEST_LINE = 1 << 26
"""Bytes. The longest that a vector expects has less than a tenth."""
STDERR_KEPT = 1 << 14
"""Bytes of standard error that are kept: the last."""
_CHUNK = 1 << 16
_FAREWELL = 5.0
_POLL = 0.02


class BrokenPortError(Exception):
    """The port cannot be asked any more: it hangs, has ended, or writes what it must not. The text says which."""


class Child:
    """A running port.

    Args:
        command: the program and its arguments; no shell is involved.

    Raises:
        InputError: it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        try:
            # A session of its own, so that ending it also ends what it started.
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise InputError(f"--port {command[0]}: cannot be started ({error.strerror})") from None
        if not (self._process.stdin and self._process.stdout and self._process.stderr):
            raise InputError(f"--port {command[0]}: has no pipes")
        self._pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._in, self._out, self._err = (pipe.fileno() for pipe in self._pipes)
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe, False)
        self._unread, self._said = bytearray(), bytearray()
        self._left = memoryview(b"")
        self._closed = False

    @property
    def stderr(self) -> str:
        """The end of what the port wrote to standard error."""
        return self._said.decode("utf-8", "replace")

    def exchange(self, line: bytes, seconds: float) -> bytes:
        """Writes a line, and returns the one that the port writes.

        Raises:
            BrokenPortError: there is none within so many seconds, the port has ended, or the line does not end.
        """
        self._left = memoryview(line)
        deadline, searched = time.monotonic() + seconds, 0
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_WRITE)
            selector.register(self._out, selectors.EVENT_READ)
            selector.register(self._err, selectors.EVENT_READ)
            while True:
                end = self._unread.find(b"\n", searched)
                if end >= 0 and not self._left:
                    reply = bytes(self._unread[:end])
                    del self._unread[: end + 1]
                    return reply
                searched = len(self._unread) if end < 0 else end
                if len(self._unread) > LONGEST_LINE:
                    raise BrokenPortError(f"wrote more than {LONGEST_LINE} bytes that are no reply")
                if time.monotonic() >= deadline:
                    raise BrokenPortError(f"gave no reply within {seconds:g} seconds")
                for key, _ in selector.select(deadline - time.monotonic()):
                    self._use(selector, key.fd)

    def _use(self, selector: selectors.BaseSelector, pipe: int) -> None:
        """Does what a pipe is ready for."""
        if pipe == self._in:
            try:
                self._left = self._left[os.write(pipe, self._left[:_CHUNK]) :]
            except BrokenPipeError:
                raise BrokenPortError(self._how_it_ended()) from None
            if not self._left:
                selector.unregister(pipe)
            return
        data = os.read(pipe, _CHUNK)
        if pipe == self._err:
            self._said += data
            del self._said[:-STDERR_KEPT]
            if not data:
                selector.unregister(pipe)
        elif data:
            self._unread += data
        else:
            raise BrokenPortError(self._how_it_ended())

    def _how_it_ended(self) -> str:
        code = self._wait()
        return "closed its pipe without ending" if code is None else f"ended with exit code {code}"

    def _wait(self) -> int | None:
        """The exit code, if the port ends soon; it stays a zombie, so that its id is nobody else's."""
        deadline = time.monotonic() + _FAREWELL
        flags = os.WEXITED | os.WNOWAIT | os.WNOHANG
        while time.monotonic() < deadline:
            ended = os.waitid(os.P_PID, self._process.pid, flags)
            if ended is not None:
                return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            time.sleep(_POLL)
        return None

    def farewell(self) -> str | None:
        """Waits for the end that was agreed on; what is wrong with it, or None."""
        self._pipes[0].close()
        code = self._wait()
        self._drain()
        if code is None:
            return f"has not ended {_FAREWELL:g} seconds after stop"
        if code != 0:
            return f"ended with exit code {code} after stop"
        return "wrote lines that nobody asked for" if self._unread else None

    def _drain(self) -> None:
        for pipe, into in ((self._out, self._unread), (self._err, self._said)):
            with suppress(BlockingIOError):
                into.extend(os.read(pipe, _CHUNK))
        del self._said[:-STDERR_KEPT]

    def end(self) -> None:
        """Ends the process and all that it started."""
        if self._closed:
            return
        self._closed = True
        self._drain()
        # Before the process is waited for: until then, its id is the group's and nobody else's.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in self._pipes:
            pipe.close()
