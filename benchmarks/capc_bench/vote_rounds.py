"""The vote in rounds between two processes over a loopback socket; as :mod:`capc_bench.two_processes`, round by round.

A batch is all that it costs after set-up: extensions in both directions, choice bits, garbling, transfer, evaluation,
rows, fresh shares at both ends.
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import time
from dataclasses import dataclass
from typing import Self

import numpy as np

from capc import ring
from capc.circuits.vote import one_hot_argmax
from capc.multi_round import GarblerRound, Shares, VoteShape
from capc.randomness import XofSource, fresh_seed
from capc.vectorised import VectorisedTwoParty
from capc.vectorised.multi_round import VectorisedVote
from capc_bench.two_processes import CHECK, CHECKED, PREPARE, REPORT, RUN, STOP, Connection, peak_megabytes, reset_peak

_REPORT = struct.Struct("<dd")
_CONTEXT = b"benchmark"


@dataclass(frozen=True)
class VoteWork:
    """What is measured.

    Attributes:
        shape: of the vote, with the number of queries of a batch.
        chunk: queries per chunk; None for the default.
    """

    shape: VoteShape
    chunk: int | None = None

    def shares(self, batch: int) -> tuple[list[list[int]], list[list[int]]]:
        """Garbler's and evaluator's shares of a batch of uniform admitted logits; the same in both processes."""
        generator, size = np.random.default_rng(batch), (self.shape.instances, self.shape.num_classes)
        limit, modulus = 1 << (self.shape.logit_bits - 2), 1 << self.shape.logit_bits
        logits = generator.integers(1 - limit, limit, size)
        masks = generator.integers(0, modulus, size)
        return masks.tolist(), ((logits - masks) % modulus).tolist()


def _source() -> XofSource:
    return XofSource(fresh_seed(), _CONTEXT)


def _offer(scheme: VectorisedTwoParty, link: Connection) -> object:
    """The set-up of transfers, by the party that has both labels' streams: the key."""
    state, offer = scheme.evaluator_offer(_source())
    link.send(offer)
    key, trees = scheme.evaluator_finish(state, link.read(scheme.choice_length()), _CONTEXT, _source())
    link.send(trees)
    return key


def _choose(scheme: VectorisedTwoParty, link: Connection) -> object:
    """The same, by the party that chooses its offset."""
    seeds, choice = scheme.garbler_choose(link.read(scheme.offer_length()), _CONTEXT, _source())
    link.send(choice)
    return scheme.garbler_finish(seeds, link.read(scheme.trees_length()))


class VoteEvaluator:
    """The parent: starts the garbler, makes both set-ups, runs batches.

    Args:
        work: what to run.
    """

    def __init__(self, work: VoteWork) -> None:
        self.work = work
        self.cpu: list[float] = []
        self._scheme = VectorisedTwoParty(work.chunk)
        self._rounds = VectorisedVote(work.chunk)
        self._position = 0
        self._batch = 0

    def __enter__(self) -> Self:
        reset_peak()
        with socket.create_server(("127.0.0.1", 0)) as server:
            context = multiprocessing.get_context("spawn")
            self._garbler = context.Process(target=run_garbler, args=(self.work, server.getsockname()[1]), daemon=True)
            self._garbler.start()
            self._link = Connection(server.accept()[0])
        self._link.read(1)
        start = time.perf_counter()
        self._key = _offer(self._scheme, self._link)
        self._reverse_key = _choose(self._scheme, self._link)
        self.set_up_seconds = time.perf_counter() - start
        return self

    def __exit__(self, *_: object) -> None:
        self._link.send(STOP)
        self._garbler.join()
        self._link.close()
        self.peak = peak_megabytes()

    def prepare(self) -> None:
        """New shares."""
        self._batch += 1
        self._theirs, self._shares = self.work.shares(self._batch)
        self._link.send(PREPARE)
        self._link.read(1)
        self._link.sent = self._link.received = 0

    def run(self) -> None:
        """One batch; :meth:`prepare` comes before it."""
        began = time.process_time()
        self._link.send(RUN)
        counts = [self.work.shape.all_transfers]
        (transfers,), extension = self._scheme.extend_evaluator(self._key, self._position, counts)
        state, request = self._rounds.begin(transfers, self._reverse_key, self.work.shape, self._shares)
        self._link.send(extension)
        while True:
            self._link.send(request)
            result = self._rounds.evaluate_stream(state, self._link.read_into, _source())
            if not isinstance(result, tuple):
                break
            state, request = result
        self.votes: Shares = result
        self.cpu.append(time.process_time() - began)
        self.bytes = self._link.sent + self._link.received - 1
        self._position += 1 << 32

    def check(self) -> None:
        """Compares the last batch with the argmax in the clear.

        Raises:
            ValueError: they differ.
        """
        self._link.send(CHECK)
        shape = self.work.shape
        count = min(CHECKED, shape.instances)
        votes = np.frombuffer(self._link.read(8 * count * shape.num_classes), np.uint64).reshape(count, -1).tolist()
        for mine, theirs, own, other in zip(self.votes, votes, self._shares, self._theirs, strict=False):
            logits = [ring.signed(word, shape.logit_bits) for word in ring.add(own, other, shape.logit_bits)]
            if ring.add(mine, theirs, shape.vote_bits) != one_hot_argmax(logits):
                raise ValueError("a vote differs from the argmax in the clear")

    def garbler_report(self) -> tuple[float, float]:
        """Median seconds of CPU per batch, and peak of memory in MB, of the garbler."""
        self._link.send(REPORT)
        cpu, peak = _REPORT.unpack(self._link.read(_REPORT.size))
        return cpu, peak


def run_garbler(work: VoteWork, port: int) -> None:
    """The child: answers until it is told to stop."""
    link = Connection(socket.create_connection(("127.0.0.1", port)))
    scheme, rounds = VectorisedTwoParty(work.chunk), VectorisedVote(work.chunk)
    link.send(b"1")
    key, reverse_key = _choose(scheme, link), _offer(scheme, link)
    cpu: list[float] = []
    position = batch = 0
    shares = votes = work.shares(batch)[0]
    while (command := link.read(1)) != STOP:
        if command == PREPARE:
            batch += 1
            shares, _ = work.shares(batch)
            link.send(b"1")
        elif command == RUN:
            began = time.process_time()
            counts = [work.shape.all_transfers]
            scheme.expect_transfers(key, position, counts)
            payload = link.read(scheme.extension_length(counts[0]))
            (transfers,) = scheme.extend_garbler(key, position, counts, payload)
            state: GarblerRound | Shares = rounds.await_begin(transfers, reverse_key, work.shape, shares)
            while isinstance(state, GarblerRound):
                request = link.read(rounds.request_length(work.shape, state.number))
                stream = rounds.garble_stream(state, request, _source())
                for piece in stream:
                    link.send(piece)
                state = stream.output
            votes = [list(row) for row in state]
            cpu.append(time.process_time() - began)
            position += 1 << 32
        elif command == CHECK:
            link.send(np.array(votes[:CHECKED], np.uint64).tobytes())
        else:
            link.send(_REPORT.pack(float(np.median(cpu)), peak_megabytes()))
