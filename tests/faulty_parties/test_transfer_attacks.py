"""What a cheating querying party does to the transfers: it reads Delta, silently, and with Delta whatever was garbled.

Each test is the figure of a row of section 90. The readable engine plays both ends; the cheat changes bytes that it
sends and keeps honest labels, from which it knows what each guess of Delta would have made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax
from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.release import confident_release_circuit
from capc.two_party.garbling import ggm_tree, ot_extension
from capc.two_party.garbling.half_gates import LabelHash, evaluate
from capc.two_party.garbling.ot_extension import EvaluatorKey, GarblerKey
from capc.two_party.garbling.ot_messages import OtExtension
from capc.two_party.garbling.payload import GarbledCircuits, chosen_labels, input_labels
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.interface import EvaluatorChoice
from support.builders import fixed_mechanisms
from support.computations import readable_keys, stream
from support.release_stage import NUM_CLASSES, Cheats, Stage

VOTE_BITS = 16
RELEASE = confident_release_circuit(NUM_CLASSES, VOTE_BITS, evaluator_noise=False)
GUESSES = range(16)
TREES = range(1, ot_extension.TREES)
"""Tree 0 has no row: its four bits of Delta, of which one is 1, are guessed."""


@dataclass
class Connection:
    """Two ends of one set-up, and the next nonce."""

    garbler: GarblerKey
    evaluator: EvaluatorKey
    nonce: int = 0

    def release(self, tree: int) -> set[int]:
        """One release with a wrong row: the guesses of the tree's 4 bits that its outputs admit, found offline."""
        self.nonce += 1
        scheme, source = GarbledTwoParty(), stream(self.nonce, f"release {tree}")
        shares = [source.bits(VOTE_BITS) for _ in range(NUM_CLASSES)]
        noisy = [ring.reduce(share + source.below(400) - 200, VOTE_BITS) for share in shares]
        own = [ring.reduce(source.below(300) - share, VOTE_BITS) for share in shares]
        (mine,), rows = scheme.extend_evaluator(self.evaluator, self.nonce, [RELEASE.evaluator_inputs])
        wrong = _with_wrong_row(rows, tree, RELEASE.evaluator_inputs)
        (theirs,) = scheme.extend_garbler(self.garbler, self.nonce, [RELEASE.evaluator_inputs], wrong)
        chosen, bits = scheme.choose(mine, RELEASE, [own])
        _, payload = scheme.garble(theirs, RELEASE, [[*shares, *noisy, 400]], bits, source)
        labels = cast(list[int], chosen.secret)
        alive = set()
        for guess in GUESSES:
            # Transfer 0 came out wrong by the guess; its lowest bit is the input's own.
            guessed = [labels[0] ^ guess << 4 * tree & ~1, *labels[1:]]
            outputs = scheme.evaluate(EvaluatorChoice(RELEASE, 1, self.nonce, guessed), payload).outputs[0]
            label = ring.from_bits(outputs[1:])
            if label < NUM_CLASSES and (outputs[0] or not label):
                alive.add(guess)
        return alive


def _with_wrong_row(rows: bytes, tree: int, transfers: int) -> bytes:
    """The extension with the first bit of one row flipped: of the full length, and in range."""
    start = (tree - 1) * ((transfers + 7) // 8)
    return rows[:start] + bytes([rows[start] ^ 1]) + rows[start + 1 :]


def connection(name: str) -> Connection:
    return Connection(*readable_keys(name))


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-021")
def test_inconsistent_rows_read_delta() -> None:
    """Ordinary releases with one wrong row each: 4 bits of Delta after about 4 of them; the guardian sees nothing."""
    ends, used = connection("forward"), []
    for tree in (7, 19, 31):
        left, releases = set(GUESSES), 0
        while len(left) > 1:
            left &= ends.release(tree)
            releases += 1
        assert left == {ends.garbler.delta >> 4 * tree & 15}
        used.append(releases)
    # A wrong guess survives a release with probability 11/32: all 15 die in 3.6 on average.
    assert max(used) <= 8
    assert 2 <= sum(used) / len(used) <= 5


@pytest.mark.req("CAPC-SEC-020", "CAPC-SEC-021")
def test_wrong_tree_sums_read_delta() -> None:
    """One flipped bit in a message of the set-up breaks the transfers exactly if a bit of Delta is 0."""
    pairs_of_seeds = [(bytes([j, 0] * 16), bytes([j, 1] * 16)) for j in range(128)]
    leaves, sums = ggm_tree.grow(pairs_of_seeds, stream(1, "roots"))
    for tree, bit in ((5, 0), (5, 1), (20, 0), (20, 1)):
        pair = 4 * tree + 3
        delta = stream(tree, "delta").bits(128) & ~(1 << pair) | bit << pair | 1
        seeds = [pairs_of_seeds[j][delta >> j & 1] for j in range(128)]
        place = 2 * 4 * tree
        wrong = bytes([sums.sums[place][0] ^ 1]) + sums.sums[place][1:]
        message = type(sums)((*sums.sums[:place], wrong, *sums.sums[place + 1 :]))
        key = GarblerKey(delta, ggm_tree.grow_all_but_one(delta, seeds, message))
        bits, labels, rows = ot_extension.extend_receive(EvaluatorKey(leaves), 1, 64)
        zeros = ot_extension.extend_send(key, 1, rows)
        right = all(
            t == q ^ (delta if bits >> r & 1 else 0) for r, (t, q) in enumerate(zip(labels, zeros, strict=True))
        )
        assert right == bool(bit)


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
    circuit, scheme, ends = vote_circuit(classes, bits, VOTE_BITS), GarbledTwoParty(), connection("vote")
    for nonce in range(1, 4):
        source = stream(nonce, "logits")
        logits = [source.below(512) - 256 for _ in range(classes)]
        masks = [source.bits(bits) for _ in range(classes)]
        own = ring.subtract(logits, masks, bits)
        (mine,), rows = scheme.extend_evaluator(ends.evaluator, nonce, [circuit.evaluator_inputs])
        (theirs,) = scheme.extend_garbler(ends.garbler, nonce, [circuit.evaluator_inputs], rows)
        chosen, choice = scheme.choose(mine, circuit, [own])
        _, payload = scheme.garble(theirs, circuit, [masks], choice, source)
        labels = cast(list[int], chosen.secret)
        garbled = GarbledVote(circuit, own, labels, ends.garbler.delta, payload, nonce)
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
    _, labels, _ = ot_extension.extend_receive(stage.readable_key, seen.nonce, seen.circuit.evaluator_inputs)
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


@dataclass
class CheckedConnection:
    """A connection whose garbler checks rows as SoftSpokenOT does, by a universal hash of the columns.

    No part of this protocol: it shows what such a check would be worth while a refused message leaves the state usable.
    """

    garbler: GarblerKey
    evaluator: EvaluatorKey
    transfers: int = 512

    def accepts(self, nonce: int, tree: int, guess: int) -> bool:
        """Whether a wrong row of a tree passes, with the check's answers made under a guess of 4 bits of Delta."""
        bits, labels, message = ot_extension.extend_receive(self.evaluator, nonce, self.transfers)
        rows = list(message.rows)
        rows[tree - 1] ^= 1
        labels[0] ^= guess << 4 * tree
        zeros = ot_extension.extend_send(self.garbler, nonce, OtExtension(tuple(rows), self.transfers))
        key = stream(nonce, "challenge").read(16)
        mine, theirs = self._hashes(key, labels), self._hashes(key, zeros)
        of_bits = self._hash(key, bits)
        return all(
            theirs[column] == mine[column] ^ (of_bits if self.garbler.delta >> column & 1 else 0)
            for column in range(4 * tree, 4 * tree + 4)
        )

    def _hashes(self, key: bytes, labels: list[int]) -> list[int]:
        return [self._hash(key, column) for column in ot_extension.transpose(labels, 128)]

    def _hash(self, key: bytes, column: int) -> int:
        """GHASH, which is linear up to a constant."""
        size = self.transfers // 8
        cipher = AESGCM(key)
        tags = [cipher.encrypt(bytes(12), b"", data) for data in (column.to_bytes(size, "little"), bytes(size))]
        return int.from_bytes(tags[0], "little") ^ int.from_bytes(tags[1], "little")


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-021")
def test_check_with_retries_reads_delta() -> None:
    """A check of the rows alone would not help: 16 requests at most, 8.5 on average, give 4 bits of Delta."""
    ends = connection("forward")
    checked, nonce = CheckedConnection(ends.garbler, ends.evaluator), 0
    for tree in (1, 9, 30):
        passing = [guess for guess in GUESSES if checked.accepts(nonce + guess, tree, guess)]
        nonce += 16
        assert passing == [ends.garbler.delta >> 4 * tree & 15]
    assert len(TREES) * 16 == 496
