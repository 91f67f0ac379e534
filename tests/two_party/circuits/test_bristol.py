"""Circuits as Bristol Fashion text: what is exported computes the same elsewhere, and comes back unchanged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.bristol import from_bristol, to_bristol
from capc.two_party.circuits.builder import Circuit, Sharing, evaluate
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.circuits.relu import relu_circuit
from support.computations import circuits
from support.sizes import examples

PROTOCOL = (
    vote_circuit(10, 37, 16),
    vote_circuit_low_depth(10, 37, 16),
    relu_circuit(37, 12),
    relu_circuit(37, 12, 4),
    relu_circuit(37, 15, 4, 15),
    release_circuit(10, 16),
    single_draw_release_circuit(10, 16),
    confident_release_circuit(10, 16, evaluator_noise=False),
    confident_release_circuit(10, 16, evaluator_noise=True),
)


def evaluate_text(text: str, values: list[int]) -> list[int]:
    """Output values from input values: a second reading of the format, with one integer per wire."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    (_, wire_count), (_, *input_bits), (_, *output_bits) = ([int(field) for field in line] for line in lines[:3])
    wires = [bit for value, width in zip(values, input_bits, strict=True) for bit in reversed(f"{value:0{width}b}")]
    state: dict[str, str] = {str(number): bit for number, bit in enumerate(wires)}
    for fields in lines[3:]:
        *sources, out, operation = fields[2:]
        ones = sum(state[wire] == "1" for wire in sources)
        state[out] = str(int({"XOR": ones == 1, "AND": ones == 2, "INV": ones == 0, "EQW": ones == 1}[operation]))
    assert len(state) == int(wire_count)
    bits = [state[str(number)] for number in range(int(wire_count) - sum(output_bits), int(wire_count))]
    return [int("".join(bits[sum(output_bits[:i]) :][:width][::-1]), 2) for i, width in enumerate(output_bits)]


def read_again(circuit: Circuit) -> Circuit:
    width = None if circuit.sharing is None else circuit.sharing.width
    return from_bristol(to_bristol(circuit), circuit.name, circuit.garbler_words, width)


@st.composite
def shared_or_not(draw: st.DrawFn) -> Circuit:
    """Any circuit, also with outputs that are inputs or occur twice, shared in words or not."""
    circuit = draw(circuits(shared=False, small=True))
    sizes = [size for size in range(1, len(circuit.outputs) + 1) if len(circuit.outputs) % size == 0]
    sharing = draw(st.none() | st.sampled_from(sizes).map(lambda size: Sharing(size, 20)))
    return replace(circuit, sharing=sharing)


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-012")
@given(shared_or_not())
def test_any_circuit_comes_back_unchanged(circuit: Circuit) -> None:
    assert read_again(circuit) == circuit


@pytest.mark.req("CAPC-ARG-012")
@pytest.mark.parametrize("circuit", PROTOCOL, ids=lambda circuit: circuit.name)
def test_the_protocols_circuits_come_back_unchanged(circuit: Circuit) -> None:
    assert read_again(circuit) == circuit
    assert "EQW" not in to_bristol(circuit)


@pytest.mark.slow
@given(shared_or_not(), st.data())
def test_exported_text_computes_the_same_for_another_reader(circuit: Circuit, data: st.DataObject) -> None:
    check_text(circuit, data)


@pytest.mark.parametrize("circuit", PROTOCOL, ids=lambda circuit: circuit.name)
@settings(max_examples=examples(ordinary=5, nightly=100))
@given(data=st.data())
def test_exported_circuits_of_the_protocol_compute_the_same(circuit: Circuit, data: st.DataObject) -> None:
    check_text(circuit, data)


def check_text(circuit: Circuit, data: st.DataObject) -> None:
    words = circuit.garbler_words + circuit.evaluator_words
    values = data.draw(st.lists(st.integers(0, (1 << circuit.input_bits) - 1), min_size=words, max_size=words))
    bits = evaluate(circuit, values[: circuit.garbler_words], values[circuit.garbler_words :])
    size = circuit.sharing.word_bits if circuit.sharing else len(bits)
    expected = [sum(bit << i for i, bit in enumerate(bits[at : at + size])) for at in range(0, len(bits), size)]
    assert evaluate_text(to_bristol(circuit), values) == expected


# Files from elsewhere.

HALF_ADDERS = """5 9
2 2 2
1 3

2 1 0 2 6 XOR
2 1 0 2 4 AND
2 1 1 3 5 XOR
2 1 5 4 7 XOR
2 1 5 4 8 AND
"""
"""Two half adders in a row: a + b, right unless both have bit 1 set."""


def test_a_file_written_by_hand_is_read() -> None:
    circuit = from_bristol(HALF_ADDERS, "half_adders", garbler_words=1)
    assert (circuit.garbler_words, circuit.evaluator_words, circuit.and_count) == (1, 1, 2)
    for a, b in ((0, 0), (1, 1), (3, 1), (2, 1), (1, 3)):
        assert evaluate(circuit, [a], [b]) == [(a + b) >> i & 1 for i in range(3)]
    shared = from_bristol(HALF_ADDERS, "half_adders", garbler_words=2, shared_width=8)
    assert shared.sharing == Sharing(3, 8)
    assert (shared.garbler_words, shared.evaluator_words) == (2, 0)


FULL_ADDER = """6 9
3 1 1 1
2 1 1

2 1 0 2 3 XOR
2 1 1 2 4 XOR
2 1 3 4 5 AND
2 1 3 1 7 XOR
1 1 5 6 EQW
2 1 6 2 8 XOR
"""


def test_copies_are_folded_and_gates_keep_their_order() -> None:
    circuit = from_bristol(FULL_ADDER, "full_adder", garbler_words=2)
    assert len(circuit.gates) == 5
    for word in range(8):
        a, b, c = (word >> i & 1 for i in range(3))
        assert evaluate(circuit, [a, b], [c]) == [a ^ b ^ c, int(a + b + c > 1)]


def test_spacing_does_not_matter() -> None:
    loose = "\r\n".join(f"  {line}\t" for line in HALF_ADDERS.splitlines())
    assert from_bristol(loose, "c", 1) == from_bristol(HALF_ADDERS, "c", 1)


@pytest.mark.req("CAPC-ARG-012")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("5 9\n", "5\n", "line 1: the numbers of gates and of wires are 2 numbers, not 1"),
        ("5 9\n", "5 x\n", "line 1: 'x' is no number of at most 9 digits"),
        ("5 9\n", "5 -9\n", "line 1: '-9' is no number"),
        ("5 9\n", f"5 {'9' * 5000}\n", "line 1: '99999999999999999999' is no number"),
        ("5 9\n", "5 ٩\n", "line 1: '٩' is no number"),
        ("5 9\n", "5 10\n", "line 3: 5 gates, 4 inputs and 3 outputs make no 10 wires"),
        ("5 9\n", "6 10\n", "line 9: the text ends after 5 of 6 gates"),
        ("2 2 2\n", "2 2\n", "line 2: 2 input values need as many widths"),
        ("2 2 2\n", "0\n", "line 2: 0 input values need as many widths, at least one"),
        ("2 2 2\n", "2 4 0\n", "line 2: 2 input values need .* none of them 0"),
        ("2 2 2\n", "2 1 3\n", r"line 2: input values need one width of at most 64 bits, not \[1, 3\]"),
        ("2 2 2\n", "1 65\n", r"line 2: input values need one width of at most 64 bits, not \[65\]"),
        ("1 3\n", "2 3\n", "line 3: 2 output values need as many widths"),
        ("1 3\n", "1 30\n", "line 3: 5 gates, 4 inputs and 30 outputs make no 9 wires"),
        ("1 3\n", "2 1 2\n", r"line 3: shared output values need one width, not \[1, 2\]"),
        ("2 1 0 2 4 AND", "4 2 0 1 2 3 4 5 MAND", "line 6: the gate 'MAND' is not supported: use XOR"),
        ("2 1 0 2 4 AND", "1 1 1 4 EQ", "line 6: the gate 'EQ' is not supported"),
        ("2 1 0 2 4 AND", "2 1 0 2 4 OR", "line 6: the gate 'OR' is not supported"),
        ("2 1 0 2 4 AND", "2 1 0 2 4", "line 6: the gate '4' is not supported"),
        ("2 1 0 2 4 AND", "2 1 0 4 AND", "line 6: AND needs '2 1', 2 input wires and an output wire"),
        ("2 1 0 2 4 AND", "1 1 0 2 4 AND", "line 6: AND needs '2 1'"),
        ("2 1 0 2 4 AND", "2 1 0 4 INV", "line 6: INV needs '1 1', 1 input wires"),
        ("2 1 0 2 4 AND", "2 1 0 5 4 AND", "line 6: wire 5 is used before it is set"),
        ("2 1 0 2 4 AND", "2 1 0 2 6 AND", "line 6: wire 6 is set already, or is none of 9"),
        ("2 1 0 2 4 AND", "2 1 0 2 3 AND", "line 6: wire 3 is set already"),
        ("2 1 0 2 4 AND", "2 1 0 2 9 AND", "line 6: wire 9 is set already, or is none of 9"),
        ("2 1 5 4 8 AND\n", "", "line 8: the text ends after 4 of 5 gates"),
    ],
)
def test_malformed_files_are_refused_in_one_line(old: str, new: str, message: str) -> None:
    assert old in HALF_ADDERS
    with pytest.raises(InputError, match=message) as caught:
        from_bristol(HALF_ADDERS.replace(old, new, 1), "file", garbler_words=1, shared_width=8)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_text_that_ends_in_its_header_is_refused(lines: int) -> None:
    with pytest.raises(InputError, match=f"file, line {lines}: the text ends before the"):
        from_bristol("".join(HALF_ADDERS.splitlines(keepends=True)[:lines]), "file", garbler_words=1)


@pytest.mark.parametrize("garbler_words", [-1, 3])
def test_the_garbler_cannot_have_more_values_than_there_are(garbler_words: int) -> None:
    with pytest.raises(InputError, match="the garbler cannot have"):
        from_bristol(HALF_ADDERS, "file", garbler_words)


@given(st.text(st.sampled_from("0123 \nXORANDEQW"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        circuit = from_bristol(HALF_ADDERS[: len(text)] + text, "file", garbler_words=1)
    except InputError as error:
        assert str(error).startswith("file")  # noqa: PT017
    else:
        assert read_again(circuit) == circuit
