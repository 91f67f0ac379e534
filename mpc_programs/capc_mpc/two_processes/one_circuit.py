"""A batch of one circuit between two processes.

Each repetition is all that a batch costs after set-up: choice bits, garbling, transfer, evaluation, fresh shares at
both ends, and, without a stash, the extension. Base transfers are timed apart. The garbler expects the extension while
it is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from capc.two_party.circuits.builder import Circuit, evaluate
from capc.two_party.transfers import Transfers
from capc.two_party.vectorised import TransferStash, VectorisedTwoParty
from capc.two_party.vectorised.transfers import EvaluatorEnd, GarblerEnd
from capc_mpc.two_processes.connection import (
    CHECK,
    CHECKED,
    OFFLINE,
    Address,
    Child,
    Parent,
    choose_offset,
    offer_transfers,
    source,
    uniform_words,
)

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Work:
    """What is measured.

    Attributes:
        circuit: for all instances.
        instances: in a batch.
        stash: transfers are made before the batch, and not timed.
        chunk: instances per chunk; None for the default of the circuit.
    """

    circuit: Circuit
    instances: int
    stash: bool = False
    chunk: int | None = None

    @property
    def transfers(self) -> int:
        """Transfers of a batch."""
        return self.instances * self.circuit.evaluator_inputs

    def inputs(self, words: int) -> Words:
        """Uniform words for every instance."""
        largest = (1 << self.circuit.input_bits) - 1
        return uniform_words(source(), (self.instances, words)) & np.uint64(largest)


class Evaluator(Parent):
    """Runs batches of one circuit.

    Args:
        work: what to run.
        listen: as of :class:`Parent`.
    """

    def __init__(self, work: Work, listen: Address | None = None) -> None:
        super().__init__(run_garbler, work, listen)
        self.work = work
        self._scheme = VectorisedTwoParty(work.chunk)
        self._position = 0
        self._stash: TransferStash[EvaluatorEnd] | None = None

    def _set_up(self) -> None:
        self._key = offer_transfers(self._scheme, self._link)
        self._link.read(1)

    def prepare(self) -> None:
        """New inputs and, if the work says so, transfers made ahead."""
        self._inputs = self.work.inputs(self.work.circuit.evaluator_words)
        self._link.send(OFFLINE)
        if self.work.stash:
            self._stash, payload = self._scheme.stash_evaluator(self._key, self._position, self.work.transfers, 1)
            self._link.send(payload)
        self._link.read(1)
        self._link.sent = self._link.received = 0

    def _evaluate(self) -> None:
        transfers, extension = self._transfers()
        chosen, bits = self._scheme.choose(transfers, self.work.circuit, self._inputs)
        self._link.send(extension + bits)
        self.evaluation = self._scheme.evaluate_stream(chosen, self._link.read_into)
        self._position += 1

    def _transfers(self) -> tuple[Transfers[EvaluatorEnd], bytes]:
        if self._stash is not None:
            return self._stash.take(self.work.transfers), b""
        (transfers,), extension = self._scheme.extend_evaluator(self._key, self._position, [self.work.transfers])
        return transfers, extension

    def check(self) -> None:
        """Compares the last batch with the circuit in the clear.

        Raises:
            ValueError: they differ.
        """
        self._link.send(CHECK)
        count, words = min(CHECKED, self.work.instances), self.work.circuit.garbler_words
        outputs = len(self.evaluation.outputs[0])
        shared = np.frombuffer(self._link.read(8 * count * outputs), np.uint64).reshape(count, -1)
        theirs = np.frombuffer(self._link.read(8 * count * words), np.uint64).reshape(count, -1)
        sharing = self.work.circuit.sharing
        for instance in range(count):
            mine = self._inputs[instance].tolist()
            bits = evaluate(self.work.circuit, theirs[instance].tolist(), mine)
            opened = list(self.evaluation.outputs[instance])
            if sharing is not None:
                bits = self.work.circuit.output_words(bits)
                pairs = zip(opened, shared[instance].tolist(), strict=True)
                opened = [(a + b) % 2**sharing.width for a, b in pairs]
            if opened != bits:
                raise ValueError(f"instance {instance} of {self.work.circuit.name} has other outputs than in the clear")


class _Garbler(Child):
    def __init__(self, work: Work, address: Address) -> None:
        super().__init__(address)
        self._work = work
        self._scheme = VectorisedTwoParty(work.chunk)
        self._position = 0
        self._stash: TransferStash[GarblerEnd] | None = None

    def _set_up(self) -> None:
        self._key = choose_offset(self._scheme, self._link)
        self._link.send(b"1")

    def _prepare(self) -> None:
        work = self._work
        self._inputs = work.inputs(work.circuit.garbler_words)
        if work.stash:
            payload = self._link.read(self._scheme.extension_length(work.transfers))
            self._stash = self._scheme.stash_garbler(self._key, self._position, work.transfers, 1, payload)

    def _garble(self) -> None:
        transfers = self._transfers()
        bits = self._link.read(self._scheme.bits_length(self._work.circuit, self._work.instances))
        stream = self._scheme.garble_stream(transfers, self._work.circuit, self._inputs, bits, source())
        for piece in stream:
            self._link.send(piece)
        self._output = stream.output
        self._position += 1

    def _transfers(self) -> Transfers[GarblerEnd]:
        if self._stash is not None:
            return self._stash.take(self._work.transfers)
        counts = [self._work.transfers]
        self._scheme.expect_transfers(self._key, self._position, counts)
        payload = self._link.read(self._scheme.extension_length(self._work.transfers))
        (transfers,) = self._scheme.extend_garbler(self._key, self._position, counts, payload)
        return transfers

    def _shown(self) -> bytes:
        count = min(CHECKED, self._work.instances)
        shares = self._output.shares[:count] or [[0] * len(self._work.circuit.outputs)] * count
        return np.array(shares, np.uint64).tobytes() + self._inputs[:count].tobytes()


def run_garbler(work: Work, address: Address) -> None:
    """The garbler's process: answers until it is told to stop."""
    _Garbler(work, address).serve()
