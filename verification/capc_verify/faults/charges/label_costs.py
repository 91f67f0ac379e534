"""Faults of the bound on what a label costs: cases of its proof that are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from flint import arb

from capc.privacy.accountants.argmax import cost, three_outcomes, two_outcomes
from capc.privacy.accountants.argmax.cell import Corner, Divergence, Reach
from capc.privacy.accountants.argmax.cost import Adversary, Limit, Upper
from capc.privacy.accountants.argmax.noise_table import NoiseTable
from capc.privacy.accountants.argmax.three_intervals import Intervals, Square
from capc.privacy.accountants.argmax.three_outcomes import Tournament
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit
from capc_verify.faults.patching import replace_in
from capc_verify.faults.planting import Fault

_CELLS = "tests/privacy/accountants/test_argmax_cells.py::test_"
_COSTS = "tests/privacy/accountants/test_argmax_cost.py::test_"
_OFFSETS = "tests/privacy/accountants/test_argmax_offsets.py::test_"
_TWO_CLASSES = _COSTS + "some_label_of_two_classes_and_a_threshold_costs_as_much"
_Cell = tuple[Sequence[Corner], Sequence[Reach], Sequence[tuple[arb, arb]]]
"""What a bound over a cell is made of."""


def one_order_of_indices() -> None:
    """Class i wins every tie with class j."""
    correct = Tournament.__init__

    def init(
        self: Tournament, table: NoiseTable, shift: int, tau: int, divergence: Divergence, end: int, side: int
    ) -> None:
        correct(self, table, shift, 0 * tau, divergence, end, side)

    Tournament.__init__ = init  # type: ignore[method-assign]


def ties_with_the_threshold_lost() -> None:
    """Class i must be above the best other candidate, while j need only reach it."""
    correct = Tournament._wins

    def wins(self: Tournament, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
        asked = list(places)
        found = correct(self, {(a - 1, e) for a, e in asked})
        return {(a, e): found[a - 1, e] for a, e in asked}

    Tournament._wins = wins  # type: ignore[method-assign]


def weight_of_a_label_forgotten() -> None:
    """A vote of any weight moves by the weight of one vote."""
    correct = cost._question

    def question(noise: Noise, order: Fraction, unit: ProtectedUnit, adversary: Adversary) -> Upper | None:
        return correct(noise, order, ProtectedUnit(unit.relation), adversary)  # type: ignore[arg-type]

    replace_in(cost, "_question", question)


def difference_shifted_once() -> None:
    """Outside of the square the difference of two classes moves by one vote, where one gains what the other loses."""
    correct = cost._Question._two

    def two(self: cost._Question, table: NoiseTable, shift: int, end: int, limit: Limit) -> arb:  # noqa: ARG001
        return correct(self, table, self.shift, end, limit)

    cost._Question._two = two  # type: ignore[method-assign]


def nothing_outside_of_the_square() -> None:
    """What is outside of the square is taken for free."""

    def outside(self: cost._Question, limit: Limit) -> arb:  # noqa: ARG001
        return arb(0)

    cost._Question._outside = outside  # type: ignore[method-assign]


def _bound_from(changed: Callable[[Sequence[Corner], Sequence[Reach], Sequence[tuple[arb, arb]]], _Cell]) -> None:
    """Cells are bounded from something else."""
    correct = Divergence.bound

    def bound(
        self: Divergence,
        corners: Sequence[Corner],
        outcomes: Sequence[Reach],
        bends: Sequence[tuple[arb, arb]],
        enough: arb,
    ) -> arb:
        return correct(self, *changed(corners, outcomes, bends), enough)

    Divergence.bound = bound  # type: ignore[method-assign]


def corner_missed() -> None:
    """The last corner of a cell is not looked at."""
    _bound_from(lambda corners, outcomes, bends: (corners[:-1], outcomes, bends))


def ratios_of_other_corners() -> None:
    """Ratios are said to be between those at the smallest and at the largest A and B."""
    _bound_from(
        lambda corners, outcomes, bends: (
            corners,
            [Reach(corners[0], corners[-1], reach.most) for reach in outcomes],
            bends,
        )
    )


def missing_mass_forgotten() -> None:
    """Lower bounds of probabilities are taken for the probabilities."""

    def enclosed(low: int, missing: int, bits: int) -> arb:  # noqa: ARG001
        return arb(low) * arb(2) ** -bits

    replace_in(three_outcomes, "enclosed", enclosed)
    replace_in(two_outcomes, "enclosed", enclosed)


def bend_forgotten() -> None:
    """Between its corners the laws of a cell are taken for linear."""
    _bound_from(lambda corners, outcomes, bends: (corners, outcomes, [(arb(0), arb(0))] * len(bends)))


def two_intervals_towards_a_cheat() -> None:
    """Towards a cheat two intervals of the likelihood ratio are looked at, where a label has three outcomes."""

    class TwoIntervals(Intervals):
        def roots(self) -> Sequence[Square]:
            # The last interval begins where nothing is left for it.
            return [(Fraction(u), Fraction(2 * self._end), Fraction(1)) for u in range(-self._end, self._end)]

    replace_in(cost, "Intervals", TwoIntervals)


FAULTS: dict[str, Fault] = {
    "one_order_of_indices": Fault(one_order_of_indices, None, (_TWO_CLASSES + "[replace_one-noise0-order0-1]",)),
    "ties_with_the_threshold_lost": Fault(
        ties_with_the_threshold_lost,
        None,
        (_CELLS + "events_are_enclosed_whatever_a_table_leaves_out[noise0-60]",),
    ),
    "weight_of_a_label_forgotten": Fault(
        weight_of_a_label_forgotten, None, (_TWO_CLASSES + "[null_vote-noise2-order2-2]",)
    ),
    "difference_shifted_once": Fault(
        difference_shifted_once, None, (_CELLS + "what_is_outside_of_any_square_is_bounded[noise0-order0-24]",)
    ),
    "nothing_outside_of_the_square": Fault(
        nothing_outside_of_the_square, None, (_CELLS + "what_is_outside_of_any_square_is_bounded[noise0-order0-8]",)
    ),
    "corner_missed": Fault(corner_missed, None, (_CELLS + "each_corner_of_the_smallest_squares_is_bounded[corner3]",)),
    "ratios_of_other_corners": Fault(
        ratios_of_other_corners, None, (_CELLS + "a_square_is_bounded_at_each_of_its_points",)
    ),
    "missing_mass_forgotten": Fault(
        missing_mass_forgotten, None, (_CELLS + "events_are_enclosed_whatever_a_table_leaves_out[noise0-12]",)
    ),
    "two_intervals_towards_a_cheat": Fault(
        two_intervals_towards_a_cheat,
        None,
        (
            _OFFSETS
            + "climbs_over_offsets_and_thresholds_end_between_an_honest_label_and_the_cost[sigma0-order0-replace_one]",
        ),
    ),
    "bend_forgotten": Fault(bend_forgotten, None, (_CELLS + "a_square_is_bounded_at_each_of_its_points",)),
}
"""These faults, and the tests that must notice them."""
