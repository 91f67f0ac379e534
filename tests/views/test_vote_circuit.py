"""The vote circuits and their re-sharing: only flags leave a circuit, and only uniform shares leave both parties.

Independent of the protocol and of the circuit's own evaluator: all inputs are evaluated at once, one per bit of an
integer.
"""

from __future__ import annotations

from itertools import product

import pytest

from capc.two_party.circuits.argmax import share_differences, vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit, Operation
from capc.two_party.ideal import IdealTwoParty
from capc.two_party.transfers import Transfers

LOGIT_BITS = 3
MAKERS = {
    "tournament": (vote_circuit, list),
    "all pairs": (vote_circuit_low_depth, lambda shares: share_differences(shares, LOGIT_BITS)),
}
"""A vote's circuit, and its input words from a party's shares of the logits."""


class ChosenShares:
    """A source that gives the garbler chosen shares."""

    def __init__(self, shares: tuple[int, ...]) -> None:
        self._next = iter(shares)

    def bits(self, width: int) -> int:
        share = next(self._next)
        assert 0 <= share < 1 << width
        return share


@pytest.mark.req("CAPC-ARG-003", "CAPC-ARG-005", kind="enumeration")
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(("classes", "vote_bits"), [(2, 2), (2, 3), (3, 2)])
def test_evaluators_share_is_uniform_over_fresh_shares_for_every_vote(name: str, classes: int, vote_bits: int) -> None:
    """For each vote, every share of the garbler, which is fresh, leaves the evaluator another share."""
    make, words = MAKERS[name]
    circuit = make(classes, LOGIT_BITS, vote_bits)
    ring = range(1 << vote_bits)
    for number, logits in enumerate(product((-1, 0, 1), repeat=classes)):
        masks = [number * (c + 3) % 8 for c in range(classes)]
        seen = [(r - m) % 8 for r, m in zip(logits, masks, strict=True)]
        shares = {evaluators_share(circuit, words(masks), words(seen), own) for own in product(ring, repeat=classes)}
        assert shares == set(product(ring, repeat=classes))


@pytest.mark.req("CAPC-ARG-003", "CAPC-ARG-006", kind="enumeration")
@pytest.mark.parametrize("name", MAKERS)
def test_nothing_but_flags_leaves_the_circuit_for_every_input(name: str) -> None:
    """All shares of two logits: where the logits meet the precondition, the outputs are the one-hot vote."""
    classes = 2
    make, words = MAKERS[name]
    circuit = make(classes, LOGIT_BITS, 2)
    shares = list(product(range(1 << LOGIT_BITS), repeat=2 * classes))
    inputs = [(*words(given[:classes]), *words(given[classes:])) for given in shares]
    outputs = all_outputs(circuit, inputs)
    checked = 0
    for given, flags in zip(shares, outputs, strict=True):
        logits = [(m + e + 4) % 8 - 4 for m, e in zip(given[:classes], given[classes:], strict=True)]
        if all(abs(r) < 1 << (LOGIT_BITS - 2) for r in logits):
            assert flags == tuple(int(c == logits.index(max(logits))) for c in range(classes))
            checked += 1
    assert checked == 9 * 64


def evaluators_share(circuit: Circuit, masks: list[int], seen: list[int], own: tuple[int, ...]) -> tuple[int, ...]:
    """What the evaluator is given where the garbler's fresh shares are ``own``."""
    scheme, transfers = IdealTwoParty(), Transfers(0, circuit.evaluator_inputs, None)
    chosen, bits = scheme.choose(transfers, circuit, [seen])
    fresh = Transfers(0, circuit.evaluator_inputs, None)
    output, payload = scheme.garble(fresh, circuit, [masks], bits, ChosenShares(own))  # type: ignore[arg-type]
    assert tuple(output.shares[0]) == own
    return tuple(scheme.evaluate(chosen, payload).outputs[0])


def all_outputs(circuit: Circuit, inputs: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The output bits for each list of input words, gate by gate."""
    lanes = range(len(inputs))
    ones = (1 << len(inputs)) - 1
    wires = [
        sum((inputs[lane][word] >> bit & 1) << lane for lane in lanes)
        for word in range(len(inputs[0]))
        for bit in range(circuit.input_bits)
    ]
    for operation, left, right in circuit.gates:
        if operation is Operation.XOR:
            wires.append(wires[left] ^ wires[right])
        elif operation is Operation.AND:
            wires.append(wires[left] & wires[right])
        else:
            wires.append(wires[left] ^ ones)
    return [tuple(wires[wire] >> lane & 1 for wire in circuit.outputs) for lane in lanes]
