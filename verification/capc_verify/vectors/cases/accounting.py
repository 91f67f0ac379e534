"""The privacy account."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from capc.accountants.balls import round_up
from capc.accountants.concentrated import composed_rho
from capc.accountants.conversion import epsilon_upper
from capc.accountants.joint import joint_renyi_upper
from capc.accountants.loss import LossDistribution
from capc.accountants.steps import Step
from capc.noise.mechanism import CostUnit, DiscreteGaussian
from capc.noise.sensitivity import Sensitivity
from capc.noise.shares import DiscreteGaussianShare, SharedNoise
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
_ORDER = ("CAPC-ACCT-115",)
_SHARES = ("CAPC-ACCT-105", "CAPC-ACCT-106")
_JOINT = ("CAPC-ACCT-108", "CAPC-ACCT-116")
_INPUT = Fault.of_caller("input_error")
_GRID = 4


def accounting() -> FileBuilder:
    """Charges, budgets, settlements."""
    file = FileBuilder(
        "accounting",
        "CAPC-ACCOUNTING",
        [
            "Events in, exact rational costs out: mu^2 for the rounded Gaussian, rho for the discrete Gaussian.",
            "Figures are upper bounds, given as intervals: from 1e-9 relative below to 1e-6 above the reference, joint",
            "costs 1e-3 both ways. A port rounds its own figure up, and says whether it lies inside: below at_least",
            "it is no bound, above at_most it is loose. Skellam costs are exact.",
            "An account is one state that every operation changes; a refused one leaves it as it was.",
        ],
    )
    group = file.group(ACCOUNTING)
    _costs(group)
    _renyi_accounts(group)
    _budget(group)
    _settlements(group)
    _mistakes(group)
    _figures(group)
    _renyi_figures(group)
    _refused_figures(group)
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
    for mechanism in (NoiseName.ROUNDED_GAUSSIAN, NoiseName.DISCRETE_GAUSSIAN):
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


def _renyi_accounts(group: GroupBuilder) -> None:
    """Accounts whose policy fixes a Renyi order, or a joint cost at one."""
    order = Fraction(7, 2)
    for mechanism in NoiseName:
        release = confident(mechanism=mechanism, sigma=Fraction(40), renyi_order=order)
        test = group.test(f"cost_{mechanism.value}_renyi", "Every cost is the divergence at one order.", _ORDER)
        found = _open(test, release, Fraction(30))
        expect_equal(found["unit"], CostUnit.RENYI, mechanism.value)
        if mechanism is not NoiseName.SKELLAM:
            expect_equal((found["check"], found["answer"]), (order * 2, order / 1600), mechanism.value)
        _reserve(test, 1)
    joint = confident(renyi_order=Fraction(3), joint_cost=Fraction(14))
    test = group.test("joint_is_one_charge", "No check of its own, and no refund.", _ORDER, ["BudgetExhausted"])
    expect_equal(_open(test, joint, Fraction(30))["check"], Fraction(0), "joint")
    receipt = _send(test, 1)
    test.run("account_settle", receipt=receipt, answered=False, states=["account"], fault=_INPUT)
    _reserve(test, 2)
    _reserve(test, 3, fault=Fault.of_caller("budget_exhausted"))
    bad = Fault.of_caller("parameter_error")
    mistakes: list[tuple[str, ReleasePolicy, dict[str, Any]]] = [
        ("skellam_without_order", policy(), {"mechanism": NoiseName.SKELLAM}),
        ("joint_without_order", confident(), {"joint_cost": Fraction(14)}),
        ("joint_without_threshold", policy(renyi_order=order), {"joint_cost": Fraction(14)}),
        ("joint_and_realised", confident(renyi_order=order), {"joint_cost": Fraction(14), "charge": Charge.REALISED}),
        ("order_one", policy(renyi_order=order), {"renyi_order": Fraction(1)}),
    ]
    for name, release, changes in mistakes:
        test = group.test(f"open_{name}", "A policy that cannot be.", _ORDER, ["BadParameter"])
        fields: dict[str, Any] = {"policy": {**vars(release), **changes}, "grid_bits": _GRID, "budget": Fraction(30)}
        test.run("account_open", fault=bad, **fields)


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
    for unit in (CostUnit.MU_SQUARED, CostUnit.RHO):
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


def _renyi_figures(group: GroupBuilder) -> None:
    for order, cost, delta in ((Fraction(3, 2), 20, 5), (Fraction(11), 3, 8), (Fraction(400), 1, 12)):
        test = group.test(f"epsilon_renyi_{order.numerator}", "The improved conversion at one order.", _ORDER + _FIGURE)
        figure = epsilon_upper(CostUnit.RENYI, Fraction(cost), Fraction(1, 10**delta), order)
        fields: dict[str, Any] = {"order": order, "cost": Fraction(cost), "delta": Fraction(1, 10**delta)}
        _expect_inside(test.run("epsilon_of_renyi_cost", **fields, **_interval(figure)))
    for sigma, grid_bits, order in (
        (Fraction(2), 0, Fraction(2)),
        (Fraction(3), 4, Fraction(9, 2)),
        (Fraction(1, 3), 1, Fraction(64)),
    ):
        unit, a = 1 << grid_bits, Fraction(-(-order.numerator // order.denominator))
        v, squared, absolute = (sigma * unit) ** 2, Fraction(2 * unit**2), Fraction(2 * unit)
        excess = min(((2 * a - 1) * squared + 6 * absolute) / (4 * v**2), 3 * absolute / (2 * v))
        test = group.test(f"cost_skellam_{order.numerator}", "Exact; an order counts as the next integer.", _FIGURE)
        fields = {
            "mechanism": NoiseName.SKELLAM,
            "sigma_votes": sigma,
            "grid_bits": grid_bits,
            "order": order,
            **_MOVED,
        }
        expect_equal(test.run("renyi_cost", **fields)["cost"], a * squared / (2 * v) + excess, "Skellam cost")
    for v, contributors, uncounted in ((Fraction(3, 2), 2, 0), (Fraction(3, 2), 20, 5), (Fraction(8), 1, 0)):
        noise = SharedNoise(DiscreteGaussianShare(v, 0), contributors, uncounted)
        figure = composed_rho({Step(noise, Sensitivity(Fraction(2), Fraction(2), 2)): 1})
        test = group.test(f"rho_of_{contributors}_shares", "Of those that count, with the correction tau.", _SHARES)
        fields = {"sigma_votes": v, "grid_bits": 0, "contributors": contributors, "uncounted": uncounted, **_MOVED}
        _expect_inside(test.run("rho_of_shares", **fields, **_interval(figure)))
    for order, check, answer in (
        (Fraction(2), Fraction(1, 36), Fraction(1, 8)),
        (Fraction(12), Fraction(1), Fraction(3)),
    ):
        figure = joint_renyi_upper(order, check, answer)
        test = group.test(f"joint_cost_{order.numerator}", "Between the maximum and the reference's bound.", _JOINT)
        fields = {"order": order, "check_mu_squared": check, "answer_cost": answer}
        _expect_inside(test.run("joint_cost", **fields, **_interval(figure, Fraction(1, 1000))))


_MOVED = {"squared": Fraction(2), "absolute": Fraction(2), "changed": 2}


def _refused_figures(group: GroupBuilder) -> None:
    """One argument of each figure out of its range."""
    anything = {"at_least": Fraction(0), "at_most": Fraction(10**9)}
    tenth, one, two = Fraction(1, 10), Fraction(1), Fraction(2)
    skellam = {"mechanism": NoiseName.SKELLAM, "sigma_votes": two, "grid_bits": 0, "order": two, **_MOVED}
    shares = {"sigma_votes": two, "grid_bits": 0, "contributors": 3, "uncounted": 0, **_MOVED, **anything}
    renyi = {"order": two, "cost": one, "delta": tenth, **anything}
    joint = {"order": two, "check_mu_squared": one, "answer_cost": one, **anything}
    gauss = {"unit": CostUnit.MU_SQUARED, "cost": one, "delta": tenth, **anything}
    discrete = {"sigma": two, "count": 1, "epsilon": one, "at_least": tenth, "at_most": one}
    mistakes: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("epsilon_of_cost", gauss, {"cost": Fraction(-1)}),
        ("epsilon_of_cost", gauss, {"delta": Fraction(0)}),
        ("epsilon_of_cost", gauss, {"delta": one}),
        ("epsilon_of_cost", gauss, {"unit": CostUnit.RENYI}),
        ("epsilon_of_cost", gauss, {"cost": Fraction(10**9 + 1)}),
        ("epsilon_of_cost", gauss, {"unit": CostUnit.RHO, "cost": Fraction(-1)}),
        ("epsilon_of_renyi_cost", renyi, {"order": one}),
        ("epsilon_of_renyi_cost", renyi, {"cost": Fraction(-1)}),
        ("epsilon_of_renyi_cost", renyi, {"delta": Fraction(0)}),
        ("renyi_cost", skellam, {"sigma_votes": Fraction(0)}),
        ("renyi_cost", skellam, {"sigma_votes": Fraction(-1)}),
        ("renyi_cost", skellam, {"order": one}),
        ("rho_of_shares", shares, {"sigma_votes": Fraction(149, 100)}),
        ("rho_of_shares", shares, {"uncounted": 3}),
        ("rho_of_shares", shares, {"contributors": 0}),
        ("joint_cost", joint, {"order": one}),
        ("joint_cost", joint, {"check_mu_squared": Fraction(0)}),
        ("joint_cost", joint, {"answer_cost": Fraction(0)}),
        ("delta_of_discrete_gaussian", discrete, {"sigma": Fraction(0)}),
        ("delta_of_discrete_gaussian", discrete, {"epsilon": Fraction(-1)}),
    ]
    for number, (op, fields, changes) in enumerate(mistakes):
        group.case(
            op,
            f"refused_{op}_{number}",
            f"{', '.join(changes)} cannot be used.",
            _FIGURE,
            ["CallerMistake"],
            fault=_INPUT,
            **{**fields, **changes},
        )


def _interval(figure: Fraction, slack: Fraction = Fraction(1, 10**9)) -> dict[str, Any]:
    """From what is below the truth up to what is loose: a figure is rounded up."""
    loose = max(slack, Fraction(1, 10**6))
    return {"at_least": figure * (1 - slack), "at_most": round_up(figure * (1 + loose))}


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
