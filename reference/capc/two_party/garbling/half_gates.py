"""Half-gates garbling: two ciphertexts per AND; XOR and INV cost nothing.

:func:`garble_instance` and :func:`evaluate_instance` are garbling itself, of one instance of a circuit.
:func:`garble` and :func:`evaluate` are loops around them, over the instances of a chunk.

The lowest bit of an evaluator's input label is its input bit, which it knows. So the AND of an input of the garbler and
one of the evaluator is an evaluator half, one ciphertext.

Labels are 128-bit integers; the two labels of a wire differ by the garbler's global offset Delta, whose lowest bit
is 1, so that a label's lowest bit tells the evaluator which half of a table it needs and nothing else.

A circuit is garbled stage by stage (:attr:`Circuit.stages`). In a chunk of n instances a label is named by a row: gate
number within its stage, times n, plus the instance. The work on an instance asks for the hashes of its labels, and the
loop hashes those of all instances at once.

Sources: Zahur, Rosulek, Evans, "Two Halves Make a Whole" (Eurocrypt 2015), figure 2; hash, Guo, Katz, Wang, Yu
(S&P 2020), TMMO, under keys that come from one that is fresh for every batch. Spec: CAPC-GC-001 to CAPC-GC-005,
CAPC-GC-010.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import chain
from typing import TypeVar

from capc.foundation.aes_ctr import counters, to_labels
from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import InputError
from capc.foundation.primitives import Permutation
from capc.two_party.circuits.builder import Circuit
from capc.two_party.garbling.hash_keys import HashKeys, key_spans

Made = TypeVar("Made")
LabelRows = list[list[int]]
"""One list of labels per wire, one label per instance."""
TableStage = tuple[Sequence[int], Sequence[int]]
"""Generator halves and evaluator halves of one stage, in the order of rows; products have no generator halves."""


class LabelHash(HashKeys[Permutation]):
    """H(x, i) = pi(pi(x) XOR i) XOR pi(x) for AES-128 as pi, under the keys of `HashKeys`.

    A tweak is row + 2^40 number + 2^64 nonce. Each call of :meth:`digest` has the next number and the nonce is
    the batch's own, so that no tweak occurs twice under one Delta, whatever the keys are.

    Args:
        key: 16 bytes, fresh for every batch.
        nonce: below 2^64, of the batch; never used twice under one Delta.
    """

    def __init__(self, key: bytes, nonce: int) -> None:
        super().__init__(key, nonce, Permutation)

    def digest(self, *operands: Sequence[int]) -> list[list[int]]:
        """H of each label; label r of every operand has the tweak, and the key, of row r.

        Raises:
            InputError: more rows or calls than tweaks.
        """
        size = len(operands[0])
        number, first = self.next_layer(size)
        digests: list[list[int]] = [[] for _ in operands]
        for key, span in key_spans(first, size):
            permutation = self.cipher(key)
            tweaks = counters(range(number << 40, (number << 40) + size)[span], self.nonce)
            for digest, operand in zip(digests, operands, strict=True):
                inner = permutation.apply(b"".join([label.to_bytes(LABEL_BYTES, "little") for label in operand[span]]))
                digest.extend(to_labels(_xor(permutation.apply(_xor(inner, tweaks)), inner)))
        return digests


Hashing = Generator[list[int], tuple[Sequence[int], ...], Made]
"""Work on one instance: it asks for the hashes of labels, stage after stage, and goes on when it has them."""


def garble_instance(
    circuit: Circuit, zero_labels: Sequence[int], delta: int
) -> Hashing[tuple[list[TableStage], list[int]]]:
    """Garbles one instance whose input labels are given.

    For an AND with zero labels A, B and permute bits p_a, p_b (their lowest bits):

    1. generator half: T_G = H(A) ^ H(A ^ Delta) ^ p_b Delta,  W_G = H(A) ^ p_a T_G
    2. evaluator half: T_E = H(B) ^ H(B ^ Delta) ^ A,          W_E = H(B) ^ p_b (T_E ^ A)
    3. the output's zero label is W_G ^ W_E; T_G and T_E are sent.

    With G ANDs in a stage, the labels A have rows 0 to G - 1, the labels B those after. Of products of inputs, whose B
    is the evaluator's and has p_b = 0, only step 2 is left, and the labels B have rows from 0 on.

    Args:
        circuit: what to garble.
        zero_labels: one per input wire, the garbler's wires first; the lowest bits of the evaluator's are 0 where a
            product takes them.
        delta: the global offset.

    Yields:
        the labels to hash of a stage, rows in order; it is sent their hashes, and those of the same labels XOR Delta.

    Returns:
        the tables of each stage after the first; the zero labels of the output wires.

    Raises:
        InputError: a product takes a zero label whose lowest bit is 1.
    """
    # Of the wire that carries 1, delta is the label.
    wires = [*zero_labels, *[0] * len(circuit.gates), delta]
    tables: list[TableStage] = []
    for wire, a, b in circuit.xors[0]:
        wires[wire] = wires[a] ^ wires[b]
    for stage, xors in zip(circuit.stages[1:], circuit.xors[1:], strict=True):
        left, right = [wires[wire] for wire in stage.left], [wires[wire] for wire in stage.right]
        generator: list[int] = []
        evaluator: list[int] = []
        if stage.products and any(label & 1 for label in right):
            raise InputError("an evaluator's zero label ends in 1: make its lowest bit that of the input")
        hashed = right if stage.products else left + right
        zeros, ones = yield hashed
        half = len(hashed) - len(right)
        for place, wire in enumerate(stage.ands):
            a, b, zero = left[place], right[place], 0
            if not stage.products:
                # 1.
                generator.append(zeros[place] ^ ones[place] ^ (delta if b & 1 else 0))
                zero = zeros[place] ^ (generator[-1] if a & 1 else 0)
            # 2.
            evaluator.append(zeros[half + place] ^ ones[half + place] ^ a)
            # 3.
            wires[wire] = zero ^ zeros[half + place] ^ (evaluator[-1] ^ a if b & 1 else 0)
        tables.append((generator, evaluator))
        for wire, a, b in xors:
            wires[wire] = wires[a] ^ wires[b]
    return tables, [wires[wire] for wire in circuit.outputs]


def evaluate_instance(
    circuit: Circuit, active_labels: Sequence[int], tables: Sequence[TableStage]
) -> Hashing[list[int]]:
    """The active labels of the outputs, from one active label per input wire.

    For an AND with active labels A, B and their lowest bits s_a, s_b: H(A) ^ s_a T_G ^ H(B) ^ s_b (T_E ^ A); for a
    product of inputs H(B) ^ s_b (T_E ^ A).

    Yields:
        the labels to hash of a stage, rows in order; it is sent their hashes.
    """
    # The active label of an inverted wire is the wire's own: its meaning changes, not the label.
    wires = [*active_labels, *[0] * len(circuit.gates), 0]
    for wire, a, b in circuit.xors[0]:
        wires[wire] = wires[a] ^ wires[b]
    for stage, xors, (generator, evaluator) in zip(circuit.stages[1:], circuit.xors[1:], tables, strict=True):
        left, right = [wires[wire] for wire in stage.left], [wires[wire] for wire in stage.right]
        (hashes,) = yield right if stage.products else left + right
        half = len(hashes) - len(right)
        for place, wire in enumerate(stage.ands):
            a, b, label = left[place], right[place], hashes[half + place]
            if not stage.products:
                label ^= hashes[place] ^ (generator[place] if a & 1 else 0)
            wires[wire] = label ^ (evaluator[place] ^ a if b & 1 else 0)
        for wire, a, b in xors:
            wires[wire] = wires[a] ^ wires[b]
    return [wires[wire] for wire in circuit.outputs]


def garble(
    circuit: Circuit, zero_labels: LabelRows, delta: int, label_hash: LabelHash
) -> tuple[list[TableStage], LabelRows]:
    """Garbles a chunk: all instances, with their tables side by side in the order of rows.

    Arguments, results and errors as of :func:`garble_instance`, for each wire a label of every instance.
    """
    work = [garble_instance(circuit, labels, delta) for labels in zip(*zero_labels, strict=True)]
    made = _together(work, label_hash, (0, delta))
    tables: list[TableStage] = []
    for stage in zip(*(tables for tables, _ in made), strict=True):
        generators, evaluators = zip(*stage, strict=True)
        tables.append((_side_by_side(generators), _side_by_side(evaluators)))
    return tables, [list(row) for row in zip(*(outputs for _, outputs in made), strict=True)]


def evaluate(
    circuit: Circuit, active_labels: LabelRows, tables: Sequence[TableStage], label_hash: LabelHash
) -> LabelRows:
    """Evaluates a chunk: all instances; as :func:`evaluate_instance`, for each wire a label of every instance."""
    count = len(active_labels[0])
    stages = (zip(_apart(generator, count), _apart(evaluator, count), strict=True) for generator, evaluator in tables)
    own = list(zip(*stages, strict=True)) or [()] * count
    inputs = zip(*active_labels, strict=True)
    work = [evaluate_instance(circuit, labels, mine) for labels, mine in zip(inputs, own, strict=True)]
    return [list(row) for row in zip(*_together(work, label_hash, (0,)), strict=True)]


def _together(instances: Sequence[Hashing[Made]], label_hash: LabelHash, offsets: tuple[int, ...]) -> list[Made]:
    """Goes through all instances stage by stage, and hashes what they ask for in one call: AES likes many blocks.

    Args:
        instances: of one circuit, so that all of them end with the same stage.
        label_hash: of the chunk.
        offsets: what a label is XORed with before each of its hashes.
    """
    count = len(instances)
    results: list[Made] = []
    replies: Sequence[tuple[Sequence[int], ...] | None] = [None] * count
    while len(results) < count:
        asked: list[list[int]] = []
        for instance, reply in zip(instances, replies, strict=True):
            try:
                asked.append(instance.send(reply))  # type: ignore[arg-type]
            except StopIteration as ended:
                results.append(ended.value)
        if asked:
            labels = _side_by_side(asked)
            digests = label_hash.digest(
                *([label ^ offset for label in labels] if offset else labels for offset in offsets)
            )
            replies = list(zip(*(_apart(digest, count) for digest in digests), strict=True))
    return results


def _apart(rows: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """The rows of every instance, from those of all side by side."""
    gates = [rows[start : start + count] for start in range(0, len(rows), count)]
    return list(zip(*gates, strict=True)) or [()] * count


def _side_by_side(rows: Sequence[Sequence[int]]) -> list[int]:
    """Gate after gate, the row of every instance."""
    return list(chain.from_iterable(zip(*rows, strict=True)))


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(len(left), "little")
