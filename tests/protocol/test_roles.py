"""The roles' programs over links that lose a message, and under an event loop of another kind."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction

import pytest

from capc.foundation.errors import ErrorCode, ProtocolError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.foundation.randomness import fresh_seed
from capc.linear.ideal import IdealLinear
from capc.privacy.events import EventKind
from capc.privacy.ledger import Terms, open_ledger
from capc.protocol import collaboration
from capc.protocol.collaboration import Collaboration
from capc.protocol.costs import Step
from capc.protocol.embedded_methods import EMBEDDED
from capc.protocol.engine_protocol import with_engine
from capc.protocol.exchange import Exchange
from capc.protocol.functionality import ideal_functionality
from capc.protocol.roles import answering_party as answering_party_program
from capc.protocol.roles import privacy_guardian, querying_party
from capc.protocol.seats import AnsweringSeat, GuardianSeat, Mode, QueryingSeat, QueryingTurn, Turn
from capc.session.envelope import MessageType
from capc.session.parameters import Charge, VoteVariant
from capc.session.session import Batch
from capc.steps.querying_party.release import querying_party_finish_release
from capc.steps.suite import hybrid_suite, reference_suite
from support.builders import (
    confident_policy,
    constant_model,
    make_account,
    make_parameters,
    make_policy,
    make_session,
    make_widths,
)
from support.collaborations import SIZES, collaborate
from support.engines import ClearEngine


class Losing(Exchange):
    """Loses one message, the one of this number after it is set; counts all."""

    lost = -1
    handed_over = 0

    def hand_over(self, step, sender, receiver, message, flight) -> None:
        self.handed_over += 1
        if self.handed_over != self.lost:
            super().hand_over(step, sender, receiver, message, flight)


def opened(monkeypatch: pytest.MonkeyPatch, charge: Charge, methods, account=None) -> Collaboration:
    monkeypatch.setattr(collaboration, "Exchange", Losing)
    parameters = make_parameters(policy=confident_policy(charge))
    return collaborate(parameters, account=account or make_account(parameters), methods=methods)


WAYS = {
    "batch": lambda played, queries: played.label_batch(queries),
    "prepared": lambda played, queries: played.label_prepared(played.prepare(len(queries)), queries),
}


@pytest.mark.req("CAPC-ROLE-011", "CAPC-ACCT-007")
@pytest.mark.parametrize(
    ("way", "methods"),
    [("batch", lambda: EMBEDDED), ("prepared", lambda: EMBEDDED), ("batch", lambda: with_engine(ClearEngine()))],
    ids=["batch", "prepared", "engine"],
)
def test_any_lost_message_is_a_clear_error_after_which_the_session_goes_on(monkeypatch, way: str, methods) -> None:
    """Each message of a batch of two in turn: paid labels are kept, nothing is paid twice, nobody is out of step."""
    played = opened(monkeypatch, Charge.REALISED, methods())
    exchange, account = played.table.exchange, played._account
    before = exchange.handed_over
    WAYS[way](played, [[1, 1], [0, 1]])
    messages = exchange.handed_over - before
    assert messages > 10
    for number in range(1, messages + 1):
        spent, results, events = account.spent, len(played.results), len(account.events)
        exchange.lost = exchange.handed_over + number
        with pytest.raises(ProtocolError) as caught:
            WAYS[way](played, [[1, 1], [0, 1]])
        # Silence, or the message after the lost one.
        assert caught.value.code in {
            ErrorCode.MISSING_PARTICIPANT,
            ErrorCode.WRONG_MESSAGE_TYPE,
            ErrorCode.WRONG_QUERY,
            ErrorCode.WRONG_LAYER,
        }
        released = played.results[results:]
        assert [result.label for result in released] == [result.ideal_label for result in released]
        reserved = [event for event in account.events[events:] if event.kind is EventKind.ANSWER_RESERVED]
        assert len(released) <= len(reserved) <= 2
        assert account.spent - spent <= len(reserved) * account.cost.worst_case
        (result,) = played.label_batch([[1, 1]])
        assert (result.index, result.label) == (2 + 3 * number, result.ideal_label)


def test_a_paid_release_that_was_lost_is_sent_again(monkeypatch, tmp_path) -> None:
    """The guardian's account knows the message; the querying party still waits for it."""
    parameters = make_parameters(make_widths(vote_bits=40), make_policy(sigma=Fraction(1 << 20)))
    budget = Fraction(1, 1 << 20)
    terms = Terms("privacy_guardian", "votes", parameters.release, parameters.widths.grid_bits, budget)
    monkeypatch.setattr(collaboration, "Exchange", Losing)
    with open_ledger(tmp_path / "ledger", terms) as ledger:
        played = collaborate(parameters, strength=9, account=ledger)
        session = played._session
        exchange = played.table.exchange
        played.label([1, 1])
        # Without the answered bit the guardian's circuits are the last message.
        before = exchange.handed_over
        played.label([1, 1])
        exchange.lost = 2 * exchange.handed_over - before
        spent = ledger.spent
        with pytest.raises(ProtocolError, match="missing_participant"):
            played.label([1, 1])
        assert ledger.spent == spent + ledger.cost.worst_case
        again = ledger.dispatched(session.tag, 3)
        assert again[0] == MessageType.GARBLED_CIRCUITS
        answer = querying_party_finish_release(played.table.querying.releasing, again)
        assert answer.query == 3
        assert answer.label in range(3)
        assert ledger.spent == spent + ledger.cost.worst_case
        assert played.label([1, 1]).index == 4


@pytest.mark.parametrize("number", [1, 5, 12, 17])
def test_a_message_of_the_set_up_that_is_lost_is_a_clear_error(monkeypatch, number: int) -> None:
    monkeypatch.setattr(Losing, "lost", number)
    with pytest.raises(ProtocolError, match=r"missing_participant|wrong_message_type"):
        opened(monkeypatch, Charge.WORST_CASE, EMBEDDED)


class QueueLink:
    """Queues of asyncio, and tasks side by side."""

    def __init__(self, me, queues) -> None:
        self.step = Step.SETUP
        self._me, self._queues = me, queues

    async def send(self, peer, message: bytes, flight=None) -> None:
        await self._queues[self._me, peer].put(message)

    async def receive(self, peer, step=None) -> bytes:
        self.step = step or self.step
        return await self._queues[peer, self._me].get()

    async def together(self, tasks):
        return await asyncio.gather(*tasks)

    def outside(self, sent: int, rounds: int) -> None:
        pass


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001")
@pytest.mark.parametrize("variant", list(VoteVariant))
def test_programs_run_under_an_event_loop_with_all_answering_parties_side_by_side(variant: VoteVariant) -> None:
    parameters = replace(make_parameters(policy=confident_policy(Charge.REALISED)), vote_variant=variant)
    session, account = make_session(parameters, SIZES), make_account(parameters)
    suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits))
    models = [constant_model(size, 2, 2, 9) for size in SIZES]
    queues = defaultdict(asyncio.Queue)

    def shared(me):
        return QueueLink(me, queues), session, suite, fresh_seed, EMBEDDED

    querying, guardian = QueryingSeat(*shared(QUERYING_PARTY)), GuardianSeat(*shared(PRIVACY_GUARDIAN), account)
    batches = [Batch(1, 2), Batch(3, 1)]
    turns = [QueryingTurn(Mode.LABEL, batch, [[1, 1]] * batch.count) for batch in batches]
    public = [Turn(Mode.LABEL, batch) for batch in batches]
    if variant is not VoteVariant.MULTI_ROUND:
        turns += [QueryingTurn(Mode.OFFLINE, Batch(4, 1)), QueryingTurn(Mode.ONLINE, Batch(4, 1), [[0, 1]])]
        public += [Turn(Mode.OFFLINE, Batch(4, 1)), Turn(Mode.ONLINE, Batch(4, 1))]

    async def play() -> None:
        await asyncio.gather(
            querying_party(querying, turns),
            *(
                answering_party_program(
                    AnsweringSeat(*shared(answering_party(index)), answering_party(index), model), public
                )
                for index, model in enumerate(models, start=1)
            ),
            privacy_guardian(guardian, public),
        )

    asyncio.run(play())
    asked = sum(len(turn.queries) for turn in turns)
    assert [answer.query for answer, _ in querying.answers] == list(range(1, asked + 1))
    queries = [query for turn in turns for query in turn.queries]
    for (answer, own_noise), noise, query in zip(querying.answers, guardian.noise, queries, strict=True):
        ideal = ideal_functionality(parameters, [model.logits(query) for model in models], noise, own_noise)
        assert answer.label == ideal.querying_party
    assert all(queue.empty() for queue in queues.values())


@pytest.mark.req("CAPC-ROLE-004", "CAPC-ROLE-018")
@pytest.mark.parametrize("other", [QUERYING_PARTY, answering_party(1), answering_party(2), PRIVACY_GUARDIAN], ids=str)
def test_a_party_with_another_document_and_its_peers_name_the_field(other) -> None:
    """Each program goes on to its own end, as on machines apart; at least the two that compare first end so."""
    parameters = make_parameters(policy=make_policy())
    session, suite = make_session(parameters, SIZES), hybrid_suite(parameters)
    queues = defaultdict(asyncio.Queue)

    def shared(me):
        own = replace(session, session_id=bytes(32)) if me == other else session
        return QueueLink(me, queues), own, suite, fresh_seed, EMBEDDED

    async def play() -> list[object]:
        programs = [
            querying_party(QueryingSeat(*shared(QUERYING_PARTY))),
            *(
                answering_party_program(AnsweringSeat(*shared(me), me, constant_model(size, 1, 2)))
                for me, size in zip(session.answering_parties, SIZES, strict=True)
            ),
            privacy_guardian(GuardianSeat(*shared(PRIVACY_GUARDIAN), make_account(parameters))),
        ]
        done, waiting = set(), {asyncio.create_task(program) for program in programs}
        while len(done) < 2:
            more, waiting = await asyncio.wait(waiting, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            assert more
            done |= more
        for task in waiting:
            task.cancel()
        return [task.exception() for task in done]

    refusals = asyncio.run(play())
    assert len(refusals) >= 2
    for refusal in refusals:
        assert refusal.code is ErrorCode.PARAMETER_MISMATCH
        assert refusal.detail.startswith("session_id is ")
    assert any(refusal.blame == other for refusal in refusals)
