"""The evaluator's program: a chunk of garbled circuits evaluated stage by stage, all lanes at once.

For active labels A, B of lowest bits s_a, s_b, the output's is H(A) ^ s_a T_G ^ H(B) ^ s_b (T_E ^ A). Tables are
read into a buffer of the program, a piece at a time, and are overwritten there.

Spec: CAPC-GC-009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from capc.foundation.errors import InputError
from capc.two_party.circuits.builder import Circuit
from capc.two_party.vectorised.bits import unpack_rows
from capc.two_party.vectorised.hashing import BatchHash
from capc.two_party.vectorised.labels import WORD, Words, colours, expand_labels, to_numbers, word_rows
from capc.two_party.vectorised.output_sharing import EvaluatorProjection
from capc.two_party.vectorised.programs import Block, Program, run_xors

ReadInto = Callable[[memoryview], None]
"""Fills a buffer with the next bytes of a payload, all of it."""

_ONE = np.array(1, WORD)
_MASKS = np.array([[0, 0], [2**64 - 1, 2**64 - 1]], WORD)


class EvaluatorProgram(Program):
    """A circuit bound to a number of lanes, for the evaluator.

    Args:
        circuit: what to evaluate.
        lanes: instances per chunk.
    """

    def __init__(self, circuit: Circuit, lanes: int) -> None:
        super().__init__(circuit, lanes, 1)
        self._projection, count = None, len(self._wires.plan.outputs)
        row_bytes = count * ((lanes + 7) // 8)
        if circuit.sharing is not None:
            place = self._wires.places[-1]
            self._projection = EvaluatorProjection(circuit.sharing, count, lanes, self._hashes, place)
            row_bytes = self._projection.codec.length
        self._rows = np.empty(row_bytes, np.uint8)

    def _make_buffers(self, labels: int) -> None:
        self._masks = np.empty((labels, 2), WORD)
        self._colours = np.empty(labels, np.int64)

    def begin(self, label_hash: BatchHash) -> None:
        """Takes the batch's nonce."""
        self._hashes.set_nonce(label_hash.nonce)

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
            for numbers, blocks, xors in stages:
                label_hash.next_number(numbers)
                for run in blocks:
                    run(label_hash)
                run_xors(slots, xors)

    def finish(self, label_hash: BatchHash, read_into: ReadInto) -> tuple[Sequence[Sequence[int]], list[list[int]]]:
        """Reads what follows the tables. Lane by lane the shares of the output words, or output bits and their labels.

        Raises:
            InvalidPayloadError: a row outside its ring (`value_out_of_range`), or padding bits set (`non_canonical`).
        """
        if self._projection is not None:
            return word_rows(self.share_outputs(label_hash, read_into)[0]), []
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

    def _bind(self, block: Block, tables: Words) -> Callable[[BatchHash], None]:
        half = len(block.out)
        rows = 2 * half
        labels, masks = self._hashes.blocks.labels(0, rows), self._masks[:rows]
        gathered, selected = labels.reshape(-1, self.lanes, 2), masks.reshape(2, half, 2)
        colours, colour_bits = self._colours[:rows], self._colours[:rows].view(WORD)
        views = self._hashes.views(1, block.rows, block.first)
        slots, places, out, low = self._wires.slots, block.slots, block.out, labels[:, 0]
        left, right, evaluator_halves = labels[:half], labels[half:], tables[1]

        def run(label_hash: BatchHash) -> None:
            slots.take(places, 0, gathered, "clip")
            np.bitwise_and(low, _ONE, colour_bits)
            np.bitwise_xor(evaluator_halves, left, evaluator_halves)
            _MASKS.take(colours, 0, masks, "clip")
            np.bitwise_and(selected, tables, selected)
            label_hash.digest(views)
            np.bitwise_xor(labels, masks, labels)
            np.bitwise_xor(left, right, out)

        return run

    def _bind_products(self, block: Block, table: Words) -> Callable[[BatchHash], None]:
        """Right operands are gathered where they are hashed, the left ones behind."""
        count = len(block.out)
        labels, masks = self._hashes.blocks.labels(0, 2 * count), self._masks[:count]
        hashed, left, gathered = labels[:count], labels[count:], labels.reshape(-1, self.lanes, 2)
        colours, colour_bits = self._colours[:count], self._colours[:count].view(WORD)
        slots, places, out, low = (
            self._wires.slots,
            np.roll(block.slots, len(block.slots) // 2),
            block.out,
            hashed[:, 0],
        )
        views = self._hashes.views(1, block.rows[:1], block.first)

        def run(label_hash: BatchHash) -> None:
            slots.take(places, 0, gathered, "clip")
            np.bitwise_and(low, _ONE, colour_bits)
            _MASKS.take(colours, 0, masks, "clip")
            np.bitwise_xor(table, left, table)
            np.bitwise_and(table, masks, table)
            label_hash.digest(views)
            np.bitwise_xor(hashed, table, out)

        return run
