"""The same with real BFV: errors, requests between two numbers, and a key of choice that puts the blinding in the vote.

What responses hold is predicted from the request, the weights and, for a key of choice, the answering party's draws;
it differs from what both shares add up to by the errors that honest ones have, and F*_CaPC gives the session's label.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from capc.linear.bfv import BfvLinear
from capc.linear.bfv.encoding.polynomials import encode_inputs
from capc.linear.bfv.wire.packing import pack, packed_length, unpack
from capc.linear.bfv.wire.responses import split_response
from capc.linear.bfv.wire.seal_format import SEED_BYTES
from capc.linear.bfv.wire.seeded import seeded_length
from capc.models.architecture import StageShape
from capc.models.operators import Operator
from faulty_parties.test_starred_functionality import RELAXED, VARIANTS, all_moves, new_driver, offsets, with_variant
from faulty_parties.test_weight_attacks import constant_key, note_ternaries
from protocol.cases import Case, cases
from support.cheating import CheatingDriver, Moves
from support.header import payload_of, with_payload
from support.sizes import examples


def add_to_request(linear: BfvLinear, operator: Operator, request: bytes, fine: list[int], *, clear: bool) -> bytes:
    """Adds ``fine`` times the unit q / 2^T to c0, at the inputs' places; to zeros in the place of c0, if asked."""
    context = linear._context
    layout, size = linear._encoding(operator, 1).tiling.layout, seeded_length(context)
    unit, parts = context.modulus >> context.plain_bits, []
    marks = np.arange(1, operator.inputs + 1, dtype=np.uint64).reshape(1, -1)
    for number, polynomial in enumerate(encode_inputs(layout, marks)):
        body = request[number * size : (number + 1) * size]
        words = unpack(body[:-SEED_BYTES], context.data_primes, context.degree, "request").astype(object)
        if clear:
            words[:] = 0
        for position in np.flatnonzero(polynomial):
            for row, prime in enumerate(context.data_primes):
                words[row, position] = (words[row, position] + fine[int(polynomial[position]) - 1] * unit) % prime
        parts.append(pack(words.astype(np.uint64), context.data_primes) + body[-SEED_BYTES:])
    return b"".join(parts)


@dataclass
class CheatsInHe(CheatingDriver):
    """Its requests lie between two numbers."""

    scheme: BfvLinear = field(kw_only=True)

    def altered(self, message: bytes, stage: StageShape) -> bytes:
        fine = list(self._move().fine)
        return with_payload(
            message, add_to_request(self.scheme, stage.operator, payload_of(message), fine, clear=False)
        )


@dataclass
class ChoosesTheKey(CheatsInHe):
    """The key's c0 is a constant, and so is c1 of no use: it opens responses by c0 alone.

    Its requests have the numbers in the clear in c0. So u of each response is in the sums, ``factor`` times.
    """

    factor: int = field(kw_only=True)
    ternaries: list[NDArray[np.int64]] = field(kw_only=True)
    response: bytes = b""

    def _finish_setup(self, state: object, key: bytes, trees: bytes) -> object:
        context = self.scheme._context
        constant = constant_key(context, self.factor * (context.modulus >> context.plain_bits))
        return super()._finish_setup(state, with_payload(key, constant), trees)

    def altered(self, message: bytes, stage: StageShape) -> bytes:
        bits = self.session.parameters.widths.guard_bits
        move, payload = self._move(), payload_of(message)
        fine = [(asked << bits) + part for asked, part in zip(self.requested, move.fine, strict=True)]
        self.ternaries.clear()
        return with_payload(message, add_to_request(self.scheme, stage.operator, payload, fine, clear=True))

    def evaluated(self, answer: tuple[list[list[int]], bytes]) -> tuple[list[list[int]], bytes]:
        _, self.response = answer
        return super().evaluated(answer)

    def explained(self) -> list[int]:
        """u, at the places of the outputs."""
        sums = [0] * len(self.theirs)
        for carried, drawn, _ in self._parts():
            for position, output in zip(carried.positions, carried.outputs, strict=True):
                sums[output] = self.factor * int(drawn[position])
        return sums

    def decrypted(self, rows: list[list[int]]) -> list[list[int]]:
        """Without the key: the multiple of 2^T / p that is next to each word."""
        (prime,), bits = self.scheme._context.response_primes, self.scheme._context.plain_bits
        own = [0] * len(rows[0])
        for carried, _, first in self._parts():
            for word, output in zip(first, carried.outputs, strict=True):
                own[output] = (((int(word) << bits) + prime // 2) // prime) % (1 << bits)
        return super().decrypted([own])

    def _parts(self) -> list[tuple[Any, NDArray[np.int64], Any]]:
        """Of each ciphertext of the response: what it carries, u, and the words of c0."""
        context, (peer, layer) = self.scheme._context, self.at
        encoding = self.scheme._encoding(self.models[peer].architecture.stages[layer].operator, 1)
        parts = []
        payloads = split_response(context, encoding, self.response)
        for carried, payload, drawn in zip(encoding.responses, payloads, self.ternaries, strict=True):
            head = packed_length(context.response_primes, carried.positions.size)
            words = unpack(payload[:head], context.response_primes, carried.positions.size, "response")[0]
            parts.append((carried, drawn, words))
        return parts


@st.composite
def fine_moves(draw: st.DrawFn, case: Case) -> Moves:
    """All moves, with requests between two numbers: any of the 2^h steps."""
    moves, bits = draw(all_moves(case)), case.session.parameters.widths.guard_bits
    layers = [
        [
            replace(move, fine=draw(offsets(stage.inputs, bits)))
            for move, stage in zip(chosen, model.architecture.stages, strict=True)
        ]
        for chosen, model in zip(moves.layers, case.models, strict=True)
    ]
    return replace(moves, layers=layers)


def check(case: Case, moves: Moves, kind: type[CheatsInHe], **more: object) -> None:
    linear = BfvLinear(case.session.parameters.widths)
    driver, query = new_driver(case, linear, moves, kind, scheme=linear, **more), case.queries[0]
    outcome, starred = driver.cheat(query), driver.starred(query)
    assert outcome.label == starred.querying_party
    assert outcome.guardian_bit == starred.privacy_guardian[1]
    most = case.session.parameters.widths.response_error
    assert driver.errors
    assert max(map(abs, driver.errors)) <= most


WIDTHS = st.sampled_from([8, 12, 16, 20])


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-031")
@pytest.mark.parametrize("variant", VARIANTS)
@settings(RELAXED, max_examples=examples(ordinary=2, nightly=200))
@given(data=st.data())
def test_a_cheat_with_requests_off_the_grid_gets_what_the_starred_functionality_gives(
    variant: object, data: st.DataObject
) -> None:
    case = with_variant(data.draw(cases("single_draw", WIDTHS)), variant)
    check(case, data.draw(fine_moves(case)), CheatsInHe)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-031")
@pytest.mark.parametrize("factor", [0, 1, 512])
@settings(RELAXED, max_examples=examples(ordinary=2, nightly=200))
@given(data=st.data())
def test_a_cheat_with_a_key_of_choice_gets_votes_on_its_secret(factor: int, data: st.DataObject) -> None:
    """What F*_CaPC calls a function g that draws; with the key b = 0 it does not."""
    case = data.draw(cases("plain", WIDTHS))
    with pytest.MonkeyPatch.context() as patch:
        drawn = note_ternaries(patch)
        check(case, data.draw(fine_moves(case)), ChoosesTheKey, factor=factor, ternaries=drawn)
