"""The second base transfers of a vote in rounds: with every answering party, the other way round.

The answering party offers, the querying party chooses an offset of its own: transfers go to the answering party. The
steps are those of the first set-up with the roles exchanged, and follow it. Spec: section 05, The vote in rounds,
CAPC-OT-002, CAPC-OT-006, CAPC-ROUND-010.

Bytes in, bytes out; no step draws randomness or does any I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capc.foundation.errors import ErrorCode, ProtocolError, blamed_on
from capc.foundation.parties import QUERYING_PARTY, Party
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse, require_alive
from capc.session.channel import Channel
from capc.session.envelope import MessageType
from capc.steps.layer_circuits import require_reverse_setup
from capc.steps.querying_party.party import QueryingParty
from capc.steps.suite import ChoiceState, GarblerKey
from capc_spec.registry import TAGS


@dataclass(frozen=True, repr=False)
class AwaitingReverseTrees(SingleUse):
    """The querying party after its choices. Secret: its offsets, one for each answering party."""

    party: QueryingParty
    ot_states: Mapping[Party, ChoiceState]

    def require_alive(self) -> None:
        """Also of what was chosen for each answering party: trees of one that are inconsistent end the set-up."""
        super().require_alive()
        for state in self.ot_states.values():
            require_alive(self.party.suite.two_party.destruction(state))


def querying_party_choose_reverse(
    party: QueryingParty, offers: Mapping[Party, bytes], seed: Seed
) -> tuple[AwaitingReverseTrees, dict[Party, bytes]]:
    """Reverse set-up 2: an offset for each answering party, and the choices by its bits.

    Raises:
        InputError: no vote of the session takes rounds, or this set-up was made.
        ProtocolError: an offer is malformed or misdirected, or an answering party's is missing.
    """
    QueryingParty.require(party)
    require_reverse_setup(party.session.parameters, made=bool(party.reverse_keys))
    scheme = party.suite.two_party
    payloads = _open_all(party, MessageType.BASE_OT_OFFER, offers, scheme.offer_length())
    states: dict[Party, ChoiceState] = {}
    messages: dict[Party, bytes] = {}
    for peer, payload in payloads.items():
        channel = party.channel(peer)
        source = party.suite.expand(seed, channel.label("querying_party_choose_reverse"))
        with blamed_on(peer):
            states[peer], choice = scheme.garbler_choose(payload, channel.context() + TAGS["reverse"], source)
        messages[peer] = channel.seal(MessageType.BASE_OT_CHOICE, choice)
    party.spend()
    return AwaitingReverseTrees(party, states), messages


def querying_party_finish_reverse(state: AwaitingReverseTrees, trees: Mapping[Party, bytes]) -> QueryingParty:
    """Reverse set-up 4.

    Raises:
        ProtocolError: a message is malformed or misdirected, an answering party's is missing, or trees are
            inconsistent, which destroys the state.
    """
    AwaitingReverseTrees.require(state)
    party, scheme = state.party, state.party.suite.two_party
    payloads = _open_all(party, MessageType.OT_TREES, trees, scheme.trees_length())
    keys: dict[Party, GarblerKey] = {}
    for peer, payload in payloads.items():
        with blamed_on(peer):
            keys[peer] = scheme.garbler_finish(state.ot_states[peer], payload)
    state.spend()
    return party.renewed(reverse_keys=keys)


def _open_all(
    party: QueryingParty, message_type: MessageType, messages: Mapping[Party, bytes], length: int
) -> dict[Party, bytes]:
    """The payload of every answering party."""
    payloads: dict[Party, bytes] = {}
    for peer in party.session.answering_parties:
        if peer not in messages:
            raise ProtocolError(ErrorCode.MISSING_PARTICIPANT, peer, "no reverse set-up message from this party")
        channel = Channel(party.session.tag, QUERYING_PARTY, peer)
        payloads[peer] = channel.open(message_type, messages[peer], length)
    return payloads
