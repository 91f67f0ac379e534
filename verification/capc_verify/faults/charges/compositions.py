"""Faults of the composition of labels: cases of its proof that are left out, and certificates that are believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from capc.privacy.accountants.argmax import composition
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit
from capc.privacy.composition import checker, family, kept, three_intervals
from capc.privacy.composition.bellman import _Columns
from capc.privacy.composition.family import Family
from capc.privacy.composition.mesh import Cell, Mesh, MeshBuilder
from capc.privacy.composition.noise_tables import Floats, NoiseTables
from capc.privacy.composition.outcome_laws import Bounds, Sums, ThreeOutcomes
from capc.privacy.composition.recursion import Composed
from capc.privacy.composition.references import Fineness
from capc_verify.faults.patching import replace_in
from capc_verify.faults.planting import Fault

_FOLDER = "tests/privacy/composition/"
_STEPS = _FOLDER + "test_recursion.py::test_a_step_covers_every_point_of_the_family"
_LAWS = _FOLDER + "test_laws_and_boxes.py::test_laws_enclose_the_sum_over_all_pairs_of_draws"
_BOX = _FOLDER + "test_recursion.py::test_a_box_is_covered_by_its_corners_and_its_error"
_INTERVALS = _FOLDER + "test_offsets.py::test_a_step_covers_all_partitions_into_three_intervals[0.9375]"
_FORGED = _FOLDER + "test_certificates.py::test_a_forged_curve_is_seen_when_its_steps_are_taken_again[lower_the_end]"
_COUNTED = "tests/privacy/test_label_accounts.py::test_labels_that_are_counted_say_towards_whom_they_hold"


def composed_with_one_tie_order() -> None:
    """Class i wins every tie with class j."""
    correct = ThreeOutcomes.__init__

    def init(self: ThreeOutcomes, sums: Sums, shift: int, tie: int) -> None:
        correct(self, sums, shift, 0 * tie)

    ThreeOutcomes.__init__ = init  # type: ignore[method-assign]


def composed_with_a_strict_threshold_for_one() -> None:
    """Class i must be above the best other candidate, while j need only reach it."""
    correct = ThreeOutcomes._law

    def law(self: ThreeOutcomes, a: int, b: int) -> tuple[tuple[float, float], ...]:
        return correct(self, a - 1, b)[0], *correct(self, a, b)[1:]

    ThreeOutcomes._law = law  # type: ignore[method-assign]


def composed_with_half_the_shift() -> None:
    """A vote that moves is taken for one that leaves: class j does not gain it."""

    def bounds(self: ThreeOutcomes, points: Sequence[tuple[int, ...]]) -> Bounds:
        p = np.array([self._law(a + self._shift, b) for a, b in points])
        q = np.array([self._law(a, b) for a, b in points])
        return Bounds(p[:, :, 0], p[:, :, 1], q[:, :, 0], q[:, :, 1])

    ThreeOutcomes.bounds = bounds  # type: ignore[method-assign]


def composed_without_tails() -> None:
    """Meshes end where counts still matter, and the families in the limit are left out."""
    correct = family.meshes_of

    def meshes(of: Family, fineness: Fineness) -> list[Mesh]:
        return correct(of, fineness)[2:]

    def radii(tables: NoiseTables, shift: int, rare: int) -> tuple[int, int]:  # noqa: ARG001
        return 2, rare

    replace_in(family, "_radii", radii)
    replace_in(family, "meshes_of", meshes)


def composed_without_a_corner() -> None:
    """The corner of the smallest ratios is not looked at."""
    correct = MeshBuilder.build

    def build(self: MeshBuilder, roots: list[Cell]) -> Mesh:
        found = correct(self, roots)
        corners = found.corners.copy()
        found.bounds.p_upper[corners[:, 3]] = 0
        corners[:, 3] = corners[:, 2]
        return replace(found, corners=corners)

    MeshBuilder.build = build  # type: ignore[method-assign]


def composed_without_bends() -> None:
    """Between its corners the laws of a box are taken for linear."""

    def add(self: _Columns, matrix: Floats, mesh: Mesh) -> None:
        pass

    _Columns._add_errors = add  # type: ignore[method-assign]


def cheat_with_two_intervals() -> None:
    """A querying party that adds to its shares is said to learn whether a number is below a threshold, and no more."""

    def roots(low: int, high: int) -> list[Cell]:
        return [(u, u, 64) for u in range(low, high, 64)]

    replace_in(three_intervals, "_roots", roots)


def cheat_composed_as_honest() -> None:
    """Labels are composed towards a querying party that adds to its shares as towards one that does not."""
    correct = composition._family

    def of(noise: Noise, unit: ProtectedUnit, adversary: Adversary = Adversary.SEMI_HONEST) -> Family:  # noqa: ARG001
        return correct(noise, unit)

    replace_in(composition, "_family", of)


def compositions_taken_on_trust() -> None:
    """No step of a kept composition is taken again."""

    def hold(composed: Composed, blocks: Iterable[int]) -> bool:  # noqa: ARG001
        return True

    replace_in(kept, "blocks_hold", hold)


def second_way_is_lenient() -> None:
    """The second way to check a certificate lets a curve be a hundredth of itself too low."""
    replace_in(checker, "TOLERANCE", 1e-2)


_UNDER_MOVES = "tests/privacy/derivation/test_compositions.py::test_three_labels_under_moves"

FAULTS: dict[str, Fault] = {
    "composed_with_one_tie_order": Fault(composed_with_one_tie_order, None, (_STEPS, _LAWS + "[1-rounded_gaussian]")),
    "composed_with_a_strict_threshold_for_one": Fault(
        composed_with_a_strict_threshold_for_one, None, (_LAWS + "[0-rounded_gaussian]",)
    ),
    "composed_with_half_the_shift": Fault(
        composed_with_half_the_shift, None, (_STEPS, _LAWS + "[0-rounded_gaussian]", _UNDER_MOVES)
    ),
    "composed_without_tails": Fault(composed_without_tails, None, (_STEPS,)),
    "composed_without_a_corner": Fault(composed_without_a_corner, None, (_BOX,)),
    "composed_without_bends": Fault(composed_without_bends, None, (_BOX,)),
    "cheat_with_two_intervals": Fault(cheat_with_two_intervals, None, (_INTERVALS,)),
    "cheat_composed_as_honest": Fault(
        cheat_composed_as_honest,
        None,
        (_COUNTED + "[rounded_gaussian-replace_one]",),
    ),
    "compositions_taken_on_trust": Fault(compositions_taken_on_trust, None, (_FORGED,)),
    "second_way_is_lenient": Fault(
        second_way_is_lenient,
        None,
        (_FOLDER + "test_checker.py::test_what_is_forged_is_seen[null_vote-lower_the_end]",),
    ),
}
"""These faults, and the tests that must notice them."""
