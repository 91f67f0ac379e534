"""Transfers for releases are made by one extension for many, and serve one release each."""

from __future__ import annotations

from typing import Any

import pytest

from capc.foundation.errors import ErrorCode, ProtocolError, StateReuseError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.foundation.randomness import Seed
from capc.linear.ideal import IdealLinear
from capc.session.envelope import HEADER, MessageType
from capc.steps import release_transfers
from capc.steps.privacy_guardian.release import privacy_guardian_release
from capc.steps.querying_party.release import AwaitingRelease, querying_party_finish_release
from capc.steps.release_circuit import circuit_for
from capc.steps.suite import reference_suite
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.vectorised import VectorisedTwoParty
from support.builders import counter_seeds, make_account, make_session
from support.driver import Delivery, Driver
from support.header import payload_of
from support.runs import SIZES, fork, parameters_for, voters

AHEAD = 3


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extensions for three releases in the place of 32."""
    monkeypatch.setattr(release_transfers, "RELEASES_AHEAD", AHEAD)


def requests_of(driver: Driver) -> dict[int, bytes]:
    """The payloads of all requests of releases, by query."""
    sent = driver.payloads_of(MessageType.CHOICE_BITS)
    return {place.query: payload for place, payload in sent.items() if place.receiver == PRIVACY_GUARDIAN}


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-011", "CAPC-REL-013")
@pytest.mark.parametrize("policy", ["plain", "single_draw", "worst_case", "realised"])
@pytest.mark.usefixtures("few")
def test_one_request_of_three_makes_transfers(policy: str) -> None:
    """The others are their choice bits and four bytes. All labels are F_CaPC's, whatever made their transfers."""
    driver = fork(policy, voters(1, 0, 2))
    for query in range(1, 8):
        outcome = driver.run_query([query % 3 - 1, 1])
        assert outcome.label == outcome.ideal_label
    scheme, circuit = driver.suite.two_party, circuit_for(driver.session.parameters)
    bits, extension = scheme.bits_length(circuit, 1), scheme.extension_length(AHEAD * circuit.evaluator_inputs)
    requests = requests_of(driver)
    assert [len(payload) - bits for payload in requests.values()] == [extension, 4, 4, extension, 4, 4, extension]
    assert [int.from_bytes(requests[query][:4], "little") for query in (2, 3, 5, 6)] == [1, 1, 4, 4]


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-011", "CAPC-GC-009")
@pytest.mark.usefixtures("few")
def test_both_engines_send_the_same_bytes() -> None:
    """One runs the querying party, the other the guardian, and the other way round."""
    sent = []
    for scheme in (GarbledTwoParty(), VectorisedTwoParty()):
        driver = new_driver("single_draw", scheme)
        for query in range(1, 6):
            driver.run_query([1, query % 3 - 1])
        kinds = MessageType.CHOICE_BITS, MessageType.GARBLED_CIRCUITS
        sent.append([payload for kind in kinds for payload in driver.payloads_of(kind).values()])
    assert sent[0] == sent[1]


def new_driver(policy: str, scheme: Any) -> Driver:
    parameters = parameters_for(policy)
    session, suite = make_session(parameters, SIZES), reference_suite(parameters, IdealLinear(14), scheme)
    driver = Driver(session, voters(1, 0, 2), suite, make_account(parameters), counter_seeds("engines"))
    driver.set_up()
    return driver


@pytest.mark.req("CAPC-REL-012", "CAPC-ROLE-009", "CAPC-ERR-002")
def test_other_transfers_are_refused_and_the_honest_request_is_taken() -> None:
    """Of another query, of none, of one whose extension never came, and padding in a request of either kind."""
    driver = fork("plain", voters(1, 0, 2))
    refused = 0

    def interfere(delivery: Delivery) -> None:
        nonlocal refused
        place, honest = delivery.place, delivery.honest
        if (place.message_type, place.receiver) != (MessageType.CHOICE_BITS, PRIVACY_GUARDIAN):
            return
        bits = honest[-driver.suite.two_party.bits_length(circuit_for(driver.session.parameters), 1) :]
        wrong = {honest[:-1] + bytes([honest[-1] | 0x80]): ErrorCode.NON_CANONICAL}
        for first in {0, 1, 2, 3, 77, 1 << 31} - ({1} if place.query > 1 else set()):
            wrong[honest[: HEADER.size] + first.to_bytes(4, "little") + bits] = ErrorCode.WRONG_QUERY
        wrong[honest[: HEADER.size] + bits] = ErrorCode.MALFORMED_LENGTH
        for message, code in wrong.items():
            with pytest.raises(ProtocolError) as caught:
                delivery.receive(message)
            assert (caught.value.code, caught.value.blame) == (code, QUERYING_PARTY)
            refused += 1

    driver.interfere = interfere
    for _ in range(2):
        outcome = driver.run_query([1, -1])
        assert outcome.label == outcome.ideal_label
    assert refused == 15


@pytest.mark.req("CAPC-REL-012", "CAPC-REL-013", "CAPC-GC-008")
def test_transfers_serve_one_release() -> None:
    """The guardian refuses the same request for the same query again, even where its state was made unspent."""
    driver = fork("plain", voters(1, 0, 2))
    for _ in range(2):
        driver.run_query([1, -1])
    call = [call for call in driver.calls if call.step is privacy_guardian_release][-1]
    state, (receipt, choice) = call.state.renewed(), call.arguments[:2]
    with pytest.raises(ProtocolError, match="wrong_query"):
        privacy_guardian_release(state, receipt, choice, Seed(bytes(32)))


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-013")
def test_an_answer_that_is_lost_is_followed_by_new_transfers() -> None:
    """Only an answer shows that the guardian has them: until it comes, and when it comes late, others are made."""
    driver = fork("plain", voters(1, 0, 2))
    late: list[bytes] = []

    def lose(delivery: Delivery) -> None:
        if (delivery.place.message_type, delivery.place.sender) == (MessageType.GARBLED_CIRCUITS, PRIVACY_GUARDIAN):
            late.append(delivery.honest)
            raise StateReuseError("lost")

    driver.interfere = lose
    with pytest.raises(StateReuseError, match="lost"):
        driver.run_query([1, -1])
    driver.interfere = lambda _: None
    outcomes = [driver.run_query([1, -1])]
    awaiting = driver.results_of(AwaitingRelease)[0]
    assert querying_party_finish_release(awaiting, late[0]).label is not None
    outcomes += [driver.run_query([1, -1]) for _ in range(2)]
    assert [outcome.label for outcome in outcomes] == [outcome.ideal_label for outcome in outcomes]
    requests = requests_of(driver)
    assert [len(requests[query]) == len(requests[1]) for query in (1, 2, 3, 4)] == [True, True, False, False]
    assert [int.from_bytes(requests[query][:4], "little") for query in (3, 4)] == [2, 2]


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-005")
def test_noise_is_bound_to_the_extension_that_made_the_transfers() -> None:
    """One state, seed and request under other transfers: other noise, and another hash key."""
    driver = fork("plain", voters(1, 0, 2))
    for _ in range(2):
        driver.run_query([1, -1])
    call = [call for call in driver.calls if call.step is privacy_guardian_release][-1]
    receipt, choice = call.arguments[:2]
    scheme, circuit = driver.suite.two_party, circuit_for(driver.session.parameters)
    keys = set()
    for position in (100, 200):
        count = circuit.evaluator_inputs
        _, rows = scheme.extend_evaluator(driver.querying_party.evaluator_keys[PRIVACY_GUARDIAN], position, [count])
        made = scheme.extend_garbler(driver.guardian.garbler_key, position, [count], rows)
        held = release_transfers.ReleaseTransfers[Any]()
        held.hold(1, made, bytes([position]) * 32)
        state = call.state.renewed(party=call.state.party.renewed(release_transfers=held))
        keys.add(payload_of(privacy_guardian_release(state, receipt, choice, Seed(bytes(32)))[1])[16:32])
    assert len(keys) == 2
