"""Inference between two processes over loopback: the querying party here, one answering party in a child.

The programs are the roles' own; frames of an 8-byte length carry their messages. The guardian, in a child of its own,
takes part in the set-up only: a turn ends with the shares of the votes, which the answering party then reports.
"""

from __future__ import annotations

import multiprocessing
import pickle
import socket
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self, TypeVar

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.foundation.randomness import fresh_seed
from capc.linear.bfv import BfvLinear, PooledLinear
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.protocol.costs import Step
from capc.protocol.embedded_methods import EmbeddedInference
from capc.protocol.roles import answering_party as answering_party_program
from capc.protocol.roles import privacy_guardian, querying_party
from capc.protocol.seats import AnsweringSeat, GuardianSeat, Methods, Mode, Queries, QueryingSeat, QueryingTurn, Turn
from capc.session.session import Batch, Session
from capc.steps.answering_party.inference import AnsweringVoteShare
from capc.steps.privacy_guardian.party import VoteCollection
from capc.steps.querying_party.inference import VoteShare
from capc.steps.querying_party.party import ReleaseTurn
from capc.steps.suite import Suite, reference_suite
from capc.two_party.vectorised import VectorisedTwoParty
from capc_mpc.two_processes.connection import Connection, peak_megabytes, reset_peak

PEER = answering_party(1)
LENGTH = 8

T = TypeVar("T")


class SocketLink:
    """Frames on a socket to each peer, sent and awaited in place: a program on it waits for nothing else.

    Args:
        sockets: to each peer.
    """

    def __init__(self, sockets: Mapping[Party, socket.socket]) -> None:
        self.step = Step.SETUP
        self.connections = {peer: Connection(each) for peer, each in sockets.items()}

    async def send(self, peer: Party, message: bytes, flight: str | None = None) -> None:  # noqa: ARG002
        """One frame."""
        self.connections[peer].send(len(message).to_bytes(LENGTH, "little"))
        self.connections[peer].send(message)

    async def receive(self, peer: Party, step: Step | None = None) -> bytes:  # noqa: ARG002
        """The next frame."""
        link = self.connections[peer]
        return link.read(int.from_bytes(link.read(LENGTH), "little"))

    async def together(self, tasks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
        """One after another: there is one answering party."""
        return [await task for task in tasks]

    def outside(self, sent: int, rounds: int) -> None:
        """No engine is outside."""


def play(program: Coroutine[Any, Any, T]) -> T:
    """Runs what waits for sockets only.

    Raises:
        RuntimeError: it waits for something else.
    """
    try:
        program.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("a program waits for something that is no socket")


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


class SharesOnly:
    """In the place of a release: the shares of the votes are kept."""

    def __init__(self) -> None:
        self.shares: Sequence[Sequence[VoteShare]] = ()
        self.votes: Sequence[AnsweringVoteShare] = ()

    async def querying_party(
        self,
        seat: QueryingSeat,  # noqa: ARG002
        turns: Sequence[ReleaseTurn],  # noqa: ARG002
        shares: Sequence[Sequence[VoteShare]],
    ) -> None:
        """Keeps its shares."""
        self.shares = shares

    async def answering_party(self, seat: AnsweringSeat, votes: Sequence[AnsweringVoteShare]) -> None:  # noqa: ARG002
        """Keeps its shares."""
        self.votes = votes

    async def privacy_guardian(self, seat: GuardianSeat, collecting: Sequence[VoteCollection]) -> None:
        """Has no part."""


def suite_of(session: Session, workers: int = 0) -> Suite:
    """Real HE, spread over this process and some workers, and the fast engine."""
    widths = session.parameters.widths
    linear = PooledLinear(widths, workers) if workers else BfvLinear(widths)
    return reference_suite(session.parameters, linear, VectorisedTwoParty())


def make_account(session: Session) -> Account:
    """An account that no benchmark exhausts."""
    return Account(session.parameters.release, session.parameters.widths.grid_bits, Fraction(10**9))


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.create_connection(server.getsockname()), server.accept()[0]


class QueryingProcess:
    """The querying party, which starts the other parties and asks the answering party batch after batch.

    Args:
        session: with one answering party.
        model: of the answering party.
        workers: processes that the answering party has besides its own.
    """

    def __init__(self, session: Session, model: QuantisedModel, workers: int = 0) -> None:
        self._session = session
        self._model = model
        self._workers = workers
        self._release = SharesOnly()
        self.cpu: list[float] = []

    def __enter__(self) -> Self:
        reset_peak()
        (mine, theirs), (to_guardian, guardians), (across, back) = (connected() for _ in range(3))
        session, context = self._session, multiprocessing.get_context("spawn")
        answering = (session, self._model, {QUERYING_PARTY: theirs, PRIVACY_GUARDIAN: across}, self._workers)
        guardian = (session, {QUERYING_PARTY: guardians, PEER: back})
        self._children = [
            context.Process(target=run_answering_party, args=answering, daemon=True),
            context.Process(target=run_guardian, args=guardian, daemon=True),
        ]
        for child in self._children:
            child.start()
        for end in (theirs, guardians, across, back):
            end.close()
        self._link = SocketLink({PEER: mine, PRIVACY_GUARDIAN: to_guardian})
        methods = Methods(EmbeddedInference(), self._release)
        self._seat = QueryingSeat(self._link, session, suite_of(session), fresh_seed, methods)
        play(querying_party(self._seat))
        self._next = 1
        return self

    def __exit__(self, *_: object) -> None:
        play(self._link.send(PEER, b""))
        for child in self._children:
            child.join()
        for connection in self._link.connections.values():
            connection.close()
        self.peak = peak_megabytes()

    def run(self, queries: Queries) -> tuple[VoteShare, ...]:
        """A batch, from its queries to this party's shares of the votes; :meth:`report` comes after it."""
        began, connection = time.process_time(), self._link.connections[PEER]
        play(self._link.send(PEER, len(queries).to_bytes(4, "little")))
        connection.sent = connection.received = 0
        play(querying_party(self._seat, [QueryingTurn(Mode.LABEL, Batch(self._next, len(queries)), queries)]))
        self._next += len(queries)
        self.bytes = connection.sent + connection.received
        self.cpu.append(time.process_time() - began)
        return tuple(self._release.shares[0])

    def report(self) -> Report:
        """The answering party's end of the batch."""
        made: Report = pickle.loads(play(self._link.receive(PEER)))  # noqa: S301  # from this benchmark's own child
        return made


def run_answering_party(
    session: Session, model: QuantisedModel, sockets: Mapping[Party, socket.socket], workers: int
) -> None:
    """A child: answers until an empty frame."""
    link, release = SocketLink(sockets), SharesOnly()
    methods = Methods(EmbeddedInference(), release)
    seat = AnsweringSeat(link, session, suite_of(session, workers), fresh_seed, methods, PEER, model)
    play(answering_party_program(seat))
    first = 1
    while count := int.from_bytes(play(link.receive(QUERYING_PARTY)), "little"):
        began = time.process_time()
        play(answering_party_program(seat, [Turn(Mode.LABEL, Batch(first, count))]))
        first += count
        cpu = time.process_time() - began
        report = Report([vote.vote_share for vote in release.votes], cpu, peak_megabytes())
        play(link.send(QUERYING_PARTY, pickle.dumps(report)))


def run_guardian(session: Session, sockets: Mapping[Party, socket.socket]) -> None:
    """A child: the guardian's part of the set-up."""
    methods, suite = Methods(EmbeddedInference(), SharesOnly()), suite_of(session)
    play(
        privacy_guardian(GuardianSeat(SocketLink(sockets), session, suite, fresh_seed, methods, make_account(session)))
    )
