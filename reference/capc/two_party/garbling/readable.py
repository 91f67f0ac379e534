"""The readable two-party scheme: half-gates garbling with labels from correlated oblivious transfers.

A fast implementation stands beside it, with the same signatures and the same bytes from the same randomness.

Spec: CAPC-GC-001 to CAPC-GC-009, CAPC-OT-001 to CAPC-OT-010, CAPC-GC-013.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation import ring
from capc.foundation.aes_ctr import KEY_BYTES, to_labels
from capc.foundation.encoding import LABEL_BYTES, bits_from_bytes, require_length
from capc.foundation.randomness import RandomSource
from capc.foundation.single_use import SpentMark
from capc.two_party.circuits.builder import Circuit, input_wires
from capc.two_party.garbling.half_gates import LabelHash, LabelRows
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
from capc.two_party.garbling.readable_vote_rounds import GarbledVote
from capc.two_party.garbling.transfers import base_ot
from capc.two_party.garbling.transfers.base_ot import BaseOtSender, ChosenSeeds
from capc.two_party.garbling.transfers.extension_check import receive_checked, send_checked
from capc.two_party.garbling.transfers.ot_extension import EvaluatorKey, GarblerKey
from capc.two_party.garbling.transfers.ot_messages import BaseOtChoice, BaseOtOffer, CheckedExtension, OtTrees
from capc.two_party.garbling.transfers.tree_check import grow_checked, take_checked
from capc.two_party.hash_use import HashTally, HashUse
from capc.two_party.interface import (
    Evaluation,
    EvaluatorChoice,
    GarblerOutput,
    OfflineGarbling,
    OutputCheck,
    OutputLabels,
    accept_any,
)
from capc.two_party.transfers import Transfers, Words

EvaluatorEnd = tuple[int, list[int]]
"""Random bits, as one number, and the label of each."""
GarblerEnd = tuple[int, list[int]]
"""Delta, and the zero label of each transfer."""
InputZeros = tuple[int, list[LabelRows]]
"""Delta, and the zero labels of the garbler's inputs, chunk by chunk."""


class GarbledScheme:
    """What the readable engine and the fast one share: lengths, and the first half of the set-up.

    Args:
        chunk: instances per chunk, the same at both ends; None for :func:`chunk_instances` of each circuit.
    """

    def __init__(self, chunk: int | None = None) -> None:
        self._chunk = chunk
        self._tally = HashTally()

    @property
    def hash_use(self) -> HashUse:
        """What garblers with this object hashed so far, and under how many keys."""
        return self._tally.use

    def chunk_of(self, circuit: Circuit) -> int:
        """Instances of a circuit that are garbled together."""
        return chunk_instances(circuit) if self._chunk is None else self._chunk

    def offer_length(self) -> int:
        """32."""
        return BaseOtOffer.byte_length()

    def choice_length(self) -> int:
        """4096."""
        return BaseOtChoice.byte_length()

    def trees_length(self) -> int:
        """6144."""
        return OtTrees.byte_length()

    def extension_length(self, transfers: int) -> int:
        """496 (ceil(transfers / 128) + 1) + 48."""
        return CheckedExtension.byte_length(transfers)

    def bits_length(self, circuit: Circuit, instances: int) -> int:
        """One bit per input bit of the evaluator."""
        return (instances * circuit.evaluator_inputs + 7) // 8

    def check_bits(self, circuit: Circuit, instances: int, bits: bytes) -> None:
        """Refuses another length, and padding bits that are set (`non_canonical`)."""
        bits_from_bytes(bits, instances * circuit.evaluator_inputs)

    def circuits_length(self, circuit: Circuit, instances: int) -> int:
        """A label seed, and the circuits."""
        return KEY_BYTES + self.offline_length(circuit, instances)

    def offline_length(self, circuit: Circuit, instances: int) -> int:
        """See :meth:`GarbledCircuits.byte_length`."""
        return GarbledCircuits.byte_length(circuit, instances, self.chunk_of(circuit))

    def labels_length(self, circuit: Circuit, instances: int) -> int:
        """16 bytes per input bit of the garbler."""
        return LABEL_BYTES * instances * circuit.garbler_inputs

    def evaluator_offer(self, source: RandomSource) -> tuple[BaseOtSender, bytes]:
        """The base OT offer."""
        state, offer = base_ot.base_ot_offer(source)
        return state, offer.to_bytes()

    def garbler_choose(self, offer: bytes, context: bytes, source: RandomSource) -> tuple[ChosenSeeds, bytes]:
        """Delta and the chosen seeds; the base OT choice."""
        seeds, choice = base_ot.base_ot_choose(BaseOtOffer.from_bytes(offer), context, source)
        return seeds, choice.to_bytes()


def grow_leaves(
    sender: BaseOtSender, choice: bytes, context: bytes, source: RandomSource
) -> tuple[EvaluatorKey, bytes]:
    """Evaluator: all leaves of all trees; what gives the garbler all but one of each."""
    points = BaseOtChoice.from_bytes(choice)
    pairs = base_ot.base_ot_finish(sender, points, context)
    key, trees = grow_checked(pairs, context, sender.offer.to_bytes() + choice, source)
    return key, trees.to_bytes()


def take_leaves(chosen: ChosenSeeds, trees: bytes) -> GarblerKey:
    """Garbler: Delta, and all leaves but one of each tree, after the check of all trees; raises as that."""
    return take_checked(chosen, OtTrees.from_bytes(trees))


class GarbledTwoParty(GarbledScheme):
    """Garbled circuits, one chunk of instances after another. Arguments as of :class:`GarbledScheme`."""

    def __init__(self, chunk: int | None = None) -> None:
        super().__init__(chunk)
        self._vote_rounds = GarbledVote(chunk, self._tally)

    @property
    def vote_rounds(self) -> GarbledVote:
        """The readable vote in rounds."""
        return self._vote_rounds

    def evaluator_finish(
        self, state: BaseOtSender, choice: bytes, context: bytes, source: RandomSource
    ) -> tuple[EvaluatorKey, bytes]:
        """See :func:`grow_leaves`."""
        return grow_leaves(state, choice, context, source)

    def garbler_finish(self, state: ChosenSeeds, trees: bytes) -> GarblerKey:
        """See :func:`take_leaves`."""
        return take_leaves(state, trees)

    def destruction(self, end: GarblerKey | ChosenSeeds) -> SpentMark:
        """Its own mark."""
        return end.destroyed

    def extend_evaluator(
        self, key: EvaluatorKey, nonce: int, counts: Sequence[int]
    ) -> tuple[list[Transfers[EvaluatorEnd]], bytes]:
        """One extension for all batches."""
        bits, labels, message = receive_checked(key, nonce, sum(counts))
        transfers = []
        for number, (start, end) in enumerate(spans(counts)):
            own = (bits >> start) & ((1 << end - start) - 1), labels[start:end]
            transfers.append(Transfers(nonce + number, end - start, own))
        return transfers, message.to_bytes()

    def expect_transfers(self, key: GarblerKey, nonce: int, counts: Sequence[int]) -> None:
        """Nothing: this scheme does all its work when the message is there."""

    def extend_garbler(
        self, key: GarblerKey, nonce: int, counts: Sequence[int], payload: bytes
    ) -> list[Transfers[GarblerEnd]]:
        """The same, by the garbler."""
        labels = send_checked(key, nonce, sum(counts), CheckedExtension.from_bytes(payload, sum(counts)))
        return [
            Transfers(nonce + number, end - start, (key.delta, labels[start:end]), destroyed=key.destroyed)
            for number, (start, end) in enumerate(spans(counts))
        ]

    def choose(
        self, transfers: Transfers[EvaluatorEnd], circuit: Circuit, inputs: Sequence[Words]
    ) -> tuple[EvaluatorChoice[list[int]], bytes]:
        """Sends each input bit XOR the random bit of its transfer: chunk by chunk, wire by wire, by instance."""
        transfers.require_count(circuit, len(inputs))
        random_bits, labels = transfers.secret
        bits = [input_wires(circuit, words, circuit.evaluator_words) for words in inputs]
        ordered = [bit for rows in by_chunks(bits, self.chunk_of(circuit)) for row in rows for bit in row]
        transfers.spend()
        chosen = ring.from_bits(ordered)
        payload = (random_bits ^ chosen).to_bytes((len(ordered) + 7) // 8, "little")
        return EvaluatorChoice(circuit, len(inputs), transfers.nonce, chosen_labels(labels, chosen)), payload

    def garble(
        self,
        transfers: Transfers[GarblerEnd],
        circuit: Circuit,
        inputs: Sequence[Words],
        bits: bytes,
        source: RandomSource,
    ) -> tuple[GarblerOutput, bytes]:
        """Garbles every instance, with active labels of the garbler's inputs that a public seed gives.

        1. The label seed and the hash key are drawn, 16 bytes each, in this order.
        2. The seed's labels are active: a zero label is its active label, XOR Delta where the input is 1.
        3. Sent: the label seed, the circuits.
        """
        delta, evaluator_zeros = self._evaluator_zeros(transfers, circuit, len(inputs), bits)
        # 1.
        label_seed = source.read(KEY_BYTES)
        # 2.
        wires = [input_wires(circuit, words, circuit.garbler_words) for words in inputs]
        garbler_zeros = [
            offset_rows(active, rows, delta)
            for active, rows in zip(
                self._garbler_labels(label_seed, circuit, len(inputs)),
                by_chunks(wires, self.chunk_of(circuit)),
                strict=True,
            )
        ]
        transfers.spend()
        output, circuits = self._garble(
            circuit, transfers.nonce, delta, garbler_zeros, evaluator_zeros, source.read(KEY_BYTES)
        )
        # 3.
        return output, label_seed + circuits

    def evaluate(
        self, chosen: EvaluatorChoice[list[int]], payload: bytes, check: OutputCheck = accept_any
    ) -> Evaluation:
        """Evaluates every instance, with the garbler's labels from the seed."""
        chosen.require_unspent()
        require_length(payload, self.circuits_length(chosen.circuit, chosen.instances), "garbled circuits")
        active = self._garbler_labels(payload[:KEY_BYTES], chosen.circuit, chosen.instances)
        evaluation = self._evaluate(chosen, payload[KEY_BYTES:], active)
        check(evaluation.outputs)
        chosen.spend()
        return evaluation

    def garble_offline(
        self, transfers: Transfers[GarblerEnd], circuit: Circuit, instances: int, bits: bytes, source: RandomSource
    ) -> tuple[OfflineGarbling[InputZeros], bytes]:
        """Garbles every instance, with zero labels of the garbler's inputs that a secret seed gives.

        The seed and the hash key are drawn, 16 bytes each, in this order. Sent: the circuits.
        """
        delta, evaluator_zeros = self._evaluator_zeros(transfers, circuit, instances, bits)
        label_seed = source.read(KEY_BYTES)
        garbler_zeros = self._garbler_labels(label_seed, circuit, instances)
        transfers.spend()
        output, circuits = self._garble(
            circuit, transfers.nonce, delta, garbler_zeros, evaluator_zeros, source.read(KEY_BYTES)
        )
        secret = delta, garbler_zeros
        return OfflineGarbling(circuit, instances, output, secret, destroyed=transfers.destroyed), circuits

    def check_offline(self, chosen: EvaluatorChoice[list[int]], payload: bytes) -> None:
        """As :meth:`GarbledCircuits.from_bytes`."""
        GarbledCircuits.from_bytes(payload, chosen.circuit, chosen.instances, self.chunk_of(chosen.circuit))

    def activate(self, offline: OfflineGarbling[InputZeros], inputs: Sequence[Words]) -> bytes:
        """The active label of each input bit: chunk by chunk, wire by wire, by instance."""
        offline.require_instances(len(inputs))
        delta, zeros = offline.secret
        wires = [input_wires(offline.circuit, words, offline.circuit.garbler_words) for words in inputs]
        chunks = zip(zeros, by_chunks(wires, self.chunk_of(offline.circuit)), strict=True)
        active = [label for zero, rows in chunks for row in offset_rows(zero, rows, delta) for label in row]
        offline.spend()
        return b"".join(label.to_bytes(LABEL_BYTES, "little") for label in active)

    def evaluate_online(self, chosen: EvaluatorChoice[list[int]], payload: bytes, labels: bytes) -> Evaluation:
        """Evaluates every instance, with the garbler's labels as they were sent."""
        chosen.require_unspent()
        circuit, instances = chosen.circuit, chosen.instances
        require_length(labels, self.labels_length(circuit, instances), "input labels")
        active = self._by_chunks(to_labels(labels), circuit, circuit.garbler_inputs, instances)
        evaluation = self._evaluate(chosen, payload, active)
        chosen.spend()
        return evaluation

    def _evaluator_zeros(
        self, transfers: Transfers[GarblerEnd], circuit: Circuit, instances: int, bits: bytes
    ) -> tuple[int, list[LabelRows]]:
        """Delta, and the zero labels of the evaluator's input wires, chunk by chunk, from its choice bits."""
        transfers.require_unspent()
        transfers.require_count(circuit, instances)
        delta, labels = transfers.secret
        flips = bits_from_bytes(bits, len(labels))
        zeros = [label ^ delta if flips >> index & 1 else label for index, label in enumerate(labels)]
        return delta, self._by_chunks(chosen_labels(zeros, 0), circuit, circuit.evaluator_inputs, instances)

    def _garbler_labels(self, seed: bytes, circuit: Circuit, instances: int) -> list[LabelRows]:
        """Labels of the garbler's input wires: block ``wire * n + instance`` of chunk number ``high``."""
        return input_labels(seed, circuit.garbler_inputs, instances, self.chunk_of(circuit))

    def _by_chunks(self, labels: Sequence[int], circuit: Circuit, wires: int, instances: int) -> list[LabelRows]:
        """The labels of a flat list: chunk by chunk, wire by wire, by instance."""
        cuts = spans([wires * size for size in chunk_sizes(instances, self.chunk_of(circuit))])
        return [rows_of(labels[start:end], wires) for start, end in cuts]

    def _garble(
        self,
        circuit: Circuit,
        nonce: int,
        delta: int,
        garbler_zeros: list[LabelRows],
        evaluator_zeros: list[LabelRows],
        hash_key: bytes,
    ) -> tuple[GarblerOutput, bytes]:
        label_hash = LabelHash(hash_key, nonce)
        inputs = ([*mine, *theirs] for mine, theirs in zip(garbler_zeros, evaluator_zeros, strict=True))
        made = garble_chunks(circuit, inputs, delta, label_hash)
        self._tally.add(label_hash.use)
        by_instance = list(zip(*made.zero_labels, strict=True))
        labels = OutputLabels(by_instance, delta) if circuit.sharing is None else None
        return GarblerOutput(made.shares, labels), GarbledCircuits(hash_key, made.chunks).to_bytes(circuit)

    def _evaluate(
        self, chosen: EvaluatorChoice[list[int]], payload: bytes, garbler_labels: list[LabelRows]
    ) -> Evaluation:
        circuit, instances = chosen.circuit, chosen.instances
        message = GarbledCircuits.from_bytes(payload, circuit, instances, self.chunk_of(circuit))
        own_labels = self._by_chunks(chosen.secret, circuit, circuit.evaluator_inputs, instances)
        inputs = ([*theirs, *mine] for theirs, mine in zip(garbler_labels, own_labels, strict=True))
        outputs, active = evaluate_chunks(circuit, inputs, message.chunks, LabelHash(message.hash_key, chosen.nonce))
        return Evaluation(outputs, () if circuit.sharing else list(zip(*active, strict=True)))
