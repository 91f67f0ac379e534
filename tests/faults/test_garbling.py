"""What garbling hides, and what it must not repeat, at the level of a whole batch.

Small tests of their own, so that each seeded fault of this kind has one that names it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from capc.foundation.randomness import Seed, XofSource
from capc.two_party.circuits.builder import Builder, Circuit, Sharing
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.garbling.half_gates import LabelHash
from capc.two_party.garbling.payload import GarbledCircuits
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.transfers import Transfers

DELTA = int.from_bytes(bytes(range(1, 17)), "little") | 1
HASH_KEY_AT = 16
CHUNK = 2


def garble(circuit: Circuit, instances: int) -> bytes:
    """A batch of circuits on zeros, from labels that are not secret here."""
    labels = [DELTA * (3 + 2 * number) % 2**128 for number in range(instances * circuit.evaluator_inputs)]
    transfers = Transfers(7, len(labels), (DELTA, labels))
    bits = bytes((len(labels) + 7) // 8)
    inputs = [[0] * circuit.garbler_words] * instances
    return GarbledTwoParty(CHUNK).garble(transfers, circuit, inputs, bits, XofSource(Seed(bytes(32)), b""))[1]


@pytest.mark.req("CAPC-GC-006")
def test_a_projection_row_is_masked_by_two_hashes() -> None:
    """Rows of 64 bits are all different, and none is 1 or -1, the difference of the bits that it stands for."""
    builder = Builder(1, 1, 1)
    wire = builder.xor(builder.garbler_word(0)[0], builder.evaluator_word(0)[0])
    both = builder.and_(builder.garbler_word(0)[0], builder.evaluator_word(0)[0])
    circuit = builder.build("two_wires", [wire, both], Sharing(word_bits=1, width=64))
    message = GarbledCircuits.from_bytes(garble(circuit, 9)[HASH_KEY_AT:], circuit, 9, CHUNK)
    rows = [row for chunk in message.chunks for wire_rows in chunk.outputs for row in wire_rows]
    assert len(set(rows)) == len(rows) == 18
    assert not {1, 2**64 - 1} & set(rows)


@pytest.mark.req("CAPC-GC-003")
def test_no_tweak_occurs_in_two_chunks_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under one Delta and one hash key: other chunks, stages and output wires have other numbers."""
    numbers: list[int] = []
    digest = LabelHash.digest

    def recording(self: LabelHash, *operands: Sequence[int]) -> list[list[int]]:
        numbers.append(self._number)
        return digest(self, *operands)

    monkeypatch.setattr(LabelHash, "digest", recording)
    circuit = relu_circuit(4, 1)
    garble(circuit, 5)
    assert numbers == list(range(3 * len(circuit.stages)))
