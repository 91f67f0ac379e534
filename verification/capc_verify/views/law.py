"""Exact laws on finite sets, as rationals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction

Law = dict[Hashable, Fraction]
"""Outcome to probability; probabilities are above 0 and add up to 1."""


class Tally:
    """Adds up outcomes of probability 1 / n each, exactly, and without a fraction per outcome."""

    def __init__(self) -> None:
        self._counts: defaultdict[int, Counter[Hashable]] = defaultdict(Counter)

    def add(self, outcome: Hashable, denominator: int) -> None:
        """One more path that ends in this outcome, of probability 1 / denominator."""
        self._counts[denominator][outcome] += 1

    def law(self) -> Law:
        """The law of all paths together.

        Raises:
            ArithmeticError: the probabilities do not add up to 1: a path was missed or taken twice.
        """
        law: defaultdict[Hashable, Fraction] = defaultdict(Fraction)
        for denominator, counts in self._counts.items():
            for outcome, count in counts.items():
                law[outcome] += Fraction(count, denominator)
        if sum(law.values()) != 1:
            raise ArithmeticError(f"probabilities add up to {sum(law.values())}")
        return dict(law)


def image(law: Law, function: Callable[[Hashable], Hashable]) -> Law:
    """The law of a function of the outcome."""
    mapped: defaultdict[Hashable, Fraction] = defaultdict(Fraction)
    for outcome, probability in law.items():
        mapped[function(outcome)] += probability
    return dict(mapped)


def conditional(law: Law, given: Callable[[Hashable], Hashable]) -> dict[Hashable, Law]:
    """For each value of ``given``, the law of the outcome under it."""
    parts: defaultdict[Hashable, Law] = defaultdict(dict)
    for outcome, probability in law.items():
        parts[given(outcome)][outcome] = probability
    totals = {value: sum(part.values()) for value, part in parts.items()}
    return {value: {o: p / totals[value] for o, p in part.items()} for value, part in parts.items()}


def distance(left: Law, right: Law) -> Fraction:
    """The total variation distance; 0 exactly when the laws are the same."""
    outcomes = left.keys() | right.keys()
    zero = Fraction(0)
    return sum((abs(left.get(o, zero) - right.get(o, zero)) for o in outcomes), zero) / 2


def are_one(laws: Sequence[Law]) -> bool:
    """Whether all laws, which are at least two, are the same."""
    return len(laws) > 1 and all(distance(law, laws[0]) == 0 for law in laws)


def worst_conditional_distance(left: Law, right: Law, given: Callable[[Hashable], Hashable]) -> Fraction:
    """The largest distance of the two laws under one value of ``given``, over all values that both can take.

    Raises:
        ValueError: there is no such value, and nothing was compared.
    """
    one, other = conditional(left, given), conditional(right, given)
    return max(distance(one[value], other[value]) for value in one.keys() & other.keys())
