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
        threshold: the draw on the threshold; 0 without one.
    """

    classes: tuple[int, ...]
    threshold: int

    __repr__ = type_only


def draw_release_noise(mechanisms: ReleaseMechanisms, num_classes: int, source: RandomSource) -> ReleaseNoise:
    """The privacy guardian's draws: one per class, then the threshold's where there is one."""
    classes = tuple(mechanisms.answer.sample(source, num_classes))
    threshold = mechanisms.threshold.sample(source, 1)[0] if mechanisms.threshold is not None else 0
    return ReleaseNoise(classes, threshold)
