"""The privacy account."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from capc.noise.mechanism import CostUnit, DiscreteGaussian
from capc.noise.sensitivity import Sensitivity
from capc.noise.shares import DiscreteGaussianShare, SharedNoise
from capc.privacy.accountants.ball_arithmetic import round_up
from capc.privacy.accountants.confident_gnmax import joint_renyi_upper
from capc.privacy.accountants.conversion import epsilon_upper
from capc.privacy.accountants.pld import PrivacyLossDistribution
from capc.privacy.accountants.steps import Step
from capc.privacy.accountants.zcdp import zcdp_rho
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy, ThresholdMode
from capc_verify.vectors.build import FileBuilder, GroupBuilder, TestBuilder
from capc_verify.vectors.cases.common import confident, expect_equal, policy, single_draw
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.accounts import ACCOUNTING

_COST = ("CAPC-ACCT-003",)
_LIMIT = ("CAPC-ACCT-001", "CAPC-ACCT-002")
_ONCE = ("CAPC-ACCT-006",)
_GIVEN_BACK = ("CAPC-ACCT-007",)
_FIGURE = ("CAPC-ACCT-103",)
_ORDER = ("CAPC-ACCT-115",)
_POLICY = ("CAPC-PARAM-060",)
_LABELS = ("CAPC-ACCT-130",)
_COUNTED = ("CAPC-ACCT-132",)
_SHARES = ("CAPC-ACCT-105", "CAPC-ACCT-106")
_JOINT = ("CAPC-ACCT-108", "CAPC-ACCT-116")
_INPUT = Fault.of_caller("input_error")
_EXHAUSTED = Fault.of_caller("budget_exhausted")
_GRID = 4
_TIGHT = "An upper bound, and a tight one."


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
    _budgets(group)
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


_Step = tuple[str, int, dict[str, Any]]


def _reserved(query: int, **options: Any) -> _Step:  # noqa: ANN401
    return "reserve", query, options


def _sent(query: int, message: bytes = b"circuits", **options: Any) -> _Step:  # noqa: ANN401
    return "dispatch", query, {"message": message, **options}


def _settled(query: int, answered: bool = False, **options: Any) -> _Step:  # noqa: ANN401
    return "settle", query, {"answered": answered, **options}


def _story(
    group: GroupBuilder,
    name: str,
    comment: str,
    requirements: Sequence[str],
    flags: Sequence[str],
    release: ReleasePolicy,
    budget: Fraction,
    steps: Sequence[_Step],
) -> dict[str, Any]:
    """An account, and what is asked of it, each time with the receipt of the query; returns what opening gave."""
    test = group.test(name, comment, requirements, flags)
    opened = _open(test, release, budget)
    receipts: dict[int, dict[str, Any]] = {}
    for verb, query, options in steps:
        if verb == "reserve":
            receipts[query] = _reserve(test, query, **options).get("receipt", {})
        else:
            receipt = {**receipts[query], **options.get("other", {})}
            given = {name: value for name, value in options.items() if name != "other"}
            test.run(f"account_{verb}", receipt=receipt, states=["account"], **given)
    return opened


def _costs(group: GroupBuilder) -> None:
    for mechanism in (NoiseName.ROUNDED_GAUSSIAN, NoiseName.DISCRETE_GAUSSIAN):
        for adjacency in Adjacency:
            for name, made in (("plain", policy), ("confident", confident), ("single_draw", single_draw)):
                release = made(mechanism=mechanism, adjacency=adjacency, sigma=Fraction(40))
                label = f"cost_{mechanism.value}_{adjacency.value}_{name}"
                test = group.test(label, "Cost of a query, and what is left after one.", _COST)
                found = _open(test, release, Fraction(10))
                moved = Fraction(2 if adjacency is Adjacency.REPLACE_ONE else 1)
                answer = moved / 1600
                check = 0 if release.threshold_sigma is None else moved / release.threshold_sigma**2
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
            expect_equal((found["check"], found["answer"]), (order * 4, order / 1600), mechanism.value)
        _reserve(test, 1)
    joint = confident(renyi_order=Fraction(3), joint_cost=Fraction(14))
    steps = [_reserved(1), _sent(1), _settled(1, fault=_INPUT), _reserved(2), _reserved(3, fault=_EXHAUSTED)]
    comment, flags = "No check of its own, and no refund.", ["BudgetExhausted"]
    opened = _story(group, "joint_is_one_charge", comment, _ORDER, flags, joint, Fraction(30), steps)
    expect_equal(opened["check"], Fraction(0), "joint")
    _label_accounts(group)
    bad = Fault.of_caller("parameter_error")
    mistakes: list[tuple[str, ReleasePolicy, dict[str, Any]]] = [
        ("skellam_without_order", policy(), {"mechanism": NoiseName.SKELLAM}),
        ("joint_without_order", confident(), {"joint_cost": Fraction(14)}),
        ("joint_without_threshold", policy(renyi_order=order), {"joint_cost": Fraction(14)}),
        ("joint_and_realised", confident(renyi_order=order), {"joint_cost": Fraction(14), "charge": Charge.REALISED}),
        ("joint_and_single_draw", single_draw(renyi_order=order), {"joint_cost": Fraction(14)}),
        ("single_draw_and_realised", single_draw(), {"charge": Charge.REALISED}),
        ("single_draw_and_noise_of_its_own", single_draw(), {"threshold_sigma": Fraction(1)}),
        ("single_draw_without_threshold", policy(), {"threshold_mode": ThresholdMode.SINGLE_DRAW}),
        ("order_one", policy(renyi_order=order), {"renyi_order": Fraction(1)}),
        ("label_without_order", policy(), {"argmax_cost": Fraction(1)}),
        ("label_and_two_draws", confident(renyi_order=order), {"argmax_cost": Fraction(1)}),
        ("labels_counted_and_two_draws", confident(), {"argmax_queries": 3}),
        ("labels_counted_at_an_order", policy(renyi_order=order), {"argmax_queries": 3}),
        ("labels_charged_both_ways", policy(renyi_order=order), {"argmax_cost": Fraction(1), "argmax_queries": 3}),
        ("no_label_counted", policy(), {"argmax_queries": 0}),
    ]
    for name, release, changes in mistakes:
        fields: dict[str, Any] = {"policy": {**vars(release), **changes}, "grid_bits": _GRID, "budget": Fraction(30)}
        flags = ["BadParameter"]
        group.case("account_open", f"open_{name}", "A policy that cannot be.", _ORDER, flags, fault=bad, **fields)
    # Rules of the fields beside each other, of which ports made guesses.
    together: list[tuple[str, ReleasePolicy, dict[str, Any]]] = [
        (
            "joint_and_other_noise",
            confident(renyi_order=order),
            {"joint_cost": Fraction(14), "mechanism": NoiseName.DISCRETE_GAUSSIAN},
        ),
        ("noise_of_no_check", policy(), {"threshold_sigma": Fraction(1)}),
        ("check_without_noise", confident(), {"threshold_sigma": None}),
        ("realised_without_check", policy(), {"charge": Charge.REALISED}),
    ]
    for name, release, changes in together:
        fields = {"policy": {**vars(release), **changes}, "grid_bits": _GRID, "budget": Fraction(30)}
        flags = ["BadParameter"]
        group.case(
            "account_open", f"open_{name}", "Fields that do not go together.", _POLICY, flags, fault=bad, **fields
        )


_CHARGED = ("check", "answer", "unit")


def _label_accounts(group: GroupBuilder) -> None:
    """Accounts that charge for labels: by a cost at an order, or by their number."""
    steps = [_reserved(1), _sent(1), _settled(1, fault=_INPUT), _reserved(2), _reserved(3, fault=_EXHAUSTED)]
    comment, flags = "Two labels fit; nothing is given back.", ["BudgetExhausted"]
    for name, made in (("plain", policy), ("single_draw", single_draw)):
        release = made(renyi_order=Fraction(7, 2), argmax_cost=Fraction(9, 16))
        opened = _story(group, f"labels_at_a_cost_{name}", comment, _LABELS, flags, release, Fraction(5, 4), steps)
        expect_equal([opened[field] for field in _CHARGED], [0, Fraction(9, 16), CostUnit.RENYI], name)
        release = made(argmax_queries=2)
        opened = _story(group, f"labels_counted_{name}", comment, _COUNTED, flags, release, Fraction(2), steps)
        expect_equal([opened[field] for field in _CHARGED], [0, 1, CostUnit.QUERIES], name)
    comment, release = "A budget above N is taken as it is: an account certifies nothing.", policy(argmax_queries=2)
    more = [*(_reserved(query) for query in (1, 2, 3)), _reserved(4, fault=_EXHAUSTED)]
    _story(group, "labels_counted_beyond", comment, _COUNTED, flags, release, Fraction(3), more)


def _budgets(group: GroupBuilder) -> None:
    release, cost = policy(sigma=Fraction(3)), Fraction(2, 9)
    short = 2 * cost - Fraction(1, 10**30)
    twice = [_reserved(1, fault=_EXHAUSTED), _reserved(2, fault=_EXHAUSTED)]
    again = [_reserved(1, fault=_INPUT, inputs_digest=b"short"), _reserved(1)]
    for name, comment, flag, budget, steps in (
        ("budget_filled_exactly", "Three queries fit, the fourth does not.", "ExactBudget", 3 * cost, _RESERVED[:3]),
        ("budget_exhausted", "The second query does not fit.", "BudgetExhausted", short, _BEYOND),
        ("budget_exhausted_twice", "A refusal changes nothing: it comes again.", "BudgetExhausted", Fraction(0), twice),
        ("refused_query_number_is_free", "A refused query may be asked for again.", "ExactBudget", cost, again),
    ):
        _story(group, name, comment, _LIMIT, [flag], release, budget, steps)


_RESERVED = [_reserved(query) for query in (1, 2, 3)]
_BEYOND = [_reserved(1), _reserved(2, fault=_EXHAUSTED)]


def _settlements(group: GroupBuilder) -> None:
    release = confident(charge=Charge.REALISED)
    cost = Fraction(8) + Fraction(8)
    answers = ((1, False), (2, True), (3, False))
    steps = [step for query, bit in answers for step in (_reserved(query), _sent(query), _settled(query, bit))]
    comment = "The check stays charged, the answer is given back."
    _story(group, "withheld_is_given_back", comment, _GIVEN_BACK, [], release, 3 * cost, steps)
    comment, flags = "No return, no refund.", ["BudgetExhausted"]
    _story(group, "unsettled_stays_charged", comment, _GIVEN_BACK, flags, release, 2 * cost - 1, _BEYOND)
    others: dict[str, dict[str, Any]] = {
        "foreign_session": {"session_tag": bytes(32)},
        "foreign_query": {"query": 2},
        "foreign_inputs": {"inputs_digest": bytes(32)},
        "other_amount": {"reserved": Fraction(1)},
        "other_unit": {"unit": CostUnit.RHO},
    }
    for name, other in others.items():
        steps = [_reserved(1), _settled(1, other=other, fault=_INPUT)]
        comment, flags = "The receipt is not of this account.", ["ForeignReceipt"]
        _story(group, f"settle_{name}", comment, _ONCE, flags, release, 3 * cost, steps)
    settled, mistake = [_reserved(1), _sent(1), _settled(1)], ["CallerMistake"]
    steps = [*settled, _settled(1, fault=_INPUT)]
    _story(group, "settle_twice", "A charge is settled once.", _ONCE, ["DoubleCharge"], release, 3 * cost, steps)
    early = [_reserved(1), _settled(1, fault=_INPUT)]
    comment = "Nothing left, so nothing is known of the answer."
    _story(group, "settle_before_dispatch", comment, _GIVEN_BACK, mistake, release, 3 * cost, early)
    steps = [*settled, _sent(1, b"another", fault=_INPUT), _sent(1)]
    comment = "The same message only."
    _story(group, "dispatch_after_settlement", comment, _GIVEN_BACK, mistake, release, 3 * cost, steps)
    comment = "Nothing is given back."
    _story(group, "settle_in_worst_case_mode", comment, _GIVEN_BACK, mistake, confident(), 3 * cost, early)


def _figures(group: GroupBuilder) -> None:
    """A port may be tighter by 1e-9 relative, the error of the reference, and looser by 1e-6."""
    for unit in (CostUnit.MU_SQUARED, CostUnit.RHO):
        for cost, places in ((Fraction(1, 100), 6), (Fraction(2), 5), (Fraction(75, 2), 10)):
            name, delta = f"epsilon_{unit.value}_{cost.numerator}", Fraction(1, 10**places)
            fields: dict[str, Any] = {"unit": unit, "cost": cost, "delta": delta}
            _figure(group, "epsilon_of_cost", name, _TIGHT, _FIGURE, epsilon_upper(unit, cost, delta), fields)
    for sigma, count, epsilon in ((Fraction(3), 1, Fraction(1)), (Fraction(5, 2), 40, Fraction(9, 2))):
        step = Step(DiscreteGaussian(sigma, 0), Sensitivity(Fraction(1), Fraction(1), 1))
        delta = round_up(PrivacyLossDistribution({step: count}, Fraction(1, 10**15)).delta_upper(epsilon))
        name, comment = f"discrete_delta_{count}", "The exact loss distribution."
        fields = {"sigma": sigma, "count": count, "epsilon": epsilon}
        _figure(group, "delta_of_discrete_gaussian", name, comment, _FIGURE, delta, fields)


def _renyi_figures(group: GroupBuilder) -> None:
    for order, cost, places in (
        (Fraction(3, 2), Fraction(20), 5),
        (Fraction(11), Fraction(3), 8),
        (Fraction(400), Fraction(1), 12),
    ):
        name, comment = f"epsilon_renyi_{order.numerator}", "The improved conversion at one order."
        fields: dict[str, Any] = {"order": order, "cost": cost, "delta": Fraction(1, 10**places)}
        bound = epsilon_upper(CostUnit.RENYI, cost, fields["delta"], order)
        _figure(group, "epsilon_of_renyi_cost", name, comment, _ORDER + _FIGURE, bound, fields)
    for sigma, grid_bits, order in (
        (Fraction(2), 0, Fraction(2)),
        (Fraction(3), 4, Fraction(9, 2)),
        (Fraction(1, 3), 1, Fraction(64)),
    ):
        unit, a = 1 << grid_bits, Fraction(-(-order.numerator // order.denominator))
        v, squared, absolute = (sigma * unit) ** 2, Fraction(2 * unit**2), Fraction(2 * unit)
        excess = min(((2 * a - 1) * squared + 6 * absolute) / (4 * v**2), 3 * absolute / (2 * v))
        fields = {"sigma_votes": sigma, "grid_bits": grid_bits, "order": order, **_MOVED}
        name, comment = f"cost_skellam_{order.numerator}", "Exact; an order counts as the next integer."
        found = group.case("renyi_cost", name, comment, _FIGURE, mechanism=NoiseName.SKELLAM, **fields)
        expect_equal(found["cost"], a * squared / (2 * v) + excess, "Skellam cost")
    for v, contributors, uncounted in ((Fraction(3, 2), 2, 0), (Fraction(3, 2), 20, 5), (Fraction(8), 1, 0)):
        noise = SharedNoise(DiscreteGaussianShare(v, 0), contributors, uncounted)
        rho = zcdp_rho({Step(noise, Sensitivity(Fraction(2), Fraction(2), 2)): 1})
        name, comment = f"rho_of_{contributors}_shares", "Of those that count, with the correction tau."
        fields = {"sigma_votes": v, "grid_bits": 0, "contributors": contributors, "uncounted": uncounted, **_MOVED}
        _figure(group, "rho_of_shares", name, comment, _SHARES, rho, fields)
    for order, check, answer in (
        (Fraction(2), Fraction(1, 36), Fraction(1, 8)),
        (Fraction(12), Fraction(1), Fraction(3)),
    ):
        name, comment = f"joint_cost_{order.numerator}", "Between the maximum and the reference's bound."
        fields = {"order": order, "check_mu_squared": check, "answer_cost": answer}
        bound = joint_renyi_upper(order, check, answer)
        _figure(group, "joint_cost", name, comment, _JOINT, bound, fields, Fraction(1, 1000))


def _figure(
    group: GroupBuilder,
    op: str,
    name: str,
    comment: str,
    requirements: Sequence[str],
    figure: Fraction,
    fields: dict[str, Any],
    slack: Fraction = Fraction(1, 10**9),
) -> None:
    """A bound, and the interval from what is below the truth up to what is loose: a figure is rounded up."""
    loose = max(slack, Fraction(1, 10**6))
    interval: dict[str, Any] = {"at_least": figure * (1 - slack), "at_most": round_up(figure * (1 + loose))}
    found = group.case(op, name, comment, requirements, **fields, **interval)
    expect_equal(found["inside"], True, f"{name}: the reference's figure lies inside its interval")


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


def _mistakes(group: GroupBuilder) -> None:
    release, one, mistake = policy(sigma=Fraction(3)), Fraction(1), ["CallerMistake"]
    mistakes: dict[str, dict[str, Any]] = {
        "short_tag": {"session_tag": bytes(31)},
        "long_tag": {"session_tag": bytes(33)},
        "short_digest": {"inputs_digest": bytes(31)},
        "query_too_large": {"query": 1 << 32},
    }
    for name, changes in mistakes.items():
        steps = [_reserved(changes.pop("query", 1), **changes, fault=_INPUT)]
        _story(group, f"reserve_{name}", "An argument that cannot be used.", _ONCE, mistake, release, one, steps)
    test = group.test("reserve_twice", "One query of one session is charged once.", _ONCE, ["DoubleCharge"])
    _open(test, release, one)
    tag = test.draw("session_tag", 32)
    _reserve(test, 7, session_tag=tag)
    _reserve(test, 7, session_tag=tag, fault=_INPUT)
    steps = [_reserved(7), _reserved(7)]
    _story(group, "other_session_same_query", "Another session may use the number.", _ONCE, [], release, one, steps)
    fields: dict[str, Any] = {"policy": vars(release), "grid_bits": _GRID, "budget": Fraction(-1)}
    name, comment = "negative_budget", "A budget is at least 0."
    group.case("account_open", name, comment, _LIMIT, mistake, leaves=["account"], fault=_INPUT, **fields)
