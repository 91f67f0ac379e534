"""One query told once gives the roles' messages byte for byte, and the specification prints what is told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

import capc.one_query
from capc.linear import IdealLinear
from capc.parameters import Charge, VoteVariant
from capc.protocol import Collaboration
from capc.suite import reference_suite
from support.builders import (
    confident_policy,
    constant_model,
    counter_seeds,
    make_account,
    make_parameters,
    make_policy,
    make_session,
)

SIZES = ((2, 2, 3), (2, 3), (2, 2, 2, 3))
SPEC = Path(__file__).parents[2] / "spec" / "06-protocol.md"


class Post:
    """Every message of each connection."""

    def __init__(self) -> None:
        self.connections = defaultdict(list)

    def __call__(self, sender, receiver, message: bytes) -> bytes:
        self.connections[sender, receiver].append(message)
        return message

    def message(self, step, sender, receiver, message: bytes) -> None:
        self(sender, receiver, message)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-007", "CAPC-REL-001")
@pytest.mark.parametrize("variant", [VoteVariant.TOURNAMENT, VoteVariant.ALL_PAIRS])
@pytest.mark.parametrize(
    "policy", [make_policy(), confident_policy(), confident_policy(Charge.REALISED)], ids=["plain", "worst", "realised"]
)
def test_what_is_told_is_what_the_roles_do(policy, variant: VoteVariant) -> None:
    parameters = replace(make_parameters(policy=policy), vote_variant=variant)
    session = make_session(parameters, SIZES)
    models = [constant_model(size, winner, 2) for size, winner in zip(SIZES, (1, 1, 2), strict=True)]
    told, done = Post(), Post()
    suite, seeds = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits)), counter_seeds("told")
    parties = capc.one_query.set_up(session, suite, models, seeds, told)
    label = capc.one_query.one_query(parties, make_account(parameters), [1, -1], seeds, told)
    suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits))
    account = make_account(parameters)
    roles = Collaboration(session, models, suite, account, draw_seed=counter_seeds("told"), observer=done)
    assert roles.label([1, -1]).label == label
    assert told.connections == done.connections
    assert len(told.connections) == 4 * 5


def test_it_is_short_and_section_06_prints_it() -> None:
    source = Path(capc.one_query.__file__).read_text("utf-8")
    assert len(source.splitlines()) <= 80
    functions = source[source.index("def set_up(") :]
    assert f"```python\n{functions}```\n" in SPEC.read_text("utf-8")
