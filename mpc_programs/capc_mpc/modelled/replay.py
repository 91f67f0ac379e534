"""A programme over a link: when every piece leaves and arrives, and so when every mark is passed.

One event follows another, as on the wire. A piece leaves when its sender has computed, when its window lets it, and
after what was sent before it; it arrives a delay after its last byte has left:

    sent    = max(sent before it, arrival of what it needs) + computing
    leaves  = max(sent, window open, bytes before it have left) + 8 bytes / rate
    arrives = leaves + delay

A window begins with ten segments and grows by what is acknowledged, while it is used, as TCP's does in slow start. A
message that is shorter than a segment is one, unless it waits and goes with what waits behind it.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from capc_mpc.emulated.network import LinkSpec
from capc_mpc.modelled.programme import Action, Programme
from capc_mpc.modelled.recording import StreamName

SEGMENT, HEADERS = 1448, 52
"""Bytes of a program's own in a packet, and of headers."""
FIRST_WINDOW = 10
"""Segments."""
_IDLE_SECONDS = 0.2
"""The least time after which a window that was not used is forgotten, beside the round trip."""


@dataclass(frozen=True)
class CriticalPath:
    """What happened one after another until a moment: its parts add up to it.

    Attributes:
        computing: seconds of the parties.
        delays: how many times the link's delay.
        sending: seconds in which the sender's rate was used, by these bytes or by bytes before them.
        windows: seconds in which a window was full and the rate was not used.
    """

    computing: float = 0.0
    delays: int = 0
    sending: float = 0.0
    windows: float = 0.0

    def then(self, *, computing: float = 0, delays: int = 0, sending: float = 0, windows: float = 0) -> CriticalPath:
        """And after it so much."""
        return CriticalPath(
            self.computing + computing,
            self.delays + delays,
            self.sending + sending,
            self.windows + windows,
        )


@dataclass
class _Party:
    number: int
    actions: list[Action]
    next: int = 0
    moment: float = 0.0
    path: CriticalPath = field(default_factory=CriticalPath)
    scheduled: bool = False


@dataclass(frozen=True)
class _Piece:
    """Bytes that a party has sent: when, by which path, and how long its rate had been used until then."""

    count: int
    moment: float
    path: CriticalPath
    used: float


@dataclass
class _Sender:
    """A party's rate: until when it is used, and for how long it has been in all."""

    free: float = 0.0
    used: float = 0.0

    def used_until(self, moment: float) -> float:
        """Seconds of use before a moment, now or later."""
        return self.used - max(0.0, self.free - moment)


@dataclass
class _Flow:
    """One stream on its way."""

    waiting: deque[_Piece] = field(default_factory=deque)
    window: int = FIRST_WINDOW
    used: int = 0
    flying: int = 0
    last: float = 0.0
    received: int = 0
    arrivals: list[tuple[int, float, CriticalPath]] = field(default_factory=list)


Passed = dict[tuple[int, str], tuple[float, CriticalPath]]
"""For each party and mark, when it was passed, in seconds from the beginning, and the path to it."""


def replay(programme: Programme, spec: LinkSpec) -> Passed:
    """Plays a programme over a link, to its end."""
    played = _Replay(programme, spec)
    played.run()
    return played.passed


class _Replay:
    def __init__(self, programme: Programme, spec: LinkSpec) -> None:
        self.passed: Passed = {}
        self._spec = spec
        self._parties = {number: _Party(number, actions) for number, actions in programme.items()}
        self._flows: dict[StreamName, _Flow] = {}
        for actions in programme.values():
            for action in actions:
                for name in [*action.needs, *([action.stream] if action.stream else [])]:
                    self._flows.setdefault(name, _Flow())
        self._senders = {number: _Sender() for number in self._parties}
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0

    def run(self) -> None:
        """Every event, in the order of time."""
        for party in self._parties.values():
            self._schedule(party)
        while self._events:
            moment, _, happen = heapq.heappop(self._events)
            happen(moment)

    def _at(self, moment: float, happen: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (moment, self._count, happen))

    def _schedule(self, party: _Party) -> None:
        """Its next action, if what it needs is there."""
        if party.scheduled or party.next == len(party.actions):
            return
        action = party.actions[party.next]
        ready, path = party.moment, party.path
        for name, count in action.needs.items():
            flow = self._flows[name]
            if flow.received < count:
                return
            arrived, how = _arrival(flow, count)
            if arrived > ready:
                ready, path = arrived, how
        party.scheduled = True
        path = path.then(computing=action.seconds)
        self._at(ready + action.seconds, lambda moment: self._act(party, action, moment, path))

    def _act(self, party: _Party, action: Action, moment: float, path: CriticalPath) -> None:
        party.moment, party.path = moment, path
        party.next += 1
        party.scheduled = False
        if action.stream is None:
            self.passed[party.number, action.mark] = moment, path
        else:
            flow = self._flows[action.stream]
            used = self._senders[action.stream.sender].used_until(moment)
            flow.waiting.append(_Piece(action.count, moment, path, used))
            self._transmit(action.stream, flow, moment)
        self._schedule(party)

    def _transmit(self, name: StreamName, flow: _Flow, now: float) -> None:
        """What the window lets go."""
        idle = max(_IDLE_SECONDS, 4 * self._spec.delay)
        if not flow.flying and now - flow.last > idle:
            flow.window = max(FIRST_WINDOW, flow.window >> min(40, int((now - flow.last) / idle)))
        waited = bool(flow.waiting) and flow.waiting[0].moment < now
        while flow.waiting and flow.flying < flow.window:
            segments = flow.window - flow.flying
            room = segments * SEGMENT if waited else min(segments * SEGMENT, flow.waiting[0].count)
            self._send(name, flow, self._taken(flow, room), now)

    def _taken(self, flow: _Flow, room: int) -> list[_Piece]:
        """The first pieces that waited, up to so many bytes; the last of them may be a part of one."""
        taken = []
        while room and flow.waiting:
            piece = flow.waiting.popleft()
            if piece.count > room:
                flow.waiting.appendleft(replace(piece, count=piece.count - room))
                piece = replace(piece, count=room)
            room -= piece.count
            taken.append(piece)
        return taken

    def _send(self, name: StreamName, flow: _Flow, pieces: list[_Piece], now: float) -> None:
        """Pieces as one, after what was sent before."""
        count = sum(piece.count for piece in pieces)
        segments = -(-count // SEGMENT)
        flow.flying += segments
        flow.used = max(flow.used, flow.flying)
        flow.last = now
        seconds = 8 * (count + HEADERS * segments) / self._spec.rate if self._spec.rate else 0.0
        sender, last = self._senders[name.sender], pieces[-1]
        sender.free = max(now, sender.free) + seconds
        sender.used += seconds
        using = sender.used - last.used
        path = last.path.then(delays=1, sending=using, windows=sender.free - last.moment - using)
        self._at(sender.free + self._spec.delay, lambda moment: self._arrive(name, flow, count, moment, path))
        self._at(sender.free + 2 * self._spec.delay, lambda moment: self._acknowledged(name, flow, segments, moment))

    def _arrive(self, name: StreamName, flow: _Flow, count: int, moment: float, path: CriticalPath) -> None:
        flow.received += count
        flow.arrivals.append((flow.received, moment, path))
        self._schedule(self._parties[name.receiver])

    def _acknowledged(self, name: StreamName, flow: _Flow, segments: int, now: float) -> None:
        flow.flying -= segments
        if flow.window < 2 * flow.used:
            flow.window += segments
        self._transmit(name, flow, now)


def _arrival(flow: _Flow, count: int) -> tuple[float, CriticalPath]:
    """When so many bytes were there, and how they came."""
    place = bisect_left(flow.arrivals, count, key=lambda arrival: arrival[0])
    _, moment, path = flow.arrivals[place]
    return moment, path
