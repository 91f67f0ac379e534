"""What a run takes over a link, as the model says it, and of what parts that consists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc_mpc.emulated.network import LinkSpec
from capc_mpc.modelled.programme import Programme
from capc_mpc.modelled.recording import Mark
from capc_mpc.modelled.replay import CriticalPath, replay

FORMULA = "computing + messages one after another * delay + bytes that wait for each other * 8 / rate + full windows"
_BEGAN, _ENDED = "began", "ended"
_DIGITS = 9


@dataclass(frozen=True)
class Prediction:
    """Seconds from a beginning to an end, and their parts, which add up to them.

    Attributes:
        seconds: in all.
        computing: of the parties, one after another.
        messages: how many of the link's delays, one after another.
        delay: one of these.
        sending: while bytes left their sender, those of one party at a time.
        windows: while a window of TCP was full, before it had grown.
    """

    seconds: float
    computing: float
    messages: int
    delay: float
    sending: float
    windows: float


def marks_of(party: int, intervals: Iterable[tuple[float, float]]) -> list[Mark]:
    """A party's beginnings and ends, in order, as a recording has them."""
    return [
        Mark(party, f"{name} {number}", moment)
        for number, interval in enumerate(intervals)
        for name, moment in zip((_BEGAN, _ENDED), interval, strict=True)
    ]


def predict(programme: Programme, spec: LinkSpec) -> Prediction:
    """The time of the slowest party; of several intervals that of the median.

    Raises:
        InputError: nothing was marked in it, or it cannot be played to its end.
    """
    passed = replay(programme, spec)
    found: dict[str, Prediction] = {}
    for (party, mark), (end, after) in passed.items():
        name, _, number = mark.partition(" ")
        if name == _ENDED:
            begin, before = passed[party, f"{_BEGAN} {number}"]
            made = _between(begin, before, end, after, spec.delay)
            if number not in found or made.seconds > found[number].seconds:
                found[number] = made
    if not found:
        raise InputError("a recorded run without an end says nothing of its time: record it again")
    return sorted(found.values(), key=lambda each: each.seconds)[(len(found) - 1) // 2]


def _between(begin: float, before: CriticalPath, end: float, after: CriticalPath, delay: float) -> Prediction:
    """Parts to the nanosecond: they are sums and differences of moments."""
    return Prediction(
        round(end - begin, _DIGITS),
        round(after.computing - before.computing, _DIGITS),
        after.delays - before.delays,
        delay,
        round(after.sending - before.sending, _DIGITS),
        round(after.windows - before.windows, _DIGITS),
    )


def longest(marks: Iterable[Mark]) -> float:
    """The longest interval between a beginning and its end, as it was marked; 0 if there is none."""
    moments = {(mark.party, mark.name): mark.moment for mark in marks}
    ends = [(party, name.removeprefix(_ENDED)) for party, name in moments if name.startswith(_ENDED)]
    return max((moments[party, _ENDED + rest] - moments[party, _BEGAN + rest] for party, rest in ends), default=0.0)
