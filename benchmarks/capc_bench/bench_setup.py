"""The set-up of K answering parties: bytes of all messages, and CPU of all parties together, in one process.

Networks of 64-32-10 on the default set, with real HE keys and base transfers. What grows with the square of K is 76
bytes for each ordered pair of answering parties, their mask keys; a run fails if anything else does.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.foundation.randomness import fresh_seed
from capc.protocol.collaboration import Table
from capc.protocol.costs import Step
from capc.protocol.embedded_methods import EMBEDDED
from capc.session.envelope import MessageType
from capc.session.parameters import Parameters
from capc.session.session import Participant, Session, fresh_session_id
from capc.session.widths import ParameterSet
from capc_bench.bench_inference import POLICY, weights
from capc_bench.two_roles import make_account, suite_of

SIZES = (64, 32, 10)
COUNTS = (10, 50, 250)
PAIR_BYTES = 76
MOST_SECONDS, MOST_BYTES = 60, 80_000_000
"""For K = 250, all parties together."""


class BytesByType:
    """An observer that adds up lengths."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()

    def message(self, _step: Step, _sender: Party, _receiver: Party, message: bytes) -> None:
        """Adds a message."""
        self.total[MessageType(message[0]).name.lower()] += len(message)


def make_session(count: int) -> Session:
    """K answering parties with networks of one architecture."""
    parameters = Parameters(ParameterSet.named("default"), SIZES[-1], SIZES[0], POLICY)
    architecture = weights(SIZES, parameters.widths.fraction_bits).architecture
    peers = [Participant(answering_party(i), i.to_bytes(32, "little"), architecture) for i in range(1, count + 1)]
    ends = (Participant(QUERYING_PARTY, b"\1" * 32), Participant(PRIVACY_GUARDIAN, b"\2" * 32))
    return Session(parameters, fresh_session_id(bytes), (ends[0], *peers, ends[1]))


@pytest.fixture(scope="module")
def rest() -> dict[int, int]:
    """For each K that was measured the bytes of all messages but mask keys."""
    return {}


@pytest.mark.parametrize("count", COUNTS)
def test_set_up(benchmark: BenchmarkFixture, rest: dict[int, int], count: int) -> None:
    """Everybody's set-up, once; after three sizes the rest is checked to lie on a line."""
    session, seen = make_session(count), BytesByType()
    model = weights(SIZES, session.parameters.widths.fraction_bits)
    began = time.process_time()
    shared = session, [model] * count, suite_of(session), make_account(session)
    table = Table(*shared, EMBEDDED, fresh_seed, seen)
    benchmark.pedantic(table.play, rounds=1, iterations=1)  # type: ignore[no-untyped-call]
    cpu = time.process_time() - began
    pairs = count * (count - 1)
    rest[count] = seen.total.total() - PAIR_BYTES * pairs
    benchmark.extra_info |= {"cpu": cpu, "bytes": seen.total.total(), "bytes_by_type": dict(seen.total)}
    benchmark.extra_info |= {"bytes_of_pairs": PAIR_BYTES * pairs, "bytes_a_party_beside": rest[count] / (count + 1)}
    assert seen.total["mask_key"] == PAIR_BYTES * pairs
    if count == max(COUNTS):
        assert cpu <= MOST_SECONDS
        assert seen.total.total() <= MOST_BYTES
    if len(rest) == len(COUNTS):
        few, some, many = (rest[size] for size in COUNTS)
        assert (some - few) * (COUNTS[2] - COUNTS[1]) == (many - some) * (COUNTS[1] - COUNTS[0])
