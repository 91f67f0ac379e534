"""Faults in what is told of weights whose values reach the logits only through a skip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from capc.learning.data import Floats
from capc.models.importing import rounding
from capc_verify.faults.patching import replace_in
from capc_verify.faults.planting import Fault


def roundings_that_skips_carry() -> None:
    """What the rounding of a stage changes is carried on by the stages after it, and by no skip."""
    correct = rounding._influence

    def influence(stages: Sequence[rounding._Squares], channels: Sequence[int]) -> list[Floats]:
        return correct([replace(stage, shape=replace(stage.shape, skips=())) for stage in stages], channels)

    replace_in(rounding, "_influence", influence)


_SKIPS = (
    "tests/models/importing/test_rounding_of_skips.py::"
    "test_a_stage_that_only_a_skip_carries_on_is_refused_for_its_rounding"
)

FAULTS = {
    "roundings_that_skips_carry": Fault(
        roundings_that_skips_carry, None, tuple(f"{_SKIPS}[{depth}]" for depth in (2, 3))
    ),
}
