"""The driver's part for votes in rounds: the second base transfers, and the rounds in the place of one vote circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capc.answering_party import AwaitingChoice, VoteReady
from capc.answering_party_rounds import (
    answering_party_begin_rounds,
    answering_party_garble_last_round,
    answering_party_garble_round,
)
from capc.parties import QUERYING_PARTY, Party
from capc.querying_party import AwaitingResponse, VoteShare
from capc.querying_party_rounds import (
    querying_party_begin_rounds,
    querying_party_evaluate_last_round,
    querying_party_evaluate_round,
)
from capc.reverse_setup import (
    AwaitingReverseChoice,
    answering_party_finish_reverse,
    answering_party_offer_reverse,
    querying_party_choose_reverse,
    querying_party_finish_reverse,
)

if TYPE_CHECKING:
    from support.driver import Driver


def set_up_reverse(driver: Driver) -> None:
    """The second base transfers, in which answering parties offer."""
    offering: list[AwaitingReverseChoice] = []
    offers: dict[Party, bytes] = {}
    for party in driver.answering_parties:
        state, offers[party.me] = driver.consume(answering_party_offer_reverse, party, driver.draw_seed())
        offering.append(state)
    seed, before = driver.draw_seed(), driver.querying_party
    choosing, choices = driver.deliver(
        offers, lambda given: driver.consume(querying_party_choose_reverse, before, given, seed)
    )
    trees: dict[Party, bytes] = {}
    for position, state in enumerate(offering):
        me, tree_seed = state.party.me, driver.draw_seed()
        driver.answering_parties[position], trees[me] = driver.deliver(
            {QUERYING_PARTY: choices[me]},
            lambda given, state=state, seed=tree_seed: driver.consume(  # type: ignore[misc]
                answering_party_finish_reverse, state, given[QUERYING_PARTY], seed
            ),
        )
    driver.querying_party = driver.deliver(
        trees, lambda given: driver.consume(querying_party_finish_reverse, choosing, given)
    )


def vote_in_rounds(
    driver: Driver, before: AwaitingResponse, response: bytes, choosing: AwaitingChoice
) -> tuple[tuple[VoteShare, ...], tuple[VoteReady, ...]]:
    """Step 1c with one answering party, round after round."""
    peer = before.layer_input.peer
    mine, request = driver.hand_over(peer, response, querying_party_begin_rounds, before)
    theirs = driver.consume(answering_party_begin_rounds, choosing)
    shape = mine.turn.shape
    for number in range(shape.rounds):
        last = shape.is_last(number)
        garble_seed, evaluate_seed = driver.draw_seed(), driver.draw_seed()
        after, answer = driver.deliver(
            {QUERYING_PARTY: request},
            lambda given, state=theirs, seed=garble_seed, last=last: driver.consume(  # type: ignore[misc]
                answering_party_garble_last_round if last else answering_party_garble_round,
                state,
                given[QUERYING_PARTY],
                seed,
            ),
        )
        if last:
            break
        theirs = after
        mine, request = driver.hand_over(peer, answer, querying_party_evaluate_round, mine, evaluate_seed)
    return driver.hand_over(peer, answer, querying_party_evaluate_last_round, mine, evaluate_seed), after
