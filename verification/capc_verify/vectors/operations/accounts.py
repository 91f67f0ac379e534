"""The privacy account: events in, exact costs out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from capc.accountants.conversion import epsilon_upper
from capc.accountants.events import Step
from capc.accountants.loss import LossDistribution
from capc.accountants.unit import Sensitivity
from capc.accounting import Account, CostUnit, Receipt
from capc.noise.mechanism import DiscreteGaussian
from capc.parameters import ReleasePolicy
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.sessions import POLICY
from capc_verify.vectors.values import COUNT, DATA, FLAG, RATIONAL, choice, record

RECEIPT = record(
    {
        "session_tag": DATA,
        "query": COUNT,
        "inputs_digest": DATA,
        "reserved": RATIONAL,
        "unit": choice(CostUnit),
    }
)
_INTERVAL = {"at_least": RATIONAL, "at_most": RATIONAL}
_STANDING = {"spent": RATIONAL, "remaining_queries": COUNT}


def receipt_from(fields: Mapping[str, Any]) -> Receipt:
    """The receipt that the fields of :data:`RECEIPT` state."""
    return Receipt(**fields)


def receipt_fields(receipt: Receipt) -> dict[str, Any]:
    """The fields of a receipt."""
    return dict(vars(receipt))


def _standing(account: Account) -> dict[str, object]:
    return {"spent": account.spent, "remaining_queries": account.remaining_queries()}


def _open(call: Call) -> Result:
    account = Account(ReleasePolicy(**call["policy"]), call["grid_bits"], call["budget"])
    cost = account.cost
    out = {"check": cost.check, "answer": cost.answer, "unit": cost.unit, **_standing(account)}
    return Result(out, (account,))


def _reserve(call: Call) -> Result:
    account: Account = call.states[0]
    receipt = account.reserve(call["session_tag"], call["query"], call["inputs_digest"])
    return Result({"receipt": receipt_fields(receipt), **_standing(account)})


def _dispatch(call: Call) -> Result:
    account: Account = call.states[0]
    account.dispatch(receipt_from(call["receipt"]), call["message"])
    return Result(_standing(account))


def _epsilon(call: Call) -> Result:
    epsilon = epsilon_upper(call["unit"], call["cost"], call["delta"])
    return Result({"inside": call["at_least"] <= epsilon <= call["at_most"]})


def _delta(call: Call) -> Result:
    step = Step(DiscreteGaussian(call["sigma"], 0), Sensitivity(Fraction(1), Fraction(1), 1))
    delta = LossDistribution({step: call["count"]}, call["at_least"] / 2).delta_upper(call["epsilon"])
    return Result({"inside": call["at_least"] <= delta <= call["at_most"]})


def _settle(call: Call) -> Result:
    account: Account = call.states[0]
    account.settle(receipt_from(call["receipt"]), answered=call["answered"])
    return Result(_standing(account))


ACCOUNTING = GroupType(
    "Accounting",
    named(
        Operation(
            "account_open",
            _open,
            {"policy": record(POLICY), "grid_bits": COUNT, "budget": RATIONAL},
            {"check": RATIONAL, "answer": RATIONAL, "unit": choice(CostUnit), **_STANDING},
        ),
        Operation(
            "account_reserve",
            _reserve,
            {"session_tag": DATA, "query": COUNT, "inputs_digest": DATA},
            {"receipt": RECEIPT, **_STANDING},
        ),
        Operation("account_dispatch", _dispatch, {"receipt": RECEIPT, "message": DATA}, _STANDING),
        Operation(
            "epsilon_of_cost",
            _epsilon,
            {"unit": choice(CostUnit), "cost": RATIONAL, "delta": RATIONAL, **_INTERVAL},
            {"inside": FLAG},
        ),
        Operation(
            "delta_of_discrete_gaussian",
            _delta,
            {"sigma": RATIONAL, "count": COUNT, "epsilon": RATIONAL, **_INTERVAL},
            {"inside": FLAG},
        ),
        Operation("account_settle", _settle, {"receipt": RECEIPT, "answered": FLAG}, _STANDING),
    ),
)
