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
WORD_BITS = LOGIT_BITS + 1
MAKERS = {
    "tournament": (vote_circuit, list),
    "all pairs": (vote_circuit_low_depth, lambda shares: share_differences(shares, WORD_BITS)),
}
"""A vote's circuit, and its input words from a party's words of the logits."""


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
        masks = [number * (c + 3) % 16 for c in range(classes)]
        seen = [(2 * r + (number + c & 1) - m) % 16 for c, (r, m) in enumerate(zip(logits, masks, strict=True))]
        shares = {evaluators_share(circuit, words(masks), words(seen), own) for own in product(ring, repeat=classes)}
        assert shares == set(product(ring, repeat=classes))


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-003", "CAPC-ARG-006")
@pytest.mark.parametrize("name", MAKERS)
def test_nothing_but_flags_leaves_the_circuit_for_every_input(name: str) -> None:
    """All words of two logits, whatever bit is dropped: the one-hot vote, where the logits meet the precondition."""
    classes = 2
    make, words = MAKERS[name]
    circuit = make(classes, LOGIT_BITS, 2)
    shares = list(product(range(1 << WORD_BITS), repeat=2 * classes))
    inputs = [(*words(given[:classes]), *words(given[classes:])) for given in shares]
    outputs = all_outputs(circuit, inputs)
    checked = 0
    for given, flags in zip(shares, outputs, strict=True):
        left, right = ((m + e) % 16 for m, e in zip(given[:classes], given[classes:], strict=True))
        logits, limit = [left, right], 1 << LOGIT_BITS - 2
        if name == "all pairs":
            # Only the difference has a bit that is dropped.
            logits, limit = [(left - right) % 16, 0], 1 << LOGIT_BITS - 1
        logits = [(total // 2 + 4) % 8 - 4 for total in logits]
        if all(abs(r) < limit for r in logits):
            assert flags == tuple(int(c == logits.index(max(logits))) for c in range(classes))
            checked += 1
    assert checked == {"tournament": (3 * 2 * 16) ** 2, "all pairs": 7 * 2 * 16**3}[name]


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
        int("".join(str(inputs[lane][word] >> bit & 1) for lane in reversed(lanes)), 2)
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
