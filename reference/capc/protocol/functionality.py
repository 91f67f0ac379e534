"""F_CaPC, the ideal functionality: everything else in this project is held against these few lines.

It takes all inputs in the clear, and the noise, and gives each role exactly what the specification's table allows
(spec/02-roles.md). Ties go to the lowest class index, everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.hidden import type_only
from capc.noise.release_noise import ReleaseNoise
from capc.session.parameters import Charge, Parameters, ThresholdMode


@dataclass(frozen=True)
class IdealOutput:
    """What each role is given.

    Attributes:
        querying_party: the label, or None for "no consensus".
        privacy_guardian: its own noise; in realised mode also whether the query was answered, else None.
    """

    querying_party: int | None
    privacy_guardian: tuple[ReleaseNoise, bool | None]

    __repr__ = type_only


def ideal_functionality(
    parameters: Parameters,
    logits: Sequence[Sequence[int]],
    noise: ReleaseNoise,
    querying_party_threshold_noise: Sequence[int] = (),
) -> IdealOutput:
    """One query. Answering parties are given nothing.

    Args:
        parameters: grid, threshold and charging.
        logits: one list of C signed integers per answering party.
        noise: the guardian's, in grid units: a draw per class for the label, and as many for a check of its own.
        querying_party_threshold_noise: realised mode only, in grid units, a draw per class.
    """
    unit = 1 << parameters.widths.grid_bits
    votes = [unit * sum(column) for column in zip(*map(one_hot_argmax, logits), strict=True)]
    noisy = _added(votes, noise.classes)
    release = parameters.release
    answered = True
    if release.threshold is not None:
        # The label's draws, or others: no count is compared without one.
        single = release.threshold_mode is ThresholdMode.SINGLE_DRAW
        checked = noisy if single else _added(votes, noise.threshold)
        if querying_party_threshold_noise:
            checked = _added(checked, querying_party_threshold_noise)
        answered = max(checked) >= release.threshold * unit
    label = one_hot_argmax(noisy).index(1) if answered else None
    realised = release.charge is Charge.REALISED
    return IdealOutput(label, (noise, answered if realised else None))


def _added(counts: Sequence[int], draws: Sequence[int]) -> list[int]:
    return [count + draw for count, draw in zip(counts, draws, strict=True)]
