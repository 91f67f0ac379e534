"""No garbler of either engine draws anything before it knows that the choice bits are good, whatever it garbles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from capc.foundation.errors import InvalidPayloadError
from capc.foundation.randomness import RandomSource
from capc.two_party.circuits.release import release_circuit
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vote_rounds import GarblerRound
from support import vote_rounds
from support.computations import fresh_keys, stream
from support.vote_rounds import ENDS, Votes

CIRCUIT = release_circuit(3, 3)
INPUTS = [[1] * CIRCUIT.garbler_words]


class Drawn(Exception):  # noqa: N818
    """Randomness was asked for."""


class Unread:
    """A source from which nothing may be drawn."""

    def read(self, length: int) -> bytes:
        raise Drawn(length)

    bits = below = read


Garble = Callable[[Any, Any, bytes, RandomSource], object]
WAYS: dict[str, Garble] = {
    "garble": lambda scheme, transfers, bits, source: scheme.garble(transfers, CIRCUIT, INPUTS, bits, source),
    "garble_stream": lambda scheme, transfers, bits, source: scheme.garble_stream(
        transfers, CIRCUIT, INPUTS, bits, source
    ),
    "garble_offline": lambda scheme, transfers, bits, source: scheme.garble_offline(
        transfers, CIRCUIT, 1, bits, source
    ),
}


def bad(bits: bytes) -> list[bytes]:
    """Too short, too long, and with a bit of the padding set."""
    return [bits[:-1], bits + b"\0", bits[:-1] + bytes([bits[-1] | 0x80])]


def check(garble: Callable[[bytes, RandomSource], object], bits: bytes) -> None:
    """Bad bits are refused before the first draw; with good ones there is one, so that the source would tell."""
    nobody = cast(RandomSource, Unread())
    for wrong in bad(bits):
        with pytest.raises(InvalidPayloadError):
            garble(wrong, nobody)
    with pytest.raises(Drawn):
        garble(bits, nobody)


@pytest.mark.req("CAPC-GC-013")
@pytest.mark.parametrize(
    ("engine", "way"),
    [(engine, way) for engine in (GarbledTwoParty, VectorisedTwoParty) for way in WAYS if hasattr(engine, way)],
)
def test_bad_choice_bits_are_refused_before_any_draw(
    engine: type[GarbledTwoParty] | type[VectorisedTwoParty], way: str
) -> None:
    assert CIRCUIT.evaluator_inputs % 8
    scheme = engine()
    keys = cast(Any, fresh_keys(scheme, scheme))
    (received,), rows = scheme.extend_evaluator(keys[1], 0, [CIRCUIT.evaluator_inputs])
    (kept,) = scheme.extend_garbler(keys[0], 0, [CIRCUIT.evaluator_inputs], rows)
    _, bits = cast(Any, scheme).choose(received, CIRCUIT, [[2] * CIRCUIT.evaluator_words])
    check(lambda payload, source: WAYS[way](scheme, kept, payload, source), bits)


@pytest.mark.req("CAPC-GC-013")
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("end", ENDS)
def test_no_round_of_a_vote_draws_for_bad_choice_bits(end: str, number: int) -> None:
    """The last round of two, and the one before."""
    job = Votes.uniform(3, 5, 4, 1, 1)
    mine, theirs, request = vote_rounds.begin(end, end, job)
    scheme = vote_rounds.engine(end, job.chunk)
    for _ in range(number):
        mine, answer = cast(Any, vote_rounds.garble(scheme, mine, request, stream(1, "g")))
        theirs, request = cast(Any, vote_rounds.evaluate(scheme, theirs, answer, stream(1, "e")))
    assert isinstance(mine, GarblerRound)
    assert job.shape.transfers(number) % 8
    check(lambda payload, source: vote_rounds.garble(scheme, mine, payload, source), request)
