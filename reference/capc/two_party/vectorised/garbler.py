"""The garbler's program: a chunk of circuits garbled stage by stage, all lanes at once.

With M = lsb(K) Delta for a zero label K, the label of colour 0 is K ^ M, and figure 2 of half-gates becomes, for zero
labels A and B, and h_c the hash of the label of colour c:

- generator half: h_0(A) ^ h_1(A) ^ M_B
- evaluator half: h_0(B) ^ h_1(B) ^ A
- the output's zero label: h_0(A) ^ h_0(B) ^ (M_A & M_B)

Of a product of inputs, where M_B = 0, there is the evaluator half only, and the output's zero label is h_0(B),

so that one look-up by colour takes the place of four selections. The bytes are those of
`capc.two_party.garbling.half_gates`.

Spec: CAPC-GC-009.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from capc.foundation.errors import InputError
from capc.two_party.circuits.builder import Circuit
from capc.two_party.vectorised.hashing import BatchHash
from capc.two_party.vectorised.labels import (
    WORD,
    Bits,
    Words,
    colours,
    expand_labels,
    multiples,
    select,
    set_lowest_bits,
    to_numbers,
    word_rows,
)
from capc.two_party.vectorised.output_sharing import GarblerProjection
from capc.two_party.vectorised.programs import Block, Program, run_xors, runs

_ONE = np.array(1, WORD)


class GarblerProgram(Program):
    """A circuit bound to a number of lanes, for the garbler.

    Args:
        circuit: what to garble.
        lanes: instances per chunk.
    """

    def __init__(self, circuit: Circuit, lanes: int) -> None:
        super().__init__(circuit, lanes, 2)
        self._flipped_outputs = np.array(self._wires.plan.flipped_outputs, np.int64)
        self._projection = None
        if circuit.sharing is not None:
            place, count = self._wires.places[-1], len(self._wires.plan.outputs)
            self._projection = GarblerProjection(circuit.sharing, count, lanes, self._hashes, place)

    def _make_buffers(self, labels: int) -> None:
        self._parts = np.empty((2 * labels, 2), WORD)
        self._colours = np.empty(labels, np.int64)
        self._offsets = np.empty((max(labels, len(self._wires.plan.outputs) * self.lanes), 2), WORD)

    def begin(self, label_hash: BatchHash, delta: Words) -> None:
        """Takes the batch's nonce and offset."""
        self._hashes.set_nonce(label_hash.nonce)
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

    def run(self, label_hash: BatchHash) -> Iterator[memoryview]:
        """Garbles the lanes; each piece must be used up before the next is asked for."""
        slots = self._wires.slots
        run_xors(slots, self._wires.xors[0])
        for length, stages in self._pieces:
            for numbers, blocks, xors in stages:
                label_hash.next_number(numbers)
                for run in blocks:
                    run(label_hash)
                run_xors(slots, xors)
            yield self._bytes[:length]

    def finish(self, label_hash: BatchHash) -> tuple[list[tuple[int, ...]], list[list[int]], bytes | memoryview]:
        """Lane by lane the garbler's shares of the output words, or the zero labels of outputs that are not shared.

        Third, what follows the tables on the wire; as a view, valid until the program is used again.
        """
        if self._projection is not None:
            shares, _, rows = self.share_outputs(label_hash)
            return word_rows(shares), [], rows.data
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

    def _bind(self, block: Block, tables: Words) -> Callable[[BatchHash], None]:
        """A buffer of four parts holds M_A, M_B, A and B, so that what table rows need is a neighbour: M_B and A."""
        half = len(block.out)
        rows = 2 * half
        masks, labels, offsets = self._parts[:rows], self._parts[rows : 2 * rows], self._offsets[:rows]
        addends, gathered = self._parts[half : half + rows], labels.reshape(-1, self.lanes, 2)
        flips = self._flips(gathered, block.flipped)
        colours, colour_bits = self._colours[:rows], self._colours[:rows].view(WORD)
        hashed, views = self._hashes.blocks, self._hashes.views(2, block.rows, block.first)
        zero, one = hashed.labels(0, rows), hashed.labels(rows, rows)
        zero_pair, one_pair = zero.reshape(2, half, 2), one.reshape(2, half, 2)
        # Every view is made here, once: a small block takes no longer than its views would.
        slots, places, out, low = self._wires.slots, block.slots, block.out, labels[:, 0]
        zero_left, zero_right, mask_left, mask_right = zero[:half], zero[half:], masks[:half], masks[half:]

        def run(label_hash: BatchHash) -> None:
            slots.take(places, 0, gathered, "clip")
            for flipped, offset in flips:
                np.bitwise_xor(flipped, offset, flipped)
            np.bitwise_and(low, _ONE, colour_bits)
            self._table.take(colours, 0, masks, "clip")
            np.bitwise_xor(labels, masks, zero)
            np.bitwise_xor(zero, offsets, one)
            label_hash.digest(views)
            # Tables and outputs are written once, as they are far from the cache; the rest is near.
            np.bitwise_xor(one, addends, one)
            np.bitwise_xor(zero_pair, one_pair, tables)
            np.bitwise_and(mask_left, mask_right, mask_left)
            np.bitwise_xor(zero_left, zero_right, zero_left)
            np.bitwise_xor(zero_left, mask_left, out)

        return run

    def _bind_products(self, block: Block, table: Words) -> Callable[[BatchHash], None]:
        count = len(block.out)
        left, right, offsets = self._parts[:count], self._parts[count : 2 * count], self._offsets[:count]
        gathered = self._parts[: 2 * count].reshape(-1, self.lanes, 2)
        hashed, views = self._hashes.blocks, self._hashes.views(2, block.rows[:1], block.first)
        zero, one = hashed.labels(0, count), hashed.labels(count, count)
        slots, places, out = self._wires.slots, block.slots, block.out

        def run(label_hash: BatchHash) -> None:
            slots.take(places, 0, gathered, "clip")
            np.copyto(zero, right)
            np.bitwise_xor(right, offsets, one)
            label_hash.digest(views)
            np.bitwise_xor(zero, one, table)
            np.bitwise_xor(table, left, table)
            np.copyto(out, zero)

        return run

    def _flips(self, labels: Words, places: list[int]) -> list[tuple[Words, Words]]:
        """Views of the flipped wires' labels, and as many offsets; neighbours at equal distance share a view."""
        views = []
        for run in runs(places):
            count = len(run)
            offsets = self._offsets[: count * self.lanes].reshape(count, self.lanes, 2)
            views.append((labels[run.start : run.stop : run.step], offsets))
        return views
