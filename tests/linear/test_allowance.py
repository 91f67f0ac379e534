"""The allowance of an answering party: exact, cumulative over batches and sessions, refused when spent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import BudgetExhaustedError, InputError, ParameterError
from capc.privacy import allowance as allowances
from capc.privacy.allowance import DEFAULT_DISTANCE, DEFAULT_QUERIES, PrivacyAllowance

GOAL = Fraction(1, 1 << 20)
fractions = st.fractions(min_value=0, max_value=GOAL)


@pytest.mark.req("CAPC-HE-011")
def test_the_default_is_a_distance_of_two_to_the_minus_forty_over_two_to_the_sixteen_queries() -> None:
    allowance = PrivacyAllowance()
    assert (allowance.distance, allowance.queries) == (Fraction(1, 2**40), 2**16)
    assert (allowance.charged, allowance.reached) == (0, 0)


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-011")
@given(charges=st.lists(st.tuples(st.integers(1, 9), fractions), max_size=12), queries=st.integers(1, 40))
def test_charges_add_up_exactly_and_one_that_does_not_fit_is_refused(
    charges: list[tuple[int, Fraction]], queries: int
) -> None:
    allowance, charged, reached = PrivacyAllowance(GOAL, queries), 0, Fraction(0)
    for count, distance in charges:
        if charged + count > queries or reached + distance > GOAL:
            with pytest.raises(BudgetExhaustedError, match=f"of the {queries} queries"):
                allowance.charge(count, distance)
            continue
        allowance = allowance.charge(count, distance)
        charged, reached = charged + count, reached + distance
        assert (allowance.charged, allowance.reached) == (charged, reached)
        # Sessions in between change nothing.
        allowance = PrivacyAllowance.from_document(json.loads(json.dumps(allowance.document())))


@pytest.mark.req("CAPC-HE-011")
def test_either_limit_is_enough_and_a_refusal_charges_nothing() -> None:
    allowance = PrivacyAllowance(GOAL, 3).charge(2, GOAL / 2)
    assert allowance.charge(1, GOAL / 2).reached == GOAL
    with pytest.raises(BudgetExhaustedError):
        allowance.charge(2, Fraction(0))
    with pytest.raises(BudgetExhaustedError):
        allowance.charge(1, GOAL / 2 + Fraction(1, 1 << 200))
    assert (allowance.charged, allowance.reached) == (2, GOAL / 2)


@pytest.mark.req("CAPC-HE-011")
def test_a_model_is_granted_exactly_up_to_what_is_left() -> None:
    PrivacyAllowance(GOAL, 3).check_model(GOAL / 3)
    with pytest.raises(ParameterError, match=r"3 queries reach a statistical distance of 2\^-19, needed is 2\^-20"):
        PrivacyAllowance(GOAL, 3).check_model(GOAL / 3 + Fraction(1, 1 << 60))
    # One query of half the goal leaves a quarter for each of the other two.
    rest = PrivacyAllowance(GOAL, 3).charge(1, GOAL / 2)
    rest.check_model(GOAL / 4)
    with pytest.raises(ParameterError, match="2 queries reach"):
        rest.check_model(GOAL / 3)


@pytest.mark.parametrize(
    ("distance", "queries", "charged", "reached"),
    [
        (Fraction(0), 1, 0, Fraction(0)),
        (Fraction(1), 1, 0, Fraction(0)),
        (GOAL, 0, 0, Fraction(0)),
        (GOAL, 1, 2, Fraction(0)),
        (GOAL, 1, -1, Fraction(0)),
        (GOAL, 1, 1, 2 * GOAL),
        (GOAL, 1, 1, -GOAL),
    ],
)
def test_an_allowance_that_is_none_is_refused(
    distance: Fraction, queries: int, charged: int, reached: Fraction
) -> None:
    with pytest.raises(ParameterError, match=r"choose one in \(0, 1\)|more is spent"):
        PrivacyAllowance(distance, queries, charged, reached)


@pytest.mark.parametrize(("count", "distance"), [(0, Fraction(0)), (-1, GOAL), (1, -GOAL)])
def test_a_charge_never_gives_anything_back(count: int, distance: Fraction) -> None:
    with pytest.raises(InputError, match="charge 1 or more"):
        PrivacyAllowance().charge(5, DEFAULT_DISTANCE / 2).charge(count, distance)


HONEST = PrivacyAllowance(GOAL, 7).charge(2, GOAL / 3).document()


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        None,
        {**HONEST, "more": 1},
        {key: value for key, value in HONEST.items() if key != "reached"},
        {**HONEST, "charged": 8},
        {**HONEST, "charged": True},
        {**HONEST, "charged": "2"},
        {**HONEST, "queries": 7.0},
        {**HONEST, "reached": "1/3"},
        {**HONEST, "reached": "-1/3145728"},
        {**HONEST, "reached": "2/6291456"},
        {**HONEST, "reached": "1/0"},
        {**HONEST, "reached": "1e-9"},
        {**HONEST, "reached": 0.0},
        {**HONEST, "reached": "9" * 5000},
        {**HONEST, "distance": ""},
        {**HONEST, "distance": "1/"},
        {**HONEST, "distance": "٣/4"},
    ],
)
def test_a_document_out_of_order_is_refused_with_the_remedy(document: Mapping[str, object]) -> None:
    with pytest.raises(InputError, match="restore the file"):
        PrivacyAllowance.from_document(document)


def test_what_depends_on_weights_is_not_shown() -> None:
    shown = repr(PrivacyAllowance().charge(1, Fraction(1, 1 << 77)))
    assert shown == f"PrivacyAllowance(distance=Fraction(1, {2**40}), queries={DEFAULT_QUERIES}, charged=1)"


@given(st.fractions(min_value=Fraction(1, 1 << 99), max_value=1 << 99))
def test_logarithms_are_rounded_against_the_bound_and_for_the_goal(value: Fraction) -> None:
    above, below = allowances._ceil_log2(value), allowances._floor_log2(value)
    assert Fraction(2) ** (above - 1) < value <= Fraction(2) ** above
    assert Fraction(2) ** below <= value < Fraction(2) ** (below + 1)
