"""Half-gates garbling of many instances of one circuit at once: two ciphertexts per AND; XOR and INV cost nothing.

The lowest bit of an evaluator's input label is its input bit, which it knows. So the AND of an input of the garbler and
one of the evaluator is an evaluator half, one ciphertext.

Labels are 128-bit integers; the two labels of a wire differ by the garbler's global offset Delta, whose lowest bit
is 1, so that a label's lowest bit tells the evaluator which half of a table it needs and nothing else.

All instances of a chunk are garbled together, stage by stage of the circuit (:attr:`Circuit.stages`). A label is
named by a row: gate number within its stage, times the number of instances, plus the instance.

Sources: Zahur, Rosulek, Evans, "Two Halves Make a Whole" (Eurocrypt 2015), figure 2; hash, Guo, Katz, Wang, Yu
(S&P 2020), TMMO, under keys that come from one that is fresh for every batch. Spec: CAPC-GC-001 to CAPC-GC-005.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation.aes_ctr import to_labels
from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import InputError
from capc.foundation.primitives import Permutation
from capc.two_party.circuits.builder import Circuit, CircuitStage, Operation
from capc.two_party.garbling.hash_keys import HashKeys, key_spans
from capc.two_party.hash_use import HashUse

LabelRows = list[list[int]]
"""One list of labels per wire, one label per instance."""
TableStage = tuple[list[int], list[int]]
"""Generator halves and evaluator halves of one stage, in the order of rows; products have no generator halves."""

MAX_ROWS = 1 << 40
MAX_HASHES = 1 << 24


class LabelHash:
    """H(x, i) = pi(pi(x) XOR i) XOR pi(x) for AES-128 as pi, under the keys of `HashKeys`.

    A tweak is row + 2^40 number + 2^64 position. Each call of :meth:`digest` has the next number and the position is
    the batch's own, so that no tweak occurs twice under one Delta, whatever the keys are.

    Args:
        key: 16 bytes, fresh for every batch.
        position: below 2^64, of the batch; never used twice under one Delta.
    """

    def __init__(self, key: bytes, position: int) -> None:
        self._keys = HashKeys(key)
        self._permutations: dict[int, Permutation] = {}
        self._position = position
        self._number = 0

    def begin_chunk(self, number: int) -> None:
        """The calls to come are those of another chunk; chunk 0 has begun."""
        self._keys.begin_chunk(number)
        self._permutations.clear()

    @property
    def use(self) -> HashUse:
        """What was hashed so far."""
        return self._keys.use

    def digest(self, *operands: Sequence[int]) -> list[list[int]]:
        """H of each label; label r of every operand has the tweak, and the key, of row r.

        Raises:
            InputError: more rows or calls than tweaks.
        """
        if self._number >= MAX_HASHES or len(operands[0]) > MAX_ROWS:
            raise InputError("a batch is too large for its tweaks: garble it in several batches")
        base = self._number << 40 | self._position << 64
        self._number += 1
        size = len(operands[0])
        digests: list[list[int]] = [[] for _ in operands]
        for number, span in key_spans(self._keys.take(size), size):
            permutation = self._permutation(number)
            tweaks = b"".join((base + row).to_bytes(LABEL_BYTES, "little") for row in range(size)[span])
            for digest, operand in zip(digests, operands, strict=True):
                inner = permutation.apply(b"".join(label.to_bytes(LABEL_BYTES, "little") for label in operand[span]))
                digest.extend(to_labels(_xor(permutation.apply(_xor(inner, tweaks)), inner)))
        return digests

    def _permutation(self, number: int) -> Permutation:
        if number not in self._permutations:
            self._permutations[number] = Permutation(self._keys.key(number))
        return self._permutations[number]


def garble(
    circuit: Circuit, zero_labels: LabelRows, delta: int, label_hash: LabelHash
) -> tuple[list[TableStage], LabelRows]:
    """Garbles a chunk whose input labels are given.

    For an AND with zero labels A, B and permute bits p_a, p_b (their lowest bits):

    1. generator half: T_G = H(A) ^ H(A ^ Delta) ^ p_b Delta,  W_G = H(A) ^ p_a T_G
    2. evaluator half: T_E = H(B) ^ H(B ^ Delta) ^ A,          W_E = H(B) ^ p_b (T_E ^ A)
    3. the output's zero label is W_G ^ W_E; T_G and T_E are sent.

    With G ANDs in a stage and n instances, the labels A have rows 0 to G n - 1, the labels B those after. Of products
    of inputs, whose B is the evaluator's and has p_b = 0, only step 2 is left, and the labels B have rows from 0 on.

    Args:
        circuit: what to garble.
        zero_labels: a row of zero labels per input wire, the garbler's wires first; the lowest bits of the evaluator's
            are 0 where a product takes them.
        delta: the global offset.
        label_hash: the batch's hash.

    Returns:
        the tables of each stage after the first; the zero labels of the output wires.

    Raises:
        InputError: a product takes a zero label whose lowest bit is 1.
    """
    wires: list[list[int]] = [*zero_labels, *([] for _ in circuit.gates)]
    tables: list[TableStage] = []
    for number, stage in enumerate(circuit.stages):
        if number:
            make = _garble_products if stage.products else _garble_ands
            halves, outputs = make(*_operands(circuit, wires, stage), delta, label_hash)
            _place(wires, stage.ands, outputs)
            tables.append(halves)
        _free_gates(circuit, wires, stage.free, delta)
    return tables, [wires[wire] for wire in circuit.outputs]


def _garble_ands(
    left: Sequence[int], right: Sequence[int], delta: int, label_hash: LabelHash
) -> tuple[TableStage, list[int]]:
    """The halves of a stage, and its zero labels."""
    generator: list[int] = []
    evaluator: list[int] = []
    outputs: list[int] = []
    plain, shifted = label_hash.digest([*left, *right], [label ^ delta for label in (*left, *right)])
    half = len(left)
    hashes = zip(plain[:half], shifted[:half], plain[half:], shifted[half:], strict=True)
    for a, b, (h_a0, h_a1, h_b0, h_b1) in zip(left, right, hashes, strict=True):
        # 1.
        generator_row = h_a0 ^ h_a1 ^ (delta if b & 1 else 0)
        generator_zero = h_a0 ^ (generator_row if a & 1 else 0)
        # 2.
        evaluator_row = h_b0 ^ h_b1 ^ a
        evaluator_zero = h_b0 ^ (evaluator_row ^ a if b & 1 else 0)
        # 3.
        outputs.append(generator_zero ^ evaluator_zero)
        generator.append(generator_row)
        evaluator.append(evaluator_row)
    return (generator, evaluator), outputs


def _garble_products(
    left: Sequence[int], right: Sequence[int], delta: int, label_hash: LabelHash
) -> tuple[TableStage, list[int]]:
    """The same for products of inputs."""
    if any(label & 1 for label in right):
        raise InputError("an evaluator's zero label ends in 1: make its lowest bit that of the input")
    plain, shifted = label_hash.digest(right, [label ^ delta for label in right])
    # 2.
    evaluator = [h_b0 ^ h_b1 ^ a for a, h_b0, h_b1 in zip(left, plain, shifted, strict=True)]
    return ([], evaluator), plain


def evaluate(
    circuit: Circuit, active_labels: LabelRows, tables: Sequence[TableStage], label_hash: LabelHash
) -> LabelRows:
    """The active labels of the outputs, from one active label per input wire and instance.

    For an AND with active labels A, B and their lowest bits s_a, s_b: H(A) ^ s_a T_G ^ H(B) ^ s_b (T_E ^ A); for a
    product of inputs H(B) ^ s_b (T_E ^ A).
    """
    wires: list[list[int]] = [*active_labels, *([] for _ in circuit.gates)]
    for number, stage in enumerate(circuit.stages):
        if number:
            run = _evaluate_products if stage.products else _evaluate_ands
            outputs = run(*_operands(circuit, wires, stage), tables[number - 1], label_hash)
            _place(wires, stage.ands, outputs)
        # The active label of an inverted wire is the wire's own: its meaning changes, not the label.
        _free_gates(circuit, wires, stage.free, offset=0)
    return [wires[wire] for wire in circuit.outputs]


def _evaluate_ands(left: Sequence[int], right: Sequence[int], halves: TableStage, label_hash: LabelHash) -> list[int]:
    (hashes,) = label_hash.digest([*left, *right])
    half = len(left)
    outputs: list[int] = []
    for a, b, h_a, h_b, generator, evaluator in zip(left, right, hashes[:half], hashes[half:], *halves, strict=True):
        label = h_a ^ h_b
        if a & 1:
            label ^= generator
        if b & 1:
            label ^= evaluator ^ a
        outputs.append(label)
    return outputs


def _evaluate_products(
    left: Sequence[int], right: Sequence[int], halves: TableStage, label_hash: LabelHash
) -> list[int]:
    (hashes,) = label_hash.digest(right)
    labels = zip(left, right, hashes, halves[1], strict=True)
    return [h_b ^ row ^ a if b & 1 else h_b for a, b, h_b, row in labels]


def _operands(circuit: Circuit, wires: LabelRows, stage: CircuitStage) -> tuple[list[int], list[int]]:
    left, right = circuit.operands(stage)
    return [label for wire in left for label in wires[wire]], [label for wire in right for label in wires[wire]]


def _place(wires: LabelRows, ands: Sequence[int], outputs: Sequence[int]) -> None:
    instances = len(outputs) // len(ands)
    for index, wire in enumerate(ands):
        wires[wire] = list(outputs[index * instances : (index + 1) * instances])


def _free_gates(circuit: Circuit, wires: LabelRows, free: Sequence[int], offset: int) -> None:
    for wire in free:
        operation, left, right = circuit.gate(wire)
        if operation is Operation.XOR:
            wires[wire] = [a ^ b for a, b in zip(wires[left], wires[right], strict=True)]
        else:
            wires[wire] = [a ^ offset for a in wires[left]]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(len(left), "little")
