"""Which stopping rules keep a budget, and the theorem that carries each.

A filter admits a step only if the composed cost, this step included, stays within a budget that was fixed before the
first query. Steps and stopping may then depend on everything that was released. What is guaranteed is the budget; the
cost so far is an odometer reading, also at the moment where the filter stops.

There is no filter here that stops when a composed (epsilon, delta) curve, a general f-DP trade-off curve or a
privacy-loss distribution crosses a line. Such curves compose for mechanisms fixed in advance; when the next mechanism
is chosen by earlier outputs, the curve at the stopping time is not a valid bound. Gaussian DP is the exception, because
its family is closed: mu^2 adds up whatever the choices were.

Spec: CAPC-ACCT-002, CAPC-ACCT-110, CAPC-ACCT-111.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.privacy.accountants.ball_arithmetic import require
from capc.privacy.accountants.gdp import composed_mu_squared
from capc.privacy.accountants.rdp import rdp_cost
from capc.privacy.accountants.steps import JointStep, Step, Steps
from capc.privacy.accountants.zcdp import zcdp_rho

ODOMETER = "odometer reading: not a guarantee unless the counts were fixed in advance"


@dataclass(frozen=True)
class FilterRule:
    """What is added up.

    Attributes:
        unit: of the budget and of every cost.
        theorem: what makes the budget a guarantee under full adaptivity.
        cost: of steps, exact or rounded up.
    """

    unit: str
    theorem: str
    cost: Callable[[Steps], Fraction]


def gaussian_filter() -> FilterRule:
    """Adds up mu^2; rounded Gaussian noise only."""
    return FilterRule(
        "mu^2",
        "Gaussian DP composes under full adaptivity with the same parameters (Smith and Thakurta 2022, "
        "arXiv 2210.17520)",
        composed_mu_squared,
    )


def zcdp_filter() -> FilterRule:
    """Adds up rho."""
    return FilterRule(
        "rho",
        "a Renyi filter at every order at once, as rho-zCDP is a cost of a rho at each order a (Feldman and Zrnic "
        "2021, arXiv 2008.11193)",
        zcdp_rho,
    )


def renyi_filter(order: Fraction) -> FilterRule:
    """Adds up Renyi costs at one order, which is fixed here, before the first query.

    Args:
        order: above 1. Choosing it by the votes would be a release of its own.

    Raises:
        InputError: the order is not above 1.
    """
    require(order > 1, "order", order, "give an order above 1, fixed before the first query")
    return FilterRule(
        f"Renyi divergence of order {order}",
        "a filter for Renyi DP at one order fixed in advance (Feldman and Zrnic 2021, arXiv 2008.11193)",
        lambda steps: rdp_cost(steps, order),
    )


def capped_filter(step: Step) -> FilterRule:
    """Counts steps of one kind; the budget is their number N, whose guarantee is any curve of N such steps.

    For loss distributions: :func:`~capc.privacy.figures.calculator.affordable_queries` finds N. Every query is charged
    in full, so a check with draws of its own, which is a step of another kind, is not for it.

    Args:
        step: the one that may be taken.
    """

    def cost(steps: Steps) -> Fraction:
        for other in steps:
            if other != step:
                raise InputError("a capped filter counts steps of one kind, fixed in advance: this is another one")
        return Fraction(sum(steps.values()))

    return FilterRule(
        "steps of one kind",
        "adaptive composition of dominating pairs (Zhu, Dong and Wang 2022, arXiv 2106.08567), with a number of steps "
        "fixed in advance",
        cost,
    )


class Filter:
    """A budget and a rule, both fixed here. Calls are atomic: two threads cannot both pass the same check.

    Args:
        rule: what is added up.
        budget: in the rule's unit, at least 0.

    Raises:
        InputError: the budget is negative.
    """

    def __init__(self, rule: FilterRule, budget: Fraction) -> None:
        require(isinstance(budget, Fraction) and budget >= 0, "budget", budget, "give a Fraction of at least 0")
        self.rule = rule
        self.budget = budget
        self._spent = Fraction(0)
        self._joint: bool | None = None
        self._lock = Lock()

    def admit(self, step: Step | JointStep) -> None:
        """Charges one step before it is taken.

        Raises:
            BudgetExhaustedError: it does not fit; nothing was charged.
            InputError: the rule does not carry the step's noise, or joint and separate charges are mixed.
        """
        joint = isinstance(step, JointStep)
        cost = self.rule.cost({step: 1})
        with self._lock:
            require(self._joint in (None, joint), "joint", joint, "a filter charges jointly or separately, not both")
            total = self._spent + cost
            if total > self.budget:
                raise BudgetExhaustedError(f"the step does not fit the budget {self.budget} ({self.rule.unit})")
            self._spent, self._joint = total, joint

    @property
    def reading(self) -> tuple[Fraction, str]:
        """The cost so far, and what it is."""
        return self._spent, ODOMETER
