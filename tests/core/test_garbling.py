"""Half-gates against evaluation in the clear, a second derivation from the paper, and single AES blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.circuits.builder import Circuit, Gate, Operation, evaluate
from capc.circuits.vote import vote_circuit
from capc.garbling import Garbling, LabelHash, garble
from capc.garbling import evaluate as evaluate_garbled
from support.builders import circuits
from support.oracles import aes_block

LABELS = st.integers(0, (1 << 128) - 1)
KEYS = st.binary(min_size=16, max_size=16)


def hash_by_hand(key: bytes, label: int, tweak: int) -> int:
    inner = int.from_bytes(aes_block(key, label.to_bytes(16, "little")), "little")
    outer = aes_block(key, (inner ^ tweak).to_bytes(16, "little"))
    return int.from_bytes(outer, "little") ^ inner


@given(KEYS, st.lists(st.tuples(LABELS, st.integers(0, 1 << 40)), min_size=1, max_size=4))
def test_hash_is_two_calls_of_aes(key: bytes, entries: list[tuple[int, int]]) -> None:
    labels, tweaks = [a for a, _ in entries], [b for _, b in entries]
    label_hash = LabelHash(key)
    for _ in range(2):
        assert label_hash.digest(labels, tweaks) == [hash_by_hand(key, a, b) for a, b in entries]


@st.composite
def garblings(draw: st.DrawFn) -> tuple[Circuit, list[int], int, bytes, int]:
    circuit = draw(circuits())
    zeros = draw(st.lists(LABELS, min_size=circuit.inputs, max_size=circuit.inputs))
    return circuit, zeros, draw(LABELS) | 1, draw(KEYS), draw(st.integers(0, 1 << 30))


def bits_for(circuit: Circuit, number: int) -> list[int]:
    return [number >> position & 1 for position in range(circuit.inputs)]


@pytest.mark.req("CAPC-GC-001")
@given(garblings(), st.integers(0, 255))
def test_every_output_is_the_label_of_the_clear_bit(
    garbling: tuple[Circuit, list[int], int, bytes, int], number: int
) -> None:
    circuit, zeros, delta, key, first = garbling
    garbled = garble(circuit, zeros, delta, LabelHash(key), first)
    bits = bits_for(circuit, number)
    active = [zero ^ bit * delta for zero, bit in zip(zeros, bits, strict=True)]
    outputs = evaluate_garbled(circuit, active, garbled.tables, LabelHash(key), first)
    clear = evaluate(circuit, bits[: circuit.garbler_inputs], bits[circuit.garbler_inputs :])
    assert outputs == [z ^ bit * delta for z, bit in zip(garbled.output_zero_labels, clear, strict=True)]
    assert [(a ^ z) & 1 for a, z in zip(outputs, garbled.output_zero_labels, strict=True)] == clear
    assert len(garbled.tables) == 2 * circuit.and_count


def half_gates(
    circuit: Circuit, zeros: Sequence[int], delta: int, key: bytes, first: int
) -> tuple[list[int], list[int]]:
    """Figure 2 of the paper, written with its p and W: a second derivation with the hash by hand."""
    wire_zero = list(zeros)
    tables: list[int] = []
    for operation, i, j in circuit.gates:
        if operation is Operation.XOR:
            wire_zero.append(wire_zero[i] ^ wire_zero[j])
            continue
        if operation is Operation.INV:
            wire_zero.append(wire_zero[i] ^ delta)
            continue
        index = 2 * (first + len(tables) // 2)
        p_a, p_b = wire_zero[i] % 2, wire_zero[j] % 2
        a = [wire_zero[i], wire_zero[i] ^ delta]
        b = [wire_zero[j], wire_zero[j] ^ delta]
        generator = hash_by_hand(key, a[0], index) ^ hash_by_hand(key, a[1], index) ^ p_b * delta
        evaluator = hash_by_hand(key, b[0], index + 1) ^ hash_by_hand(key, b[1], index + 1) ^ a[0]
        # The half gates' zero labels as their evaluators would compute them on permuted bit 0.
        w_generator = hash_by_hand(key, a[p_a], index) ^ (p_a * p_b) * delta
        w_evaluator = hash_by_hand(key, b[p_b], index + 1)
        wire_zero.append(w_generator ^ w_evaluator)
        tables += [generator, evaluator]
    return tables, [wire_zero[wire] for wire in circuit.outputs]


@pytest.mark.req("CAPC-GC-002")
@given(garblings())
def test_garbling_is_half_gates(garbling: tuple[Circuit, list[int], int, bytes, int]) -> None:
    circuit, zeros, delta, key, first = garbling
    tables, outputs = half_gates(circuit, zeros, delta, key, first)
    garbled = garble(circuit, zeros, delta, LabelHash(key), first)
    assert (list(garbled.tables), list(garbled.output_zero_labels)) == (tables, outputs)


@given(LABELS, LABELS, LABELS, KEYS)
def test_one_and_gate_for_all_permute_bits_and_inputs(a: int, b: int, delta: int, key: bytes) -> None:
    delta |= 1
    circuit = Circuit("and", 1, 1, (Gate(Operation.AND, 0, 1),), (2,))
    for permute in range(4):
        zeros = [a & ~1 | permute & 1, b & ~1 | permute >> 1]
        garbled = garble(circuit, zeros, delta, LabelHash(key), 0)
        (zero,) = garbled.output_zero_labels
        for x in (0, 1):
            for y in (0, 1):
                active = [zeros[0] ^ x * delta, zeros[1] ^ y * delta]
                assert evaluate_garbled(circuit, active, garbled.tables, LabelHash(key), 0) == [zero ^ (x & y) * delta]


class RecordingHash(LabelHash):
    """Keeps all (label, tweak) pairs."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.calls: list[tuple[int, int]] = []

    def digest(self, labels: Sequence[int], tweaks: Sequence[int]) -> list[int]:
        self.calls += zip(labels, tweaks, strict=True)
        return super().digest(labels, tweaks)


@pytest.mark.req("CAPC-GC-003")
@given(st.integers(1, 4), st.integers(0, 1 << 20))
def test_no_tweak_occurs_twice_within_a_batch(instances: int, base: int) -> None:
    """Garbling hashes the two labels of a wire under one tweak, evaluation one of them; no gate shares a tweak."""
    circuit = vote_circuit(2, 4, 3)
    ands = circuit.and_count
    garbling, evaluating = RecordingHash(bytes(16)), RecordingHash(bytes(16))
    for instance in range(instances):
        zeros = [(base + instance * 1000 + i) * 0x9E3779B97F4A7C15 % (1 << 128) for i in range(circuit.inputs)]
        garbled = garble(circuit, zeros, 0xABCDEF1, garbling, instance * ands)
        evaluate_garbled(circuit, zeros, garbled.tables, evaluating, instance * ands)
    expected = range(2 * ands * instances)
    assert Counter(tweak for _, tweak in garbling.calls) == dict.fromkeys(expected, 2)
    assert Counter(tweak for _, tweak in evaluating.calls) == dict.fromkeys(expected, 1)
    assert set(evaluating.calls) <= set(garbling.calls)


@pytest.mark.req("CAPC-GC-001")
@given(garblings(), garblings(), st.integers(0, 255))
def test_decoded_outputs_do_not_depend_on_label_randomness(
    one: tuple[Circuit, list[int], int, bytes, int], two: tuple[Circuit, list[int], int, bytes, int], number: int
) -> None:
    circuit = one[0]
    bits = bits_for(circuit, number)
    decoded = []
    for _, drawn, delta, key, first in (one, two):
        zeros = [drawn[i % len(drawn)] ^ i << 64 for i in range(circuit.inputs)]
        garbled = garble(circuit, zeros, delta, LabelHash(key), first)
        active = [zero ^ bit * delta for zero, bit in zip(zeros, bits, strict=True)]
        outputs = evaluate_garbled(circuit, active, garbled.tables, LabelHash(key), first)
        decoded.append([(a ^ z) & 1 for a, z in zip(outputs, garbled.output_zero_labels, strict=True)])
    assert decoded[0] == decoded[1]


@pytest.mark.req("CAPC-ROLE-013")
def test_a_garbling_shows_nothing() -> None:
    assert repr(Garbling((1,), (2,))) == "<Garbling>"
