"""What is settled, and refused, before training."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.job.collaboration import open_collaboration
from capc.job.config import resolve
from capc.job.plan import prepare
from capc.job.simulation import open_simulation
from capc.job.state import Labeller
from capc.privacy.account import Account
from capc.privacy.accountants.conversion import epsilon_upper
from capc.privacy.accountants.policies import with_sigma
from capc.privacy.query_cost import query_cost
from capc.session import session
from capc.session.parameters import NoiseName
from support.builders import make_parameters, make_policy


@pytest.mark.parametrize(
    ("flags", "fragments"),
    [
        ({"parameters": "huge"}, ["parameter set 'huge'", "--parameters"]),
        ({"network": "wan", "vote_variant": "tournament"}, ["network = wan (--network)", "leave out --vote-variant"]),
        ({"joint": "yes"}, ["joint = True (--joint)", "give --threshold too"]),
        ({"joint": "perhaps"}, ["joint = perhaps (--joint)", "choose yes or no"]),
        (
            {"joint": "yes", "threshold": "5", "charge": "realised"},
            ["charge = realised", "joint charges need worst_case"],
        ),
        ({"joint": "yes", "threshold": "5", "mechanism": "skellam"}, ["mechanism = skellam", "need rounded_gaussian"]),
        ({"renyi_order": "1"}, ["renyi_order = 1", "--renyi-order", "above 1"]),
        ({"renyi_order": "nan"}, ["renyi_order = nan (--renyi-order)", "choose a number"]),
        ({"renyi_order": "1.01"}, ["epsilon", "nothing is left of it at Renyi order 101/100", "--epsilon", "--delta"]),
        ({"epsilon": "0.00001", "mechanism": "skellam"}, ["vote_bits = 16", "sigma = ", "--epsilon"]),
        (
            {"threshold_mode": "single_draw"},
            ["threshold_mode = single_draw (--threshold-mode)", "give --threshold too"],
        ),
        (
            {"threshold": "5", "threshold_mode": "single_draw", "threshold_sigma": "2", "sigma": "2"},
            ["threshold_sigma = 2 (--threshold-sigma)", "the check takes the label's noise"],
        ),
        (
            {"threshold": "5", "threshold_mode": "single_draw", "charge": "realised"},
            ["charge = realised (--charge)", "check and label are one answer"],
        ),
        (
            {"threshold": "5", "threshold_mode": "single_draw", "joint": "yes"},
            ["threshold_mode = single_draw (--threshold-mode)", "joint charges need two_draws"],
        ),
        ({"threshold_sigma": "1"}, ["threshold_sigma = 1 (--threshold-sigma)", "give --threshold too"]),
        ({"charge": "realised"}, ["charge = realised (--charge)", "give --threshold too"]),
        ({"threshold": "5", "threshold_sigma": "2"}, ["threshold_sigma = 2 (--threshold-sigma)", "give --sigma too"]),
        ({"threshold": "50", "parties": "2"}, ["threshold = 50 (--threshold)", "2 votes (--parties)", "at most 2"]),
        ({"threshold": "20.0625"}, ["threshold = 20.0625", "20 votes (default of --parties)", "choose at most 20"]),
        ({"threshold": "5.03"}, ["threshold = 503/100", "--threshold", "multiple of 2^-4"]),
        ({"sigma": "0.3"}, ["sigma = 0.3 (--sigma)", "one query costs more", "choose at least 0."]),
        ({"sigma": "1", "threshold": "5", "threshold_sigma": "0.1"}, ["sigma = 1 (--sigma)", "one query costs more"]),
        ({"sigma": "5000"}, ["vote_bits = 16", "sigma = 5000 (--sigma)", "--parties", "--parameters"]),
        ({"epsilon": "0.01"}, ["vote_bits = 16", "sigma = ", "epsilon = 0.01 (--epsilon)", "--queries"]),
        ({"epsilon": "1e-30", "delta": "1e-30"}, ["leaves the range", "--epsilon", "--delta"]),
        ({"queries": "500"}, ["queries = 500 (--queries)", "179"]),
        ({"parties": "500"}, ["parties = 500 (--parties)", "at most"]),
        ({"data": "nowhere.npz"}, ["nowhere.npz", "no such file"]),
    ],
)
def test_a_plan_that_cannot_work_is_refused(flags: dict[str, str], fragments: list[str]) -> None:
    with pytest.raises(InputError) as refusal:
        prepare(resolve(flags))
    assert all(fragment in str(refusal.value) for fragment in fragments), str(refusal.value)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    queries=st.integers(1, 40),
    epsilon=st.sampled_from(["0.5", "1", "4.2", "10", "50"]),
    mechanism=st.sampled_from(["rounded_gaussian", "discrete_gaussian", "skellam"]),
    adjacency=st.sampled_from(["replace_one", "null_vote"]),
    threshold=st.sampled_from([None, "10"]),
)
def test_without_sigma_exactly_the_planned_queries_fit_the_budget(
    queries: int, epsilon: str, mechanism: str, adjacency: str, threshold: str | None
) -> None:
    """All planned queries fit, their epsilon is within the budget, and the next smaller sigma would not do."""
    flags = {
        "queries": str(queries),
        "epsilon": epsilon,
        "mechanism": mechanism,
        "adjacency": adjacency,
    }
    if threshold is not None:
        flags["threshold"] = threshold
    plan = prepare(resolve(flags))
    account = plan.open_account()
    assert account.remaining_queries() >= queries
    cost = account.cost
    assert (
        epsilon_upper(cost.unit, cost.worst_case * queries, plan.config.delta, account.policy.renyi_order)
        <= plan.config.epsilon
    )
    release = plan.parameters.release
    smaller = with_sigma(release, release.sigma - Fraction(1, 64), plan.parameters.widths.grid_bits)
    assert query_cost(smaller, plan.parameters.widths.grid_bits).worst_case * queries > plan.budget
    # One draw for check and answer.
    assert release.threshold_sigma is None


def test_a_given_sigma_decides_how_many_queries_fit() -> None:
    """mu^2 = 2 Q / sigma^2, and the budget for epsilon 10 at delta 1e-5 is just above 4."""
    plan = prepare(resolve({"sigma": "2", "accounting": "gaussian_dp"}))
    assert plan.open_account().remaining_queries() == 8


def test_one_answering_party_is_admitted() -> None:
    assert prepare(resolve({"parties": "1"})).config.parties == 1


def test_a_batch_that_the_session_would_refuse_is_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """With shorter streams of randomness, so that small batches already exceed what one layer can draw."""
    monkeypatch.setattr(session, "STREAM_LIMIT", 1 << 13)
    line = r"^batch = 4096 \(--batch\): 40 queries at once, .* at most ([0-9]+) fit"
    with pytest.raises(InputError, match=line) as refusal:
        prepare(resolve({"queries": "40", "batch": "4096"}))
    most = re.search(line, str(refusal.value))
    assert most is not None
    assert prepare(resolve({"queries": "40", "batch": most[1]})).config.batch == int(most[1])
    assert prepare(resolve({"queries": most[1], "batch": "4096"})).config.batch == 4096


def test_no_run_is_set_up_on_an_account_whose_claims_do_not_hold() -> None:
    parameters = make_parameters(policy=make_policy())
    account = Account(parameters.release, parameters.widths.grid_bits, Fraction(100))
    with pytest.raises(InputError, match=r"budget = 100 .* and the policy promises 10"):
        open_collaboration(parameters, [], account)


_FALSE: dict[str, dict[str, Any]] = {
    "joint_cost": {"renyi_order": Fraction(3), "threshold": Fraction(1), "threshold_sigma": Fraction(1)},
    "argmax_cost": {"renyi_order": Fraction(3)},
    "argmax_queries": {},
}
"""Claims that do not hold at a deviation of one vote, and what a policy needs to make them."""


@pytest.mark.req("CAPC-ACCT-116", "CAPC-ACCT-131", "CAPC-ACCT-132")
@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize(
    ("name", "claim"),
    [("joint_cost", Fraction(1, 10**6)), ("argmax_cost", Fraction(1, 10**6)), ("argmax_queries", 10**6)],
)
def test_neither_a_run_nor_a_simulation_begins_on_a_claim_that_does_not_hold(
    name: str, claim: Any, simulated: bool
) -> None:
    policy = replace(make_policy(mechanism=NoiseName.ROUNDED_GAUSSIAN), **_FALSE[name], **{name: claim})
    parameters = make_parameters(policy=policy)
    account = Account(policy, parameters.widths.grid_bits, Fraction(1))

    def begin() -> Labeller:
        if simulated:
            return open_simulation(parameters, [], account, (0, 1), seed=0)
        return open_collaboration(parameters, [], account)

    # Above 4096 labels are certified by their noised counts alone, and the message says so.
    with pytest.raises(InputError, match=rf"^({name}|queries) = "):
        begin()
    assert account.events == ()


@pytest.mark.req("CAPC-ACCT-132")
@pytest.mark.parametrize("claim", [{}, {"argmax_queries": 2}])
def test_no_simulation_begins_on_a_budget_that_is_too_large(claim: dict[str, Any]) -> None:
    policy = replace(make_policy(Fraction(400), mechanism=NoiseName.ROUNDED_GAUSSIAN), **claim)
    parameters = make_parameters(policy=policy)
    account = Account(policy, parameters.widths.grid_bits, Fraction(100))
    with pytest.raises(InputError, match=r"^budget = 100 .* the policy (promises 10|speaks of 2)"):
        open_simulation(parameters, [], account, (0, 1), seed=0)


@pytest.mark.req("CAPC-RUN-052")
def test_declared_rows_decide_how_wide_networks_are(tmp_path: Path) -> None:
    file = tmp_path / "rows.npz"
    np.savez(file, x=np.random.default_rng(1).normal(size=(2000, 256)), y=np.arange(2000) % 2)
    for rows, widest in ((399, 32), (400, 64)):
        plan = prepare(resolve({"data": str(file), "parties": "2", "party_rows": str(rows), "pool_rows": "100"}))
        assert max(width for hidden in plan.architectures for width in hidden) == widest
