"""Two processes and the socket between them: the evaluator asks, and the garbler answers until it is told to stop.

Both ends know which batch comes, so sockets carry payloads only, and one byte before each that says what to do.
"""

from __future__ import annotations

import multiprocessing
import resource
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from capc.foundation.randomness import XofSource, fresh_seed
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vectorised.extension import EvaluatorKey, GarblerKey
from capc_spec.registry import TAGS

OFFLINE, RUN, CHECK, REPORT, STOP = (bytes([number]) for number in range(5))
"""What the evaluator asks the garbler for, a byte each."""
CONTEXT = TAGS["mpc-embedded"]
CHECKED = 20
"""Instances whose outputs are compared with the circuit in the clear."""
Address = tuple[str, int]
_REPORT = struct.Struct("<dd")
_WAIT_SECONDS, _AGAIN_SECONDS = 30.0, 0.02


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


def connect(address: Address) -> Connection:
    """The garbler's end of the connection, as soon as the evaluator listens.

    Raises:
        OSError: it does not.
    """
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            return Connection(socket.create_connection(address))
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(_AGAIN_SECONDS)


class Parent(ABC):
    """The evaluator's process: starts the garbler, makes the set-up, and asks for the garbler's figures.

    Args:
        garbler: what the child runs, on ``work`` and the address of this process.
        work: what is measured.
        listen: where a garbler comes that somebody else starts; None to start it as a child, over loopback.
    """

    def __init__(self, garbler: Callable[[Any, Address], None], work: object, listen: Address | None = None) -> None:
        self.cpu: list[float] = []
        self.sent = 0, 0
        """Bytes of the last batch, of garbler and evaluator."""
        self._run_garbler = garbler, work
        self._listen = listen

    def __enter__(self) -> Self:
        reset_peak()
        target, work = self._run_garbler
        self._child: multiprocessing.process.BaseProcess | None = None
        with socket.create_server(self._listen or ("127.0.0.1", 0)) as server:
            if self._listen is None:
                context = multiprocessing.get_context("spawn")
                self._child = context.Process(target=target, args=(work, server.getsockname()), daemon=True)
                self._child.start()
            self._link = Connection(server.accept()[0])
        self._link.read(1)
        start = time.perf_counter()
        self._set_up()
        self.set_up_seconds = time.perf_counter() - start
        return self

    def __exit__(self, *_: object) -> None:
        self._link.send(STOP)
        if self._child is not None:
            self._child.join()
        self._link.close()
        self.peak = peak_megabytes()

    def garbler_report(self) -> tuple[float, float]:
        """Median seconds of CPU per batch, and peak of memory in MB, of the garbler."""
        self._link.send(REPORT)
        cpu, peak = _REPORT.unpack(self._link.read(_REPORT.size))
        return cpu, peak

    @property
    def bytes(self) -> int:
        """Of the last batch, of both."""
        return sum(self.sent)

    @abstractmethod
    def prepare(self) -> None:
        """What a batch takes beforehand, and is not timed with it."""

    def run(self) -> None:
        """One batch; :meth:`prepare` comes before it."""
        began = time.process_time()
        self._link.send(RUN)
        self._evaluate()
        self.cpu.append(time.process_time() - began)
        self.sent = self._link.received, self._link.sent - len(RUN)

    @abstractmethod
    def check(self) -> None:
        """Compares the last batch with the computation in the clear.

        Raises:
            ValueError: they differ.
        """

    @abstractmethod
    def _set_up(self) -> None:
        """Base transfers, in the directions that the work needs."""

    @abstractmethod
    def _evaluate(self) -> None:
        """The evaluator's part of a batch."""


class Child(ABC):
    """The garbler's process: answers its evaluator until it is told to stop.

    Args:
        address: where the evaluator waits.
    """

    def __init__(self, address: Address) -> None:
        self._link = connect(address)

    def serve(self) -> None:
        """The set-up, and then what is asked for."""
        self._link.send(b"1")
        self._set_up()
        cpu: list[float] = []
        while (command := self._link.read(1)) != STOP:
            if command == OFFLINE:
                self._prepare()
                self._link.send(b"1")
            elif command == RUN:
                began = time.process_time()
                self._garble()
                cpu.append(time.process_time() - began)
            elif command == CHECK:
                self._link.send(self._shown())
            else:
                self._link.send(_REPORT.pack(float(np.median(cpu)), peak_megabytes()))

    @abstractmethod
    def _set_up(self) -> None:
        """Base transfers, in the directions that the work needs."""

    @abstractmethod
    def _prepare(self) -> None:
        """What a batch takes beforehand."""

    @abstractmethod
    def _garble(self) -> None:
        """The garbler's part of a batch."""

    @abstractmethod
    def _shown(self) -> bytes:
        """What :meth:`Parent.check` compares."""


def source() -> XofSource:
    """A party's own randomness."""
    return XofSource(fresh_seed(), CONTEXT)


def uniform_words(stream: XofSource, shape: tuple[int, int]) -> npt.NDArray[np.uint64]:
    """Words of 64 bits, for inputs."""
    rows, columns = shape
    return np.frombuffer(stream.read(8 * rows * columns), np.uint64).reshape(shape)


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
