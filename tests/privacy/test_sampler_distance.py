"""What draws that are not exact cost: (1 + e^epsilon) eta of delta, rounded up, beside an independent computation."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.privacy.account import Account
from capc.privacy.accountants.policies import policy_budget
from capc.privacy.figures.statement import (
    TERMS_EXCEED_DELTA,
    PrivacyStatement,
    budget_statement,
    spent_statement,
    with_sampler_distance,
)
from capc.session.parameters import Charge, NoiseName, ReleasePolicy
from support.builders import confident_policy, make_account, make_parameters, make_policy
from support.laws import real

GUARANTEE = "guarantee of the enforced budget"


def account_of(policy: ReleasePolicy, queries: int) -> Account:
    """An account of that many queries; its policy promises no less than they cost."""
    return make_account(make_parameters(policy=replace(policy, epsilon=Fraction(10**7))), queries)


STATEMENT = budget_statement(account_of(make_policy(), 3))


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-114")
@given(exponent=st.integers(20, 300), factor=st.integers(1, 1000), queries=st.integers(1, 20))
def test_delta_grows_by_the_term_and_hardly_more(exponent: int, factor: int, queries: int) -> None:
    statement = budget_statement(account_of(make_policy(Fraction(3)), queries))
    distance = Fraction(factor, 1 << exponent)
    grown = with_sampler_distance(statement, distance).delta - statement.delta
    with mpmath.workdps(60):
        epsilon = mpmath.mpf(statement.epsilon.numerator) / statement.epsilon.denominator
        term = (1 + mpmath.exp(epsilon)) * mpmath.mpf(distance.numerator) / distance.denominator
        found = mpmath.mpf(grown.numerator) / grown.denominator
        assert term <= found <= term * (1 + mpmath.mpf(10) ** -10) or statement.delta + grown == 1


@pytest.mark.req("CAPC-ACCT-114")
def test_every_query_that_fits_is_paid_for() -> None:
    account = account_of(make_policy(), 5)
    eta = Fraction(1, 1 << 70)
    assert budget_statement(account, eta) == with_sampler_distance(budget_statement(account), 5 * eta)
    account.reserve(bytes(32), 1, bytes(32))
    account.reserve(bytes(32), 2, bytes(32))
    assert spent_statement(account, eta) == with_sampler_distance(spent_statement(account), 2 * eta)


@pytest.mark.req("CAPC-ACCT-114")
def test_in_realised_mode_queries_that_were_withheld_are_paid_for_too() -> None:
    account = account_of(confident_policy(Charge.REALISED), 6)
    for query in range(6):
        receipt = account.reserve(bytes(32), query, bytes(32))
        account.dispatch(receipt, b"message")
        account.settle(receipt, answered=False)
    eta = Fraction(1, 1 << 90)
    assert spent_statement(account, eta) == with_sampler_distance(spent_statement(account), 6 * eta)
    most = account.budget // account.cost.check
    assert most > 6
    assert budget_statement(account, eta) == with_sampler_distance(budget_statement(account), most * eta)


@pytest.mark.req("CAPC-ACCT-114", "CAPC-ACCT-117", "CAPC-ACCT-118")
def test_exact_draws_cost_nothing_and_delta_never_exceeds_1() -> None:
    assert with_sampler_distance(STATEMENT, Fraction(0)) == STATEMENT
    assert STATEMENT.label == GUARANTEE
    grown = with_sampler_distance(STATEMENT, Fraction(1))
    assert (grown.delta, grown.label) == (1, TERMS_EXCEED_DELTA)
    wide = budget_statement(account_of(make_policy(Fraction(1, 100)), 3))
    assert wide.epsilon > 1000
    assert with_sampler_distance(wide, Fraction(1, 1 << 300)).delta == 1


@pytest.mark.req("CAPC-ACCT-114")
def test_many_draws_are_no_further_than_1_from_their_law() -> None:
    account = account_of(make_policy(), 3)
    account.reserve(bytes(32), 1, bytes(32))
    assert budget_statement(account, Fraction(1, 2)).delta == 1
    assert spent_statement(account, Fraction(1)).delta == 1
    with pytest.raises(InputError, match="sampler distance = 3/2"):
        budget_statement(account, Fraction(3, 2))


@pytest.mark.parametrize("distance", [Fraction(-1, 2), Fraction(3, 2), 0.5])
def test_what_is_no_distance_is_refused(distance: Fraction) -> None:
    with pytest.raises(InputError, match="sampler distance"):
        with_sampler_distance(STATEMENT, distance)


def keeps_its_word(statement: PrivacyStatement, noise: Fraction, distance: Fraction) -> None:
    """Delta has the noise's and the term, or is 1; nothing is promised where the term is more than the noise's."""
    with mpmath.workdps(80):
        added = (1 + mpmath.exp(real(min(statement.epsilon, Fraction(10**4))))) * real(distance)
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
@given(epsilon=EPSILONS, delta=DELTAS, distance=DISTANCES, asked=st.integers(0, 3))
@example(epsilon=Fraction(40), delta=Fraction(1, 10**5), distance=Fraction(1, 1 << 40), asked=1)
@example(epsilon=Fraction(20), delta=Fraction(1, 10**5), distance=Fraction(1, 1 << 40), asked=1)
def test_every_statement_has_its_term_or_promises_nothing(
    epsilon: Fraction, delta: Fraction, distance: Fraction, asked: int
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
        (budget_statement(account, distance), account.budget),
        (spent_statement(account, distance), account.spent),
    ):
        keeps_its_word(statement, delta, min(Fraction(1), int(cost / account.cost.worst_case) * distance))
    keeps_its_word(budget_statement(account), delta, Fraction(0))
