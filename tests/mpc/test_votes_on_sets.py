"""What the programs make of every set of four labels, by each rule; the votes are worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import pytest

from capc_mpc.emulator.steps import DOMAINS, emulate_step
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import FullCase
from capc_mpc.interface.steps import Step

LOGIT_BITS, VOTE_BITS, GRID_BITS = 8, 10, 4
SETS = list(product((0, 1), repeat=4))
SCALES = [16, 16, 13, 11, 9]
"""floor(16 min(1, sqrt(3 / 2 / size))), by the size of the set; of none there is nothing to scale."""


def case_of(step: Step, chosen: Sequence[int], number: int) -> FullCase:
    """Logits 1 for labels of the set, and 0 or -1 for others, half of which come from two halves."""
    logits = [1 if each else -(place % 2) for place, each in enumerate(chosen)]
    masks = [200 + 11 * place + number for place in range(4)]
    masks = [mask % (1 << LOGIT_BITS) for mask in masks]
    halves = [place & 1 for place in range(4)]
    rest = [(r - m - h) % (1 << LOGIT_BITS) for r, m, h in zip(logits, masks, halves, strict=True)]
    return {
        (0, "masks"): masks,
        (0, "mask_halves"): halves,
        (0, "fresh_shares"): shares_of(step),
        (1, "logit_shares"): rest,
        (1, "logit_halves"): [1] * 4,
        **{(1, f"pad.{vote}"): [3 * vote] for vote in range(len(step.outputs))},
    }


def shares_of(step: Step) -> list[int]:
    return [1000 - 7 * vote for vote in range(len(step.outputs))]


def votes(step: Step, target: str) -> list[tuple[int, ...]]:
    """Of each set: what the querying party learns and the shares of the answering party add up to."""
    cases = [case_of(step, chosen, number) for number, chosen in enumerate(SETS)]
    learnt = emulate_step(step, cases, target).learnt[1]
    columns = [
        [(word + share) % (1 << VOTE_BITS) for word in learnt[output.name]]
        for output, share in zip(step.outputs, shares_of(step), strict=True)
    ]
    return list(zip(*columns, strict=True))


@pytest.mark.req("CAPC-MPC-021")
@pytest.mark.parametrize("target", sorted(DOMAINS))
def test_a_tau_program_scales_by_the_size_of_the_set(target: str) -> None:
    tau = (GRID_BITS, Fraction(3, 2))
    step = steps.multi_label_vote("tau", 4, LOGIT_BITS, VOTE_BITS, len(SETS), tau)
    assert votes(step, target) == [tuple(each * SCALES[sum(chosen)] for each in chosen) for chosen in SETS]


@pytest.mark.req("CAPC-MPC-020", "CAPC-MPC-022")
@pytest.mark.parametrize("target", sorted(DOMAINS))
def test_programs_count_each_label_or_the_number_of_the_set(target: str) -> None:
    binary, powerset = (
        steps.multi_label_vote(rule, 4, LOGIT_BITS, VOTE_BITS, len(SETS)) for rule in ("binary", "powerset")
    )
    assert votes(binary, target) == SETS
    numbers = [a + 2 * b + 4 * c + 8 * d for a, b, c, d in SETS]
    assert votes(powerset, target) == [tuple(int(n == number) for n in range(16)) for number in numbers]
