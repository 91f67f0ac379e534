"""What a run charges for: chosen from public figures before its first query, kept by a ledger, told in the report."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from capc.foundation.errors import InputError
from capc.job import checks, plan
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import Plan, prepare
from capc.job.report import document
from capc.job.simulation import open_simulation
from capc.noise.mechanism import CostUnit
from capc.privacy.account import Account
from capc.privacy.accountants import policies
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.policies import policy_budget
from capc.privacy.ledger import kept_terms
from capc.privacy.multi_label import SetRule, SetVoting
from capc.protocol.engine import EMBEDDED
from capc.session.parameters import Accounting, ThresholdMode
from job.stand_in import Opener, Recorder, validate
from support.builders import make_parameters, make_policy
from support.label_costs import set_label_costs


@pytest.fixture
def factor(monkeypatch: pytest.MonkeyPatch) -> list[Fraction]:
    return set_label_costs(monkeypatch)


def made(**flags: str) -> Plan:
    return prepare(resolve(flags))


def method(found: Plan) -> Accounting:
    return found.parameters.release.method


@pytest.mark.req("CAPC-ACCT-135")
@pytest.mark.parametrize(
    "flags",
    [{}, {"mechanism": "discrete_gaussian"}, {"mechanism": "skellam"}, {"adjacency": "null_vote"}, {"threshold": "12"}],
    ids=str,
)
def test_labels_are_charged_where_that_needs_no_more_noise(flags: dict[str, str], factor: list[Fraction]) -> None:
    cheap = made(**flags)
    assert method(cheap) is Accounting.ARGMAX_RENYI
    of_counts = made(**flags, accounting="gaussian_dp")
    assert method(of_counts) is Accounting.GAUSSIAN_DP
    assert cheap.parameters.release.sigma < of_counts.parameters.release.sigma
    assert cheap.open_account().remaining_queries() == cheap.config.queries
    assert "for a label" in cheap.accounting
    assert "given (--accounting)" in of_counts.accounting
    factor[0] = Fraction(2)
    dear = made(**flags)
    assert method(dear) is Accounting.GAUSSIAN_DP
    assert dear.parameters.release == of_counts.parameters.release


@pytest.mark.req("CAPC-ACCT-135")
def test_with_a_given_deviation_whatever_admits_more_queries_is_charged(factor: list[Fraction]) -> None:
    counts = made(sigma="9", accounting="gaussian_dp").open_account().remaining_queries()
    found = made(sigma="9")
    fit = found.open_account().remaining_queries()
    assert method(found) is Accounting.ARGMAX_RENYI
    assert fit > counts
    assert found.accounting == f"{fit} queries fit if a label is charged, {counts} if its noised counts are"
    factor[0] = Fraction(2)
    assert method(made(sigma="9")) is Accounting.GAUSSIAN_DP


@pytest.mark.req("CAPC-ACCT-135")
def test_a_deviation_that_is_enough_for_labels_only_is_charged_for_labels(factor: list[Fraction]) -> None:
    factor[0] = Fraction(1, 100)
    with pytest.raises(InputError, match=r"^sigma = 0\.5 \(--sigma\): one query costs more .* at least 0\.71875"):
        made(sigma="0.5", accounting="gaussian_dp")
    assert method(made(sigma="0.5")) is Accounting.ARGMAX_RENYI


@pytest.mark.slow
@pytest.mark.usefixtures("real_label_costs")
@pytest.mark.req("CAPC-ACCT-135")
def test_the_real_cost_decides_the_default_run() -> None:
    """Whatever is known of labels, a run needs no more noise than its counts would."""
    found, counts = made(), made(accounting="gaussian_dp")
    assert found.parameters.release.sigma <= counts.parameters.release.sigma
    assert method(found) is Accounting.ARGMAX_RENYI
    assert found.parameters.release.sigma <= Fraction(11, 4)
    assert found.open_account().remaining_queries() == 20


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-132", "CAPC-ACCT-135")
def test_a_run_may_count_labels_that_a_composition_keeps() -> None:
    """With noise that is given: as many as the budget admits; with none: the least noise for the run's queries."""
    flags = {"accounting": "argmax_composition", "epsilon": "4", "delta": "0.01", "adjacency": "null_vote"}
    given = made(**flags, sigma="2")
    assert method(given) is Accounting.ARGMAX_COMPOSITION
    assert given.open_account().remaining_queries() == given.parameters.release.argmax_queries
    found = made(**flags, queries="5")
    assert found.open_account().remaining_queries() == 5
    single = made(**{**flags, "accounting": "argmax_renyi"}, queries="5")
    assert found.parameters.release.sigma <= single.parameters.release.sigma


_WHY = [
    ({"threshold": "9", "charge": "realised"}, "charging what was released gives back answers"),
    ({"threshold": "9", "threshold_mode": "two_draws"}, "the check has draws of its own"),
    ({"threshold": "9", "sigma": "4", "threshold_sigma": "3"}, "the check has draws of its own"),
    ({"threshold": "9", "joint": "yes"}, "the check has draws of its own"),
    ({"engine": "mp-spdz:semi2k"}, "another engine is not known to tell labels only"),
]


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-130", "CAPC-ACCT-133", "CAPC-ACCT-135")
@pytest.mark.parametrize(("flags", "why"), _WHY, ids=str)
@pytest.mark.usefixtures("factor")
def test_where_more_than_a_label_may_leave_counts_are_charged_and_the_reason_is_said(
    flags: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "find_engine", lambda _: None)
    found = made(**flags)
    assert method(found) is Accounting.GAUSSIAN_DP
    assert found.accounting == f"not a label: {why}"
    for wanted in ("argmax_renyi", "argmax_composition"):
        with pytest.raises(InputError, match=rf"^accounting = {wanted} \(--accounting\): {why}: choose gaussian_dp"):
            made(**flags, accounting=wanted)


@pytest.mark.req("CAPC-ACCT-133")
@pytest.mark.parametrize("rule", list(SetRule))
@pytest.mark.usefixtures("factor")
def test_sets_of_labels_are_charged_as_labels_only_where_the_set_is_voted_for(rule: SetRule) -> None:
    flags = {"multi_label": rule.value, **({"tau_squared": "2"} if rule is SetRule.TAU else {})}
    found = prepare(resolve(flags), simulated=True)
    if rule is SetRule.POWERSET:
        assert method(found) is Accounting.ARGMAX_RENYI
        assert found.open_account().remaining_queries() == 20
        return
    assert method(found) is Accounting.GAUSSIAN_DP
    with pytest.raises(InputError, match=r"^accounting = argmax_renyi .*each label of a set is released by itself"):
        prepare(resolve({**flags, "accounting": "argmax_renyi"}), simulated=True)


@pytest.mark.req("CAPC-ACCT-133")
def test_no_simulation_of_votes_on_each_label_takes_an_account_of_labels() -> None:
    policy = replace(make_policy(), epsilon=Fraction(100), renyi_order=Fraction(3), argmax_cost=Fraction(50))
    parameters = make_parameters(policy=policy)
    account = Account(policy, parameters.widths.grid_bits, policy_budget(policy))
    voting = SetVoting(SetRule.BINARY, 2, parameters.widths.grid_bits)
    with pytest.raises(InputError, match=r"^accounting = argmax_renyi: a vote on each label of a set may tell more"):
        open_simulation(parameters, [], account, (0, 1), seed=0, voting=voting)
    open_simulation(parameters, [], account, (0, 1), seed=0)


def test_a_vote_that_is_no_even_number_of_grid_units_is_charged_as_counts() -> None:
    config = resolve({})
    assert checks.counts_because(config, 1) is None
    assert "even number" in str(checks.counts_because(config, 0))


@pytest.mark.req("CAPC-ACCT-119", "CAPC-ACCT-135")
@pytest.mark.parametrize(
    ("flags", "mode"),
    [
        ({}, ThresholdMode.TWO_DRAWS),
        ({"threshold": "9"}, ThresholdMode.SINGLE_DRAW),
        ({"threshold": "9", "threshold_mode": "two_draws"}, ThresholdMode.TWO_DRAWS),
        ({"threshold": "9", "charge": "realised"}, ThresholdMode.TWO_DRAWS),
        ({"threshold": "9", "joint": "yes"}, ThresholdMode.TWO_DRAWS),
        ({"threshold": "9", "sigma": "4", "threshold_sigma": "4"}, ThresholdMode.TWO_DRAWS),
    ],
    ids=str,
)
def test_a_check_takes_the_labels_draws_unless_an_option_is_for_its_own(
    flags: dict[str, str], mode: ThresholdMode
) -> None:
    release = made(**flags, accounting="gaussian_dp").parameters.release
    assert release.threshold_mode is mode
    assert (release.threshold_sigma is None) == (mode is ThresholdMode.SINGLE_DRAW or release.threshold is None)


# --- ledgers ------------------------------------------------------------------------------------------------------


def _run(folder: Path, number: int, **flags: str) -> dict[str, Any]:
    options = {"parties": "2", "queries": "2", "sigma": "5", "ledger": str(folder / "ledger"), **flags}
    job = Job(prepare(resolve(options)), Recorder(), Opener(first_query=10 * number))
    job.run()
    report: dict[str, Any] = document(job.state)
    job.close()
    validate(report)
    return report


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-134", "CAPC-ACCT-135", "CAPC-LEDG-002")
@pytest.mark.parametrize("given", ["gaussian_dp", "argmax_renyi"])
@pytest.mark.usefixtures("factor")
def test_a_ledger_keeps_what_it_charges_for_and_a_labels_cost(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _run(tmp_path, 1, accounting=given)["privacy"]
    policy = kept_terms(tmp_path / "ledger").policy
    assert first["accounting"] == policy.method.value == given
    assert first["accounting_because"] == "given (--accounting)"
    assert first["unit"] == (CostUnit.RENYI if given == "argmax_renyi" else CostUnit.MU_SQUARED)
    towards = first["adversaries"]
    assert towards["semi_honest"] == first["epsilon"] == 10
    assert (towards["cheating_querying_party"] > 10) == (given == "argmax_renyi")
    # It is checked, not looked for again: another version may find a little less.
    correct = policies.argmax_cost

    def against_cheats(*question: Any) -> Fraction:
        assert Adversary.CHEATING in question
        return correct(*question)

    monkeypatch.setattr(policies, "argmax_cost", against_cheats)
    again = _run(tmp_path, 2)["privacy"]
    assert again["accounting"] == given
    assert again["accounting_because"].startswith("as the ledger (--ledger)")
    assert Fraction(again["spent"]) == 2 * Fraction(first["spent"])
    monkeypatch.undo()
    other = {"gaussian_dp": "argmax_renyi", "argmax_renyi": "gaussian_dp"}[given]
    with pytest.raises(InputError, match=r"the ledger was created with .*\(--ledger\)"):
        _run(tmp_path, 3, accounting=other)
    with pytest.raises(InputError, match=r"the ledger was created with .*\(--ledger\)"):
        _run(tmp_path, 4, threshold="2", charge="realised")


@pytest.mark.req("CAPC-ACCT-135")
def test_what_is_no_ledger_is_refused_before_its_terms_are_read(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(b"no ledger")
    with pytest.raises(InputError, match=r"ledger.*\(--ledger\)"):
        made(ledger=str(tmp_path / "ledger"))


def test_the_embedded_engine_is_the_one_that_tells_labels_only() -> None:
    assert checks.counts_because(resolve({"engine": EMBEDDED.name}), 4) is None
