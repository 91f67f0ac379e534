"""A cheating querying party that gives other values or shares than it should: it gets a vote on them, one vote.

Each test is the figure of a row of section 90.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.guarded import GUARD_BITS, evaluator_word, garbler_word
from capc.linear.ideal import IdealLinear
from capc.models.model import QuantisedLayer, QuantisedModel, dense_model
from capc.steps.answering_party.inference import AwaitingRequest
from capc.steps.querying_party.inference import LayerInput
from capc.steps.suite import reference_suite
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.vote_rounds import final_circuit
from capc.two_party.garbling.readable import GarbledTwoParty
from support import oracles
from support.builders import counter_seeds, make_account, make_parameters, make_session, make_widths
from support.computations import readable_keys, stream
from support.driver import Driver

WIDTHS = make_widths(logit_bits=14, vote_bits=11)
VOTE_BITS = 16


@dataclass
class AsksTwoThings(Driver):
    """Sends one query to all answering parties but the second, which gets another one; opens the votes."""

    other: tuple[int, ...] = ()
    votes: list[list[int]] = field(default_factory=list)

    def infer(self, layer_input: LayerInput, waiting: AwaitingRequest) -> tuple[Any, Any]:
        if layer_input.peer.index == 2:
            row = tuple(ring.reduce(entry, WIDTHS.logit_bits) for entry in self.other)
            layer_input = replace(layer_input, values=((row,),), request=None)
        mine, theirs = super().infer(layer_input, waiting)
        self.votes.append(ring.add(mine[0].share, theirs[0].vote_share, WIDTHS.vote_bits))
        return mine, theirs


def linear_model() -> QuantisedModel:
    """Class 0 if the first feature is larger, class 1 if the second is, class 2 if both are below -1."""
    return dense_model((QuantisedLayer(((4, 0), (0, 4), (0, 0)), (0, 0, -16)),), WIDTHS.fraction_bits)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-020")
@pytest.mark.parametrize(("other", "vote"), [((-4, 4), 1), ((-40, -40), 2), ((50, 49), 0)])
def test_queries_of_choice(other: tuple[int, ...], vote: int) -> None:
    """Another query for each answering party, and values far outside of [-1, 1], get their votes like any query."""
    parameters = make_parameters(WIDTHS)
    driver = AsksTwoThings(
        make_session(parameters, [(2, 3)] * 3),
        [linear_model()] * 3,
        reference_suite(parameters, IdealLinear(WIDTHS.logit_bits)),
        make_account(parameters),
        counter_seeds(f"other {vote}"),
        other=other,
    )
    driver.set_up()
    driver.run_query((4, -4))
    one_hot = [[int(c == winner) for c in range(3)] for winner in (0, vote, 0)]
    assert driver.votes == one_hot


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-020")
def test_offset_on_logits() -> None:
    """Choice bits of its share plus an offset o: the party votes argmax(r + o), in 20 of 20 queries."""
    classes, bits, scheme = 5, 20, GarbledTwoParty()
    circuit = vote_circuit(classes, bits, VOTE_BITS)
    garbler_key, evaluator_key = readable_keys("offset")
    changed = 0
    for nonce in range(20):
        source = stream(nonce, "offsets")
        logits, offsets = ([source.below(1 << 16) - (1 << 15) for _ in range(classes)] for _ in range(2))
        masks = [source.bits(bits + GUARD_BITS) for _ in range(classes)]
        moved = [logit + offset for logit, offset in zip(logits, offsets, strict=True)]
        (mine,), rows = scheme.extend_evaluator(evaluator_key, nonce, [circuit.evaluator_inputs])
        (theirs,) = scheme.extend_garbler(garbler_key, nonce, [circuit.evaluator_inputs], rows)
        shares = ring.subtract([value << GUARD_BITS for value in moved], masks, bits + GUARD_BITS)
        chosen, choice = scheme.choose(mine, circuit, [[evaluator_word(share, GUARD_BITS) for share in shares]])
        words = [garbler_word(mask, bits, GUARD_BITS) for mask in masks]
        output, payload = scheme.garble(theirs, circuit, [words], choice, source)
        vote = scheme.evaluate(chosen, payload).outputs[0], output.shares[0]
        assert ring.add(*vote, VOTE_BITS) == one_hot_argmax(moved)
        changed += one_hot_argmax(moved) != one_hot_argmax(logits)
    assert changed >= 5


VOTES = ("tournament", "all_pairs", "last_round")


def make_vote(kind: str, classes: int, bits: int) -> Circuit:
    """Looked up for each call: a seeded fault puts another function in the place of one."""
    makers = dict(zip(VOTES, (vote_circuit, vote_circuit_low_depth, final_circuit), strict=True))
    return makers[kind](classes, bits, VOTE_BITS)


@pytest.mark.req("CAPC-SEC-024", "CAPC-ARG-015")
@pytest.mark.parametrize("classes", [2, 3, 4, 5, 7, 10])
@pytest.mark.parametrize("kind", VOTES)
def test_any_words_give_one_vote(kind: str, classes: int) -> None:
    """Words that no honest party would have, and, in the last round, any signs: exactly one flag of every instance."""
    circuit = make_vote(kind, classes, 12)
    count = 1500 * (circuit.garbler_inputs + circuit.evaluator_inputs)
    bits = np.frombuffer(stream(classes, circuit.name).read(count), np.uint8) & 1
    assert_one_flag(circuit, bits.reshape(1500, -1))


@pytest.mark.req("CAPC-SEC-024", "CAPC-ARG-015")
@pytest.mark.parametrize("kind", VOTES)
def test_all_words_of_a_small_ring_give_one_vote(kind: str) -> None:
    """Every input of three classes, in words of 2 and 3 bits: 2^18 of the larger."""
    for bits in (1, 2):
        circuit = make_vote(kind, 3, bits)
        count = circuit.garbler_inputs + circuit.evaluator_inputs
        assert count <= 18
        assert_one_flag(circuit, oracles.grid(*[range(2)] * count).astype(np.uint8))


def assert_one_flag(circuit: Circuit, inputs: oracles.Bits) -> None:
    flags = oracles.evaluate_many(circuit, *np.split(inputs, [circuit.garbler_inputs], axis=1))
    assert (flags.sum(axis=1) == 1).all()
