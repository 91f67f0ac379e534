"""The garbler's program: a chunk of circuits garbled stage by stage, all lanes at once.

With M = lsb(K) Delta for a zero label K, the label of colour 0 is K ^ M, and figure 2 of half-gates becomes, for zero
labels A and B, and h_c the hash of the label of colour c:

- generator half: h_0(A) ^ h_1(A) ^ M_B
- evaluator half: h_0(B) ^ h_1(B) ^ A
- the output's zero label: h_0(A) ^ h_0(B) ^ (M_A & M_B)

Of a product of inputs, where M_B = 0, there is the evaluator half only, and the output's zero label is h_0(B),

so that one look-up by colour takes the place of four selections. The bytes are those of
`capc.two_party.garbling.half_gates`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.two_party.circuits.builder import Circuit
from capc.two_party.vectorised.hashing import BatchHash, HashViews, Numbers
from capc.two_party.vectorised.labels import (
    WORD,
    Bits,
    Indices,
    Words,
    colours,
    expand_labels,
    multiples,
    select,
    set_lowest_bits,
    to_numbers,
)
from capc.two_party.vectorised.output_sharing import GarblerProjection
from capc.two_party.vectorised.programs import Block, BoundXor, Lanes, cut_pieces, piece_rows, run_xors, runs


class _BoundBlock(NamedTuple):
    """Views for some ANDs of a stage, in the order in which :meth:`GarblerProgram._run_block` meets them.

    A buffer of four parts holds M_A, M_B, A and B, so that what the table rows need is a neighbour: M_B and A.
    """

    places: Indices
    gathered: Words
    flipped: list[tuple[Words, Words]]
    low: Words
    colour_bits: Words
    colours: Indices
    masks: Words
    zero_labels: Words
    colour_zero: Words
    offsets: Words
    colour_one: Words
    hash: list[HashViews]
    flat_hash_one: Words
    addends: Words
    hash_zero: Words
    hash_one: Words
    tables: Words
    zero_hash_left: Words
    zero_hash_right: Words
    mask_left: Words
    mask_right: Words
    out: Words

    def __repr__(self) -> str:
        return type_only(self)


class _BoundProducts(NamedTuple):
    """Views for some products of inputs."""

    places: Indices
    gathered: Words
    left: Words
    right: Words
    colour_zero: Words
    offsets: Words
    colour_one: Words
    hash: list[HashViews]
    table: Words
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


class GarblerProgram:
    """A circuit bound to a number of lanes, for the garbler.

    Args:
        circuit: what to garble.
        lanes: instances per chunk.
    """

    def __init__(self, circuit: Circuit, lanes: int) -> None:
        self.lanes = lanes
        self._circuit = circuit
        self._wires = Lanes(circuit, lanes)
        plan = self._wires.plan
        self._hashes = self._wires.hash_buffers(2)
        block = self._wires.block_labels
        self._parts = np.empty((2 * block, 2), WORD)
        self._colours = np.empty(block, np.int64)
        self._offsets = np.empty((max(block, len(plan.outputs) * lanes), 2), WORD)
        pieces = cut_pieces(plan, lanes)
        self._tables = np.empty((max(piece_rows(plan, lanes, piece) for piece in pieces), 2), WORD)
        self._bytes = self._tables.reshape(-1).view(np.uint8).data
        self._pieces = [(LABEL_BYTES * piece_rows(plan, lanes, piece), self._bind_piece(piece)) for piece in pieces]
        self._outputs = np.array(plan.outputs, np.int64)
        self._flipped_outputs = np.array(plan.flipped_outputs, np.int64)
        self._projection = None
        if circuit.sharing is not None:
            place = self._wires.places[-1]
            self._projection = GarblerProjection(circuit.sharing, len(plan.outputs), lanes, self._hashes, place)

    def begin(self, label_hash: BatchHash, delta: Words) -> None:
        """Takes the batch's position and offset."""
        self._hashes.set_position(label_hash.position)
        self._offsets[:] = delta
        self._table = multiples(delta)
        self._delta = delta

    def set_garbler_labels(self, seed: bytes, number: int, bits: Bits | None) -> None:
        """Zero labels of the garbler's inputs of chunk ``number``: the seed's, XOR Delta where a bit is 1."""
        count = self._circuit.garbler_inputs * self.lanes
        expand_labels(seed, number, self._wires.counters, self._wires.labels.target(0, count), count)
        if bits is not None:
            labels = self._wires.labels.labels(0, count)
            np.bitwise_xor(labels, select(self._table, bits), labels)

    def set_evaluator_labels(self, zero_labels: Words, flips: Bits) -> None:
        """Zero labels of the evaluator's inputs: those of its transfers, XOR Delta where it sent a 1."""
        start = self._circuit.garbler_inputs * self.lanes
        labels = self._wires.labels.labels(start, len(flips))
        np.bitwise_xor(zero_labels, select(self._table, flips), labels)
        set_lowest_bits(labels, 0)

    def set_last_labels(self, zero_labels: Words) -> None:
        """Zero labels of the last input wires, which are other circuits' outputs: flat, in the place of transfers."""
        start = self._circuit.inputs * self.lanes - len(zero_labels)
        self._wires.labels.labels(start, len(zero_labels))[:] = zero_labels

    def run(self, label_hash: BatchHash) -> Iterator[memoryview]:
        """Garbles the lanes; each piece must be used up before the next is asked for."""
        slots = self._wires.slots
        run_xors(slots, self._wires.xors[0])
        for length, stages in self._pieces:
            for stage in stages:
                label_hash.next_number(stage.numbers)
                for products in stage.products:
                    self._run_products(slots, products, label_hash)
                for block in stage.blocks:
                    self._run_block(slots, block, label_hash)
                run_xors(slots, stage.xors)
            yield self._bytes[:length]

    def finish(self, label_hash: BatchHash) -> tuple[list[list[int]], list[list[int]], bytes | memoryview]:
        """Lane by lane the garbler's shares of the output words, or the zero labels of outputs that are not shared.

        Third, what follows the tables on the wire; as a view, valid until the program is used again.
        """
        if self._projection is not None:
            shares, _, rows = self.share_outputs(label_hash)
            return shares.tolist(), [], rows.data
        labels = self._output_labels()
        zero_labels = to_numbers(labels.transpose(1, 0, 2))
        return [], zero_labels, np.packbits(colours(labels), axis=1, bitorder="little").tobytes()

    def share_outputs(self, label_hash: BatchHash, weights: Words | None = None) -> tuple[Words, Words, Bits]:
        """Of a circuit that shares its outputs: shares, zero labels, and rows, valid until the program is used again.

        Args:
            label_hash: the batch's hash.
            weights: as of :meth:`GarblerProjection.share`.

        Returns:
            the garbler's shares, of shape (lanes, words); zero labels, of shape (outputs, lanes, 2); bytes.
        """
        if self._projection is None:
            raise InputError(f"circuit {self._circuit.name} does not share its outputs")
        labels = self._output_labels()
        flat = labels.reshape(-1, 2)
        offsets = self._offsets[: len(flat)]
        shares, rows = self._projection.share(flat, self._table, offsets, label_hash, weights)
        return shares, labels, rows

    def _output_labels(self) -> Words:
        labels = self._wires.slots[self._outputs]
        labels[self._flipped_outputs] ^= self._delta
        return labels

    def _run_block(self, slots: Words, block: _BoundBlock, label_hash: BatchHash) -> None:
        (
            places, gathered, flipped, low, colour_bits, colours, masks, zero_labels, colour_zero, offsets, colour_one,
            hash_views, flat_hash_one, addends, hash_zero, hash_one, tables, zero_hash_left, zero_hash_right, mask_left,
            mask_right, out,
        ) = block  # fmt: skip
        slots.take(places, 0, gathered, "clip")
        for labels, offset in flipped:
            np.bitwise_xor(labels, offset, labels)
        np.bitwise_and(low, _ONE, colour_bits)
        self._table.take(colours, 0, masks, "clip")
        np.bitwise_xor(zero_labels, masks, colour_zero)
        np.bitwise_xor(colour_zero, offsets, colour_one)
        label_hash.digest(hash_views)
        # Tables and outputs are written once, as they are far from the cache; the rest is near.
        np.bitwise_xor(flat_hash_one, addends, flat_hash_one)
        np.bitwise_xor(hash_zero, hash_one, tables)
        np.bitwise_and(mask_left, mask_right, mask_left)
        np.bitwise_xor(zero_hash_left, zero_hash_right, zero_hash_left)
        np.bitwise_xor(zero_hash_left, mask_left, out)

    @staticmethod
    def _run_products(slots: Words, products: _BoundProducts, label_hash: BatchHash) -> None:
        places, gathered, left, right, colour_zero, offsets, colour_one, hash_views, table, out = products
        slots.take(places, 0, gathered, "clip")
        np.copyto(colour_zero, right)
        np.bitwise_xor(right, offsets, colour_one)
        label_hash.digest(hash_views)
        np.bitwise_xor(colour_zero, colour_one, table)
        np.bitwise_xor(table, left, table)
        np.copyto(out, colour_zero)

    def _bind_piece(self, piece: range) -> list[_BoundStage]:
        stages = []
        start = 0
        for number in piece:
            stage = self._wires.plan.stages[number]
            rows = stage.table_rows * self.lanes
            table, blocks = self._tables[start : start + rows], self._wires.blocks(number)
            products = [self._bind_products(block, table) for block in blocks if stage.products]
            pair = table if stage.products else table.reshape(2, rows // 2, 2)
            bound = [self._bind(block, pair) for block in blocks if not stage.products]
            stages.append(_BoundStage(self._hashes.numbers(rows), products, bound, self._wires.xors[number]))
            start += rows
        return stages

    def _bind_products(self, block: Block, table: Words) -> _BoundProducts:
        count = len(block.out)
        labels, hashed = self._parts[: 2 * count], self._hashes.blocks
        return _BoundProducts(
            places=block.slots,
            gathered=labels.reshape(-1, self.lanes, 2),
            left=labels[:count],
            right=labels[count:],
            colour_zero=hashed.labels(0, count),
            offsets=self._offsets[:count],
            colour_one=hashed.labels(count, count),
            hash=self._hashes.views(2, block.rows[:1], block.first),
            table=table[block.rows[0]],
            out=block.out,
        )

    def _bind(self, block: Block, tables: Words) -> _BoundBlock:
        half = len(block.out)
        rows = 2 * half
        masks, labels = self._parts[:rows], self._parts[rows : 2 * rows]
        gathered = labels.reshape(-1, self.lanes, 2)
        hashed = self._hashes.blocks
        pair = (2, half, 2)
        return _BoundBlock(
            places=block.slots,
            gathered=gathered,
            flipped=self._flips(gathered, block.flipped),
            low=labels[:, 0],
            colour_bits=self._colours[:rows].view(WORD),
            colours=self._colours[:rows],
            masks=masks,
            zero_labels=labels,
            colour_zero=hashed.labels(0, rows),
            offsets=self._offsets[:rows],
            colour_one=hashed.labels(rows, rows),
            hash=self._hashes.views(2, block.rows, block.first),
            flat_hash_one=hashed.labels(rows, rows),
            addends=self._parts[half : half + rows],
            hash_zero=hashed.labels(0, rows).reshape(pair),
            hash_one=hashed.labels(rows, rows).reshape(pair),
            tables=tables[:, block.rows[0]],
            zero_hash_left=hashed.labels(0, half),
            zero_hash_right=hashed.labels(half, half),
            mask_left=masks[:half],
            mask_right=masks[half:],
            out=block.out,
        )

    def _flips(self, labels: Words, places: list[int]) -> list[tuple[Words, Words]]:
        """Views of the flipped wires' labels, and as many offsets; neighbours at equal distance share a view."""
        views = []
        for run in runs(places):
            count = len(run)
            offsets = self._offsets[: count * self.lanes].reshape(count, self.lanes, 2)
            views.append((labels[run.start : run.stop : run.step], offsets))
        return views


_ONE = np.array(1, WORD)
