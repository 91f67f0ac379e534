"""The driver's part for the set-up: step 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.foundation.randomness import Seed
from capc.steps.answering_party.setup import (
    AwaitingTrees,
    answering_party_answer_setup,
    answering_party_begin_setup,
    answering_party_finish_setup,
)
from capc.steps.privacy_guardian.setup import (
    JoiningPrivacyGuardian,
    privacy_guardian_answer_setup,
    privacy_guardian_begin_setup,
    privacy_guardian_finish_setup,
)
from capc.steps.querying_party.setup import querying_party_begin_setup, querying_party_finish_setup
from support.driver_traffic import Delivery, flat

if TYPE_CHECKING:
    from support.driver import Driver


def set_up(driver: Driver) -> None:
    """Step 0."""
    session, suite = driver.session, driver.suite
    joining = {
        peer: answering_party_begin_setup(session, suite, peer, model, driver.draw_seed())
        for peer, model in zip(session.answering_parties, driver.models, strict=True)
    }
    starting, he_keys, offers = querying_party_begin_setup(session, suite, driver.draw_seed())
    checks = privacy_guardian_begin_setup(session, suite)
    driver.results += [starting, *flat(tuple(joining.values()))]
    choices: dict[Party, bytes] = {}
    waiting: list[AwaitingTrees] = []
    for me, (state, _) in joining.items():
        mask_keys = {other: keys[me] for other, (_, keys) in joining.items() if other != me}
        after, choices[me] = _answer_setup(driver, state, he_keys[me], offers[me], checks[me], mask_keys)
        waiting.append(after)
    from_answering = {me: first[PRIVACY_GUARDIAN] for me, (_, first) in joining.items()}
    joining_guardian, choices[PRIVACY_GUARDIAN] = _guardian_answers(driver, offers[PRIVACY_GUARDIAN], from_answering)
    seed = driver.draw_seed()
    driver.querying_party, trees = driver.deliver(
        choices, lambda given: driver.consume(querying_party_finish_setup, starting, given, seed)
    )
    driver.answering_parties = [
        driver.deliver(
            {QUERYING_PARTY: trees[state.joining.me]},
            lambda given, state=state: driver.consume(  # type: ignore[misc]
                answering_party_finish_setup, state, given[QUERYING_PARTY]
            ),
        )
        for state in waiting
    ]
    driver.guardian = driver.deliver(
        {QUERYING_PARTY: trees[PRIVACY_GUARDIAN]},
        lambda given: driver.consume(privacy_guardian_finish_setup, joining_guardian, given[QUERYING_PARTY]),
    )


def _answer_setup(
    driver: Driver, state: object, he_key: bytes, offer: bytes, check: bytes, mask_keys: Mapping[Party, bytes]
) -> tuple[AwaitingTrees, bytes]:
    """Four kinds of messages reach one step: each is interfered with while the others are honest."""
    seed = driver.draw_seed()

    def finish(key: bytes, offered: bytes, checks: bytes, keys: Mapping[Party, bytes]) -> object:
        return driver.consume(answering_party_answer_setup, state, key, offered, keys, checks, seed)

    for message, receive in (
        (he_key, lambda other: finish(other, offer, check, mask_keys)),
        (offer, lambda other: finish(he_key, other, check, mask_keys)),
        (check, lambda other: finish(he_key, offer, other, mask_keys)),
    ):
        driver.interfere(Delivery(driver.record(message), message, receive, may_be_missing=False))
    return driver.deliver(
        mask_keys,
        lambda keys: driver.consume(answering_party_answer_setup, state, he_key, offer, keys, check, seed),
        needs_all=True,
    )


def _guardian_answers(
    driver: Driver, offer: bytes, checks: Mapping[Party, bytes]
) -> tuple[JoiningPrivacyGuardian, bytes]:
    """The guardian's second step, whose seed makes no difference to the others."""

    def finish(offered: bytes, given: Mapping[Party, bytes]) -> tuple[JoiningPrivacyGuardian, bytes]:
        return privacy_guardian_answer_setup(driver.session, driver.suite, offered, given, Seed(bytes(32)))

    place = driver.record(offer)
    driver.interfere(Delivery(place, offer, lambda other: finish(other, checks), may_be_missing=False))
    return driver.deliver(checks, lambda given: finish(offer, given), needs_all=True)
