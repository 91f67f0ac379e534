"""A conversation with a port: it is started, asked, reset, started again when it broke, and stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capc.foundation.errors import InputError
from capc_verify.conformance.child import STDERR_KEPT, BrokenPortError, Child
from capc_verify.conformance.levels import spec_version
from capc_verify.conformance.wire import PROTOCOL, JunkError, Reply, ReplyKind, read_reply, request_line
from capc_verify.vectors.schema import ERROR_CODES
from capc_verify.vectors.values import Json

DESCRIBED: Mapping[str, type] = {
    "name": str,
    "language": str,
    "version": str,
    "spec_version": str,
    "snapshots": bool,
    "codes": dict,
}
"""Fields of the description, and what each is."""


_OPTIONAL: Mapping[str, type] = {"oracles": list}
"""Fields of the description that a port may leave out."""


class Conversation:
    """A port that is asked one request after another.

    Args:
        command: the program and its arguments.
        seconds: how long one request may take.

    Raises:
        InputError: the port cannot be started, or does not say properly what it is.
    """

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command, self._seconds = command, seconds
        self._number = 0
        self._asked: dict[int, str] = {}
        self._said = ""
        self._child: Child | None = None
        self.port: Mapping[str, Any] = {}
        """What the port says that it is: the fields of its reply to ``start``."""
        try:
            self._begin()
        except BrokenPortError as error:
            raise InputError(f"--port: the port {error}, where its reply to start is due") from None
        except BaseException:
            # Nobody has this conversation yet who could end its process.
            self.end()
            raise

    def _begin(self) -> Child:
        """The running port; starts it if it does not run."""
        if self._child is not None:
            return self._child
        child = self._child = Child(self._command)
        reply = self._exchange(child, "start", {"protocol": PROTOCOL, "spec_version": spec_version()})
        _check_description(reply)
        if self.port not in ({}, reply.value):
            raise BrokenPortError("describes itself otherwise than when it was started first")
        self.port = reply.value
        return child

    def ask(self, request: str, what: str, **fields: Json) -> Reply:
        """One request, and its reply.

        Raises:
            BrokenPortError: there is none. The port was ended; the next request starts it again, without its states.
        """
        try:
            child = self._begin()
        except (InputError, BrokenPortError) as error:
            self.end()
            raise BrokenPortError(f"cannot be started again: {error}") from None
        return self._exchange(child, request, fields, what)

    def reset(self, *, keep: str | None = None, to: str | None = None, forget: bool = False) -> None:
        """Keeps the present states under a name, then goes on from those under another, or from none.

        Raises:
            BrokenPortError: the port does not do it.
        """
        reply = self.ask("reset", "reset", keep=keep, to=to, forget=forget)
        if reply != Reply(ReplyKind.OUT, {}):
            self.end()
            raise BrokenPortError(f"replied to reset with {reply.kind} {str(reply.value)[:100]}, not with an empty out")

    def _exchange(self, child: Child, request: str, fields: Mapping[str, Json], what: str = "") -> Reply:
        self._number += 1
        self._asked[self._number] = what or request
        try:
            line = child.exchange(request_line(self._number, request, **fields), self._seconds)
            return read_reply(line, self._number, self._asked)
        except JunkError as error:
            raise BrokenPortError(f"wrote {error}{self._end_and_quote()}") from None
        except BrokenPortError as error:
            raise BrokenPortError(f"{error}{self._end_and_quote()}") from None

    def stop(self) -> str | None:
        """Ends the conversation as agreed; what was wrong with the end, or None."""
        if self._child is None:
            return None
        try:
            reply = self.ask("stop", "stop")
            if reply != Reply(ReplyKind.OUT, {}):
                return f"replied to stop with {reply.kind}, not with an empty out"
            return self._child.farewell()
        except BrokenPortError as error:
            return str(error)
        finally:
            self.end()

    def end(self) -> None:
        """Ends the port's process, whatever it is doing."""
        if self._child is not None:
            child, self._child = self._child, None
            child.end()
            self._said = (self._said + child.stderr)[-STDERR_KEPT:]

    def _end_and_quote(self) -> str:
        """Ends the process; what it wrote to standard error last, for the line about it."""
        child = self._child
        self.end()
        lines = child.stderr.strip().splitlines() if child else []
        return f"; its last line on stderr: {lines[-1][:200]}" if lines else ""

    @property
    def stderr(self) -> str:
        """The end of what all processes of the port wrote to standard error, when they have ended."""
        return self._said


def _check_description(reply: Reply) -> None:
    """Refuses what is no description of a port.

    Raises:
        InputError: the reply to start has other fields, or is for another specification.
    """
    told = reply.value
    if reply.kind is not ReplyKind.OUT or set(told) - set(_OPTIONAL) != set(DESCRIBED):
        raise InputError(f"--port: the reply to start must be `out` with {', '.join(DESCRIBED)}")
    for name, kind in {**DESCRIBED, **_OPTIONAL}.items():
        if name in told and type(told[name]) is not kind:
            raise InputError(f"--port: {name} in the reply to start is not a {kind.__name__}")
    if told["spec_version"] != spec_version():
        raise InputError(f"--port: is for specification {told['spec_version']}, the vectors are of {spec_version()}")
    for code, mapped in told["codes"].items():
        if code not in ERROR_CODES or not isinstance(mapped, str):
            raise InputError(f"--port: codes in the reply to start: {code!r} is no code of the specification")
    if not all(isinstance(name, str) for name in told.get("oracles", [])):
        raise InputError("--port: oracles in the reply to start are not all names")
