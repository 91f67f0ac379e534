"""The privacy account."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from capc.accountants.balls import round_up
from capc.accountants.conversion import epsilon_upper
from capc.accountants.events import Step
from capc.accountants.loss import LossDistribution
from capc.accountants.unit import Sensitivity
from capc.accounting import CostUnit
from capc.noise.mechanism import DiscreteGaussian
from capc.parameters import Adjacency, Charge, NoiseName, ReleasePolicy
from capc_verify.vectors.build import FileBuilder, GroupBuilder, TestBuilder
from capc_verify.vectors.cases.common import confident, expect_equal, policy
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.accounts import ACCOUNTING

_COST = ("CAPC-ACCT-003",)
_LIMIT = ("CAPC-ACCT-001", "CAPC-ACCT-002")
_ONCE = ("CAPC-ACCT-006",)
_GIVEN_BACK = ("CAPC-ACCT-007",)
_FIGURE = ("CAPC-ACCT-103",)
_INPUT = Fault.of_caller("input_error")
_GRID = 4


def accounting() -> FileBuilder:
    """Charges, budgets, settlements."""
    file = FileBuilder(
        "accounting",
        "CAPC-ACCOUNTING",
        [
            "Events in, exact rational costs out: mu^2 for the rounded Gaussian, rho for the discrete Gaussian.",
            "Figures are intervals, from 1e-9 relative below to 1e-6 above the reference: a port rounds",
            "its own figure against itself, and says whether it lies inside.",
            "An account is one state that every operation changes; a refused one leaves it as it was.",
        ],
    )
    group = file.group(ACCOUNTING)
    _costs(group)
    _budget(group)
    _settlements(group)
    _mistakes(group)
    _figures(group)
    return file


def _open(test: TestBuilder, release: ReleasePolicy, budget: Fraction, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    return test.run("account_open", policy=vars(release), grid_bits=_GRID, budget=budget, leaves=["account"], **options)


def _reserve(test: TestBuilder, query: int, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    fields: dict[str, Any] = {
        "session_tag": test.draw("session_tag", 32),
        "inputs_digest": test.draw("inputs_digest", 32),
    }
    return test.run("account_reserve", query=query, states=["account"], **{**fields, **options})


def _send(test: TestBuilder, query: int) -> dict[str, Any]:
    receipt: dict[str, Any] = _reserve(test, query)["receipt"]
    test.run("account_dispatch", receipt=receipt, message=b"circuits", states=["account"])
    return receipt


def _costs(group: GroupBuilder) -> None:
    for mechanism in NoiseName:
        for adjacency in Adjacency:
            for name, made in (("plain", policy), ("confident", confident)):
                release = made(mechanism=mechanism, adjacency=adjacency, sigma=Fraction(40))
                label = f"cost_{mechanism.value}_{adjacency.value}_{name}"
                test = group.test(label, "Cost of a query, and what is left after one.", _COST)
                found = _open(test, release, Fraction(10))
                answer = Fraction(2 if adjacency is Adjacency.REPLACE_ONE else 1, 1600)
                check = 0 if release.threshold_sigma is None else 1 / release.threshold_sigma**2
                factor = Fraction(1 if found["unit"] is CostUnit.MU_SQUARED else 2)
                expect_equal((found["check"], found["answer"]), (check / factor, answer / factor), label)
                _reserve(test, 1)


def _budget(group: GroupBuilder) -> None:
    release = policy(sigma=Fraction(3))
    cost = Fraction(2, 9)
    test = group.test("budget_filled_exactly", "Three queries fit, the fourth does not.", _LIMIT, ["ExactBudget"])
    _open(test, release, 3 * cost)
    for query in (1, 2, 3):
        _reserve(test, query)
    test = group.test("budget_exhausted", "The second query does not fit.", _LIMIT, ["BudgetExhausted"])
    _open(test, release, 2 * cost - Fraction(1, 10**30))
    _reserve(test, 1)
    _reserve(test, 2, fault=Fault.of_caller("budget_exhausted"))
    test = group.test(
        "budget_exhausted_twice", "A refusal changes nothing: it comes again.", _LIMIT, ["BudgetExhausted"]
    )
    _open(test, release, Fraction(0))
    for query in (1, 2):
        _reserve(test, query, fault=Fault.of_caller("budget_exhausted"))
    test = group.test(
        "refused_query_number_is_free", "A refused query may be asked for again.", _LIMIT, ["ExactBudget"]
    )
    _open(test, release, cost)
    _reserve(test, 1, fault=_INPUT, inputs_digest=b"short")
    _reserve(test, 1)


def _settlements(group: GroupBuilder) -> None:
    release = confident(charge=Charge.REALISED)
    cost = Fraction(4) + Fraction(8)
    test = group.test("withheld_is_given_back", "The check stays charged, the answer is given back.", _GIVEN_BACK)
    _open(test, release, 3 * cost)
    for query, answered in ((1, False), (2, True), (3, False)):
        receipt = _send(test, query)
        test.run("account_settle", receipt=receipt, answered=answered, states=["account"])
    test = group.test("unsettled_stays_charged", "No return, no refund.", _GIVEN_BACK, ["BudgetExhausted"])
    _open(test, release, 2 * cost - 1)
    _reserve(test, 1)
    _reserve(test, 2, fault=Fault.of_caller("budget_exhausted"))
    for name, flag, change in (
        ("foreign_session", "ForeignReceipt", {"session_tag": bytes(32)}),
        ("foreign_query", "ForeignReceipt", {"query": 2}),
        ("foreign_inputs", "ForeignReceipt", {"inputs_digest": bytes(32)}),
        ("other_amount", "ForeignReceipt", {"reserved": Fraction(1)}),
        ("other_unit", "ForeignReceipt", {"unit": CostUnit.RHO}),
    ):
        test = group.test(f"settle_{name}", "The receipt is not of this account.", _ONCE, [flag])
        _open(test, release, 3 * cost)
        receipt = {**_reserve(test, 1)["receipt"], **change}
        test.run("account_settle", receipt=receipt, answered=False, states=["account"], fault=_INPUT)
    test = group.test("settle_twice", "A charge is settled once.", _ONCE, ["DoubleCharge"])
    _open(test, release, 3 * cost)
    receipt = _send(test, 1)
    test.run("account_settle", receipt=receipt, answered=False, states=["account"])
    test.run("account_settle", receipt=receipt, answered=False, states=["account"], fault=_INPUT)
    test = group.test(
        "settle_before_dispatch", "Nothing left, so nothing is known of the answer.", _GIVEN_BACK, ["CallerMistake"]
    )
    _open(test, release, 3 * cost)
    receipt = _reserve(test, 1)["receipt"]
    test.run("account_settle", receipt=receipt, answered=False, states=["account"], fault=_INPUT)
    test = group.test("dispatch_after_settlement", "The same message only.", _GIVEN_BACK, ["CallerMistake"])
    _open(test, release, 3 * cost)
    receipt = _send(test, 1)
    test.run("account_settle", receipt=receipt, answered=False, states=["account"])
    test.run("account_dispatch", receipt=receipt, message=b"another", states=["account"], fault=_INPUT)
    test.run("account_dispatch", receipt=receipt, message=b"circuits", states=["account"])
    test = group.test("settle_in_worst_case_mode", "Nothing is given back.", _GIVEN_BACK, ["CallerMistake"])
    _open(test, confident(), 3 * cost)
    receipt = _reserve(test, 1)["receipt"]
    test.run("account_settle", receipt=receipt, answered=False, states=["account"], fault=_INPUT)


def _figures(group: GroupBuilder) -> None:
    """A port may be tighter by 1e-9 relative, the error of the reference, and looser by 1e-6."""
    for unit in CostUnit:
        for cost, delta in ((Fraction(1, 100), 6), (Fraction(2), 5), (Fraction(75, 2), 10)):
            test = group.test(f"epsilon_{unit.value}_{cost.numerator}", "An upper bound, and a tight one.", _FIGURE)
            figure = epsilon_upper(unit, cost, Fraction(1, 10**delta))
            fields: dict[str, Any] = {"unit": unit, "cost": cost, "delta": Fraction(1, 10**delta), **_interval(figure)}
            _expect_inside(test.run("epsilon_of_cost", **fields))
    for sigma, count, epsilon in ((Fraction(3), 1, Fraction(1)), (Fraction(5, 2), 40, Fraction(9, 2))):
        test = group.test(f"discrete_delta_{count}", "The exact loss distribution.", _FIGURE)
        step = Step(DiscreteGaussian(sigma, 0), Sensitivity(Fraction(1), Fraction(1), 1))
        figure = round_up(LossDistribution({step: count}, Fraction(1, 10**15)).delta_upper(epsilon))
        fields = {"sigma": sigma, "count": count, "epsilon": epsilon, **_interval(figure)}
        _expect_inside(test.run("delta_of_discrete_gaussian", **fields))


def _interval(figure: Fraction) -> dict[str, Fraction]:
    return {"at_least": figure * (1 - Fraction(1, 10**9)), "at_most": round_up(figure * (1 + Fraction(1, 10**6)))}


def _expect_inside(found: dict[str, Any]) -> None:
    expect_equal(found["inside"], True, "a figure of the reference is inside its interval")


def _mistakes(group: GroupBuilder) -> None:
    release = policy(sigma=Fraction(3))
    mistakes: list[tuple[str, dict[str, Any]]] = [
        ("short_tag", {"session_tag": bytes(31)}),
        ("long_tag", {"session_tag": bytes(33)}),
        ("short_digest", {"inputs_digest": bytes(31)}),
        ("query_too_large", {"query": 1 << 32}),
    ]
    for name, changes in mistakes:
        test = group.test(f"reserve_{name}", "An argument that cannot be used.", _ONCE, ["CallerMistake"])
        _open(test, release, Fraction(1))
        _reserve(test, **{"query": 1, **changes}, fault=_INPUT)
    test = group.test("reserve_twice", "One query of one session is charged once.", _ONCE, ["DoubleCharge"])
    _open(test, release, Fraction(1))
    tag = test.draw("session_tag", 32)
    _reserve(test, 7, session_tag=tag)
    _reserve(test, 7, session_tag=tag, fault=_INPUT)
    test = group.test("other_session_same_query", "Another session may use the number.", _ONCE)
    _open(test, release, Fraction(1))
    _reserve(test, 7)
    _reserve(test, 7)
    test = group.test("negative_budget", "A budget is at least 0.", _LIMIT, ["CallerMistake"])
    _open(test, release, Fraction(-1), fault=_INPUT)
