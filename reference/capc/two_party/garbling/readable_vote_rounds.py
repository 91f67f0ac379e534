"""The readable vote in rounds: half-gates garbling of signs, projections in both directions.

Layout of a request: from round 1 on a hash key, 16, and the rows of the previous round, match after match, an element
of Z_{2^T} in ceil(T / 8) bytes for each query; then, in every round, the choice bits of the differences' words.

Layout of an answer: label seed, 16; the garbled circuits, as :mod:`capc.two_party.garbling.payload` lays them out; in
round 0 the extension that makes the reverse transfers of all rounds; match after match the bit p XOR u for each query.
The last round has neither of the latter two.

Spec: CAPC-ROUND-001 to CAPC-ROUND-006, CAPC-ROUND-009, CAPC-ROUND-010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from capc.foundation import ring
from capc.foundation.aes_ctr import KEY_BYTES
from capc.foundation.encoding import bits_from_bytes, elements_from_bytes, elements_to_bytes, require_length
from capc.foundation.guarded import evaluator_words, garbler_words
from capc.foundation.randomness import RandomSource
from capc.two_party.circuits.builder import Circuit, Sharing
from capc.two_party.garbling.half_gates import LabelHash, LabelRows
from capc.two_party.garbling.output_sharing import project_by_evaluator, project_by_garbler
from capc.two_party.garbling.payload import (
    GarbledCircuits,
    by_chunks,
    chosen_labels,
    chunk_instances,
    chunk_sizes,
    evaluate_chunks,
    garble_chunks,
    input_labels,
    offset_rows,
    rows_of,
    spans,
)
from capc.two_party.garbling.transfers import ot_extension
from capc.two_party.garbling.transfers.ot_extension import EvaluatorKey, GarblerKey
from capc.two_party.garbling.transfers.ot_messages import OtExtension
from capc.two_party.hash_use import HashTally
from capc.two_party.transfers import Transfers, Words
from capc.two_party.vote_rounds import Columns, EvaluatorRound, GarblerRound, Shares, VoteShape, differences, winners

Labelled = tuple[int, list[int]]
"""A party's end of transfers: random bits and their labels, or Delta and zero labels."""


@dataclass(frozen=True, repr=False)
class _Garbler:
    """What the garbler holds between rounds.

    Attributes:
        delta: its offset.
        labels: zero labels of the transfers of rounds to come.
        key: of the reverse transfers.
        reverse: labels of reverse transfers: those of the last round's signs, then those of signs to come.
        chosen: random bits u of the same transfers, as one number.
        entrants: its shares; of the last round's winners without s D_e.
        signs: the zero labels of all signs.
    """

    delta: int
    labels: list[int]
    key: EvaluatorKey
    reverse: list[int]
    chosen: int
    entrants: Columns
    signs: LabelRows


@dataclass(frozen=True, repr=False)
class _Evaluator:
    """What the evaluator holds between rounds.

    Attributes:
        bits: random bits of the transfers of this round and those to come, as one number.
        labels: of the same transfers.
        key: of the reverse transfers.
        reverse: labels of reverse transfers that are left.
        entrants: its shares.
        signs: the active labels of all signs.
    """

    bits: int
    labels: list[int]
    key: GarblerKey
    reverse: list[int]
    entrants: Columns
    signs: LabelRows


_Answering = GarblerRound[_Garbler]
_Asking = EvaluatorRound[_Evaluator]


class RoundLengths:
    """The lengths of all messages.

    Args:
        chunk: instances per chunk of circuits, the same at both ends; None for :func:`chunk_instances` of each circuit.
        tally: adds up what is hashed; None for one of its own.
    """

    def __init__(self, chunk: int | None = None, tally: HashTally | None = None) -> None:
        self._chunk = chunk
        self._tally = tally or HashTally()

    def request_length(self, shape: VoteShape, number: int) -> int:
        """The rows of the round before, and a bit for each bit of a difference."""
        return self._rows_length(shape, number) + (shape.transfers(number) + 7) // 8

    def answer_length(self, shape: VoteShape, number: int) -> int:
        """Circuits, and, but in the last round, what selects the winners."""
        extension, bits = self._selection_lengths(shape, number)
        return self._circuits_length(shape, number) + extension + bits

    def _circuits_length(self, shape: VoteShape, number: int) -> int:
        circuit = shape.circuit(number)
        return KEY_BYTES + GarbledCircuits.byte_length(circuit, shape.instances, self._chunk_of(circuit))

    def _chunk_of(self, circuit: Circuit) -> int:
        return self._chunk or chunk_instances(circuit)

    def _rows_length(self, shape: VoteShape, number: int) -> int:
        if number == 0:
            return 0
        return KEY_BYTES + shape.instances * shape.matches(number - 1) * ((shape.share_bits + 7) // 8)

    def _selection_lengths(self, shape: VoteShape, number: int) -> tuple[int, int]:
        """Of the extension, and of the masked bits."""
        if shape.is_last(number):
            return 0, 0
        extension = OtExtension.byte_length(shape.reverse_transfers) if number == 0 else 0
        return extension, (shape.instances * shape.matches(number) + 7) // 8


class GarbledVote(RoundLengths):
    """A vote in rounds, between scalars."""

    def begin(
        self, transfers: Transfers[Labelled], key: GarblerKey, shape: VoteShape, shares: Sequence[Words]
    ) -> tuple[_Asking, bytes]:
        """The choice bits of round 0."""
        shape.require_transfers(transfers)
        shape.require_shares(shares)
        bits, labels = transfers.secret
        transfers.spend()
        own, request = self._choose(shape, 0, _Evaluator(bits, labels, key, [], _columns(shares), []))
        return EvaluatorRound(shape, 0, transfers.nonce, own), request

    def await_begin(
        self, transfers: Transfers[Labelled], key: EvaluatorKey, shape: VoteShape, shares: Sequence[Words]
    ) -> _Answering:
        """Takes the zero labels of all rounds."""
        shape.require_transfers(transfers)
        shape.require_shares(shares)
        delta, labels = transfers.secret
        transfers.spend()
        own = _Garbler(delta, labels, key, [], 0, _columns(shares), [])
        return GarblerRound(shape, 0, transfers.nonce, own, destroyed=transfers.destroyed)

    def garble(self, state: _Answering, payload: bytes, source: RandomSource) -> tuple[_Answering, bytes]:
        """Label seed and hash key are drawn, 16 bytes each, in this order."""
        state.require_round(last=False)
        shape, own = state.shape, state.secret
        entrants, shares, signs, circuits = self._answer(state, payload, source)
        done = shape.instances * shape.matches(state.number - 1) if state.number else 0
        reverse, chosen, extension = own.reverse[done:], own.chosen >> done, b""
        if state.number == 0:
            reverse, chosen, extension = self._extend(state, own.key)
        # The bit that a label of lowest bit 0 stands for is the lowest bit of the zero label. Its mask is no label's
        # lowest bit: whether that depends on the random bit is the evaluator's choice, with the parity of its offset.
        flat = [label & 1 for wire in signs for label in wire]
        masked = ring.from_bits(flat) ^ chosen & (1 << len(flat)) - 1
        entrants = winners(entrants, _columns(shares), shape.share_bits)
        rest = own.labels[shape.transfers(state.number) :]
        answer = circuits + extension + masked.to_bytes((len(flat) + 7) // 8, "little")
        following = _Garbler(own.delta, rest, own.key, reverse, chosen, entrants, own.signs + signs)
        return state.following(following), answer

    def garble_last(self, state: _Answering, payload: bytes, source: RandomSource) -> tuple[Shares, bytes]:
        """The same two draws."""
        state.require_round(last=True)
        _, shares, _, circuits = self._answer(state, payload, source)
        return shares, circuits

    def _answer(
        self, state: _Answering, payload: bytes, source: RandomSource
    ) -> tuple[Columns, list[list[int]], LabelRows, bytes]:
        """Shares of the entrants; of the outputs, for each query; the outputs' zero labels; label seed and circuits."""
        shape, own = state.shape, state.secret
        require_length(payload, self.request_length(shape, state.number), "request of a round")
        split, count = self._rows_length(shape, state.number), shape.transfers(state.number)
        entrants = self._complete(state, payload[:split])
        flips = bits_from_bytes(payload[split:], count)
        state.spend()
        zeros = [label ^ own.delta if flips >> i & 1 else label for i, label in enumerate(own.labels[:count])]
        compared, keys = differences(entrants, shape.share_bits), (source.read(KEY_BYTES), source.read(KEY_BYTES))
        return entrants, *self._garble(state, compared, chosen_labels(zeros, 0), *keys)

    def evaluate(self, state: _Asking, payload: bytes, source: RandomSource) -> tuple[_Asking, bytes]:
        """The hash key of the rows is drawn, 16 bytes."""
        state.require_round(last=False)
        shape, own = state.shape, state.secret
        require_length(payload, self.answer_length(shape, state.number), "answer of a round")
        split = self._circuits_length(shape, state.number)
        shares, signs = self._evaluate(state, payload[:split])
        extension, _ = self._selection_lengths(shape, state.number)
        masked = bits_from_bytes(payload[split + extension :], shape.instances * shape.matches(state.number))
        key, reverse = own.key, own.reverse
        if state.number == 0:
            message = OtExtension.from_bytes(payload[split : split + extension], shape.reverse_transfers)
            reverse = ot_extension.extend_send(key, state.nonce, message)
        state.spend()
        stands = stands_for(signs, masked)
        count = len(stands) * shape.instances
        zeros = rows_of(reverse[:count], len(stands))
        weights = _negated(differences(own.entrants, shape.share_bits), shape.share_bits)
        hash_key = source.read(KEY_BYTES)
        sharing = Sharing(1, shape.share_bits)
        label_hash = LabelHash(hash_key, state.nonce + 1)
        rows, kept = project_by_garbler(sharing, zeros, stands, key.delta, label_hash, weights)
        self._tally.add(label_hash.use)
        entrants = winners(own.entrants, _columns(shares), shape.share_bits)
        entrants = _added(entrants, _columns(kept), shape.share_bits)
        spent = shape.transfers(state.number)
        after = _Evaluator(own.bits >> spent, own.labels[spent:], key, reverse[count:], entrants, own.signs + signs)
        chosen, choice = self._choose(shape, state.number + 1, after)
        sent = b"".join(elements_to_bytes(row, shape.share_bits) for row in rows)
        return state.following(chosen), hash_key + sent + choice

    def evaluate_last(self, state: _Asking, payload: bytes) -> Shares:
        """Nothing is drawn."""
        state.require_round(last=True)
        require_length(payload, self.answer_length(state.shape, state.number), "answer of a round")
        shares, _ = self._evaluate(state, payload)
        state.spend()
        return shares

    def _choose(self, shape: VoteShape, number: int, own: _Evaluator) -> tuple[_Evaluator, bytes]:
        """Each bit of the words XOR the random bit of its transfer: chunk by chunk, wire by wire, by instance."""
        chunk = self._chunk_of(shape.circuit(number))
        compared = differences(own.entrants, shape.share_bits)
        words = evaluator_words(compared, shape.guard_bits)
        bits = _bits(words, shape.word_bits)
        ordered = [bit for rows in by_chunks(bits, chunk) for row in rows for bit in row]
        count, chosen = len(ordered), ring.from_bits(ordered)
        masked = (own.bits & (1 << count) - 1) ^ chosen
        labels = chosen_labels(own.labels[:count], chosen) + own.labels[count:]
        return replace(own, labels=labels), masked.to_bytes((count + 7) // 8, "little")

    def _garble(
        self, state: _Answering, compared: Columns, zeros: list[int], label_seed: bytes, hash_key: bytes
    ) -> tuple[list[list[int]], LabelRows, bytes]:
        """The garbler's shares of the outputs for each query, their zero labels, and label seed and circuits."""
        shape, own = state.shape, state.secret
        circuit, label_hash = shape.circuit(state.number), LabelHash(hash_key, state.nonce)
        chunk = self._chunk_of(circuit)
        words = garbler_words(compared, shape.logit_bits, shape.guard_bits)
        wires = by_chunks(_bits(words, shape.word_bits), chunk)
        active = input_labels(label_seed, circuit.garbler_inputs, shape.instances, chunk)
        weights = None if shape.is_last(state.number) else _negated(compared, shape.share_bits)
        parts = zip(active, wires, self._input_rows(state, own.signs, zeros), strict=True)
        inputs = ([*offset_rows(labels, bits, own.delta), *theirs] for labels, bits, theirs in parts)
        made = garble_chunks(circuit, inputs, own.delta, label_hash, weights)
        self._tally.add(label_hash.use)
        return made.shares, made.zero_labels, label_seed + GarbledCircuits(hash_key, made.chunks).to_bytes(circuit)

    def _evaluate(self, state: _Asking, payload: bytes) -> tuple[list[list[int]], LabelRows]:
        """The evaluator's shares of the outputs for each query, and their active labels."""
        shape, own = state.shape, state.secret
        circuit = shape.circuit(state.number)
        chunk_size = self._chunk_of(circuit)
        message = GarbledCircuits.from_bytes(payload[KEY_BYTES:], circuit, shape.instances, chunk_size)
        active = input_labels(payload[:KEY_BYTES], circuit.garbler_inputs, shape.instances, chunk_size)
        own_rows = self._input_rows(state, own.signs, own.labels[: shape.transfers(state.number)])
        inputs = ([*labels, *mine] for labels, mine in zip(active, own_rows, strict=True))
        return evaluate_chunks(circuit, inputs, message.chunks, LabelHash(message.hash_key, state.nonce))

    def _input_rows(self, state: _Answering | _Asking, signs: LabelRows, labels: Sequence[int]) -> list[LabelRows]:
        """Labels of the evaluator's input wires, chunk by chunk: of its differences, and last of all signs."""
        shape = state.shape
        wires = shape.matches(state.number) * shape.word_bits
        kept = signs if shape.is_last(state.number) else []
        return [
            rows_of(labels[wires * span.start : wires * span.stop], wires) + [row[span] for row in kept]
            for span in self._spans(state)
        ]

    def _spans(self, state: _Answering | _Asking) -> list[slice]:
        """The instances of each chunk."""
        sizes = chunk_sizes(state.shape.instances, self._chunk_of(state.shape.circuit(state.number)))
        return [slice(start, end) for start, end in spans(sizes)]

    def _extend(self, state: _Answering, key: EvaluatorKey) -> tuple[list[int], int, bytes]:
        """The reverse transfers of all rounds: the garbler's labels and random bits, the message."""
        bits, labels, message = ot_extension.extend_receive(key, state.nonce, state.shape.reverse_transfers)
        return labels, bits, message.to_bytes()

    @staticmethod
    def _complete(state: _Answering, payload: bytes) -> Columns:
        """The garbler's shares of the entrants, with its shares of s D_e from the evaluator's rows."""
        shape, own = state.shape, state.secret
        if state.number == 0:
            return own.entrants
        matches = shape.matches(state.number - 1)
        count = matches * shape.instances
        rows = rows_of(elements_from_bytes(payload[KEY_BYTES:], shape.share_bits), matches)
        taken = rows_of(own.reverse[:count], matches)
        chosen = rows_of([own.chosen >> place & 1 for place in range(count)], matches)
        label_hash = LabelHash(payload[:KEY_BYTES], state.nonce)
        selected = project_by_evaluator(Sharing(1, shape.share_bits), taken, chosen, rows, label_hash)
        return _added(own.entrants, _columns(selected), shape.share_bits)


def stands_for(signs: LabelRows, masked: int) -> list[list[int]]:
    """Evaluator: the sign that its label q of a match's reverse transfer stands for; q XOR Delta' is the other one's.

    The garbler holds q XOR u Delta' and sends d = p XOR u. As s = c XOR p = u XOR c XOR d, the label of u = 0 stands
    for c XOR d.

    Args:
        signs: active labels, of lowest bit c; a row for each match.
        masked: the garbler's bits d, match after match.
    """
    flat = [label & 1 for wire in signs for label in wire]
    return rows_of([sign ^ masked >> place & 1 for place, sign in enumerate(flat)], len(signs))


def _columns(rows: Sequence[Words]) -> Columns:
    """A list for each entrant from one for each query."""
    return [list(column) for column in zip(*rows, strict=True)]


def _bits(columns: Columns, width: int) -> list[list[int]]:
    """For each query the bits of all its words, least significant first."""
    return [[bit for word in row for bit in ring.to_bits(word, width)] for row in zip(*columns, strict=True)]


def _negated(columns: Columns, width: int) -> Columns:
    """x_j - x_i from x_i - x_j."""
    return [[ring.reduce(-word, width) for word in column] for column in columns]


def _added(entrants: Columns, parts: Columns, width: int) -> Columns:
    """More shares of the first entrants, which are the winners of matches."""
    first = [ring.add(*pair, width) for pair in zip(entrants, parts, strict=False)]
    return first + entrants[len(parts) :]
