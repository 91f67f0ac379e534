"""Every choice bit goes out under the random bit of its own transfer: by both engines, in one batch and in rounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.two_party.circuits.release import release_circuit
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.transfers import Transfers
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vectorised.bits import unpack
from capc.two_party.vectorised.transfers import EvaluatorEnd
from support import vote_rounds
from support.vote_rounds import FAST, READABLE, Votes

CIRCUIT, INSTANCES = release_circuit(3, 3), 3
BATCH = CIRCUIT.evaluator_inputs * INSTANCES
VOTE = Votes.uniform(3, 5, 4, 1, 1)


def end_of(engine: str, bits: int, count: int) -> Any:
    """The evaluator's end of transfers with these random bits, whose labels nobody asks for."""
    if engine == READABLE:
        return bits, list(range(count))
    return EvaluatorEnd(unpack(bits.to_bytes((count + 7) // 8, "little"), count), cast(Any, None))


def batch(engine: str, bits: int) -> bytes:
    """The choice bits of a batch of circuits."""
    scheme = cast(Any, GarbledTwoParty(2) if engine == READABLE else VectorisedTwoParty(2))
    words = [[5 * number % 8 for number in range(CIRCUIT.evaluator_words)]] * INSTANCES
    return cast(bytes, scheme.choose(Transfers(0, BATCH, end_of(engine, bits, BATCH)), CIRCUIT, words)[1])


def first_round(engine: str, bits: int) -> bytes:
    """Those of a vote's first round, which uses the first of its transfers."""
    count = VOTE.shape.all_transfers
    transfers = cast(Any, Transfers(0, count, end_of(engine, bits, count)))
    scheme = cast(Any, vote_rounds.engine(engine, VOTE.chunk))
    return cast(bytes, scheme.begin(transfers, None, VOTE.shape, VOTE.rest)[1])


@pytest.mark.req("CAPC-OT-007")
@pytest.mark.parametrize("engine", [READABLE, FAST])
@pytest.mark.parametrize(("send", "used"), [(batch, BATCH), (first_round, VOTE.shape.transfers(0))])
@settings(max_examples=10)
@given(data=st.data())
def test_other_random_bits_change_what_is_sent_by_their_difference(
    send: Callable[[str, int], bytes], used: int, engine: str, data: st.DataObject
) -> None:
    drawn = data.draw(st.integers(0, (1 << used) - 1))
    plain = int.from_bytes(send(engine, 0), "little")
    for bits in (drawn, (1 << used) - 1):
        assert int.from_bytes(send(engine, bits), "little") == plain ^ bits
