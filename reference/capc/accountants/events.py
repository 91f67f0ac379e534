"""What happened, without costs: events, and the noised steps that they consist of.

An accountant is given steps and knows their noise; it never sees an event. What no rule below translates is refused by
name, so that nothing can happen free of charge by being unknown.

Spec: CAPC-ACCT-101, CAPC-ACCT-106, CAPC-ACCT-108.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from capc.accountants.ballots import BallotRelease
from capc.accountants.unit import ProtectedUnit, Sensitivity
from capc.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.noise.shares import SharedNoise

Noise = RoundedGaussian | DiscreteGaussian | SharedNoise
"""Noise that an accountant knows: the objects that also sample."""


@dataclass(frozen=True)
class ThresholdCheck:
    """The largest count was compared with the threshold, under this noise; charged whatever came out."""

    query: int
    noise: Noise


@dataclass(frozen=True)
class LabelReleased:
    """A label left, computed under this noise on every class."""

    query: int
    noise: Noise


@dataclass(frozen=True)
class LabelWithheld:
    """The check failed and nothing else was computed; the check is an event of its own, and is charged."""

    query: int


@dataclass(frozen=True)
class ConfidentStep:
    """Check and answer as one step, charged jointly and always, whether a label left or not."""

    query: int
    check: Noise
    answer: Noise


@dataclass(frozen=True)
class BallotsReleased:
    """The labels of a multi-label vote left.

    Attributes:
        query: the number of the query.
        noise: on each noised number.
        release: which mechanism of :mod:`capc.multi_label`, over how many labels.
    """

    query: int
    noise: Noise
    release: BallotRelease


@dataclass(frozen=True)
class NoiseShareLost:
    """One contributor's noise share of this query never arrived, or its owner turned out to collude."""

    query: int


Event = ThresholdCheck | LabelReleased | LabelWithheld | ConfidentStep | BallotsReleased | NoiseShareLost
"""Everything that can be charged."""


@dataclass(frozen=True)
class Step:
    """A vector with noise on each entry.

    Attributes:
        noise: its law.
        sensitivity: how far neighbours can move the vector.
    """

    noise: Noise
    sensitivity: Sensitivity


@dataclass(frozen=True)
class JointStep:
    """A check and the answer that is released only if it passes."""

    check: Step
    answer: Step


Steps = Mapping[Step | JointStep, int] | Mapping[Step, int] | Mapping[JointStep, int]
"""Steps and how often each was taken. Their order does not matter to any accountant."""


def steps_of(events: Iterable[Event], unit: ProtectedUnit) -> Steps:
    """The noised steps of events, as one protected unit can influence them.

    Args:
        events: everything that happened, in any order.
        unit: whom the figure protects.

    Raises:
        InputError: an event is of an unknown kind; joint and separate charges are mixed; a lost share has no shared
            noise in its query; a weight is not a whole number of grid units.
    """
    events = tuple(events)
    lost = Counter(event.query for event in events if isinstance(event, NoiseShareLost))
    _check_one_way_of_charging(events)
    _check_lost_shares(events, lost)
    counts: Counter[Step | JointStep] = Counter()
    for event in events:
        counts.update(_steps_of(event, unit, lost))
    return counts


def _steps_of(event: Event, unit: ProtectedUnit, lost: Mapping[int, int]) -> list[Step | JointStep]:
    if isinstance(event, LabelWithheld | NoiseShareLost):
        return []
    if isinstance(event, ThresholdCheck):
        return [_step(event.query, event.noise, unit, unit.check, lost)]
    if isinstance(event, LabelReleased):
        return [_step(event.query, event.noise, unit, unit.answer, lost)]
    if isinstance(event, BallotsReleased):
        return [_step(event.query, event.noise, unit, event.release.sensitivity(unit), lost)]
    if isinstance(event, ConfidentStep):
        check = _step(event.query, event.check, unit, unit.check, lost)
        return [JointStep(check, _step(event.query, event.answer, unit, unit.answer, lost))]
    raise InputError(f"event {type(event).__name__} is unknown: no accountant can tell what it costs")


def _step(query: int, noise: Noise, unit: ProtectedUnit, sensitivity: Sensitivity, lost: Mapping[int, int]) -> Step:
    if not isinstance(noise, Noise):
        raise InputError(f"noise {type(noise).__name__} is unknown: no accountant can tell what it costs")
    if not unit.fits_grid(noise.grid_bits):
        raise InputError(
            f"weights = {', '.join(map(str, unit.weights))}: give whole multiples of 2^-{noise.grid_bits} votes, "
            "the grid of the noise"
        )
    if isinstance(noise, SharedNoise) and lost.get(query):
        noise = replace(noise, uncounted=noise.uncounted + lost[query])
    return Step(noise, sensitivity)


def _check_one_way_of_charging(events: Sequence[Event]) -> None:
    joint = any(isinstance(event, ConfidentStep) for event in events)
    if joint and any(
        isinstance(event, ThresholdCheck | LabelReleased | LabelWithheld | BallotsReleased) for event in events
    ):
        raise InputError(
            "joint and separate charges are mixed: an account uses one of them, fixed before its first query"
        )


def _check_lost_shares(events: Sequence[Event], lost: Mapping[int, int]) -> None:
    shared = {
        event.query
        for event in events
        for noise in (getattr(event, name, None) for name in ("noise", "check", "answer"))
        if isinstance(noise, SharedNoise)
    }
    for query in lost:
        if query not in shared:
            raise InputError(
                f"a noise share of query {query} is lost, but the query has no shared noise: check the log"
            )
