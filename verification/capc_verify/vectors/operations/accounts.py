"""The privacy account: events in, exact costs out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from capc.noise.mechanism import CostUnit, DiscreteGaussian, mechanism_for
from capc.noise.sensitivity import Sensitivity
from capc.noise.shares import DiscreteGaussianShare, SharedNoise
from capc.privacy.account import Account
from capc.privacy.accountants.confident_gnmax import joint_renyi_upper
from capc.privacy.accountants.conversion import epsilon_upper
from capc.privacy.accountants.pld import PrivacyLossDistribution
from capc.privacy.accountants.steps import Step
from capc.privacy.accountants.zcdp import zcdp_rho
from capc.privacy.events import Receipt
from capc.session.parameters import NoiseName, ReleasePolicy
from capc_verify.vectors.figures import bounded
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.protocol.sessions import COMPOSITION, POLICY
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
_SMALLEST_DELTA = Fraction(1, 10**15)
"""Every delta of a vector is larger, by far: what the law is cut by does not show in its figures."""
_MOVED = {"squared": RATIONAL, "absolute": RATIONAL, "changed": COUNT}
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


def _epsilon(call: Call) -> Fraction:
    return epsilon_upper(call["unit"], call["cost"], call["delta"])


def _delta(call: Call) -> Fraction:
    step = Step(DiscreteGaussian(call["sigma"], 0), Sensitivity(Fraction(1), Fraction(1), 1))
    return PrivacyLossDistribution({step: call["count"]}, _SMALLEST_DELTA).delta_upper(call["epsilon"])


def _renyi_epsilon(call: Call) -> Fraction:
    return epsilon_upper(CostUnit.RENYI, call["cost"], call["delta"], call["order"])


def _renyi_cost(call: Call) -> Result:
    mechanism = mechanism_for(call["mechanism"], call["sigma_votes"], call["grid_bits"])
    sensitivity = Sensitivity(call["squared"], call["absolute"], call["changed"])
    return Result({"cost": mechanism.rdp_cost(call["order"], sensitivity)})


def _shares_rho(call: Call) -> Fraction:
    share = DiscreteGaussianShare(call["sigma_votes"], call["grid_bits"])
    noise = SharedNoise(share, call["contributors"], call["uncounted"])
    step = Step(noise, Sensitivity(call["squared"], call["absolute"], call["changed"]))
    return zcdp_rho({step: 1})


def _joint_cost(call: Call) -> Fraction:
    return joint_renyi_upper(call["order"], call["check_mu_squared"], call["answer_cost"])


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
            {"policy": record(POLICY, COMPOSITION), "grid_bits": COUNT, "budget": RATIONAL},
            {"check": RATIONAL, "answer": RATIONAL, "unit": choice(CostUnit), **_STANDING},
        ),
        Operation(
            "account_reserve",
            _reserve,
            {"session_tag": DATA, "query": COUNT, "inputs_digest": DATA},
            {"receipt": RECEIPT, **_STANDING},
        ),
        Operation("account_dispatch", _dispatch, {"receipt": RECEIPT, "message": DATA}, _STANDING),
        bounded("epsilon_of_cost", _epsilon, {"unit": choice(CostUnit), "cost": RATIONAL, "delta": RATIONAL}),
        bounded("delta_of_discrete_gaussian", _delta, {"sigma": RATIONAL, "count": COUNT, "epsilon": RATIONAL}),
        bounded("epsilon_of_renyi_cost", _renyi_epsilon, {"order": RATIONAL, "cost": RATIONAL, "delta": RATIONAL}),
        Operation(
            "renyi_cost",
            _renyi_cost,
            {"mechanism": choice(NoiseName), "sigma_votes": RATIONAL, "grid_bits": COUNT, "order": RATIONAL, **_MOVED},
            {"cost": RATIONAL},
        ),
        bounded(
            "rho_of_shares",
            _shares_rho,
            {"sigma_votes": RATIONAL, "grid_bits": COUNT, "contributors": COUNT, "uncounted": COUNT, **_MOVED},
        ),
        bounded("joint_cost", _joint_cost, {"order": RATIONAL, "check_mu_squared": RATIONAL, "answer_cost": RATIONAL}),
        Operation("account_settle", _settle, {"receipt": RECEIPT, "answered": FLAG}, _STANDING),
    ),
)
