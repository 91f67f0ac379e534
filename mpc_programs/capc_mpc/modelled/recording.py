"""A recorded run: streams of bytes between parties, when each byte left and arrived, and moments that were marked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from capc_mpc.emulated.link import Carried

_SEQUENCES = 1 << 32
_Key = tuple[int, int, int, int]
"""Sender, receiver and both ports: one direction of a connection."""


@dataclass(frozen=True, order=True)
class StreamName:
    """One direction of a connection. Two recordings of one program give the same names to the same streams.

    Attributes:
        sender: number of a party.
        receiver: likewise.
        opened_by: which of the two opened the connection.
        number: of the connection, among those that it opened to the other.
    """

    sender: int
    receiver: int
    opened_by: int
    number: int


@dataclass
class Stream:
    """The bytes of one direction, in pieces.

    Attributes:
        ends: how many bytes there were after each piece.
        sent: when it left, in seconds.
        arrived: when it arrived; ascending, as packets do not overtake each other.
    """

    ends: list[int] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)

    @property
    def length(self) -> int:
        """All bytes of it."""
        return self.ends[-1] if self.ends else 0

    def received(self, moment: float) -> int:
        """How many bytes had arrived."""
        place = bisect_right(self.arrived, moment)
        return self.ends[place - 1] if place else 0

    def arrival(self, count: int) -> float:
        """When the last of so many bytes, at least one, had arrived."""
        return self.arrived[bisect_left(self.ends, count)]

    def departure(self, count: int) -> float:
        """When it had left."""
        return self.sent[bisect_left(self.ends, count)]


@dataclass(frozen=True)
class Mark:
    """A moment of a party.

    Attributes:
        party: its number.
        name: of what began or ended then.
        moment: in seconds of the clock of the recording.
    """

    party: int
    name: str
    moment: float


@dataclass(frozen=True)
class Recording:
    """One run.

    Attributes:
        streams: by name.
        marks: in the order of time.
    """

    streams: Mapping[StreamName, Stream]
    marks: Sequence[Mark]


def recording_of(carried: Sequence[Carried], marks: Sequence[Mark]) -> Recording:
    """The run that a link recorded; bytes that were sent again count where they arrived first."""
    asked: dict[_Key, int] = {}
    names: dict[_Key, tuple[StreamName, int]] = {}
    opened: dict[tuple[int, int], int] = {}
    streams: dict[StreamName, Stream] = {}
    for each in carried:
        key = each.sender, each.receiver, each.source_port, each.target_port
        back = each.receiver, each.sender, each.target_port, each.source_port
        if each.payload:
            name, first = names[key]
            _add(streams[name], first, each)
        elif back not in asked:
            asked[key] = each.sequence
        elif key not in names:
            # A connection that nobody accepted has no number.
            number = opened.get(back[:2], 0)
            opened[back[:2]] = number + 1
            for one, sequence in ((key, each.sequence), (back, asked[back])):
                name = StreamName(one[0], one[1], each.receiver, number)
                names[one], streams[name] = (name, sequence + 1), Stream()
    return Recording(streams, sorted(marks, key=lambda mark: mark.moment))


def _add(stream: Stream, first: int, piece: Carried) -> None:
    # Sequence numbers begin again after 4 GiB; a piece is near the end of what came before it.
    start = (piece.sequence - first) % _SEQUENCES
    start += round((stream.length - start) / _SEQUENCES) * _SEQUENCES
    end = start + piece.payload
    if end > stream.length:
        stream.ends.append(end)
        stream.sent.append(piece.sent)
        stream.arrived.append(piece.arrived)
