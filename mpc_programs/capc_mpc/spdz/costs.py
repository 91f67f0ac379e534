"""What a run cost, as MP-SPDZ reports it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_NUMBER = r"([0-9.]+(?:e[-+]?\d+)?)"
TIME_LINE = "Time = "
"""How the line begins that tells a party's time, which ends then."""
_TIME = re.compile(rf"^{TIME_LINE}{_NUMBER} seconds", re.MULTILINE)
_SENT = re.compile(rf"^Data sent = {_NUMBER} MB in ~(\d+) rounds", re.MULTILINE)
_GLOBAL = re.compile(rf"^Global data sent = {_NUMBER} MB", re.MULTILINE)
_PHASES = re.compile(
    rf"^Spent {_NUMBER} seconds \({_NUMBER} MB, (\d+) rounds\) on the online phase "
    rf"and {_NUMBER} seconds \({_NUMBER} MB, (\d+) rounds\)",
    re.MULTILINE,
)
_COUNT = re.compile(r"^ +(\d+) +(\S.*)$", re.MULTILINE)
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Phase:
    """One phase of one party: seconds, bytes sent and rounds."""

    seconds: float
    bytes_sent: int
    rounds: int


@dataclass(frozen=True)
class Costs:
    """One run.

    Attributes:
        seconds: the longest time of a party, without start-up and connecting.
        bytes_sent: by all parties together.
        rounds: party 0's, as MP-SPDZ counts: every waiting for messages, so parallel ones may count apart.
        online: party 0's online phase; None where the protocol does not tell the phases apart.
        offline: party 0's preprocessing; None likewise.
        counts: what the program used: multiplications, triples, bits and the like.
        sent: by each party, in their order.
        party_seconds: of each party, likewise.
    """

    seconds: float
    bytes_sent: int
    rounds: int
    online: Phase | None = None
    offline: Phase | None = None
    counts: dict[str, int] = field(default_factory=dict)
    sent: tuple[int, ...] = ()
    party_seconds: tuple[float, ...] = ()


def read_costs(error_streams: Sequence[str]) -> Costs:
    """The costs from every party's error stream, in the order of the parties."""
    first = error_streams[0]
    times = [_found(_TIME, text) for text in error_streams]
    own = [int(_found(_SENT, text) * _MEGABYTE + 0.5) for text in error_streams]
    sent, everyone, phases = _SENT.search(first), _GLOBAL.search(first), _PHASES.search(first)
    return Costs(
        seconds=max(times),
        bytes_sent=int(float(everyone[1]) * _MEGABYTE + 0.5) if everyone else sum(own),
        rounds=int(sent[2]) if sent else 0,
        online=_phase(phases, 1) if phases else None,
        offline=_phase(phases, 4) if phases else None,
        counts={match[2].strip(): int(match[1]) for match in _COUNT.finditer(_detailed(first))},
        sent=tuple(own),
        party_seconds=tuple(times),
    )


def _found(pattern: re.Pattern[str], text: str) -> float:
    """The number that a party says, 0 if it says none."""
    match = pattern.search(text)
    return float(match[1]) if match else 0.0


def _phase(match: re.Match[str], start: int) -> Phase:
    seconds, megabytes, rounds = match.groups()[start - 1 : start + 2]
    return Phase(float(seconds), int(float(megabytes) * _MEGABYTE + 0.5), int(rounds))


def _detailed(text: str) -> str:
    """The lines after "Detailed costs" and after "Actual preprocessing cost", up to the next line that is no count."""
    kept, inside = [], False
    for line in text.splitlines():
        if line.startswith(("Detailed costs", "Actual preprocessing cost")):
            inside = True
        elif inside and not line.startswith(" "):
            inside = False
        elif inside:
            kept.append(line)
    return "\n".join(kept)
