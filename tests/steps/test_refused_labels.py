"""The release on the engine that a job uses, of which one decoding bit was changed, under every policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capc.foundation.errors import ErrorCode
from capc.linear.ideal import IdealLinear
from capc.steps.suite import reference_suite
from capc.two_party.vectorised import VectorisedTwoParty
from steps.decoding_bits import a_flipped_one_is_refused_and_costs_nothing
from support.builders import counter_seeds, fixed_mechanisms, make_account, make_session
from support.driver import Driver
from support.runs import parameters_for, voters

SIZES = ((2, 3), (2, 3))


def set_up(policy: str, winners: tuple[int, int]) -> Driver:
    """Without noise."""
    parameters = parameters_for(policy)
    suite = reference_suite(parameters, IdealLinear(14), VectorisedTwoParty())
    none = [[0, 0, 0]]
    suite = replace(suite, mechanisms=fixed_mechanisms(none, none if suite.mechanisms.threshold else None))
    session = make_session(parameters, SIZES)
    driver = Driver(session, voters(*winners, sizes=SIZES), suite, make_account(parameters), counter_seeds(policy))
    driver.set_up()
    return driver


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-008")
@pytest.mark.parametrize(
    ("policy", "winners", "label", "code"),
    [
        # Two bits of a label: 1 becomes 3, and 0 becomes 2.
        pytest.param("plain", (1, 1), 1, ErrorCode.VALUE_OUT_OF_RANGE, id="plain"),
        *(
            pytest.param(policy, winners, label, code, id=f"{policy}: {label}")
            for policy in ("single_draw", "worst_case", "realised")
            for winners, label, code in (
                ((1, 1), 1, ErrorCode.VALUE_OUT_OF_RANGE),
                ((0, 1), None, ErrorCode.NON_CANONICAL),
            )
        ),
    ],
)
def test_a_label_with_a_flipped_decoding_bit_is_refused_and_costs_nothing(
    policy: str, winners: tuple[int, int], label: int | None, code: ErrorCode
) -> None:
    a_flipped_one_is_refused_and_costs_nothing(set_up(policy, winners), label, code)
