"""The port as a party of a session: asked message by message, and held to what the reference sends in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from capc.foundation.errors import InputError
from capc.foundation.parties import Party
from capc.session.hello import is_hello
from capc_verify.conformance.child import BrokenPortError
from capc_verify.conformance.difference import Difference
from capc_verify.conformance.live.sent import Sender, told, turn_difference
from capc_verify.conformance.session import Conversation
from capc_verify.conformance.verdicts import Finding, Outcome
from capc_verify.conformance.wire import Reply, ReplyKind
from capc_verify.live.desk import Desk, Turn
from capc_verify.vectors.values import Json, party_named


class Expected(Protocol):
    """What the reference sends in the place of the port."""

    def after(self, sender: Party | None, message: bytes) -> Turn:
        """In its next turn; before any message there is no sender."""


class Twin:
    """The reference's own party, which is given the same messages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def after(self, sender: Party | None, message: bytes) -> Turn:
        """What it does then."""
        return self._desk.begin() if sender is None else self._desk.deliver(sender, message)


class Script:
    """A recorded party's turns, one after another."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._turns = iter(turns)

    def after(self, sender: Party | None, message: bytes) -> Turn:  # noqa: ARG002
        """The next one."""
        return next(self._turns)


class StoppedError(Exception):
    """The session does not go on; the seat knows why."""


class PortSeat:
    """The port as a party. What is wrong first is kept, and the session goes on, to see what comes of it.

    Args:
        conversation: with the port.
        name: of the session, for what is told of late replies.
        sender: the party, and what it is asked to join with.
        expected: what the reference would send.
    """

    def __init__(self, conversation: Conversation, name: str, sender: Sender, expected: Expected) -> None:
        self._conversation, self._name, self._sender, self._expected = conversation, name, sender, expected
        self._known = {entry["party"] for entry in sender.join["session"]["participants"]} - {str(sender.me)}
        self._count = 0
        self.finding: Finding | None = None
        self.consequence = ""

    def begin(self) -> Turn:
        """Joins."""
        return self._take("join", None, b"", self._sender.join)

    def deliver(self, sender: Party, message: bytes) -> Turn:
        """Hands a message over."""
        if is_hello(message):
            self.consequence = f"{sender} refuses it: foreign_session, blame {self._sender.me}, and sends a hello"
            raise StoppedError
        return self._take("deliver", sender, message, {"from": str(sender), "message": message.hex()})

    def _take(self, request: str, sender: Party | None, message: bytes, fields: Mapping[str, Json]) -> Turn:
        what = request if sender is None else told(sender, message)
        number, self._count = self._count, self._count + 1
        try:
            reply = self._conversation.ask(request, f"{self._name}, {what}", **fields)
        except BrokenPortError as error:
            self.finding = broken(error, self.finding, number, what)
            raise StoppedError from None
        turn = self._turn_of(reply, number, what)
        if self.finding is None:
            difference = turn_difference(self._sender, self._expected.after(sender, message), turn)
            if difference is not None:
                self.finding = Finding(Outcome.FAILED, str(difference), number, what, difference)
        # What is for nobody who sits there is a difference already.
        return Turn(tuple(sent for sent in turn.sent if str(sent[0]) in self._known), turn.ended)

    def _turn_of(self, reply: Reply, number: int, what: str) -> Turn:
        if reply.kind is ReplyKind.ERROR:
            refusal = f"{str(reply.value['code'])[:100]}, blame {str(reply.value['blame'])[:100]}"
            difference = Difference("out", f"missing: the port gave the error {refusal}", "a result")
            raise self._stop(Finding(Outcome.FAILED, str(difference), number, what, difference))
        if reply.kind is not ReplyKind.OUT:
            raise self._stop(Finding(Outcome(reply.kind.value), str(reply.value)[:300], number, what))
        try:
            return _read_turn(reply.value)
        except InputError as error:
            raise self._stop(Finding(Outcome.FAILED, str(error), number, what)) from None

    def _stop(self, finding: Finding) -> StoppedError:
        """What was wrong before is the cause."""
        self.finding = self.finding or finding
        return StoppedError()


def broken(error: BrokenPortError, before: Finding | None, number: int | None = None, what: str = "") -> Finding:
    """That the port broke; of what was wrong before, the place."""
    if before is None:
        return Finding(Outcome.BROKEN, f"the port {error}", number, what)
    return replace(before, outcome=Outcome.BROKEN, message=f"{before.message}; then the port {error}")


def _read_turn(out: Json) -> Turn:
    """The turn that a reply tells.

    Raises:
        InputError: it tells none.
    """
    if set(out) != {"send", "ended"} or not isinstance(out["send"], list):
        raise InputError(f"out must have `send`, a list, and `ended`, and nothing else; this one has {_names(out)}")
    if not isinstance(out["ended"], dict | None):
        raise InputError("out.ended must be null or an object")
    sent = []
    for number, entry in enumerate(out["send"]):
        try:
            sent.append((party_named(entry["to"]), bytes.fromhex(entry["message"])))
            whole = set(entry) == {"to", "message"} and sent[-1][1].hex() == entry["message"]
        except (KeyError, TypeError, ValueError, AttributeError):
            whole = False
        if not whole:
            raise InputError(f"out.send[{number}] must be an object with `to`, a party, and `message`, hex")
    return Turn(tuple(sent), out["ended"])


def _names(out: Json) -> str:
    return ", ".join(sorted(str(name)[:40] for name in out)[:8]) or "nothing"
