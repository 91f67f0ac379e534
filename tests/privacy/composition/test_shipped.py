"""Certificates of the package: the default policies find all that they need, and each is what the code makes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from capc.job.config import JobConfig
from capc.privacy.account import Account
from capc.privacy.accountants import policies
from capc.privacy.accountants.argmax.composition import Keeping
from capc.privacy.accountants.policies import calibrated, certify, cheated_epsilon, policy_budget
from capc.privacy.composition import kept, recursion
from capc.privacy.composition.certificate import decode, name_of
from capc.privacy.composition.recursion import Composed, Wanted, blocks_hold, compose
from capc.privacy.figures.statement import enforced_epsilons
from capc.session.parameters import Adjacency, NoiseName, ReleasePolicy
from capc.session.widths import ParameterSet
from support.sizes import examples, some


@pytest.fixture(autouse=True)
def _certified_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(policies, "kept_by_user", Keeping)
    for cache in (certify, cheated_epsilon):
        cache.cache_clear()
    yield
    for cache in (certify, cheated_epsilon):
        cache.cache_clear()


def run_default(adjacency: Adjacency) -> ReleasePolicy:
    """Calibrates, certifies and states what `capc run --accounting argmax_composition` does, at its other defaults."""
    config, grid_bits = JobConfig(), ParameterSet.named("default").grid_bits
    assert config.mechanism is NoiseName.ROUNDED_GAUSSIAN
    policy = ReleasePolicy(
        mechanism=config.mechanism,
        sigma=Fraction(1),
        threshold=None,
        threshold_sigma=None,
        charge=config.charge,
        adjacency=adjacency,
        epsilon=config.epsilon,
        delta=config.delta,
        argmax_queries=config.charged,
    )
    found = calibrated(policy, grid_bits, config.charged)
    enforced_epsilons(Account(found, grid_bits, policy_budget(found)))
    certify(found, grid_bits, policy_budget(found))
    return found


@pytest.mark.req("CAPC-ACCT-144")
def test_the_default_policies_need_no_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest deviations of section 12's method, at most 2.70 where votes move."""
    monkeypatch.setattr(kept, "compose", lambda *_: pytest.fail("computed"))
    assert run_default(Adjacency.REPLACE_ONE).sigma == Fraction(171, 64)
    assert run_default(Adjacency.NULL_VOTE).sigma == Fraction(15, 8)


def questions(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """Of the default policies."""
    asked: list[Wanted] = []
    shipped = kept._shipped
    monkeypatch.setattr(kept, "_shipped", lambda wanted: asked.append(wanted) or shipped(wanted))  # type: ignore[func-returns-value]
    for adjacency in Adjacency:
        run_default(adjacency)
    return asked


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-144")
def test_what_is_shipped_is_asked_for_and_what_the_code_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = questions(monkeypatch)
    assert {name_of(each) for each in wanted} == {file.name for file in kept.SHIPPED.iterdir()}
    for each in some(wanted, ordinary=2):
        found = decode((kept.SHIPPED / name_of(each)).read_bytes(), each)
        recursion.step_of.cache_clear()
        assert blocks_hold(found, range(0, len(found.curves), examples(ordinary=16, nightly=1)))
        if examples(ordinary=0, nightly=1):
            again = compose(each)
            assert (again.labels, again.delta) == (found.labels, pytest.approx(found.delta, rel=2.0**-29))


def test_a_recheck_takes_nothing_for_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Wanted] = []

    def made_anew(wanted: Wanted, _: object) -> Composed:
        made.append(wanted)
        return decode((kept.SHIPPED / name_of(wanted)).read_bytes(), wanted)

    [wanted, *_] = questions(monkeypatch)
    monkeypatch.setattr(kept, "compose", made_anew)
    kept._REMEMBERED.clear()
    kept.composed(wanted)
    assert not made
    kept.composed(wanted, recheck=True)
    assert made == [wanted]
