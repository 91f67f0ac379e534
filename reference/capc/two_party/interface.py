"""Secure two-party evaluation of circuits: the interface, and the states of its garbler and its evaluator.

After a set-up, both make random oblivious transfers ahead of any input. Then either

- the evaluator sends its choice bits, the garbler the garbled circuits (:meth:`TwoPartyScheme.garble`); or
- circuits are garbled ahead of the garbler's inputs too, and its labels follow (:meth:`TwoPartyScheme.garble_offline`).

Implementations: :class:`capc.two_party.garbling.readable.GarbledTwoParty`, readable; a fast one outside of the core,
    which gives
the same bytes; :class:`capc.two_party.ideal.IdealTwoParty`, the ideal functionality.

Reveals: where a circuit shares its outputs, to each party its fresh share; otherwise to the evaluator the outputs. To
the garbler nothing else. Spec: CAPC-GC-001 to CAPC-GC-009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError
from capc.foundation.randomness import RandomSource
from capc.foundation.single_use import SingleUse, SpentMark
from capc.two_party.circuits.builder import Circuit
from capc.two_party.hash_use import HashUse
from capc.two_party.transfers import (
    EvaluatorEnd,
    EvaluatorKey,
    EvaluatorTurn,
    GarblerEnd,
    GarblerKey,
    GarblerTurn,
    Transfers,
    Words,
)
from capc.two_party.vote_rounds import VoteRounds

Offer = TypeVar("Offer")

Choice = TypeVar("Choice")

Picked = TypeVar("Picked")

Inputs = TypeVar("Inputs")

OutputCheck = Callable[[Sequence[Words]], None]
"""Raises :class:`InvalidPayloadError` on outputs, one list per instance, that no correct garbler sends."""


def accept_any(outputs: Sequence[Words]) -> None:
    """Every output is possible, as where fresh shares are put out."""


@dataclass(frozen=True, repr=False)
class EvaluatorChoice(SingleUse, Generic[Picked]):
    """The evaluator between its choice bits and the garbled circuits. Secret: its labels, or in the ideal its words."""

    circuit: Circuit
    instances: int
    nonce: int
    secret: Picked


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What the evaluator ends with, secret.

    Attributes:
        outputs: for each instance its shares of the output words, or, of a circuit that does not share, output bits.
        labels: for each instance the active labels that prove output bits to the garbler; empty with shares.
    """

    outputs: Sequence[Words]
    labels: Sequence[Words]

    def __repr__(self) -> str:
        return "<Evaluation>"


@dataclass(frozen=True, repr=False)
class OutputLabels:
    """What the garbler keeps of output bits: both labels of every output wire. Secret."""

    zero_labels: Sequence[Words]
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


@dataclass(frozen=True, repr=False)
class GarblerOutput:
    """What the garbler ends with, secret.

    Attributes:
        shares: for each instance its shares of the output words; empty where outputs are not shared.
        labels: of the output bits; None where outputs are shared.
    """

    shares: Sequence[Words]
    labels: OutputLabels | None

    def __repr__(self) -> str:
        return "<GarblerOutput>"


@dataclass(frozen=True, repr=False)
class OfflineGarbling(SingleUse, Generic[Inputs]):
    """Circuits that were garbled ahead of the garbler's inputs. Secret: the labels of its input wires."""

    circuit: Circuit
    instances: int
    output: GarblerOutput
    secret: Inputs

    def require_instances(self, count: int) -> None:
        """Raises :class:`InputError` unless there are inputs for ``count`` instances."""
        if count != self.instances:
            raise InputError(f"inputs for {count} of {self.instances} instances of {self.circuit.name}")


class TwoPartyScheme(
    Protocol[
        Offer, Choice, EvaluatorKey, GarblerKey, EvaluatorEnd, GarblerEnd, Picked, Inputs, EvaluatorTurn, GarblerTurn
    ]
):
    """How two parties evaluate circuits on private words; payload functions raise :class:`InvalidPayloadError`.

    The types are those of what each party keeps: after the set-up's offer, or its choice; its key; its end of
    transfers; the evaluator's labels, and those of the garbler's inputs; the states between two messages of a vote.

    Inputs are one list of words per instance. Lengths are in bytes, and exact.
    """

    @property
    def vote_rounds(
        self,
    ) -> VoteRounds[EvaluatorKey, GarblerKey, EvaluatorEnd, GarblerEnd, EvaluatorTurn, GarblerTurn]:
        """The vote in rounds, with transfers and keys of this scheme."""

    @property
    def hash_use(self) -> HashUse:
        """What garblers with this object hashed so far, and under how many keys: the concrete bound follows from it."""

    def offer_length(self) -> int:
        """Of a set-up offer."""

    def choice_length(self) -> int:
        """Of a set-up choice."""

    def trees_length(self) -> int:
        """Of the set-up's last message."""

    def extension_length(self, transfers: int) -> int:
        """Of the message that makes random transfers."""

    def bits_length(self, circuit: Circuit, instances: int) -> int:
        """Of an evaluator's choice bits."""

    def circuits_length(self, circuit: Circuit, instances: int) -> int:
        """Of a garbler's reply to choice bits."""

    def offline_length(self, circuit: Circuit, instances: int) -> int:
        """Of circuits garbled ahead of inputs."""

    def labels_length(self, circuit: Circuit, instances: int) -> int:
        """Of the labels of a garbler's inputs."""

    def evaluator_offer(self, source: RandomSource) -> tuple[Offer, bytes]:
        """Set-up 1, evaluator: a state and the offer."""

    def garbler_choose(self, offer: bytes, context: bytes, source: RandomSource) -> tuple[Choice, bytes]:
        """Set-up 2, garbler: a state and the choice."""

    def evaluator_finish(
        self, state: Offer, choice: bytes, context: bytes, source: RandomSource
    ) -> tuple[EvaluatorKey, bytes]:
        """Set-up 3, evaluator: its key and the trees."""

    def garbler_finish(self, state: Choice, trees: bytes) -> GarblerKey:
        """Set-up 4, garbler: its key. Trees that are inconsistent destroy the state."""

    def destruction(self, end: GarblerKey | Choice) -> SpentMark:
        """Garbler: what a failed check of its trees or transfers takes. All that came of its key asks for it."""

    def extend_evaluator(
        self, key: EvaluatorKey, nonce: int, counts: Sequence[int]
    ) -> tuple[list[Transfers[EvaluatorEnd]], bytes]:
        """Evaluator: random transfers for batches at ``nonce``, ``nonce + 1``, and so on."""

    def expect_transfers(self, key: GarblerKey, nonce: int, counts: Sequence[int]) -> None:
        """Garbler: may work ahead while it waits for the message of :meth:`extend_garbler`. Changes no result."""

    def extend_garbler(
        self, key: GarblerKey, nonce: int, counts: Sequence[int], payload: bytes
    ) -> list[Transfers[GarblerEnd]]:
        """Garbler: its ends of the same transfers. Rows that are inconsistent destroy the key."""

    def check_bits(self, circuit: Circuit, instances: int, bits: bytes) -> None:
        """Garbler: refuses what cannot be choice bits, before anything is taken for them."""

    def choose(
        self, transfers: Transfers[EvaluatorEnd], circuit: Circuit, inputs: Sequence[Words]
    ) -> tuple[EvaluatorChoice[Picked], bytes]:
        """Evaluator: commits to its inputs. The transfers are spent."""

    def garble(
        self,
        transfers: Transfers[GarblerEnd],
        circuit: Circuit,
        inputs: Sequence[Words],
        bits: bytes,
        source: RandomSource,
    ) -> tuple[GarblerOutput, bytes]:
        """Garbler: garbles one circuit per instance on its inputs. The transfers are spent if the bits are good."""

    def evaluate(self, chosen: EvaluatorChoice[Picked], payload: bytes, check: OutputCheck = accept_any) -> Evaluation:
        """Evaluator: the outputs of each instance; ``chosen`` is spent if ``check`` accepts them."""

    def garble_offline(
        self, transfers: Transfers[GarblerEnd], circuit: Circuit, instances: int, bits: bytes, source: RandomSource
    ) -> tuple[OfflineGarbling[Inputs], bytes]:
        """Garbler: garbles before it knows its inputs; its output is known already. The transfers are spent."""

    def check_offline(self, chosen: EvaluatorChoice[Picked], payload: bytes) -> None:
        """Evaluator: refuses what cannot be circuits garbled ahead, before anything depends on it."""

    def activate(self, offline: OfflineGarbling[Inputs], inputs: Sequence[Words]) -> bytes:
        """Garbler: the labels of its inputs, once."""

    def evaluate_online(self, chosen: EvaluatorChoice[Picked], payload: bytes, labels: bytes) -> Evaluation:
        """Evaluator: the outputs of circuits that were garbled ahead."""


AnyScheme = TwoPartyScheme[Any, Any, Any, Any, Any, Any, Any, Any, Any, Any]
"""A scheme of whatever types."""


def request_at_once(
    scheme: TwoPartyScheme[Any, Any, EvaluatorKey, Any, Any, Any, Picked, Any, Any, Any],
    key: EvaluatorKey,
    nonce: int,
    circuit: Circuit,
    inputs: Sequence[Words],
) -> tuple[EvaluatorChoice[Picked], bytes]:
    """Evaluator: makes transfers and uses them in one message, the extension followed by the choice bits."""
    (transfers,), extension = scheme.extend_evaluator(key, nonce, [len(inputs) * circuit.evaluator_inputs])
    chosen, bits = scheme.choose(transfers, circuit, inputs)
    return chosen, extension + bits


def request_length(scheme: AnyScheme, circuit: Circuit, instances: int) -> int:
    """Bytes of the payload of :func:`request_at_once`."""
    extension = scheme.extension_length(instances * circuit.evaluator_inputs)
    return extension + scheme.bits_length(circuit, instances)


def answer_at_once(
    scheme: TwoPartyScheme[Any, Any, Any, GarblerKey, Any, Any, Any, Any, Any, Any],
    key: GarblerKey,
    nonce: int,
    circuit: Circuit,
    inputs: Sequence[Words],
    payload: bytes,
    source: RandomSource,
) -> tuple[GarblerOutput, bytes]:
    """Garbler: the answer to the payload of :func:`request_at_once`, whose length was checked."""
    count = len(inputs) * circuit.evaluator_inputs
    split = scheme.extension_length(count)
    # Before the nonce is taken: a request that is refused for its bits can come again.
    scheme.check_bits(circuit, len(inputs), payload[split:])
    (transfers,) = scheme.extend_garbler(key, nonce, [count], payload[:split])
    return scheme.garble(transfers, circuit, inputs, payload[split:], source)
