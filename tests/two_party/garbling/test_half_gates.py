"""Half-gates against evaluation in the clear, a second derivation from the paper, and single AES blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.circuits.builder import Circuit, Gate, Operation, Sharing
from capc.two_party.garbling.half_gates import LabelHash, garble
from capc.two_party.garbling.half_gates import evaluate as evaluate_garbled
from capc.two_party.garbling.output_sharing import (
    project_by_evaluator,
    project_by_garbler,
    share_by_evaluator,
    share_by_garbler,
)
from support.computations import circuits
from support.hashing import hash_of, key_of
from support.oracles import evaluate_many

LABELS = st.integers(0, (1 << 128) - 1)
KEYS = st.binary(min_size=16, max_size=16)
POSITIONS = st.integers(0, (1 << 64) - 1)
Rows = list[list[int]]
Garbled = tuple[Circuit, list[list[int]], int, bytes, int]


def hash_by_hand(hash_key: bytes, label: int, tweak: int) -> int:
    """Under the first key of the first chunk."""
    return hash_of(key_of(hash_key, 0, 0), label, tweak)


@pytest.mark.req("CAPC-GC-003")
@given(KEYS, POSITIONS, st.lists(st.lists(LABELS, min_size=1, max_size=3), min_size=1, max_size=4), st.booleans())
def test_hash_is_two_calls_of_aes_under_tweaks_that_count(
    key: bytes, nonce: int, calls: list[list[int]], twice: bool
) -> None:
    label_hash = LabelHash(key, nonce)
    for number, labels in enumerate(calls):
        expected = [hash_by_hand(key, x, row + (number << 40) + (nonce << 64)) for row, x in enumerate(labels)]
        operands = [labels, labels] if twice else [labels]
        assert label_hash.digest(*operands) == [expected] * len(operands)


@st.composite
def garblings(draw: st.DrawFn) -> Garbled:
    circuit = draw(circuits(shared=False, small=True))
    instances = draw(st.integers(1, 3))
    row = st.lists(LABELS, min_size=instances, max_size=instances)
    zeros = draw(st.lists(row, min_size=circuit.inputs, max_size=circuit.inputs))
    return circuit, colours_chosen(circuit, zeros), draw(LABELS) | 1, draw(KEYS), draw(POSITIONS)


def colours_chosen(circuit: Circuit, zeros: list[list[int]]) -> list[list[int]]:
    """The same with lowest bits of 0 in the evaluator's zero labels."""
    own = circuit.garbler_inputs
    return zeros[:own] + [[label & ~1 for label in row] for row in zeros[own:]]


def clear_outputs(circuit: Circuit, bits: list[int]) -> list[int]:
    """The outputs of the circuit on bits of all input wires, by another evaluator."""
    sides = np.split(np.array([bits], np.uint8), [circuit.garbler_inputs], axis=1)
    return evaluate_many(circuit, *sides)[0].tolist()


def wires_for(circuit: Circuit, number: int) -> list[int]:
    return [number >> wire & 1 for wire in range(circuit.inputs)]


def evaluated(circuit: Circuit, rows: Rows, bits: Rows, delta: int, key: bytes, nonce: int) -> tuple[Rows, Rows]:
    """The zero labels of the outputs, and the labels that evaluation finds for these bits of each instance."""
    tables, outputs = garble(circuit, rows, delta, LabelHash(key, nonce))
    active = [[zero ^ bits[i][wire] * delta for i, zero in enumerate(row)] for wire, row in enumerate(rows)]
    return tables, outputs, evaluate_garbled(circuit, active, tables, LabelHash(key, nonce))


NUMBERS = st.lists(st.integers(0, (1 << 18) - 1), min_size=3, max_size=3)


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-001")
@given(garblings(), NUMBERS)
def test_every_output_is_the_label_of_the_clear_bit(garbling: Garbled, numbers: list[int]) -> None:
    circuit, zeros, delta, key, nonce = garbling
    instances = len(zeros[0])
    bits = [wires_for(circuit, number) for number in numbers[:instances]]
    tables, outputs, labels = evaluated(circuit, zeros, bits, delta, key, nonce)
    for i, row in enumerate(bits):
        pairs = zip(outputs, clear_outputs(circuit, row), strict=True)
        assert [found[i] for found in labels] == [zeros[i] ^ bit * delta for zeros, bit in pairs]
    products = sum(is_product(circuit, gate) for gate in circuit.gates)
    assert circuit.table_rows == 2 * circuit.and_count - products
    assert sum(len(half) for stage in tables for half in stage) == circuit.table_rows * instances


def is_product(circuit: Circuit, gate: Gate) -> bool:
    """An AND of two inputs, one of each party."""
    first, second = sorted(gate[1:])
    between = circuit.garbler_words * circuit.input_bits
    return gate.operation is Operation.AND and first < between <= second < circuit.inputs


def depth_of(circuit: Circuit) -> list[int]:
    depth = [0] * circuit.inputs
    for operation, i, j in circuit.gates:
        depth.append(max(depth[i], depth[j]) + (1 if operation is Operation.AND else 0))
    return depth


def half_gates(
    circuit: Circuit, zeros: Sequence[Sequence[int]], delta: int, key: bytes, nonce: int
) -> tuple[dict[int, list[tuple[int, int]]], list[list[int]]]:
    """Figure 2 of the paper, gate by gate and written with its p and W: a second derivation with the hash by hand."""
    depth, instances = depth_of(circuit), len(zeros[0])
    ands = {circuit.inputs + g: gate for g, gate in enumerate(circuit.gates) if gate.operation is Operation.AND}
    products = {wire for wire, gate in ands.items() if is_product(circuit, gate)}
    mixed = bool(products) and any(depth[wire] == 1 and wire not in products for wire in ands)
    wire_zero: list[list[int]] = [list(row) for row in zeros]
    tables: dict[int, list[tuple[int, int]]] = {}
    for g, (operation, i, j) in enumerate(circuit.gates):
        wire = circuit.inputs + g
        if operation is not Operation.AND:
            other = wire_zero[j] if operation is Operation.XOR else [delta] * instances
            wire_zero.append([a ^ b for a, b in zip(wire_zero[i], other, strict=True)])
            continue
        own = wire in products
        peers = [other for other in ands if depth[other] == depth[wire] and (other in products) is own]
        rank, size = peers.index(wire), len(peers)
        base = (depth[wire] - 1 + (mixed and not own) << 40) + (nonce << 64)
        first, second = (min(i, j), max(i, j)) if own else (i, j)
        tables[wire], out = [], []
        for n in range(instances):
            left, right = base + rank * instances + n, base + (size + rank) * instances + n
            a = [wire_zero[first][n], wire_zero[first][n] ^ delta]
            b = [wire_zero[second][n], wire_zero[second][n] ^ delta]
            p_a, p_b = a[0] % 2, b[0] % 2
            generator = hash_by_hand(key, a[0], left) ^ hash_by_hand(key, a[1], left) ^ p_b * delta
            if own:
                right = left
            evaluator = hash_by_hand(key, b[0], right) ^ hash_by_hand(key, b[1], right) ^ a[0]
            if own:
                out.append(hash_by_hand(key, b[0], right))
                tables[wire].append((0, evaluator))
                continue
            # The half gates' zero labels as their evaluators would compute them on permuted bit 0.
            w_generator = hash_by_hand(key, a[p_a], left) ^ (p_a * p_b) * delta
            w_evaluator = hash_by_hand(key, b[p_b], right)
            out.append(w_generator ^ w_evaluator)
            tables[wire].append((generator, evaluator))
        wire_zero.append(out)
    return tables, [wire_zero[wire] for wire in circuit.outputs]


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-002")
@given(garblings())
def test_garbling_is_half_gates(garbling: Garbled) -> None:
    circuit, zeros, delta, key, nonce = garbling
    expected, outputs = half_gates(circuit, zeros, delta, key, nonce)
    tables, labels = garble(circuit, zeros, delta, LabelHash(key, nonce))
    assert labels == outputs
    found = []
    for stage, (generator, evaluator) in zip(circuit.stages[1:], tables, strict=True):
        wanted = [pair for wire in stage.ands for pair in expected[wire]]
        sent = [0] * len(evaluator) if stage.products else generator
        assert list(zip(sent, evaluator, strict=True)) == wanted
        assert not stage.products or not generator
        found += stage.ands
    assert sorted(found) == sorted(expected)


@given(LABELS, LABELS, LABELS, KEYS)
def test_one_and_gate_for_all_permute_bits_and_inputs(a: int, b: int, delta: int, key: bytes) -> None:
    delta |= 1
    circuit = Circuit("and", 1, 2, 0, (Gate(Operation.AND, 0, 1),), (2,))
    for p, q, x, y in product((0, 1), repeat=4):
        _, ((zero,),), labels = evaluated(circuit, [[a & ~1 | p], [b & ~1 | q]], [[x, y]], delta, key, 0)
        assert labels == [[zero ^ (x & y) * delta]]


@pytest.mark.req("CAPC-GC-010")
@given(LABELS, LABELS, LABELS, KEYS, st.booleans())
def test_one_product_of_inputs_for_all_permute_bits_and_inputs(
    a: int, b: int, delta: int, key: bytes, swapped: bool
) -> None:
    """One row; and a zero label of the evaluator that ends in 1 is refused."""
    delta |= 1
    gate = Gate(Operation.AND, 1, 0) if swapped else Gate(Operation.AND, 0, 1)
    circuit = Circuit("product", 1, 1, 1, (gate,), (2,))
    for p, x, y in product((0, 1), repeat=3):
        tables, ((zero,),), labels = evaluated(circuit, [[a & ~1 | p], [b & ~1]], [[x, y]], delta, key, 0)
        assert [[len(half) for half in stage] for stage in tables] == [[0, 1]]
        assert labels == [[zero ^ (x & y) * delta]]
    with pytest.raises(InputError, match="make its lowest bit that of the input"):
        garble(circuit, [[a], [b | 1]], delta, LabelHash(key, 0))


class RecordingHash(LabelHash):
    """Keeps all (label, tweak) pairs."""

    def __init__(self, key: bytes, nonce: int) -> None:
        super().__init__(key, nonce)
        self.calls: list[tuple[int, int]] = []

    def digest(self, *operands: Sequence[int]) -> list[list[int]]:
        base = self._number << 40 | self.nonce << 64
        self.calls += [(label, base + row) for operand in operands for row, label in enumerate(operand)]
        return super().digest(*operands)


@pytest.mark.req("CAPC-GC-003")
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 1 << 20))
def test_no_tweak_occurs_twice_within_a_batch(instances: int, chunks: int, base: int) -> None:
    """Garbling hashes the two labels of a wire under one tweak, evaluation one of them; nothing else shares a tweak."""
    circuit = vote_circuit(2, 4, 3)
    sharing = circuit.sharing
    garbling, evaluating = RecordingHash(bytes(16), 3), RecordingHash(bytes(16), 3)
    for chunk in range(chunks):
        zeros = [
            [(base + chunk * 10**6 + n * 1000 + i) * 0x9E3779B97F4A7C15 % (1 << 128) for n in range(instances)]
            for i in range(circuit.inputs)
        ]
        zeros = colours_chosen(circuit, zeros)
        tables, outputs = garble(circuit, zeros, 0xABCDEF1, garbling)
        rows, _ = share_by_garbler(sharing, outputs, 0xABCDEF1, garbling)
        share_by_evaluator(sharing, evaluate_garbled(circuit, zeros, tables, evaluating), rows, evaluating)
    twice, once = Counter(t for _, t in garbling.calls), Counter(t for _, t in evaluating.calls)
    hashed = chunks * instances * (circuit.table_rows + len(circuit.outputs))
    assert set(twice.values()) == {2}
    assert set(once.values()) == {1}
    assert len(twice) == len(once) == hashed
    assert set(evaluating.calls) <= set(garbling.calls)


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-001")
@given(garblings(), garblings(), NUMBERS)
def test_decoded_outputs_do_not_depend_on_label_randomness(one: Garbled, two: Garbled, numbers: list[int]) -> None:
    circuit = one[0]
    bits = wires_for(circuit, numbers[0])
    decoded = []
    for _, drawn, delta, key, nonce in (one, two):
        zeros = [drawn[i % len(drawn)][:1] for i in range(circuit.inputs)]
        zeros = colours_chosen(circuit, [[row[0] ^ i << 64] for i, row in enumerate(zeros)])
        _, outputs, labels = evaluated(circuit, zeros, [bits], delta, key, nonce)
        decoded.append([(a[0] ^ z[0]) & 1 for a, z in zip(labels, outputs, strict=True)])
    assert decoded[0] == decoded[1]


@pytest.mark.req("CAPC-GC-006")
@given(st.data(), st.integers(1, 64), KEYS, POSITIONS, LABELS)
def test_shares_of_a_word_sum_to_it(data: st.DataObject, width: int, key: bytes, nonce: int, delta: int) -> None:
    """And each party's row is what the specification's formula says, with the hash by hand."""
    delta |= 1
    sharing = Sharing(data.draw(st.integers(1, min(width, 5))), width)
    words, instances = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 3))
    wires = words * sharing.word_bits
    row = st.lists(LABELS, min_size=instances, max_size=instances)
    zeros = data.draw(st.lists(row, min_size=wires, max_size=wires))
    bit_row = st.lists(st.integers(0, 1), min_size=instances, max_size=instances)
    bits = data.draw(st.lists(bit_row, min_size=wires, max_size=wires))
    active = [[z ^ b * delta for z, b in zip(*pair, strict=True)] for pair in zip(zeros, bits, strict=True)]
    rows, mine = share_by_garbler(sharing, zeros, delta, LabelHash(key, nonce))
    theirs = share_by_evaluator(sharing, active, rows, LabelHash(key, nonce))
    for n in range(instances):
        for word in range(words):
            span = range(word * sharing.word_bits, (word + 1) * sharing.word_bits)
            value = sum(bits[wire][n] << i for i, wire in enumerate(span))
            assert (mine[n][word] + theirs[n][word]) % 2**width == value
    for wire in range(wires):
        for n in range(instances):
            modulus = 1 << (width - wire % sharing.word_bits)
            tweak = wire * instances + n + (nonce << 64)
            with_zero = zeros[wire][n] ^ (zeros[wire][n] & 1) * delta
            h_0, h_1 = (hash_by_hand(key, label, tweak) for label in (with_zero, with_zero ^ delta))
            assert rows[wire][n] == (h_0 - h_1 + 1 - 2 * (zeros[wire][n] & 1)) % modulus


@pytest.mark.req("CAPC-ROUND-010")
@given(st.data(), st.integers(1, 59), KEYS, POSITIONS, LABELS | st.sampled_from([0, 2]))
def test_labels_with_numbers_share_weights_under_any_offset(
    data: st.DataObject, width: int, key: bytes, nonce: int, delta: int
) -> None:
    """Rows and shares by the specification's formula, with the hash by hand; no lowest bit of a label counts."""
    instances = data.draw(st.integers(1, 3))

    def wire(values: st.SearchStrategy[int]) -> list[list[int]]:
        return data.draw(st.lists(st.lists(values, min_size=instances, max_size=instances), min_size=2, max_size=2))

    zeros, stands, numbers = wire(LABELS), wire(st.integers(0, 1)), wire(st.integers(0, 1))
    weights = wire(st.integers(0, 2**width - 1))
    held = [[q ^ u * delta for q, u in zip(*pair, strict=True)] for pair in zip(zeros, numbers, strict=True)]
    rows, mine = project_by_garbler(Sharing(1, width), zeros, stands, delta, LabelHash(key, nonce), weights)
    theirs = project_by_evaluator(Sharing(1, width), held, numbers, rows, LabelHash(key, nonce))
    for n, i in product(range(2), range(instances)):
        tweak = n * instances + i + (nonce << 64)
        h_0, h_1 = (hash_by_hand(key, label, tweak) for label in (zeros[n][i], zeros[n][i] ^ delta))
        assert rows[n][i] == (h_0 - h_1 + (1 - 2 * stands[n][i]) * weights[n][i]) % 2**width
        assert mine[i][n] == (stands[n][i] * weights[n][i] - h_0) % 2**width
        bit = numbers[n][i] ^ stands[n][i]
        assert (mine[i][n] + theirs[i][n]) % 2**width == bit * weights[n][i]


@pytest.mark.req("CAPC-GC-006")
def test_a_share_is_the_hash_of_the_label_that_is_held() -> None:
    """For 4,096 labels and either value of the wire, the evaluator's 4-bit shares are uniform."""
    sharing = Sharing(1, 4)
    counts = []
    for bit in (0, 1):
        zeros = [[(number << 8) * 0x9E3779B97F4A7C15 % (1 << 127) for number in range(1, 4097)]]
        rows, _ = share_by_garbler(sharing, zeros, 0x1234567, LabelHash(bytes(16), 0))
        active = [[zero ^ bit * 0x1234567 for zero in zeros[0]]]
        shares = share_by_evaluator(sharing, active, rows, LabelHash(bytes(16), 0))
        counts.append(Counter(share for (share,) in shares))
    for count in counts:
        # 4096 shares in 16 cells: chi-square with 15 degrees of freedom exceeds 50 with probability 1e-5.
        assert sum((count[cell] - 256) ** 2 / 256 for cell in range(16)) < 50
