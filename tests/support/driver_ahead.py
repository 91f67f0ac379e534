"""The driver's part for batches that are prepared before their queries are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capc.foundation.parties import QUERYING_PARTY
from capc.steps.answering_party.inference import AwaitingRequest, VoteReady
from capc.steps.answering_party.offline import (
    AwaitingAheadChoice,
    AwaitingValue,
    answering_party_finish_preparation,
    answering_party_garble_ahead,
    answering_party_prepare_layer,
    answering_party_send_labels,
)
from capc.steps.querying_party.inference import (
    LayerInput,
    VoteShare,
    querying_party_keep_sums,
    querying_party_request_layer,
)
from capc.steps.querying_party.inference import querying_party_choose_labels as choose_labels
from capc.steps.querying_party.offline import (
    AwaitingLabels,
    PreparedBatch,
    querying_party_evaluate_prepared,
    querying_party_finish_preparation,
    querying_party_keep_circuits,
)

if TYPE_CHECKING:
    from support.driver import Driver


def prepare(driver: Driver, layer_input: LayerInput, waiting: AwaitingRequest) -> tuple[PreparedBatch, AwaitingValue]:
    """All layers with one answering party, on masks."""
    peer = layer_input.peer
    while layer_input.layer < len(driver.session.architecture(peer).stages):
        layer_seed, garble_seed, mask_seed = driver.draw_seed(), driver.draw_seed(), driver.draw_seed()
        after_request, request = driver.consume(querying_party_request_layer, layer_input)
        after_response, response = driver.deliver(
            {QUERYING_PARTY: request},
            lambda given, state=waiting, seed=layer_seed: driver.consume(  # type: ignore[misc]
                answering_party_prepare_layer, state, given[QUERYING_PARTY], seed
            ),
        )
        if not isinstance(after_response, AwaitingAheadChoice):
            waiting = after_response
            layer_input = driver.hand_over(peer, response, querying_party_keep_sums, after_request)
            continue
        after_choice, bits = driver.hand_over(peer, response, choose_labels, after_request)
        waiting, circuits = driver.deliver(
            {QUERYING_PARTY: bits},
            lambda given, state=after_response, seed=garble_seed: driver.consume(  # type: ignore[misc]
                answering_party_garble_ahead, state, given[QUERYING_PARTY], seed
            ),
        )
        layer_input = driver.hand_over(peer, circuits, querying_party_keep_circuits, after_choice, mask_seed)
    return (
        driver.consume(querying_party_finish_preparation, layer_input),
        driver.consume(answering_party_finish_preparation, waiting),
    )


def infer_prepared(
    driver: Driver, mine: AwaitingLabels, waiting: AwaitingValue, value: bytes
) -> tuple[tuple[VoteShare, ...], tuple[VoteReady, ...]]:
    """Steps 1a to 1c with one answering party, for the queries of a prepared batch."""
    peer = mine.prepared.last.peer
    while True:
        after, labels = driver.deliver(
            {QUERYING_PARTY: value},
            lambda given, state=waiting: driver.consume(  # type: ignore[misc]
                answering_party_send_labels, state, given[QUERYING_PARTY]
            ),
        )
        result, next_value = driver.hand_over(peer, labels, querying_party_evaluate_prepared, mine)
        if isinstance(result, tuple) and isinstance(after, tuple):
            return result, after
        if isinstance(result, tuple) or isinstance(after, tuple) or next_value is None:
            raise AssertionError("the two parties disagree on the number of layers")
        mine, waiting, value = result, after, next_value
