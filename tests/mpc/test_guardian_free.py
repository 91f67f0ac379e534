"""Release without a guardian: every answering party's own account, what it refuses, and what the sampler costs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.privacy.account import Account
from capc.privacy.figures.statement import budget_statement
from capc.session.parameters import Charge, NoiseName, Parameters
from capc_mpc import guardian_free
from capc_mpc.guardian_free import (
    account_statement,
    answering_party_charge,
    guardian_free_step,
    release_without_guardian,
    run_answering_party,
    sampler_distance,
)
from capc_mpc.interface.protocols import Model
from capc_mpc.programs import capc_noise
from capc_mpc.spdz.deployed import Deployment, run_party
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.ports import free_ports
from support.builders import confident_policy, make_account, make_parameters, make_policy, single_draw_policy
from support.engines import machine_with_everything
from support.mpc import needs_mp_spdz

TAG = bytes(32)
# Its epsilon is wide enough for the budgets of all tests.
PARAMETERS = make_parameters(policy=replace(make_policy(Fraction(1)), epsilon=Fraction(10**7)))
CASE = {0: [5, 7, 0], 1: [9, 1, 3], 2: [26, 2**11 - 8, 2**11 - 3]}
"""Counts 40, 0, 0 in Z_{2^11}: no noise of deviation 1 moves that."""


def accounts(*queries: int, parameters: Parameters = PARAMETERS) -> list[Account]:
    return [make_account(parameters, count) for count in queries]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Runs are counted, and give the first class; nothing is started."""
    counted: list[object] = []

    def run(step, cases, protocol, **options):
        counted.append((step, cases))
        learnt = [{}] * (step.parties - 1) + [{"label": [0] * step.batch}]
        return SimpleNamespace(learnt=learnt)

    monkeypatch.setattr(guardian_free, "run", run)
    monkeypatch.setattr(guardian_free, "the_machine", machine_with_everything)
    return counted


@pytest.mark.req("CAPC-MPC-043")
def test_every_answering_party_charges_its_own_account_for_every_query(runs: list[object]) -> None:
    own = accounts(2, 3)
    released = release_without_guardian(PARAMETERS, own, TAG, 4, [CASE, CASE], "semi2k")
    assert released.labels == [0, 0]
    assert [account.remaining_queries() for account in own] == [0, 1]
    assert [[receipt.query for receipt in receipts] for receipts in released.receipts] == [[4, 5], [4, 5]]
    digests = {receipt.inputs_digest for receipts in released.receipts for receipt in receipts}
    assert len(digests) == 4


@pytest.mark.req("CAPC-MPC-043")
@pytest.mark.parametrize("spent", [0, 1])
def test_one_spent_account_stops_the_run(spent: int, runs: list[object]) -> None:
    own = accounts(5, 5)
    own[spent] = make_account(PARAMETERS, 1)
    with pytest.raises(BudgetExhaustedError, match="does not admit 2 more"):
        release_without_guardian(PARAMETERS, own, TAG, 1, [CASE, CASE], "semi2k")
    assert runs == []
    assert own[spent].spent == 0
    release_without_guardian(PARAMETERS, own, TAG, 7, [CASE], "semi2k")
    assert len(runs) == 1
    with pytest.raises(BudgetExhaustedError):
        release_without_guardian(PARAMETERS, own, TAG, 8, [CASE], "semi2k")
    assert len(runs) == 1


@pytest.mark.req("CAPC-MPC-043")
def test_a_party_on_its_own_machine_does_not_take_part_when_its_budget_is_spent(
    runs: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[object] = []
    monkeypatch.setattr(guardian_free, "run_party", lambda *arguments, **options: taken.append(arguments))
    (own,) = accounts(1)
    deployment = Deployment(("h:1", "h:2", "h:3"), Path())
    run_answering_party(PARAMETERS, own, TAG, 1, [CASE[0]], 0, 2, "semi2k", deployment)
    assert len(taken) == 1
    with pytest.raises(BudgetExhaustedError):
        run_answering_party(PARAMETERS, own, TAG, 2, [CASE[0]], 0, 2, "semi2k", deployment)
    with pytest.raises(InputError, match="party = 2: answering parties are numbered from 0 to 1"):
        run_answering_party(PARAMETERS, own, TAG, 2, [CASE[0]], 2, 2, "semi2k", deployment)
    assert len(taken) == 1


@pytest.mark.req("CAPC-MPC-043", "CAPC-ACCT-133")
def test_what_cannot_run_is_refused_before_anything_is_charged(runs: list[object]) -> None:
    own = accounts(3, 3)
    realised = make_parameters(policy=confident_policy(Charge.REALISED))
    rounded = make_parameters(policy=make_policy(mechanism=NoiseName.ROUNDED_GAUSSIAN))
    label = {"renyi_order": Fraction(3), "argmax_cost": Fraction(1)}
    refusals = [
        (PARAMETERS, "yao", "has 2 parties"),
        (PARAMETERS, "replicated-ring", "assumes an honest majority"),
        (PARAMETERS, "unheard-of", "unknown"),
        (realised, "semi2k", "the worst_case is charged"),
        (rounded, "semi2k", "noise inside MPC is discrete_gaussian"),
        (make_parameters(policy=make_policy(Fraction(2))), "semi2k", "another policy"),
        (make_parameters(policy=replace(make_policy(), argmax_queries=9)), "semi2k", "argmax_composition: a program"),
        (
            make_parameters(policy=replace(make_policy(), **label)),
            "semi2k",
            "argmax_renyi: a program without a guardian",
        ),
    ]
    for parameters, protocol, said in refusals:
        with pytest.raises(InputError, match=said):
            release_without_guardian(parameters, own, TAG, 1, [CASE], protocol)
    assert runs == []
    assert [account.spent for account in own] == [0, 0]
    release_without_guardian(PARAMETERS, own, TAG, 1, [CASE], "semi2k")
    with pytest.raises(InputError, match="was charged before"):
        answering_party_charge(own[0], PARAMETERS, TAG, [1], [CASE[0]])


@pytest.mark.req("CAPC-MPC-043")
def test_an_account_whose_budget_does_not_keep_its_epsilon_takes_no_part(runs: list[object]) -> None:
    parameters = make_parameters(policy=make_policy(Fraction(1)))
    own = accounts(5, 5, parameters=parameters)
    with pytest.raises(InputError, match=r"budget = 5 .* and the policy promises 10"):
        release_without_guardian(parameters, own, TAG, 1, [CASE], "semi2k")
    assert runs == []
    assert [account.spent for account in own] == [0, 0]


def test_the_program_has_the_noise_and_the_threshold_of_the_parameters() -> None:
    """Grid of one bit: deviations and thresholds in votes are doubled, variances times 4."""
    assert guardian_free_step(PARAMETERS, 2, 5).arguments == ("2", "3", "11", "1", "4", "1", "5")
    policy = replace(confident_policy(), threshold=Fraction(3, 2))
    step = guardian_free_step(make_parameters(policy=policy), 3, 1)
    assert step.arguments == ("3", "3", "11", "1", "1", "1", "1", "3", "1", "1")
    single = make_parameters(policy=single_draw_policy(Fraction(3, 2)))
    assert guardian_free_step(single, 3, 1).arguments == ("3", "3", "11", "1", "1", "1", "1", "3")
    with pytest.raises(InputError, match=r"threshold = 3/2: .* choose at most 1$"):
        guardian_free_step(make_parameters(policy=policy), 1, 1)


@pytest.mark.req("CAPC-ACCT-114", "CAPC-MPC-010")
def test_the_statement_pays_for_every_draw_that_the_budget_admits() -> None:
    plain, confident = make_policy(Fraction(8)), make_policy(Fraction(8), Fraction(1), Fraction(4))
    for policy, draws in ((plain, [Fraction(256)] * 3), (confident, [*[Fraction(256)] * 3, *[Fraction(64)] * 3])):
        parameters = make_parameters(policy=policy)
        assert sampler_distance(parameters) == sum(capc_noise.distance(variance) for variance in draws)
        account = make_account(parameters, 6)
        exact, paid = budget_statement(account), account_statement(parameters, account)
        assert paid.epsilon == exact.epsilon
        # e > 2.718, so this is below the true term.
        least = 6 * sampler_distance(parameters) * (1 + Fraction(2718, 1000) ** int(exact.epsilon))
        assert exact.delta + least <= paid.delta < 2 * exact.delta
        assert "eta" in paid.hypotheses[-1]


@needs_mp_spdz
@pytest.mark.req("CAPC-MPC-043")
@pytest.mark.parametrize(("protocol", "model"), [("semi2k", Model.BASE), ("replicated-ring", Model.HONEST_MAJORITY)])
def test_the_machine_releases_and_stops_when_one_budget_is_spent(protocol: str, model: Model) -> None:
    own = accounts(2, 1)
    assert release_without_guardian(PARAMETERS, own, TAG, 1, [CASE], protocol, model=model).labels == [0]
    with pytest.raises(BudgetExhaustedError):
        release_without_guardian(PARAMETERS, own, TAG, 2, [CASE], protocol, model=model)


@needs_mp_spdz
@pytest.mark.req("CAPC-MPC-043")
def test_parties_on_machines_of_their_own_charge_their_own_accounts(tmp_path: Path) -> None:
    write_keys(tmp_path, 3)
    first = free_ports(3)
    deployment = Deployment(tuple(f"127.0.0.1:{first + party}" for party in range(3)), tmp_path)
    own = accounts(1, 1)
    step = guardian_free_step(PARAMETERS, 2, 1)
    with ThreadPoolExecutor(3) as pool:
        charged = [
            pool.submit(
                run_answering_party, PARAMETERS, own[party], TAG, 1, [CASE[party]], party, 2, "semi2k", deployment
            )
            for party in range(2)
        ]
        asked = pool.submit(run_party, step, 2, [{(2, "vote_shares"): CASE[2]}], "semi2k", deployment)
    assert asked.result().learnt == {"label": [0]}
    assert [receipt.query for future in charged for receipt in future.result()] == [1, 1]
    assert [account.remaining_queries() for account in own] == [0, 0]
