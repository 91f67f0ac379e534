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
        theirs = json.loads(payload.decode("ascii"))
    except (ValueError, RecursionError):
        # ValueError is also what Python raises for an integer of too many digits.
        raise ProtocolError(ErrorCode.NON_CANONICAL, sender, "hello is not a session document") from None
    difference = _first_difference(json.loads(mine), theirs)
    if not difference:
        raise ProtocolError(ErrorCode.NON_CANONICAL, sender, "hello is this session in another encoding")
    raise ProtocolError(ErrorCode.PARAMETER_MISMATCH, sender, difference)


def _envelope(sender: Party, receiver: Party) -> Envelope:
    return Envelope(MessageType.HELLO, _UNBOUND, 0, 0, sender, receiver)


def _first_difference(mine: object, theirs: object, place: str = "") -> str:
    """The first place, in the order of the document, at which two documents differ; empty if there is none."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        keys = sorted(mine.keys() | theirs.keys())
        return next(filter(None, (_difference_in_field(mine, theirs, key, place) for key in keys)), "")
    if isinstance(mine, list) and isinstance(theirs, list):
        if len(mine) != len(theirs):
            return f"{place} has {len(mine)} entries here and {len(theirs)} there"
        entries = enumerate(zip(mine, theirs, strict=True))
        return next(filter(None, (_first_difference(*pair, f"{place}[{index}]") for index, pair in entries)), "")
    # In Python 1 equals True and 1.0; in a document they are three values.
    if type(mine) is type(theirs) and mine == theirs:
        return ""
    return f"{place or 'the document'} is {_shown(mine)} here and {_shown(theirs)} there"


def _difference_in_field(mine: dict[str, object], theirs: dict[str, object], key: str, place: str) -> str:
    if key not in mine:
        return f"{place or 'the document'} has a field {_shown(key)} there and not here"
    inner = f"{place}.{key}" if place else key
    if key not in theirs:
        return f"{inner} is {_shown(mine[key])} here and missing there"
    return _first_difference(mine[key], theirs[key], inner)


def _shown(value: object) -> str:
    """A value of a peer in a line for people: short, printable, and without following its nesting."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return ascii(value)[:80]
