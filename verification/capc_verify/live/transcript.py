"""What all parties of a session send, in order: played by programs, written down as lines of JSON, read again."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from capc.foundation.errors import InputError, ProtocolError
from capc.foundation.parties import Party, Role
from capc.noise.release_noise import ReleaseNoise
from capc.protocol.functionality import ideal_functionality
from capc.session.parameters import SPEC_VERSION
from capc_verify.live.desk import Turn
from capc_verify.live.joining import JOIN, seated
from capc_verify.live.sessions import LiveSession
from capc_verify.vectors.operations.protocol.sessions import SESSION, session_from
from capc_verify.vectors.operations.protocol.step import MODEL, model_of
from capc_verify.vectors.replay import read_fields
from capc_verify.vectors.values import INTEGERS, Json, many, party_named

SCHEMA = "transcript/v1"


class Seat(Protocol):
    """A party that is given one message at a time."""

    def begin(self) -> Turn:
        """What it does before any message."""

    def deliver(self, sender: Party, message: bytes) -> Turn:
        """What it does when it has this message."""


class RefusedMessageError(Exception):
    """A party refuses a message.

    Attributes:
        party: who refuses.
        error: code and blame.
    """

    def __init__(self, party: Party, error: ProtocolError) -> None:
        super().__init__(f"{party} refuses it: {error.code.value}, blame {error.blame}")
        self.party, self.error = party, error


@dataclass(frozen=True)
class Message:
    """A message on its way.

    Attributes:
        number: from 0, in the order in which messages are sent, and handed over.
        after: the message that its sender had been given last; None at the beginning.
        sender: who sent it.
        receiver: who is given it.
        data: header and payload.
    """

    number: int
    after: int | None
    sender: Party
    receiver: Party
    data: bytes


@dataclass(frozen=True)
class Transcript:
    """A session from beginning to end.

    Attributes:
        mode: its name.
        joins: for each party what it was asked to join with.
        messages: in order.
        ended: what each party held at its end.
    """

    mode: str
    joins: Mapping[Party, Json]
    messages: Sequence[Message]
    ended: Mapping[Party, Json]

    def turns(self, me: Party) -> Iterator[tuple[Message | None, Turn]]:
        """What a party was given, and did then; first what it did before."""
        given: list[Message | None] = [None, *(message for message in self.messages if message.receiver == me)]
        for place, cause in enumerate(given):
            after = None if cause is None else cause.number
            sent = [each for each in self.messages if each.sender == me and each.after == after]
            last = place == len(given) - 1
            yield cause, Turn(tuple((each.receiver, each.data) for each in sent), self.ended[me] if last else None)


def play(seats: Mapping[Party, Seat]) -> tuple[list[Message], dict[Party, Json]]:
    """Hands messages over, one after another in the order in which they are sent, until none is on its way.

    Returns:
        the messages, and what the parties that came to their end held there.

    Raises:
        RefusedMessageError: a party refuses one.
    """
    messages: list[Message] = []
    ended: dict[Party, Json] = {}
    waiting: deque[Message] = deque()

    def note(me: Party, turn: Turn, after: int | None) -> None:
        for receiver, data in turn.sent:
            waiting.append(Message(len(messages), after, me, receiver, data))
            messages.append(waiting[-1])
        if turn.ended is not None:
            ended[me] = turn.ended

    for me, seat in seats.items():
        note(me, seat.begin(), None)
    while waiting:
        message = waiting.popleft()
        try:
            turn = seats[message.receiver].deliver(message.sender, message.data)
        except ProtocolError as error:
            raise RefusedMessageError(message.receiver, error) from None
        note(message.receiver, turn, message.number)
    return messages, ended


def recorded(session: LiveSession) -> Transcript:
    """The reference's transcript of a session."""
    messages, ended = play({me: seated(join) for me, join in session.joins.items()})
    return Transcript(session.mode, session.joins, messages, ended)


def ideal_labels(joins: Mapping[Party, Json], ended: Mapping[Party, Json]) -> list[int | None]:
    """The labels of F_CaPC on all models and queries of a session, and the noise that its parties drew."""
    session = session_from(SESSION.read(next(iter(joins.values()))["session"]))
    models, queries, own, classes, threshold = [], [], [], [], []
    for me, join in joins.items():
        if me.role is Role.ANSWERING_PARTY:
            models.append(model_of(session, me, MODEL.read(join["model"])))
        elif me.role is Role.QUERYING_PARTY:
            asked = [turn["queries"] or [] for turn in join["turns"]]
            queries = [query for batch in asked for query in many(INTEGERS).read(batch)]
            own = many(INTEGERS).read(ended[me]["threshold_noise"])
        else:
            classes, threshold = (many(INTEGERS).read(ended[me][name]) for name in ("class_noise", "threshold_noise"))
    rows = zip(queries, classes, threshold, own, strict=True)
    return [
        ideal_functionality(
            session.parameters,
            [model.logits(query) for model in models],
            ReleaseNoise(tuple(label_noise), tuple(check_noise)),
            own_noise,
        ).querying_party
        for query, label_noise, check_noise, own_noise in rows
    ]


def transcript_text(transcript: Transcript) -> str:
    """The lines of a transcript: first what it is, then the messages, last what the parties held at their ends."""
    first: dict[str, Json] = {"schema": SCHEMA, "spec_version": SPEC_VERSION, "mode": transcript.mode}
    first["joins"] = {str(me): join for me, join in transcript.joins.items()}
    last = {"ended": {str(me): held for me, held in transcript.ended.items()}}
    between = (
        {
            "number": message.number,
            "after": message.after,
            "from": str(message.sender),
            "to": str(message.receiver),
            "message": message.data.hex(),
        }
        for message in transcript.messages
    )
    return "".join(json.dumps(line) + "\n" for line in (first, *between, last))


def read_transcript(path: Path) -> Transcript:
    """The transcript in a file.

    Raises:
        InputError: there is none that can be used.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        first, *between, last = lines
        if (first["schema"], first["spec_version"]) != (SCHEMA, SPEC_VERSION):
            found = f"{first['schema']} of specification {first['spec_version']}"
            raise InputError(f"holds {found}, not {SCHEMA} of {SPEC_VERSION}: record it again")
        messages = [
            Message(
                line["number"],
                line["after"],
                party_named(line["from"]),
                party_named(line["to"]),
                bytes.fromhex(line["message"]),
            )
            for line in between
        ]
        for join in first["joins"].values():
            read_fields(JOIN, join)
        joins, ended = (
            {party_named(name): held for name, held in part.items()} for part in (first["joins"], last["ended"])
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is no whole transcript ({type(error).__name__}): record it again") from None
    if [message.number for message in messages] != list(range(len(messages))) or set(joins) != set(ended):
        raise InputError(f"{path}: is no whole transcript (messages or parties are missing): record it again")
    return Transcript(first["mode"], joins, messages, ended)
