"""The vote in rounds on arrays: the messages of the readable `GarbledVote`, byte for byte.

:meth:`VectorisedVote.garble_stream` gives an answer in pieces as they are made, and
:meth:`VectorisedVote.evaluate_stream` reads it as it comes. Beside its transfers a batch holds 16 bytes for each class
and match of a query, at either end.

Spec: CAPC-ROUND-001 to CAPC-ROUND-006, CAPC-ROUND-009, CAPC-ROUND-010.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from capc.foundation.aes_ctr import KEY_BYTES
from capc.foundation.encoding import require_length
from capc.foundation.guarded import evaluator_word, garbler_word
from capc.foundation.randomness import RandomSource
from capc.two_party.circuits.builder import Sharing
from capc.two_party.garbling.readable_vote_rounds import RoundLengths
from capc.two_party.hash_use import HashTally
from capc.two_party.transfers import Transfers
from capc.two_party.transfers import Words as Row
from capc.two_party.vectorised import extension
from capc.two_party.vectorised.batches import GarbledStream, Piece, read_bytes, reader_of, spans
from capc.two_party.vectorised.bits import pack, unpack, wire_bits
from capc.two_party.vectorised.evaluator import EvaluatorProgram, ReadInto
from capc.two_party.vectorised.garbler import GarblerProgram
from capc.two_party.vectorised.hashing import BatchHash, HashBuffers
from capc.two_party.vectorised.labels import WORD, Bits, Words, colours
from capc.two_party.vectorised.output_sharing import EvaluatorProjection, GarblerProjection
from capc.two_party.vectorised.pool import ProgramPool
from capc.two_party.vectorised.transfers import ChosenEnd, EvaluatorEnd, GarblerEnd, Unstored
from capc.two_party.vote_rounds import EvaluatorRound, GarblerRound, Shares, VoteShape

_PROGRAMS = 20
"""For 10 rounds, of two sizes of chunks each."""


@dataclass(frozen=True, repr=False)
class _Garbler(Unstored):
    """What the garbler holds between rounds. Secret.

    Attributes:
        end: of the transfers of this round and those to come.
        key: of the reverse transfers.
        reverse: labels of reverse transfers: those of the last round's signs, then those of signs to come.
        chosen: random bits u of the same transfers, one byte each.
        entrants: its shares, of shape (queries, entrants); of the last round's winners without s D_e.
        signs: the zero labels of all signs, of shape (signs, queries, 2).
    """

    end: GarblerEnd
    key: extension.EvaluatorKey
    reverse: Words
    chosen: Bits
    entrants: Words
    signs: Words


@dataclass(frozen=True, repr=False)
class _Evaluator(Unstored):
    """What the evaluator holds between rounds, in the same shapes: with complete shares, and active labels. Secret.

    Attributes:
        chosen: its end of this round's transfers.
        end: of those to come.
        key: of the reverse transfers.
        reverse: labels of reverse transfers that are left.
        entrants: its shares.
        signs: the active labels of all signs.
    """

    chosen: ChosenEnd
    end: EvaluatorEnd
    key: extension.GarblerKey
    reverse: Words
    entrants: Words
    signs: Words


_Answering = GarblerRound[_Garbler]
_Asking = EvaluatorRound[_Evaluator]


class VectorisedVote(RoundLengths):
    """A vote in rounds, for all queries at once.

    Args:
        chunk: instances per chunk of circuits, the same at both ends; None for what the readable vote takes.
        tally: adds up what is hashed; None for one of its own.
    """

    def __init__(self, chunk: int | None = None, tally: HashTally | None = None) -> None:
        super().__init__(chunk, tally)
        self._garblers = ProgramPool(GarblerProgram, _PROGRAMS)
        self._evaluators = ProgramPool(EvaluatorProgram, _PROGRAMS)

    def begin(
        self, transfers: Transfers[EvaluatorEnd], key: extension.GarblerKey, shape: VoteShape, shares: Sequence[Row]
    ) -> tuple[_Asking, bytes]:
        """As the readable vote."""
        shape.require_transfers(transfers)
        entrants = _entrants(shape, shares)
        transfers.spend()
        chosen, rest, request = self._choose(shape, 0, transfers.secret, entrants)
        own = _Evaluator(chosen, rest, key, _no_labels(), entrants, _no_signs(shape))
        return EvaluatorRound(shape, 0, transfers.nonce, own), request

    def await_begin(
        self, transfers: Transfers[GarblerEnd], key: extension.EvaluatorKey, shape: VoteShape, shares: Sequence[Row]
    ) -> _Answering:
        """As the readable vote."""
        shape.require_transfers(transfers)
        entrants = _entrants(shape, shares)
        transfers.spend()
        own = _Garbler(transfers.secret, key, _no_labels(), np.empty(0, np.uint8), entrants, _no_signs(shape))
        return GarblerRound(shape, 0, transfers.nonce, own, destroyed=transfers.destroyed)

    def garble(self, state: _Answering, payload: bytes, source: RandomSource) -> tuple[_Answering, bytes]:
        """As the readable vote."""
        stream = self.garble_stream(state, payload, source)
        answer = stream.payload(self.answer_length(state.shape, state.number))
        return stream.output, answer

    def garble_last(self, state: _Answering, payload: bytes, source: RandomSource) -> tuple[Shares, bytes]:
        """As the readable vote."""
        stream = self.garble_last_stream(state, payload, source)
        answer = stream.payload(self.answer_length(state.shape, state.number))
        return stream.output, answer

    def garble_stream(self, state: _Answering, payload: bytes, source: RandomSource) -> GarbledStream[_Answering]:
        """The answer in pieces. The state is spent at once, whether it is read or not."""
        state.require_round(last=False)
        entrants, flips, keys = self._accept(state, payload, source)
        return GarbledStream(self._answer(state, entrants, flips, keys))

    def garble_last_stream(self, state: _Answering, payload: bytes, source: RandomSource) -> GarbledStream[Shares]:
        """The same in the last round."""
        state.require_round(last=True)
        entrants, flips, keys = self._accept(state, payload, source)
        return GarbledStream(self._last_answer(state, entrants, flips, keys))

    def _accept(
        self, state: _Answering, payload: bytes, source: RandomSource
    ) -> tuple[Words, Bits, tuple[bytes, bytes]]:
        """The garbler's shares of the entrants, the choice bits, and label seed and hash key. The state is spent."""
        require_length(payload, self.request_length(state.shape, state.number), "request of a round")
        split = self._rows_length(state.shape, state.number)
        flips = unpack(payload[split:], state.shape.transfers(state.number))
        entrants = _complete(state, payload[:split])
        state.spend()
        return entrants, flips, (source.read(KEY_BYTES), source.read(KEY_BYTES))

    def evaluate(self, state: _Asking, payload: bytes, source: RandomSource) -> tuple[_Asking, bytes]:
        """As the readable vote."""
        state.require_unspent()
        require_length(payload, self.answer_length(state.shape, state.number), "answer of a round")
        return self.evaluate_stream(state, reader_of(payload), source)

    def evaluate_last(self, state: _Asking, payload: bytes) -> Shares:
        """As the readable vote."""
        state.require_unspent()
        require_length(payload, self.answer_length(state.shape, state.number), "answer of a round")
        return self.evaluate_last_stream(state, reader_of(payload))

    def evaluate_last_stream(self, state: _Asking, read_into: ReadInto) -> Shares:
        """The same, on an answer that is read as it is needed; in all :meth:`answer_length` bytes are asked for."""
        state.require_round(last=True)
        shares: Shares = self._evaluate(state, read_into)[0].tolist()
        state.spend()
        return shares

    def evaluate_stream(self, state: _Asking, read_into: ReadInto, source: RandomSource) -> tuple[_Asking, bytes]:
        """The same in a round that is not the last."""
        state.require_round(last=False)
        shape, number, own = state.shape, state.number, state.secret
        shares, signs = self._evaluate(state, read_into)
        extension_length, bits_length = self._selection_lengths(shape, number)
        message = read_bytes(read_into, extension_length)
        masked = unpack(read_bytes(read_into, bits_length), shape.instances * shape.matches(number))
        reverse = own.reverse
        if number == 0:
            own.key.require_free(state.nonce)
            reverse = extension.extend_send(own.key, state.nonce, shape.reverse_transfers, message)
            own.key.take_nonces(state.nonce, 1)
        state.spend()
        compared = _differences(own.entrants, shape)
        hash_key = source.read(KEY_BYTES)
        # What each label q stands for, as in the readable vote.
        stands = colours(signs).reshape(-1) ^ masked
        label_hash = BatchHash(hash_key, state.nonce + 1)
        sent, kept = _project(shape, reverse[: len(stands)], stands, own.key.delta, label_hash, compared)
        self._tally.add(label_hash.use)
        entrants = _winners(own.entrants, shares + kept, shape)
        chosen, rest, choice = self._choose(shape, number + 1, own.end, entrants)
        signs = np.concatenate([own.signs, signs])
        after = _Evaluator(chosen, rest, own.key, reverse[len(stands) :], entrants, signs)
        return state.following(after), hash_key + sent + choice

    def _choose(
        self, shape: VoteShape, number: int, end: EvaluatorEnd, entrants: Words
    ) -> tuple[ChosenEnd, EvaluatorEnd, bytes]:
        """Each bit of the words XOR the random bit of its transfer: chunk by chunk, wire by wire, by instance.

        Returns:
            the end of this round's transfers, and of those to come; the choice bits.
        """
        compared = _differences(entrants, shape)
        chunks = spans(shape.instances, self._chunk_of(shape.circuit(number)))
        words = evaluator_word(compared, shape.guard_bits)
        bits = np.concatenate([wire_bits(words[chunk], shape.word_bits) for chunk in chunks])
        here, rest = end.part(slice(len(bits))), end.part(slice(len(bits), None))
        return ChosenEnd(here, bits), rest, pack(here.bits ^ bits)

    def _answer(
        self, state: _Answering, entrants: Words, flips: Bits, keys: tuple[bytes, bytes]
    ) -> Generator[Piece, None, _Answering]:
        """Yields the payload; returns the next state."""
        shape, number, own = state.shape, state.number, state.secret
        shares, signs = yield from self._garble(state, entrants, flips, keys)
        done = shape.instances * shape.matches(number - 1) if number else 0
        reverse, chosen = own.reverse[done:], own.chosen[done:]
        if number == 0:
            own.key.take_nonces(state.nonce, 1)
            chosen, received, message = extension.extend_receive(own.key, state.nonce, shape.reverse_transfers)
            yield message
            reverse = received.all()
        # The bit that a label of lowest bit 0 stands for is the lowest bit of the zero label.
        permute = colours(signs).reshape(-1)
        yield pack(permute ^ chosen[: len(permute)])
        end = own.end.part(slice(shape.transfers(number), None))
        signs = np.concatenate([own.signs, signs])
        return state.following(_Garbler(end, own.key, reverse, chosen, _winners(entrants, shares, shape), signs))

    def _last_answer(
        self, state: _Answering, entrants: Words, flips: Bits, keys: tuple[bytes, bytes]
    ) -> Generator[Piece, None, Shares]:
        """Yields the payload; returns the shares of the votes."""
        shares, _ = yield from self._garble(state, entrants, flips, keys)
        votes: Shares = shares.tolist()
        return votes

    def _garble(
        self, state: _Answering, entrants: Words, flips: Bits, keys: tuple[bytes, bytes]
    ) -> Generator[Piece, None, tuple[Words, Words]]:
        """Yields label seed and circuits; returns the garbler's shares for each query, and the zero labels."""
        shape, number, own = state.shape, state.number, state.secret
        circuit, compared = shape.circuit(number), _differences(entrants, shape)
        words = garbler_word(compared, shape.logit_bits, shape.guard_bits)
        shares = np.empty((shape.instances, len(circuit.outputs)), WORD)
        signs = np.empty((len(circuit.outputs), shape.instances, 2), WORD)
        label_hash = BatchHash(keys[1], state.nonce)
        yield b"".join(keys)
        for place, span in enumerate(spans(shape.instances, self._chunk_of(circuit))):
            label_hash.begin_chunk(place)
            with self._garblers.lend(circuit, span.stop - span.start) as program:
                program.begin(label_hash, own.end.delta)
                program.set_garbler_labels(keys[0], place, wire_bits(words[span], shape.word_bits))
                cut = _transfers_of(span, shape, number)
                program.set_evaluator_labels(own.end.labels[cut], flips[cut])
                weights = None
                if shape.is_last(number):
                    program.set_last_labels(own.signs[:, span].reshape(-1, 2))
                else:
                    weights = np.negative(compared[span].T)
                yield from program.run(label_hash)
                shares[span], signs[:, span], rows = program.share_outputs(label_hash, weights)
                yield rows.data
        self._tally.add(label_hash.use)
        return shares, signs

    def _evaluate(self, state: _Asking, read_into: ReadInto) -> tuple[Words, Words]:
        """The evaluator's shares of the outputs for each query, and their active labels."""
        shape, number, own = state.shape, state.number, state.secret
        circuit = shape.circuit(number)
        shares = np.empty((shape.instances, len(circuit.outputs)), WORD)
        signs = np.empty((len(circuit.outputs), shape.instances, 2), WORD)
        label_seed = read_bytes(read_into, KEY_BYTES)
        label_hash = BatchHash(read_bytes(read_into, KEY_BYTES), state.nonce)
        own_labels = own.chosen.labels
        for place, span in enumerate(spans(shape.instances, self._chunk_of(circuit))):
            label_hash.begin_chunk(place)
            with self._evaluators.lend(circuit, span.stop - span.start) as program:
                program.begin(label_hash)
                program.expand_garbler_labels(label_seed, place)
                program.set_evaluator_labels(own_labels[_transfers_of(span, shape, number)])
                if shape.is_last(number):
                    program.set_last_labels(own.signs[:, span].reshape(-1, 2))
                program.run(label_hash, read_into)
                shares[span], signs[:, span] = program.share_outputs(label_hash, read_into)
        return shares, signs


def _entrants(shape: VoteShape, shares: Sequence[Row]) -> Words:
    """The shares as an array, checked as :meth:`VoteShape.require_shares` does."""
    try:
        words = np.array([*shares], WORD)
    except (OverflowError, ValueError):
        raise shape.refusal() from None
    if words.shape != (shape.instances, shape.num_classes) or (words > _mask(shape)).any():
        raise shape.refusal()
    return words


def _no_labels() -> Words:
    return np.empty((0, 2), WORD)


def _no_signs(shape: VoteShape) -> Words:
    return np.empty((0, shape.instances, 2), WORD)


def _mask(shape: VoteShape) -> np.uint64:
    return np.uint64((1 << shape.share_bits) - 1)


def _transfers_of(span: slice, shape: VoteShape, number: int) -> slice:
    """The transfers of a chunk in its round."""
    bits = shape.matches(number) * shape.word_bits
    return slice(span.start * bits, span.stop * bits)


def _differences(entrants: Words, shape: VoteShape) -> Words:
    """Shares of x_i - x_j, of shape (queries, matches)."""
    pairs = entrants[:, : entrants.shape[1] // 2 * 2]
    return (pairs[:, ::2] - pairs[:, 1::2]) & _mask(shape)


def _winners(entrants: Words, selected: Words, shape: VoteShape) -> Words:
    """Shares of the winners and of an odd one out, as :func:`capc.two_party.vote_rounds.winners`."""
    won = entrants[:, : 2 * selected.shape[1] : 2] + selected
    return np.concatenate([won & _mask(shape), entrants[:, 2 * selected.shape[1] :]], axis=1)


def _project(
    shape: VoteShape, zeros: Words, stands: Bits, delta: Words, label_hash: BatchHash, compared: Words
) -> tuple[bytes, Words]:
    """Rows for the evaluator's labels q with its weights x_j - x_i, as bytes; its shares, shaped (queries, matches)."""
    rows, matches = len(zeros), compared.shape[1]
    hashes = HashBuffers(rows, 2 * rows)
    hashes.set_nonce(label_hash.nonce)
    projection = GarblerProjection(Sharing(1, shape.share_bits), matches, shape.instances, hashes, 0)
    offsets = np.broadcast_to(delta, zeros.shape)
    kept, sent = projection.project(zeros, stands.astype(WORD), offsets, label_hash, np.negative(compared.T))
    return sent.tobytes(), kept


def _complete(state: _Answering, payload: bytes) -> Words:
    """The garbler's shares of the entrants, with its shares of s D_e from the evaluator's rows.

    Raises:
        InvalidPayloadError: a row outside its ring (`value_out_of_range`).
    """
    shape, own = state.shape, state.secret
    if state.number == 0:
        return own.entrants
    matches = shape.matches(state.number - 1)
    count = matches * shape.instances
    hashes = HashBuffers(count, count)
    hashes.set_nonce(state.nonce)
    projection = EvaluatorProjection(Sharing(1, shape.share_bits), matches, shape.instances, hashes, 0)
    rows = projection.codec.read(np.frombuffer(payload[KEY_BYTES:], np.uint8))
    label_hash = BatchHash(payload[:KEY_BYTES], state.nonce)
    selected = projection.project(own.reverse[:count], own.chosen[:count].astype(WORD), rows, label_hash)
    entrants = own.entrants.copy()
    entrants[:, :matches] = (entrants[:, :matches] + selected) & _mask(shape)
    return entrants
