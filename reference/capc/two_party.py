"""Secure two-party evaluation of a circuit: a garbler and an evaluator, two messages after set-up.

:class:`GarbledTwoParty` is the real protocol. :class:`IdealTwoParty` is its ideal functionality, for tests in the
hybrid model: a trusted party takes both inputs and gives the outputs to the evaluator.

Reveals: the evaluator learns the outputs, the garbler nothing. Spec: CAPC-GC-001 to CAPC-GC-005.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from capc import garbling, ring
from capc import oblivious_transfer as ot
from capc.circuits.builder import Circuit
from capc.circuits.builder import evaluate as evaluate_in_clear
from capc.errors import ErrorCode, InvalidPayloadError
from capc.messages import LABEL_BYTES, BaseOtChoice, BaseOtOffer, GarbledCircuits, OtColumns
from capc.parameters import LABEL_BITS
from capc.randomness import RandomSource
from capc.session import SingleUse

Bits = Sequence[int]
OutputCheck = Callable[[Sequence[Bits]], None]
"""Raises :class:`InvalidPayloadError` on outputs, one list of bits per instance, that no correct garbler sends."""


def accept_any(outputs: Sequence[Bits]) -> None:
    """Every output is possible, as where fresh shares are put out."""


@dataclass(frozen=True, repr=False)
class Chosen(SingleUse):
    """The evaluator between its columns and the garbled circuits. Secret: its labels, or in the ideal its bits."""

    circuit: Circuit
    inputs: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What the evaluator ends with: output bits, and the active labels that prove each of them to the garbler."""

    outputs: tuple[tuple[int, ...], ...]
    labels: tuple[tuple[int, ...], ...]

    def __repr__(self) -> str:
        return "<Evaluation>"


@dataclass(frozen=True, repr=False)
class OutputLabels:
    """What the garbler keeps: both labels of every output wire. Secret."""

    zero_labels: tuple[tuple[int, ...], ...]
    delta: int

    def __repr__(self) -> str:
        return "<OutputLabels>"

    def decode(self, instance: int, output: int, returned: bytes) -> int:
        """The bit that a returned label stands for.

        Raises:
            InvalidPayloadError: the label is neither of the wire's two (`invalid_output_label`).
        """
        label = int.from_bytes(returned, "little")
        zero = self.zero_labels[instance][output]
        if len(returned) != LABEL_BYTES or label not in (zero, zero ^ self.delta):
            raise InvalidPayloadError(ErrorCode.INVALID_OUTPUT_LABEL, "a label that this garbling did not produce")
        return int(label != zero)


class TwoPartyScheme(Protocol):
    """How two parties evaluate circuits on private bits; payload functions raise :class:`InvalidPayloadError`."""

    def offer_length(self) -> int:
        """Bytes of a set-up offer."""

    def choice_length(self) -> int:
        """Bytes of a set-up choice."""

    def columns_length(self, circuit: Circuit, instances: int) -> int:
        """Bytes of an evaluator's request."""

    def circuits_length(self, circuit: Circuit, instances: int) -> int:
        """Bytes of a garbler's reply."""

    def evaluator_offer(self, source: RandomSource) -> tuple[object, bytes]:
        """Set-up 1, evaluator: a state and the offer."""

    def garbler_choose(self, offer: bytes, context: bytes, source: RandomSource) -> tuple[object, bytes]:
        """Set-up 2, garbler: its key and the choice."""

    def evaluator_finish(self, state: object, choice: bytes, context: bytes) -> object:
        """Set-up 3, evaluator: its key."""

    def choose(self, key: object, context: bytes, circuit: Circuit, inputs: Sequence[Bits]) -> tuple[Chosen, bytes]:
        """Evaluator: commits to its input bits, one list per instance. ``context`` never repeats under one key."""

    def garble(
        self,
        key: object,
        context: bytes,
        circuit: Circuit,
        inputs: Sequence[Bits],
        columns: bytes,
        source: RandomSource,
    ) -> tuple[OutputLabels, bytes]:
        """Garbler: garbles one circuit per instance on its input bits."""

    def evaluate(self, chosen: Chosen, payload: bytes, check: OutputCheck = accept_any) -> Evaluation:
        """Evaluator: the outputs of each instance; ``chosen`` is spent if ``check`` accepts them."""


class GarbledTwoParty:
    """Half-gates garbling with labels from correlated oblivious transfer."""

    def offer_length(self) -> int:
        """32."""
        return BaseOtOffer.byte_length()

    def choice_length(self) -> int:
        """4096."""
        return BaseOtChoice.byte_length()

    def columns_length(self, circuit: Circuit, instances: int) -> int:
        """One transfer per evaluator input bit."""
        return OtColumns.byte_length(instances * circuit.evaluator_inputs)

    def circuits_length(self, circuit: Circuit, instances: int) -> int:
        """See :meth:`GarbledCircuits.byte_length`."""
        return GarbledCircuits.byte_length(circuit, instances)

    def evaluator_offer(self, source: RandomSource) -> tuple[object, bytes]:
        """The base OT offer."""
        state, offer = ot.base_ot_offer(source)
        return state, offer.to_bytes()

    def garbler_choose(self, offer: bytes, context: bytes, source: RandomSource) -> tuple[object, bytes]:
        """Delta and the chosen seeds; the base OT choice."""
        key, choice = ot.base_ot_choose(BaseOtOffer.from_bytes(offer), context, source)
        return key, choice.to_bytes()

    def evaluator_finish(self, state: object, choice: bytes, context: bytes) -> object:
        """The seed pairs."""
        sender: ot.BaseOtSender = state  # type: ignore[assignment]
        return ot.base_ot_finish(sender, BaseOtChoice.from_bytes(choice), context)

    def choose(self, key: object, context: bytes, circuit: Circuit, inputs: Sequence[Bits]) -> tuple[Chosen, bytes]:
        """One correlated OT per evaluator input bit, instance after instance."""
        evaluator_key: ot.EvaluatorKey = key  # type: ignore[assignment]
        labels, columns = ot.extend_receive(evaluator_key, context, [bit for bits in inputs for bit in bits])
        return Chosen(circuit, _chunks(labels, len(inputs))), columns.to_bytes()

    def garble(
        self,
        key: object,
        context: bytes,
        circuit: Circuit,
        inputs: Sequence[Bits],
        columns: bytes,
        source: RandomSource,
    ) -> tuple[OutputLabels, bytes]:
        """Garbles every instance under one fresh hash key.

        1. The hash key and a zero label per garbler input bit are drawn, in this order.
        2. The zero labels of the evaluator's inputs come from the OT extension.
        3. Each instance is garbled; tweaks go on from instance to instance.
        4. Sent: hash key, the garbler's active labels, tables, and the lowest bits of the output zero labels.
        """
        garbler_key: ot.GarblerKey = key  # type: ignore[assignment]
        instances = len(inputs)
        correction = OtColumns.from_bytes(columns, instances * circuit.evaluator_inputs)
        # 1.
        hash_key = source.read(LABEL_BYTES)
        label_hash = garbling.LabelHash(hash_key)
        garbler_zeros = [ring.uniform(source, circuit.garbler_inputs, LABEL_BITS) for _ in inputs]
        # 2.
        evaluator_zeros = _chunks(ot.extend_send(garbler_key, context, correction), instances)
        # 3.
        delta, ands = garbler_key.delta, circuit.and_count
        garblings = [
            garbling.garble(circuit, [*mine, *theirs], delta, label_hash, index * ands)
            for index, (mine, theirs) in enumerate(zip(garbler_zeros, evaluator_zeros, strict=True))
        ]
        # 4.
        active = [
            tuple(zero ^ delta if bit else zero for zero, bit in zip(zeros, bits, strict=True))
            for zeros, bits in zip(garbler_zeros, inputs, strict=True)
        ]
        decoding = [ring.from_bits([zero & 1 for zero in each.output_zero_labels]) for each in garblings]
        message = GarbledCircuits(hash_key, tuple(active), tuple(each.tables for each in garblings), tuple(decoding))
        outputs = OutputLabels(tuple(each.output_zero_labels for each in garblings), delta)
        return outputs, message.to_bytes(circuit)

    def evaluate(self, chosen: Chosen, payload: bytes, check: OutputCheck = accept_any) -> Evaluation:
        """Evaluates every instance and decodes its outputs."""
        chosen.require_unspent()
        message = GarbledCircuits.from_bytes(payload, chosen.circuit, len(chosen.inputs))
        label_hash = garbling.LabelHash(message.hash_key)
        ands = chosen.circuit.and_count
        outputs, labels = [], []
        for index, (mine, theirs, tables, decoding) in enumerate(
            zip(chosen.inputs, message.garbler_labels, message.tables, message.decoding_bits, strict=True)
        ):
            active = garbling.evaluate(chosen.circuit, [*theirs, *mine], tables, label_hash, index * ands)
            labels.append(tuple(active))
            outputs.append(tuple(label & 1 ^ decoding >> position & 1 for position, label in enumerate(active)))
        check(outputs)
        chosen.spend()
        return Evaluation(tuple(outputs), tuple(labels))


@dataclass
class IdealTwoParty:
    """F_2PC: takes the garbler's bits and the evaluator's bits, gives the outputs to the evaluator only.

    Both parties must share one object. Messages are a handle that says nothing; an output label is the bit itself.
    """

    _garbler_inputs: list[list[tuple[int, ...]]] = field(default_factory=list)

    def offer_length(self) -> int:
        """0."""
        return 0

    def choice_length(self) -> int:
        """0."""
        return 0

    def columns_length(self, circuit: Circuit, instances: int) -> int:  # noqa: ARG002
        """0."""
        return 0

    def circuits_length(self, circuit: Circuit, instances: int) -> int:  # noqa: ARG002
        """A handle has 8 bytes."""
        return 8

    def evaluator_offer(self, source: RandomSource) -> tuple[object, bytes]:  # noqa: ARG002
        """Nothing to set up."""
        return None, b""

    def garbler_choose(self, offer: bytes, context: bytes, source: RandomSource) -> tuple[object, bytes]:  # noqa: ARG002
        """Nothing to set up."""
        return None, b""

    def evaluator_finish(self, state: object, choice: bytes, context: bytes) -> object:  # noqa: ARG002
        """Nothing to set up."""
        return None

    def choose(
        self,
        key: object,  # noqa: ARG002
        context: bytes,  # noqa: ARG002
        circuit: Circuit,
        inputs: Sequence[Bits],
    ) -> tuple[Chosen, bytes]:
        """Keeps the evaluator's bits until the garbler has given its own."""
        return Chosen(circuit, tuple(tuple(bits) for bits in inputs)), b""

    def garble(
        self,
        key: object,  # noqa: ARG002
        context: bytes,  # noqa: ARG002
        circuit: Circuit,  # noqa: ARG002
        inputs: Sequence[Bits],
        columns: bytes,  # noqa: ARG002
        source: RandomSource,  # noqa: ARG002
    ) -> tuple[OutputLabels, bytes]:
        """Hands the garbler's bits to the trusted party."""
        self._garbler_inputs.append([tuple(bits) for bits in inputs])
        handle = (len(self._garbler_inputs) - 1).to_bytes(8, "little")
        return OutputLabels(((0,) * 64,) * len(inputs), delta=1), handle

    def evaluate(self, chosen: Chosen, payload: bytes, check: OutputCheck = accept_any) -> Evaluation:
        """Lets the trusted party evaluate the circuit on both parties' bits."""
        chosen.require_unspent()
        index = int.from_bytes(payload, "little")
        if len(payload) != 8 or index >= len(self._garbler_inputs):
            raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "a handle that the trusted party did not give")
        outputs = tuple(
            tuple(evaluate_in_clear(chosen.circuit, theirs, mine))
            for theirs, mine in zip(self._garbler_inputs[index], chosen.inputs, strict=True)
        )
        check(outputs)
        chosen.spend()
        return Evaluation(outputs, outputs)


def _chunks(labels: Sequence[int], count: int) -> tuple[tuple[int, ...], ...]:
    """``labels`` cut into ``count`` runs of equal length."""
    size = len(labels) // count
    return tuple(tuple(labels[i * size : (i + 1) * size]) for i in range(count))
