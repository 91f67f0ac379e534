"""ReLUs with a cap of any number, and with a leak: for all sums of small rings, at any width, and what they cost."""

from __future__ import annotations

from itertools import product
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.cleartext import leaky_relu, relu
from capc.two_party.circuits.builder import Circuit, Sharing, evaluate
from capc.two_party.circuits.relu import leaky_relu_circuit, relu_circuit
from support.guarded import errors_within, share_pairs, signed_range, words_of_shares
from support.oracles import Words, bits_of, evaluate_many, grid, words_of


def words(circuit: Circuit, garbler: Words, evaluator: Words) -> Words:
    """The first output word of each case."""
    outputs = evaluate_many(circuit, bits_of(garbler, circuit.input_bits), bits_of(evaluator, circuit.input_bits))
    return words_of(outputs, circuit.sharing.word_bits if circuit.sharing else 1)[:, 0]


def leaked(z: Words, fraction: int, leak: int, cap: int | None) -> Words:
    """By division, and by comparing with both ends."""
    t = z // 2**fraction
    if cap is not None:
        t = np.where(t > 2**cap - 1, 2**cap - 1, np.where(t < -(2**cap), -(2**cap), t))
    return np.where(t < 0, t // 2**leak, t)


def for_all_sums(circuit: Circuit, logit_bits: int, made: Words) -> None:
    """Every sum of the ring, whatever its shares and their error within the room are.

    Args:
        circuit: of one sum.
        logit_bits: l.
        made: the word of each sum from -2^(l-1) on.
    """
    for error in errors_within(3):
        z, evaluator, garbler = share_pairs(logit_bits, 3, error)
        entered = words_of_shares(garbler[:, None], evaluator[:, None], logit_bits, 3)
        assert (words(circuit, *entered) == made[(z + (1 << logit_bits - 1)) % (1 << logit_bits)]).all()


@pytest.mark.req("CAPC-ARG-023")
@pytest.mark.parametrize(("logit_bits", "fraction"), [(4, 0), (5, 1)])
def test_relu_at_most_any_cap_for_all_values_shares_and_errors(logit_bits: int, fraction: int) -> None:
    z = np.arange(-(1 << logit_bits - 1), 1 << logit_bits - 1)
    for cap in range(1, 1 << logit_bits - 2 - fraction):
        circuit = relu_circuit(logit_bits, fraction, cap=cap)
        for_all_sums(circuit, logit_bits, np.minimum(np.maximum(z, 0) // 2**fraction, cap))


@pytest.mark.req("CAPC-ARG-024", "CAPC-PARAM-066")
@pytest.mark.parametrize(
    ("logit_bits", "fraction", "leak", "cap"),
    [
        *((3, 0, leak, None) for leak in (0, 1)),
        *((4, 1, 1, None), (4, 0, 3, None), (4, 1, 0, 1), (4, 0, 7, 1), (4, 0, 1, 2), (5, 1, 1, 1), (5, 1, 2, 2)),
    ],
)
def test_leaky_relu_for_all_values_shares_and_errors(logit_bits: int, fraction: int, leak: int, cap: int) -> None:
    z = np.arange(-(1 << logit_bits - 1), 1 << logit_bits - 1)
    circuit = leaky_relu_circuit(logit_bits, fraction, leak, cap_bits=cap)
    offset = 1 << (logit_bits - 1 - fraction if cap is None else cap)
    for_all_sums(circuit, logit_bits, leaked(z, fraction, leak, cap) + offset)


@pytest.mark.req("CAPC-ARG-023", "CAPC-ARG-024")
@pytest.mark.parametrize(("width", "fraction", "window"), [(5, 1, 2), (5, 0, 2), (4, 0, 3)])
def test_windows_for_all_values_and_dropped_bits(width: int, fraction: int, window: int) -> None:
    """The largest sum, not the largest of what each makes: the same, since neither falls."""
    z = grid(*[signed_range(width - 2)] * window)
    masks = (np.arange(z.size).reshape(z.shape) * 7 + 3) % (2 << width)
    cap, room = 2 if fraction else 5, width - 2 - fraction
    capped, leaky = relu_circuit(width, fraction, window, cap=min(cap, 2**room - 1)), []
    leaky = [(k, leaky_relu_circuit(width, fraction, 1, window, k)) for k in (None, 1)]
    for dropped in product((0, 1), repeat=window):
        entered = masks, 2 * z + np.array(dropped) - masks
        each = np.minimum(np.maximum(z, 0) // 2**fraction, min(cap, 2**room - 1))
        assert (words(capped, *entered) == each.max(axis=1)).all()
        for k, circuit in leaky:
            offset = 2 ** (width - 1 - fraction if k is None else k)
            assert (words(circuit, *entered) == leaked(z, fraction, 1, k).max(axis=1) + offset).all()


@pytest.mark.req("CAPC-ARG-023", "CAPC-ARG-024", "CAPC-PARAM-066")
@given(st.integers(3, 58), st.data())
def test_at_any_width(logit_bits: int, data: st.DataObject) -> None:
    """Near the cap, near 0 and at the ends of the ring, beside anything."""
    size = data.draw(st.integers(1, logit_bits - 2))
    fraction, half = data.draw(st.integers(0, logit_bits - 2 - size)), 1 << logit_bits - 1
    cap, leak = data.draw(st.integers(1 << size - 1, (1 << size) - 1)), data.draw(st.integers(0, 32))
    edges = [sign * bound << fraction for sign in (1, -1) for bound in (cap, cap + 1, 1 << size)]
    near = st.sampled_from([-half, -1, 0, half - 1, *edges, *(edge - 1 for edge in edges)])
    z = data.draw(st.one_of(near, st.integers(-half, half - 1)))
    z = max(-half, min(z, half - 1))
    mask = data.draw(st.integers(0, (2 << logit_bits) - 1))
    entered = [mask], [ring.reduce(2 * z + data.draw(st.integers(0, 1)) - mask, logit_bits + 1)]

    def of(circuit: Circuit) -> list[int]:
        return circuit.output_words(evaluate(circuit, *entered))

    circuit = relu_circuit(logit_bits, fraction, cap=cap)
    assert of(circuit) == [min(max(z, 0) // 2**fraction, cap)] == [relu(z, fraction, cap=cap)]
    assert circuit.sharing == Sharing(size, logit_bits)
    for k in (None, size):
        leaky, m = leaky_relu_circuit(logit_bits, fraction, leak, 1, k), logit_bits - 1 - fraction if k is None else k
        t = z // 2**fraction if k is None else sorted([-(2**k), z // 2**fraction, 2**k - 1])[1]
        assert of(leaky) == [(t if t >= 0 else floor(t / 2**leak)) + 2**m]
        assert of(leaky) == [leaky_relu(z, fraction, leak, k) + 2**m]
        assert leaky.sharing == Sharing(m + 1, logit_bits)


@pytest.mark.req("CAPC-ARG-023")
def test_of_two_caps_the_lesser_holds() -> None:
    assert relu_circuit(12, 2, 1, 3, 24) == relu_circuit(12, 2, 1, 3)
    assert relu_circuit(12, 2, 1, 6, 24) == relu_circuit(12, 2, cap=24)
    assert relu_circuit(12, 2, cap=7) == relu_circuit(12, 2, 1, 3)


@pytest.mark.req("CAPC-ARG-007")
@pytest.mark.parametrize("k", [12, 37, 56])
@pytest.mark.parametrize("n", [1, 4])
def test_costs(k: int, n: int) -> None:
    """A cap costs the bits of it that are not equal at its end, a leak nothing, a leak with a cap its bits but one."""
    fraction = k // 3
    plain = relu_circuit(k, fraction, n).and_count
    for cap in (1, 2, 3, 4, 6, 9, 13, 24, 40):
        text = f"{cap:b}"
        assert relu_circuit(k, fraction, n, cap=cap).and_count == plain + len(text.rstrip(text[-1]))
    for leak in (1, 3, 32):
        assert leaky_relu_circuit(k, fraction, leak, n).and_count == plain
        for size in (1, 5):
            assert leaky_relu_circuit(k, fraction, leak, n, size).and_count == plain + size - 1
    # What is not below 0 and what is are then the same: nothing is chosen.
    assert leaky_relu_circuit(k, fraction, 0, n).and_count == plain - (k - 1 - fraction)
    for size in (1, 5):
        assert leaky_relu_circuit(k, fraction, 0, n, size).and_count == plain - 1
