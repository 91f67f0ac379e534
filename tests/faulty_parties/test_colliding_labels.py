"""A querying party that makes labels collide: those of many wires equal, or both labels of one.

It grows trees from equal roots, and it is given, by force, one label for all wires: nothing of either is read. Both
labels of a wire are equal for an offset Delta' of zero, in votes in rounds: test_reverse_offsets.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from capc.foundation.randomness import RandomSource
from capc.linear.ideal import IdealLinear
from capc.steps.suite import reference_suite
from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.circuits.builder import input_wires
from capc.two_party.garbling import half_gates
from capc.two_party.garbling.payload import GarbledCircuits, input_labels
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.transfers.base_ot import BaseOtSender
from capc.two_party.transfers import Transfers
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vectorised.labels import to_label
from capc.two_party.vectorised.transfers import GarblerEnd
from support.builders import make_parameters, make_widths
from support.collaborations import collaborate
from support.computations import set_up, stream, uniform

CIRCUIT, INSTANCES = vote_circuit(4, 8, 8), 24
ENGINES = pytest.mark.parametrize("engine", [GarbledTwoParty, VectorisedTwoParty])


class Zeros:
    """A source of roots that are all the same."""

    def read(self, length: int) -> bytes:
        return bytes(length)


def with_equal_roots(engine: type[GarbledTwoParty]) -> GarbledTwoParty:
    class EqualRoots(engine):  # type: ignore[misc, valid-type]
        def evaluator_finish(
            self,
            state: BaseOtSender,
            choice: bytes,
            context: bytes,
            source: RandomSource,
        ) -> tuple[Any, bytes]:
            roots = cast(RandomSource, Zeros())
            return cast(tuple[Any, bytes], super().evaluator_finish(state, choice, context, roots))

    return EqualRoots()


@pytest.mark.req("CAPC-OT-011", "CAPC-GC-014")
def test_equal_roots_make_no_equal_leaves_or_labels() -> None:
    """All 512 leaves are hashes of tree and place too; the check passes, as nothing is inconsistent."""
    scheme = with_equal_roots(GarbledTwoParty)
    garbler, evaluator, _ = cast(tuple[Any, Any, bytes], set_up(scheme, scheme, "equal roots"))
    leaves = [leaf for tree in evaluator.leaves for leaf in tree]
    assert len(set(leaves)) == len(leaves) == 512
    (mine,), rows = scheme.extend_evaluator(evaluator, 0, [1000])
    (theirs,) = scheme.extend_garbler(garbler, 0, [1000], rows)
    _, labels = mine.secret
    _, zeros = theirs.secret
    assert len({*labels, *zeros, *(zero ^ garbler.delta for zero in zeros)}) == 2000


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-031")
@ENGINES
def test_equal_roots_in_a_session_give_the_labels_of_any_others(engine: type[GarbledTwoParty]) -> None:
    parameters = make_parameters(make_widths(12), num_classes=3)
    suite = reference_suite(parameters, IdealLinear(12), with_equal_roots(engine))
    session = collaborate(parameters, (1, 4), [(2, 2, 3)] * 2, strength=9, suite=suite)
    results = [*session.label_batch([[0, 0], [1, -1]]), session.label([1, 1])]
    assert [result.label for result in results] == [result.ideal_label for result in results]


def garbled(engine: type[GarbledTwoParty], inputs: Sequence[Sequence[int]]) -> bytes:
    """Circuits for a querying party all of whose wires have one label, which it chose."""
    delta, label = stream(1, "offset").bits(128) | 1, stream(1, "label").bits(128) & ~1
    count = INSTANCES * CIRCUIT.evaluator_inputs
    end: Any = delta, [label] * count
    if engine is VectorisedTwoParty:
        end = GarblerEnd(to_label(delta), np.array([to_label(label)] * count))
    scheme = engine()
    bits = bytes(scheme.bits_length(CIRCUIT, INSTANCES))
    return scheme.garble(Transfers(5, count, end), CIRCUIT, inputs, bits, stream(1, "garble"))[1]


def read_products(payload: bytes) -> list[int]:
    """Of each product its row XOR the garbler's active label: a sum of two hashes, XOR Delta if the input is 1."""
    scheme = GarbledTwoParty()
    chunk, stage = scheme.chunk_of(CIRCUIT), CIRCUIT.stages[1]
    assert stage.products
    (active,) = input_labels(payload[:16], CIRCUIT.garbler_inputs, INSTANCES, chunk)
    message = GarbledCircuits.from_bytes(payload[16:], CIRCUIT, INSTANCES, chunk)
    _, rows = message.chunks[0].tables[0]
    known = [active[wire][instance] for wire in stage.left for instance in range(INSTANCES)]
    return [row ^ label for row, label in zip(rows, known, strict=True)]


def bits_of_products(inputs: Sequence[Sequence[int]]) -> list[int]:
    """What the garbler put into them."""
    wires = [input_wires(CIRCUIT, words, CIRCUIT.garbler_words) for words in inputs]
    return [wires[instance][wire] for wire in CIRCUIT.stages[1].left for instance in range(INSTANCES)]


@pytest.mark.req("CAPC-GC-003", "CAPC-GC-014", "CAPC-SEC-031")
@ENGINES
def test_one_label_on_all_wires_reads_no_input(engine: type[GarbledTwoParty]) -> None:
    """Each row is hashed with a tweak of its own: no two of 96 sums are equal, or differ by what two others do."""
    mine, _ = uniform(CIRCUIT, INSTANCES)
    payload = garbled(engine, mine)
    sums = read_products(payload)
    assert len(sums) == 96
    pairs = {a ^ b for place, a in enumerate(sums) for b in sums[:place]}
    assert 0 not in pairs
    assert len(pairs) == 96 * 95 // 2
    assert payload == garbled(GarbledTwoParty, mine)


def test_one_label_on_all_wires_reads_every_input_where_rows_share_a_tweak(monkeypatch: pytest.MonkeyPatch) -> None:
    """All sums are one or the other of two: the inputs, up to which of them is 1, and Delta is their difference."""
    tweaks = half_gates.counters
    monkeypatch.setattr(half_gates, "counters", lambda numbers, nonce: tweaks((0,) * len(numbers), nonce))
    mine, _ = uniform(CIRCUIT, INSTANCES)
    sums, bits = read_products(garbled(GarbledTwoParty, mine)), bits_of_products(mine)
    zero, one = ({entry for entry, bit in zip(sums, bits, strict=True) if bit == value} for value in (0, 1))
    assert len(zero) == len(one) == 1
    assert zero.pop() ^ one.pop() == stream(1, "offset").bits(128) | 1
