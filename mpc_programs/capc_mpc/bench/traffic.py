"""What a variant sends when, recorded over links without a rate, for the model; and kept beside a report.

Three runs without a delay, of which that with the median time counts, say how long parties compute and how much they
send. One with a delay says what they wait for.
"""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from capc.foundation.errors import InputError
from capc_mpc.bench.variants import Variant
from capc_mpc.emulated.network import EmulatedNetwork, LinkSpec
from capc_mpc.emulated.process import TUN
from capc_mpc.modelled.prediction import Prediction, longest, predict
from capc_mpc.modelled.programme import Action, Programme, programme_of
from capc_mpc.modelled.recording import Mark, Recording, StreamName, recording_of
from capc_mpc.spdz.namespaces import Namespaces

FOLDER = "traffic"
"""Beside a report."""
_PLAIN_RUNS = 3
DELAY = 0.02
"""Of the run that says what parties wait for: more than they compute between two messages."""
_LONG_SECONDS, _TOO_LONG_SECONDS = 20.0, 300.0
"""What takes longer is recorded once without a delay; what takes much longer, not with one: its order then says alone
what waits for what."""
_MICROSECOND = 1e-6
Run = Callable[[Namespaces], Sequence[Mark]]
"""Runs a variant at a place, once or several times, and marks the beginnings and ends of what is timed."""


@dataclass(frozen=True)
class Traffic:
    """A variant, as the model takes it.

    Attributes:
        programme: what its parties do.
        late: seconds that the link adds to each delay, as it was recorded.
    """

    programme: Programme
    late: float

    def over(self, spec: LinkSpec) -> Prediction:
        """What it takes over a link.

        Raises:
            InputError: it cannot be played to its end.
        """
        return predict(self.programme, LinkSpec(spec.delay + self.late, spec.rate))


def record(parties: int, run: Run, *, first: bool) -> Traffic:
    """Records a variant.

    Args:
        parties: of the run.
        run: what is recorded.
        first: as of :class:`EmulatedNetwork`.

    Raises:
        InputError: no network can be made here.
        MpcError: a run failed.
    """
    plain: list[Recording] = []
    while len(plain) < _PLAIN_RUNS and not any(longest(each.marks) > _LONG_SECONDS for each in plain):
        recording, late = _recorded(parties, LinkSpec(), run, first=first)
        plain.append(recording)
    plain.sort(key=lambda each: longest(each.marks))
    chosen = plain[len(plain) // 2]
    if longest(chosen.marks) > _TOO_LONG_SECONDS:
        return Traffic(programme_of(chosen), late)
    delayed, late = _recorded(parties, LinkSpec(DELAY), run, first=first)
    return Traffic(programme_of(chosen, [delayed]), late)


def _recorded(parties: int, spec: LinkSpec, run: Run, *, first: bool) -> tuple[Recording, float]:
    """What was carried, and how late on average."""
    network = EmulatedNetwork(parties, spec, recording=True, kind=TUN, first=first)
    with tempfile.TemporaryDirectory(prefix="capc-mpc-") as stamps, network:
        marks = run(Namespaces("recorded", network, Path(stamps)))
    report = network.report
    return (recording_of(report.carried, marks), report.late_mean) if report else (Recording({}, marks), 0.0)


def save(folder: Path, variant: Variant, traffic: Traffic) -> None:
    """Keeps it in a report's folder."""
    file = folder / FOLDER / _name(variant)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_to_json(traffic), separators=(",", ":"))
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


def load(folder: Path, variant: Variant) -> Traffic | None:
    """What was kept of a variant, None if nothing was.

    Raises:
        InputError: it cannot be read.
    """
    file = folder / FOLDER / _name(variant)
    if not file.is_file():
        return None
    try:
        return _from_json(json.loads(gzip.decompress(file.read_bytes())))
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError):
        raise InputError(f"{file}: no recorded traffic of capc mpc bench: record it again") from None


def _name(variant: Variant) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", variant.told().lower()) + ".json.gz"


def _to_json(traffic: Traffic) -> dict[str, Any]:
    """Times in microseconds; streams by their place in a list."""
    names = sorted({name for actions in traffic.programme.values() for each in actions for name in _streams(each)})
    place = {name: number for number, name in enumerate(names)}
    return {
        "late": traffic.late,
        "streams": [astuple(name) for name in names],
        "parties": {
            party: [
                [
                    round(each.seconds / _MICROSECOND),
                    -1 if each.stream is None else place[each.stream],
                    each.count,
                    each.mark,
                    [number for name, count in each.needs.items() for number in (place[name], count)],
                ]
                for each in actions
            ]
            for party, actions in traffic.programme.items()
        },
    }


def _streams(action: Action) -> list[StreamName]:
    return [*action.needs, *([] if action.stream is None else [action.stream])]


def _from_json(found: dict[str, Any]) -> Traffic:
    names = [StreamName(*each) for each in found["streams"]]
    programme = {
        int(party): [
            Action(
                {names[place]: count for place, count in zip(needs[::2], needs[1::2], strict=True)},
                micro * _MICROSECOND,
                None if stream < 0 else names[stream],
                count,
                mark,
            )
            for micro, stream, count, mark, needs in actions
        ]
        for party, actions in found["parties"].items()
    }
    return Traffic(programme, float(found["late"]))
