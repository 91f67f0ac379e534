"""The evaluator's program: a chunk of garbled circuits evaluated stage by stage, all lanes at once.

For active labels A, B of lowest bits s_a, s_b, the output's is H(A) ^ s_a T_G ^ H(B) ^ s_b (T_E ^ A). Tables are
read into a buffer of the program, a piece at a time, and are overwritten there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from capc.circuits.builder import Circuit
from capc.messages import LABEL_BYTES
from capc.vectorised.bits import unpack_rows
from capc.vectorised.hashing import BatchHash, HashBuffers, HashViews
from capc.vectorised.labels import WORD, Indices, Words, colours, expand_labels, to_numbers
from capc.vectorised.plan import PlannedStage
from capc.vectorised.programs import BoundXor, Lanes, cut_pieces, piece_rows, run_xors
from capc.vectorised.resharing import EvaluatorProjection

ReadInto = Callable[[memoryview], None]
"""Fills a buffer with the next bytes of a payload, all of it."""

_ONE = np.array(1, WORD)
_MASKS = np.array([[0, 0], [2**64 - 1, 2**64 - 1]], WORD)


class _BoundStage(NamedTuple):
    """Views for the ANDs of one stage, in the order in which :meth:`EvaluatorProgram._run_stage` meets them."""

    places: Indices
    gathered: Words
    low: Words
    colour_bits: Words
    left: Words
    evaluator_halves: Words
    colours: Indices
    masks: Words
    tables: Words
    labels: Words
    hash: HashViews
    hash_left: Words
    hash_right: Words
    out: Words
    xors: list[BoundXor]


class EvaluatorProgram:
    """A circuit bound to a number of lanes, for the evaluator.

    Args:
        circuit: what to evaluate.
        lanes: instances per chunk.
    """

    def __init__(self, circuit: Circuit, lanes: int) -> None:
        self.lanes = lanes
        self._circuit = circuit
        self._wires = Lanes(circuit, lanes)
        plan = self._wires.plan
        self._hashes = HashBuffers(self._wires.rows_of_hash(), 1)
        self._masks = np.empty((self._wires.widest * lanes, 2), WORD)
        self._colours = np.empty(self._wires.widest * lanes, np.int64)
        pieces = cut_pieces(plan, lanes)
        self._tables = np.empty((max(piece_rows(plan, lanes, piece) for piece in pieces), 2), WORD)
        self._bytes = self._tables.reshape(-1).view(np.uint8).data
        self._pieces = [(LABEL_BYTES * piece_rows(plan, lanes, piece), self._bind_piece(piece)) for piece in pieces]
        self._outputs = np.array(plan.outputs, np.int64)
        self._projection = None
        row_bytes = len(plan.outputs) * ((lanes + 7) // 8)
        if circuit.sharing is not None:
            self._projection = EvaluatorProjection(circuit.sharing, len(plan.outputs), lanes, self._hashes)
            row_bytes = self._projection.codec.length
        self._rows = np.empty(row_bytes, np.uint8)

    def begin(self, label_hash: BatchHash) -> None:
        """Takes the batch's position."""
        self._hashes.set_position(label_hash.position)

    def expand_garbler_labels(self, seed: bytes, number: int) -> None:
        """Active labels of the garbler's inputs of chunk ``number``, from its seed."""
        count = self._circuit.garbler_inputs * self.lanes
        expand_labels(seed, number, self._wires.counters, self._wires.labels.target(0, count), count)

    def set_garbler_labels(self, labels: Words) -> None:
        """Active labels of the garbler's inputs, as it sent them."""
        self._wires.labels.labels(0, len(labels))[:] = labels

    def set_evaluator_labels(self, labels: Words) -> None:
        """Active labels of the evaluator's inputs."""
        self._wires.labels.labels(self._circuit.garbler_inputs * self.lanes, len(labels))[:] = labels

    def run(self, label_hash: BatchHash, read_into: ReadInto) -> None:
        """Evaluates the lanes, with tables as they come."""
        slots = self._wires.slots
        run_xors(slots, self._wires.xors[0])
        for length, stages in self._pieces:
            read_into(self._bytes[:length])
            for stage in stages:
                self._run_stage(slots, stage, label_hash)

    def finish(self, label_hash: BatchHash, read_into: ReadInto) -> tuple[list[list[int]], list[list[int]]]:
        """Reads what follows the tables. Lane by lane the shares of the output words, or output bits and their labels.

        Raises:
            InvalidPayloadError: a row outside its ring (`value_out_of_range`), or padding bits set (`non_canonical`).
        """
        active = self._wires.slots[self._outputs]
        read_into(self._rows.data)
        if self._projection is None:
            bits = unpack_rows(self._rows, len(active), self.lanes) ^ colours(active)
            return bits.T.tolist(), to_numbers(active.transpose(1, 0, 2))
        rows = self._projection.codec.read(self._rows)
        return self._projection.share(active.reshape(-1, 2), rows, label_hash), []

    @staticmethod
    def _run_stage(slots: Words, stage: _BoundStage, label_hash: BatchHash) -> None:
        (
            places, gathered, low, colour_bits, left, evaluator_halves, colours, masks, tables, labels, hash_views,
            hash_left, hash_right, out, xors,
        ) = stage  # fmt: skip
        slots.take(places, 0, gathered, "clip")
        np.bitwise_and(low, _ONE, colour_bits)
        np.bitwise_xor(evaluator_halves, left, evaluator_halves)
        _MASKS.take(colours, 0, masks, "clip")
        np.bitwise_and(tables, masks, tables)
        label_hash.digest(hash_views)
        np.bitwise_xor(labels, tables, labels)
        np.bitwise_xor(hash_left, hash_right, out)
        run_xors(slots, xors)

    def _bind_piece(self, piece: range) -> list[_BoundStage]:
        stages = []
        start = 0
        for number in piece:
            stage = self._wires.plan.stages[number]
            rows = len(stage.operands) * self.lanes
            stages.append(self._bind(stage, self._wires.xors[number], self._tables[start : start + rows]))
            start += rows
        return stages

    def _bind(self, stage: PlannedStage, xors: list[BoundXor], tables: Words) -> _BoundStage:
        count = len(stage.operands)
        rows = count * self.lanes
        half = rows // 2
        labels = self._hashes.blocks.labels(0, rows)
        return _BoundStage(
            places=np.array(stage.operands, np.int64),
            gathered=labels.reshape(count, self.lanes, 2),
            low=labels[:, 0],
            colour_bits=self._colours[:rows].view(WORD),
            left=labels[:half],
            evaluator_halves=tables[half:],
            colours=self._colours[:rows],
            masks=self._masks[:rows],
            tables=tables,
            labels=labels,
            hash=self._hashes.views(rows, 1),
            hash_left=labels[:half],
            hash_right=labels[half:],
            out=self._wires.slots[stage.out : stage.out + count // 2].reshape(half, 2),
            xors=xors,
        )
