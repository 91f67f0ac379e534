"""One query told once gives the roles' messages byte for byte, and the specification prints what is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import capc.protocol.one_query
from capc.linear.ideal import IdealLinear
from capc.session.parameters import Charge, VoteVariant
from capc.steps.suite import reference_suite
from support.builders import (
    confident_policy,
    constant_model,
    counter_seeds,
    make_account,
    make_parameters,
    make_policy,
    make_session,
)
from support.collaborations import Recorder, collaborate

SIZES = ((2, 2, 3), (2, 3), (2, 2, 2, 3))
WINNERS = (1, 1, 2)
SPEC = Path(__file__).parents[2] / "spec" / "06-protocol.md"


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-007", "CAPC-REL-001")
@pytest.mark.parametrize("variant", [VoteVariant.TOURNAMENT, VoteVariant.ALL_PAIRS])
@pytest.mark.parametrize(
    "policy", [make_policy(), confident_policy(), confident_policy(Charge.REALISED)], ids=["plain", "worst", "realised"]
)
def test_what_is_told_is_what_the_roles_do(policy, variant: VoteVariant) -> None:
    parameters = replace(make_parameters(policy=policy), vote_variant=variant)
    told, done = Recorder(), Recorder()

    def post(sender, receiver, message: bytes) -> bytes:
        told.message(None, sender, receiver, message)
        return message

    suites = [reference_suite(parameters, IdealLinear(parameters.widths.logit_bits)) for _ in range(2)]
    models = [constant_model(size, winner, 2) for size, winner in zip(SIZES, WINNERS, strict=True)]
    seeds = counter_seeds("told")
    parties = capc.protocol.one_query.set_up(make_session(parameters, SIZES), suites[0], models, seeds, post)
    label = capc.protocol.one_query.one_query(parties, make_account(parameters), [1, -1], seeds, post)
    parts = {"suite": suites[1], "draw_seed": counter_seeds("told"), "observer": done}
    assert collaborate(parameters, WINNERS, SIZES, **parts).label([1, -1]).label == label
    assert told.connections == done.connections
    assert len(told.connections) == 4 * 5


def test_it_is_short_and_section_06_prints_it() -> None:
    source = Path(capc.protocol.one_query.__file__).read_text("utf-8")
    assert len(source.splitlines()) <= 80
    functions = source[source.index("def set_up(") :]
    assert f"```python\n{functions}```\n" in SPEC.read_text("utf-8")
