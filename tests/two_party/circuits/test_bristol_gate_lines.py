"""A line of a gate says how many wires go in and come out: any other pair of numbers is refused, with its line."""

from __future__ import annotations

import pytest

from capc.foundation.errors import InputError
from capc.two_party.circuits.bristol import from_bristol, to_bristol
from capc.two_party.circuits.release import release_circuit

LINES = to_bristol(release_circuit(3, 2)).splitlines()


@pytest.mark.req("CAPC-ARG-012")
@pytest.mark.parametrize("operation", ["XOR", "AND", "INV"])
@pytest.mark.parametrize("changed", [0, 1, 2], ids=["inputs", "outputs", "both"])
def test_a_gate_with_other_counts_of_wires_is_refused(operation: str, changed: int) -> None:
    """The first such gate and the last one; all other lines stay as they are."""
    numbers = [number for number, line in enumerate(LINES) if line.endswith(f" {operation}")]
    assert len(numbers) > 1
    for number in (numbers[0], numbers[-1]):
        arity, outputs, *rest = LINES[number].split()
        for by in (-1, 1):
            counts = int(arity) + by * (changed != 1), int(outputs) + by * (changed != 0)
            lines = [*LINES[:number], " ".join([*map(str, counts), *rest]), *LINES[number + 1 :]]
            with pytest.raises(InputError, match=rf"file, line {number + 1}: {operation} needs '{arity} 1'"):
                from_bristol("\n".join(lines), "file", garbler_words=3)


@pytest.mark.req("CAPC-ARG-012")
@pytest.mark.parametrize(("bits", "taken"), [(64, True), (65, False)])
def test_words_of_64_bits_are_the_widest(bits: int, taken: bool) -> None:
    text = f"1 {2 * bits + 1}\n2 {bits} {bits}\n1 1\n\n2 1 0 {bits} {2 * bits} AND\n"
    if taken:
        assert from_bristol(text, "file", garbler_words=1).input_bits == bits
    else:
        with pytest.raises(InputError, match=r"line 2: input values need one width of at most 64 bits, not \[65, 65\]"):
            from_bristol(text, "file", garbler_words=1)
