"""The families of laws over which a label's worst case is taken, and the meshes that cover them.

Spec: CAPC-ACCT-141, CAPC-ACCT-142.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc.noise.mechanism import RoundedGaussian
from capc.privacy.composition.mesh import Cell, Mesh, MeshBuilder, Point
from capc.privacy.composition.noise_tables import RARE, NoiseTables, TabledNoise, noise_tables
from capc.privacy.composition.outcome_laws import Bounds, Sums, ThreeOutcomes, difference, one_count
from capc.privacy.composition.references import Fineness
from capc.privacy.composition.second_order import ThreeCurvature, two_outcomes
from capc.privacy.composition.three_intervals import three_intervals

_MOST_RATIO = 8
"""Of shift and deviation."""
_ROOT_SIDE = 0.6
"""Of the first boxes, in deviations, at least."""


@dataclass(frozen=True)
class Family:
    """What one protected vote can do to the law of one label.

    Attributes:
        noise: one draw for each class.
        shift: D, by how much the vote moves a count, in grid units.
        moves: whether the vote moves from one class to another (True), or becomes zero (False).
        offsets: whether the querying party may add what it likes to its shares. Where a vote becomes zero, that
            changes nothing.
    """

    noise: TabledNoise
    shift: int
    moves: bool
    offsets: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.noise, TabledNoise):
            raise InputError(
                f"{type(self.noise).__name__} has no certified composition of labels: give rounded_gaussian or "
                "discrete_gaussian noise, or use the method argmax_renyi"
            )
        if self.offsets and not (self.moves and isinstance(self.noise, RoundedGaussian)):
            raise InputError("offsets of a querying party are for votes that move, under rounded_gaussian noise")
        if self.shift < 1:
            raise InputError(f"shift = {self.shift} grid units: give at least 1")
        if self.shift**2 > _MOST_RATIO**2 * self.noise.variance:
            raise InputError(
                f"sigma = {self.noise.sigma_votes} votes is too little noise for a certified composition of labels: "
                "give more noise"
            )


def meshes_of(family: Family, fineness: Fineness) -> list[Mesh]:
    """Meshes that cover the family up to points whose laws are close to those of its limits.

    Args:
        family: see there.
        fineness: of the meshes; it decides how tight the bound is, not whether it holds.

    Raises:
        InputError: the noise cannot be used, or is too small beside the shift.
    """
    if family.offsets:
        mu_squared = 2 * family.shift**2 / family.noise.variance
        return [three_intervals(mu_squared.as_integer_ratio(), fineness)]
    tables = noise_tables(family.noise)
    shift, rare = family.shift, tables.first_above(RARE)
    side = 1
    while side**2 < _ROOT_SIDE**2 * family.noise.variance:
        side *= 2

    def single(points: list[Point]) -> Bounds:
        return one_count(tables, shift, [u for (u,) in points])

    count = MeshBuilder(single, two_outcomes(tables, shift), fineness)
    meshes = [count.build(_intervals(-rare - shift - 1, rare + 1, side))]
    if not family.moves:
        return meshes
    radius, apart = _radii(tables, shift, rare)
    boxes = -(-radius // side)
    sums = Sums(tables, 2 * (max(boxes * side, apart) + side) + 3 * shift + 2 * tables.reach)

    def double(points: list[Point]) -> Bounds:
        return difference(sums, shift, [u for (u,) in points])

    both = MeshBuilder(double, two_outcomes(tables, 2 * shift), fineness)
    meshes.append(both.build(_intervals(-apart - 2 * shift - 1, apart + 1, side)))
    squares: list[Cell] = [(a * side, b * side, side) for a in range(-boxes, boxes) for b in range(-boxes, boxes)]
    for tie in (0, 1):
        three = MeshBuilder(ThreeOutcomes(sums, shift, tie).bounds, ThreeCurvature(tables, shift), fineness)
        meshes.append(three.build(squares))
    return meshes


def _intervals(low: int, high: int, side: int) -> list[Cell]:
    return [(place, side) for place in range(low, high + 1, side)]


def _radii(tables: NoiseTables, shift: int, rare: int) -> tuple[int, int]:
    """How far the meshes go: |A| and |B| of the three-outcome family, and |u| of the difference.

    Section 12 has the three cases of points outside; each needs a mass t that is small beside a ratio.
    """
    sums = Sums(tables, 4 * (rare + shift) + 2 * tables.reach)
    apart = rare
    while sums.difference_at_most(-apart)[1] > RARE:
        apart += max(1, rare // 64)
    one = tables.above[1][rare] / _positive(tables.at_most(-1 - rare - shift, upper=False))
    far = _positive(sums.difference_at_most(-apart - 2 * shift)[0])
    near = sums.difference_at_most(-apart + 1)[1]
    enough = min(RARE / (2 * (1 + one)), far / 2, RARE * far / (4 * near))
    return shift + tables.first_above(enough), apart


def _positive(value: float) -> float:
    if value <= 0:
        raise InputError("noise of so small a deviation has no certified composition of labels: give more noise")
    return value
