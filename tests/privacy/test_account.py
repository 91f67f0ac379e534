"""The account: reserved in full first, never above the budget, each query once, receipts bound to inputs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import BudgetExhaustedError, InputError, ParameterError
from capc.noise.mechanism import CostUnit
from capc.privacy.account import Account
from capc.privacy.events import Event, EventKind, Receipt
from capc.privacy.query_cost import QueryCost, answer_sensitivity, event_cost, query_cost
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy, ThresholdMode

TAG = bytes(range(32))
OTHER_TAG = bytes(32)
INPUTS = b"\xaa" * 32

positive = st.fractions(min_value=Fraction(1, 8), max_value=20, max_denominator=64)


def policy(
    charge: Charge = Charge.REALISED,
    sigma: Fraction = Fraction(2),
    threshold_sigma: Fraction | None = Fraction(1),
    mechanism: NoiseName = NoiseName.ROUNDED_GAUSSIAN,
    adjacency: Adjacency = Adjacency.REPLACE_ONE,
    renyi_order: Fraction | None = None,
) -> ReleasePolicy:
    return ReleasePolicy(
        mechanism=mechanism,
        sigma=sigma,
        threshold=None if threshold_sigma is None else Fraction(3),
        threshold_sigma=threshold_sigma,
        charge=charge,
        adjacency=adjacency,
        epsilon=Fraction(10),
        delta=Fraction(1, 10**5),
        renyi_order=renyi_order,
    )


def plain(sigma: Fraction = Fraction(2)) -> ReleasePolicy:
    return policy(Charge.WORST_CASE, sigma, None)


def send(account: Account, query: int, tag: bytes = TAG) -> Receipt:
    """A query whose message has left: only such a query can be settled."""
    receipt = account.reserve(tag, query, INPUTS)
    account.dispatch(receipt, b"circuits")
    return receipt


# --- what a query costs -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-003", "CAPC-ACCT-120")
@given(
    sigma=positive,
    threshold_sigma=st.none() | positive,
    mechanism=st.sampled_from([NoiseName.ROUNDED_GAUSSIAN, NoiseName.DISCRETE_GAUSSIAN]),
    adjacency=st.sampled_from(list(Adjacency)),
    grid_bits=st.integers(0, 6),
)
def test_query_cost_is_the_textbook_formula(
    sigma: Fraction, threshold_sigma: Fraction | None, mechanism: NoiseName, adjacency: Adjacency, grid_bits: int
) -> None:
    cost = query_cost(policy(Charge.WORST_CASE, sigma, threshold_sigma, mechanism, adjacency), grid_bits)
    votes_moved = {Adjacency.REPLACE_ONE: 2, Adjacency.NULL_VOTE: 1}[adjacency]
    half = 2 if mechanism is NoiseName.DISCRETE_GAUSSIAN else 1
    assert cost.answer == Fraction(votes_moved) / (half * sigma**2)
    assert cost.check == (0 if threshold_sigma is None else votes_moved / (half * threshold_sigma**2))
    assert cost.worst_case == cost.check + cost.answer
    assert cost.unit is (CostUnit.RHO if half == 2 else CostUnit.MU_SQUARED)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-003", "CAPC-ACCT-115", "CAPC-ACCT-120")
@given(
    sigma=positive,
    threshold_sigma=st.none() | positive,
    mechanism=st.sampled_from(list(NoiseName)),
    adjacency=st.sampled_from(list(Adjacency)),
    grid_bits=st.integers(0, 6),
    order=st.fractions(min_value=Fraction(17, 16), max_value=200, max_denominator=16),
)
def test_query_cost_at_a_renyi_order_is_the_textbook_formula(
    sigma: Fraction,
    threshold_sigma: Fraction | None,
    mechanism: NoiseName,
    adjacency: Adjacency,
    grid_bits: int,
    order: Fraction,
) -> None:
    cost = query_cost(policy(Charge.WORST_CASE, sigma, threshold_sigma, mechanism, adjacency, order), grid_bits)

    def textbook(votes_moved: int, deviation: Fraction) -> Fraction:
        if mechanism is not NoiseName.SKELLAM:
            return order * votes_moved / (2 * deviation**2)
        a, unit = Fraction(ceil(order)), 2**grid_bits
        mu, l2, l1 = (deviation * unit) ** 2, votes_moved * unit**2, votes_moved * unit
        return a * l2 / (2 * mu) + min(((2 * a - 1) * l2 + 6 * l1) / (4 * mu**2), 3 * l1 / (2 * mu))

    moved = {Adjacency.REPLACE_ONE: 2, Adjacency.NULL_VOTE: 1}[adjacency]
    assert cost.answer == textbook(moved, sigma)
    assert cost.check == (0 if threshold_sigma is None else textbook(moved, threshold_sigma))
    assert cost.unit is CostUnit.RENYI


@pytest.mark.req("CAPC-ACCT-115")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mechanism": NoiseName.SKELLAM}, "renyi_order = None: skellam noise"),
        ({"joint_cost": Fraction(1)}, "renyi_order = None: skellam noise and joint costs"),
        ({"renyi_order": Fraction(1)}, "renyi_order = 1: choose an order above 1"),
        ({"renyi_order": Fraction(1 << 21)}, "choose an order above 1, up to 1048576"),
        ({"renyi_order": 2.5}, "give an exact Fraction"),
        ({"renyi_order": Fraction(3), "joint_cost": Fraction(0)}, "joint_cost = 0: give a cost above 0"),
        ({"renyi_order": Fraction(3), "joint_cost": Fraction(1), "charge": Charge.REALISED}, "charged worst_case"),
        (
            {"renyi_order": Fraction(3), "joint_cost": Fraction(1), "mechanism": NoiseName.SKELLAM},
            "for rounded_gaussian noise",
        ),
        (
            {"renyi_order": Fraction(3), "joint_cost": Fraction(1), "threshold": None, "threshold_sigma": None},
            "and a threshold",
        ),
    ],
)
def test_how_costs_compose_is_fixed_in_the_policy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(policy(Charge.WORST_CASE), **changes)


@pytest.mark.req("CAPC-ACCT-108", "CAPC-ACCT-116")
def test_a_joint_account_charges_every_query_as_one_step() -> None:
    joint = replace(policy(Charge.WORST_CASE), renyi_order=Fraction(3), joint_cost=Fraction(5, 4))
    account = Account(joint, 4, Fraction(3))
    account.reserve(TAG, 1, INPUTS)
    receipt = send(account, 2)
    assert [event.kind for event in account.events] == [EventKind.CONFIDENT_STEP] * 2
    assert (account.spent, receipt.unit) == (Fraction(5, 2), CostUnit.RENYI)
    assert account.spent == sum(event_cost(event.kind, account.cost) for event in account.events)
    with pytest.raises(BudgetExhaustedError):
        account.reserve(TAG, 3, INPUTS)
    with pytest.raises(InputError, match="nothing is ever given back"):
        account.settle(receipt, answered=False)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=6), st.data())
def test_sensitivities_hold_for_every_neighbour(votes: list[int], data: st.DataObject) -> None:
    """One vote moves, or one vote becomes zero: the histogram's squared distance and the maximum's are bounded."""
    party = data.draw(st.integers(0, len(votes) - 1))
    before = [votes.count(label) for label in range(5)]
    moved = [*votes[:party], data.draw(st.integers(0, 4)), *votes[party + 1 :]]
    for adjacency, others in (
        (Adjacency.REPLACE_ONE, moved),
        (Adjacency.NULL_VOTE, votes[:party] + votes[party + 1 :]),
    ):
        after = [others.count(label) for label in range(5)]
        distance = sum((a - b) ** 2 for a, b in zip(before, after, strict=True))
        assert distance <= answer_sensitivity(adjacency).squared
        assert abs(max(before) - max(after)) <= 1


def test_an_unknown_event_is_refused_by_name() -> None:
    for unknown in ("label_guessed", EventKind.NOISE_SHARE_LOST):
        name: Any = unknown
        with pytest.raises(InputError, match=rf"{unknown}.* is unknown"):
            event_cost(name, QueryCost(Fraction(1), Fraction(1), CostUnit.RHO))


# --- reserve ------------------------------------------------------------------------------------------------------


@pytest.mark.req("CAPC-ACCT-001", "CAPC-ACCT-120")
def test_reserve_charges_check_and_answer_before_anything_is_known() -> None:
    account = Account(policy(), 4, Fraction(10))
    receipt = account.reserve(TAG, 7, INPUTS)
    assert account.spent == receipt.reserved == Fraction(2) + Fraction(1, 2)
    assert account.events == (
        Event(EventKind.THRESHOLD_CHECK, TAG, 7),
        Event(EventKind.ANSWER_RESERVED, TAG, 7),
    )


@pytest.mark.req("CAPC-ACCT-001")
def test_without_a_threshold_only_the_answer_is_charged() -> None:
    account = Account(plain(), 4, Fraction(10))
    assert account.reserve(TAG, 0, INPUTS).reserved == Fraction(1, 2)
    assert [event.kind for event in account.events] == [EventKind.ANSWER_RESERVED]


@pytest.mark.req("CAPC-ACCT-002")
@pytest.mark.parametrize("charge", list(Charge))
def test_the_exact_budget_can_be_spent_and_not_a_sliver_more(charge: Charge) -> None:
    sliver = Fraction(1, 10**30)
    for budget, fits in ((Fraction(5), 2), (5 - sliver, 1), (Fraction(5, 2), 1), (Fraction(5, 2) - sliver, 0)):
        account = Account(policy(charge), 4, budget)
        assert account.remaining_queries() == fits
        for query in range(fits):
            account.reserve(TAG, query, INPUTS)
        before = (account.spent, account.events)
        with pytest.raises(BudgetExhaustedError) as refusal:
            account.reserve(TAG, fits, INPUTS)
        assert (account.spent, account.events) == before
        assert account.remaining_queries() == 0
        message = str(refusal.value)
        assert "\n" not in message
        for figure in (f"spent {account.spent} ", f"budget {budget} (mu_squared)", "costs 5/2"):
            assert figure in message


@pytest.mark.req("CAPC-ACCT-002")
def test_a_budget_of_zero_affords_no_query() -> None:
    account = Account(plain(), 4, Fraction(0))
    assert account.remaining_queries() == 0
    with pytest.raises(BudgetExhaustedError):
        account.reserve(TAG, 0, INPUTS)


@pytest.mark.req("CAPC-ACCT-006")
def test_one_query_of_one_session_is_charged_once() -> None:
    account = Account(policy(), 4, Fraction(10))
    account.reserve(TAG, 0, INPUTS)
    with pytest.raises(InputError, match="charged before"):
        account.reserve(TAG, 0, INPUTS)
    with pytest.raises(InputError, match="charged before"):
        account.reserve(TAG, 0, b"\xbb" * 32)
    assert account.spent == Fraction(5, 2)
    account.reserve(OTHER_TAG, 0, INPUTS)
    account.reserve(TAG, 1, INPUTS)
    assert account.spent == 3 * Fraction(5, 2)


@pytest.mark.req("CAPC-ACCT-006")
def test_a_settled_query_still_cannot_be_charged_again() -> None:
    account = Account(policy(), 4, Fraction(10))
    account.settle(send(account, 0), answered=False)
    with pytest.raises(InputError, match="charged before"):
        account.reserve(TAG, 0, INPUTS)


@pytest.mark.req("CAPC-ACCT-006")
def test_a_receipt_is_frozen_and_bound_to_session_query_and_inputs() -> None:
    account = Account(policy(), 4, Fraction(10))
    receipt = account.reserve(TAG, 3, INPUTS)
    assert (receipt.session_tag, receipt.query, receipt.inputs_digest) == (TAG, 3, INPUTS)
    frozen: Any = receipt
    with pytest.raises(FrozenInstanceError):
        frozen.query = 4
    for forged in (
        replace(receipt, session_tag=OTHER_TAG),
        replace(receipt, query=4),
        replace(receipt, inputs_digest=bytes(32)),
        replace(receipt, reserved=Fraction(100)),
    ):
        with pytest.raises(InputError, match="not one of this account"):
            account.settle(forged, answered=False)
    assert account.spent == receipt.reserved


@pytest.mark.parametrize(
    ("tag", "query", "inputs", "place"),
    [
        (TAG[:31], 0, INPUTS, "session tag of 31 bytes"),
        (TAG, 0, INPUTS + b"\0", "inputs digest of 33 bytes"),
        (TAG, -1, INPUTS, "query = -1"),
        (TAG, 1 << 32, INPUTS, "query = 4294967296"),
    ],
)
def test_a_malformed_reservation_is_refused_and_charges_nothing(
    tag: bytes, query: int, inputs: bytes, place: str
) -> None:
    account = Account(policy(), 4, Fraction(10))
    with pytest.raises(InputError, match=place):
        account.reserve(tag, query, inputs)
    assert account.spent == 0
    assert account.events == ()


def test_a_budget_must_be_an_exact_rational_of_at_least_zero() -> None:
    unusable: list[Any] = [Fraction(-1), 1.5, 3]
    for budget in unusable:
        with pytest.raises(InputError, match="budget"):
            Account(policy(), 4, budget)


@pytest.mark.req("CAPC-ACCT-119")
@pytest.mark.parametrize("adjacency", Adjacency)
@pytest.mark.parametrize("mechanism", NoiseName)
def test_a_single_draw_is_charged_as_one_answer_whatever_leaves(mechanism: NoiseName, adjacency: Adjacency) -> None:
    order = Fraction(3) if mechanism is NoiseName.SKELLAM else None
    without = policy(Charge.WORST_CASE, Fraction(2), None, mechanism, adjacency, order)
    single = replace(without, threshold=Fraction(3), threshold_mode=ThresholdMode.SINGLE_DRAW)
    assert query_cost(single, 4) == query_cost(without, 4)
    account = Account(single, 4, Fraction(100))
    receipt = send(account, 0)
    assert [event.kind for event in account.events] == [EventKind.ANSWER_RESERVED]
    with pytest.raises(InputError, match="nothing is ever given back"):
        account.settle(receipt, answered=False)
    assert account.spent == account.cost.worst_case == account.cost.answer


@pytest.mark.req("CAPC-ACCT-119", "CAPC-PARAM-001")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": None}, "threshold_mode = single_draw: it needs a threshold"),
        ({"threshold_sigma": Fraction(1)}, "threshold_sigma = 1: with single_draw the label's noise is the check's"),
        ({"charge": Charge.REALISED}, "charge = realised: .* single_draw is one answer, charged always"),
        ({"renyi_order": Fraction(3), "joint_cost": Fraction(1)}, "joint_cost = 1: .* a threshold with two_draws"),
    ],
)
def test_a_single_draw_leaves_nothing_else_to_choose(changes: dict[str, Any], message: str) -> None:
    single = replace(plain(), threshold=Fraction(3), threshold_mode=ThresholdMode.SINGLE_DRAW)
    with pytest.raises(ParameterError, match=message):
        replace(single, **changes)


# --- settle -------------------------------------------------------------------------------------------------------


def test_a_withheld_label_gives_back_the_answer_and_keeps_the_check() -> None:
    account = Account(policy(), 4, Fraction(10))
    account.settle(send(account, 0), answered=False)
    assert account.spent == account.cost.check == 2
    account.settle(send(account, 1), answered=True)
    assert account.spent == 2 + Fraction(5, 2)
    assert [event.kind for event in account.events] == [
        EventKind.THRESHOLD_CHECK,
        EventKind.ANSWER_RESERVED,
        EventKind.LABEL_WITHHELD,
        EventKind.THRESHOLD_CHECK,
        EventKind.ANSWER_RESERVED,
        EventKind.LABEL_RELEASED,
    ]


@pytest.mark.req("CAPC-ACCT-001")
def test_a_query_that_is_never_settled_stays_charged() -> None:
    account = Account(policy(), 4, Fraction(5))
    account.reserve(TAG, 0, INPUTS)
    account.reserve(TAG, 1, INPUTS)
    assert account.remaining_queries() == 0


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, False), (False, True)])
def test_a_query_is_settled_once(first: bool, second: bool) -> None:
    account = Account(policy(), 4, Fraction(10))
    receipt = send(account, 0)
    account.settle(receipt, answered=first)
    spent = account.spent
    with pytest.raises(InputError, match="settled before"):
        account.settle(receipt, answered=second)
    assert account.spent == spent


@pytest.mark.req("CAPC-ACCT-001", "CAPC-ACCT-007")
@pytest.mark.parametrize("answered", [True, False])
def test_only_a_query_whose_message_has_left_is_settled(answered: bool) -> None:
    """Otherwise a charge could be given back first, and the noise could leave afterwards."""
    account = Account(policy(), 4, Fraction(10))
    receipt = account.reserve(TAG, 0, INPUTS)
    with pytest.raises(InputError, match="no message of query 0 was dispatched"):
        account.settle(receipt, answered=answered)
    assert account.spent == receipt.reserved
    account.dispatch(receipt, b"circuits")
    account.settle(receipt, answered=answered)
    with pytest.raises(InputError, match="another message was written down"):
        account.dispatch(receipt, b"other circuits")
    assert account.dispatch(receipt, b"circuits") == b"circuits"


def test_the_worst_case_mode_never_gives_back() -> None:
    account = Account(policy(Charge.WORST_CASE), 4, Fraction(10))
    receipt = account.reserve(TAG, 0, INPUTS)
    for answered in (True, False):
        with pytest.raises(InputError, match="worst case"):
            account.settle(receipt, answered=answered)
    assert account.spent == Fraction(5, 2)


def test_a_receipt_of_another_account_is_refused() -> None:
    foreign = Account(policy(), 4, Fraction(10)).reserve(TAG, 0, INPUTS)
    with pytest.raises(InputError, match="not one of this account"):
        Account(policy(), 4, Fraction(10)).settle(foreign, answered=False)


# --- whole histories ----------------------------------------------------------------------------------------------

actions = st.tuples(
    st.sampled_from(["reserve", "dispatch", "withheld", "answered"]), st.integers(0, 1), st.integers(0, 5)
)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-001", "CAPC-ACCT-002", "CAPC-ACCT-006")
@given(
    steps=st.lists(actions, max_size=40),
    budget=st.fractions(min_value=0, max_value=12, max_denominator=8),
    sigma=positive,
    threshold_sigma=positive,
    charge=st.sampled_from(list(Charge)),
)
@settings(max_examples=200, deadline=None)
def test_no_history_spends_more_than_the_budget(
    steps: list[tuple[str, int, int]], budget: Fraction, sigma: Fraction, threshold_sigma: Fraction, charge: Charge
) -> None:
    """Any order of calls, against a second account that keeps only a table of what each query holds."""
    account = Account(policy(charge, sigma, threshold_sigma), 4, budget)
    check, answer = 2 / threshold_sigma**2, 2 / sigma**2
    held: dict[tuple[int, int], Fraction] = {}
    receipts: dict[tuple[int, int], Any] = {}
    dispatched: set[tuple[int, int]] = set()
    settled: set[tuple[int, int]] = set()
    for action, session, query in steps:
        key = (session, query)
        seen = account.events
        if action == "reserve":
            allowed = key not in held and sum(held.values()) + check + answer <= budget
            try:
                receipts[key] = account.reserve(bytes([session]) * 32, query, INPUTS)
                assert allowed
                held[key] = check + answer
            except (InputError, BudgetExhaustedError):
                assert not allowed
        elif key in receipts and action == "dispatch":
            account.dispatch(receipts[key], b"circuits")
            dispatched.add(key)
        elif key in receipts:
            allowed = charge is Charge.REALISED and key in dispatched - settled
            try:
                account.settle(receipts[key], answered=action == "answered")
                assert allowed
                settled.add(key)
                held[key] = check + answer if action == "answered" else check
            except InputError:
                assert not allowed
        assert account.events[: len(seen)] == seen
        assert account.spent == sum(held.values())
        assert 0 <= account.spent <= account.budget == budget
        left = account.remaining_queries()
        assert left * (check + answer) <= budget - account.spent < (left + 1) * (check + answer)
        assert account.spent == sum(event_cost(event.kind, account.cost) for event in account.events)


@pytest.mark.req("CAPC-ACCT-002")
def test_concurrent_sessions_share_one_budget() -> None:
    account = Account(plain(), 4, Fraction(10))

    def attempt(number: int) -> bool:
        try:
            account.reserve(bytes([number % 8]) * 32, number, INPUTS)
        except BudgetExhaustedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(attempt, range(200)))
    assert granted == 20
    assert account.spent == account.budget
