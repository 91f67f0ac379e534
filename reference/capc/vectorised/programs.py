"""A plan bound to a number of lanes: every buffer and every view of it is made once, and used chunk after chunk.

Memory, in bytes per lane: 16 for each slot, 112 for each AND of the widest stage twice over, and the tables of one
piece. It does not depend on how many chunks there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from capc.circuits.builder import Circuit
from capc.messages import LABEL_BYTES
from capc.vectorised.labels import WORD, Indices, LabelBuffer, Words, new_counters
from capc.vectorised.plan import Plan, XorGroup, make_plan

LARGE_PIECE = 1 << 18
SMALL_PIECE = 1 << 12
PIECES = 8
"""Tables are handed on in pieces, so that both ends work at once: an eighth of a chunk, within these bounds."""


class Operand(NamedTuple):
    """Where a XOR group reads: a view, or a buffer that a look-up fills first."""

    view: Words
    look_up: Indices | None


class BoundXor(NamedTuple):
    """A XOR group as views of equal shape."""

    left: Operand
    right: Operand
    out: Words


class Lanes:
    """The slots of all lanes, and what garbling and evaluation share.

    Args:
        circuit: what runs.
        lanes: instances, side by side.
    """

    def __init__(self, circuit: Circuit, lanes: int) -> None:
        self.circuit = circuit
        self.lanes = lanes
        self.plan: Plan = make_plan(circuit)
        self.labels = LabelBuffer(self.plan.slots * lanes)
        self.slots: Words = self.labels.labels(0, self.plan.slots * lanes).reshape(-1, lanes, 2)
        self.counters = new_counters(max(circuit.garbler_inputs, 1) * lanes)
        self.widest = max(len(stage.operands) for stage in self.plan.stages)
        width = max((len(group.left) for stage in self.plan.stages for group in stage.groups), default=0)
        self._scratch = np.empty((2, width, lanes, 2), WORD)
        self.xors = [[self._bind(group) for group in stage.groups] for stage in self.plan.stages]

    def rows_of_hash(self) -> int:
        """The most rows that a digest of this circuit has."""
        outputs = len(self.plan.outputs) if self.circuit.sharing else 0
        return max(self.widest, outputs) * self.lanes

    def _bind(self, group: XorGroup) -> BoundXor:
        size = len(group.left)
        divisors = (inner for inner in range(size, 0, -1) if size % inner == 0)
        inner = next((inner for inner in divisors if is_grid(group.left, inner) and is_grid(group.right, inner)), size)
        shape = (size // inner, inner, self.lanes, 2)
        operands = [self._read(slots, inner, scratch) for slots, scratch in zip(group[:2], self._scratch, strict=True)]
        return BoundXor(operands[0], operands[1], self.slots[group.out : group.out + size].reshape(shape))

    def _read(self, slots: tuple[int, ...], inner: int, scratch: Words) -> Operand:
        size = len(slots)
        shape = (size // inner, inner, self.lanes, 2)
        if is_grid(slots, inner):
            slot, lane, word = self.slots.strides
            outer_step = slots[inner] - slots[0] if inner < size else 0
            inner_step = slots[1] - slots[0] if inner > 1 else 0
            strides = (outer_step * slot, inner_step * slot, lane, word)
            return Operand(as_strided(self.slots[slots[0] :], shape, strides, writeable=False), None)
        return Operand(scratch[:size], np.array(slots, np.int64))


def is_grid(slots: Sequence[int], inner: int) -> bool:
    """Whether slots are s + a i + b j for j below ``inner``, so that one view holds them."""
    outer_step = slots[inner] - slots[0] if inner < len(slots) else 0
    inner_step = slots[1] - slots[0] if inner > 1 else 0
    return all(
        slot == slots[0] + place // inner * outer_step + place % inner * inner_step for place, slot in enumerate(slots)
    )


def runs(places: Sequence[int]) -> Iterator[range]:
    """Increasing numbers cut into runs of equal distance, greedily."""
    start = 0
    while start < len(places):
        step = places[start + 1] - places[start] if start + 1 < len(places) else 1
        end = start + 1
        while end < len(places) and places[end] - places[end - 1] == step:
            end += 1
        yield range(places[start], places[end - 1] + 1, step)
        start = end


def run_xors(slots: Words, groups: Sequence[BoundXor]) -> None:
    """Computes the groups, in order."""
    for (left, left_places), (right, right_places), out in groups:
        if left_places is not None:
            slots.take(left_places, 0, left, "clip")
        if right_places is not None:
            slots.take(right_places, 0, right, "clip")
        np.bitwise_xor(left, right, out)


def cut_pieces(plan: Plan, lanes: int) -> list[range]:
    """The stages whose tables travel together, from stage 1 on; at least one piece, the last of which may be empty."""
    sizes = [LABEL_BYTES * len(stage.operands) * lanes for stage in plan.stages]
    target = min(max(sum(sizes) // PIECES, SMALL_PIECE), LARGE_PIECE)
    pieces = []
    start, collected = 1, 0
    for number in range(1, len(sizes)):
        collected += sizes[number]
        if collected >= target:
            pieces.append(range(start, number + 1))
            start, collected = number + 1, 0
    if start < len(sizes) or not pieces:
        pieces.append(range(start, len(sizes)))
    return pieces


def piece_rows(plan: Plan, lanes: int, piece: range) -> int:
    """Labels in the tables of a piece."""
    return sum(len(plan.stages[number].operands) for number in piece) * lanes
