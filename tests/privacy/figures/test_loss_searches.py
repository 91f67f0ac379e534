"""Searches by the loss distribution: the right count and deviation, with few laws, and none where one is too wide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from capc.cli.account.cases import read_case
from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian
from capc.noise.sensitivity import Sensitivity
from capc.privacy.accountants import pld
from capc.privacy.accountants.pld import Group, PrivacyLossDistribution
from capc.privacy.accountants.steps import Step
from capc.privacy.figures.calculator import Case, affordable_queries, calibrate

LOSS = "mechanism=discrete_gaussian method=loss_distribution"


def asked(text: str, how: str = LOSS) -> tuple[Case, int, Fraction]:
    question, *words = f"{text} {how}".split()
    found = read_case(question, dict(word.split("=") for word in words), lambda name: name)
    return found.case, found.queries, found.epsilon


@pytest.fixture
def laws(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The count of numbers of every law that is computed."""
    seen: list[int] = []
    power = pld._power

    def counted(base: pld._Masses, count: int, bits: int) -> pld._Masses:
        seen.append(count)
        return power(base, count, bits)

    monkeypatch.setattr(pld, "_power", counted)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(
    "question",
    [
        "queries sigma=7 epsilon=20 grid_bits=2",
        "queries sigma=7 epsilon=20 grid_bits=2 threshold_ratio=2",
        "queries sigma=1 epsilon=1/3 grid_bits=0 delta=0.01",
        "queries sigma=1/2 epsilon=1/3 grid_bits=0 delta=0.01",
        "queries sigma=3 epsilon=3 grid_bits=0 adjacency=null_vote",
        "queries sigma=40 epsilon=1/7 grid_bits=0 delta=1e-3",
    ],
)
def test_a_count_fits_the_next_does_not_and_few_laws_are_computed(laws: list[int], question: str) -> None:
    case, _, epsilon = asked(question)
    found = affordable_queries(case, epsilon)
    groups = 1 if case.threshold_ratio is None else 2
    assert len(laws) <= 7 * groups
    assert case.statement(found).epsilon <= epsilon < case.statement(found + 1).epsilon


@pytest.mark.slow
@pytest.mark.parametrize(
    "question",
    [
        "calibrate queries=20 epsilon=10 grid_bits=2",
        "calibrate queries=5 epsilon=1/3 grid_bits=0 delta=0.01 threshold_ratio=2",
        "calibrate queries=2 epsilon=1e6",
    ],
)
def test_a_deviation_is_enough_the_next_smaller_is_not_and_few_laws_are_computed(
    laws: list[int], question: str
) -> None:
    case, queries, epsilon = asked(question)
    found = calibrate(case, queries, epsilon)
    assert len(laws) <= 7 * (1 if case.threshold_ratio is None else 2)
    assert replace(case, sigma=found).statement(queries).epsilon <= epsilon
    if found > Fraction(1, 64):
        assert replace(case, sigma=found - Fraction(1, 64)).statement(queries).epsilon > epsilon


def compute(question: str, how: str = LOSS) -> Callable[[], object]:
    case, queries, epsilon = asked(question, how)
    if question.startswith("queries"):
        return lambda: affordable_queries(case, epsilon)
    return lambda: calibrate(case, queries, epsilon) if epsilon else case.statement(queries)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("queries sigma=100 epsilon=2", "width of the loss distribution = "),
        ("queries sigma=1e4 epsilon=2", "use zcdp"),
        ("queries sigma=4 epsilon=1e9", "noised numbers = "),
        ("calibrate queries=2000 epsilon=1e-3", "sigma in grid units = "),
        ("epsilon sigma=1e8 queries=1", "sigma in grid units = "),
        ("epsilon sigma=100 queries=1000", "width of the loss distribution = "),
        # The narrow law comes first, and is not computed in vain.
        ("epsilon sigma=1 queries=1000 threshold_ratio=700", "width of the loss distribution = "),
        ("epsilon sigma=4 queries=50001", "noised numbers = 100002"),
    ],
)
def test_what_is_too_wide_is_refused_before_any_law(
    monkeypatch: pytest.MonkeyPatch, question: str, message: str
) -> None:
    def computed(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pld, "_single", computed)
    with pytest.raises(InputError, match=message):
        compute(question)()


@pytest.mark.parametrize("question", ["queries sigma=9 epsilon=1", "calibrate queries=9 epsilon=1"])
def test_noise_without_such_a_law_is_refused_as_that(question: str) -> None:
    with pytest.raises(InputError, match="loss distribution is for discrete_gaussian noise"):
        compute(question, LOSS.replace("discrete_gaussian", "skellam"))()


@pytest.mark.slow
@given(
    deviation=st.fractions(min_value=1, max_value=60, max_denominator=4),
    count=st.integers(2, 200),
    exponent=st.integers(2, 30),
)
@example(deviation=Fraction(14), count=33, exponent=2)
@example(deviation=Fraction(60), count=129, exponent=2)
@example(deviation=Fraction(10), count=4097, exponent=0)
def test_a_width_is_predicted_a_little_too_narrow(deviation: Fraction, count: int, exponent: int) -> None:
    """So what was summed up before is summed up still; and what takes much longer is refused."""
    bits = (10**exponent).bit_length() + pld._GUARD_BITS
    law = pld._power(pld._single(deviation**2, bits), count, bits)
    predicted = pld._width(Group(count, deviation**2, 1), bits)
    assert predicted <= len(law.values) <= predicted * Fraction(11, 10) + 20


def test_one_delta_is_that_of_the_tables() -> None:
    steps = {Step(DiscreteGaussian(Fraction(3), 2), Sensitivity(Fraction(2), Fraction(2), 2)): 9}
    for epsilon in (Fraction(0), Fraction(1, 3), Fraction(4), Fraction(10**6)):
        quick, table = (
            PrivacyLossDistribution(steps, Fraction(1, 10**5)).delta_upper(epsilon, once=once) for once in (True, False)
        )
        assert abs(quick - table) <= table / (1 << 60)
