"""Two processes over a loopback socket, one for each party of a two-party computation.

The garbler is the child. Each repetition is all that a batch costs after set-up: choice bits, garbling, transfer,
evaluation, fresh shares at both ends, and, without a stash, the extension. Base transfers are timed apart. Both ends
know which batch comes, so sockets carry payloads only, and the garbler expects the extension while it is made.
"""

from __future__ import annotations

import multiprocessing
import resource
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from capc.foundation.randomness import XofSource, fresh_seed
from capc.two_party.circuits.builder import Circuit, evaluate
from capc.two_party.interface import GarblerOutput
from capc.two_party.transfers import Transfers
from capc.two_party.vectorised import TransferStash, VectorisedTwoParty
from capc.two_party.vectorised.extension import EvaluatorKey, GarblerKey
from capc.two_party.vectorised.transfers import EvaluatorEnd, GarblerEnd

Words = npt.NDArray[np.uint64]

OFFLINE, RUN, CHECK, REPORT, STOP = b"P", b"R", b"C", b"?", b"S"
_REPORT = struct.Struct("<dd")
CONTEXT = b"benchmark"
CHECKED = 20
"""Instances whose outputs are compared with the circuit in the clear."""


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
        return np.random.default_rng().integers(0, largest, (self.instances, words), np.uint64, endpoint=True)


def reset_peak() -> None:
    """Begins the peak of this process's memory anew, where the system can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_megabytes() -> float:
    """The peak of this process's memory, since :func:`reset_peak` where that works."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # What getrusage says begins with the memory of the process that started this one.
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


class Connection:
    """A socket that gives exactly as many bytes as are asked for."""

    def __init__(self, link: socket.socket) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._link = link
        self.sent = 0
        self.received = 0

    def close(self) -> None:
        """Ends it."""
        self._link.close()

    def send(self, data: bytes | memoryview) -> None:
        """All of it."""
        self.sent += len(data)
        self._link.sendall(data)

    def read_into(self, target: memoryview) -> None:
        """Fills the buffer."""
        self.received += len(target)
        while target:
            count = self._link.recv_into(target)
            if not count:
                raise ConnectionError("the other party is gone")
            target = target[count:]

    def read(self, count: int) -> bytes:
        """So many bytes."""
        data = bytearray(count)
        self.read_into(memoryview(data))
        return bytes(data)


class Parent(ABC):
    """The evaluator's process: starts the garbler, makes the set-up, and asks for the garbler's figures.

    Args:
        garbler: what the child runs, on ``work`` and a port of loopback.
        work: what is measured.
    """

    def __init__(self, garbler: Callable[[Any, int], None], work: object) -> None:
        self.cpu: list[float] = []
        self.bytes = 0
        self._run_garbler = garbler, work

    def __enter__(self) -> Self:
        reset_peak()
        target, work = self._run_garbler
        with socket.create_server(("127.0.0.1", 0)) as server:
            context = multiprocessing.get_context("spawn")
            self._garbler = context.Process(target=target, args=(work, server.getsockname()[1]), daemon=True)
            self._garbler.start()
            self._link = Connection(server.accept()[0])
        self._link.read(1)
        start = time.perf_counter()
        self._set_up()
        self.set_up_seconds = time.perf_counter() - start
        return self

    def __exit__(self, *_: object) -> None:
        self._link.send(STOP)
        self._garbler.join()
        self._link.close()
        self.peak = peak_megabytes()

    def garbler_report(self) -> tuple[float, float]:
        """Median seconds of CPU per batch, and peak of memory in MB, of the garbler."""
        self._link.send(REPORT)
        cpu, peak = _REPORT.unpack(self._link.read(_REPORT.size))
        return cpu, peak

    @abstractmethod
    def _set_up(self) -> None:
        """Base transfers, in the directions that the work needs."""


def report(cpu: Sequence[float]) -> bytes:
    """The child's answer to :meth:`Parent.garbler_report`."""
    return _REPORT.pack(float(np.median(cpu)), peak_megabytes())


def source() -> XofSource:
    """A party's own randomness."""
    return XofSource(fresh_seed(), CONTEXT)


def offer_transfers(scheme: VectorisedTwoParty, link: Connection) -> EvaluatorKey:
    """The set-up of transfers, by the party that has both labels' streams: the key."""
    state, offer = scheme.evaluator_offer(source())
    link.send(offer)
    key, trees = scheme.evaluator_finish(state, link.read(scheme.choice_length()), CONTEXT, source())
    link.send(trees)
    return key


def choose_offset(scheme: VectorisedTwoParty, link: Connection) -> GarblerKey:
    """The same, by the party that chooses its offset."""
    seeds, choice = scheme.garbler_choose(link.read(scheme.offer_length()), CONTEXT, source())
    link.send(choice)
    return scheme.garbler_finish(seeds, link.read(scheme.trees_length()))


class Evaluator(Parent):
    """Runs batches of one circuit.

    Args:
        work: what to run.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(run_garbler, work)
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

    def run(self) -> None:
        """One batch; :meth:`prepare` comes before it."""
        began = time.process_time()
        self._link.send(RUN)
        transfers, extension = self._transfers()
        chosen, bits = self._scheme.choose(transfers, self.work.circuit, self._inputs)
        self._link.send(extension + bits)
        self.evaluation = self._scheme.evaluate_stream(chosen, self._link.read_into)
        self.cpu.append(time.process_time() - began)
        self.bytes = self._link.sent + self._link.received - 1
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


def run_garbler(work: Work, port: int) -> None:
    """The child: answers until it is told to stop."""
    link = Connection(socket.create_connection(("127.0.0.1", port)))
    scheme = VectorisedTwoParty(work.chunk)
    link.send(b"1")
    key = choose_offset(scheme, link)
    link.send(b"1")
    cpu: list[float] = []
    position = 0
    inputs = work.inputs(work.circuit.garbler_words)
    stash: TransferStash[GarblerEnd] | None = None
    output: GarblerOutput | None = None
    while (command := link.read(1)) != STOP:
        if command == OFFLINE:
            inputs = work.inputs(work.circuit.garbler_words)
            if work.stash:
                payload = link.read(scheme.extension_length(work.transfers))
                stash = scheme.stash_garbler(key, position, work.transfers, 1, payload)
            link.send(b"1")
        elif command == RUN:
            began = time.process_time()
            output = _garble(scheme, work, link, inputs, key if stash is None else stash, position)
            cpu.append(time.process_time() - began)
            position += 1
        elif command == CHECK and output is not None:
            count = min(CHECKED, work.instances)
            shares = output.shares[:count] or [[0] * len(work.circuit.outputs)] * count
            link.send(np.array(shares, np.uint64).tobytes() + inputs[:count].tobytes())
        else:
            link.send(report(cpu))


def _garble(
    scheme: VectorisedTwoParty,
    work: Work,
    link: Connection,
    inputs: Words,
    key: GarblerKey | TransferStash[GarblerEnd],
    position: int,
) -> GarblerOutput:
    if isinstance(key, TransferStash):
        transfers = key.take(work.transfers)
    else:
        scheme.expect_transfers(key, position, [work.transfers])
        payload = link.read(scheme.extension_length(work.transfers))
        (transfers,) = scheme.extend_garbler(key, position, [work.transfers], payload)
    bits = link.read(scheme.bits_length(work.circuit, work.instances))
    stream = scheme.garble_stream(transfers, work.circuit, inputs, bits, source())
    for piece in stream:
        link.send(piece)
    return stream.output
