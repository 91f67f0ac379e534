"""F_2PC, the ideal functionality of two-party computation, for tests and runs in the hybrid model.

It takes both parties' words. Where the circuit shares its outputs it draws the garbler's shares and gives each party
its own; otherwise it gives the output bits to the evaluator. Both parties must hold one object. Messages are a handle
that says nothing; an output label is the bit itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from capc.foundation import ring
from capc.foundation.encoding import require_length
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.foundation.randomness import RandomSource
from capc.foundation.single_use import SpentMark
from capc.two_party.circuits.builder import Circuit, evaluate
from capc.two_party.hash_use import HashUse
from capc.two_party.ideal_vote_rounds import HANDLE_BYTES, IdealVote
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


@dataclass(repr=False)
class _Garbled:
    """What the trusted party holds of one batch: the garbler's shares and, once they are given, its inputs."""

    shares: list[list[int]]
    inputs: list[list[int]] = field(default_factory=list)


@dataclass(repr=False)
class IdealTwoParty:
    """The trusted party."""

    _batches: list[_Garbled] = field(default_factory=list)
    vote_rounds: IdealVote = field(default_factory=IdealVote)
    hash_use: HashUse = field(default_factory=HashUse)

    def offer_length(self) -> int:
        """0."""
        return 0

    def choice_length(self) -> int:
        """0."""
        return 0

    def trees_length(self) -> int:
        """0."""
        return 0

    def extension_length(self, transfers: int) -> int:  # noqa: ARG002
        """0."""
        return 0

    def bits_length(self, circuit: Circuit, instances: int) -> int:  # noqa: ARG002
        """0."""
        return 0

    def circuits_length(self, circuit: Circuit, instances: int) -> int:  # noqa: ARG002
        """A handle."""
        return HANDLE_BYTES

    def offline_length(self, circuit: Circuit, instances: int) -> int:  # noqa: ARG002
        """A handle."""
        return HANDLE_BYTES

    def labels_length(self, circuit: Circuit, instances: int) -> int:  # noqa: ARG002
        """0."""
        return 0

    def evaluator_offer(self, source: RandomSource) -> tuple[None, bytes]:  # noqa: ARG002
        """Nothing to set up."""
        return None, b""

    def garbler_choose(self, offer: bytes, context: bytes, source: RandomSource) -> tuple[None, bytes]:  # noqa: ARG002
        """Nothing to set up."""
        return None, b""

    def evaluator_finish(
        self,
        state: None,  # noqa: ARG002
        choice: bytes,  # noqa: ARG002
        context: bytes,  # noqa: ARG002
        source: RandomSource,  # noqa: ARG002
    ) -> tuple[None, bytes]:
        """Nothing to set up."""
        return None, b""

    def garbler_finish(self, state: None, trees: bytes) -> None:
        """Nothing to set up."""

    def destruction(self, end: None) -> SpentMark:  # noqa: ARG002
        """There is no key that a cheat could guess."""
        return SpentMark()

    def extend_evaluator(
        self,
        key: None,  # noqa: ARG002
        nonce: int,
        counts: Sequence[int],
    ) -> tuple[list[Transfers[None]], bytes]:
        """Nothing to transfer yet."""
        return [Transfers(nonce + number, count, None) for number, count in enumerate(counts)], b""

    def expect_transfers(self, key: None, nonce: int, counts: Sequence[int]) -> None:
        """Nothing to transfer yet."""

    def extend_garbler(self, key: None, nonce: int, counts: Sequence[int], payload: bytes) -> list[Transfers[None]]:
        """Nothing to transfer yet."""
        require_length(payload, 0, "OT extension")
        return self.extend_evaluator(key, nonce, counts)[0]

    def check_bits(self, circuit: Circuit, instances: int, bits: bytes) -> None:  # noqa: ARG002
        """There are none."""
        require_length(bits, 0, "choice bits")

    def choose(
        self, transfers: Transfers[None], circuit: Circuit, inputs: Sequence[Words]
    ) -> tuple[EvaluatorChoice[list[list[int]]], bytes]:
        """Keeps the evaluator's words until the garbler has given its own."""
        transfers.require_count(circuit, len(inputs))
        transfers.spend()
        return EvaluatorChoice(circuit, len(inputs), transfers.nonce, [list(words) for words in inputs]), b""

    def garble(
        self, transfers: Transfers[None], circuit: Circuit, inputs: Sequence[Words], bits: bytes, source: RandomSource
    ) -> tuple[GarblerOutput, bytes]:
        """Hands the garbler's words to the trusted party, and takes its shares."""
        offline, handle = self.garble_offline(transfers, circuit, len(inputs), bits, source)
        self.activate(offline, inputs)
        return offline.output, handle

    def evaluate(
        self, chosen: EvaluatorChoice[list[list[int]]], payload: bytes, check: OutputCheck = accept_any
    ) -> Evaluation:
        """Lets the trusted party evaluate the circuit on both parties' words."""
        chosen.require_unspent()
        evaluation = self._outputs(chosen, payload)
        check(evaluation.outputs)
        chosen.spend()
        return evaluation

    def garble_offline(
        self, transfers: Transfers[None], circuit: Circuit, instances: int, bits: bytes, source: RandomSource
    ) -> tuple[OfflineGarbling[_Garbled], bytes]:
        """The garbler's shares, uniform; its words follow."""
        transfers.require_count(circuit, instances)
        require_length(bits, 0, "choice bits")
        transfers.spend()
        shares: list[list[int]] = []
        labels: OutputLabels | None = OutputLabels(((0,) * len(circuit.outputs),) * instances, delta=1)
        if circuit.sharing is not None:
            words = len(circuit.outputs) // circuit.sharing.word_bits
            shares = [ring.uniform(source, words, circuit.sharing.width) for _ in range(instances)]
            labels = None
        self._batches.append(_Garbled(shares))
        handle = (len(self._batches) - 1).to_bytes(HANDLE_BYTES, "little")
        return OfflineGarbling(circuit, instances, GarblerOutput(shares, labels), self._batches[-1]), handle

    def check_offline(self, chosen: EvaluatorChoice[list[list[int]]], payload: bytes) -> None:  # noqa: ARG002
        """A handle that the trusted party gave."""
        self._batch(payload)

    def activate(self, offline: OfflineGarbling[_Garbled], inputs: Sequence[Words]) -> bytes:
        """Hands the garbler's words to the trusted party."""
        offline.require_instances(len(inputs))
        offline.spend()
        offline.secret.inputs += [list(words) for words in inputs]
        return b""

    def evaluate_online(self, chosen: EvaluatorChoice[list[list[int]]], payload: bytes, labels: bytes) -> Evaluation:
        """As :meth:`evaluate`, after :meth:`activate`."""
        require_length(labels, 0, "input labels")
        return self.evaluate(chosen, payload)

    def _outputs(self, chosen: EvaluatorChoice[list[list[int]]], payload: bytes) -> Evaluation:
        batch, circuit = self._batch(payload), chosen.circuit
        outputs = [evaluate(circuit, *pair) for pair in zip(batch.inputs, chosen.secret, strict=True)]
        if circuit.sharing is None:
            return Evaluation(outputs, outputs)
        width = circuit.sharing.width
        words = [circuit.output_words(bits) for bits in outputs]
        return Evaluation([ring.subtract(*pair, width) for pair in zip(words, batch.shares, strict=True)], ())

    def _batch(self, handle: bytes) -> _Garbled:
        index = int.from_bytes(handle, "little")
        if len(handle) != HANDLE_BYTES or index >= len(self._batches):
            raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "a handle that the trusted party did not give")
        return self._batches[index]
