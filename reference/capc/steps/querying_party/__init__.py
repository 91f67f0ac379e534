"""The querying party's steps."""

from capc.steps.querying_party.external import (
    querying_party_enter_argmax,
    querying_party_enter_release,
    querying_party_take_label,
    querying_party_take_votes,
)
from capc.steps.querying_party.inference import (
    VoteShare,
    querying_party_choose_labels,
    querying_party_enter_batch,
    querying_party_evaluate_layer,
    querying_party_evaluate_vote,
    querying_party_keep_sums,
    querying_party_request_layer,
)
from capc.steps.querying_party.offline import (
    querying_party_choose_labels_offline,
    querying_party_enter_online,
    querying_party_evaluate_online,
    querying_party_evaluate_online_vote,
    querying_party_finish_offline,
    querying_party_keep_circuits,
    querying_party_keep_sums_offline,
    querying_party_mask_batch,
    querying_party_request_offline,
)
from capc.steps.querying_party.party import QueryingParty, querying_party_open_batch
from capc.steps.querying_party.release import querying_party_finish_release, querying_party_request_release
from capc.steps.querying_party.reverse_setup import querying_party_choose_reverse, querying_party_finish_reverse
from capc.steps.querying_party.setup import querying_party_begin_setup, querying_party_finish_setup
from capc.steps.querying_party.vote_rounds import (
    querying_party_begin_rounds,
    querying_party_evaluate_last_round,
    querying_party_evaluate_round,
)

__all__ = [
    "QueryingParty",
    "VoteShare",
    "querying_party_begin_rounds",
    "querying_party_begin_setup",
    "querying_party_choose_labels",
    "querying_party_choose_labels_offline",
    "querying_party_choose_reverse",
    "querying_party_enter_argmax",
    "querying_party_enter_batch",
    "querying_party_enter_online",
    "querying_party_enter_release",
    "querying_party_evaluate_last_round",
    "querying_party_evaluate_layer",
    "querying_party_evaluate_online",
    "querying_party_evaluate_online_vote",
    "querying_party_evaluate_round",
    "querying_party_evaluate_vote",
    "querying_party_finish_offline",
    "querying_party_finish_release",
    "querying_party_finish_reverse",
    "querying_party_finish_setup",
    "querying_party_keep_circuits",
    "querying_party_keep_sums",
    "querying_party_keep_sums_offline",
    "querying_party_mask_batch",
    "querying_party_open_batch",
    "querying_party_request_layer",
    "querying_party_request_offline",
    "querying_party_request_release",
    "querying_party_take_label",
    "querying_party_take_votes",
]
