"""All the noise of one query's release, as its owner holds it."""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.hidden import type_only
from capc.foundation.randomness import RandomSource
from capc.noise.mechanism import ReleaseMechanisms


@dataclass(frozen=True)
class ReleaseNoise:
    """One query's noise, in grid units. Secret to its owner.

    Attributes:
        classes: one draw per class.
        threshold: one draw per class of a check that has draws of its own, else none.
    """

    classes: tuple[int, ...]
    threshold: tuple[int, ...] = ()

    __repr__ = type_only


def draw_release_noise(mechanisms: ReleaseMechanisms, num_classes: int, source: RandomSource) -> ReleaseNoise:
    """The privacy guardian's draws: one per class, then one per class for the check where it has draws of its own."""
    classes = tuple(mechanisms.answer.sample(source, num_classes))
    threshold = () if mechanisms.threshold is None else tuple(mechanisms.threshold.sample(source, num_classes))
    return ReleaseNoise(classes, threshold)
