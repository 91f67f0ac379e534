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
_INTERVAL = {"at_least": RATIONAL, "at_most": RATIONAL}
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


def _inside(call: Call, figure: Fraction) -> Result:
    return Result({"inside": call["at_least"] <= figure <= call["at_most"]})


def _epsilon(call: Call) -> Result:
    return _inside(call, epsilon_upper(call["unit"], call["cost"], call["delta"]))


def _delta(call: Call) -> Result:
    step = Step(DiscreteGaussian(call["sigma"], 0), Sensitivity(Fraction(1), Fraction(1), 1))
    delta = PrivacyLossDistribution({step: call["count"]}, call["at_least"] / 2).delta_upper(call["epsilon"])
    return _inside(call, delta)


def _renyi_epsilon(call: Call) -> Result:
    return _inside(call, epsilon_upper(CostUnit.RENYI, call["cost"], call["delta"], call["order"]))


def _renyi_cost(call: Call) -> Result:
    mechanism = mechanism_for(call["mechanism"], call["sigma_votes"], call["grid_bits"])
    sensitivity = Sensitivity(call["squared"], call["absolute"], call["changed"])
    return Result({"cost": mechanism.rdp_cost(call["order"], sensitivity)})


def _shares_rho(call: Call) -> Result:
    share = DiscreteGaussianShare(call["sigma_votes"], call["grid_bits"])
    noise = SharedNoise(share, call["contributors"], call["uncounted"])
    step = Step(noise, Sensitivity(call["squared"], call["absolute"], call["changed"]))
    return _inside(call, zcdp_rho({step: 1}))


def _joint_cost(call: Call) -> Result:
    return _inside(call, joint_renyi_upper(call["order"], call["check_mu_squared"], call["answer_cost"]))


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
        Operation(
            "epsilon_of_renyi_cost",
            _renyi_epsilon,
            {"order": RATIONAL, "cost": RATIONAL, "delta": RATIONAL, **_INTERVAL},
            {"inside": FLAG},
        ),
        Operation(
            "renyi_cost",
            _renyi_cost,
            {"mechanism": choice(NoiseName), "sigma_votes": RATIONAL, "grid_bits": COUNT, "order": RATIONAL, **_MOVED},
            {"cost": RATIONAL},
        ),
        Operation(
            "rho_of_shares",
            _shares_rho,
            {
                **{"sigma_votes": RATIONAL, "grid_bits": COUNT, "contributors": COUNT, "uncounted": COUNT},
                **_MOVED,
                **_INTERVAL,
            },
            {"inside": FLAG},
        ),
        Operation(
            "joint_cost",
            _joint_cost,
            {"order": RATIONAL, "check_mu_squared": RATIONAL, "answer_cost": RATIONAL, **_INTERVAL},
            {"inside": FLAG},
        ),
        Operation("account_settle", _settle, {"receipt": RECEIPT, "answered": FLAG}, _STANDING),
    ),
)
