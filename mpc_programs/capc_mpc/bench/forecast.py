"""How long measuring will take, before anything runs: by the runs on record, and then by what has been measured.

A forecast decides nothing that is measured; it tells people whether to wait.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from statistics import median
from typing import Any

from capc_mpc.bench.measure import Setting
from capc_mpc.bench.rows import Row
from capc_mpc.bench.traffic import DELAY
from capc_mpc.bench.variants import PROGRAMS, Variant
from capc_mpc.interface.protocols import protocol_named
from capc_mpc.interface.steps import Step, parse
from capc_mpc.measuring.evidence import folder
from capc_mpc.spdz.compiling import default_cache, is_compiled
from capc_mpc.two_processes.ways import WAYS, ands, messages

_START_SECONDS = 0.3
"""Of one run: processes, connecting, keys."""
_COMPILE_SECONDS, _COMPILE_PER_CASE = 2.0, 0.02
_BASE_CASES = 10
"""A run of few cases takes as long as one of so many."""
_EMBEDDED_SECONDS, _EMBEDDED_PER_CASE = 0.1, 0.0005
_UNKNOWN_SECONDS = 20.0
"""Of a recorded batch under a protocol that has no record."""
_UNKNOWN_ROUNDS = 100.0
_RECORDINGS = 4
Recorded = tuple[Step, dict[str, dict[str, Any]]]
"""A step, and what a run of it cost, by protocol."""


@cache
def _records() -> dict[str, list[Recorded]]:
    """What was recorded, by program."""
    found: dict[str, list[Recorded]] = {}
    for file in sorted(folder().glob("*.json")):
        entry = json.loads(file.read_text(encoding="utf-8"))
        costs = {name: run["costs"] for name, run in entry["runs"].items()}
        found.setdefault(entry["program"], []).append((parse(entry["program"], entry["arguments"]), costs))
    return found


def _bits(step: Step) -> int:
    """The size of one case: its inputs in bits, of all parties."""
    return sum(field.count * field.width for field in step.fields)


def _nearest(variant: Variant) -> Recorded | None:
    """The record whose cases are most like those of a variant, None if there is none of its program."""
    step = variant.step()
    # A baseline takes about as long as the program that it stands beside.
    records = _records().get(PROGRAMS[variant.program].beside or step.program, [])
    return min(records, key=lambda record: abs(_bits(record[0]) - _bits(step)), default=None)


def seconds_of_a_run(variant: Variant) -> float:
    """One run without start-up: that on record, by the number of cases and the bits of one."""
    step = variant.step()
    if variant.protocol in WAYS:
        return _EMBEDDED_SECONDS + _EMBEDDED_PER_CASE * step.batch
    near = _nearest(variant)
    if near is None:
        return _UNKNOWN_SECONDS
    recorded, costs = near
    cases = max(step.batch, _BASE_CASES) / max(recorded.batch, 1)
    seconds = costs[variant.protocol]["seconds"] if variant.protocol in costs else _UNKNOWN_SECONDS
    return float(seconds) * cases * max(1.0, _bits(step) / _bits(recorded))


def forecast(variant: Variant, setting: Setting, factor: float = 1.0) -> float:
    """Seconds for one row, warm-ups and compiling included.

    Args:
        variant: the point of the matrix.
        setting: how often it runs.
        factor: how much slower this machine is than the one on record.
    """
    once = factor * seconds_of_a_run(variant)
    runs = 1 if once > setting.long_seconds else setting.repeats + setting.warm_ups
    least = min(once, setting.limits.seconds)
    if variant.protocol in WAYS:
        return runs * least
    return runs * (least + _START_SECONDS) + _compiling(variant, setting)


def _compiling(variant: Variant, setting: Setting) -> float:
    step, row = variant.parts()[0], protocol_named(variant.protocol)
    machine = setting.machine
    parties = row.parties_for(step.parties)
    if machine is not None and is_compiled(machine, step, row, parties, default_cache(), variant.choices()):
        return 0.0
    return _COMPILE_SECONDS + _COMPILE_PER_CASE * step.batch


def factor_of(rows: Sequence[Row]) -> float:
    """How much slower runs were than on record, of the rows that say so; 1 if none does."""
    long = [row for row in rows if row.ran and row.link is None and row.seconds > _START_SECONDS]
    ratios = [row.seconds / seconds_of_a_run(row.variant) for row in long]
    return median(ratios) if ratios else 1.0


def told(seconds: float) -> str:
    """A time for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def over_links(variant: Variant, setting: Setting, factor: float = 1.0) -> float:
    """Seconds for the rows of a variant over links, and for recording its traffic, by rounds and bytes on record."""
    if not setting.networks:
        return 0.0
    once = factor * seconds_of_a_run(variant)
    rounds, sent = _rounds_and_bytes(variant)
    recorded = _RECORDINGS * (once + _START_SECONDS) + rounds * DELAY
    runs = setting.repeats + setting.warm_ups
    times = [once + rounds * spec.delay + (8 * sent / spec.rate if spec.rate else 0) for spec in setting.links.values()]
    limit = setting.limits.seconds
    measured = sum((1 if time > setting.long_seconds else runs) * (min(time, limit) + _START_SECONDS) for time in times)
    return recorded + measured


def _rounds_and_bytes(variant: Variant) -> tuple[float, float]:
    """Of one run: rounds, and bytes of one party; on record, by the number of cases."""
    step = variant.step()
    if variant.protocol in WAYS:
        return messages(variant.protocol, step), 32 * ands(variant.protocol, step)
    recorded, costs = _nearest(variant) or (step, {})
    if variant.protocol not in costs:
        return _UNKNOWN_ROUNDS, 0.0
    cost = costs[variant.protocol]
    return cost["rounds"], cost["bytes_sent"] / 2 * step.batch / max(recorded.batch, 1)


def total(variants: Sequence[Variant], setting: Setting, factor: float = 1.0) -> float:
    """Seconds for all of them, over loopback and over links."""
    return sum(forecast(variant, setting, factor) + over_links(variant, setting, factor) for variant in variants)
