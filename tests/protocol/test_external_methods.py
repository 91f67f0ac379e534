"""Steps 1c and 3 on an outside engine: the same labels, the same order of charge and noise, one run for a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc.foundation.errors import BudgetExhaustedError, ErrorCode, InputError, StateReuseError
from capc.foundation.parties import PRIVACY_GUARDIAN, answering_party
from capc.foundation.randomness import XofSource
from capc.privacy.account import Account
from capc.privacy.events import Dispatch, EventKind, Reservation
from capc.protocol.collaboration import Collaboration
from capc.protocol.engine import ReleaseOutcome, SecureEngine
from capc.protocol.engine_protocol import with_engine as engine_methods
from capc.session.parameters import Charge, Parameters
from capc.steps.privacy_guardian.aggregation import AggregatedVotes
from capc.steps.privacy_guardian.external import privacy_guardian_enter_release
from capc.steps.suite import hybrid_suite
from protocol.cases import MODES, Case, cases
from support.builders import (
    confident_policy,
    counter_seeds,
    fixed_mechanisms,
    make_account,
    make_parameters,
    make_policy,
)
from support.collaborations import collaborate
from support.engines import ClearEngine
from support.refusals import refused
from support.sizes import examples

RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


def with_engine(case: Case, engine: SecureEngine) -> Collaboration:
    """The case's collaboration on an engine: the same suite and account."""
    embedded = case.collaborate(None)
    suite = embedded.table.guardian.suite
    return Collaboration(case.session, case.models, suite, embedded._account, engine_methods(engine))


def open_engine(
    parameters: Parameters, engine: SecureEngine, account: Account | None = None, seeds: str = "engine"
) -> Collaboration:
    parts = {"account": account or make_account(parameters), "draw_seed": counter_seeds(seeds)}
    return collaborate(parameters, (1, 1, 2), [(2, 3)] * 3, methods=engine_methods(engine), **parts)


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-040", "CAPC-REL-001", "CAPC-ARG-001")
@pytest.mark.parametrize("mode", MODES)
@settings(RELAXED, max_examples=examples(ordinary=20, nightly=2000))
@given(data=st.data())
def test_labels_are_those_of_the_embedded_engine_and_of_the_ideal_functionality(mode, data) -> None:
    case = data.draw(cases(mode))
    results = with_engine(case, ClearEngine()).label_batch(case.queries)
    assert [result.label for result in results] == [result.ideal_label for result in results]
    if case.given_noise is not None:
        embedded = [case.collaborate(None).label(query).label for query in case.queries]
        assert [result.label for result in results] == embedded


@pytest.mark.req("CAPC-ACCT-133")
@pytest.mark.parametrize("changes", [{"renyi_order": Fraction(3), "argmax_cost": Fraction(1)}, {"argmax_queries": 9}])
def test_no_guardian_lets_an_outside_engine_release_labels_at_their_cost(changes) -> None:
    policy = replace(make_policy(), **changes)
    with pytest.raises(InputError, match=rf"^accounting = {policy.method.value}: another engine .* take gaussian_dp"):
        open_engine(make_parameters(policy=policy), ClearEngine())


@pytest.mark.req("CAPC-MPC-040")
def test_a_batch_is_one_run_of_each_step_with_every_party_and_query() -> None:
    engine = ClearEngine()
    collaboration = open_engine(make_parameters(), engine)
    assert [result.index for result in collaboration.label_batch([[0, 1], [1, 0]])] == [1, 2]
    assert [len(run) for run in engine.argmax_runs] == [3 * 2]
    assert [len(run) for run in engine.release_runs] == [2]
    assert [result.index for result in collaboration.label_batch([[0, 1]])] == [3]
    costs = collaboration.costs
    assert (costs["1c_argmax"].bytes, costs["1c_argmax"].rounds) == (900, 14)
    assert (costs["3_release"].bytes, costs["3_release"].rounds) == (30, 6)


@pytest.mark.req("CAPC-ARG-005", "CAPC-MPC-041")
def test_vote_shares_are_fresh_and_nothing_is_used_twice() -> None:
    engine = ClearEngine()
    collaboration = open_engine(make_parameters(), engine)
    collaboration.label_batch([[0, 1]] * 4)
    cases = [case for run in engine.argmax_runs for case in run]
    assert len({case.fresh_shares for case in cases}) == len(cases)
    width = make_parameters().widths.vote_bits
    assert all(case.fresh_shares != tuple(mask % 2**width for mask in case.masks) for case in cases)


def is_balanced(bits: list[int]) -> bool:
    """Whether about half of them are ones: five standard deviations to each side."""
    return abs(2 * sum(bits) - len(bits)) <= 5 * len(bits) ** 0.5


@pytest.mark.req("CAPC-ARG-005", "CAPC-MPC-041")
def test_every_bit_of_a_vote_share_is_uniform_whatever_the_others_and_the_masks_are() -> None:
    """The querying party is sent the vote minus the share: a bit that is known, or another's, shows a bit of votes."""
    engine, parameters = ClearEngine(), make_parameters()
    open_engine(parameters, engine, make_account(parameters, 40)).label_batch([[0, 1]] * 40)
    cases = [case for run in engine.argmax_runs for case in run]
    width = parameters.widths.vote_bits
    assert len(cases) == 3 * 40

    def bits(numbers: Iterable[int]) -> list[list[int]]:
        numbers = list(numbers)
        return [[number >> place & 1 for number in numbers] for place in range(width)]

    columns = [bits(case.fresh_shares[label] for case in cases) for label in range(parameters.num_classes)]
    others = [bits(case.masks[label] for case in cases) for label in range(parameters.num_classes)]
    # A share that follows from those of the other classes has a sum that is known.
    columns.append(bits(sum(case.fresh_shares) for case in cases))
    shares = [column for label in columns for column in label]
    assert all(map(is_balanced, shares))
    for number, one in enumerate(shares):
        for other in [*shares[:number], *(column for label in others for column in label)]:
            assert is_balanced([a ^ b for a, b in zip(one, other, strict=True)])


class Recording(Account):
    """Writes down what is written down, in order."""

    def __init__(self, parameters: Parameters, queries: int = 10, written=lambda entry: None) -> None:
        budget = make_account(parameters, queries).budget
        super().__init__(parameters.release, parameters.widths.grid_bits, budget)
        self.entries, self._written = [], written

    def _write(self, entry, message=None) -> None:
        self._written(entry)
        self.entries.append(entry)
        super()._write(entry, message)


@pytest.mark.req("CAPC-MPC-042", "CAPC-ACCT-001", "CAPC-ACCT-007", "CAPC-LEDG-005", "CAPC-LEDG-006", "CAPC-REL-004")
def test_every_query_is_charged_and_written_down_before_its_noise_is_entered(monkeypatch) -> None:
    parameters, order = make_parameters(), []
    account = Recording(parameters, written=lambda entry: order.append(type(entry).__name__))
    mechanism = type(hybrid_suite(parameters).mechanisms.answer)
    draw = mechanism.sample
    monkeypatch.setattr(mechanism, "sample", lambda *given: order.append("noise") or draw(*given))
    engine = ClearEngine(before_release=lambda: order.append("entered"))
    open_engine(parameters, engine, account).label_batch([[0, 1], [1, 0]])
    assert order == [*["Reservation", "noise", "Dispatch"] * 2, "entered"]


@pytest.mark.req("CAPC-MPC-042", "CAPC-NAME-001")
def test_what_is_written_down_is_a_hiding_commitment() -> None:
    """The words alone do not give it: a guess of the votes and the noise cannot be checked against the ledger."""
    parameters = make_parameters()
    guardian = open_engine(parameters, ClearEngine()).table.guardian.party
    guardian = guardian.renewed(suite=replace(guardian.suite, mechanisms=fixed_mechanisms([[1, -2, 3]])))
    entered = []
    for seeds in ("one", "two", "one"):
        account, state = make_account(parameters), AggregatedVotes(guardian, 1, (5, 6, 7), bytes(32))
        receipt = account.reserve(guardian.session.tag, 1, bytes(32))
        entered.append(privacy_guardian_enter_release(state, receipt, counter_seeds(seeds)())[1:])
    assert entered[0][0] == entered[1][0] == entered[2][0]
    assert entered[0][1] != entered[1][1]
    assert entered[0] == entered[2]
    label = guardian.channel.label("privacy_guardian_enter_release", 1) + bytes(32) + b"/commitment"
    blinding = XofSource(counter_seeds("one")(), label).read(32)
    words = b"".join(word.to_bytes(8, "little") for word in entered[0][0])
    assert entered[0][1] == hashlib.sha256(b"CaPC/0.1/engine-commitment" + blinding + words).digest()


@pytest.mark.req("CAPC-MPC-042")
def test_a_run_that_breaks_off_stays_charged_and_its_noise_is_not_drawn_again() -> None:
    parameters = make_parameters()
    account = Recording(parameters, 3)

    def fail() -> None:
        raise InputError("the engine failed")

    collaboration = open_engine(parameters, ClearEngine(before_release=fail), account)
    with pytest.raises(InputError, match="engine failed"):
        collaboration.label_batch([[0, 1], [1, 0]])
    assert account.remaining_queries() == 1
    assert [type(entry) for entry in account.entries] == [Reservation, Dispatch] * 2
    receipt = account.entries[0].receipt
    with pytest.raises(InputError, match="another message"):
        account.dispatch(receipt, bytes(32))
    with pytest.raises(BudgetExhaustedError):
        collaboration.label_batch([[0, 1], [1, 0]])


@pytest.mark.req("CAPC-MPC-042")
def test_realised_charging_settles_with_the_bit_that_the_engine_told_the_guardian() -> None:
    parameters = make_parameters(policy=replace(confident_policy(Charge.REALISED, Fraction(2))))
    account = make_account(parameters)
    results = open_engine(parameters, ClearEngine(), account).label_batch([[0, 1]] * 8)
    settled = [event.kind for event in account.events if event.kind.value.startswith("label")]
    wanted = [EventKind.LABEL_WITHHELD if result.label is None else EventKind.LABEL_RELEASED for result in results]
    assert settled == wanted


@dataclass
class Broken(ClearEngine):
    """Gives what no honest run gives."""

    vote: int | None = None
    outcome: ReleaseOutcome | None = None

    def argmax(self, parameters, cases):
        rows, cost = super().argmax(parameters, cases)
        return ([(self.vote, *row[1:]) for row in rows] if self.vote is not None else rows), cost

    def release(self, parameters, cases):
        outcomes, cost = super().release(parameters, cases)
        return ([self.outcome] * len(outcomes) if self.outcome is not None else outcomes), cost


@pytest.mark.req("CAPC-ACCT-007", "CAPC-REL-008")
def test_what_no_honest_run_gives_is_refused() -> None:
    parameters = make_parameters()
    for vote in (-1, 2**parameters.widths.vote_bits):
        with refused(ErrorCode.VALUE_OUT_OF_RANGE, answering_party(1)):
            open_engine(parameters, Broken(vote=vote)).label_batch([[0, 1]])
    with refused(ErrorCode.VALUE_OUT_OF_RANGE, PRIVACY_GUARDIAN):
        open_engine(parameters, Broken(outcome=ReleaseOutcome((1, 1), None))).label_batch([[0, 1]])
    realised = make_parameters(policy=confident_policy(Charge.REALISED))
    with pytest.raises(InputError, match="no answered bit of query 1"):
        open_engine(realised, Broken(outcome=ReleaseOutcome((1, 0, 1), None))).label_batch([[0, 1]])


def test_nothing_is_made_ahead_for_an_outside_engine() -> None:
    with pytest.raises(InputError, match="only the embedded engine"):
        open_engine(make_parameters(), ClearEngine()).prepare(1)


@pytest.mark.req("CAPC-ACCT-006", "CAPC-REL-004")
def test_a_receipt_for_other_shares_draws_no_noise() -> None:
    parameters = make_parameters(policy=make_policy())
    account = make_account(parameters)
    collaboration = open_engine(parameters, ClearEngine(), account)
    state = AggregatedVotes(collaboration.table.guardian.party, 1, (0, 0, 0), bytes(32))
    wrong = account.reserve(collaboration._session.tag, 1, b"1" * 32)
    seed = counter_seeds("receipt")()
    with pytest.raises(InputError, match="the receipt for query 1"):
        privacy_guardian_enter_release(state, wrong, seed)
    right = account.reserve(collaboration._session.tag, 2, bytes(32))
    state = state.renewed(query=2)
    privacy_guardian_enter_release(state, right, seed)
    with pytest.raises(StateReuseError):
        privacy_guardian_enter_release(state, right, seed)
