"""What a policy says beyond the printed example has keys of its own in the session document, with the told types."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from capc.session.parameters import ThresholdMode, VoteVariant
from capc_verify.vectors.text.documents import example
from support.sections import part_after, section

PRINTED = json.loads("\n".join(part_after(section("16-sessions-and-payloads.md"), "session_document")[1:-1]))
CHECK = {"threshold": Fraction(3, 2), "threshold_sigma": Fraction(9, 4)}
TOLD_CHECK = {"threshold": "3/2", "threshold_sigma": "9/4", "threshold_mode": "two_draws"}
SINGLE = {"threshold": Fraction(2), "threshold_mode": ThresholdMode.SINGLE_DRAW}
TOLD_SINGLE = {"threshold": "2", "threshold_mode": "single_draw"}


@pytest.mark.req("CAPC-PARAM-051")
@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({}, {}),
        (CHECK, TOLD_CHECK),
        (SINGLE, TOLD_SINGLE),
        ({"renyi_order": Fraction(7, 2)}, {"renyi_order": "7/2"}),
        (
            {**CHECK, "renyi_order": Fraction(7, 2), "joint_cost": Fraction(1, 3)},
            {**TOLD_CHECK, "renyi_order": "7/2", "joint_cost": "1/3"},
        ),
        (
            {**SINGLE, "renyi_order": Fraction(4), "argmax_cost": Fraction(1, 9)},
            {**TOLD_SINGLE, "renyi_order": "4", "argmax_cost": "1/9"},
        ),
        ({"argmax_queries": 7}, {"argmax_queries": 7}),
    ],
)
@pytest.mark.parametrize("variant", VoteVariant)
def test_only_what_is_said_adds_a_key(policy: dict[str, Any], told: dict[str, object], variant: VoteVariant) -> None:
    session = example()
    release = replace(session.parameters.release, **policy)
    session = replace(session, parameters=replace(session.parameters, release=release, vote_variant=variant))
    other = {} if variant is VoteVariant.TOURNAMENT else {"vote_variant": variant.value}
    expected = PRINTED | {"parameters": PRINTED["parameters"] | told | other}
    assert json.loads(session.canonical) == expected
