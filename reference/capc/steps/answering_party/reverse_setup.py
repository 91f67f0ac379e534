"""The second base transfers of a vote in rounds, which an answering party offers.

Spec: section 05, The vote in rounds, CAPC-OT-002, CAPC-OT-006, CAPC-ROUND-010.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.errors import blamed_on
from capc.foundation.parties import QUERYING_PARTY
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.session.envelope import MessageType
from capc.steps.answering_party.party import AnsweringParty
from capc.steps.layer_circuits import require_reverse_setup
from capc.steps.suite import OfferState
from capc_spec.registry import TAGS


@dataclass(frozen=True, repr=False)
class AwaitingReverseChoice(SingleUse):
    """An answering party after its offer. Secret: the offer's state."""

    party: AnsweringParty
    ot_state: OfferState


def answering_party_offer_reverse(party: AnsweringParty, seed: Seed) -> tuple[AwaitingReverseChoice, bytes]:
    """Reverse set-up 1.

    Raises:
        InputError: no vote of the session takes rounds, or this set-up was made.
    """
    AnsweringParty.require(party)
    require_reverse_setup(party.session.parameters, made=bool(party.reverse_keys))
    party.spend()
    channel, suite = party.channel, party.suite
    state, offer = suite.two_party.evaluator_offer(suite.expand(seed, channel.label("answering_party_offer_reverse")))
    return AwaitingReverseChoice(party, state), channel.seal(MessageType.BASE_OT_OFFER, offer)


def answering_party_finish_reverse(
    state: AwaitingReverseChoice, choice: bytes, seed: Seed
) -> tuple[AnsweringParty, bytes]:
    """Reverse set-up 3: the trees that complete it.

    Raises:
        ProtocolError: the choice is malformed or misdirected.
    """
    AwaitingReverseChoice.require(state)
    party, channel, scheme = state.party, state.party.channel, state.party.suite.two_party
    payload = channel.open(MessageType.BASE_OT_CHOICE, choice, scheme.choice_length())
    source = party.suite.expand(seed, channel.label("answering_party_finish_reverse"))
    with blamed_on(QUERYING_PARTY):
        key, trees = scheme.evaluator_finish(state.ot_state, payload, channel.context() + TAGS["reverse"], source)
    state.spend()
    return party.renewed(reverse_keys=(key,)), channel.seal(MessageType.OT_TREES, trees)
