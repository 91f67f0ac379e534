"""Why a hard swish is refused: the cheapest circuit of it that we found is right, and what it costs (docs)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from capc.two_party.circuits.arithmetic import Word, add, mask_with, open_word, select
from capc.two_party.circuits.builder import ONE, ZERO, Builder, Circuit, Sharing, Wire
from capc.two_party.circuits.relu import relu_circuit
from support.oracles import bits_of, evaluate_many, words_of

GUIDE = Path(__file__).parents[3] / "docs" / "bring-your-own-model.md"


def constant(number: int, size: int) -> Word:
    return [ONE if number >> place & 1 else ZERO for place in range(size)]


def extended(word: Word, size: int) -> Word:
    return [*word, *[word[-1]] * (size - len(word))]


def square(builder: Builder, word: Word) -> Word:
    """Of an unsigned word: a_i 2^(2i), and a_i a_j 2^(i+j+1) for i < j, row by row."""
    size = 2 * len(word)
    total = [wire for bit in word for wire in (bit, ZERO)]
    for i, bit in enumerate(word[:-1]):
        row = mask_with(builder, bit, word[i + 1 :])
        first = 2 * i + 2
        upper = add(builder, total[first:], [*row, *[ZERO] * (size - first - len(row))])
        total = [*total[:first], *upper]
    return total


def below(builder: Builder, word: Word, bound: int) -> Wire:
    """Whether a signed word is less than a positive number."""
    size = len(word) + 1
    return add(builder, extended(word, size), constant(-bound % (1 << size), size))[-1]


def hard_swish_circuit(bits: int, fraction: int) -> Circuit:
    """6 x hardswish(x) = x max(0, min(x + 3, 6)), rounded down: f fraction bits, from a sum with 2 f.

    Between -3 and 3 it is (x + 3/2)^2 - 9/4: one square of f + 3 bits in the place of a product.
    """
    builder = Builder(bits + 1, 1, 1)
    t = open_word(builder, 0)[fraction:]
    one, size = 1 << fraction, fraction + 6
    # Beyond 3 in magnitude the low bits decide nothing, so that the square takes those of x + 3/2 alone.
    is_left, is_inside = below(builder, t, -3 * one), below(builder, t, 3 * one)
    moved = add(builder, t[: fraction + 4], constant(3 * one // 2, fraction + 4))
    sign, rest = moved[-1], moved[:-1]
    magnitude = add(builder, [builder.xor(wire, sign) for wire in rest], [sign, *[ZERO] * (len(rest) - 1)])
    squared = square(builder, magnitude)[fraction : fraction + size]
    inside = add(builder, squared, constant(-9 * one // 4 % (1 << size), size))
    inside = mask_with(builder, builder.invert(is_left), inside)
    wide = len(t) + 3
    times_six = add(builder, extended([ZERO, *t], wide), extended([ZERO, ZERO, *t], wide))
    y = select(builder, is_inside, extended(inside, wide), times_six)
    return builder.build("hard_swish", y, Sharing(len(y), 64))


def test_it_is_right_for_all_sums() -> None:
    bits, fraction = 11, 2
    circuit = hard_swish_circuit(bits, fraction)
    z = np.arange(-(1 << bits - 1), 1 << bits - 1)[:, None]
    outputs = words_of(
        evaluate_many(circuit, bits_of(z * 0, bits + 1), bits_of(2 * z, bits + 1)), len(circuit.outputs)
    )[:, 0]
    t, size = z[:, 0] // 4, len(circuit.outputs)
    signed = outputs - (outputs >> size - 1 << size)
    assert (signed == t * np.clip(t + 12, 0, 24) // 4).all()


def test_what_it_costs_is_what_the_guide_says() -> None:
    """At the default set, beside ReLU6."""
    ands, relu6 = hard_swish_circuit(37, 12).and_count, relu_circuit(37, 12, cap=6 << 12).and_count
    assert f"{ands} ANDs where ReLU6 takes {relu6}" in GUIDE.read_text("utf-8").replace("\n", " ")
