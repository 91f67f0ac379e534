"""No known statistical term is left out of a printed delta, beside an independent computation with mpmath."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capc import cli
from capc.foundation.errors import InputError
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import Plan, prepare
from capc.job.report import document, enforced_statement
from capc.privacy.account import Account
from capc.privacy.accountants.policies import policy_budget
from capc.privacy.figures.statement import (
    HE_DISTANCE,
    NO_HE_DISTANCE,
    TERMS_EXCEED_DELTA,
    PrivacyStatement,
    budget_statement,
    spent_statement,
)
from capc.privacy.ledger import Terms, most_models, open_ledger
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy
from job.stand_in import Opener, Recorder, validate
from support.builders import make_policy
from support.laws import real

GUARANTEE = "guarantee of the enforced budget"


def terms(epsilon: Fraction, *distances: Fraction) -> mpmath.mpf:
    return sum(((1 + mpmath.exp(real(epsilon))) * real(distance) for distance in distances), mpmath.mpf(0))


def keeps_its_word(statement: PrivacyStatement, noise: Fraction, *distances: Fraction) -> None:
    """Delta has the noise's and every term, or is 1; nothing is promised where the terms are more than the noise's."""
    with mpmath.workdps(80):
        added = terms(min(statement.epsilon, Fraction(10**4)), *distances)
        assert statement.delta == 1 or real(statement.delta) >= real(noise) + added
        assert statement.delta == 1 or real(statement.delta) <= real(noise) + added * (1 + mpmath.mpf(10) ** -9)
        promised = statement.label == GUARANTEE
        assert not (promised and added > real(noise))
        too_much = statement.delta == 1 or added > real(noise) * (1 - mpmath.mpf(10) ** -9)
        assert promised or too_much or not statement.guarantee
        assert statement.label in str(statement)
        assert (GUARANTEE in str(statement)) == promised


EPSILONS = st.fractions(Fraction(1, 10), Fraction(900), max_denominator=50) | st.fractions(10, 30, max_denominator=9)
DELTAS = st.integers(1, 30).map(lambda n: Fraction(1, 10**n)) | st.sampled_from([Fraction(99, 100), Fraction(1, 2)])
DISTANCES = st.integers(20, 128).map(lambda bits: Fraction(1, 1 << bits)) | st.just(Fraction(0))


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-117", "CAPC-ACCT-118")
@settings(max_examples=60)
@given(epsilon=EPSILONS, delta=DELTAS, sampler=DISTANCES, he=DISTANCES, asked=st.integers(0, 3))
@example(epsilon=Fraction(40), delta=Fraction(1, 10**5), sampler=Fraction(0), he=HE_DISTANCE, asked=1)
@example(epsilon=Fraction(20), delta=Fraction(1, 10**5), sampler=Fraction(0), he=HE_DISTANCE, asked=1)
def test_every_statement_has_every_term_or_promises_nothing(
    epsilon: Fraction, delta: Fraction, sampler: Fraction, he: Fraction, asked: int
) -> None:
    policy = replace(make_policy(Fraction(2000), mechanism=NoiseName.ROUNDED_GAUSSIAN), epsilon=epsilon, delta=delta)
    try:
        budget = policy_budget(policy)
    except InputError:
        return  # outside of what any account can be opened for
    account = Account(policy, 4, budget)
    for query in range(asked):
        if account.remaining_queries():
            account.reserve(bytes(32), query, bytes(32))
    for statement, cost in (
        (budget_statement(account, sampler, he), account.budget),
        (spent_statement(account, sampler, he), account.spent),
    ):
        draws = min(Fraction(1), int(cost / account.cost.worst_case) * sampler)
        keeps_its_word(statement, delta, he, draws)
    keeps_its_word(budget_statement(account), delta, HE_DISTANCE)


@pytest.mark.req("CAPC-ACCT-117", "CAPC-ACCT-118")
def test_where_nothing_is_claimed_of_responses_nothing_is_guaranteed() -> None:
    policy = make_policy(Fraction(4))
    account = Account(policy, 4, policy_budget(policy))
    told = budget_statement(account, he_distance=None)
    assert told.label != GUARANTEE
    assert NO_HE_DISTANCE in told.hypotheses
    assert told.delta == policy.delta
    for distance in (Fraction(3, 2), Fraction(-1), 0.5):
        with pytest.raises(InputError, match="HE distance"):
            budget_statement(account, he_distance=distance)  # type: ignore[arg-type]


FIGURE = re.compile(r"epsilon <= (\S+)\s+at\s+delta = ([0-9.e-]+)")


def figures(text: str) -> Iterator[tuple[Fraction, Fraction]]:
    for epsilon, delta in FIGURE.findall(" ".join(text.split())):
        yield Fraction(epsilon), Fraction(delta)


def printed_with_terms(text: str) -> int:
    """How many figures a text has; each delta has at least the term of its epsilon."""
    found = 0
    with mpmath.workdps(60):
        for epsilon, delta in figures(text):
            found += 1
            # The decimals of epsilon are rounded up once more, those of delta too.
            assert delta >= 1 or real(delta) >= terms(epsilon * (1 - Fraction(1, 10**5)), HE_DISTANCE)
    return found


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def printed(*arguments: str) -> str:
        monkeypatch.setenv("COLUMNS", "1000")
        assert cli.run(arguments) == 0
        return capsys.readouterr().out

    return printed


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-117", "CAPC-ACCT-118", "CAPC-RUN-006")
@pytest.mark.parametrize("epsilon", ["1", "10", "16", "17", "40", "700", "1000"])
@pytest.mark.parametrize("mechanism", list(NoiseName))
def test_report_and_terminal_of_a_run_say_the_same(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, epsilon: str, mechanism: NoiseName
) -> None:
    from capc.cli import run_command

    monkeypatch.setattr(run_command, "Job", lambda plan, watcher: Job(plan, watcher, Opener()))
    file = tmp_path / "report.json"
    flags = ["--parties", "2", "--queries", "2", "--epsilon", epsilon, "--mechanism", mechanism.value]
    text = run("run", *flags, "--json", str(file))
    report: Any = json.loads(file.read_text())
    validate(report)
    privacy = report["privacy"]
    assert printed_with_terms(text) == 2
    # At 16 the term is 0.0000081, at 17 0.000022.
    promised = float(epsilon) <= 16
    assert (GUARANTEE in text) == (privacy["label"] == GUARANTEE) == promised
    assert promised or privacy["label"] == TERMS_EXCEED_DELTA
    assert promised or f"({TERMS_EXCEED_DELTA};" in text
    with mpmath.workdps(60):
        added = terms(Fraction(str(epsilon)) * (1 - Fraction(1, 10**9)), HE_DISTANCE)
        assert privacy["delta"] == 1 or privacy["delta"] >= added + 1e-5
        assert privacy["statistical_terms"] >= min(1, added)
    assert privacy["delta_of_noise"] == 1e-5


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-117", "CAPC-ACCT-118")
@pytest.mark.parametrize("epsilon", [Fraction(2), Fraction(30), Fraction(200)], ids=str)
def test_a_ledger_says_it_too(run: Callable[..., str], tmp_path: Path, epsilon: Fraction) -> None:
    policy: ReleasePolicy = replace(make_policy(Fraction(4), mechanism=NoiseName.ROUNDED_GAUSSIAN), epsilon=epsilon)
    ledger = open_ledger(tmp_path / "ledger", Terms("privacy_guardian", "rows", policy, 4, policy_budget(policy)))
    ledger.reserve(bytes(32), 1, bytes(32))
    ledger.close()
    text = run("ledger", "show", str(tmp_path / "ledger"))
    # Both statements, and every reading.
    assert printed_with_terms(text) > 2 + len(Adjacency)
    assert (GUARANTEE in text) == (epsilon == 2)
    report = run("ledger", "verify", str(tmp_path / "ledger"), "--json", "-")
    assert (GUARANTEE in report) == (epsilon == 2)
    assert printed_with_terms(report) > 2 + len(Adjacency)


@pytest.mark.req("CAPC-ACCT-117", "CAPC-ACCT-118", "CAPC-ACCT-113")
@pytest.mark.parametrize("sigma", ["40", "2", "1", "0.2"])
def test_the_calculator_says_it_too(run: Callable[..., str], sigma: str) -> None:
    asked = ["--sigma", sigma, "--queries", "5"]
    text = run("account", "epsilon", *asked)
    assert printed_with_terms(text) == 1
    figure = json.loads(run("account", "epsilon", *asked, "--json", "-"))
    compared = json.loads(run("account", "compare", *asked, "--json", "-"))["methods"]
    assert compared["gaussian_dp"]["delta"] == figure["delta"]
    for found in (figure, *(entry for entry in compared.values() if "epsilon" in entry)):
        with mpmath.workdps(60):
            added = terms(Fraction(found["epsilon"]) * (1 - Fraction(1, 10**5)), HE_DISTANCE)
        assert Fraction(found["delta"]) == 1 or real(Fraction(found["delta"])) >= added
        assert (found["label"] == TERMS_EXCEED_DELTA) == (added > 1e-5)


@pytest.mark.req("CAPC-ACCT-117")
def test_a_party_that_answered_with_more_models_is_paid_for_more_than_once(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    for name in ("answering_party_1-aa", "answering_party_1-bb", "answering_party_2-aa", "answering_party_11-cc"):
        (folder / f"{name}.allowance").touch()
    (folder / "answering_party_2-aa.allowance-wal").touch()
    assert most_models(folder) == 2
    assert most_models(tmp_path / "none") == 0
    flags = {"parties": "2", "queries": "1", "sigma": "5", "ledger": str(tmp_path / "l"), "allowance": str(folder)}
    plan: Plan = prepare(resolve(flags))
    job = Job(plan, Recorder(), Opener())
    try:
        told = enforced_statement(job.state)
        validate(document(job.state))
    finally:
        job.close()
    keeps_its_word(told, plan.config.delta, 2 * HE_DISTANCE)
    assert Charge.WORST_CASE is plan.parameters.release.charge
