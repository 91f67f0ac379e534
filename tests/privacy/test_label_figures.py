"""Figures of labels that were planned: their order, the noise that they need, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.noise.mechanism import CostUnit, DiscreteGaussian, RoundedGaussian, Skellam
from capc.noise.shares import DiscreteGaussianShare, SharedNoise
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.argmax.fitting import about_share
from capc.privacy.accountants.ballots import BinaryRelease, PowersetRelease, TauRelease
from capc.privacy.accountants.conversion import epsilon_upper
from capc.privacy.accountants.rdp import ORDERS
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.figures import labels
from capc.privacy.figures.calculator import MAX_QUERIES, Case, affordable_queries, calibrate
from capc.privacy.figures.labels import label_order, label_statement
from capc.privacy.figures.methods import Method, statement_for
from capc.privacy.figures.statement import ONLY_LABELS, VOTES_OF_OTHERS, PrivacyStatement
from support.label_costs import set_compositions, set_label_costs
from support.sizes import nightly_only

UNIT = ProtectedUnit(Relation.REPLACE_ONE)
DELTA = Fraction(1, 10**5)
LAWS: tuple[Callable[[Fraction], Noise], ...] = (
    lambda sigma: RoundedGaussian(sigma, 4),
    lambda sigma: DiscreteGaussian(sigma, 4),
    lambda sigma: Skellam(sigma, 4),
)


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> list[Fraction]:
    set_compositions(monkeypatch)
    return set_label_costs(monkeypatch)


def case(**changes: Any) -> Case:
    fields: dict[str, Any] = {
        "noise": LAWS[0],
        "sigma": Fraction(7),
        "threshold_ratio": None,
        "answers": None,
        "joint": False,
        "ballots": None,
        "unit": UNIT,
        "delta": DELTA,
        "method": Method.ARGMAX_RENYI,
    }
    return Case(**{**fields, **changes})


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-103", "CAPC-ACCT-104")
@settings(deadline=None, max_examples=8)
@given(
    queries=st.integers(1, 400),
    sigma=st.integers(2, 60).map(Fraction),
    law=st.sampled_from(LAWS[:2]),
    hundredths=st.integers(85, 115),
)
def test_an_order_is_found_that_is_about_the_best(
    queries: int, sigma: Fraction, law: Callable[[Fraction], Noise], hundredths: int
) -> None:
    """Where a label costs about what the search takes it for, a seventh more or less."""

    def cost(
        noise: Noise, order: Fraction, unit: ProtectedUnit, adversary: Adversary = Adversary.SEMI_HONEST
    ) -> Fraction:
        share = Fraction(about_share(order, sigma, unit)) * hundredths / 100
        share *= 1 if adversary is Adversary.SEMI_HONEST else Fraction(5, 4)
        return share * noise.rdp_cost(order, unit.histogram)  # type: ignore[union-attr]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "argmax_cost", cost)
        found = label_statement(law(sigma), UNIT, queries, DELTA)
    costs = {order: queries * cost(law(sigma), order, UNIT) for order in ORDERS}
    least = min(epsilon_upper(CostUnit.RENYI, each, DELTA, order) for order, each in costs.items() if each < 10**4)
    assert found.epsilon <= least * Fraction(1001, 1000)


@pytest.mark.req("CAPC-ACCT-103")
@pytest.mark.parametrize("law", LAWS)
def test_few_costs_are_found_for_a_figure(
    law: Callable[[Fraction], Noise], part: list[Fraction], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Fraction] = []
    cost: Any = labels.argmax_cost
    monkeypatch.setattr(labels, "argmax_cost", lambda *of: asked.append(of[1]) or cost(*of))
    part[0] = Fraction(1, 3)
    found = label_statement(law(Fraction(9)), UNIT, 90, DELTA)
    assert 1 <= len(asked) <= 3
    [order] = [
        each
        for each in dict.fromkeys(asked)
        if found.epsilon == epsilon_upper(CostUnit.RENYI, 90 * cost(law(Fraction(9)), each, UNIT), DELTA, each)
    ]
    assert f"at order {float(order):g}" in found.method


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-103")
def test_a_curve_needs_few_costs_and_is_about_as_good(part: list[Fraction], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[Fraction] = set()
    cost: Any = labels.argmax_cost
    monkeypatch.setattr(labels, "argmax_cost", lambda *of: asked.add(of[1]) or cost(*of))
    part[0] = Fraction(2, 3)
    counts = [0, *range(10, 250, 10)]
    found = case().curve(counts)
    assert len(asked) <= 12
    singly = [case().statement(count) for count in counts]
    assert all(one.epsilon <= other.epsilon * Fraction(11, 10) for one, other in zip(found, singly, strict=True))
    assert found[-1] == singly[-1]
    assert [one.epsilon for one in found] == sorted(one.epsilon for one in found)
    plain = case(method=Method.GAUSSIAN_DP)
    assert plain.curve([3, 9]) == [plain.statement(3), plain.statement(9)]


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-103", "CAPC-ACCT-134", "CAPC-ACCT-152")
@pytest.mark.parametrize("relation", [Relation.REPLACE_ONE, Relation.NULL_VOTE])
def test_a_labels_figure_is_at_most_that_of_its_counts_by_the_same_conversion(relation: Relation) -> None:
    """By the real cost; at one order, so that only what is charged differs."""
    unit = ProtectedUnit(relation)
    found = label_statement(LAWS[0](Fraction(7)), unit, 100, DELTA, Fraction(4))
    of_counts = 100 * LAWS[0](Fraction(7)).rdp_cost(Fraction(4), unit.histogram)  # type: ignore[union-attr]
    assert (
        0 < found.epsilon <= epsilon_upper(CostUnit.RENYI, of_counts, DELTA, Fraction(4)) * Fraction(10**9 + 1, 10**9)
    )
    assert {ONLY_LABELS, VOTES_OF_OTHERS} <= set(found.hypotheses)
    [told] = [line for line in found.hypotheses if "adds to its shares" in line]
    assert ("same epsilon" in told) == (relation is Relation.NULL_VOTE)
    honest, cheated = found.towards.values()
    assert honest == found.epsilon
    assert (honest < cheated <= epsilon_upper(CostUnit.RENYI, of_counts, DELTA, Fraction(4))) == (
        relation is Relation.REPLACE_ONE
    )
    assert not any("function of the noised votes" in line for line in found.hypotheses)
    assert label_statement(LAWS[0](Fraction(7)), unit, 0, DELTA).epsilon == 0


@pytest.mark.req("CAPC-ACCT-103")
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("budget", [Fraction(2), Fraction(10)])
def test_calibration_and_counts_of_labels_are_at_the_edge_of_the_budget(
    law: Callable[[Fraction], Noise], budget: Fraction, part: list[Fraction]
) -> None:
    found = case(noise=law, order=label_order(budget, DELTA))
    _at_the_edge(found, budget)
    fewer = affordable_queries(found, budget)
    part[0] = part[0] / 2
    assert affordable_queries(found, budget) >= 2 * fewer


@pytest.mark.slow
@nightly_only
def test_calibration_and_counts_are_at_the_edge_by_the_real_cost() -> None:
    """By day the test above stands for it: at the edge of the same searches, with a cost that is found at once."""
    _at_the_edge(case(order=label_order(Fraction(10), DELTA)), Fraction(10), slack=1)


def _at_the_edge(found: Case, budget: Fraction, slack: int = 0) -> None:
    sigma = calibrate(found, 20, budget)
    assert (sigma * 64).denominator == 1
    assert replace(found, sigma=sigma).statement(20).epsilon <= budget
    assert replace(found, sigma=sigma - Fraction(1 + slack, 64)).statement(20).epsilon > budget
    queries = affordable_queries(found, budget)
    assert found.statement(queries).epsilon <= budget < found.statement(queries + 1).epsilon


def test_no_label_fits_a_budget_that_is_too_small(part: list[Fraction]) -> None:
    assert affordable_queries(case(sigma=Fraction(1, 2)), Fraction(1, 2)) == 0
    part[0] = Fraction(1, 10**12)
    assert affordable_queries(case(sigma=Fraction(10**4)), Fraction(500)) == MAX_QUERIES


@pytest.mark.req("CAPC-ACCT-133")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"threshold_ratio": Fraction(1)},
            r"^threshold_ratio = 1: argmax_renyi is for a check with the label's own draws",
        ),
        ({"ballots": BinaryRelease(2)}, r"^ballots: argmax_renyi is for one label"),
        ({"ballots": TauRelease(2, Fraction(1))}, r"^ballots: argmax_renyi is for one label"),
        ({"unit": ProtectedUnit(Relation.REPLACE_ONE, (Fraction(1),) * 2)}, r"^weights = 1, 1: .*choose gaussian_dp"),
        (
            {"noise": lambda sigma: SharedNoise(DiscreteGaussianShare(sigma, 4), 3)},
            r"^noise from 3 shares: argmax_renyi",
        ),
        ({"answers": 3}, r"^answers = 3: without a threshold"),
    ],
)
def test_what_tells_more_than_a_label_is_refused_by_every_question(changes: dict[str, Any], message: str) -> None:
    wrong = case(**changes)
    with pytest.raises(InputError, match=message):
        wrong.statement(5)
    with pytest.raises(InputError, match=message):
        calibrate(wrong, 5, Fraction(10))
    if "answers" not in changes:
        with pytest.raises(InputError, match=message):
            affordable_queries(wrong, Fraction(10))


def test_powerset_voting_is_a_vote_for_one_label_of_many(part: list[Fraction]) -> None:
    assert part[0] < 1
    assert case(ballots=PowersetRelease()).statement(9) == case().statement(9)


@pytest.mark.req("CAPC-ACCT-133")
def test_no_figure_of_labels_is_made_of_steps_which_may_be_anything() -> None:
    steps = case(method=Method.GAUSSIAN_DP).steps(3)
    with pytest.raises(InputError, match=r"^method = argmax_renyi: it is of labels, not of noised counts"):
        statement_for(steps, UNIT, DELTA, Method.ARGMAX_RENYI)


def test_a_comparison_has_labels_beside_counts_and_one_draw_beside_two(part: list[Fraction]) -> None:
    assert part[0] < 1
    two = case(threshold_ratio=Fraction(1), method=Method.GAUSSIAN_DP, answers=4)
    compared = two.comparison(9)
    assert str(compared[Method.ARGMAX_RENYI]).startswith("threshold_ratio = 1: ")
    one = two.one_draw
    assert one is not None
    assert one.one_draw is None
    of_one = one.comparison(9)
    label, counts = of_one[Method.ARGMAX_RENYI], of_one[Method.RENYI_IMPROVED]
    assert isinstance(label, PrivacyStatement)
    assert isinstance(counts, PrivacyStatement)
    assert label.epsilon < counts.epsilon
    both = two.comparison(9)[Method.RENYI_IMPROVED]
    assert isinstance(both, PrivacyStatement)
    # Nine checks and four answers cost more than nine labels.
    assert counts.epsilon < both.epsilon


COMPOSED = Method.ARGMAX_COMPOSITION


@pytest.mark.req("CAPC-ACCT-152")
@pytest.mark.parametrize("law", LAWS[:2])
@pytest.mark.parametrize("relation", [Relation.REPLACE_ONE, Relation.NULL_VOTE])
@pytest.mark.parametrize("queries", [0, 1, 3])
def test_a_figure_of_labels_together_holds_towards_both(
    law: Callable[[Fraction], Noise], relation: Relation, queries: int
) -> None:
    """By real compositions, of little noise on whole votes, which are quick."""
    laws = {LAWS[0]: lambda sigma: RoundedGaussian(sigma, 0), LAWS[1]: lambda sigma: DiscreteGaussian(sigma, 0)}
    one = case(method=COMPOSED, noise=laws[law], sigma=Fraction(2), unit=ProtectedUnit(relation))
    found = one.statement(queries)
    honest, cheated = found.towards.values()
    assert honest == found.epsilon
    assert (honest > 0) == (queries > 0)
    counts = replace(one, method=Method.GAUSSIAN_DP if law is LAWS[0] else Method.ZCDP).statement(queries)
    assert cheated <= counts.epsilon or relation is Relation.NULL_VOTE
    # One threshold tells as much as a whole Gaussian does: that takes two labels.
    assert (honest < cheated) == (relation is Relation.REPLACE_ONE and queries > 1)
    assert {ONLY_LABELS, VOTES_OF_OTHERS} <= set(found.hypotheses)
    [told] = [line for line in found.hypotheses if "adds to its shares" in line]
    assert ("same epsilon" in told) == (honest == cheated)
    assert set(counts.towards.values()) == {counts.epsilon}


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-113", "CAPC-ACCT-140")
def test_calibration_and_counts_of_labels_together_are_at_the_edge_of_the_budget() -> None:
    """A budget under which its composition is what serves the figure, too."""
    budget = Fraction(10)
    one = case(method=COMPOSED, noise=lambda sigma: RoundedGaussian(sigma, 0), unit=ProtectedUnit(Relation.NULL_VOTE))
    sigma = calibrate(one, 9, budget)
    found = replace(one, sigma=sigma, budget=budget)
    assert found.statement(9).epsilon <= budget
    assert affordable_queries(found, budget) >= 9 > affordable_queries(replace(found, sigma=sigma * 97 / 100), budget)
    curve = found.curve([0, 3, 9])
    assert [one.epsilon for one in curve] == sorted(one.epsilon for one in curve)
    assert curve[2] == found.statement(9)


@pytest.mark.req("CAPC-ACCT-133")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold_ratio": Fraction(1)}, r"^threshold_ratio = 1: argmax_composition is for a check"),
        ({"ballots": BinaryRelease(2)}, r"^ballots: argmax_composition is for one label"),
        (
            {"unit": ProtectedUnit(Relation.REPLACE_ONE, (Fraction(1),) * 2)},
            r"^weights = 1, 1: argmax_composition .*choose gaussian_dp",
        ),
        (
            {"noise": lambda sigma: SharedNoise(DiscreteGaussianShare(sigma, 4), 3)},
            r"^noise from 3 shares: argmax_composition",
        ),
        ({"noise": LAWS[2]}, r"^Skellam has no certified composition"),
    ],
)
def test_what_a_composition_is_not_for_is_refused_by_every_question(changes: dict[str, Any], message: str) -> None:
    wrong = case(method=COMPOSED, **changes)
    for ask in (
        lambda: wrong.statement(5),
        lambda: wrong.curve([2, 5]),
        lambda: calibrate(wrong, 5, Fraction(10)),
        lambda: affordable_queries(wrong, Fraction(10)),
    ):
        with pytest.raises(InputError, match=message):
            ask()
