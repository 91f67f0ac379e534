"""What Delta is worth: who has it reads whatever was garbled under it. `test_inconsistent_transfers` keeps it secret.

Each test is the figure of a row of section 90. The readable engine plays both ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import pytest

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax
from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.circuits.builder import Circuit
from capc.two_party.garbling.half_gates import LabelHash, evaluate
from capc.two_party.garbling.payload import GarbledCircuits, chosen_labels, input_labels
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.transfers.extension_check import receive_checked
from capc.two_party.interface import EvaluatorChoice
from support.builders import fixed_mechanisms
from support.computations import readable_keys, stream
from support.release_stage import NUM_CLASSES, Cheats, Stage

VOTE_BITS = 16


@dataclass
class GarbledVote:
    """One garbled vote as the honest answering party sent it, and what a querying party with Delta holds of it."""

    circuit: Circuit
    own: list[int]
    labels: list[int]
    delta: int
    payload: bytes
    nonce: int

    def with_offsets(self, offsets: list[int]) -> list[int]:
        """The vote on the logits and offsets, offline: the row of each flag holds h_0 - h_1 + 1 - 2p."""
        width = self.circuit.input_bits
        message = GarbledCircuits.from_bytes(self.payload[16:], self.circuit, 1, 1)
        words = ring.add(self.own, [ring.reduce(entry, width) for entry in offsets], width)
        picked = _relabelled(self.labels, self.own, words, width, self.delta)
        (active,) = input_labels(self.payload[:16], self.circuit.garbler_inputs, 1, 1)
        label_hash, wires = LabelHash(message.hash_key, self.nonce), [*active, *([label] for label in picked)]
        held = [label for (label,) in evaluate(self.circuit, wires, message.chunks[0].tables, label_hash)]
        hashes, others = label_hash.digest(held, [label ^ self.delta for label in held])
        flags = []
        for label, own, other, (row,) in zip(held, hashes, others, message.chunks[0].outputs, strict=True):
            difference = other - own if label & 1 else own - other
            permute = ring.reduce(row - difference, VOTE_BITS) != 1
            flags.append(label & 1 ^ permute)
        return flags


def _relabelled(labels: Sequence[int], before: list[int], after: list[int], width: int, delta: int) -> list[int]:
    """The labels of other inputs, from those of the inputs that were chosen."""
    bits = [[bit for word in words for bit in ring.to_bits(word, width)] for words in (before, after)]
    return [label ^ (delta if old != new else 0) for label, old, new in zip(labels, *bits, strict=True)]


@pytest.mark.req("CAPC-SEC-020")
def test_delta_reads_votes_and_logits() -> None:
    """With an answering party's Delta one garbled vote gives the vote and the differences of all logits, offline."""
    classes, bits = 4, 12
    circuit, scheme = vote_circuit(classes, bits, VOTE_BITS), GarbledTwoParty()
    garbler, evaluator = readable_keys("vote")
    for nonce in range(1, 4):
        source = stream(nonce, "logits")
        logits = [source.below(512) - 256 for _ in range(classes)]
        masks = [source.bits(bits) for _ in range(classes)]
        own = ring.subtract(logits, masks, bits)
        (mine,), rows = scheme.extend_evaluator(evaluator, nonce, [circuit.evaluator_inputs])
        (theirs,) = scheme.extend_garbler(garbler, nonce, [circuit.evaluator_inputs], rows)
        chosen, choice = scheme.choose(mine, circuit, [own])
        _, payload = scheme.garble(theirs, circuit, [masks], choice, source)
        labels = cast(list[int], chosen.secret)
        garbled = GarbledVote(circuit, own, labels, garbler.delta, payload, nonce)
        assert garbled.with_offsets([0] * classes) == one_hot_argmax(logits)
        read = [0]
        for c in range(1, classes):
            low, high = -511, 511
            while low < high:
                middle = (low + high + 1) // 2
                # Class c wins against class 0, ties excluded, exactly if r_c - r_0 > middle - 1.
                offsets = [0 if index == 0 else 1 - middle if index == c else -900 for index in range(classes)]
                if garbled.with_offsets(offsets)[c]:
                    low = middle
                else:
                    high = middle - 1
            read.append(low)
        assert read == [logit - logits[0] for logit in logits]


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-021")
def test_delta_reads_noised_counts() -> None:
    """With the guardian's Delta one honest release gives its words offline, and each of them has its noise."""
    stage = Stage(voters=7, threshold=Fraction(5), name="guardian's delta")
    votes, draws = [0, 0, 0, 1, 4, 4, 9], list(range(-45, 55, 10))
    honest = Cheats(guardian_mechanisms=fixed_mechanisms([[0] * NUM_CLASSES], [draws]))
    seen = stage.release(votes, honest)
    _, labels, _ = receive_checked(stage.readable_key, seen.nonce, seen.circuit.evaluator_inputs)
    labels = chosen_labels(labels, _number(seen.words, VOTE_BITS))

    def answered(offsets: list[int]) -> int:
        words = ring.add(seen.words, [ring.reduce(entry, VOTE_BITS) for entry in offsets], VOTE_BITS)
        picked = _relabelled(labels, seen.words, words, VOTE_BITS, stage.garbler_key.delta)
        chosen = EvaluatorChoice(seen.circuit, 1, seen.nonce, picked)
        return GarbledTwoParty().evaluate(chosen, seen.circuits).outputs[0][0]

    for c in (0, 1, 9):
        # Far below the threshold all others; the word is T less the smallest offset that reaches it.
        low, high = -1000, 1000
        while low < high:
            middle = (low + high) // 2
            if answered([middle if d == c else -5000 for d in range(NUM_CLASSES)]):
                high = middle
            else:
                low = middle + 1
        assert 5 * 16 - low == 16 * votes.count(c) + draws[c]


def _number(words: list[int], width: int) -> int:
    return ring.from_bits([bit for word in words for bit in ring.to_bits(word, width)])
