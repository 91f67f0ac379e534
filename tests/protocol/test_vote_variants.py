"""Sessions whose parameters name a vote's variant: the same labels, other bytes and rounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capc.foundation.errors import ErrorCode, InputError, ParameterError, StateReuseError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.foundation.randomness import Seed
from capc.linear.ideal import IdealLinear
from capc.protocol.collaboration import Collaboration
from capc.session.envelope import MessageType
from capc.session.hello import check_hello, hello
from capc.session.parameters import VoteVariant
from capc.steps.answering_party.inference import AwaitingChoice
from capc.steps.answering_party.reverse_setup import answering_party_offer_reverse
from capc.steps.answering_party.vote_rounds import (
    AwaitingRoundChoice,
    answering_party_begin_rounds,
    answering_party_garble_round,
)
from capc.steps.querying_party.inference import AwaitingResponse
from capc.steps.querying_party.party import QueryingParty
from capc.steps.querying_party.reverse_setup import querying_party_choose_reverse
from capc.steps.querying_party.vote_rounds import (
    AwaitingRound,
    querying_party_begin_rounds,
    querying_party_evaluate_round,
)
from capc.steps.suite import hybrid_suite, reference_suite
from capc.two_party.circuits.tournament import matches_per_round
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.vectorised import VectorisedTwoParty
from support.builders import constant_model, counter_seeds, make_account, make_parameters, make_session, make_widths
from support.collaborations import collaborate
from support.driver import Driver
from support.refusals import refused


def collaboration(variant: VoteVariant, num_classes: int, two_party: GarbledTwoParty | None = None) -> Collaboration:
    parameters = replace(make_parameters(make_widths(12), num_classes=num_classes), vote_variant=variant)
    suite = reference_suite(parameters, IdealLinear(12), two_party)
    return collaborate(parameters, (1, num_classes - 1), [(2, num_classes)] * 2, strength=9, suite=suite)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-002", "CAPC-ROUND-008")
@pytest.mark.parametrize("num_classes", [2, 5, 10])
def test_rounds_and_bytes_of_a_session(num_classes: int) -> None:
    """Two flights a round, and the tables of the variant's ANDs; both engines give the same labels."""
    costs = {}
    for variant in VoteVariant:
        for engine in (GarbledTwoParty(), VectorisedTwoParty()):
            played = collaboration(variant, num_classes, engine)
            results = [*played.label_batch([[0, 0]] * 3), played.label([1, 1])]
            assert all(result.label == result.ideal_label for result in results)
            costs[variant] = played.costs["1c_argmax"]
    rounds = len(matches_per_round(num_classes))
    assert costs[VoteVariant.TOURNAMENT].rounds == costs[VoteVariant.ALL_PAIRS].rounds == 2 * 2
    assert costs[VoteVariant.MULTI_ROUND].rounds == 2 * 2 * rounds
    for variant, ands in {
        VoteVariant.TOURNAMENT: num_classes + (2 * num_classes - 1) * 11 + (num_classes - 2) * 13,
        VoteVariant.ALL_PAIRS: num_classes * (num_classes - 1) // 2 * 12 + (num_classes - 1) * (num_classes - 2),
        VoteVariant.MULTI_ROUND: (num_classes - 1) * 12 + num_classes - 2,
    }.items():
        sums = {VoteVariant.TOURNAMENT: num_classes, VoteVariant.MULTI_ROUND: num_classes - 1}
        halves = sums.get(variant, num_classes * (num_classes - 1) // 2)
        tables = 2 * 4 * (32 * ands - 16 * halves)
        assert tables < costs[variant].bytes < tables + 2 * 4 * (200 + 60 * num_classes)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-008")
def test_batches_are_not_prepared_for_rounds() -> None:
    played = collaboration(VoteVariant.MULTI_ROUND, 3)
    with pytest.raises(InputError, match="vote_variant = tournament"):
        played.prepare(2)
    assert played.label([0, 0]).index == 1


def test_rounds_count_as_layers() -> None:
    """A header numbers 256 layers: 254 of a model and the second round of three classes' vote are one too many."""
    sizes = (2, *[1] * 253, 3)
    tournament = make_session(make_parameters(num_classes=3), [sizes])
    rounds = replace(tournament.parameters, vote_variant=VoteVariant.MULTI_ROUND)
    assert replace(tournament, parameters=rounds).num_answering == 1
    with pytest.raises(ParameterError, match="257 layers with the rounds of its vote, of 256"):
        make_session(
            replace(make_parameters(num_classes=5), vote_variant=VoteVariant.MULTI_ROUND), [(*sizes[:-1], 1, 5)]
        )


@pytest.mark.req("CAPC-PARAM-002")
@pytest.mark.parametrize("variant", [VoteVariant.ALL_PAIRS, VoteVariant.MULTI_ROUND])
def test_the_variant_is_agreed_by_all(variant: VoteVariant) -> None:
    """Another variant is another document, digest and session; the hello names it."""
    pair = (VoteVariant.TOURNAMENT, variant)
    one, two = (make_session(replace(make_parameters(), vote_variant=each)) for each in pair)
    assert one.parameters.digest != two.parameters.digest
    assert one.tag != two.tag
    assert ("vote_variant" in one.parameters.document(), two.parameters.document()["vote_variant"]) == (
        False,
        variant.value,
    )
    for mine, theirs in ((one, two), (two, one)):
        with refused(ErrorCode.PARAMETER_MISMATCH, QUERYING_PARTY) as caught:
            check_hello(mine, QUERYING_PARTY, PRIVACY_GUARDIAN, hello(theirs, QUERYING_PARTY, PRIVACY_GUARDIAN))
        assert "vote_variant" in caught.value.detail


@pytest.mark.slow
@pytest.mark.req("CAPC-WIRE-006", "CAPC-ROUND-006")
def test_a_message_of_another_round_is_refused() -> None:
    """Rounds 1 and 2 of five classes have one match each: only the header tells their messages apart."""
    parameters = replace(make_parameters(num_classes=5), vote_variant=VoteVariant.MULTI_ROUND)
    session, models = make_session(parameters, num_answering=1), [constant_model((2, 5), 1, 2)]
    suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits))
    driver = Driver(session, models, suite, make_account(parameters), counter_seeds())
    driver.set_up()
    driver.run_query([0, 0])
    for kind, step, sender, message_type in (
        (AwaitingRoundChoice, answering_party_garble_round, QUERYING_PARTY, MessageType.CHOICE_BITS),
        (AwaitingRound, querying_party_evaluate_round, answering_party(1), MessageType.GARBLED_CIRCUITS),
    ):
        _, state, _ = driver.states_of(kind)
        sent = [message for place, message in driver.sent.items() if place.message_type is message_type][:3]
        unspent = state.renewed(turn=state.turn.renewed())
        for wrong in (sent[0], sent[2]):
            with refused(ErrorCode.WRONG_LAYER, sender):
                step(unspent, wrong, Seed(bytes(32)))
        step(unspent, sent[1], Seed(bytes(32)))
        with pytest.raises(StateReuseError):
            step(unspent, sent[1], Seed(bytes(32)))


def labelled_in_rounds() -> Driver:
    parameters = replace(make_parameters(num_classes=3), vote_variant=VoteVariant.MULTI_ROUND)
    session, models = make_session(parameters, num_answering=1), [constant_model((2, 3), 1, 2)]
    suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits))
    driver = Driver(session, models, suite, make_account(parameters), counter_seeds())
    driver.set_up()
    driver.run_query([0, 0])
    return driver


@pytest.mark.slow
@pytest.mark.req("CAPC-ERR-003")
def test_querying_party_needs_the_reverse_set_up_for_rounds() -> None:
    """A caller's mistake, found before the message is looked at; nothing is used up."""
    state = labelled_in_rounds().states_of(AwaitingResponse)[-1]
    party = state.layer_input.party.renewed(reverse_keys={})
    bare = state.renewed(layer_input=state.layer_input.renewed(party=party))
    with pytest.raises(InputError, match="go through the reverse set-up"):
        querying_party_begin_rounds(bare, b"")
    bare.require_unspent()


@pytest.mark.slow
@pytest.mark.req("CAPC-ERR-003")
def test_answering_party_needs_the_reverse_set_up_for_rounds() -> None:
    state = labelled_in_rounds().states_of(AwaitingChoice)[-1]
    bare = state.renewed(request=state.request.renewed(party=state.request.party.renewed(reverse_keys=())))
    with pytest.raises(InputError, match="go through the reverse set-up"):
        answering_party_begin_rounds(bare)
    bare.require_unspent()


def test_reverse_set_up_needs_every_party() -> None:
    parameters = replace(make_parameters(), vote_variant=VoteVariant.MULTI_ROUND)
    suite = hybrid_suite(parameters)
    party = QueryingParty(make_session(parameters), suite, None, {}, 1)
    with refused(ErrorCode.MISSING_PARTICIPANT, answering_party(1)):
        querying_party_choose_reverse(party, {}, Seed(bytes(32)))


def offered(driver: Driver) -> None:
    answering_party_offer_reverse(driver.answering_parties[0], Seed(bytes(32)))


def chosen(driver: Driver) -> None:
    querying_party_choose_reverse(driver.querying_party, {}, Seed(bytes(32)))


@pytest.mark.slow
@pytest.mark.req("CAPC-ERR-003")
def test_a_second_reverse_set_up_is_refused() -> None:
    """Its messages would have the headers of the first one's. Nothing is used up."""
    driver = labelled_in_rounds()
    for again in (offered, chosen):
        with pytest.raises(InputError, match="makes them once"):
            again(driver)
    driver.answering_parties[0].require_unspent()
    driver.run_query([0, 0])


@pytest.mark.req("CAPC-ERR-003")
@pytest.mark.parametrize("variant", [VoteVariant.TOURNAMENT, VoteVariant.ALL_PAIRS])
def test_a_session_without_rounds_has_no_reverse_set_up(variant: VoteVariant) -> None:
    parameters = replace(make_parameters(), vote_variant=variant)
    session, suite = make_session(parameters, num_answering=1), hybrid_suite(parameters)
    driver = Driver(session, [constant_model((2, 3), 1, 2)], suite, make_account(parameters), counter_seeds())
    driver.set_up()
    for made in (offered, chosen):
        with pytest.raises(InputError, match="takes rounds"):
            made(driver)
    driver.run_query([0, 0])
