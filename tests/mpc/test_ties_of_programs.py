"""Ties in the programs of an engine: of step 3, whose sums have no halves."""

from __future__ import annotations

import pytest

from capc_mpc.emulator.steps import DOMAINS, emulate_step
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import FullCase

TIES = {(5, 5, 5, 5): 0, (1, 5, 5, 0): 1, (0, 1, 5, 5): 2, (5, 0, 0, 5): 0, (-3, -2, -4, -2): 1}
"""Counts with noise, and the lowest class of the largest."""


@pytest.mark.req("CAPC-ARG-002")
@pytest.mark.parametrize("target", sorted(DOMAINS))
def test_a_release_of_equal_sums_tells_the_lowest_class(target: str) -> None:
    own = [7, 60, 0, 31]
    step = steps.label_release(4, 6, len(TIES), "plain")
    cases: list[FullCase] = [
        {
            (0, "noised_shares"): [(count - share) % 64 for count, share in zip(counts, own, strict=True)],
            (1, "vote_shares"): own,
            **{(1, f"pad.{number}"): [number % 2] for number in range(len(step.outputs))},
        }
        for counts in TIES
    ]
    assert emulate_step(step, cases, target).learnt[1]["label"] == list(TIES.values())
