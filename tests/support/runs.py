"""Runs to fork from: one set-up per policy, made once, since base transfers take most of the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from capc.linear.ideal import IdealLinear
from capc.models.model import QuantisedModel
from capc.session.parameters import Charge, Parameters
from capc.steps.suite import Suite, reference_suite
from support.builders import (
    confident_policy,
    constant_model,
    counter_seeds,
    fixed_mechanisms,
    make_account,
    make_parameters,
    make_policy,
    make_session,
    make_widths,
    single_draw_policy,
)
from support.driver import Driver

SIZES = ((2, 3, 2, 3), (2, 3), (2, 1, 3))
POLICIES = {
    "plain": make_policy(),
    "single_draw": single_draw_policy(Fraction(2)),
    "worst_case": confident_policy(Charge.WORST_CASE, Fraction(2)),
    "realised": confident_policy(Charge.REALISED, Fraction(2)),
}


def parameters_for(policy: str) -> Parameters:
    return make_parameters(make_widths(logit_bits=14), POLICIES[policy])


def voters(*winners: int, sizes: Sequence[tuple[int, ...]] = SIZES) -> list[QuantisedModel]:
    return [constant_model(size, winner, 2) for size, winner in zip(sizes, winners, strict=True)]


def fresh_driver(policy: str, kind: type[Driver] = Driver, seed_name: str = "test") -> Driver:
    """A set-up with all real primitives but HE."""
    parameters = parameters_for(policy)
    session, suite = make_session(parameters, SIZES), reference_suite(parameters, IdealLinear(14))
    driver = kind(session, voters(1, 1, 1), suite, make_account(parameters), counter_seeds(seed_name))
    driver.set_up()
    return driver


@lru_cache
def set_up(policy: str) -> Driver:
    """One set-up per policy, to fork from: base transfers take most of the time."""
    return fresh_driver(policy, seed_name=policy)


def fork(policy: str, chosen: Sequence[QuantisedModel], seed_name: str = "fork", suite: Suite | None = None) -> Driver:
    driver = set_up(policy)
    return driver.fork(chosen, suite or driver.suite, counter_seeds(seed_name))


def with_noise(policy: str, answer: Sequence[Sequence[int]], threshold: Sequence[Sequence[int]] | None = None) -> Suite:
    return replace(set_up(policy).suite, mechanisms=fixed_mechanisms(answer, threshold))
