"""Two-party computation whose messages and results a judge gives: what a port needs that has no transfers or circuits.

It knows lengths, what is single-use and whom a header must name; nothing is garbled, and no transfer is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from capc.foundation.encoding import LABEL_BYTES, require_length
from capc.foundation.randomness import RandomSource
from capc.foundation.single_use import SpentMark
from capc.two_party.circuits.builder import Circuit
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.interface import Evaluation, EvaluatorChoice, GarblerOutput, OutputCheck, accept_any
from capc.two_party.transfers import Transfers, Words
from capc_verify.vectors.operations.protocol.feed import Feed


@dataclass(frozen=True)
class _Nothing:
    """A key, or a state of the set-up, that holds nothing but whether it was destroyed; no offset is its own."""

    destroyed: SpentMark = field(default_factory=SpentMark)
    delta: int = 0


@dataclass(frozen=True)
class _GivenBit:
    """In the place of output labels: the answered bit is what is given."""

    feed: Feed

    def decode(self, instance: int, output: int, returned: bytes) -> int:  # noqa: ARG002
        """The given bit."""
        return int(bool(self.feed.answered))


class FedTwoParty(GarbledTwoParty):
    """Garbled circuits, or what is given in their place.

    Args:
        feed: what was given with the operation at hand.
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    def evaluator_offer(self, source: RandomSource) -> tuple[Any, bytes]:
        """The given offer."""
        if not self._feed.circuits:
            return super().evaluator_offer(source)
        return _Nothing(), self._feed.take(self.offer_length())

    def garbler_choose(self, offer: bytes, context: bytes, source: RandomSource) -> tuple[Any, bytes]:
        """The given choice."""
        if not self._feed.circuits:
            return super().garbler_choose(offer, context, source)
        return _Nothing(), self._feed.take(self.choice_length())

    def evaluator_finish(
        self,
        state: Any,  # noqa: ANN401
        choice: bytes,
        context: bytes,
        source: RandomSource,
    ) -> tuple[Any, bytes]:
        """The given trees."""
        if not self._feed.circuits:
            return super().evaluator_finish(state, choice, context, source)
        return _Nothing(), self._feed.take(self.trees_length())

    def garbler_finish(self, state: Any, trees: bytes) -> Any:  # noqa: ANN401
        """A key of the same life."""
        return _Nothing(state.destroyed) if self._feed.circuits else super().garbler_finish(state, trees)

    def extend_evaluator(self, key: Any, nonce: int, counts: Sequence[int]) -> tuple[list[Transfers[Any]], bytes]:  # noqa: ANN401
        """The given rows."""
        if not self._feed.circuits:
            return super().extend_evaluator(key, nonce, counts)
        made = [Transfers(nonce + number, count, ()) for number, count in enumerate(counts)]
        return list(made), self._feed.take(self.extension_length(sum(counts)))

    def extend_garbler(
        self,
        key: Any,  # noqa: ANN401
        nonce: int,
        counts: Sequence[int],
        payload: bytes,
    ) -> list[Transfers[Any]]:
        """Transfers without labels."""
        if not self._feed.circuits:
            return super().extend_garbler(key, nonce, counts, payload)
        return [Transfers(nonce + number, count, (), destroyed=key.destroyed) for number, count in enumerate(counts)]

    def choose(
        self, transfers: Transfers[Any], circuit: Circuit, inputs: Sequence[Words]
    ) -> tuple[EvaluatorChoice[Any], bytes]:
        """The given bits."""
        if not self._feed.circuits:
            return super().choose(transfers, circuit, inputs)
        transfers.require_count(circuit, len(inputs))
        transfers.spend()
        chosen: EvaluatorChoice[Any] = EvaluatorChoice(circuit, len(inputs), transfers.nonce, ())
        # Of a release, rows or the number of an extension stand before them.
        return chosen, self._feed.last(self.bits_length(circuit, len(inputs)))

    def garble(
        self,
        transfers: Transfers[Any],
        circuit: Circuit,
        inputs: Sequence[Words],
        bits: bytes,
        source: RandomSource,
    ) -> tuple[GarblerOutput, bytes]:
        """The given circuits, and the garbler's shares."""
        if not self._feed.circuits:
            return super().garble(transfers, circuit, inputs, bits, source)
        self.check_bits(circuit, len(inputs), bits)
        transfers.require_unspent()
        transfers.require_count(circuit, len(inputs))
        transfers.spend()
        payload = self._feed.take(self.circuits_length(circuit, len(inputs)))
        if circuit.sharing is None:
            labels: Any = _GivenBit(self._feed)
            return GarblerOutput((), labels), payload
        return GarblerOutput(self._by_instance(circuit), None), payload

    def evaluate(self, chosen: EvaluatorChoice[Any], payload: bytes, check: OutputCheck = accept_any) -> Evaluation:
        """The given shares, or the output bits of the given label."""
        if not self._feed.circuits:
            return super().evaluate(chosen, payload, check)
        chosen.require_unspent()
        circuit = chosen.circuit
        require_length(payload, self.circuits_length(circuit, chosen.instances), "garbled circuits")
        if circuit.sharing is not None:
            evaluation = Evaluation(self._by_instance(circuit), ())
        else:
            with_answer = circuit.garbler_words != circuit.evaluator_words
            outputs = self._feed.outputs(len(circuit.outputs), with_answer=with_answer)
            proof = int.from_bytes(self._feed.take(LABEL_BYTES), "little")
            evaluation = Evaluation([outputs], [[proof]])
        check(evaluation.outputs)
        chosen.spend()
        return evaluation

    def _by_instance(self, circuit: Circuit) -> list[list[int]]:
        """The given shares, a list for each instance; queries have as many instances each."""
        if circuit.sharing is None:
            return []
        words = len(circuit.outputs) // circuit.sharing.word_bits
        values = [value for row in self._feed.results for value in row]
        return [values[start : start + words] for start in range(0, len(values), words)]
