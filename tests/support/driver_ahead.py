"""The driver's part for batches that are prepared before their queries are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capc.answering_party import BatchTransfers, VoteReady
from capc.answering_party_ahead import (
    AwaitingValue,
    answering_party_enter_offline,
    answering_party_finish_preparation,
    answering_party_garble_ahead,
    answering_party_keep_masks,
    answering_party_prepare_layer,
    answering_party_send_labels,
    answering_party_send_vote_labels,
)
from capc.architecture import Activation
from capc.parties import QUERYING_PARTY
from capc.querying_party import VoteShare
from capc.querying_party_ahead import (
    AwaitingLabels,
    OfflineInput,
    PreparedBatch,
    querying_party_choose_labels_offline,
    querying_party_evaluate_prepared,
    querying_party_evaluate_prepared_vote,
    querying_party_finish_preparation,
    querying_party_keep_circuits,
    querying_party_keep_sums_offline,
    querying_party_request_offline,
)

if TYPE_CHECKING:
    from support.driver import Driver


def prepare(driver: Driver, masked: OfflineInput, transfers: BatchTransfers) -> tuple[PreparedBatch, AwaitingValue]:
    """All layers with one answering party, on masks."""
    peer, waiting = masked.peer, driver.consume(answering_party_enter_offline, transfers)
    for stage in driver.session.architecture(peer).stages:
        layer_seed, garble_seed, mask_seed = driver.draw_seed(), driver.draw_seed(), driver.draw_seed()
        after_request, request = driver.consume(querying_party_request_offline, masked)
        after_response, response = driver.deliver(
            {QUERYING_PARTY: request},
            lambda given, state=waiting, seed=layer_seed: driver.consume(  # type: ignore[misc]
                answering_party_prepare_layer, state, given[QUERYING_PARTY], seed
            ),
        )
        if stage.activation is Activation.NONE:
            waiting = driver.consume(answering_party_keep_masks, after_response)
            masked = driver.hand_over(peer, response, querying_party_keep_sums_offline, after_request)
            continue
        after_choice, bits = driver.hand_over(peer, response, querying_party_choose_labels_offline, after_request)
        waiting, circuits = driver.deliver(
            {QUERYING_PARTY: bits},
            lambda given, state=after_response, seed=garble_seed: driver.consume(  # type: ignore[misc]
                answering_party_garble_ahead, state, given[QUERYING_PARTY], seed
            ),
        )
        masked = driver.hand_over(peer, circuits, querying_party_keep_circuits, after_choice, mask_seed)
    return (
        driver.consume(querying_party_finish_preparation, masked),
        driver.consume(answering_party_finish_preparation, waiting),
    )


def infer_prepared(
    driver: Driver, mine: AwaitingLabels, waiting: AwaitingValue, value: bytes
) -> tuple[tuple[VoteShare, ...], tuple[VoteReady, ...]]:
    """Steps 1a to 1c with one answering party, for the queries of a prepared batch."""
    peer = mine.prepared.last.peer
    stages = driver.session.architecture(peer).stages
    for stage in [stage for stage in stages if stage.activation is not Activation.NONE]:
        votes = stage.activation is Activation.VOTE
        after, labels = driver.deliver(
            {QUERYING_PARTY: value},
            lambda given, state=waiting, votes=votes: driver.consume(  # type: ignore[misc]
                answering_party_send_vote_labels if votes else answering_party_send_labels, state, given[QUERYING_PARTY]
            ),
        )
        if votes:
            break
        waiting = after
        mine, value = driver.hand_over(peer, labels, querying_party_evaluate_prepared, mine)
    return driver.hand_over(peer, labels, querying_party_evaluate_prepared_vote, mine), after
