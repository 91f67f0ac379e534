"""Transposition, folding, packing, projection rows and plans, against plain Python."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.encoding import elements_to_bytes
from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError
from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.circuits.builder import Circuit, Sharing
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.garbling.payload import output_widths
from capc.two_party.garbling.transfers import ot_extension
from capc.two_party.vectorised import VectorisedTwoParty, extension, plan
from capc.two_party.vectorised.bits import input_words, pack, transpose, unpack, unpack_rows, wire_bits
from capc.two_party.vectorised.labels import WORD, to_label, to_number, to_numbers
from capc.two_party.vectorised.output_sharing import RowCodec
from capc.two_party.vectorised.programs import cut_pieces, runs
from support.computations import circuits, fresh_keys, readable_keys, stream
from support.oracles import evaluate_many
from support.refusals import refused

FAST = VectorisedTwoParty()


@pytest.mark.slow
@given(st.integers(1, 300), st.integers(0, 255))
def test_transposition(words: int, number: int) -> None:
    """Bit j of label i is bit i of column j; across tiles too."""
    data = np.frombuffer(stream(number, "columns").read(128 * words * 8), WORD).reshape(128, words)
    labels = np.empty((64 * words, 2), WORD)
    columns = [int.from_bytes(row.tobytes(), "little") for row in data]
    transpose(data.copy(), labels)
    expected = ot_extension.transpose(columns, 64 * words)
    assert [low | high << 64 for low, high in labels.tolist()] == expected


@pytest.mark.slow
@pytest.mark.req("CAPC-OT-003", "CAPC-OT-004", "CAPC-OT-005")
@given(st.integers(0, 1500), st.integers(0, (1 << 64) - 1))
def test_extension_is_the_readable_one(transfers: int, nonce: int) -> None:
    check_extension(transfers, nonce)


@pytest.mark.slow
@pytest.mark.parametrize("transfers", [extension.SPAN, extension.SPAN + 1, 2 * extension.SPAN + 131])
def test_extension_over_several_spans(transfers: int) -> None:
    check_extension(transfers, 3)


def check_extension(transfers: int, nonce: int) -> None:
    garbler, evaluator = readable_keys()
    garbler_key, evaluator_key = fresh_keys(FAST, FAST)
    bits, labels, message = ot_extension.extend_receive(evaluator, nonce, transfers)
    fast_bits, received, payload = extension.extend_receive(evaluator_key, nonce, transfers)
    assert payload == message.to_bytes()
    assert fast_bits.tolist() == ring.to_bits(bits, transfers)
    assert to_numbers(received.all()[None])[0] == labels[:transfers]
    zeros = extension.extend_send(garbler_key, nonce, transfers, payload)
    assert to_numbers(zeros[None])[0] == ot_extension.extend_send(garbler, nonce, message)[:transfers]


@given(st.lists(st.integers(0, 1), min_size=1, max_size=70))
def test_packing(bits: list[int]) -> None:
    data = pack(np.array(bits, np.uint8))
    assert data == ring.from_bits(bits).to_bytes((len(bits) + 7) // 8, "little")
    assert unpack(data, len(bits)).tolist() == bits
    if len(bits) % 8:
        with refused(ErrorCode.NON_CANONICAL):
            unpack(data[:-1] + bytes([data[-1] | 0x80]), len(bits))
    with refused(ErrorCode.MALFORMED_LENGTH):
        unpack(data + b"\0", len(bits))


@pytest.mark.req("CAPC-WIRE-004")
def test_padding_of_any_row_is_refused() -> None:
    rows = np.zeros((3, 2), np.uint8)
    assert unpack_rows(rows.reshape(-1), 3, 9).tolist() == [[0] * 9] * 3
    for row in range(3):
        rows[:] = 0
        rows[row, 1] = 2
        with pytest.raises(InvalidPayloadError):
            unpack_rows(rows.reshape(-1), 3, 9)


@given(st.integers(1, 64), st.data())
def test_words_to_wires(width: int, data: st.DataObject) -> None:
    """Wire by wire, by instance; from lists and from arrays of any integer type that holds them."""
    circuit = Circuit("any", width, 2, 0, (), (0,))
    word = st.integers(0, (1 << width) - 1)
    inputs = data.draw(st.lists(st.lists(word, min_size=2, max_size=2), min_size=1, max_size=9))
    expected = [row[number] >> bit & 1 for number in range(2) for bit in range(width) for row in inputs]
    assert wire_bits(input_words(circuit, inputs, 2), width).tolist() == expected
    kind = np.uint64 if width == 64 else np.int64
    assert wire_bits(input_words(circuit, np.array(inputs, kind), 2), width).tolist() == expected


@pytest.mark.parametrize(
    "inputs",
    [
        [[1]],
        [[1, 2, 3]],
        [[1, 2], [3]],
        [[1, 16]],
        [[-1, 0]],
        [[1 << 64, 0]],
        [["a", "b"]],
        np.array([[1, 16]]),
        np.array([[-1, 0]]),
        np.array([[1.0, 2.0]]),
        np.array([1, 2]),
    ],
    ids=str,
)
def test_inputs_that_do_not_fit_are_refused_unseen(inputs: list[list[int]]) -> None:
    circuit = Circuit("any", 4, 2, 0, (), (0,))
    with pytest.raises(InputError, match="circuit any takes 2 words of 4 bits per instance"):
        input_words(circuit, inputs, 2)


@pytest.mark.slow
@pytest.mark.req("CAPC-WIRE-004")
@given(st.integers(1, 64), st.integers(1, 3), st.integers(1, 20), st.data())
def test_projection_rows(width: int, words: int, lanes: int, data: st.DataObject) -> None:
    word_bits = data.draw(st.integers(1, width))
    circuit = Circuit("any", 64, 3, 0, (), tuple(range(words * word_bits)), Sharing(word_bits, width))
    widths = output_widths(circuit)
    rows = [[data.draw(st.integers(0, (1 << w) - 1)) for _ in range(lanes)] for w in widths]
    codec = RowCodec(Sharing(word_bits, width), len(widths), lanes)
    target = np.empty(codec.length, np.uint8)
    codec.write(np.array(rows, WORD), target)
    assert target.tobytes() == b"".join(elements_to_bytes(row, w) for row, w in zip(rows, widths, strict=True))
    assert codec.read(target).tolist() == rows
    wire = data.draw(st.integers(0, len(widths) - 1))
    if widths[wire] % 8:
        start = sum((w + 7) // 8 for w in widths[: wire + 1]) * lanes - 1
        target[start] |= 0x80
        with refused(ErrorCode.VALUE_OUT_OF_RANGE):
            codec.read(target)


@given(st.integers(0, (1 << 128) - 1))
def test_labels_hold_numbers(number: int) -> None:
    assert to_number(to_label(number)) == number
    assert to_numbers(to_label(number)[None, None]) == [[number]]


@given(st.sets(st.integers(0, 60)))
def test_runs(places: set[int]) -> None:
    assert list(itertools.chain.from_iterable(runs(sorted(places)))) == sorted(places)


@given(circuits(), st.lists(st.integers(0, 1), min_size=36, max_size=36))
def test_a_plan_computes_the_circuit(circuit: Circuit, bits: list[int]) -> None:
    check_plan(circuit, bits[: circuit.inputs])


@pytest.mark.parametrize("circuit", [vote_circuit(10, 37, 16), relu_circuit(37, 12), relu_circuit(12, 3, 9)], ids=str)
def test_a_plan_computes_large_circuits(circuit: Circuit) -> None:
    check_plan(circuit, ring.to_bits(stream(1, "plan").bits(circuit.inputs), circuit.inputs))


def check_plan(circuit: Circuit, inputs: list[int]) -> None:
    """The plan, run on bits in slots that are poisoned before each stage's outputs are written, gives the outputs."""
    planned = plan.make_plan(circuit)
    slots = [*inputs, *[-1] * (planned.slots - len(inputs))]
    for stage in planned.stages:
        operands = [slots[slot] ^ (place in stage.flipped) for place, slot in enumerate(stage.operands)]
        half = len(operands) // 2
        slots[stage.out : stage.out + half] = [a & b for a, b in zip(operands[:half], operands[half:], strict=True)]
        for group in stage.groups:
            outputs = [slots[a] ^ slots[b] for a, b in zip(group.left, group.right, strict=True)]
            assert set(outputs) <= {0, 1}
            slots[group.out : group.out + len(outputs)] = outputs
            assert not group.inner or all(plan.is_grid(side, group.inner) for side in group[:2])
    outputs = [slots[slot] ^ (place in planned.flipped_outputs) for place, slot in enumerate(planned.outputs)]
    own = np.array([inputs], np.uint8)
    assert [outputs] == evaluate_many(circuit, *np.split(own, [circuit.garbler_inputs], axis=1)).tolist()


@given(circuits(), st.sampled_from([1, 2, 100, 5000]))
def test_pieces_are_all_stages_in_order(circuit: Circuit, lanes: int) -> None:
    planned = plan.make_plan(circuit)
    assert list(itertools.chain.from_iterable(cut_pieces(planned, lanes))) == list(range(1, len(planned.stages)))
