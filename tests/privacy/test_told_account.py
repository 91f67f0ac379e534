"""Accounts by the words of sections 07 and 17: what the vectors' stories spend, and what they refuse."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from capc.foundation.errors import BudgetExhaustedError, InputError
from support.builders import make_account, make_parameters

VECTORS = Path(__file__).parents[2] / "spec" / "capc_spec" / "vectors" / "accounting.json"


class RefusedError(Exception):
    """A caller's mistake, by its code."""


def cost_of(policy: dict[str, Any], deviation: Fraction, grid: int) -> tuple[Fraction, str]:
    """One part of a query, and its unit."""
    squared = Fraction(2 if policy["adjacency"] == "replace_one" else 1)
    order = policy.get("renyi_order") and Fraction(policy["renyi_order"])
    if policy["mechanism"] == "skellam":
        unit = 4**grid
        variance, a = deviation**2 * unit, -(-order // 1)
        d2, d1 = squared * unit, squared * 2**grid
        few, many = 3 * d1 / (2 * variance), ((2 * a - 1) * d2 + 6 * d1) / (4 * variance**2)
        return a * d2 / (2 * variance) + min(few, many), "renyi"
    mu = squared / deviation**2
    if order:
        return order * mu / 2, "renyi"
    return (mu, "mu_squared") if policy["mechanism"] == "rounded_gaussian" else (mu / 2, "rho")


def check_policy(policy: dict[str, Any]) -> None:
    single = policy["threshold"] is not None and policy.get("threshold_mode") == "single_draw"
    two = policy["threshold"] is not None and not single
    order, joint = policy.get("renyi_order"), policy.get("joint_cost")
    label, counted = policy.get("argmax_cost"), policy.get("argmax_queries")
    labels = label is not None or counted is not None
    rules = (
        policy["threshold"] is not None or policy.get("threshold_mode") != "single_draw",
        two == (policy["threshold_sigma"] is not None),
        policy["charge"] == "worst_case" or two,
        order is not None or counted is not None or (policy["mechanism"] != "skellam" and joint is None),
        order is None or 1 < Fraction(order) <= 2**20,
        joint is None or (two and policy["charge"] == "worst_case" and policy["mechanism"] == "rounded_gaussian"),
        not labels or (policy["charge"] == "worst_case" and joint is None and not two),
        label is None or (Fraction(label) > 0 and order is not None and counted is None),
        counted is None or (1 <= counted < 2**32 and order is None),
    )
    if not all(rules):
        raise RefusedError("parameter_error")


class Told:
    """An account by the table's words."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.policy = given["policy"]
        check_policy(self.policy)
        self.budget, self.spent = Fraction(given["budget"]), Fraction(0)
        if self.budget < 0:
            raise RefusedError("input_error")
        grid = given["grid_bits"]
        if self.policy.get("joint_cost") is not None:
            self.check, self.answer, self.unit = Fraction(0), Fraction(self.policy["joint_cost"]), "renyi"
        elif self.policy.get("argmax_cost") is not None:
            self.check, self.answer, self.unit = Fraction(0), Fraction(self.policy["argmax_cost"]), "renyi"
        elif self.policy.get("argmax_queries") is not None:
            self.check, self.answer, self.unit = Fraction(0), Fraction(1), "queries"
        else:
            self.answer, self.unit = cost_of(self.policy, Fraction(self.policy["sigma"]), grid)
            own = self.policy["threshold_sigma"]
            self.check = cost_of(self.policy, Fraction(own), grid)[0] if own is not None else Fraction(0)
        self.receipts: dict[tuple[str, int], dict[str, Any]] = {}
        self.sent: dict[tuple[str, int], str] = {}
        self.settled: set[tuple[str, int]] = set()

    def standing(self) -> dict[str, Any]:
        left = (self.budget - self.spent) // (self.check + self.answer)
        return {"spent": str(self.spent), "remaining_queries": int(left)}

    def opened(self) -> dict[str, Any]:
        return {"check": str(self.check), "answer": str(self.answer), "unit": self.unit} | self.standing()

    def account_reserve(self, given: dict[str, Any]) -> dict[str, Any]:
        key = given["session_tag"], given["query"]
        if len(key[0]) != 64 or len(given["inputs_digest"]) != 64 or not 0 <= key[1] < 2**32 or key in self.receipts:
            raise RefusedError("input_error")
        if self.spent + self.check + self.answer > self.budget:
            raise RefusedError("budget_exhausted")
        self.spent += self.check + self.answer
        self.receipts[key] = {**given, "reserved": str(self.check + self.answer), "unit": self.unit}
        return {"receipt": self.receipts[key]} | self.standing()

    def _key(self, receipt: dict[str, Any]) -> tuple[str, int]:
        key = receipt["session_tag"], receipt["query"]
        if self.receipts.get(key) != receipt:
            raise RefusedError("input_error")
        return key

    def account_dispatch(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.sent.setdefault(self._key(given["receipt"]), given["message"]) != given["message"]:
            raise RefusedError("input_error")
        return self.standing()

    def account_settle(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.policy["charge"] != "realised":
            raise RefusedError("input_error")
        key = self._key(given["receipt"])
        if key in self.settled or key not in self.sent:
            raise RefusedError("input_error")
        self.settled.add(key)
        self.spent -= 0 if given["answered"] else self.answer
        return self.standing()


def _stories() -> list[tuple[str, list[dict[str, Any]]]]:
    """Of each test that opens an account its operations, with those of its prelude before them."""
    (group,) = json.loads(VECTORS.read_text("utf-8"))["testGroups"]
    tests = {test["name"]: test for test in group["tests"]}
    found = []
    for name, test in tests.items():
        operations = test["operations"]
        if test["prelude"] is not None:
            operations = tests[test["prelude"]["test"]]["operations"][: test["prelude"]["operations"]] + operations
        first = operations[0]
        if first["op"] == "account_open":
            found.append((name, operations))
    return found


STORIES = _stories()


@pytest.mark.req("CAPC-ERR-006", "CAPC-ACCT-006")
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story[0])
def test_stories_of_the_vectors_follow_from_the_words(story: tuple[str, list[dict[str, Any]]]) -> None:
    account: Told | None = None
    for operation in story[1]:
        try:
            if account is None:
                account = Told(operation["in"])
                made = {"out": account.opened()}
            else:
                made = {"out": getattr(account, operation["op"])(operation["in"])}
        except RefusedError as refusal:
            made = {"error": {"code": str(refusal), "blame": "caller", "party_index": 0}}
        assert made == {name: entry for name, entry in operation["expect"].items() if name != "intermediate"}


@pytest.mark.req("CAPC-ERR-006")
def test_a_query_that_was_charged_is_refused_as_such_also_without_budget() -> None:
    account = make_account(make_parameters(), queries=1)
    account.reserve(bytes(32), 1, bytes(32))
    with pytest.raises(InputError, match="charged before"):
        account.reserve(bytes(32), 1, bytes(32))
    with pytest.raises(InputError, match="session"):
        account.reserve(bytes(31), 2, bytes(32))
    with pytest.raises(BudgetExhaustedError):
        account.reserve(bytes(32), 2, bytes(32))


def test_there_are_stories_of_every_kind() -> None:
    codes = {
        operation["expect"].get("error", {}).get("code", "") for _, operations in STORIES for operation in operations
    }
    assert codes == {"", "parameter_error", "input_error", "budget_exhausted"}
    assert len(STORIES) > 30
