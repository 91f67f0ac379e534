"""The fast two-party scheme: the messages of :class:`capc.two_party.garbling.readable.GarbledTwoParty`, byte for byte.

Set-up is the readable scheme's own. Beside the methods of :class:`capc.two_party.interface.TwoPartyScheme`, which take
and give whole payloads, circuits can be streamed: :meth:`VectorisedTwoParty.garble_stream` gives the payload in pieces
as they are made, and :meth:`VectorisedTwoParty.evaluate_stream` reads it as it comes: neither end holds all tables.

Memory: 17 bytes per transfer of a batch, which a caller bounds by making several batches; and, for each chunk size in
use, what :mod:`capc.two_party.vectorised.programs` says.

Nothing of a connection survives a restart: keys and the states between messages cannot be stored.
Spec: CAPC-GC-001 to CAPC-GC-009, CAPC-OT-001 to CAPC-OT-010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from capc.foundation.aes_ctr import KEY_BYTES
from capc.foundation.encoding import require_length
from capc.foundation.randomness import RandomSource
from capc.foundation.single_use import SpentMark
from capc.two_party.circuits.builder import Circuit
from capc.two_party.garbling.readable import GarbledScheme, grow_leaves, take_leaves
from capc.two_party.garbling.transfers.base_ot import BaseOtSender, ChosenSeeds
from capc.two_party.garbling.transfers.ot_messages import checked_transfers
from capc.two_party.interface import (
    Evaluation,
    EvaluatorChoice,
    GarblerOutput,
    OfflineGarbling,
    OutputCheck,
    accept_any,
)
from capc.two_party.transfers import Transfers
from capc.two_party.vectorised import extension
from capc.two_party.vectorised.batches import (
    GarbledStream,
    GarblerBatch,
    check_outputs,
    evaluate_batch,
    garble_batch,
    read_bytes,
    reader_of,
    spans,
)
from capc.two_party.vectorised.bits import Inputs, input_words, pack, unpack, wire_bits
from capc.two_party.vectorised.evaluator import EvaluatorProgram, ReadInto
from capc.two_party.vectorised.extension import EvaluatorKey, GarblerKey
from capc.two_party.vectorised.garbler import GarblerProgram
from capc.two_party.vectorised.labels import WORD, Words, expand_labels, multiples, new_counters, select
from capc.two_party.vectorised.pool import ProgramPool
from capc.two_party.vectorised.transfers import ChosenEnd, EvaluatorEnd, GarblerEnd, TransferStash, Unstored, cut
from capc.two_party.vectorised.vote_rounds import VectorisedVote


@dataclass(frozen=True, repr=False)
class _LabelSource(Unstored):
    """What the labels of a garbler's inputs come from, after it garbled ahead. Secret."""

    delta: Words
    seed: bytes


class VectorisedTwoParty(GarbledScheme):
    """Garbled circuits, all instances of a chunk at once. Arguments as of :class:`GarbledScheme`."""

    def __init__(self, chunk: int | None = None) -> None:
        super().__init__(chunk)
        self._vote_rounds = VectorisedVote(chunk, self._tally)
        self._garblers = ProgramPool(GarblerProgram)
        self._evaluators = ProgramPool(EvaluatorProgram)

    @property
    def vote_rounds(self) -> VectorisedVote:
        """The fast vote in rounds."""
        return self._vote_rounds

    def evaluator_finish(
        self, state: BaseOtSender, choice: bytes, context: bytes, source: RandomSource
    ) -> tuple[EvaluatorKey, bytes]:
        """The readable scheme's key with its ciphers set up; it cannot be copied or stored."""
        key, trees = grow_leaves(state, choice, context, source)
        return EvaluatorKey(key), trees

    def garbler_finish(self, state: ChosenSeeds, trees: bytes) -> GarblerKey:
        """The readable scheme's key with its ciphers set up; it cannot be copied or stored."""
        return GarblerKey(take_leaves(state, trees))

    def destruction(self, end: GarblerKey | ChosenSeeds) -> SpentMark:
        """Its own mark, which the readable key shares."""
        return end.destroyed

    def extend_evaluator(
        self, key: EvaluatorKey, nonce: int, counts: Sequence[int]
    ) -> tuple[list[Transfers[EvaluatorEnd]], bytes]:
        """One extension for all batches.

        Raises:
            InputError: a nonce comes again.
        """
        end, payload = self._receive(key, nonce, len(counts), sum(counts))
        return cut(end, nonce, counts, SpentMark()), payload

    def expect_transfers(self, key: GarblerKey, nonce: int, counts: Sequence[int]) -> None:
        """Folds the streams of the extension: half of the garbler's work for it, and 16 bytes per transfer.

        Raises:
            InputError: a nonce comes again.
        """
        key.expect(nonce, checked_transfers(sum(counts)))

    def extend_garbler(
        self, key: GarblerKey, nonce: int, counts: Sequence[int], payload: bytes
    ) -> list[Transfers[GarblerEnd]]:
        """The same, by the garbler."""
        return cut(self._send(key, nonce, len(counts), sum(counts), payload), nonce, counts, key.destroyed)

    def stash_evaluator(
        self, key: EvaluatorKey, nonce: int, count: int, batches: int
    ) -> tuple[TransferStash[EvaluatorEnd], bytes]:
        """One extension for batches that are not known yet, at ``batches`` nonces from ``nonce`` on.

        Raises:
            InputError: a nonce comes again.
        """
        end, payload = self._receive(key, nonce, batches, count)
        # Ahead of their use.
        end.source.all()
        return TransferStash(end, count, nonce, batches, SpentMark()), payload

    def stash_garbler(
        self, key: GarblerKey, nonce: int, count: int, batches: int, payload: bytes
    ) -> TransferStash[GarblerEnd]:
        """The same, by the garbler."""
        end = self._send(key, nonce, batches, count, payload)
        return TransferStash(end, count, nonce, batches, key.destroyed)

    def choose(
        self, transfers: Transfers[EvaluatorEnd], circuit: Circuit, inputs: Inputs
    ) -> tuple[EvaluatorChoice[ChosenEnd], bytes]:
        """Sends each input bit XOR the random bit of its transfer: chunk by chunk, wire by wire, by instance."""
        transfers.require_count(circuit, len(inputs))
        end = transfers.secret
        words = input_words(circuit, inputs, circuit.evaluator_words)
        chunks = spans(len(inputs), self.chunk_of(circuit))
        bits = np.concatenate([wire_bits(words[chunk], circuit.input_bits) for chunk in chunks])
        transfers.spend()
        return EvaluatorChoice(circuit, len(inputs), transfers.nonce, ChosenEnd(end, bits)), pack(end.bits ^ bits)

    def garble(
        self, transfers: Transfers[GarblerEnd], circuit: Circuit, inputs: Inputs, bits: bytes, source: RandomSource
    ) -> tuple[GarblerOutput, bytes]:
        """As the readable scheme."""
        stream = self.garble_stream(transfers, circuit, inputs, bits, source)
        payload = stream.payload(self.circuits_length(circuit, len(inputs)))
        return stream.output, payload

    def garble_stream(
        self, transfers: Transfers[GarblerEnd], circuit: Circuit, inputs: Inputs, bits: bytes, source: RandomSource
    ) -> GarbledStream[GarblerOutput]:
        """The payload of :meth:`garble` in pieces. The transfers are spent at once, whether it is read or not."""
        transfers.require_unspent()
        transfers.require_count(circuit, len(inputs))
        words = input_words(circuit, inputs, circuit.garbler_words)
        batch = _accept(transfers, circuit, len(inputs), bits, source, words)
        return GarbledStream(garble_batch(self._garblers, batch, self.chunk_of(batch.circuit), self._tally))

    def evaluate(
        self, chosen: EvaluatorChoice[ChosenEnd], payload: bytes, check: OutputCheck = accept_any
    ) -> Evaluation:
        """Evaluates every instance, with the garbler's labels from the seed."""
        chosen.require_unspent()
        require_length(payload, self.circuits_length(chosen.circuit, chosen.instances), "garbled circuits")
        return self.evaluate_stream(chosen, reader_of(payload), check)

    def evaluate_stream(
        self, chosen: EvaluatorChoice[ChosenEnd], read_into: ReadInto, check: OutputCheck = accept_any
    ) -> Evaluation:
        """The same, on a payload that is read as it is needed.

        Args:
            chosen: the evaluator's state, spent at the end if ``check`` accepts the outputs.
            read_into: fills a buffer with the payload's next bytes; in all :meth:`circuits_length` bytes are asked for.
            check: of the outputs.
        """
        chosen.require_unspent()
        seed = read_bytes(read_into, KEY_BYTES)
        evaluation = self._evaluate_batch(chosen, seed, read_into)
        check(evaluation.outputs)
        chosen.spend()
        return evaluation

    def garble_offline(
        self, transfers: Transfers[GarblerEnd], circuit: Circuit, instances: int, bits: bytes, source: RandomSource
    ) -> tuple[OfflineGarbling[_LabelSource], bytes]:
        """As the readable scheme."""
        batch = _accept(transfers, circuit, instances, bits, source, None)
        stream = GarbledStream(garble_batch(self._garblers, batch, self.chunk_of(batch.circuit), self._tally))
        payload = stream.payload(self.offline_length(circuit, instances))
        secret = _LabelSource(batch.delta, batch.label_seed)
        return OfflineGarbling(circuit, instances, stream.output, secret, destroyed=transfers.destroyed), payload

    def check_offline(self, chosen: EvaluatorChoice[ChosenEnd], payload: bytes) -> None:
        """As the readable scheme; tables can hold anything, so only outputs are looked at."""
        require_length(payload, self.offline_length(chosen.circuit, chosen.instances), "garbled circuits")
        # Ahead of their use.
        chosen.secret.end.source.all()
        check_outputs(chosen.circuit, chosen.instances, self.chunk_of(chosen.circuit), payload)

    def activate(self, offline: OfflineGarbling[_LabelSource], inputs: Inputs) -> bytes:
        """The active label of each input bit: chunk by chunk, wire by wire, by instance."""
        offline.require_instances(len(inputs))
        secret, circuit = offline.secret, offline.circuit
        words = input_words(circuit, inputs, circuit.garbler_words)
        offline.spend()
        parts = []
        for number, chunk in enumerate(spans(offline.instances, self.chunk_of(circuit))):
            count = circuit.garbler_inputs * len(words[chunk])
            counters = new_counters(count)
            active = new_counters(count)
            expand_labels(secret.seed, number, counters, active.target(0, count), count)
            labels = active.labels(0, count)
            labels ^= select(multiples(secret.delta), wire_bits(words[chunk], circuit.input_bits))
            parts.append(labels.tobytes())
        return b"".join(parts)

    def evaluate_online(self, chosen: EvaluatorChoice[ChosenEnd], payload: bytes, labels: bytes) -> Evaluation:
        """Evaluates every instance, with the garbler's labels as they were sent."""
        chosen.require_unspent()
        require_length(labels, self.labels_length(chosen.circuit, chosen.instances), "input labels")
        require_length(payload, self.offline_length(chosen.circuit, chosen.instances), "garbled circuits")
        evaluation = self._evaluate_batch(chosen, np.frombuffer(labels, WORD).reshape(-1, 2), reader_of(payload))
        chosen.spend()
        return evaluation

    @staticmethod
    def _receive(key: EvaluatorKey, nonce: int, batches: int, count: int) -> tuple[EvaluatorEnd, bytes]:
        key.take_nonces(nonce, batches)
        bits, labels, payload = extension.receive_checked(key, nonce, count)
        return EvaluatorEnd(bits, labels), payload

    @staticmethod
    def _send(key: GarblerKey, nonce: int, batches: int, count: int, payload: bytes) -> GarblerEnd:
        key.require_free(nonce, batches)
        labels = extension.send_checked(key, nonce, count, payload)
        key.take_nonces(nonce, batches)
        return GarblerEnd(key.delta, labels)

    def _evaluate_batch(
        self, chosen: EvaluatorChoice[ChosenEnd], garbler_labels: bytes | Words, read_into: ReadInto
    ) -> Evaluation:
        return evaluate_batch(self._evaluators, chosen, garbler_labels, read_into, self.chunk_of(chosen.circuit))


def _accept(
    transfers: Transfers[GarblerEnd],
    circuit: Circuit,
    instances: int,
    bits: bytes,
    source: RandomSource,
    words: Words | None,
) -> GarblerBatch:
    """Takes good choice bits; draws the label seed and the hash key, in this order; spends the transfers."""
    transfers.require_unspent()
    transfers.require_count(circuit, instances)
    end = transfers.secret
    flips = unpack(bits, transfers.count)
    transfers.spend()
    seed, key = source.read(KEY_BYTES), source.read(KEY_BYTES)
    return GarblerBatch(circuit, instances, transfers.nonce, end.delta, end.labels, flips, seed, key, words)
