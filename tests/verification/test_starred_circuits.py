"""Circuits and F*_CaPC compute the same of every input word: nightly each small circuit is run on all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice, product
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation import guarded, ring
from capc.noise.release_noise import ReleaseNoise
from capc.protocol import functionality
from capc.protocol.functionality import Choices, LayerChoice, RoundChoice
from capc.session.parameters import Charge, Parameters, ThresholdMode, VoteVariant
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import evaluate
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.circuits.tournament import matches_per_round
from capc.two_party.circuits.vote_rounds import final_circuit
from support.sizes import examples

GUARD_BITS = 2
STRIDE = examples(ordinary=7, nightly=1)
"""Ordinarily one in seven of all words is taken where all of them take long; every bit of theirs changes."""


def parameters_of(variant: VoteVariant, num_classes: int, logit_bits: int) -> Parameters:
    """All that F*_CaPC looks at, at widths that no session admits."""
    widths = SimpleNamespace(logit_bits=logit_bits, guard_bits=GUARD_BITS, share_bits=logit_bits + GUARD_BITS)
    return cast(Parameters, SimpleNamespace(widths=widths, num_classes=num_classes, vote_variant=variant))


def words(count: int, bits: int) -> Iterator[tuple[int, ...]]:
    return product(range(1 << bits), repeat=count)


def shares_of(mine: Sequence[int], theirs: Sequence[int], logit_bits: int) -> tuple[list[int], list[int]]:
    """Shares that are cut to these words: the querying party's, the answering party's."""
    bits = logit_bits + GUARD_BITS
    own = [word << GUARD_BITS - 1 for word in mine]
    other = [ring.reduce((word << GUARD_BITS - 1) - 3 * (1 << GUARD_BITS - 2), bits) for word in theirs]
    assert [guarded.evaluator_word(share, GUARD_BITS) for share in own] == list(mine)
    assert [guarded.garbler_word(share, logit_bits, GUARD_BITS) for share in other] == list(theirs)
    return own, other


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-031", "CAPC-ARG-015")
@pytest.mark.parametrize(("classes", "bits"), [(2, 2), (2, 3), (3, 2)])
def test_a_tournament_on_all_words_is_the_starred_vote(classes: int, bits: int) -> None:
    circuit, parameters = vote_circuit(classes, bits, 8), parameters_of(VoteVariant.TOURNAMENT, classes, bits)
    for both in islice(words(2 * classes, bits + 1), 0, None, STRIDE):
        garbler, evaluator = both[:classes], both[classes:]
        shares = shares_of(evaluator, garbler, bits)
        named = functionality._class_of(parameters, *shares, LayerChoice(), ())
        assert evaluate(circuit, garbler, evaluator) == [int(c == named) for c in range(classes)]


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-031", "CAPC-ARG-015")
@pytest.mark.parametrize("classes", [2, 3, 4, 5])
@settings(max_examples=examples(ordinary=200, nightly=20000), deadline=None)
@given(data=st.data())
def test_all_pairs_on_any_words_are_the_starred_vote(classes: int, data: st.DataObject) -> None:
    """The answering party's words are of differences of its shares, the querying party's are any."""
    logit_bits = 3
    circuit = vote_circuit_low_depth(classes, logit_bits, 8)
    parameters = parameters_of(VoteVariant.ALL_PAIRS, classes, logit_bits)
    bits, pairs = logit_bits + GUARD_BITS, circuit.garbler_words
    theirs = data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=classes, max_size=classes))
    offsets = data.draw(st.lists(st.integers(0, (1 << bits) - 1), min_size=pairs, max_size=pairs))
    differences = [ring.reduce(theirs[c] - theirs[d], bits) for c in range(classes) for d in range(c + 1, classes)]
    garbler = [guarded.garbler_word(share, logit_bits, GUARD_BITS) for share in differences]
    evaluator = [guarded.evaluator_word(share, GUARD_BITS) for share in offsets]
    named = functionality._class_of(parameters, [0] * classes, theirs, LayerChoice(offsets=offsets), ())
    assert evaluate(circuit, garbler, evaluator) == [int(c == named) for c in range(classes)]


@pytest.mark.req("CAPC-SEC-031", "CAPC-ARG-022")
@pytest.mark.parametrize(("classes", "bits"), [(2, 3), (3, 3), (2, 4), (4, 3), (5, 2), (6, 2)])
def test_a_last_round_on_all_words_is_the_starred_vote(classes: int, bits: int) -> None:
    """Kept signs come about in F*_CaPC by offsets in earlier rounds, the last difference by what rows add."""
    circuit, parameters = final_circuit(classes, bits, 8), parameters_of(VoteVariant.MULTI_ROUND, classes, bits)
    half, none = 1 << bits + GUARD_BITS - 1, [0] * classes
    for garbler, evaluator, signs in product(range(2 << bits), range(2 << bits), words(classes - 2, 1)):
        (own,), (other,) = shares_of([evaluator], [garbler], bits)
        left, rounds = iter(signs), []
        for matches in matches_per_round(classes)[:-1]:
            # A difference of half the ring is negative, one of 0 is not.
            rounds.append(RoundChoice([half * next(left) for _ in range(matches)], [(0, 0)] * matches, [0] * matches))
        theirs = none
        if rounds:
            # The first winner of the round before is the last match's left side, whoever it is.
            other_side = ring.reduce(other + half, bits + GUARD_BITS)
            right_won = rounds[-1].offsets[0] != 0
            pair = (other_side, other) if right_won else (other, other_side)
            rounds[-1] = replace(rounds[-1], shifts=[pair, *rounds[-1].shifts[1:]])
        else:
            theirs = [other, 0]
        choices = [*rounds, RoundChoice(offsets=[own])]
        named = functionality._class_of(parameters, none, theirs, LayerChoice(), choices)
        inputs = ring.to_bits(garbler, bits + 1), [*ring.to_bits(evaluator, bits + 1), *map(int, signs)]
        assert evaluate(circuit, *inputs) == [int(c == named) for c in range(classes)]


RELEASES = {
    "plain": (None, None, Charge.WORST_CASE),
    "single_draw": (1, ThresholdMode.SINGLE_DRAW, Charge.WORST_CASE),
    "worst_case": (1, ThresholdMode.TWO_DRAWS, Charge.WORST_CASE),
    "realised": (1, ThresholdMode.TWO_DRAWS, Charge.REALISED),
}
CASES = [("plain", 2, 3), ("plain", 3, 2), ("single_draw", 2, 3), ("worst_case", 2, 2), ("realised", 2, 2)]


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-031", "CAPC-ARG-016")
@pytest.mark.parametrize(("name", "classes", "bits"), CASES)
def test_a_release_on_all_words_is_the_starred_one(name: str, classes: int, bits: int) -> None:
    """The guardian's words are its draws, the querying party's its offsets: no answering party votes."""
    threshold, mode, charge = RELEASES[name]
    apart, realised = mode is ThresholdMode.TWO_DRAWS, charge is Charge.REALISED
    if threshold is None:
        circuit = release_circuit(classes, bits)
    elif apart:
        circuit = confident_release_circuit(classes, bits, evaluator_noise=realised)
    else:
        circuit = single_draw_release_circuit(classes, bits)
    label_bits = (classes - 1).bit_length()
    for both in islice(words(circuit.garbler_words + circuit.evaluator_words, bits), 0, None, STRIDE):
        garbler, evaluator = both[: circuit.garbler_words], both[circuit.garbler_words :]
        limit = None if threshold is None else Fraction(ring.signed(garbler[-1], bits))
        release = SimpleNamespace(threshold=limit, threshold_mode=mode, charge=charge)
        widths = SimpleNamespace(vote_bits=bits, grid_bits=0)
        parameters: Any = SimpleNamespace(widths=widths, num_classes=classes, release=release)
        first = classes if apart else 0
        noise = ReleaseNoise(garbler[first : first + classes], garbler[:first])
        choices = Choices(counts=evaluator[:classes], checks=evaluator[classes:])
        given = functionality.malicious_functionality(parameters, [], [], noise, choices)
        outputs = evaluate(circuit, garbler, evaluator)
        answered = bool(outputs[0]) if threshold is not None else True
        label = ring.from_bits(outputs[-label_bits:])
        assert (label if answered else None) == given.querying_party
        assert answered or label == 0
        if realised:
            assert given.privacy_guardian[1] == answered
