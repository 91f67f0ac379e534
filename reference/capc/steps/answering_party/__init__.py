"""An answering party's steps."""

from capc.steps.answering_party.external import answering_party_enter_argmax
from capc.steps.answering_party.inference import (
    answering_party_enter_batch,
    answering_party_evaluate_layer,
    answering_party_expect_transfers,
    answering_party_garble_layer,
    answering_party_garble_vote,
    answering_party_keep_sums,
    answering_party_send_vote,
    answering_party_take_transfers,
)
from capc.steps.answering_party.offline import (
    answering_party_enter_offline,
    answering_party_evaluate_offline,
    answering_party_finish_offline,
    answering_party_garble_offline,
    answering_party_keep_masks,
    answering_party_send_labels,
    answering_party_send_vote_labels,
)
from capc.steps.answering_party.party import AnsweringParty, answering_party_open_batch
from capc.steps.answering_party.reverse_setup import answering_party_finish_reverse, answering_party_offer_reverse
from capc.steps.answering_party.setup import (
    answering_party_answer_setup,
    answering_party_begin_setup,
    answering_party_finish_setup,
)
from capc.steps.answering_party.vote_rounds import (
    answering_party_begin_rounds,
    answering_party_garble_last_round,
    answering_party_garble_round,
)

__all__ = [
    "AnsweringParty",
    "answering_party_answer_setup",
    "answering_party_begin_rounds",
    "answering_party_begin_setup",
    "answering_party_enter_argmax",
    "answering_party_enter_batch",
    "answering_party_enter_offline",
    "answering_party_evaluate_layer",
    "answering_party_evaluate_offline",
    "answering_party_expect_transfers",
    "answering_party_finish_offline",
    "answering_party_finish_reverse",
    "answering_party_finish_setup",
    "answering_party_garble_last_round",
    "answering_party_garble_layer",
    "answering_party_garble_offline",
    "answering_party_garble_round",
    "answering_party_garble_vote",
    "answering_party_keep_masks",
    "answering_party_keep_sums",
    "answering_party_offer_reverse",
    "answering_party_open_batch",
    "answering_party_send_labels",
    "answering_party_send_vote",
    "answering_party_send_vote_labels",
    "answering_party_take_transfers",
]
