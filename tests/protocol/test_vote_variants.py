"""Sessions whose parameters name a vote's variant: the same labels, other bytes and rounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc import embedded_methods
from capc.answering_party_rounds import AwaitingRoundChoice, answering_party_garble_round
from capc.circuits.tournament import matches_per_round
from capc.costs import Step
from capc.errors import ErrorCode, InputError, ParameterError, ProtocolError, StateReuseError
from capc.garbled_two_party import GarbledTwoParty
from capc.handshake import check_hello, hello
from capc.linear import IdealLinear
from capc.parameters import VoteVariant
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.protocol import Collaboration
from capc.querying_party import QueryingParty
from capc.querying_party_rounds import AwaitingRound, querying_party_evaluate_round
from capc.randomness import Seed
from capc.reverse_setup import querying_party_choose_reverse
from capc.suite import hybrid_suite, reference_suite
from capc.vectorised import VectorisedTwoParty
from protocol.cases import MODES, Case, cases
from support.builders import constant_model, make_account, make_parameters, make_session, make_widths
from support.sizes import examples

RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


def with_variant(case: Case, variant: VoteVariant) -> Case:
    parameters = replace(case.session.parameters, vote_variant=variant)
    return replace(case, session=replace(case.session, parameters=parameters))


def check(case: Case, linear: IdealLinear | None) -> None:
    collaboration = with_variant(case, VoteVariant.MULTI_ROUND).collaborate(linear)
    results = [collaboration.label(query) for query in case.queries]
    results += collaboration.label_batch(case.queries)
    assert all(result.label == result.ideal_label for result in results)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-008", "CAPC-REL-001")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=25, nightly=500))
@given(data=st.data())
def test_hybrid_protocol_equals_ideal_functionality(mode: str, data: st.DataObject) -> None:
    check(data.draw(cases(mode)), None)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-008", "CAPC-ROUND-001", "CAPC-REL-001")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=6, nightly=200))
@given(data=st.data())
def test_protocol_equals_ideal_functionality(mode: str, data: st.DataObject) -> None:
    case = data.draw(cases(mode))
    check(case, IdealLinear(case.session.parameters.widths.logit_bits))


def collaboration(variant: VoteVariant, num_classes: int, two_party: GarbledTwoParty | None = None) -> Collaboration:
    parameters = make_parameters(make_widths(12), num_classes=num_classes)
    parameters = replace(parameters, vote_variant=variant)
    session = make_session(parameters)
    models = [constant_model((2, num_classes), winner, 2, 9) for winner in (1, num_classes - 1)]
    linear = IdealLinear(parameters.widths.logit_bits)
    return Collaboration(session, models, reference_suite(parameters, linear, two_party), make_account(parameters))


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
        VoteVariant.TOURNAMENT: (2 * num_classes - 1) * 11 + (num_classes - 2) * 13,
        VoteVariant.ALL_PAIRS: num_classes * (num_classes - 1) // 2 * 11 + (num_classes - 1) * (num_classes - 2),
        VoteVariant.MULTI_ROUND: (num_classes - 1) * 11 + num_classes - 2,
    }.items():
        sums = {VoteVariant.TOURNAMENT: num_classes, VoteVariant.MULTI_ROUND: num_classes - 1}
        halves = sums.get(variant, num_classes * (num_classes - 1) // 2)
        tables = 2 * 4 * (32 * ands - 16 * halves)
        assert tables < costs[variant].bytes < tables + 2 * 4 * (200 + 60 * num_classes)


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-014", "CAPC-ARG-002", "CAPC-AHEAD-001")
@pytest.mark.parametrize(
    "two_party", [None, GarbledTwoParty(), VectorisedTwoParty()], ids=["ideal", "readable", "fast"]
)
@settings(RELAXED, max_examples=examples(ordinary=6, nightly=200))
@given(case=cases("plain"), count=st.integers(1, 3))
def test_all_pairs_give_the_ideal_labels_at_once_and_prepared(
    two_party: GarbledTwoParty | None, case: Case, count: int
) -> None:
    """Queries repeated to ``count``, and a second batch of them that was prepared."""
    played = with_variant(case, VoteVariant.ALL_PAIRS).collaborate(
        None if two_party is None else IdealLinear(case.session.parameters.widths.logit_bits), two_party=two_party
    )
    queries = [case.queries[number % len(case.queries)] for number in range(count)]
    prepared = played.prepare(count)
    results = [*played.label_batch(queries), *played.label_prepared(prepared, queries)]
    assert [result.label for result in results] == [result.ideal_label for result in results]


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
        with pytest.raises(ProtocolError, match="vote_variant") as caught:
            check_hello(mine, QUERYING_PARTY, PRIVACY_GUARDIAN, hello(theirs, QUERYING_PARTY, PRIVACY_GUARDIAN))
        assert caught.value.code is ErrorCode.PARAMETER_MISMATCH


@dataclass
class Record:
    """Every message between the querying party and an answering party in step 1c."""

    messages: list[bytes] = field(default_factory=list)

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        if step is Step.ARGMAX:
            self.messages.append(message)


@pytest.mark.req("CAPC-WIRE-006", "CAPC-ROUND-006")
def test_a_message_of_another_round_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds 1 and 2 of five classes have one match each: only the header tells their messages apart."""
    record, states = Record(), []
    for step in (answering_party_garble_round, querying_party_evaluate_round):

        def noting(*given, step=step):
            result = step(*given)
            states.append(result[0])
            return result

        monkeypatch.setattr(embedded_methods, step.__name__, noting)
    parameters = replace(make_parameters(num_classes=5), vote_variant=VoteVariant.MULTI_ROUND)
    suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits))
    models = [constant_model((2, 5), 1, 2)]
    played = Collaboration(
        make_session(parameters, num_answering=1), models, suite, make_account(parameters), observer=record
    )
    played.label([0, 0])
    garbler = next(state for state in states if isinstance(state, AwaitingRoundChoice))
    evaluator = next(state for state in states if isinstance(state, AwaitingRound))
    requests, answers = record.messages[::2], record.messages[1::2]
    unspent = garbler.renewed(turn=garbler.turn.renewed()), evaluator.renewed(turn=evaluator.turn.renewed())
    for wrong in (requests[0], requests[2]):
        with pytest.raises(ProtocolError) as caught:
            answering_party_garble_round(unspent[0], wrong, Seed(bytes(32)))
        assert (caught.value.code, caught.value.blame) == (ErrorCode.WRONG_LAYER, QUERYING_PARTY)
    for wrong in (answers[0], answers[2]):
        with pytest.raises(ProtocolError) as caught:
            querying_party_evaluate_round(unspent[1], wrong, Seed(bytes(32)))
        assert (caught.value.code, caught.value.blame) == (ErrorCode.WRONG_LAYER, answering_party(1))
    answering_party_garble_round(unspent[0], requests[1], Seed(bytes(32)))
    with pytest.raises(StateReuseError):
        answering_party_garble_round(unspent[0], requests[1], Seed(bytes(32)))


def test_reverse_set_up_needs_every_party() -> None:
    parameters = replace(make_parameters(), vote_variant=VoteVariant.MULTI_ROUND)
    suite = hybrid_suite(parameters)
    party = QueryingParty(make_session(parameters), suite, None, {}, 1)
    with pytest.raises(ProtocolError, match="no reverse set-up message") as caught:
        querying_party_choose_reverse(party, {}, Seed(bytes(32)))
    assert (caught.value.code, caught.value.blame) == (ErrorCode.MISSING_PARTICIPANT, answering_party(1))
