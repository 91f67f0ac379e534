"""A port plays one party of a session, the reference all others; or it is given a recorded party's messages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

from capc.foundation.errors import InputError
from capc.foundation.parties import Party, Role
from capc_verify.conformance.child import BrokenPortError
from capc_verify.conformance.difference import compare
from capc_verify.conformance.judge import BREAKS_OF_ONE_OPERATION
from capc_verify.conformance.live.port_seat import PortSeat, Script, StoppedError, Twin, broken
from capc_verify.conformance.live.sent import Sender
from capc_verify.conformance.session import Conversation
from capc_verify.conformance.verdicts import Finding, Outcome, Verdict
from capc_verify.live.joining import seated
from capc_verify.live.sessions import MODES, LiveSession, live_session
from capc_verify.live.transcript import RefusedMessageError, Seat, Transcript, ideal_labels, play, recorded
from capc_verify.vectors.values import Json

LIVE, REPLAY = "live", "replay"
"""What stands in the place of a level, and of a vector file."""
STATEMENTS = ("CAPC-ROLE-023", "CAPC-REL-001")

shadow = cache(lambda mode: recorded(live_session(mode)))
"""The reference's transcript of a mode."""


def session_name(level: str, mode: str, me: Party) -> str:
    """As the report and a list of expectations name it."""
    return f"{level}::{mode}/{me}"


def live_sessions(modes: Sequence[str] = (), roles: Sequence[Role] = ()) -> list[tuple[str, Party]]:
    """Each mode with each party of these roles; all if there are none."""
    return [
        (mode, party)
        for mode in modes or MODES
        for party in live_session(mode).joins
        if not roles or party.role in roles
    ]


def replayed_parties(transcript: Transcript, roles: Sequence[Role]) -> list[Party]:
    """Who of a transcript can be replayed, of these roles; all if there are none.

    Raises:
        InputError: nobody.
    """
    chosen = [me for me in transcript.joins if not roles or me.role in roles]
    found = [me for me in chosen if not Sender(me, transcript.joins[me]).encrypts]
    if not found:
        raise InputError("the querying party of a session with HE cannot be replayed: its secret key is its own")
    return found


class LiveJudge:
    """Judges one port.

    Args:
        conversation: with the port.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._breaks: Counter[Role] = Counter()

    def live(self, names: Sequence[tuple[str, Party]]) -> list[Verdict]:
        """Plays a session for each mode and party."""
        return [self._verdict(LIVE, mode, me, partial(self._live, live_session(mode))) for mode, me in names]

    def replay(self, transcript: Transcript, parties: Sequence[Party]) -> list[Verdict]:
        """Hands recorded messages over, to each party in turn."""
        judge = partial(self._replay, transcript)
        return [self._verdict(REPLAY, transcript.mode, me, judge) for me in parties]

    def _verdict(self, level: str, mode: str, me: Party, judge: Callable[[str, Party], Finding | None]) -> Verdict:
        started, name = time.monotonic(), session_name(level, mode, me)
        if self._breaks[me.role] >= BREAKS_OF_ONE_OPERATION:
            message = f"not asked any more: the port broke {self._breaks[me.role]} times as {me.role}"
            return Verdict(level, name, STATEMENTS, Finding(Outcome.BLOCKED, message), 0.0)
        finding = judge(name, me)
        try:
            # A second answer to the last message shows here, while it is known whose it is.
            self._conversation.reset()
        except BrokenPortError as error:
            finding = broken(error, finding)
        self._breaks[me.role] += finding is not None and finding.outcome is Outcome.BROKEN
        return Verdict(level, name, STATEMENTS, finding, round(time.monotonic() - started, 3))

    def _live(self, session: LiveSession, name: str, me: Party) -> Finding | None:
        sender = Sender(me, session.joins[me])
        desks = {party: seated(join) for party, join in session.joins.items()}
        # Where encryptions make other bytes each time, the querying party has no twin that could open the responses.
        recorded_turns = (turn for _, turn in shadow(session.mode).turns(me)) if sender.encrypts else ()
        expected = Script(recorded_turns) if sender.encrypts else Twin(desks[me])
        port = PortSeat(self._conversation, name, sender, expected)
        seats: dict[Party, Seat] = {**desks, me: port}
        try:
            _, ended = play(seats)
            waiting = [party for party, desk in desks.items() if party != me and me in desk.waits_for]
        except StoppedError:
            return _with(port.finding, port.consequence)
        except RefusedMessageError as refusal:
            return _with(port.finding, str(refusal))
        finally:
            for desk in desks.values():
                desk.close()
        if waiting:
            names = ", ".join(map(str, waiting))
            return _with(port.finding, f"no message for which {names} waits: missing_participant, blame {me}")
        if port.finding is not None:
            return _with(port.finding, "all parties come to their ends")
        return _wrong_labels(session, ended)

    def _replay(self, transcript: Transcript, name: str, me: Party) -> Finding | None:
        turns = list(transcript.turns(me))
        port = PortSeat(self._conversation, name, Sender(me, transcript.joins[me]), Script(turn for _, turn in turns))
        try:
            for message, _ in turns:
                if message is None:
                    port.begin()
                elif port.finding is None:
                    port.deliver(message.sender, message.data)
        except StoppedError:
            return _with(port.finding, port.consequence)
        return port.finding


def _with(finding: Finding | None, consequence: str) -> Finding:
    """What is wrong, and what came of it. With HE not all bytes are compared, and what came of them says it alone."""
    if finding is None:
        return Finding(Outcome.FAILED, consequence)
    return replace(finding, message=f"{finding.message}; then {consequence}") if consequence else finding


def _wrong_labels(session: LiveSession, ended: Mapping[Party, Json]) -> Finding | None:
    """Holds the labels to the ideal functionality."""
    ideal = ideal_labels(session.joins, ended)
    (asking,) = (party for party in ended if party.role is Role.QUERYING_PARTY)
    difference = compare(ideal, ended[asking]["labels"], {}, "ended.labels")
    if difference is None:
        return None
    difference = replace(difference, expected=f"{difference.expected}, of F_CaPC")
    return Finding(Outcome.FAILED, str(difference), difference=difference)
