"""What each party did: pieces that it sent, what it needed before each of them, and how long it computed in between.

A message needs what its sender had received in every recording before it was sent. One recording alone says too much:
parties that send each other long messages at once receive pieces of one while they send the other. In a second
recording, over a link that delays, they have sent all before the first piece arrives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from capc_mpc.modelled.recording import Recording, Stream, StreamName


@dataclass(frozen=True)
class Action:
    """What a party does next: it sends a piece, or a mark is passed.

    Attributes:
        needs: bytes of streams that have to have arrived.
        seconds: of computing, after these have and the action before it is done.
        stream: what it sends on; None of a mark.
        count: bytes that it sends.
        mark: the name of what is passed; empty of a piece.
    """

    needs: Mapping[StreamName, int]
    seconds: float
    stream: StreamName | None
    count: int
    mark: str = ""


Programme = dict[int, list[Action]]
"""For each party its actions, in order."""


def programme_of(run: Recording, delayed: Sequence[Recording] = ()) -> Programme:
    """The programme of a run over a link without delay, and of others of the same program that say what needs what.

    Args:
        run: it gives times and lengths.
        delayed: runs over links with a delay; they only take needs away.
    """
    parties = {name.sender for name in run.streams} | {mark.party for mark in run.marks}
    return {party: _actions(party, run, delayed) for party in sorted(parties)}


@dataclass(frozen=True)
class _Moment:
    """An action with its time."""

    moment: float
    stream: StreamName | None
    end: int
    count: int
    mark: str


def _actions(party: int, run: Recording, delayed: Sequence[Recording]) -> list[Action]:
    incoming = {name: stream for name, stream in run.streams.items() if name.receiver == party}
    begun = min((moment for stream in run.streams.values() for moment in stream.sent), default=0.0)
    before, known, actions = begun, dict.fromkeys(incoming, 0), []
    for each in _moments(party, run):
        others = [_received(other, party, _same_moment(other, party, run, each), run) for other in delayed]
        needs = {}
        for name, stream in incoming.items():
            count = min([stream.received(each.moment), *(other.get(name, stream.length) for other in others)])
            # What was needed before is there.
            if count > known[name]:
                needs[name] = known[name] = count
        ready = max([before, *(incoming[name].arrival(count) for name, count in needs.items())])
        actions.append(Action(needs, max(0.0, each.moment - ready), each.stream, each.count, each.mark))
        before = each.moment
    return actions


def _moments(party: int, run: Recording) -> list[_Moment]:
    """Everything that a party did, in the order of time."""
    found = [_Moment(mark.moment, None, 0, 0, mark.name) for mark in run.marks if mark.party == party]
    for name, stream in run.streams.items():
        if name.sender == party:
            counts = [end - start for start, end in zip([0, *stream.ends], stream.ends, strict=False)]
            pieces = zip(stream.sent, stream.ends, counts, strict=True)
            found += [_Moment(moment, name, end, count, "") for moment, end, count in pieces]
    return sorted(found, key=lambda each: each.moment)


def _same_moment(other: Recording, party: int, run: Recording, each: _Moment) -> float | None:
    """When the same action was done in another recording; None if it is not found there."""
    if each.stream is None:
        return next((mark.moment for mark in other.marks if (mark.party, mark.name) == (party, each.mark)), None)
    mine, theirs = run.streams[each.stream], other.streams.get(each.stream)
    if theirs is None or not _alike(mine, theirs):
        return None
    return theirs.departure(_from_end(each.end, mine, theirs))


def _received(other: Recording, party: int, moment: float | None, run: Recording) -> dict[StreamName, int]:
    """What a party had received then, in bytes of the first recording's streams; nothing is said of unlike ones."""
    if moment is None:
        return {}
    found = {}
    for name, mine in run.streams.items():
        theirs = other.streams.get(name)
        if name.receiver == party and theirs is not None and _alike(mine, theirs):
            count = theirs.received(moment)
            found[name] = _from_end(count, theirs, mine) if count else 0
    return found


def _alike(one: Stream, other: Stream) -> bool:
    """Whether they can be the same messages: handshakes differ by some bytes from run to run, nothing else does."""
    return min(one.length, other.length) > 0 and abs(one.length - other.length) <= 64 + one.length // 1000


def _from_end(count: int, here: Stream, there: Stream) -> int:
    """The same place in another recording: what differs in length is at the beginning."""
    return min(max(1, count + there.length - here.length), there.length)
