"""The protocol and F_CaPC release the same label, for every admitted input and every noise."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc.linear.bfv import BfvLinear
from capc.linear.ideal import IdealLinear
from capc.models.model import QuantisedLayer, dense_model
from capc.noise.release_noise import ReleaseNoise
from capc.protocol.collaboration import Collaboration
from capc.protocol.functionality import ideal_functionality
from capc.session.parameters import Charge, NoiseName, ThresholdMode, VoteVariant
from capc.session.widths import ParameterSet
from capc.steps.suite import reference_suite
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.vectorised import VectorisedTwoParty
from protocol.cases import MODES, Case, cases
from protocol.stages import LOGIT_BITS, staged_cases
from support.builders import make_account, make_parameters, make_policy, make_session
from support.sizes import examples

RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


def check(case: Case, linear) -> None:
    collaboration = case.collaborate(linear)
    for query in case.queries:
        result = collaboration.label(query)
        assert result.label == result.ideal_label
        if case.given_noise is not None:
            classes = case.session.parameters.num_classes
            assert result.noise.classes == case.given_noise[:classes]


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-ARG-001", "CAPC-ARG-002", "CAPC-PARAM-042")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=15, nightly=5000))
@given(data=st.data())
def test_hybrid_protocol_equals_ideal_functionality(mode, data):
    """Ideal HE and two-party computation: the steps themselves."""
    check(data.draw(cases(mode)), None)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-REL-003", "CAPC-GC-001", "CAPC-OT-001", "CAPC-AGG-001")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=4, nightly=1000))
@given(data=st.data())
def test_protocol_equals_ideal_functionality(mode, data):
    """Real garbling and oblivious transfer."""
    case = data.draw(cases(mode))
    check(case, IdealLinear(case.session.parameters.widths.logit_bits))


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-HE-001", "CAPC-PARAM-043")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=2, nightly=250))
@given(data=st.data())
def test_protocol_equals_ideal_with_real_he(mode, data):
    """Real HE, garbling and oblivious transfer, on the path that the default parameters take."""
    case = data.draw(cases(mode, logit_bits=st.sampled_from([8, 12, 16, 20])))
    check(case, BfvLinear(case.session.parameters.widths))


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-HE-010", "CAPC-ARG-009")
@settings(max_examples=examples(ordinary=20, nightly=3000))
@given(staged_cases())
def test_staged_protocol_equals_ideal_functionality_in_the_hybrid_model(case: Case) -> None:
    check(case, None)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-HE-010", "CAPC-ARG-009")
@settings(max_examples=examples(ordinary=5, nightly=300))
@given(staged_cases())
def test_staged_protocol_equals_ideal_functionality_with_real_garbling(case: Case) -> None:
    check(case, IdealLinear(LOGIT_BITS))


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-HE-010", "CAPC-HE-001")
@settings(max_examples=examples(ordinary=3, nightly=200))
@given(staged_cases())
def test_staged_protocol_equals_ideal_functionality_with_real_he(case: Case) -> None:
    check(case, BfvLinear(case.session.parameters.widths))


# Batches, at once and prepared.


def check_batches(case: Case, linear, count: int, two_party: GarbledTwoParty | None = None) -> None:
    """The case's queries, repeated to ``count``, in one batch and in one that was prepared."""
    queries = [case.queries[number % len(case.queries)] for number in range(count)]
    collaboration = case.collaborate(linear, two_party=two_party)
    prepared = collaboration.prepare(count)
    results = collaboration.label_batch(queries)
    results += collaboration.label_prepared(prepared, queries)
    assert [result.label for result in results] == [result.ideal_label for result in results]
    assert sorted(result.index for result in results) == list(range(1, 2 * count + 1))


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001")
@settings(max_examples=examples(ordinary=20, nightly=3000))
@given(st.one_of(staged_cases(), cases("worst_case"), cases("realised")), st.integers(1, 4))
def test_batches_equal_the_ideal_functionality_in_the_hybrid_model(case: Case, count: int) -> None:
    check_batches(case, None, count)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001")
@settings(max_examples=examples(ordinary=6, nightly=300))
@given(staged_cases(), st.integers(1, 3))
def test_batches_equal_the_ideal_functionality_with_real_garbling(case: Case, count: int) -> None:
    check_batches(case, IdealLinear(LOGIT_BITS), count)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-HE-001")
@settings(max_examples=examples(ordinary=3, nightly=100))
@given(staged_cases(), st.integers(1, 3))
def test_batches_equal_the_ideal_functionality_with_real_he(case: Case, count: int) -> None:
    check_batches(case, BfvLinear(case.session.parameters.widths), count)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-GC-009", "CAPC-AHEAD-001")
@settings(max_examples=examples(ordinary=3, nightly=100))
@given(staged_cases(), st.permutations([0, 1, 2]))
def test_prepared_batches_may_be_used_in_any_order_with_the_fast_engine(case: Case, order: list[int]) -> None:
    collaboration = case.collaborate(IdealLinear(LOGIT_BITS), two_party=VectorisedTwoParty())
    prepared = [collaboration.prepare(1), collaboration.prepare(2), collaboration.prepare(1)]
    results = collaboration.label_batch([case.queries[0]])
    for number in order:
        results += collaboration.label_prepared(prepared[number], [case.queries[0]] * (2 if number == 1 else 1))
    assert [result.label for result in results] == [result.ideal_label for result in results]


# Other votes.


def with_variant(case: Case, variant: VoteVariant) -> Case:
    parameters = replace(case.session.parameters, vote_variant=variant)
    return replace(case, session=replace(case.session, parameters=parameters))


def check_rounds(case: Case, linear: IdealLinear | None) -> None:
    case = with_variant(case, VoteVariant.MULTI_ROUND)
    check(case, linear)
    results = case.collaborate(linear).label_batch(case.queries)
    assert all(result.label == result.ideal_label for result in results)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-008", "CAPC-REL-001")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=10, nightly=500))
@given(data=st.data())
def test_hybrid_rounds_equal_ideal_functionality(mode: str, data: st.DataObject) -> None:
    check_rounds(data.draw(cases(mode)), None)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-008", "CAPC-ROUND-001", "CAPC-REL-001")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=2, nightly=200))
@given(data=st.data())
def test_rounds_equal_ideal_functionality(mode: str, data: st.DataObject) -> None:
    case = data.draw(cases(mode))
    check_rounds(case, IdealLinear(case.session.parameters.widths.logit_bits))


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-014", "CAPC-ARG-002", "CAPC-AHEAD-001")
@pytest.mark.parametrize(
    "two_party", [None, GarbledTwoParty(), VectorisedTwoParty()], ids=["ideal", "readable", "fast"]
)
@settings(RELAXED, max_examples=examples(ordinary=2, nightly=200))
@given(case=cases("plain"), count=st.integers(1, 3))
def test_all_pairs_give_the_ideal_labels_at_once_and_prepared(
    two_party: GarbledTwoParty | None, case: Case, count: int
) -> None:
    """Queries repeated to ``count``, and a second batch of them that was prepared."""
    linear = None if two_party is None else IdealLinear(case.session.parameters.widths.logit_bits)
    check_batches(with_variant(case, VoteVariant.ALL_PAIRS), linear, count, two_party)


# Named cases.


def collaboration_with(logits, *, widths="default", sigma="1/4", threshold=None, charge=Charge.WORST_CASE, linear=None):
    """One-feature models whose logits are their biases, whatever the query is."""
    num_classes = len(logits[0])
    threshold = None if threshold is None else Fraction(threshold)
    policy = make_policy(
        Fraction(sigma), threshold, None if threshold is None else Fraction(sigma), charge, NoiseName.ROUNDED_GAUSSIAN
    )
    parameters = make_parameters(ParameterSet.named(widths), policy, num_classes, num_features=1)
    session = make_session(parameters, num_answering=len(logits))
    models = [
        dense_model((QuantisedLayer(((0,),) * num_classes, tuple(row)),), parameters.widths.fraction_bits)
        for row in logits
    ]
    suite = reference_suite(parameters, linear or IdealLinear(parameters.widths.logit_bits))
    return Collaboration(session, models, suite, make_account(parameters))


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001")
def test_default_widths_with_real_primitives():
    """The default set end to end: largest magnitudes of both signs, and noise from the real sampler."""
    largest = (1 << 35) - 1
    logits = [[-largest, largest, 0], [largest, -largest, largest - 1], [0, largest, largest]]
    collaboration = collaboration_with(logits, linear=BfvLinear(ParameterSet.named("default")))
    for feature in (-4096, 0, 4096):
        result = collaboration.label([feature])
        assert result.label == result.ideal_label == 1


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-002")
@pytest.mark.parametrize("num_classes", [2, 3, 4, 5, 7, 10])
def test_all_equal_logits_vote_for_class_zero(num_classes):
    assert collaboration_with([[7] * num_classes] * 3, sigma="1/100").label([0]).label == 0


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-002")
def test_tied_votes_go_to_the_lowest_class():
    # Noise of deviation 1/100 vote is 0 on a grid of 1/16: classes 1 and 2 tie with two votes each.
    logits = [[0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert collaboration_with(logits, sigma="1/100").label([0]).label == 1


def test_one_party_two_classes():
    result = collaboration_with([[0, 1]], sigma="1/100").label([0])
    assert (result.index, result.label) == (1, 1)


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-002", "CAPC-ARG-006")
@pytest.mark.parametrize("charge", list(Charge))
@pytest.mark.parametrize(("threshold", "label"), [(2, 1), (3, None)])
def test_threshold_is_inclusive_and_withholds_the_label(charge, threshold, label):
    """Two of three vote for class 1: T = 2 releases it, T = 3 gives no consensus."""
    logits = [[0, 1, 0], [0, 1, 0], [0, 0, 1]]
    result = collaboration_with(logits, sigma="1/200", threshold=threshold, charge=charge).label([0])
    assert result.label == result.ideal_label == label


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-006")
def test_every_release_is_noised():
    """With deviation 3 votes, eleven draws that are all zero have probability below 2^-60."""
    collaboration = collaboration_with([[0] * 11] * 3, sigma="3")
    assert any(collaboration.label([0]).noise.classes)


@pytest.mark.slow
@settings(max_examples=examples(ordinary=50, nightly=200))
@given(st.lists(st.lists(st.integers(-5, 5), min_size=3, max_size=3), min_size=1, max_size=5), st.data())
def test_ideal_functionality_against_plain_counting(logits, data):
    """F_CaPC re-derived: count first maxima, add noise, first maximum again."""
    draw = st.integers(-100, 100)
    three = st.tuples(draw, draw, draw)
    apart, realised = data.draw(st.booleans()), data.draw(st.booleans())
    noise = ReleaseNoise(data.draw(three), data.draw(three) if apart else ())
    own = data.draw(three) if apart and realised else ()
    limit = data.draw(
        st.none() | st.fractions(0, 5, max_denominator=16).map(lambda limit: Fraction(int(limit * 16), 16))
    )
    policy = make_policy(Fraction(4), mechanism=NoiseName.ROUNDED_GAUSSIAN)
    if limit is not None:
        policy = replace(
            policy,
            threshold=limit,
            threshold_sigma=Fraction(4) if apart else None,
            threshold_mode=ThresholdMode.TWO_DRAWS if apart else ThresholdMode.SINGLE_DRAW,
            charge=Charge.REALISED if own else Charge.WORST_CASE,
        )
    parameters = make_parameters(ParameterSet.named("default"), policy, num_classes=3, num_features=64)
    counts = [0, 0, 0]
    for row in logits:
        counts[row.index(max(row))] += 16
    noisy = [count + extra for count, extra in zip(counts, noise.classes, strict=True)]
    draws = noise.threshold if apart else noise.classes
    checked = [count + mine + theirs for count, mine, theirs in zip(counts, draws, own or (0, 0, 0), strict=True)]
    answered = limit is None or any(entry >= 16 * limit for entry in checked)
    output = ideal_functionality(parameters, logits, noise, own)
    told = answered if policy.charge is Charge.REALISED else None
    label = noisy.index(max(noisy)) if answered else None
    assert (output.querying_party, output.privacy_guardian) == (label, (noise, told))
