"""A plan bound to a number of lanes: every buffer and every view of it is made once, and used chunk after chunk.

Memory, in bytes: for each lane 16 for each slot, 32 for each AND of the widest stage and 16 for each input of the
garbler; the tables of a piece, which is at most 256 KiB and one stage more; and about 0.6 MiB for a block of ANDs. It
does not depend on the number of chunks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.hidden import type_only
from capc.two_party.circuits.builder import Circuit
from capc.two_party.garbling.hash_keys import layer_place
from capc.two_party.vectorised.hashing import BatchHash, HashBuffers, Numbers
from capc.two_party.vectorised.labels import WORD, Indices, LabelBuffer, Words, new_counters, strided
from capc.two_party.vectorised.plan import Plan, PlannedStage, XorGroup, make_plan

LARGE_PIECE = 1 << 18
SMALL_PIECE = 1 << 12
PIECES = 8
"""Tables are handed on in pieces, so that both ends work at once: an eighth of a chunk, within these bounds."""


BLOCK_LABELS = 4096
"""Operands that are garbled together, unless one AND of all lanes has more. Half as many take a tenth longer."""


class BoundXor(NamedTuple):
    """A XOR group as views of equal shape; or as buffers, which look-ups of these slots fill first."""

    left: Words
    right: Words
    out: Words
    left_slots: Indices | None
    right_slots: Indices | None

    def __repr__(self) -> str:
        return type_only(self)


class Block(NamedTuple):
    """Some ANDs of a stage.

    Attributes:
        slots: of their left operands, then of the right ones.
        flipped: places in ``slots`` of flipped wires.
        rows: of the left operands, and of the right ones; the rows of generator and evaluator halves, too.
        first: the place of the stage's first row among the hashed rows of a chunk.
        out: labels of their outputs, flat.
    """

    slots: Indices
    flipped: list[int]
    rows: list[slice]
    first: int
    out: Words

    def __repr__(self) -> str:
        return type_only(self)


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
        self.places = self._places()
        self.labels = LabelBuffer(self.plan.slots * lanes)
        self.slots: Words = self.labels.labels(0, self.plan.slots * lanes).reshape(-1, lanes, 2)
        self.counters = new_counters(max(circuit.garbler_inputs, 1) * lanes)
        self.widest = max(len(stage.operands) for stage in self.plan.stages)
        self._gates_per_block = min(max(1, BLOCK_LABELS // (2 * lanes)), max(self.widest // 2, 1))
        looked_up = (len(group.left) for stage in self.plan.stages for group in stage.groups if not group.inner)
        width = max(looked_up, default=0)
        self._scratch = np.empty((2, width, lanes, 2), WORD)
        self.xors = [[self._bind(group) for group in stage.groups] for stage in self.plan.stages]

    def hash_buffers(self, operands: int) -> HashBuffers:
        """Room for a block's labels, or for those of all outputs that are shared, ``operands`` times."""
        outputs = len(self.plan.outputs) if self.circuit.sharing else 0
        rows = max(self.widest, outputs) * self.lanes
        return HashBuffers(rows, operands * max(self.block_labels, outputs * self.lanes))

    @property
    def block_labels(self) -> int:
        """The most operands of the ANDs of a block, for all lanes."""
        return 2 * self._gates_per_block * self.lanes

    def _places(self) -> list[int]:
        """Where the hashed rows of each stage, and of the outputs, begin in a chunk."""
        layers = [*(stage.table_rows for stage in self.plan.stages), len(self.plan.outputs)]
        places, free = [], 0
        for rows in layers:
            places.append(layer_place(free, rows * self.lanes))
            free = places[-1] + rows * self.lanes
        return places

    def blocks(self, number: int) -> list[Block]:
        """The ANDs of a stage, a few at a time: what they need stays in the cache, and room does not grow with them."""
        stage, first = self.plan.stages[number], self.places[number]
        count = len(stage.operands) // 2
        size = self._gates_per_block
        return [self._block(stage, first, start, min(start + size, count)) for start in range(0, count, size)]

    def _block(self, stage: PlannedStage, first: int, start: int, end: int) -> Block:
        count = len(stage.operands) // 2
        places = [*range(start, end), *range(count + start, count + end)]
        flipped = set(stage.flipped)
        rows = [slice(gate * self.lanes, (gate + end - start) * self.lanes) for gate in (start, count + start)]
        out = self.slots[stage.out + start : stage.out + end].reshape(-1, 2)
        return Block(
            np.array([stage.operands[place] for place in places], np.int64),
            [number for number, place in enumerate(places) if place in flipped],
            rows,
            first,
            out,
        )

    def _bind(self, group: XorGroup) -> BoundXor:
        size = len(group.left)
        out = self.slots[group.out : group.out + size]
        if not group.inner:
            left, right = (scratch[:size] for scratch in self._scratch)
            return BoundXor(left, right, out, np.array(group.left, np.int64), np.array(group.right, np.int64))
        shape = (size // group.inner, group.inner, self.lanes, 2)
        left, right = (self._grid(slots, shape) for slots in group[:2])
        return BoundXor(left, right, out.reshape(shape), None, None)

    def _grid(self, slots: tuple[int, ...], shape: tuple[int, int, int, int]) -> Words:
        slot, lane, word = self.slots.strides
        outer, inner, _, _ = shape
        outer_step = slots[inner] - slots[0] if outer > 1 else 0
        inner_step = slots[1] - slots[0] if inner > 1 else 0
        strides = (outer_step * slot, inner_step * slot, lane, word)
        grid = strided(self.slots, slots[0] * slot, shape, strides)
        grid.flags.writeable = False
        return grid


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
    for left, right, out, left_slots, right_slots in groups:
        if left_slots is not None and right_slots is not None:
            slots.take(left_slots, 0, left, "clip")
            slots.take(right_slots, 0, right, "clip")
        np.bitwise_xor(left, right, out)


def cut_pieces(plan: Plan, lanes: int) -> list[range]:
    """The stages whose tables travel together, from stage 1 on; at least one piece, the last of which may be empty."""
    sizes = [LABEL_BYTES * stage.table_rows * lanes for stage in plan.stages]
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
    return sum(plan.stages[number].table_rows for number in piece) * lanes


class BoundStage(NamedTuple):
    """One stage: where its tweaks hold the number, what runs its ANDs, a block each, and the XORs that follow."""

    numbers: Numbers
    blocks: list[Callable[[BatchHash], None]]
    xors: list[BoundXor]

    def __repr__(self) -> str:
        return type_only(self)


class Program(ABC):
    """A circuit bound to a number of lanes, for either party.

    Args:
        circuit: what runs.
        lanes: instances per chunk.
        operands: labels that the party hashes under one tweak.
    """

    def __init__(self, circuit: Circuit, lanes: int, operands: int) -> None:
        self.lanes = lanes
        self._circuit = circuit
        self._wires = Lanes(circuit, lanes)
        plan = self._wires.plan
        self._hashes = self._wires.hash_buffers(operands)
        pieces = cut_pieces(plan, lanes)
        self._tables = np.empty((max(piece_rows(plan, lanes, piece) for piece in pieces), 2), WORD)
        self._bytes = self._tables.reshape(-1).view(np.uint8).data
        self._make_buffers(self._wires.block_labels)
        self._pieces = [(LABEL_BYTES * piece_rows(plan, lanes, piece), self._bind_piece(piece)) for piece in pieces]
        self._outputs = np.array(plan.outputs, np.int64)

    @abstractmethod
    def _make_buffers(self, labels: int) -> None:
        """Room beside tables and hashes, for so many operands of a block."""

    @abstractmethod
    def _bind(self, block: Block, tables: Words) -> Callable[[BatchHash], None]:
        """What runs a block of ANDs.

        Args:
            block: which.
            tables: their rows: generator halves, evaluator halves.
        """

    @abstractmethod
    def _bind_products(self, block: Block, table: Words) -> Callable[[BatchHash], None]:
        """What runs a block of products of inputs, which have one row each."""

    def set_last_labels(self, labels: Words) -> None:
        """Labels of the last input wires, which are other circuits' outputs: flat, in the place of transfers."""
        start = self._circuit.inputs * self.lanes - len(labels)
        self._wires.labels.labels(start, len(labels))[:] = labels

    def _bind_piece(self, piece: range) -> list[BoundStage]:
        stages, start = [], 0
        for number in piece:
            stage = self._wires.plan.stages[number]
            rows = stage.table_rows * self.lanes
            table, blocks = self._tables[start : start + rows], self._wires.blocks(number)
            if stage.products:
                bound = [self._bind_products(block, table[block.rows[0]]) for block in blocks]
            else:
                pair = table.reshape(2, rows // 2, 2)
                bound = [self._bind(block, pair[:, block.rows[0]]) for block in blocks]
            stages.append(BoundStage(self._hashes.numbers(rows), bound, self._wires.xors[number]))
            start += rows
        return stages
