"""Where two parties hold different session documents: hellos, from which both name the first field that differs.

Set-up compares session tags only, which every header carries. A party that finds another tag in a peer's message, or a
hello in the place of one, sends that peer its own hello, once, takes the peer's, and refuses. Spec: CAPC-ROLE-004,
CAPC-ROLE-017 to CAPC-ROLE-019, CAPC-WIRE-010.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from capc.foundation.errors import ErrorCode, ProtocolError
from capc.foundation.parties import Party
from capc.session.envelope import HEADER, Envelope, MessageType
from capc.session.session import Session

HELLO_SLACK = 1 << 18
"""What a peer's document may be longer than one's own, in bytes: room for hundreds of further participants."""

_PLAIN_NAME = re.compile("[a-z0-9_]{1,40}")
_UNBOUND = bytes(32)
"""A hello names no session in its header: it is for a peer that holds another one."""


def hello(session: Session, sender: Party, receiver: Party) -> bytes:
    """The message in which ``sender`` says what session it is in: the session document, all of it public."""
    return _envelope(sender, receiver).seal(session.canonical)


def is_hello(message: bytes) -> bool:
    """Whether this says to be a hello: a peer that sends one in the place of another message refuses the session."""
    return message[:1] == bytes([MessageType.HELLO])


def hello_limit(session: Session) -> int:
    """The length of the longest hello that a party of this session takes, header included; links need read no more."""
    return HEADER.size + len(session.canonical) + HELLO_SLACK


def check_hello(session: Session, sender: Party, receiver: Party, message: bytes) -> None:
    """Accepts the peer's hello if it states exactly this session.

    Its length is checked before anything in it is read, so that no hello costs more than a few of one's own.

    Raises:
        ProtocolError: `parameter_mismatch`, naming the first field that differs, the same at both ends;
            `malformed_length` above :func:`hello_limit`, `non_canonical`, or a code of the header.
    """
    _envelope(sender, receiver).check_header(message)
    if len(message) > hello_limit(session):
        found, most = len(message), hello_limit(session)
        raise ProtocolError(ErrorCode.MALFORMED_LENGTH, sender, f"hello of {found} bytes: at most {most} are read")
    payload = message[HEADER.size :]
    if payload == session.canonical:
        return
    try:
        theirs = json.loads(payload.decode("ascii"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        # ValueError is also what Python raises for an integer of too many digits.
        raise ProtocolError(ErrorCode.NON_CANONICAL, sender, "hello is not a session document") from None
    difference = _first_difference(json.loads(session.canonical), theirs)
    if not difference:
        raise ProtocolError(ErrorCode.NON_CANONICAL, sender, "hello is this session in another encoding")
    raise ProtocolError(ErrorCode.PARAMETER_MISMATCH, sender, difference)


def _no_number(word: str) -> NoReturn:
    """NaN and Infinity, which Python's parser takes, are no JSON."""
    raise ValueError(word)


def _envelope(sender: Party, receiver: Party) -> Envelope:
    return Envelope(MessageType.HELLO, _UNBOUND, 0, 0, sender, receiver)


def _first_difference(mine: object, theirs: object, place: str = "") -> str:
    """The first place, in the order of the document, at which two documents differ; empty if there is none."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        keys = sorted(mine.keys() | theirs.keys())
        return next(filter(None, (_difference_in_field(mine, theirs, key, place) for key in keys)), "")
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        entries = enumerate(zip(mine, theirs, strict=True))
        return next(filter(None, (_first_difference(*pair, f"{place}[{index}]") for index, pair in entries)), "")
    # In Python 1 equals True and 1.0; in a document they are three values.
    if type(mine) is type(theirs) and mine == theirs:
        return ""
    return _difference(place, _shown(mine), _shown(theirs))


def _difference_in_field(mine: dict[str, object], theirs: dict[str, object], key: str, place: str) -> str:
    name = key if _PLAIN_NAME.fullmatch(key) else _shown(key)
    inner = f"{place}.{name}" if place else name
    if key in mine and key in theirs:
        return _first_difference(mine[key], theirs[key], inner)
    here, there = (_shown(fields[key]) if key in fields else "missing" for fields in (mine, theirs))
    return _difference(inner, here, there)


def _difference(place: str, here: str, there: str) -> str:
    """One line, which is the same at both ends but for the two values' order."""
    return f"{place or 'the document'} is {here} here and {there} there"


def _shown(value: object) -> str:
    """A value of a peer in a line for people: short, printable, and without following its nesting."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return ascii(value)[:80]
