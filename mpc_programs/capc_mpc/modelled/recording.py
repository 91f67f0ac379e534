"""A recorded run: streams of bytes between parties, when each byte left and arrived, and moments that were marked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from capc_mpc.emulated.link import Carried

_SEQUENCES = 1 << 32


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
    names: dict[tuple[int, int, int, int], tuple[StreamName, int]] = {}
    opened: dict[tuple[int, int], int] = {}
    streams: dict[StreamName, Stream] = {}
    for each in carried:
        key = each.sender, each.receiver, each.source_port, each.target_port
        back = each.receiver, each.sender, each.target_port, each.source_port
        if each.payload == 0 and key not in names:
            if back in names:
                other = names[back][0]
                name = StreamName(each.sender, each.receiver, other.opened_by, other.number)
            else:
                number = opened.get(key[:2], 0)
                opened[key[:2]] = number + 1
                name = StreamName(each.sender, each.receiver, each.sender, number)
            names[key] = name, each.sequence + 1
            streams[name] = Stream()
        elif each.payload and key in names:
            name, first = names[key]
            _add(streams[name], first, each)
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
