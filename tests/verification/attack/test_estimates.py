"""What the attack is made of: intervals, laws and strategies against other libraries and enumerations."""

from __future__ import annotations

from itertools import product
from math import log

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from capc.noise.mechanism import mechanism_for
from capc_verify.attack.__main__ import main
from capc_verify.attack.cases import CASES, SEEN, Case
from capc_verify.attack.estimate import Seen, epsilon_from_below, probability_bounds
from capc_verify.attack.strategies import Menu, Strategy, best_strategy, epsilon_of
from support.label_cost import label_law, masses


@pytest.mark.slow
@given(st.integers(1, 3000), st.data(), st.sampled_from([1e-9, 1e-3, 0.3]))
@example(1, None, 1e-9)
@settings(max_examples=25)
def test_bounds_are_those_of_clopper_and_pearson_or_wider(
    trials: int, data: st.DataObject | None, failure: float
) -> None:
    seen = 0 if data is None else data.draw(st.integers(0, trials))
    low, high = probability_bounds(seen, trials, failure)
    exact_low = beta.ppf(failure, seen, trials - seen + 1) if seen else 0.0
    exact_high = beta.ppf(1 - failure, seen + 1, trials - seen) if seen < trials else 1.0
    # SciPy's own quantiles are not rounded outwards.
    assert exact_low - 0.02 / trials - 1e-3 * exact_low <= low <= exact_low * (1 + 1e-9) + 1e-15
    assert exact_high * (1 - 1e-7) <= high <= exact_high * (1 + 1e-2) + 0.02 / trials


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.cheating and case.parties < 50], ids=lambda c: c.name
)
def test_laws_are_those_of_the_enumeration(case: Case) -> None:
    """Without wraps, and for a check with draws of its own by the product of both."""
    law, unit = case.law, 1 << case.grid_bits
    single = masses(mechanism_for(case.noise, case.sigma, case.grid_bits))  # type: ignore[arg-type]
    for counts in list(product(range(case.parties + 1), repeat=case.classes))[:: 1 + case.parties // 2]:
        units = tuple(unit * count for count in counts)
        if law.check_sigma is None:
            expected = label_law(units, single, law.threshold)
        else:
            passes = 1 - np.prod(
                [single[np.arange(len(single)) - len(single) // 2 + n < law.threshold].sum() for n in units]
            )
            expected = label_law(units, single, None) * passes
            expected[-1] = 1 - passes
        assert np.allclose(law.law(units), expected, atol=1e-9)


def test_a_strategy_is_no_worse_than_any_fixed_choice_and_its_laws_add_up() -> None:
    case = CASES[1]
    found = case.adversary(SEEN)
    first, second = found.strategy.laws()
    assert abs(first.sum() - 1) < 1e-9
    assert abs(second.sum() - 1) < 1e-9
    menu = found.strategy.menu
    reached = epsilon_of(first, second, float(SEEN))
    for a, b in product(*(np.flatnonzero(allowed) for allowed in menu.allowed)):
        fixed = [np.outer(law[a], law[b]).ravel() for law in (menu.first, menu.second)]
        assert epsilon_of(*fixed, float(SEEN)) <= reached + 1e-3


def test_the_second_question_depends_on_the_first_label() -> None:
    """A menu where it must: after one outcome nothing is left to learn from the first of two questions."""
    first = np.array([[0.5, 0.5, 0.0], [0.9, 0.0, 0.1]])
    second = np.array([[0.3, 0.7, 0.0], [0.8, 0.2, 0.0]])
    menu = Menu(first, second, np.ones((2, 2), bool))
    best = best_strategy(menu, 0.01)
    fixed = max(
        epsilon_of(*(np.outer(law[a], law[b]).ravel() for law in (first, second)), 0.01)
        for a, b in product(range(2), repeat=2)
    )
    assert epsilon_of(*best.laws(), 0.01) >= fixed - 1e-3
    assert isinstance(best, Strategy)


@pytest.mark.slow
def test_estimates_are_below_the_exact_epsilon_and_near_it_with_many_trials() -> None:
    generator = np.random.default_rng(5)
    p, q, delta = np.array([0.55, 0.35, 0.1]), np.array([0.2, 0.4, 0.4]), 0.05
    exact = max(epsilon_of(p, q, delta), epsilon_of(q, p, delta))
    for trials in (50, 1000, 200_000):
        halves = [Seen(generator.multinomial(trials, p), generator.multinomial(trials, q)) for _ in range(2)]
        found = epsilon_from_below(*halves, (p, q), delta, 1e-6)
        assert found <= exact
    assert found >= exact - 0.05


def test_an_event_that_never_happens_under_one_law_is_bounded_by_the_trials() -> None:
    seen = Seen(np.array([500, 500]), np.array([0, 1000]))
    even = (np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    found = epsilon_from_below(seen, seen, even, 0.01, 1e-6)
    assert 3 < found <= log(0.49 / (1 - (1e-6 / 4) ** (1 / 1000)))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], "attack: case 'nothing': there is none; choose from one label of a tie, "),
        (["--trials", "3"], "attack: --trials 3: give at least 20"),
        (["a tie", "--record"], "attack: --record: a record is of all cases: name none"),
    ],
)
def test_what_cannot_run_is_refused_in_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(told)
    assert error.count("\n") == 1
