"""What an adversary asks next, by the labels so far, and what a strategy comes to exactly.

A strategy is found by a recursion over the number of queries that are left and the likelihood ratio so far, and its
laws by going through all histories of outcomes, so what is said of it is exact up to floats however it was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from capc_verify.attack.laws import Law

_REACH, _STEP = 24.0, 1 / 32
_PLACES = round(2 * _REACH / _STEP) + 1
_TINY = 1e-300
_ROUNDS = 3


@dataclass(frozen=True)
class Menu:
    """What can be asked.

    Attributes:
        first: for each question the law of its outcome under the first hypothesis, as rows.
        second: likewise under the second.
        allowed: for each query, first to last, which questions it may be.
    """

    first: Law
    second: Law
    allowed: NDArray[np.bool_]

    def ratios(self) -> Law:
        """Logarithms of likelihood ratios, of each question and outcome."""
        return np.asarray(np.log(np.maximum(self.first, _TINY)) - np.log(np.maximum(self.second, _TINY)))


@dataclass(frozen=True)
class Strategy:
    """What is asked after which labels.

    Attributes:
        menu: what can be asked.
        questions: for each query, first to last, the question at each place of the likelihood ratio.
    """

    menu: Menu
    questions: tuple[NDArray[np.int64], ...]

    def question(self, query: int, ratio: float) -> int:
        """The question of a query, from 0 on, given the logarithm of the likelihood ratio so far."""
        return int(self.questions[query][round((min(max(ratio, -_REACH), _REACH) + _REACH) / _STEP)])

    def laws(self) -> tuple[Law, Law]:
        """Of all histories under either hypothesis; a history is the number whose digits are its outcomes."""
        first, second = np.ones(1), np.ones(1)
        ratio = np.zeros(1)
        ratios = self.menu.ratios()
        for number in range(len(self.questions)):
            asked = np.array([self.question(number, float(each)) for each in ratio])
            first = (first[:, None] * self.menu.first[asked]).ravel()
            second = (second[:, None] * self.menu.second[asked]).ravel()
            ratio = (ratio[:, None] + ratios[asked]).ravel()
        return first, second

    def epsilon(self, delta: float) -> float:
        """See :func:`epsilon_of`."""
        first, second = self.laws()
        return epsilon_of(first, second, delta)


def best_strategy(menu: Menu, delta: float) -> Strategy:
    """A strategy whose epsilon at that delta is about the largest.

    Args:
        menu: what can be asked.
        delta: from 0 to below 1.
    """
    tried = [_by_recursion(menu, 1.0)]
    for _ in range(_ROUNDS):
        # The best strategy for a divergence at the epsilon that was reached reaches no less.
        tried.append(_by_recursion(menu, tried[-1].epsilon(delta)))
    return max(tried, key=lambda strategy: strategy.epsilon(delta))


def _by_recursion(menu: Menu, epsilon: float) -> Strategy:
    """Largest hockey-stick divergence: V_t(x) is the largest sum of q V_{t-1}(x p / q), with V_0(x) = (x - e^eps)_+."""
    places = np.linspace(-_REACH, _REACH, _PLACES)
    values = np.maximum(np.exp(places) - exp(epsilon), 0)
    ratios = menu.ratios()
    questions = []
    for allowed in menu.allowed[::-1]:
        sums = np.zeros((len(menu.first), _PLACES))
        for outcome in range(menu.first.shape[1]):
            p, q = menu.first[:, outcome, None], menu.second[:, outcome, None]
            moved = ratios[:, outcome, None] + places
            # Above all places V has slope 1.
            beyond = p * np.exp(places) - q * exp(_REACH)
            sums += q * np.interp(moved, places, values) + np.where(moved > _REACH, beyond, 0)
        sums[~allowed] = -1
        questions.append(np.argmax(sums, axis=0))
        values = sums.max(axis=0)
    return Strategy(menu, tuple(reversed(questions)))


def epsilon_of(first: Law, second: Law, delta: float) -> float:
    """The least epsilon of at least 0 for which the hockey-stick divergence of two laws is at most delta."""
    low, high = 0.0, 700.0
    if _divergence(first, second, low) <= delta:
        return 0.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _divergence(first, second, middle) > delta else (low, middle)
    return high


def _divergence(first: Law, second: Law, epsilon: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.maximum(first - np.exp(min(epsilon, 700.0)) * second, 0).sum())


def order_by_ratio(first: Sequence[float] | Law, second: Sequence[float] | Law) -> NDArray[np.int64]:
    """Places by their likelihood ratio, the largest first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(first, dtype=float) / np.asarray(second, dtype=float)
    return np.argsort(-np.nan_to_num(ratio, nan=0.0, posinf=np.inf), kind="stable")
