"""What a set-up binds each HE public key to, at both ends, put together here by hand."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from capc.foundation.parties import QUERYING_PARTY, Party, answering_party
from capc.session.channel import Channel
from capc.session.envelope import MessageType
from capc.steps.suite import hybrid_suite
from support.builders import constant_model, counter_seeds, make_account, make_session
from support.driver import Driver, Place
from support.header import payload_of

SIZES = ((2, 3), (2, 3), (2, 3))
SESSION = make_session(layer_sizes=SIZES)


def by_hand(party: Party, choice: bytes) -> bytes:
    """Session tag; role and index of the querying party, and of the answering party; query 0; layer 0; the choice."""
    return SESSION.tag + bytes(3) + b"\x01" + party.index.to_bytes(2, "little") + bytes(5) + choice


@pytest.mark.req("CAPC-HE-016")
@pytest.mark.parametrize("index", [1, 2, 258])
def test_a_binding_is_the_whole_context_and_the_whole_choice(index: int) -> None:
    choice = secrets.token_bytes(4096)
    party = answering_party(index)
    for ends in ((QUERYING_PARTY, party), (party, QUERYING_PARTY)):
        assert Channel(SESSION.tag, *ends).key_binding(choice) == by_hand(party, choice)


@pytest.mark.req("CAPC-HE-016")
def test_both_ends_of_every_connection_take_the_choice_that_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = hybrid_suite(SESSION.parameters)
    bindings: dict[str, list[bytes]] = {"public_key": [], "read_public_key": []}

    def noting(name: str, place: int) -> Callable[..., object]:
        correct = getattr(type(suite.linear), name)

        def noted(*arguments: Any) -> object:
            bindings[name].append(arguments[place])
            return correct(*arguments)

        return noted

    for name in bindings:
        monkeypatch.setattr(type(suite.linear), name, noting(name, 2))
    models = [constant_model(sizes, 1, 2) for sizes in SIZES]
    driver = Driver(SESSION, models, suite, make_account(SESSION.parameters), counter_seeds())
    driver.set_up()
    places = [Place(MessageType.BASE_OT_CHOICE, party, QUERYING_PARTY, 0, 0) for party in SESSION.answering_parties]
    expected = [by_hand(place.sender, payload_of(driver.sent[place])) for place in places]
    assert bindings == {"public_key": expected, "read_public_key": expected}
