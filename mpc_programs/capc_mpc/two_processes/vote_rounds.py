"""The vote in rounds between two processes, as :mod:`capc_mpc.two_processes.one_circuit` but round by round.

A batch is all that it costs after set-up: extensions in both directions, choice bits, garbling, transfer, evaluation,
rows, fresh shares at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.guarded import room
from capc.foundation.randomness import Seed, XofSource
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vectorised.vote_rounds import VectorisedVote
from capc.two_party.vote_rounds import Shares, VoteShape
from capc_mpc.two_processes.connection import (
    CHECK,
    CHECKED,
    CONTEXT,
    OFFLINE,
    Address,
    Child,
    Parent,
    choose_offset,
    offer_transfers,
    source,
    uniform_words,
)


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
        """Garbler's and evaluator's shares of a batch of uniform admitted logits, with errors; the same in both."""
        stream = XofSource(Seed(batch.to_bytes(32, "little")), CONTEXT)
        guard, modulus = self.shape.guard_bits, 1 << self.shape.share_bits
        limit, most = 1 << (self.shape.logit_bits - 2), room(guard)

        def below(bound: int) -> npt.NDArray[np.int64]:
            words = uniform_words(stream, (self.shape.instances, self.shape.num_classes))
            return (words % np.uint64(bound)).astype(np.int64)

        logits, errors, masks = below(2 * limit - 1) + (1 - limit), below(most + 1), below(modulus)
        return masks.tolist(), (((logits << guard) + errors - masks) % modulus).tolist()


class VoteEvaluator(Parent):
    """Runs batches of votes in rounds.

    Args:
        work: what to run.
        listen: as of :class:`Parent`.
    """

    def __init__(self, work: VoteWork, listen: Address | None = None) -> None:
        super().__init__(run_garbler, work, listen)
        self.work = work
        self._scheme = VectorisedTwoParty(work.chunk)
        self._rounds = VectorisedVote(work.chunk)
        self._position = 0
        self._batch = 0

    def _set_up(self) -> None:
        self._key = offer_transfers(self._scheme, self._link)
        self._reverse_key = choose_offset(self._scheme, self._link)

    def prepare(self) -> None:
        """New shares."""
        self._batch += 1
        self._theirs, self._shares = self.work.shares(self._batch)
        self._link.send(OFFLINE)
        self._link.read(1)
        self._link.sent = self._link.received = 0

    def _evaluate(self) -> None:
        counts = [self.work.shape.all_transfers]
        (transfers,), extension = self._scheme.extend_evaluator(self._key, self._position, counts)
        state, request = self._rounds.begin(transfers, self._reverse_key, self.work.shape, self._shares)
        self._link.send(extension)
        for _ in range(self.work.shape.rounds - 1):
            self._link.send(request)
            state, request = self._rounds.evaluate_stream(state, self._link.read_into, source())
        self._link.send(request)
        self.votes: Shares = self._rounds.evaluate_last_stream(state, self._link.read_into)
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
            # Errors are at least 0 here, so that cutting them off is exact.
            sums = ring.add(own, other, shape.share_bits)
            logits = [ring.signed(total >> shape.guard_bits, shape.logit_bits) for total in sums]
            if ring.add(mine, theirs, shape.vote_bits) != one_hot_argmax(logits):
                raise ValueError("a vote differs from the argmax in the clear")


class _Garbler(Child):
    def __init__(self, work: VoteWork, address: Address) -> None:
        super().__init__(address)
        self._work = work
        self._scheme = VectorisedTwoParty(work.chunk)
        self._rounds = VectorisedVote(work.chunk)
        self._position = 0
        self._batch = 0

    def _set_up(self) -> None:
        self._key = choose_offset(self._scheme, self._link)
        self._reverse_key = offer_transfers(self._scheme, self._link)

    def _prepare(self) -> None:
        self._batch += 1
        self._shares, _ = self._work.shares(self._batch)

    def _garble(self) -> None:
        shape, scheme, rounds, link = self._work.shape, self._scheme, self._rounds, self._link
        counts = [shape.all_transfers]
        scheme.expect_transfers(self._key, self._position, counts)
        payload = link.read(scheme.extension_length(counts[0]))
        (transfers,) = scheme.extend_garbler(self._key, self._position, counts, payload)
        state = rounds.await_begin(transfers, self._reverse_key, shape, self._shares)
        for number in range(shape.rounds - 1):
            stream = rounds.garble_stream(state, link.read(rounds.request_length(shape, number)), source())
            for piece in stream:
                link.send(piece)
            state = stream.output
        last = rounds.garble_last_stream(state, link.read(rounds.request_length(shape, state.number)), source())
        for piece in last:
            link.send(piece)
        self._votes = [list(row) for row in last.output]
        self._position += 1 << 32

    def _shown(self) -> bytes:
        return np.array(self._votes[:CHECKED], np.uint64).tobytes()


def run_garbler(work: VoteWork, address: Address) -> None:
    """The garbler's process: answers until it is told to stop."""
    _Garbler(work, address).serve()
