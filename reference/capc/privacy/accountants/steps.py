"""From what happened to what noise was spent on it: the noised steps that events consist of.

An accountant is given steps and knows their noise; it never sees an event. What no rule below translates is refused by
name, so that nothing can happen free of charge by being unknown.

Spec: CAPC-ACCT-101, CAPC-ACCT-106, CAPC-ACCT-108.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, ReleaseMechanisms, RoundedGaussian, Skellam
from capc.noise.sensitivity import Sensitivity
from capc.noise.shares import SharedNoise
from capc.privacy.accountants.ballots import BallotRelease
from capc.privacy.accountants.unit import ProtectedUnit
from capc.privacy.events import Event, EventKind

Noise = RoundedGaussian | DiscreteGaussian | Skellam | SharedNoise
"""Noise that an accountant knows: the objects that also sample."""


@dataclass(frozen=True)
class Release:
    """How each query was released.

    Attributes:
        answer: the noise on each number of an answer.
        check: of the threshold check; None without a threshold.
        ballots: the multi-label mechanism of :mod:`capc.privacy.multi_label`; None for a single label.
    """

    answer: Noise
    check: Noise | None = None
    ballots: BallotRelease | None = None


def release_of(mechanisms: ReleaseMechanisms) -> Release:
    """The release of an account's queries, whose events are to be read: the objects that sampled their noise.

    Raises:
        InputError: a mechanism is none that an accountant knows.
    """
    for mechanism in (mechanisms.answer, mechanisms.threshold):
        if mechanism is not None and not isinstance(mechanism, Noise):
            raise InputError(f"noise {type(mechanism).__name__} is unknown: no accountant can tell what it costs")
    return Release(mechanisms.answer, mechanisms.threshold)  # type: ignore[arg-type]


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


def steps_of(events: Iterable[Event], release: Release, unit: ProtectedUnit) -> Steps:
    """The noised steps of events, as one protected unit can influence them.

    Args:
        events: everything that happened, in any order; those of an account are
            :attr:`capc.privacy.account.Account.events`.
        release: the noise of every query.
        unit: whom the figure protects.

    Raises:
        InputError: an event is of an unknown kind; a query's events contradict each other; joint and separate charges
            are mixed; a noise is unknown, or not shared though a share was lost; a weight is no multiple of the grid.
    """
    queries: defaultdict[tuple[bytes, int], Counter[EventKind]] = defaultdict(Counter)
    for event in events:
        if event.kind not in list(EventKind):
            raise InputError(f"event kind {event.kind!r} is unknown: no accountant can tell what it costs")
        queries[event.session_tag, event.query][event.kind] += 1
    _check_one_way_of_charging(queries.values())
    counts: Counter[Step | JointStep] = Counter()
    for (_, query), happened in queries.items():
        _check_query(query, happened)
        lost = happened[EventKind.NOISE_SHARE_LOST]
        for kind in (EventKind.THRESHOLD_CHECK, EventKind.CONFIDENT_STEP):
            if happened[kind]:
                counts[step_of(kind, release, unit, lost)] += happened[kind]
        answers = happened[EventKind.ANSWER_RESERVED] - happened[EventKind.LABEL_WITHHELD]
        if answers:
            counts[step_of(EventKind.ANSWER_RESERVED, release, unit, lost)] += answers
    return counts


def step_of(kind: EventKind, release: Release, unit: ProtectedUnit, lost: int = 0) -> Step | JointStep:
    """The noised step that one check, answer or confident step is.

    Args:
        kind: of the event.
        release: the noise.
        unit: whom the figure protects.
        lost: how many noise shares of the query were lost.

    Raises:
        InputError: the kind is no step of such a release, or the noise or a weight cannot be used.
    """
    if kind is EventKind.THRESHOLD_CHECK:
        return _noised(release.check, unit.histogram, unit, lost)
    if kind is EventKind.ANSWER_RESERVED:
        moved = unit.histogram if release.ballots is None else release.ballots.sensitivity(unit)
        return _noised(release.answer, moved, unit, lost)
    if kind is EventKind.CONFIDENT_STEP and release.ballots is None:
        check = _noised(release.check, unit.histogram, unit, lost)
        return JointStep(check, _noised(release.answer, unit.histogram, unit, lost))
    raise InputError(f"event kind {kind.value} is no step of such a release: no accountant can tell what it costs")


def _noised(noise: Noise | None, sensitivity: Sensitivity, unit: ProtectedUnit, lost: int) -> Step:
    if noise is None:
        raise InputError("a threshold was checked, and the release has no noise for it: give the check's noise")
    if not isinstance(noise, Noise):
        raise InputError(f"noise {type(noise).__name__} is unknown: no accountant can tell what it costs")
    if not unit.fits_grid(noise.grid_bits):
        raise InputError(
            f"weights = {', '.join(map(str, unit.weights))}: give whole multiples of 2^-{noise.grid_bits} votes, "
            "the grid of the noise"
        )
    if lost:
        if not isinstance(noise, SharedNoise):
            raise InputError("a noise share is lost, but the noise is not made of shares: check the log")
        noise = replace(noise, uncounted=noise.uncounted + lost)
    return Step(noise, sensitivity)


def _check_one_way_of_charging(queries: Iterable[Counter[EventKind]]) -> None:
    happened = Counter[EventKind]()
    for query in queries:
        happened += query
    if happened[EventKind.CONFIDENT_STEP] and happened[EventKind.THRESHOLD_CHECK] + happened[EventKind.ANSWER_RESERVED]:
        raise InputError(
            "joint and separate charges are mixed: an account uses one of them, fixed before its first query"
        )


def _check_query(query: int, happened: Counter[EventKind]) -> None:
    checks, reserved = happened[EventKind.THRESHOLD_CHECK], happened[EventKind.ANSWER_RESERVED]
    released, withheld = happened[EventKind.LABEL_RELEASED], happened[EventKind.LABEL_WITHHELD]
    lost, charged = happened[EventKind.NOISE_SHARE_LOST], reserved + happened[EventKind.CONFIDENT_STEP]
    for is_wrong, kind, why in (
        (withheld > checks, EventKind.LABEL_WITHHELD, "no threshold was checked that it could miss"),
        (withheld > reserved, EventKind.LABEL_WITHHELD, "no separate charge was reserved for it"),
        (released + withheld > charged, EventKind.LABEL_RELEASED, "it was never reserved"),
        (lost and not charged + checks, EventKind.NOISE_SHARE_LOST, "it was never charged"),
    ):
        if is_wrong:
            raise InputError(f"{kind.value} of query {query}: {why}: check the log")
