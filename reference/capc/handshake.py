"""Step 0: every two parties compare parameters, session id and participant set before anything else."""

from __future__ import annotations

import json

from capc.errors import ErrorCode, ProtocolError
from capc.messages import Envelope, MessageType
from capc.parameters import canonical_json
from capc.parties import Party
from capc.session import Session

_UNBOUND = bytes(32)
"""A hello carries the whole session document, so its header names no session yet."""


def hello(session: Session, sender: Party, receiver: Party) -> bytes:
    """The message in which ``sender`` says what session it is in: the session document, all of it public."""
    return _envelope(sender, receiver).seal(canonical_json(session.document()))


def check_hello(session: Session, sender: Party, receiver: Party, message: bytes) -> None:
    """Accepts the peer's hello if it states exactly this session.

    Raises:
        ProtocolError: `parameter_mismatch`, naming the first field that differs, or a code of the header.
    """
    payload = _envelope(sender, receiver).open(message, payload_length=None)
    mine = canonical_json(session.document())
    if payload == mine:
        return
    try:
        theirs = json.loads(payload)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ProtocolError(ErrorCode.NON_CANONICAL, sender, "hello is not a session document") from None
    raise ProtocolError(ErrorCode.PARAMETER_MISMATCH, sender, _first_difference(json.loads(mine), theirs))


def _envelope(sender: Party, receiver: Party) -> Envelope:
    return Envelope(MessageType.HELLO, _UNBOUND, 0, 0, sender, receiver)


def _first_difference(mine: object, theirs: object, place: str = "") -> str:
    """The first place, in the order of the document, at which two documents differ."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key in sorted(mine.keys() | theirs.keys()):
            if key not in mine or key not in theirs or mine[key] != theirs[key]:
                return _first_difference(mine.get(key), theirs.get(key), f"{place}.{key}" if place else key)
    if isinstance(mine, list) and isinstance(theirs, list):
        if len(mine) != len(theirs):
            return f"{place} has {len(mine)} entries here and {len(theirs)} there"
        for index, (own, other) in enumerate(zip(mine, theirs, strict=True)):
            if own != other:
                return _first_difference(own, other, f"{place}[{index}]")
    if mine == theirs:
        return "the documents differ only in their encoding"
    return f"{place} is {mine!r} here and {str(theirs)[:80]!r} there"
