"""What wrap-around leaves of delta to labels that are counted, as to labels that have a cost each."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import exp
from typing import Any

import pytest

from capc.privacy.accountants import policies
from capc.privacy.accountants.policies import calibrate_sigma, certify, with_argmax_queries
from capc.session.parameters import NoiseName, ReleasePolicy
from support.builders import make_policy

GRID_BITS = 4
LEFT = Fraction((1 << 20) - 1, 1 << 20)


def labels(**changes: Any) -> ReleasePolicy:
    policy = make_policy(sigma=Fraction(3), mechanism=NoiseName.ROUNDED_GAUSSIAN)
    return replace(policy, **({"argmax_queries": 5} | changes))


@pytest.mark.req("CAPC-ACCT-136")
def test_a_little_of_delta_is_left_to_wraps_where_labels_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever certifies a number of labels, looks for one, or for their noise, asks about what is left."""
    policy, asked = labels(), []
    assert policy.delta_of_noise == policy.delta * LEFT

    def holds(*case: Any) -> bool:
        asked.append(case[4])
        return True

    def queries(*case: Any) -> int:
        asked.append(case[3])
        return 5

    def smallest(*case: Any) -> Fraction:
        asked.append(case[3][1])
        return Fraction(3)

    monkeypatch.setattr(policies, "composition_holds", holds)
    monkeypatch.setattr(policies, "composition_queries", queries)
    monkeypatch.setattr(policies, "smallest_composed_sigma", smallest)
    certify.cache_clear()
    certify(policy, GRID_BITS, Fraction(5))
    certify.cache_clear()
    with_argmax_queries(policy, GRID_BITS)
    calibrate_sigma(policy, GRID_BITS, 5)
    assert asked == [policy.delta * LEFT] * 3


@pytest.mark.req("CAPC-ACCT-136")
@pytest.mark.parametrize("epsilon", [Fraction(1, 8), Fraction(10), Fraction(25)])
@pytest.mark.parametrize("delta", [Fraction(1, 10), Fraction(1, 10**5), Fraction(1, 10**9)])
@pytest.mark.parametrize("changes", [{}, {"argmax_queries": None, "argmax_cost": Fraction(1)}], ids=["count", "cost"])
def test_2_to_the_32_wraps_take_no_more_than_that(changes: dict[str, Any], epsilon: Fraction, delta: Fraction) -> None:
    """At most 2^-kappa is their probability each; a delta counts (1 + e^epsilon) times."""
    order = None if not changes else Fraction(7, 2)
    policy = labels(epsilon=epsilon, delta=delta, renyi_order=order, **changes)
    assert 2.0**-policy.wrap_failure_bits * (1 + exp(epsilon)) * 2**32 <= delta * 2.0**-20
