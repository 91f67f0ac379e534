"""Inference between two processes over loopback: the querying party here, one answering party in a child.

The steps are the roles' own; frames of an 8-byte length carry their messages. What one party can do while it waits for
nothing, it does: the answering party makes its ends of the transfers while the querying party encrypts.
"""

from __future__ import annotations

import multiprocessing
import pickle
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from capc.answering_party import (
    AnsweringParty,
    AwaitingRequest,
    VoteReady,
    answering_party_evaluate_layer,
    answering_party_expect_transfers,
    answering_party_garble_layer,
    answering_party_open_batch,
    answering_party_take_transfers,
)
from capc.answering_party_setup import (
    answering_party_answer_setup,
    answering_party_begin_setup,
    answering_party_finish_setup,
)
from capc.he import BfvLinear, PooledLinear
from capc.model import QuantisedModel
from capc.parties import PRIVACY_GUARDIAN, answering_party
from capc.privacy_guardian import privacy_guardian_answer_setup, privacy_guardian_begin_setup
from capc.querying_party import (
    LayerInput,
    QueryingParty,
    VoteShare,
    querying_party_choose_labels,
    querying_party_enter_batch,
    querying_party_evaluate_layer,
    querying_party_open_batch,
    querying_party_request_layer,
)
from capc.querying_party_setup import querying_party_begin_setup, querying_party_finish_setup
from capc.randomness import fresh_seed
from capc.session import Session
from capc.suite import Suite, reference_suite
from capc.vectorised import VectorisedTwoParty
from capc_bench.two_processes import Connection, peak_megabytes, reset_peak

PEER = answering_party(1)
LENGTH = 8


class Frames:
    """Messages on a socket."""

    def __init__(self, link: socket.socket) -> None:
        self.link = Connection(link)

    def send(self, message: bytes) -> None:
        """One message."""
        self.link.send(len(message).to_bytes(LENGTH, "little"))
        self.link.send(message)

    def receive(self) -> bytes:
        """The next message."""
        return self.link.read(int.from_bytes(self.link.read(LENGTH), "little"))


@dataclass(frozen=True)
class Report:
    """What the answering party tells after a batch; only a benchmark may ask.

    Attributes:
        shares: of the vote on each query.
        cpu: seconds of the batch.
        peak: of its memory, in MB.
    """

    shares: list[tuple[int, ...]]
    cpu: float
    peak: float


def suite_of(session: Session, workers: int = 0) -> Suite:
    """Real HE, spread over this process and some workers, and the fast engine."""
    widths = session.parameters.widths
    linear = PooledLinear(widths, workers) if workers else BfvLinear(widths)
    return reference_suite(session.parameters, linear, VectorisedTwoParty())


class QueryingProcess:
    """The querying party, which starts the answering party and asks it batch after batch.

    Args:
        session: with one answering party.
        model: of the answering party.
        workers: processes that the answering party has besides its own.
    """

    def __init__(self, session: Session, model: QuantisedModel, workers: int = 0) -> None:
        self._session = session
        self._model = model
        self._workers = workers
        self.cpu: list[float] = []

    def __enter__(self) -> Self:
        reset_peak()
        with socket.create_server(("127.0.0.1", 0)) as server:
            context = multiprocessing.get_context("spawn")
            arguments = (self._session, self._model, server.getsockname()[1], self._workers)
            self._child = context.Process(target=run_answering_party, args=arguments, daemon=True)
            self._child.start()
            self._frames = Frames(server.accept()[0])
        suite = suite_of(self._session)
        joining, keys, offers = querying_party_begin_setup(self._session, suite, fresh_seed())
        self._frames.send(keys[PEER])
        self._frames.send(offers[PEER])
        self._frames.send(privacy_guardian_begin_setup(self._session, suite)[PEER])
        _, choice = privacy_guardian_answer_setup(
            self._session, suite, offers[PRIVACY_GUARDIAN], {PEER: self._frames.receive()}, fresh_seed()
        )
        choices = {PEER: self._frames.receive(), PRIVACY_GUARDIAN: choice}
        self._party: QueryingParty
        self._party, trees = querying_party_finish_setup(joining, choices, fresh_seed())
        self._frames.send(trees[PEER])
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.send(b"")
        self._child.join()
        self._frames.link.close()
        self.peak = peak_megabytes()

    def run(self, queries: Sequence[Sequence[int]]) -> tuple[VoteShare, ...]:
        """A batch, from its queries to this party's shares of the votes; :meth:`report` comes after it."""
        began, link = time.process_time(), self._frames.link
        self._frames.send(len(queries).to_bytes(4, "little"))
        link.sent = link.received = 0
        self._party, opened, messages, _ = querying_party_open_batch(self._party, len(queries))
        self._frames.send(messages[PEER])
        (at,) = querying_party_enter_batch(opened, queries)
        while True:
            awaiting, request = querying_party_request_layer(at)
            self._frames.send(request)
            circuits, bits = querying_party_choose_labels(awaiting, self._frames.receive())
            self._frames.send(bits)
            result = querying_party_evaluate_layer(circuits, self._frames.receive())
            if not isinstance(result, LayerInput):
                self.bytes = link.sent + link.received
                self.cpu.append(time.process_time() - began)
                return result
            at = result

    def report(self) -> Report:
        """The answering party's end of the batch."""
        made: Report = pickle.loads(self._frames.receive())  # noqa: S301  # from this benchmark's own child
        return made


def run_answering_party(session: Session, model: QuantisedModel, port: int, workers: int) -> None:
    """The child: answers until an empty frame."""
    frames = Frames(socket.create_connection(("127.0.0.1", port)))
    joining, first = answering_party_begin_setup(session, suite_of(session, workers), PEER, model, fresh_seed())
    frames.send(first[PRIVACY_GUARDIAN])
    key, offer, check = frames.receive(), frames.receive(), frames.receive()
    awaiting, choice = answering_party_answer_setup(joining, key, offer, {}, check, fresh_seed())
    frames.send(choice)
    party = answering_party_finish_setup(awaiting, frames.receive())
    while count := int.from_bytes(frames.receive(), "little"):
        began = time.process_time()
        party, votes = _answer(party, count, frames)
        cpu = time.process_time() - began
        report = Report([vote.vote_share for vote in votes], cpu, peak_megabytes())
        frames.send(pickle.dumps(report))


def _answer(party: AnsweringParty, count: int, frames: Frames) -> tuple[AnsweringParty, tuple[VoteReady, ...]]:
    party, waiting = answering_party_open_batch(party, count)
    answering_party_expect_transfers(waiting)
    at = answering_party_take_transfers(waiting, frames.receive())
    while True:
        sums, response = answering_party_evaluate_layer(at, frames.receive(), fresh_seed())
        if isinstance(sums, AwaitingRequest):
            raise TypeError("every layer of these networks has an activation")
        frames.send(response)
        result, circuits = answering_party_garble_layer(sums, frames.receive(), fresh_seed())
        frames.send(circuits)
        if isinstance(result, tuple):
            return party, result
        at = result
