"""One round of the vote in rounds, exactly: what either party holds tells nothing about the logits.

The shipped projections and translations run once for every outcome: hashes are ideal (a uniform value for each label),
and the permute bit and the random bit of the reverse transfer are uniform. Shares are of l = 2 bits, for which
|x - y| < 2^(l-1) admits logits -1 and 0. The evaluator plays an honest Delta', an even one, or zero.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import product
from typing import NamedTuple

import pytest

from capc.foundation import ring
from capc.two_party.circuits.builder import Sharing
from capc.two_party.garbling.output_sharing import (
    project_by_evaluator,
    project_by_garbler,
    share_by_evaluator,
    share_by_garbler,
)
from capc.two_party.garbling.readable_vote_rounds import stands_for
from capc.two_party.vote_rounds import differences, winners
from capc_verify.views.enumeration import Choices
from capc_verify.views.law import Law, Tally
from support.sizes import examples

DELTA, REVERSE_DELTA = 0b10101, 0b11011
DISHONEST = {"even": 0b11010, "zero": 0}
"""Other offsets Delta' than an honest evaluator's."""
ZERO_LABELS = (0b1000, 0b1001)
"""Of the sign's wire, by permute bit."""
Q = 0b0110
SHARES = [(1, 2), (0, 0), (3, 1), *product(range(4), repeat=2)][: examples(ordinary=3, nightly=19)]


class IdealHash:
    """A uniform value for every label, drawn when it is asked for."""

    def __init__(self, choices: Choices, radix: int) -> None:
        self._choices, self._radix = choices, radix
        self._values: dict[int, int] = {}

    def digest(self, *operands: Sequence[int]) -> list[list[int]]:
        for operand in operands:
            for label in operand:
                if label not in self._values:
                    self._values[label] = self._choices.choose(self._radix)
        return [[self._values[label] for label in operand] for operand in operands]


class RoundView(NamedTuple):
    garbler: Hashable
    evaluator: Hashable


def play(
    choices: Choices,
    logits: tuple[int, int],
    garbler: tuple[int, int],
    width: int,
    *,
    delta: int = REVERSE_DELTA,
    masked: bool = True,
    hashed: bool = True,
    by_number: bool = True,
) -> RoundView:
    """Both views of one match: own randomness, what arrives, and the share of the winner.

    Args:
        choices: the outcome.
        logits: of the match.
        garbler: its shares.
        width: l.
        delta: the evaluator's offset Delta'.
        masked: whether the reverse transfer's bit is random; a fault if not.
        hashed: whether the evaluator's rows are hashed; a fault if not.
        by_number: whether this bit masks, and not the lowest bit of a label; a fault if not.
    """
    rest = ring.subtract(logits, garbler, width)
    sign = int(logits[1] > logits[0])
    entrants_g, entrants_e = [[word] for word in garbler], [[word] for word in rest]
    weights_g, weights_e = ([[-word % 2**width] for (word,) in differences(e, width)] for e in (entrants_g, entrants_e))
    sharing, radix = Sharing(1, width), 2**width
    # Shares of s D_g.
    permute = choices.choose(2)
    zero = ZERO_LABELS[permute]
    active = zero ^ sign * DELTA
    forward = IdealHash(choices, radix)
    rows, ((part_g,),) = share_by_garbler(sharing, [[zero]], DELTA, forward, weights_g)  # type: ignore[arg-type]
    ((part_e,),) = share_by_evaluator(sharing, [[active]], rows, forward)  # type: ignore[arg-type]
    # Shares of s D_e.
    chosen = choices.choose(2) if masked else 0
    taken = Q ^ chosen * delta
    number, zero_number = (chosen, 0) if by_number else (taken & 1, Q & 1)
    sent = permute ^ number
    first = Q ^ zero_number * delta
    reverse = IdealHash(choices, radix if hashed else 1)
    stands = stands_for([[active]], sent)
    back, ((kept_e,),) = project_by_garbler(sharing, [[first]], stands, delta, reverse, weights_e)  # type: ignore[arg-type]
    ((kept_g,),) = project_by_evaluator(sharing, [[taken]], [[number]], back, reverse)  # type: ignore[arg-type]
    ((share_g,),) = winners(entrants_g, [[ring.reduce(part_g + kept_g, width)]], width)
    ((share_e,),) = winners(entrants_e, [[ring.reduce(part_e + kept_e, width)]], width)
    # A fault that leaves the number to the labels gives wrong winners, too, where both have the same.
    assert not by_number or ring.signed((share_g + share_e) % radix, width) == max(logits)
    own_g = (zero, *forward.digest([zero, zero ^ DELTA]), taken, *reverse.digest([taken]))
    # Of a label only its lowest bit is seen: the others are uniform, as those of all labels under half-gates.
    own_e = (active & 1, *forward.digest([active]), Q, *reverse.digest([Q, Q ^ delta]))
    return RoundView(repr((own_g, back, share_g)), repr((own_e, rows, sent, share_e)))


def laws(logits: tuple[int, int], garbler: tuple[int, int], width: int, **faults: int) -> tuple[Law, Law]:
    """The garbler's and the evaluator's."""
    choices, tallies = Choices(), (Tally(), Tally())
    more = True
    while more:
        seen = play(choices, logits, garbler, width, **faults)
        for tally, view in zip(tallies, seen, strict=True):
            tally.add(view, choices.denominator)
        more = choices.advance()
    return tallies[0].law(), tallies[1].law()


def both_laws(logits: tuple[int, int], shares: tuple[int, int], width: int, **faults: int) -> tuple[Law, Law]:
    """The garbler's law, if these are its shares, and the evaluator's, if they are the evaluator's."""
    mine, _ = laws(logits, shares, width, **faults)
    rest = ring.subtract(logits, shares, width)
    _, theirs = laws(logits, (rest[0], rest[1]), width, **faults)
    return mine, theirs


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-003", kind="enumeration")
@pytest.mark.parametrize("shares", SHARES, ids=str)
def test_views_of_a_round_have_one_law_for_all_logits(shares: tuple[int, int]) -> None:
    first, *others = (both_laws(logits, shares, 2) for logits in product((-1, 0), repeat=2))
    assert all(other == first for other in others)


@pytest.mark.req("CAPC-ROUND-003")
@pytest.mark.parametrize(("fault", "party"), [("masked", 1), ("hashed", 0)])
def test_a_broken_round_is_seen(fault: str, party: int) -> None:
    """Without the random choice the evaluator learns signs; without hashes the garbler learns differences."""
    one, two = (both_laws(logits, (1, 2), 2, **{fault: False}) for logits in ((-1, 0), (0, -1)))
    assert one[party] != two[party]
    assert one[1 - party] == two[1 - party]


def evaluators_law(logits: tuple[int, int], shares: tuple[int, int], **changes: int) -> Law:
    """The law of an evaluator with these shares."""
    rest = ring.subtract(logits, shares, 2)
    return laws(logits, (rest[0], rest[1]), 2, **changes)[1]


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-009", kind="enumeration")
@pytest.mark.parametrize("offset", DISHONEST)
@pytest.mark.parametrize("shares", SHARES, ids=str)
def test_an_offset_of_choice_sees_one_law_for_all_logits(shares: tuple[int, int], offset: str) -> None:
    delta = DISHONEST[offset]
    first, *others = (evaluators_law(logits, shares, delta=delta) for logits in product((-1, 0), repeat=2))
    assert all(other == first for other in others)


@pytest.mark.req("CAPC-ROUND-009")
@pytest.mark.parametrize("offset", DISHONEST)
def test_a_mask_that_is_the_lowest_bit_of_a_label_is_seen(offset: str) -> None:
    """With an honest Delta' it is as good; with another one the evaluator learns signs."""
    pair = ((-1, 0), (0, -1))
    one, two = (evaluators_law(logits, (1, 2), delta=DISHONEST[offset], by_number=False) for logits in pair)
    assert one != two
    one, two = (evaluators_law(logits, (1, 2), by_number=False) for logits in pair)
    assert one == two
