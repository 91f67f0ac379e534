"""A querying party that cheats at every place of a real session gets what F*_CaPC gives, and nothing else.

Sessions are the property's: any widths, models, noise and modes, offsets of any size on every share, other queries for
each answering party, rows that shift a winner by its match's sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc.linear.ideal import IdealLinear
from capc.linear.interface import LinearScheme
from capc.models.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise
from capc.privacy.account import Account
from capc.protocol.functionality import Choices, ideal_functionality, malicious_functionality, starred_vote
from capc.session.parameters import Charge, Parameters, VoteVariant
from capc.steps.suite import reference_suite
from capc.two_party.circuits.tournament import matches_per_round
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.interface import AnyScheme
from capc.two_party.vectorised import VectorisedTwoParty
from protocol.cases import MODES, Case, cases
from protocol.stages import LOGIT_BITS, staged_cases
from support.builders import constant_model, counter_seeds, fixed_mechanisms, make_parameters, make_session, models
from support.cheating import CheatingDriver, LayerMove, Moves, adds_own_noise, circuit_inputs, party_choice
from support.reverse_offsets import OFFSETS, choosing
from support.sizes import examples

RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))
VARIANTS = tuple(VoteVariant)
ENGINES = [GarbledTwoParty, VectorisedTwoParty]
Cheat = TypeVar("Cheat", bound=CheatingDriver)


def with_variant(case: Case, variant: VoteVariant) -> Case:
    parameters = replace(case.session.parameters, vote_variant=variant)
    return replace(case, session=replace(case.session, parameters=parameters))


@st.composite
def offsets(draw: st.DrawFn, count: int, bits: int) -> list[int]:
    """Any of Z_{2^bits}: zero, small ones that guard bits do not drop, and those at which a word wraps, often."""
    ends = [0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1, 1 << (bits - 2)]
    element = st.sampled_from(ends) | st.integers(0, (1 << min(bits, 10)) - 1) | st.integers(0, (1 << bits) - 1)
    return draw(st.lists(element, min_size=count, max_size=count))


@st.composite
def party_moves(draw: st.DrawFn, parameters: Parameters, model: QuantisedModel) -> list[LayerMove]:
    widths = parameters.widths
    return [
        LayerMove(
            draw(offsets(stage.inputs, widths.logit_bits)),
            draw(offsets(stage.sums, widths.share_bits)),
            draw(offsets(circuit_inputs(parameters, stage), widths.share_bits)),
        )
        for stage in model.architecture.stages
    ]


@st.composite
def round_moves(draw: st.DrawFn, parameters: Parameters) -> list[list[int]]:
    """For each round but the last: of each entrant, but none of an odd one out."""
    if parameters.vote_variant is not VoteVariant.MULTI_ROUND:
        return []
    left, moves = parameters.num_classes, []
    for matches in matches_per_round(left)[:-1]:
        moves.append([*draw(offsets(2 * matches, parameters.widths.share_bits)), *[0] * (left % 2)])
        left -= matches
    return moves


@st.composite
def all_moves(draw: st.DrawFn, case: Case) -> Moves:
    parameters = case.session.parameters
    classes, width = parameters.num_classes, parameters.widths.vote_bits
    return Moves(
        [draw(party_moves(parameters, model)) for model in case.models],
        [draw(round_moves(parameters)) for _ in case.models],
        draw(offsets(classes, width)),
        draw(offsets(classes, width)) if adds_own_noise(parameters) else [],
    )


def starred_choices(
    parameters: Parameters, parties: Sequence[QuantisedModel], query: Sequence[int], moves: Moves
) -> Choices:
    """The moves without a session: its own shares are any."""
    chosen = [party_choice(parameters, *each, query) for each in zip(parties, moves.layers, moves.rounds, strict=True)]
    return Choices(chosen, moves.counts, moves.checks)


def new_driver(
    case: Case,
    linear: LinearScheme,
    moves: Moves,
    kind: type[Cheat] = CheatingDriver,
    two_party: AnyScheme | None = None,
    **more: object,
) -> Cheat:
    """The case's session, set up, on the readable engine or another."""
    parameters = case.session.parameters
    suite = reference_suite(parameters, linear, two_party)
    account = Account(parameters.release, parameters.widths.grid_bits, Fraction(10**9))
    if case.given_noise is not None:
        classes = parameters.num_classes
        apart = parameters.release.threshold_sigma is not None
        checks = [case.given_noise[classes:]] if apart else None
        account.mechanisms = fixed_mechanisms([case.given_noise[:classes]], checks)
        suite = replace(suite, mechanisms=account.mechanisms)
    driver = kind(case.session, case.models, suite, account, counter_seeds("cheating"), moves=moves, **more)
    driver.set_up()
    return driver


def check(case: Case, linear: IdealLinear, moves: Moves, engine: type[GarbledTwoParty], offset: str) -> None:
    """With offsets on shares and, in rounds, an offset Delta' of choice, together."""
    played: list[bytes] = []
    scheme = choosing(engine, OFFSETS[offset], played)
    driver, query = new_driver(case, linear, moves, two_party=scheme), case.queries[0]
    in_rounds = case.session.parameters.vote_variant is VoteVariant.MULTI_ROUND
    assert len(played) == len(case.models) * in_rounds
    outcome, starred = driver.cheat(query), driver.starred(query)
    assert outcome.label == starred.querying_party
    assert outcome.guardian_bit == starred.privacy_guardian[1]
    assert set(driver.errors) == {0}


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-031")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("variant", VARIANTS)
@settings(RELAXED, max_examples=examples(ordinary=2, nightly=400))
@given(data=st.data(), engine=st.sampled_from(ENGINES))
def test_a_cheat_in_a_session_gets_what_the_starred_functionality_gives(
    variant: VoteVariant, mode: str, data: st.DataObject, engine: type[GarbledTwoParty]
) -> None:
    case = with_variant(data.draw(cases(mode)), variant)
    linear = IdealLinear(case.session.parameters.widths.logit_bits)
    check(case, linear, data.draw(all_moves(case)), engine, data.draw(st.sampled_from(sorted(OFFSETS))))


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-031", "CAPC-ROUND-010")
@pytest.mark.parametrize("offset", OFFSETS)
@settings(RELAXED, max_examples=examples(ordinary=2, nightly=200))
@given(data=st.data(), engine=st.sampled_from(ENGINES))
def test_an_offset_of_choice_beside_offsets_on_shares_gets_no_more(
    offset: str, data: st.DataObject, engine: type[GarbledTwoParty]
) -> None:
    """Delta' odd, even or zero, while all shares and rows are moved: the vote in rounds is F*_CaPC's."""
    case = with_variant(data.draw(st.sampled_from(MODES).flatmap(cases)), VoteVariant.MULTI_ROUND)
    linear = IdealLinear(case.session.parameters.widths.logit_bits)
    check(case, linear, data.draw(all_moves(case)), engine, offset)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-031")
@pytest.mark.parametrize("variant", VARIANTS)
@settings(RELAXED, max_examples=examples(ordinary=3, nightly=200))
@given(data=st.data(), engine=st.sampled_from(ENGINES))
def test_a_cheat_with_windows_and_skips_gets_it_too(
    variant: VoteVariant, data: st.DataObject, engine: type[GarbledTwoParty]
) -> None:
    case = with_variant(data.draw(staged_cases()), variant)
    check(
        case, IdealLinear(LOGIT_BITS), data.draw(all_moves(case)), engine, data.draw(st.sampled_from(sorted(OFFSETS)))
    )


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-032")
@pytest.mark.parametrize("variant", VARIANTS)
@settings(RELAXED, max_examples=examples(ordinary=30, nightly=5000))
@given(data=st.data())
def test_without_choices_the_starred_functionality_is_the_ideal_one(variant: VoteVariant, data: st.DataObject) -> None:
    case = with_variant(data.draw(st.sampled_from(MODES).flatmap(cases) | staged_cases()), variant)
    parameters, query = case.session.parameters, case.queries[0]
    classes = parameters.num_classes
    given_noise = case.given_noise or (0,) * (2 * classes)
    apart = parameters.release.threshold_sigma is not None
    noise = ReleaseNoise(given_noise[:classes], given_noise[classes:] if apart else ())
    own = given_noise[classes:] if parameters.release.charge is Charge.REALISED else ()
    logits = [model.logits(query) for model in case.models]
    expected = ideal_functionality(parameters, logits, noise, own)
    assert malicious_functionality(parameters, case.models, query, noise, Choices(), own) == expected


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-033")
@pytest.mark.parametrize("variant", VARIANTS)
@settings(RELAXED, max_examples=examples(ordinary=20, nightly=3000))
@given(data=st.data())
def test_one_model_more_or_less_is_one_vote_whatever_is_chosen(variant: VoteVariant, data: st.DataObject) -> None:
    """Draws that make up for the one vote that moved make the two outcomes equal."""
    case = with_variant(data.draw(st.sampled_from(MODES).flatmap(cases)), variant)
    parameters, query = case.session.parameters, case.queries[0]
    classes, unit = parameters.num_classes, 1 << parameters.widths.grid_bits
    moves = data.draw(all_moves(case))
    choices = starred_choices(parameters, case.models, query, moves)
    first = case.models[0]
    sizes = first.layer_sizes
    other = data.draw(models(sizes, first.fraction_bits, parameters.widths.logit_bits))
    votes = [starred_vote(parameters, model, query, choices.parties[0]) for model in (first, other)]
    draws = [data.draw(offsets(classes, parameters.widths.vote_bits)) for _ in range(2)]
    made_up = [list(row) for row in draws]
    for row in made_up:
        row[votes[0]] += unit
        row[votes[1]] -= unit
    outcomes = []
    for model, (answer, check) in ((first, draws), (other, made_up)):
        noise = ReleaseNoise(tuple(answer), tuple(check))
        given = malicious_functionality(parameters, [model, *case.models[1:]], query, noise, choices)
        outcomes.append((given.querying_party, given.privacy_guardian[1]))
    assert outcomes[0] == outcomes[1]


@pytest.mark.req("CAPC-SEC-031")
@pytest.mark.parametrize("variant", [VoteVariant.TOURNAMENT, VoteVariant.MULTI_ROUND])
def test_offsets_in_the_guard_bits_meet_the_cheats_own_share(variant: VoteVariant) -> None:
    """Half a unit on equal logits, on a sum or on the winner of a round: the low bits of its share decide the vote."""
    parameters = replace(make_parameters(), vote_variant=variant)
    case = Case(
        make_session(parameters, num_answering=1), (constant_model((2, 3), 0, 2, strength=0),), ((0, 0),), (0, 0, 0)
    )
    half, none = 1 << parameters.widths.guard_bits - 1, [0, 0, 0]
    in_rounds = variant is VoteVariant.MULTI_ROUND
    layer = LayerMove([0, 0], none if in_rounds else [0, half, 0], [] if in_rounds else none)
    moves = Moves([[layer]], [[[-half, 0, 0]] if in_rounds else []], none, [])
    driver, labels = new_driver(case, IdealLinear(parameters.widths.logit_bits), moves), []
    for _ in range(12):
        outcome = driver.cheat((0, 0))
        labels.append(outcome.label)
        assert outcome.label == driver.starred((0, 0)).querying_party
    assert set(labels) == {0, 2 if in_rounds else 1}
