"""The evaluator's program: a chunk of garbled circuits evaluated stage by stage, all lanes at once.

For active labels A, B of lowest bits s_a, s_b, the output's is H(A) ^ s_a T_G ^ H(B) ^ s_b (T_E ^ A). Tables are
read into a buffer of the program, a piece at a time, and are overwritten there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.two_party.circuits.builder import Circuit
from capc.two_party.vectorised.bits import unpack_rows
from capc.two_party.vectorised.hashing import BatchHash, HashViews, Numbers
from capc.two_party.vectorised.labels import WORD, Indices, Words, colours, expand_labels, to_numbers
from capc.two_party.vectorised.output_sharing import EvaluatorProjection
from capc.two_party.vectorised.programs import Block, BoundXor, Lanes, cut_pieces, piece_rows, run_xors

ReadInto = Callable[[memoryview], None]
"""Fills a buffer with the next bytes of a payload, all of it."""

_ONE = np.array(1, WORD)
_MASKS = np.array([[0, 0], [2**64 - 1, 2**64 - 1]], WORD)


class _BoundBlock(NamedTuple):
    """Views for some ANDs of a stage, in the order in which :meth:`EvaluatorProgram._run_block` meets them."""

    places: Indices
    gathered: Words
    low: Words
    colour_bits: Words
    left: Words
    evaluator_halves: Words
    colours: Indices
    masks: Words
    tables: Words
    selected: Words
    labels: Words
    hash: list[HashViews]
    hash_left: Words
    hash_right: Words
    out: Words

    def __repr__(self) -> str:
        return type_only(self)


class _BoundProducts(NamedTuple):
    """Views for some products of inputs: right operands are gathered where they are hashed, the left ones behind."""

    places: Indices
    gathered: Words
    low: Words
    colour_bits: Words
    colours: Indices
    masks: Words
    left: Words
    table: Words
    hash: list[HashViews]
    hashed: Words
    out: Words

    def __repr__(self) -> str:
        return type_only(self)


class _BoundStage(NamedTuple):
    """One stage: where its tweaks hold the number, its ANDs, of one of two kinds, and the XORs that follow."""

    numbers: Numbers
    products: list[_BoundProducts]
    blocks: list[_BoundBlock]
    xors: list[BoundXor]

    def __repr__(self) -> str:
        return type_only(self)


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
        self._hashes = self._wires.hash_buffers(1)
        self._masks = np.empty((self._wires.block_labels, 2), WORD)
        self._colours = np.empty(self._wires.block_labels, np.int64)
        pieces = cut_pieces(plan, lanes)
        self._tables = np.empty((max(piece_rows(plan, lanes, piece) for piece in pieces), 2), WORD)
        self._bytes = self._tables.reshape(-1).view(np.uint8).data
        self._pieces = [(LABEL_BYTES * piece_rows(plan, lanes, piece), self._bind_piece(piece)) for piece in pieces]
        self._outputs = np.array(plan.outputs, np.int64)
        self._projection = None
        row_bytes = len(plan.outputs) * ((lanes + 7) // 8)
        if circuit.sharing is not None:
            place = self._wires.places[-1]
            self._projection = EvaluatorProjection(circuit.sharing, len(plan.outputs), lanes, self._hashes, place)
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

    def set_last_labels(self, labels: Words) -> None:
        """Active labels of the last input wires, which are other circuits' outputs: flat, in the place of transfers."""
        start = self._circuit.inputs * self.lanes - len(labels)
        self._wires.labels.labels(start, len(labels))[:] = labels

    def run(self, label_hash: BatchHash, read_into: ReadInto) -> None:
        """Evaluates the lanes, with tables as they come."""
        slots = self._wires.slots
        run_xors(slots, self._wires.xors[0])
        for length, stages in self._pieces:
            read_into(self._bytes[:length])
            for stage in stages:
                label_hash.next_number(stage.numbers)
                for products in stage.products:
                    self._run_products(slots, products, label_hash)
                for block in stage.blocks:
                    self._run_block(slots, block, label_hash)
                run_xors(slots, stage.xors)

    def finish(self, label_hash: BatchHash, read_into: ReadInto) -> tuple[list[list[int]], list[list[int]]]:
        """Reads what follows the tables. Lane by lane the shares of the output words, or output bits and their labels.

        Raises:
            InvalidPayloadError: a row outside its ring (`value_out_of_range`), or padding bits set (`non_canonical`).
        """
        if self._projection is not None:
            return self.share_outputs(label_hash, read_into)[0].tolist(), []
        active = self._wires.slots[self._outputs]
        read_into(self._rows.data)
        bits = unpack_rows(self._rows, len(active), self.lanes) ^ colours(active)
        return bits.T.tolist(), to_numbers(active.transpose(1, 0, 2))

    def share_outputs(self, label_hash: BatchHash, read_into: ReadInto) -> tuple[Words, Words]:
        """Of a circuit that shares its outputs: shares of shape (lanes, words), active labels (outputs, lanes, 2).

        Raises:
            InvalidPayloadError: a row outside its ring (`value_out_of_range`).
        """
        if self._projection is None:
            raise InputError(f"circuit {self._circuit.name} does not share its outputs")
        active = self._wires.slots[self._outputs]
        read_into(self._rows.data)
        rows = self._projection.codec.read(self._rows)
        return self._projection.share(active.reshape(-1, 2), rows, label_hash), active

    @staticmethod
    def _run_block(slots: Words, block: _BoundBlock, label_hash: BatchHash) -> None:
        (
            places, gathered, low, colour_bits, left, evaluator_halves, colours, masks, tables, selected, labels,
            hash_views, hash_left, hash_right, out,
        ) = block  # fmt: skip
        slots.take(places, 0, gathered, "clip")
        np.bitwise_and(low, _ONE, colour_bits)
        np.bitwise_xor(evaluator_halves, left, evaluator_halves)
        _MASKS.take(colours, 0, masks, "clip")
        np.bitwise_and(selected, tables, selected)
        label_hash.digest(hash_views)
        np.bitwise_xor(labels, masks, labels)
        np.bitwise_xor(hash_left, hash_right, out)

    @staticmethod
    def _run_products(slots: Words, products: _BoundProducts, label_hash: BatchHash) -> None:
        places, gathered, low, colour_bits, colours, masks, left, table, hash_views, hashed, out = products
        slots.take(places, 0, gathered, "clip")
        np.bitwise_and(low, _ONE, colour_bits)
        _MASKS.take(colours, 0, masks, "clip")
        np.bitwise_xor(table, left, table)
        np.bitwise_and(table, masks, table)
        label_hash.digest(hash_views)
        np.bitwise_xor(hashed, table, out)

    def _bind_piece(self, piece: range) -> list[_BoundStage]:
        stages = []
        start = 0
        for number in piece:
            stage = self._wires.plan.stages[number]
            rows = stage.table_rows * self.lanes
            table, blocks = self._tables[start : start + rows], self._wires.blocks(number)
            products = [self._bind_products(block, table[block.rows[0]]) for block in blocks if stage.products]
            pair = table if stage.products else table.reshape(2, rows // 2, 2)
            bound = [self._bind(block, pair[:, block.rows[0]]) for block in blocks if not stage.products]
            stages.append(_BoundStage(self._hashes.numbers(rows), products, bound, self._wires.xors[number]))
            start += rows
        return stages

    def _bind_products(self, block: Block, table: Words) -> _BoundProducts:
        count = len(block.out)
        labels = self._hashes.blocks.labels(0, 2 * count)
        half = len(block.slots) // 2
        return _BoundProducts(
            places=np.roll(block.slots, half),
            gathered=labels.reshape(-1, self.lanes, 2),
            low=labels[:count, 0],
            colour_bits=self._colours[:count].view(WORD),
            colours=self._colours[:count],
            masks=self._masks[:count],
            left=labels[count:],
            table=table,
            hash=self._hashes.views(1, block.rows[:1], block.first),
            hashed=labels[:count],
            out=block.out,
        )

    def _bind(self, block: Block, tables: Words) -> _BoundBlock:
        half = len(block.out)
        rows = 2 * half
        labels = self._hashes.blocks.labels(0, rows)
        pair = (2, half, 2)
        return _BoundBlock(
            places=block.slots,
            gathered=labels.reshape(-1, self.lanes, 2),
            low=labels[:, 0],
            colour_bits=self._colours[:rows].view(WORD),
            left=labels[:half],
            evaluator_halves=tables[1],
            colours=self._colours[:rows],
            masks=self._masks[:rows],
            tables=tables,
            selected=self._masks[:rows].reshape(pair),
            labels=labels,
            hash=self._hashes.views(1, block.rows, block.first),
            hash_left=labels[:half],
            hash_right=labels[half:],
            out=block.out,
        )
