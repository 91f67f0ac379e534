"""Step 0, set-up, played in one process: HE keys, base oblivious transfers, mask keys and session checks.

Every connection carries a message each way whose header holds the session tag, and so compares the session's
documents. Here they are one object; where they differ, parties apart send hellos (:mod:`capc.handshake`).
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.allowance import PrivacyAllowance
from capc.answering_party import AnsweringParty
from capc.answering_party_setup import (
    AwaitingTrees,
    answering_party_answer_setup,
    answering_party_begin_setup,
    answering_party_finish_setup,
)
from capc.costs import Step
from capc.exchange import Exchange
from capc.model import QuantisedModel
from capc.parameters import VoteVariant
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.privacy_guardian import (
    PrivacyGuardian,
    privacy_guardian_answer_setup,
    privacy_guardian_begin_setup,
    privacy_guardian_finish_setup,
)
from capc.querying_party import QueryingParty
from capc.querying_party_setup import querying_party_begin_setup, querying_party_finish_setup
from capc.reverse_setup import (
    answering_party_finish_reverse,
    answering_party_offer_reverse,
    querying_party_choose_reverse,
    querying_party_finish_reverse,
)
from capc.session import Session
from capc.suite import Suite


def set_up(
    session: Session,
    suite: Suite,
    models: Sequence[QuantisedModel],
    exchange: Exchange,
    allowances: Sequence[PrivacyAllowance | None] | None = None,
) -> tuple[QueryingParty, list[AnsweringParty], PrivacyGuardian]:
    """All parties, ready for their first batch.

    Args:
        session: parameters, participants, id.
        suite: the building blocks.
        models: one per answering party, in order.
        exchange: carries the messages.
        allowances: for each model what earlier sessions left of its circuit privacy; None for new ones.

    Raises:
        InputError: a model is not admitted.
    """
    joining = [
        answering_party_begin_setup(session, suite, peer, model, exchange.seed(), allowance)
        for peer, model, allowance in zip(
            session.answering_parties, models, allowances or [None] * len(models), strict=True
        )
    ]
    checks = privacy_guardian_begin_setup(session, suite)
    joining_querying_party, he_keys, offers = querying_party_begin_setup(session, suite, exchange.seed())
    choices: dict[Party, bytes] = {}
    waiting: list[AwaitingTrees] = []
    checks_of: dict[Party, bytes] = {}
    for state, first in joining:
        me = state.me
        mask_keys = {
            other.me: exchange.hand_over(Step.SETUP, other.me, me, keys[me], "keys")
            for other, keys in joining
            if other.me != me
        }
        key = exchange.hand_over(Step.SETUP, QUERYING_PARTY, me, he_keys[me], "keys")
        offer = exchange.hand_over(Step.SETUP, QUERYING_PARTY, me, offers[me], "keys")
        check = exchange.hand_over(Step.SETUP, PRIVACY_GUARDIAN, me, checks[me], "keys")
        checks_of[me] = exchange.hand_over(Step.SETUP, me, PRIVACY_GUARDIAN, first[PRIVACY_GUARDIAN], "keys")
        after, choice = answering_party_answer_setup(state, key, offer, mask_keys, check, exchange.seed())
        waiting.append(after)
        choices[me] = exchange.hand_over(Step.SETUP, me, QUERYING_PARTY, choice, "choices")
    offer = exchange.hand_over(Step.SETUP, QUERYING_PARTY, PRIVACY_GUARDIAN, offers[PRIVACY_GUARDIAN], "keys")
    joining_guardian, choice = privacy_guardian_answer_setup(session, suite, offer, checks_of, exchange.seed())
    choices[PRIVACY_GUARDIAN] = exchange.hand_over(Step.SETUP, PRIVACY_GUARDIAN, QUERYING_PARTY, choice, "choices")
    querying_party, trees = querying_party_finish_setup(joining_querying_party, choices, exchange.seed())
    for peer, message in trees.items():
        exchange.hand_over(Step.SETUP, QUERYING_PARTY, peer, message, "trees")
    answering = [answering_party_finish_setup(state, trees[state.joining.me]) for state in waiting]
    guardian = privacy_guardian_finish_setup(joining_guardian, trees[PRIVACY_GUARDIAN])
    if session.parameters.vote_variant is VoteVariant.MULTI_ROUND:
        querying_party, answering = _set_up_reverse(querying_party, answering, exchange)
    return querying_party, answering, guardian


def _set_up_reverse(
    querying_party: QueryingParty, answering: Sequence[AnsweringParty], exchange: Exchange
) -> tuple[QueryingParty, list[AnsweringParty]]:
    """The second base transfers, in which answering parties offer."""
    begun = [answering_party_offer_reverse(party, exchange.seed()) for party in answering]
    offers = {
        state.party.me: exchange.hand_over(Step.SETUP, state.party.me, QUERYING_PARTY, offer, "reverse offers")
        for state, offer in begun
    }
    choosing, choices = querying_party_choose_reverse(querying_party, offers, exchange.seed())
    trees: dict[Party, bytes] = {}
    ready = []
    for state, _ in begun:
        me = state.party.me
        choice = exchange.hand_over(Step.SETUP, QUERYING_PARTY, me, choices[me], "reverse choices")
        party, message = answering_party_finish_reverse(state, choice, exchange.seed())
        ready.append(party)
        trees[me] = exchange.hand_over(Step.SETUP, me, QUERYING_PARTY, message, "reverse trees")
    return querying_party_finish_reverse(choosing, trees), ready
