"""Events, the unit that a figure protects, filters, and the calculator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from time import sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian
from capc.noise.sensitivity import Sensitivity
from capc.noise.shares import DiscreteGaussianShare, SharedNoise
from capc.privacy.account import Account
from capc.privacy.accountants.ballots import BallotRelease, BinaryRelease, PowersetRelease, TauRelease
from capc.privacy.accountants.filters import ODOMETER, Filter, gaussian_filter, renyi_filter, zcdp_filter
from capc.privacy.accountants.gdp import composed_mu_squared
from capc.privacy.accountants.steps import JointStep, Release, Step, release_of, step_of, steps_of
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.accountants.zcdp import zcdp_rho
from capc.privacy.events import Event, EventKind
from capc.privacy.figures.calculator import Case, affordable_queries, calibrate
from capc.privacy.figures.methods import Method
from capc.privacy.multi_label import Vote, binary_votes, powerset_votes, tau_votes
from capc.session.parameters import Adjacency, Charge, NoiseName
from support.builders import make_policy

UNIT = ProtectedUnit(Relation.REPLACE_ONE)
GAUSS = RoundedGaussian(Fraction(4), 4)
SHARED = SharedNoise(DiscreteGaussianShare(Fraction(2), 0), 5)


TAG = bytes(32)
CHECK, ANSWER, JOINT = EventKind.THRESHOLD_CHECK, EventKind.ANSWER_RESERVED, EventKind.CONFIDENT_STEP
RELEASED, WITHHELD, LOST = EventKind.LABEL_RELEASED, EventKind.LABEL_WITHHELD, EventKind.NOISE_SHARE_LOST
PLAIN = Release(GAUSS, GAUSS)


def happened(*kinds_of_queries: tuple[EventKind, int]) -> list[Event]:
    return [Event(kind, TAG, query) for kind, query in kinds_of_queries]


@dataclass(frozen=True)
class Laplace:
    """Noise of some other project."""

    grid_bits: int = 4


@pytest.mark.req("CAPC-ACCT-101")
def test_an_unknown_event_or_noise_is_refused_by_name() -> None:
    unknown: Any = "label_guessed"
    with pytest.raises(InputError, match="event kind 'label_guessed' is unknown"):
        steps_of([Event(unknown, TAG, 1)], PLAIN, UNIT)
    laplace: Any = Laplace()
    with pytest.raises(InputError, match="noise Laplace is unknown"):
        steps_of(happened((ANSWER, 1)), Release(laplace), UNIT)
    with pytest.raises(InputError, match="label_released is no step"):
        step_of(RELEASED, PLAIN, UNIT)


@pytest.mark.req("CAPC-ACCT-101")
def test_every_event_is_a_step_a_settlement_or_a_loss() -> None:
    """So that no kind can be added and be free."""
    free = {RELEASED, WITHHELD, LOST}
    assert free | {CHECK, ANSWER, JOINT} == set(EventKind)
    for kind in set(EventKind) - free:
        assert sum(steps_of(happened((kind, 1)), PLAIN, UNIT).values()) == 1


@pytest.mark.req("CAPC-ACCT-101")
@given(order=st.permutations(range(6)))
@settings(max_examples=24, deadline=None)
def test_the_order_of_events_does_not_matter_and_a_withheld_label_costs_its_check(order: list[int]) -> None:
    events = happened((CHECK, 1), (ANSWER, 1), (RELEASED, 1), (CHECK, 2), (ANSWER, 2), (WITHHELD, 2))
    steps = steps_of([events[place] for place in order], PLAIN, UNIT)
    assert steps == {Step(GAUSS, UNIT.histogram): 3}


@pytest.mark.req("CAPC-ACCT-101")
@given(answers=st.lists(st.sampled_from([None, True, False]), max_size=6), adjacency=st.sampled_from(list(Adjacency)))
@settings(max_examples=30, deadline=None)
def test_the_accountants_read_an_accounts_own_log(answers: list[bool | None], adjacency: Adjacency) -> None:
    """The sum that the account kept and the one that its events give are the same; None is a query never settled."""
    policy = make_policy(Fraction(5, 2), Fraction(3), Fraction(7, 2), Charge.REALISED, NoiseName.ROUNDED_GAUSSIAN)
    account = Account(replace(policy, adjacency=adjacency), 4, Fraction(100))
    for query, answered in enumerate(answers):
        receipt = account.reserve(TAG, query, TAG)
        account.dispatch(receipt, b"circuits")
        if answered is not None:
            account.settle(receipt, answered)
    steps = steps_of(account.events, release_of(account.mechanisms), ProtectedUnit(Relation(adjacency.value)))
    assert composed_mu_squared(steps) == account.spent


@pytest.mark.req("CAPC-ACCT-101")
@pytest.mark.parametrize(
    ("events", "message"),
    [
        (happened((RELEASED, 3)), "label_released of query 3: it was never reserved"),
        (happened((WITHHELD, 3)), "label_withheld of query 3: no threshold"),
        (happened((ANSWER, 3), (WITHHELD, 3)), "label_withheld of query 3: no threshold"),
        (happened((CHECK, 3), (WITHHELD, 3)), "label_withheld of query 3: no separate charge"),
        (happened((CHECK, 3), (ANSWER, 3), (WITHHELD, 3), (WITHHELD, 3)), "label_withheld of query 3"),
        (happened((CHECK, 3), (ANSWER, 3), (WITHHELD, 3), (RELEASED, 3)), "label_released of query 3"),
        (happened((JOINT, 3), (WITHHELD, 3)), "label_withheld of query 3: no threshold"),
        (happened((ANSWER, 2), (LOST, 3)), "noise_share_lost of query 3: it was never charged"),
        ([Event(ANSWER, TAG, 3), Event(WITHHELD, b"\1" * 32, 3)], "label_withheld of query 3"),
    ],
)
def test_events_that_contradict_each_other_are_refused(events: list[Event], message: str) -> None:
    with pytest.raises(InputError, match=message):
        steps_of(events, Release(SHARED, SHARED), UNIT)


@pytest.mark.req("CAPC-ACCT-108")
@pytest.mark.parametrize("other", [CHECK, ANSWER])
def test_joint_and_separate_charges_are_not_mixed(other: EventKind) -> None:
    with pytest.raises(InputError, match="mixed"):
        steps_of(happened((JOINT, 1), (other, 2)), PLAIN, UNIT)
    with pytest.raises(InputError, match="confident_step is no step of such a release"):
        step_of(JOINT, Release(GAUSS, GAUSS, PowersetRelease()), UNIT)
    with pytest.raises(InputError, match="no noise for it"):
        step_of(other if other is CHECK else JOINT, Release(GAUSS), UNIT)


@pytest.mark.req("CAPC-ACCT-108")
@pytest.mark.parametrize("joint_first", [True, False])
def test_a_filter_does_not_mix_joint_and_separate_charges(joint_first: bool) -> None:
    joint, separate = step_of(JOINT, PLAIN, UNIT), step_of(ANSWER, PLAIN, UNIT)
    first, second = (joint, separate) if joint_first else (separate, joint)
    kept = Filter(renyi_filter(Fraction(3)), Fraction(100))
    kept.admit(first)
    before = kept.reading
    with pytest.raises(InputError, match="jointly or separately"):
        kept.admit(second)
    assert kept.reading == before
    kept.admit(first)


@pytest.mark.req("CAPC-ACCT-106")
def test_a_lost_share_of_a_query_no_longer_counts_in_that_query() -> None:
    shared = Release(SHARED)
    steps = steps_of(happened((ANSWER, 1), (ANSWER, 2), (LOST, 1)), shared, UNIT)
    assert sorted(step.noise.counted for step in steps if isinstance(step, Step)) == [4, 5]  # type: ignore[union-attr]
    with pytest.raises(InputError, match="at least one share must count"):
        steps_of(happened((ANSWER, 1), *[(LOST, 1)] * 5), shared, UNIT)
    with pytest.raises(InputError, match="not made of shares"):
        steps_of(happened((ANSWER, 1), (LOST, 1)), PLAIN, UNIT)


@pytest.mark.req("CAPC-ACCT-107")
@pytest.mark.parametrize("relation", list(Relation))
@given(weight=st.integers(1, 64).map(lambda n: Fraction(n, 16)), held_by=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_weights_and_holders_enter_as_squares(relation: Relation, weight: Fraction, held_by: int) -> None:
    events = happened((CHECK, 1), (ANSWER, 1))
    one = zcdp_rho(steps_of(events, PLAIN, ProtectedUnit(relation)))
    many = zcdp_rho(steps_of(events, PLAIN, ProtectedUnit(relation, (weight,) * held_by)))
    assert many == one * weight**2 * held_by**2


@pytest.mark.req("CAPC-ACCT-107")
@pytest.mark.parametrize("relation", list(Relation))
@pytest.mark.parametrize("weights", [(Fraction(3),), (Fraction(1),) * 3, (Fraction(1, 2), Fraction(5, 2))])
def test_weights_and_holders_enter_both_parts_of_a_joint_step(
    relation: Relation, weights: tuple[Fraction, ...]
) -> None:
    one, many = (step_of(JOINT, PLAIN, ProtectedUnit(relation, each)) for each in ((Fraction(1),), weights))
    assert isinstance(one, JointStep)
    assert isinstance(many, JointStep)
    for light, heavy in ((one.check, many.check), (one.answer, many.answer)):
        assert heavy.sensitivity.squared == 9 * light.sensitivity.squared
        assert heavy.sensitivity.absolute == 3 * light.sensitivity.absolute


@pytest.mark.req("CAPC-ACCT-107")
def test_weights_off_the_grid_or_not_above_zero_are_refused() -> None:
    with pytest.raises(InputError, match="whole multiples"):
        steps_of(happened((ANSWER, 1)), PLAIN, ProtectedUnit(Relation.NULL_VOTE, (Fraction(1, 3),)))
    for weights in ((), (Fraction(0),), (Fraction(-1),)):
        with pytest.raises(InputError):
            ProtectedUnit(Relation.NULL_VOTE, weights)


@pytest.mark.req("CAPC-ACCT-109")
@given(
    labels=st.integers(1, 6),
    tau_squared=st.fractions(min_value=Fraction(1, 8), max_value=8, max_denominator=16),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_no_two_ballots_are_further_apart_than_charged(labels: int, tau_squared: Fraction, data: st.DataObject) -> None:
    """What the votes of the definitions count, for any two parties' logits."""
    signs = st.lists(st.sampled_from([-1, 0, 1]), min_size=labels, max_size=labels)
    one, other, grid = data.draw(signs), data.draw(signs), 4
    rules: list[tuple[Vote, BallotRelease]] = [
        (binary_votes(grid), BinaryRelease(labels)),
        (tau_votes(grid, tau_squared), TauRelease(labels, tau_squared)),
        (powerset_votes(grid), PowersetRelease()),
    ]
    for vote, release in rules:
        for relation in (Relation.REPLACE_ONE, Relation.NULL_VOTE):
            sensitivity = release.sensitivity(ProtectedUnit(relation))
            mine = vote(one)
            others = vote(other) if relation is Relation.REPLACE_ONE else [0] * len(mine)
            moves = [Fraction(abs(x - y), 1 << grid) for x, y in zip(mine, others, strict=True)]
            assert sum(move**2 for move in moves) <= sensitivity.squared
            assert sum(moves) <= sensitivity.absolute
            assert sum(move > 0 for move in moves) <= sensitivity.changed


@pytest.mark.req("CAPC-ACCT-109")
@pytest.mark.parametrize("labels", [1, 2, 5])
def test_the_charge_of_exact_votes_is_reached(labels: int) -> None:
    all_on, all_off = [1] * labels, [-1] * labels
    for vote, release in ((binary_votes(0), BinaryRelease(labels)), (powerset_votes(0), PowersetRelease())):
        moves = [x - y for x, y in zip(vote(all_on), vote(all_off), strict=True)]
        assert sum(move**2 for move in moves) == release.sensitivity(UNIT).squared


@pytest.mark.req("CAPC-ACCT-109")
def test_ballots_are_charged_for_their_distance() -> None:
    binary = steps_of(happened((ANSWER, 1)), Release(GAUSS, ballots=BinaryRelease(5)), UNIT)
    assert zcdp_rho(binary) == Fraction(5, 2 * 16)
    heavy = ProtectedUnit(Relation.NULL_VOTE, (Fraction(1), Fraction(2)))
    assert BinaryRelease(5).sensitivity(heavy) == Sensitivity(Fraction(5 * 9), Fraction(5 * 3), 5)
    powerset = steps_of(happened((ANSWER, 1)), Release(GAUSS, ballots=PowersetRelease()), UNIT)
    assert powerset == steps_of(happened((ANSWER, 1)), PLAIN, UNIT)
    tau = steps_of(happened((ANSWER, 1)), Release(GAUSS, ballots=TauRelease(20, Fraction(2))), UNIT)
    assert zcdp_rho(tau) == Fraction(4, 2 * 16)
    two = ProtectedUnit(Relation.REPLACE_ONE, (Fraction(1), Fraction(1)))
    with pytest.raises(InputError, match="one vote of 1"):
        steps_of(happened((ANSWER, 1)), Release(GAUSS, ballots=TauRelease(20, Fraction(2))), two)


# --- filters ------------------------------------------------------------------------------------------------------


@pytest.mark.req("CAPC-ACCT-110", "CAPC-ACCT-111")
def test_a_filter_names_its_theorem_and_never_passes_its_budget() -> None:
    step = Step(GAUSS, UNIT.histogram)
    for rule, words in (
        (gaussian_filter(), "Smith and Thakurta"),
        (zcdp_filter(), "Feldman and Zrnic"),
        (renyi_filter(Fraction(5)), "fixed in advance"),
    ):
        assert words in rule.theorem
        cost = rule.cost({step: 1})
        for rest in (Fraction(0), cost / 2):
            kept = Filter(rule, 3 * cost + rest)
            for _ in range(3):
                kept.admit(step)
            with pytest.raises(BudgetExhaustedError, match="does not fit"):
                kept.admit(step)
            assert kept.reading == (3 * cost, ODOMETER)
        assert "not a guarantee" in ODOMETER
    with pytest.raises(InputError, match="fixed before the first query"):
        renyi_filter(Fraction(1))
    with pytest.raises(InputError, match="budget"):
        Filter(zcdp_filter(), Fraction(-1))


@pytest.mark.req("CAPC-ACCT-111")
@pytest.mark.parametrize("order", [Fraction(3, 2), Fraction(5), Fraction(64)])
def test_a_renyi_filter_adds_up_at_the_order_that_it_was_made_with(order: Fraction) -> None:
    """a D^2 / (2 s^2) for each step, whatever the steps are."""
    kept, added = Filter(renyi_filter(order), Fraction(1000)), Fraction(0)
    for sigma in (Fraction(4), Fraction(2), Fraction(9)):
        kept.admit(Step(RoundedGaussian(sigma, 4), UNIT.histogram))
        added += order * 2 / (2 * sigma**2)
        assert kept.reading[0] == added


@pytest.mark.req("CAPC-ACCT-110")
def test_a_filter_refuses_noise_that_its_theorem_does_not_carry() -> None:
    kept = Filter(gaussian_filter(), Fraction(100))
    with pytest.raises(InputError, match="Gaussian-DP"):
        kept.admit(Step(DiscreteGaussian(Fraction(3), 0), UNIT.histogram))
    assert kept.reading[0] == 0


@pytest.mark.req("CAPC-ACCT-110")
def test_threads_share_the_budget_of_a_filter() -> None:
    """The cost waits, so that a check and its charge that are not one step would interleave."""
    slow = replace(gaussian_filter(), cost=lambda steps: sleep(0.001) or composed_mu_squared(steps))
    step = Step(GAUSS, UNIT.histogram)
    kept = Filter(slow, 5 * composed_mu_squared({step: 1}))

    def attempt(_: int) -> bool:
        try:
            kept.admit(step)
        except BudgetExhaustedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 5
    assert kept.reading[0] == kept.budget


@pytest.mark.parametrize("field", ["squared", "absolute", "changed"])
def test_no_sensitivity_is_negative(field: str) -> None:
    """A filter would give back what others cost."""
    with pytest.raises(InputError, match=f"sensitivity {field} = -1: give a value of at least 0"):
        replace(UNIT.histogram, **{field: -1})


# --- calculator ---------------------------------------------------------------------------------------------------


def case(method: Method = Method.GAUSSIAN_DP, **changes: Any) -> Case:
    fields: dict[str, Any] = {
        "noise": lambda sigma: RoundedGaussian(sigma, 4),
        "sigma": Fraction(4),
        "threshold_ratio": Fraction(3, 2),
        "answers": None,
        "joint": False,
        "ballots": None,
        "unit": UNIT,
        "delta": Fraction(1, 10**5),
        "method": method,
    }
    return Case(**{**fields, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("method", [Method.GAUSSIAN_DP, Method.RENYI_IMPROVED])
def test_calibration_and_counts_are_at_the_edge_of_the_budget(method: Method) -> None:
    epsilon = Fraction(10)
    found = case(method)
    sigma = calibrate(found, 20, epsilon)
    assert case(method, sigma=sigma).statement(20).epsilon <= epsilon
    assert case(method, sigma=sigma - Fraction(1, 64)).statement(20).epsilon > epsilon
    queries = affordable_queries(found, epsilon)
    assert found.statement(queries).epsilon <= epsilon < found.statement(queries + 1).epsilon


@pytest.mark.slow
def test_joint_counts_are_at_the_edge_of_the_budget() -> None:
    found = case(Method.RENYI_IMPROVED, joint=True, sigma=Fraction(12))
    queries = affordable_queries(found, Fraction(3))
    assert found.statement(queries).epsilon <= 3 < found.statement(queries + 1).epsilon
    assert queries > affordable_queries(replace(found, joint=False), Fraction(3))
    assert affordable_queries(replace(found, sigma=Fraction(1, 8)), Fraction(1, 10)) == 0
    with pytest.raises(InputError, match="rounded_gaussian threshold noise only"):
        affordable_queries(replace(found, noise=lambda sigma: DiscreteGaussian(sigma, 4)), Fraction(3))


def test_zero_affordable_queries_are_zero() -> None:
    """A peer's off-by-one reports the cost of all queries when none fits."""
    assert affordable_queries(case(sigma=Fraction(1, 8)), Fraction(1, 10)) == 0
    assert case().statement(0).epsilon == 0


def test_fewer_answers_cost_less_and_joint_charging_needs_them_all() -> None:
    assert case(answers=5).statement(20).epsilon < case().statement(20).epsilon
    with pytest.raises(InputError, match="joint charging"):
        case(Method.RENYI_IMPROVED, joint=True, answers=5).statement(20)
    with pytest.raises(InputError, match="answers = 21"):
        case(answers=21).statement(20)


@pytest.mark.parametrize("answers", [0, 5])
def test_only_a_threshold_withholds_labels(answers: int) -> None:
    cap = f"at most {answers} labels are released, a cap that is enforced in advance"
    assert cap in case(answers=answers).statement(20).hypotheses
    assert cap in case(answers=answers).comparison(20)[Method.ZCDP].hypotheses  # type: ignore[union-attr]
    with pytest.raises(InputError, match=f"answers = {answers}: without a threshold all 20 queries are answered"):
        case(answers=answers, threshold_ratio=None).statement(20)
    everything = case(answers=20, threshold_ratio=None).statement(20)
    assert everything.epsilon == case(threshold_ratio=None).statement(20).epsilon
