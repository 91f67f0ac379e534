"""The steps of the three roles: results against F_CaPC, admission, numbering, and misuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.errors import InputError, StateReuseError
from capc.foundation.parties import answering_party
from capc.foundation.randomness import Seed
from capc.models.model import QuantisedLayer, QuantisedModel, dense_model
from capc.session.envelope import MessageType
from capc.steps.answering_party.inference import AnsweringVoteShare, AwaitingChoice
from capc.steps.answering_party.setup import answering_party_begin_setup
from capc.steps.privacy_guardian.aggregation import AggregatedVotes
from capc.steps.querying_party.inference import VoteShare, querying_party_enter_batch
from capc.steps.querying_party.party import querying_party_open_batch
from capc.steps.querying_party.release import querying_party_request_release
from capc.steps.suite import hybrid_suite
from support.builders import (
    constant_model,
    counter_seeds,
    make_account,
    make_parameters,
    make_session,
    make_widths,
    models,
    queries,
)
from support.driver import Driver
from support.runs import POLICIES, SIZES, fork, set_up, voters, with_noise
from support.sizes import examples

MODELS = st.tuples(*[models(size, 2, 14) for size in SIZES])


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-GC-001", "CAPC-ARG-001", "CAPC-ROLE-010")
@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=examples(ordinary=4, nightly=12))
@given(data=st.data())
def test_released_label_is_the_ideal_functionalitys(policy: str, data: st.DataObject) -> None:
    chosen = data.draw(MODELS)
    driver = fork(policy, chosen, data.draw(st.uuids()).hex)
    for _ in range(2):
        outcome = driver.run_query(data.draw(queries(2, 2)))
        assert outcome.label == outcome.ideal_label
        if policy == "realised":
            assert outcome.guardian_bit is (outcome.label is not None)
        else:
            assert outcome.guardian_bit is None


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-PARAM-043", "CAPC-BATCH-001", "CAPC-AHEAD-001")
@settings(max_examples=examples(ordinary=10, nightly=30))
@given(st.data(), st.sampled_from(sorted(POLICIES)), st.integers(2, 6), st.integers(1, 5), st.integers(8, 40))
def test_any_widths_classes_and_parties_in_the_hybrid_model(
    data: st.DataObject, policy: str, num_classes: int, count: int, logit_bits: int
) -> None:
    widths = make_widths(logit_bits, vote_bits=data.draw(st.integers(11, 40)), grid_bits=data.draw(st.integers(0, 2)))
    chosen_policy = POLICIES[policy]
    if chosen_policy.threshold is not None:
        chosen_policy = replace(chosen_policy, threshold=min(chosen_policy.threshold, Fraction(count)))
    parameters = make_parameters(widths, chosen_policy, num_classes)
    sizes = [(2, *data.draw(st.lists(st.integers(1, 3), max_size=2)), num_classes) for _ in range(count)]
    chosen = [data.draw(models(size, 2, logit_bits)) for size in sizes]
    driver = Driver(
        make_session(parameters, sizes),
        chosen,
        hybrid_suite(parameters),
        make_account(parameters),
        counter_seeds(data.draw(st.uuids()).hex),
    )
    driver.set_up()
    features = data.draw(queries(2, 2))
    outcome = driver.run_query(features)
    assert outcome.label == outcome.ideal_label
    check_shares(driver, features)
    more = data.draw(st.lists(queries(2, 2), min_size=1, max_size=3))
    for outcome in driver.run_batch(more) + driver.run_prepared(more):
        assert outcome.label == outcome.ideal_label


def check_shares(driver: Driver, features: Sequence[int]) -> None:
    """Shares of the last layer and of the vote open to the model's logits and to their one-hot argmax, exactly."""
    widths = driver.session.parameters.widths
    for model, peer in zip(driver.models, driver.session.answering_parties, strict=True):
        logits = model.logits(features)
        last = len(model.layers) - 1
        (theirs,) = [
            state.sums[0]
            for state in driver.states_of(AwaitingChoice)
            if (state.request.party.me, state.request.layer) == (peer, last)
        ]
        (vote,) = [entry for entry in driver.results_of(VoteShare) if entry.peer == peer]
        (own,) = [entry for entry in driver.results_of(AnsweringVoteShare) if entry.party.me == peer]
        opened = ring.add(vote.share, own.vote_share, widths.vote_bits)
        assert opened == [int(c == logits.index(max(logits))) for c in range(len(logits))]
        responses = driver.payloads_of(MessageType.LINEAR_RESPONSE).items()
        handle = next(sent for place, sent in responses if (place.sender, place.layer) == (peer, last))
        (share,) = driver.suite.linear.decrypt(None, model.architecture.stages[last].operator, 1, handle)
        # F_linear's shares have no error.
        scaled = [(z << widths.guard_bits) % 2**widths.share_bits for z in logits]
        assert ring.add(share, theirs, widths.share_bits) == scaled


@pytest.mark.req("CAPC-AGG-004", "CAPC-AGG-001")
@pytest.mark.parametrize("winners", [(0, 1, 2), (1, 1, 1), (2, 0, 2)])
def test_querying_party_and_guardian_hold_shares_of_the_histogram(winners: tuple[int, ...]) -> None:
    driver = fork("plain", voters(*winners))
    driver.run_query([0, 0])
    (aggregated,) = driver.states_of(AggregatedVotes)
    shares = [entry.share for entry in driver.results_of(VoteShare)]
    opened = [sum(column) % 2**11 for column in zip(aggregated.total, *shares, strict=True)]
    assert opened == [winners.count(c) for c in range(3)]


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-010")
def test_queries_are_numbered_from_1_at_every_party() -> None:
    driver = fork("realised", voters(1, 1, 1))
    assert next_queries(driver) == {1}
    for number in (1, 2, 3):
        before = set(driver.sent)
        driver.run_query([0, 0])
        assert {place.query for place in set(driver.sent) - before} == {number}
        assert next_queries(driver) == {number + 1}
    for first, play in ((4, driver.run_batch), (7, driver.run_prepared)):
        before = set(driver.sent)
        play([[0, 0]] * 3)
        assert {place.query for place in set(driver.sent) - before} == {first, first + 1, first + 2}
        assert next_queries(driver) == {first + 3}


def next_queries(driver: Driver) -> set[int]:
    answering = {party.next_query for party in driver.answering_parties}
    return {driver.querying_party.next_query, driver.guardian.next_query} | answering


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-011")
@given(st.lists(st.integers(-4, 4), max_size=4), st.integers(5, 10**12), st.booleans())
def test_queries_of_other_lengths_or_ranges_are_refused(features: list[int], large: int, negative: bool) -> None:
    _, opened, _, _ = querying_party_open_batch(set_up("plain").querying_party.renewed(), 1)
    if len(features) != 2:
        with pytest.raises(InputError, match=f"a query of {len(features)} features: this session's have 2"):
            querying_party_enter_batch(opened, [features])
    value = -large if negative else large
    for position, bad in enumerate(([value, 0], [0, value])):
        refusal = rf"^feature {position} of the query is no quantised number in \[-1, 1\]: scale the data first$"
        with pytest.raises(InputError, match=refusal):
            querying_party_enter_batch(opened, [bad])
    for count in (0, 2):
        with pytest.raises(InputError, match=f"{count} queries in a batch that was opened for 1"):
            querying_party_enter_batch(opened, [[1, 1]] * count)
    inputs = querying_party_enter_batch(opened, [[4, -4]])
    assert [entry.values for entry in inputs] == [(((4, 2**14 - 4),),)] * 3


@pytest.mark.req("CAPC-ROLE-012", "CAPC-PARAM-030")
@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param(constant_model((2, 4, 3), 0, 2), "another architecture than the session declares", id="hidden"),
        pytest.param(constant_model((2, 4), 0, 2), "another architecture than the session declares", id="classes"),
        pytest.param(constant_model((2, 3), 0, 3), "has 3 fraction bits, the session 2", id="fraction bits"),
        pytest.param(constant_model((2, 3), 0, 2, 1 << 12), "layer 0 of the model needs 15 bits", id="could wrap"),
    ],
)
def test_models_that_differ_from_the_session_are_refused(model: QuantisedModel, message: str) -> None:
    driver = set_up("plain")
    with pytest.raises(InputError, match=message):
        answering_party_begin_setup(driver.session, driver.suite, answering_party(2), model, Seed(bytes(32)))
    largest = constant_model((2, 3), 0, 2, (1 << 12) - 1)
    answering_party_begin_setup(driver.session, driver.suite, answering_party(2), largest, Seed(bytes(32)))


def test_release_wants_one_share_of_every_answering_party() -> None:
    driver = fork("plain", voters(1, 1, 2))
    driver.run_query([0, 0])
    call = driver.call_of(querying_party_request_release)
    fresh, shares = call.state.renewed(), call.arguments[0]
    first, second, third = (share.renewed() for share in shares)
    others = [[each, second, third] for each in (replace(first, query=2), replace(first, session_tag=bytes(32)))]
    for bad in ([], [first, second], [first, first, third], [first, second, third, third], *others):
        with pytest.raises(InputError, match="release of query 1 needs exactly one vote share"):
            querying_party_request_release(fresh, bad, Seed(bytes(32)))
    with pytest.raises(StateReuseError):
        querying_party_request_release(fresh, [shares[0], second, third], Seed(bytes(32)))
    querying_party_request_release(fresh, [third, first, second], Seed(bytes(32)))


@pytest.mark.slow
def test_an_answering_party_with_a_biased_layer_votes_by_its_features() -> None:
    """By hand: scores are x0, x1 and 3 quarters; features are quarters."""
    model = dense_model((QuantisedLayer(((4, 0), (0, 4), (0, 0)), (0, 0, 12)),), 2)
    chosen = [constant_model(SIZES[0], 2, 2), model, constant_model(SIZES[2], 2, 2)]
    driver = fork("plain", chosen, suite=with_noise("plain", [[1, 2, 0], [2, 1, 0]]))
    assert [driver.run_query([4, 3]).label for _ in range(2)] == [2, 0]
    driver = fork("plain", [model_two_layers(model), model, chosen[2]], suite=with_noise("plain", [[0, 0, 0]]))
    assert [driver.run_query(query).label for query in ([4, 3], [3, 4], [1, 1], [4, 4])] == [0, 1, 2, 0]


def model_two_layers(last: QuantisedModel) -> QuantisedModel:
    """The same scores behind two layers that pass features through a ReLU."""
    through = QuantisedLayer(((4, 0), (0, 4), (0, 0)), (0, 0, 0))
    again = QuantisedLayer(((4, 0, 0), (0, 4, 0)), (0, 0))
    return dense_model((through, again, *last.layers), 2)
