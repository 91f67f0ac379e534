"""The protocol in one process: a known answer, costs against an observer, the budget, and misuse."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import BudgetExhaustedError, InputError, StateReuseError
from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.linear.ideal import IdealLinear
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.privacy.events import Receipt
from capc.protocol.collaboration import Collaboration
from capc.session.envelope import MessageType
from capc.session.parameters import Adjacency, Charge, Parameters
from capc.session.widths import ParameterSet
from capc.steps.answering_party.party import AnsweringParty, after_batch
from capc.steps.suite import Suite, hybrid_suite, reference_suite
from support.builders import (
    confident_policy,
    constant_model,
    counter_seeds,
    fixed_mechanisms,
    make_account,
    make_parameters,
    make_policy,
    make_session,
    models,
    queries,
)
from support.collaborations import SIZES, Recorder, collaborate

TOY = ParameterSet.named("toy")


def test_no_model_runs_in_the_clear_before_an_ideal_label_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deep model takes longer in the clear than in the protocol."""
    ran: list[QuantisedModel] = []
    logits = QuantisedModel.logits

    def counted(model: QuantisedModel, features: Sequence[int]) -> list[int]:
        ran.append(model)
        return logits(model, features)

    monkeypatch.setattr(QuantisedModel, "logits", counted)
    result = collaborate(make_parameters(TOY)).label([0, 1])
    assert not ran
    assert result.label == result.ideal_label == result.ideal_label
    assert len(ran) == len(SIZES)


def realised() -> Parameters:
    return make_parameters(TOY, confident_policy(Charge.REALISED))


def known_run() -> tuple[str, list[int | None], Recorder]:
    """A whole run of the toy set from counter seeds.

    Every message with its length goes into one hash, connection by connection: the order among connections is free.
    """
    parameters, recorder = realised(), Recorder()
    suite = reference_suite(parameters, IdealLinear(TOY.logit_bits))
    played = collaborate(parameters, suite=suite, draw_seed=counter_seeds("known answer"), observer=recorder)
    labels = [played.label(query).label for query in ([4, -4], [0, 1], [0, 1])]
    digest = hashlib.sha256()
    for _, _, _, message in sorted(recorder.messages, key=lambda sent: (str(sent[1]), str(sent[2]))):
        digest.update(len(message).to_bytes(4, "little") + message)
    return digest.hexdigest(), labels, recorder


@pytest.mark.req("CAPC-REL-007", "CAPC-ROLE-007")
def test_known_answer() -> None:
    """Changes exactly when bytes on the wire change: then ports must change too."""
    digest, labels, recorder = known_run()
    assert labels == [1, 1, 1]
    assert len(recorder.messages) == 74
    assert digest == "3caa3c41edf4e1b2534c682963d1a1a4400e20ead110325f15698e6dcfc23816"


@pytest.mark.slow
def test_equal_queries_are_run_again_with_fresh_shares() -> None:
    _, _, recorder = known_run()
    payloads = [message[44:] for step, _, _, message in recorder.messages if step != "setup" and len(message) > 60]
    assert len(set(payloads)) == len(payloads)


@pytest.mark.req("CAPC-REL-001")
@settings(max_examples=10)
@given(st.data(), st.sampled_from([make_policy(), confident_policy(), confident_policy(Charge.REALISED)]))
def test_results_are_the_ideal_functionalitys(data: st.DataObject, policy: object) -> None:
    parameters = replace(realised(), release=policy)
    chosen = [data.draw(models(size, 2, 12)) for size in SIZES]
    account = make_account(parameters)
    collaboration = Collaboration(make_session(parameters, SIZES), chosen, hybrid_suite(parameters), account)
    for number in (1, 2):
        result = collaboration.label(data.draw(queries(2, 2)))
        assert (result.index, result.label) == (number, result.ideal_label)
        assert "noise" not in repr(result)


@pytest.mark.slow
def test_costs_are_those_of_the_messages() -> None:
    parameters, recorder = realised(), Recorder()
    collaboration = collaborate(parameters, suite=reference_suite(parameters, IdealLinear(12)), observer=recorder)
    for _ in range(2):
        collaboration.label([1, 1])
    sent: Counter[str] = Counter()
    for step, _, _, message in recorder.messages:
        sent[step] += len(message)
    assert {name: cost.bytes for name, cost in collaboration.costs.items()} == dict(sent)
    rounds = {name: cost.rounds for name, cost in collaboration.costs.items()}
    assert rounds["1a_linear"] == rounds["1a_relu"] == 2 * 2
    assert rounds["1b_masked_logits"] == rounds["1c_argmax"] == 2 * 2
    assert (rounds["2_aggregation"], rounds["3_release"]) == (2 * 1, 2 * 3)
    assert all(cost.seconds > 0 for cost in collaboration.costs.values())


@pytest.mark.slow
def test_an_observer_sees_every_message() -> None:
    _, _, recorder = known_run()
    steps: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for step, sender, receiver, _ in recorder.messages:
        steps[step].add((sender.role.value, receiver.role.value))
    to_guardian = ("querying_party", "privacy_guardian")
    assert steps["2_aggregation"] == {("answering_party", "privacy_guardian")}
    assert steps["3_release"] == {to_guardian, tuple(reversed(to_guardian))}


@pytest.mark.req("CAPC-ACCT-001", "CAPC-ACCT-002")
@pytest.mark.parametrize("admitted", [0, 1, 3])
def test_a_spent_budget_ends_the_run_before_anything_is_sent(admitted: int) -> None:
    parameters, recorder = replace(realised(), release=make_policy()), Recorder()
    collaboration = collaborate(parameters, account=make_account(parameters, admitted), observer=recorder)
    for _ in range(admitted):
        collaboration.label([1, 1])
    before = len(recorder.messages)
    for _ in range(2):
        with pytest.raises(BudgetExhaustedError, match="does not admit 1 more"):
            collaboration.label([1, 1])
    assert len(recorder.messages) == before


def without_noise(parameters: Parameters) -> tuple[Account, Suite]:
    """The account of a real run has the mechanisms of the suite; here both get draws of zeros."""
    mechanisms = fixed_mechanisms([[0, 0, 0]], [[0, 0, 0]])
    account, suite = make_account(parameters), replace(hybrid_suite(parameters), mechanisms=mechanisms)
    account.mechanisms = mechanisms
    return account, suite


@pytest.mark.req("CAPC-ACCT-007")
@pytest.mark.parametrize(("winners", "label"), [((1, 1), 1), ((0, 1), None)])
def test_a_withheld_answer_is_given_back_in_realised_mode_only(winners: tuple[int, int], label: int | None) -> None:
    for charge in Charge:
        parameters = make_parameters(TOY, confident_policy(charge, Fraction(2)))
        account, suite = without_noise(parameters)
        assert collaborate(parameters, winners, account=account, suite=suite).label([0, 0]).label == label
        refunded = charge is Charge.REALISED and label is None
        assert account.spent == (account.cost.check if refunded else account.cost.worst_case)


def test_misuse_is_refused() -> None:
    parameters = realised()
    session, models = make_session(parameters, SIZES), [constant_model(SIZES[0], 1, 2)]
    with pytest.raises(InputError, match="1 models for 2 answering parties: give one each"):
        Collaboration(session, models, hybrid_suite(parameters), make_account(parameters))
    with pytest.raises(InputError, match="another policy or other noise than the session"):
        collaborate(parameters, account=make_account(make_parameters(TOY, make_policy(Fraction(3)))))


@pytest.mark.req("CAPC-ROLE-011")
def test_a_refused_query_costs_nothing() -> None:
    parameters, recorder = realised(), Recorder()
    account = make_account(parameters)
    collaboration = collaborate(parameters, account=account, observer=recorder)
    before = len(recorder.messages)
    for bad in ([1], [1, 5], [1, 2, 3]):
        with pytest.raises(InputError):
            collaboration.label(bad)
    assert (len(recorder.messages), account.spent) == (before, Fraction(0))
    assert collaboration.label([1, 1]).index == 1


@pytest.mark.req("CAPC-ROLE-015", "CAPC-ACCT-003")
def test_sessions_suites_and_accounts_of_other_policies_do_not_meet() -> None:
    """Noise of another deviation than the session's, or an account that promises something else, is refused."""
    parameters = realised()
    quieter = replace(parameters, release=replace(parameters.release, sigma=Fraction(1, 100)))
    with pytest.raises(InputError, match="another policy or other noise"):
        collaborate(parameters, suite=hybrid_suite(quieter))
    disguised = replace(hybrid_suite(quieter), mechanisms=hybrid_suite(parameters).mechanisms)
    with pytest.raises(InputError, match="other parameters than the session's"):
        collaborate(parameters, suite=disguised)
    for change in ({"epsilon": Fraction(1)}, {"adjacency": Adjacency.NULL_VOTE}, {"charge": Charge.WORST_CASE}):
        account = make_account(replace(parameters, release=replace(parameters.release, **change)))
        with pytest.raises(InputError, match="another policy"):
            collaborate(parameters, account=account)


@pytest.mark.req("CAPC-ACCT-001")
def test_the_account_is_charged_before_noise_is_drawn_and_before_anything_leaves() -> None:
    """At the moment of the reservation no draw was made and the guardian has sent nothing in this query."""
    parameters, recorder = realised(), Recorder()
    account, suite = without_noise(parameters)
    collaboration = collaborate(parameters, account=account, suite=suite, observer=recorder)
    seen: list[tuple[int, int]] = []
    reserve = account.reserve

    def watched(session_tag: bytes, query: int, inputs_digest: bytes) -> Receipt:
        sent = sum(step == "3_release" and sender == PRIVACY_GUARDIAN for step, sender, _, _ in recorder.messages)
        seen.append((sent, len(suite.mechanisms.answer.log)))
        return reserve(session_tag, query, inputs_digest)

    account.reserve = watched
    for _ in range(3):
        collaboration.label([1, 1])
    assert seen == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("after", [0, 1, 3, 9, 14])
def test_an_interrupted_query_leaves_all_parties_in_step(after: int) -> None:
    """Ctrl-C between any two messages: the next query is answered, and nobody is blamed."""

    class Interrupting(Recorder):
        left = None

        def message(self, *sent: object) -> None:
            if self.left == 0:
                self.left = None
                raise KeyboardInterrupt
            self.left = None if self.left is None else self.left - 1

    observer = Interrupting()
    collaboration = collaborate(realised(), observer=observer)
    observer.left = after
    with pytest.raises(KeyboardInterrupt):
        collaboration.label([1, 1])
    result = collaboration.label([1, 1])
    assert (result.index, result.label) == (2, result.ideal_label)


def test_a_layer_or_a_batch_too_large_for_one_stream_is_refused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements of 3 bytes, 3 in the longest value, and 32 bytes for a seed: 3 queries fit 59 bytes, and 0 fit 37."""
    parameters, recorder = realised(), Recorder()
    monkeypatch.setattr("capc.session.session.STREAM_LIMIT", 59)
    collaboration = collaborate(parameters, observer=recorder)
    before = len(recorder.messages)
    with pytest.raises(InputError, match=r"4 queries at once, with 3 elements in a value of .*: at most 3 fit"):
        collaboration.label_batch([[1, 1]] * 4)
    with pytest.raises(InputError, match="0 queries from number 1 on"):
        collaboration.label_batch([])
    assert len(recorder.messages) == before
    results = collaboration.label_batch([[1, 1]] * 3)
    assert [result.label for result in results] == [result.ideal_label for result in results]
    monkeypatch.setattr("capc.session.session.STREAM_LIMIT", 37)
    with pytest.raises(InputError, match="1 queries at once, with 3 elements in a value"):
        collaborate(parameters)


@pytest.mark.req("CAPC-ACCT-002")
def test_prepared_queries_count_against_the_budget_until_they_are_labelled() -> None:
    parameters = realised()
    account = make_account(parameters, 3)
    collaboration = collaborate(parameters, account=account)
    prepared = collaboration.prepare(2)
    with pytest.raises(BudgetExhaustedError, match="does not admit 2 more: 0 is spent and 2 queries are prepared"):
        collaboration.prepare(2)
    assert len(collaboration.label_batch([[1, 1]])) == 1
    account.reserve(bytes(32), 1, bytes(32))
    with pytest.raises(BudgetExhaustedError, match="does not admit 2 more"):
        collaboration.label_prepared(prepared, [[1, 1]] * 2)


def test_labels_that_were_released_before_an_error_are_kept() -> None:
    parameters = realised()
    account = make_account(parameters, 3)
    collaboration = collaborate(parameters, account=account)
    reserve, calls = account.reserve, []

    def failing(session_tag: bytes, query: int, inputs_digest: bytes) -> Receipt:
        calls.append(query)
        if len(calls) == 3:
            raise BudgetExhaustedError("spent by another session")
        return reserve(session_tag, query, inputs_digest)

    account.reserve = failing
    with pytest.raises(BudgetExhaustedError):
        collaboration.label_batch([[1, 1]] * 3)
    assert [result.index for result in collaboration.results] == [1, 2]


def test_one_party_that_refuses_leaves_all_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    collaboration = collaborate(realised())

    def refuse(party: AnsweringParty, count: int) -> AnsweringParty:
        if party.me.index == 2:
            raise BudgetExhaustedError("no more of this model")
        return after_batch(party, count)

    with monkeypatch.context() as patch:
        patch.setattr("capc.protocol.collaboration.after_batch", refuse)
        with pytest.raises(BudgetExhaustedError, match="no more of this model"):
            collaboration.label([1, 1])
    result = collaboration.label([1, 1])
    assert (result.index, result.label) == (1, result.ideal_label)


@pytest.mark.slow
@pytest.mark.req("CAPC-AHEAD-004")
def test_online_messages_of_a_prepared_batch_are_masked_values_labels_and_the_release() -> None:
    parameters, recorder = realised(), Recorder()
    suite = reference_suite(parameters, IdealLinear(TOY.logit_bits))
    collaboration = collaborate(parameters, suite=suite, observer=recorder)
    prepared = collaboration.prepare(2)
    before = len(recorder.messages)
    results = collaboration.label_prepared(prepared, [[1, 1], [0, 2]])
    assert [result.label for result in results] == [result.ideal_label for result in results]
    online = [(str(step), MessageType(message[0]).name) for step, _, _, message in recorder.messages[before:]]
    assert {name for step, name in online if step[0] == "1"} == {"MASKED_VALUE", "INPUT_LABELS"}
    assert {name for step, name in online if step[0] != "1"} == {
        "VOTE_SHARES",
        "CHOICE_BITS",
        "GARBLED_CIRCUITS",
        "ANSWERED_LABEL",
    }
    with pytest.raises(StateReuseError):
        collaboration.label_prepared(prepared, [[1, 1], [0, 2]])
