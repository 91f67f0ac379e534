"""What a batch shares and what it does not: one request for layers of one layout, and a mask for each value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError, StateReuseError
from capc.foundation.randomness import Seed
from capc.session.envelope import MessageType
from capc.steps.answering_party.inference import answering_party_expect_transfers
from capc.steps.answering_party.party import AwaitingTransfers
from capc.steps.querying_party.inference import querying_party_evaluate_layer
from capc.steps.querying_party.offline import (
    OfflineInput,
    OnlineBatch,
    querying_party_enter_online,
    querying_party_finish_offline,
    querying_party_keep_circuits,
)
from support.driver import Driver
from support.header import payload_of
from support.runs import fork, voters
from support.sizes import examples


def first_requests(driver: Driver, query: int) -> list[bytes]:
    """What each answering party was sent for its first layer."""
    requests = driver.payloads_of(MessageType.LINEAR_REQUEST).items()
    return [sent for place, sent in requests if (place.query, place.layer) == (query, 0)]


@pytest.mark.slow
@pytest.mark.req("CAPC-BATCH-003")
@pytest.mark.parametrize("count", [1, 3])
def test_first_layers_of_one_layout_get_the_same_ciphertexts(count: int) -> None:
    """All first layers take the two features; later requests, of other values, are never the same."""
    driver = fork("plain", voters(1, 1, 1))
    for number, run in enumerate((driver.run_batch, driver.run_prepared)):
        run([[1, 2]] * count)
        requests = first_requests(driver, 1 + number * count)
        assert len(requests) == 3
        assert len(set(requests)) == 1
    later = [sent for place, sent in driver.payloads_of(MessageType.LINEAR_REQUEST).items() if place.layer]
    assert len(set(later)) == len(later)


@pytest.mark.slow
@pytest.mark.req("CAPC-BATCH-003")
def test_layouts_that_differ_get_ciphertexts_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = fork("plain", voters(1, 1, 1))
    linear = type(driver.suite.linear)
    monkeypatch.setattr(linear, "request_layout", lambda _, operator, count: (operator, count))
    driver.run_batch([[1, 2]])
    # The first layers have 3, 3 and 1 outputs.
    requests = first_requests(driver, 1)
    assert requests[0] == requests[1] != requests[2]


@pytest.mark.slow
@pytest.mark.req("CAPC-BATCH-001")
@settings(max_examples=examples(ordinary=5, nightly=15))
@given(st.lists(st.tuples(*[st.integers(-4, 4)] * 2), min_size=1, max_size=5))
def test_labels_do_not_depend_on_the_size_of_the_batch(queries: list[tuple[int, int]]) -> None:
    """In one batch, one after the other, and prepared: the labels of the ideal functionality."""
    driver = fork("worst_case", voters(1, 1, 2))
    outcomes = driver.run_batch(queries) + [driver.run_query(query) for query in queries]
    outcomes += driver.run_prepared(queries)
    assert [outcome.label for outcome in outcomes] == [outcome.ideal_label for outcome in outcomes]


def test_nobody_works_ahead_of_a_message_that_came() -> None:
    driver = fork("plain", voters(1, 1, 1))
    driver.run_batch([[1, 2]])
    waiting = driver.results_of(AwaitingTransfers)
    assert len(waiting) == 3
    for state in waiting:
        with pytest.raises(StateReuseError, match="AwaitingTransfers was used before"):
            answering_party_expect_transfers(state)


@pytest.mark.slow
@pytest.mark.req("CAPC-AHEAD-003")
def test_a_prepared_batch_is_labelled_once_and_every_value_has_a_mask_of_its_own() -> None:
    driver = fork("plain", voters(1, 1, 1))
    driver.run_prepared([[1, 2], [2, 1]])
    driver.run_prepared([[1, 2], [2, 1]])
    prepared = driver.results_of(OnlineBatch)
    assert len(prepared) == 6
    with pytest.raises(StateReuseError, match="OnlineBatch was used before"):
        querying_party_enter_online(prepared[:3], [[1, 2], [2, 1]])
    # Value 0 is one and the same for all answering parties of a batch; everything else is masked anew.
    masks = [state.last.values[0] for state in prepared]
    assert len(set(masks[:3])) == len(set(masks[3:])) == 1
    rows = {row for mask in masks for row in mask}
    hidden = [row for state in prepared for value in state.last.values[1:-1] for row in value]
    assert len(rows) == 4
    assert len(hidden) == 2 * 2 * 3
    assert len({row for row in hidden if len(row) > 1}) == sum(len(row) > 1 for row in hidden)
    assert not rows & set(hidden)


@pytest.mark.req("CAPC-AHEAD-003")
def test_all_answering_parties_get_the_same_queries_under_one_mask() -> None:
    """One at a time, or in part, they could be given two queries, whose difference two parties would see."""
    prepared = prepared_batch()
    for part in (prepared[:1], prepared[:2], prepared[1:], prepared[::-1], [prepared[0]] * 3):
        with pytest.raises(InputError, match="one for each answering party"):
            querying_party_enter_online(part, [[1, 2], [2, 1]])
    _, messages = querying_party_enter_online(prepared, [[1, 2], [2, 1]])
    assert len({payload_of(message) for message in messages.values()}) == 1


@pytest.mark.req("CAPC-AHEAD-003", "CAPC-AHEAD-005")
def test_masks_and_true_values_are_never_taken_for_each_other() -> None:
    """True shares cannot be kept as if they were masks, nor masks be evaluated as if they were true."""
    driver = fork("plain", voters(1, 1, 1))
    driver.run_query([1, 2])
    driver.run_prepared([[1, 2]])
    evaluated = next(call for call in driver.calls if call.step is querying_party_evaluate_layer)
    kept = next(call for call in driver.calls if call.step is querying_party_keep_circuits)
    with pytest.raises(InputError, match="continues from OfflineCircuits, not from AwaitingCircuits"):
        querying_party_keep_circuits(evaluated.state.renewed(), evaluated.arguments[0], Seed(bytes(32)))
    with pytest.raises(InputError, match="continues from AwaitingCircuits, not from OfflineCircuits"):
        querying_party_evaluate_layer(kept.state.renewed(), kept.arguments[0])
    masks = driver.states_of(OfflineInput)[0]
    with pytest.raises(InputError, match="all layers of a masked batch"):
        querying_party_finish_offline(masks.renewed())


@pytest.mark.req("CAPC-AHEAD-003", "CAPC-ROLE-011")
@pytest.mark.parametrize("bad", [[[1, 2]], [[1, 2]] * 3, [[1, 2], [5, 0]], [[1, 2], [1]]])
def test_a_refused_list_of_queries_leaves_the_prepared_batch_as_it_was(bad: list[list[int]]) -> None:
    prepared = prepared_batch()
    with pytest.raises(InputError):
        querying_party_enter_online(prepared, bad)
    querying_party_enter_online(prepared, [[1, 2], [2, 1]])


def prepared_batch() -> list[OnlineBatch]:
    """The states of a prepared batch of two, made unspent again."""
    driver = fork("plain", voters(1, 1, 1))
    driver.run_prepared([[1, 2], [2, 1]])
    return [entry.renewed() for entry in driver.results_of(OnlineBatch)]
