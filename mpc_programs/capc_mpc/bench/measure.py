"""Measuring one variant: warm-ups, repeated runs, and the comparison of every output with the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from statistics import median

from capc.foundation.errors import InputError
from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc.bench.rows import Once, Row
from capc_mpc.bench.variants import Variant
from capc_mpc.emulated.network import LinkSpec
from capc_mpc.interface.encoding import FullCase
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.expected import learnt_as_expected
from capc_mpc.interface.protocols import Adversary, Channels, Model, protocol_named
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.interface.steps import Step
from capc_mpc.spdz.costs import Costs
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.processes import Limits, end_all
from capc_mpc.spdz.running import Around, run
from capc_mpc.spdz.site import LOOPBACK, Site
from capc_mpc.two_processes.party import Measured, Task
from capc_mpc.two_processes.placed import measure_at
from capc_mpc.two_processes.ways import WAYS, ands, messages
from capc_spec.registry import TAGS

LONG_SECONDS = 20.0
"""What disturbs a longer run is short beside it."""


@dataclass(frozen=True)
class Setting:
    """How variants are measured.

    Attributes:
        machine: the MP-SPDZ; None where only the embedded engine is measured.
        limits: of one run.
        repeats: runs that count.
        warm_ups: runs before them, which fill caches and compile.
        networks: to model, where traffic is recorded.
        links: of these, over which it is measured.
        long_seconds: a first run that took longer is the measurement, and the only one.
    """

    machine: Machine | None
    limits: Limits = field(default_factory=Limits)
    repeats: int = 3
    warm_ups: int = 1
    networks: Mapping[str, LinkSpec] = field(default_factory=dict)
    links: Mapping[str, LinkSpec] = field(default_factory=dict)
    long_seconds: float = LONG_SECONDS


@dataclass(frozen=True)
class _Ran:
    """One run of a variant, all its threads together."""

    equal: bool
    once: Once
    costs: Costs
    around: Around | None = None


def blank(variant: Variant, site: Site = LOOPBACK) -> Row:
    """The row of a variant that has not run.

    Raises:
        InputError: the protocol has not as many parties as the program needs.
    """
    if variant.protocol in WAYS:
        return Row(variant, site.name, 2, Model.BASE, Adversary.SEMI_HONEST, Channels.PLAIN)
    protocol = protocol_named(variant.protocol)
    parties = protocol.parties_for(variant.step().parties)
    return Row(variant, site.name, parties, protocol.model, protocol.adversary, protocol.channels)


def measure(variant: Variant, setting: Setting, site: Site = LOOPBACK) -> Row:
    """Runs one variant on sampled inputs, several times if that is quick; what fails says why.

    Args:
        variant: the point of the matrix.
        setting: how often, within which limits.
        site: where the parties are; side by side on loopback by default.

    Raises:
        InputError: the protocol has not as many parties as the program needs.
    """
    row = blank(variant, site)
    warm: list[_Ran] = []
    runs: list[_Ran] = []
    try:
        if variant.protocol in WAYS:
            return _embedded(row, variant, setting, site)
        for _ in range(setting.warm_ups):
            warm.append(_run(variant, setting, site))
            if warm[-1].once.seconds > setting.long_seconds:
                break
        if warm and warm[-1].once.seconds > setting.long_seconds and not _made_keys(warm[-1]):
            runs.append(warm.pop())
        while len(runs) < setting.repeats and not any(ran.once.seconds > setting.long_seconds for ran in runs):
            runs.append(_run(variant, setting, site))
    except (InputError, MpcError) as error:
        return replace(row, refused=str(error))
    return _filled(row, warm, runs)


def _filled(row: Row, warm: Sequence[_Ran], runs: Sequence[_Ran]) -> Row:
    costs = sorted((ran.costs for ran in runs), key=lambda costs: costs.seconds)[(len(runs) - 1) // 2]
    arounds = [ran.around for ran in runs if ran.around is not None]
    joint = next((ran.once.seconds for ran in warm if _made_keys(ran)), None)
    return replace(
        row,
        equal=all(ran.equal for ran in [*warm, *runs]),
        compile=max((around.compile_seconds for around in arounds), default=None),
        keys=median(around.keys_seconds for around in arounds) if arounds else None,
        joint_keys=None if joint is None else max(0.0, joint - median(ran.once.seconds for ran in runs)),
        warm_ups=len(warm),
        runs=tuple(ran.once for ran in runs),
        costs=costs,
    )


def _made_keys(ran: _Ran) -> bool:
    return ran.around is not None and ran.around.made_keys


def _run(variant: Variant, setting: Setting, site: Site) -> _Ran:
    """One run of all threads, at once."""
    steps = variant.parts()
    cases = [sample_cases(step, XofSource(fresh_seed(), TAGS["mpc-bench"])) for step in steps]
    if len(steps) == 1:
        return _spdz(variant, steps[0], cases[0], setting, site)
    with ThreadPoolExecutor(len(steps)) as pool:
        try:
            parts = list(pool.map(lambda step, own: _spdz(variant, step, own, setting, site), steps, cases))
        except KeyboardInterrupt:
            end_all()
            raise
    return _together(parts)


def _spdz(variant: Variant, step: Step, cases: list[FullCase], setting: Setting, site: Site) -> _Ran:
    protocol = protocol_named(variant.protocol)
    done = run(
        step,
        cases,
        protocol.name,
        model=protocol.model,
        limits=setting.limits,
        machine=setting.machine,
        chosen=variant.choices(),
        site=site,
    )
    costs, around = done.costs, done.around
    online, offline = (None if phase is None else phase.seconds for phase in (costs.online, costs.offline))
    once = Once(costs.seconds, around.setup_seconds, online, offline, costs.sent, around.peak_bytes)
    return _Ran(learnt_as_expected(step, done.cases, done.learnt), once, costs, around)


def run_once(variant: Variant, setting: Setting, site: Site) -> tuple[float, ...]:
    """Seconds that each party of MP-SPDZ timed in one run of a variant of one thread.

    Raises:
        InputError, MpcError: it does not run.
    """
    return _run(variant, setting, site).costs.party_seconds


def task_of(variant: Variant, warm_ups: int, repeats: int) -> Task:
    """What two processes of the embedded engine do."""
    step = variant.step()
    return Task(variant.protocol, step.program, tuple(step.arguments), warm_ups, repeats)


def _embedded(row: Row, variant: Variant, setting: Setting, site: Site) -> Row:
    """Two processes that do all batches, one after another.

    Raises:
        MpcError: one of them failed.
    """
    runs = setting.warm_ups + setting.repeats
    done = measure_at(site, task_of(variant, setting.warm_ups, setting.repeats), runs * setting.limits.seconds)
    onces = _onces(done)
    step, seconds = variant.step(), median(once.seconds for once in onces)
    counts = {"ANDs": ands(variant.protocol, step)}
    rounds = messages(variant.protocol, step)
    costs = Costs(seconds, sum(done.sent), rounds, counts=counts, sent=done.sent, party_seconds=(seconds, seconds))
    return replace(row, equal=done.equal, warm_ups=setting.warm_ups, runs=onces, costs=costs)


def _onces(done: Measured) -> tuple[Once, ...]:
    times = zip(done.began, done.ended, done.offline, strict=True)
    return tuple(
        Once(ended - began, done.set_up, ended - began, offline, done.sent, done.peak)
        for began, ended, offline in times
    )


def _together(parts: Sequence[_Ran]) -> _Ran:
    """Runs side by side as one: their slowest time, and all their bytes and memory."""
    onces, costs = [part.once for part in parts], [part.costs for part in parts]
    slowest = max(costs, key=lambda cost: cost.seconds)
    once = Once(
        slowest.seconds,
        _largest([one.setup for one in onces]),
        _largest([one.online for one in onces]),
        _largest([one.offline for one in onces]),
        _sums([one.sent for one in onces]),
        tuple(None if None in column else sum(column) for column in zip(*(one.peak for one in onces), strict=True)),
    )
    counts = {name: sum(cost.counts.get(name, 0) for cost in costs) for name in slowest.counts}
    whole = replace(slowest, bytes_sent=sum(cost.bytes_sent for cost in costs), sent=once.sent, counts=counts)
    arounds = [part.around for part in parts if part.around is not None]
    around = max(arounds, key=lambda one: one.compile_seconds)
    return _Ran(all(part.equal for part in parts), once, whole, replace(around, peak_bytes=once.peak))


def _largest(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return max(told) if len(told) == len(values) else None


def _sums(columns: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*columns, strict=True)))
