"""The list of seeded faults: what each does, where it comes from, and the tests that must notice it."""

from __future__ import annotations

from capc_verify.faults import (
    arithmetic,
    binding,
    disclosure,
    durability,
    encryption,
    garbling,
    masking,
    opening,
    turns,
)
from capc_verify.faults.arithmetic import FAULTS_OF_COMPARISONS
from capc_verify.faults.charges import accounts, ledgers
from capc_verify.faults.charges.registry import LABEL_FAULTS, LEDGER_FAULTS
from capc_verify.faults.functionality import histograms, releases, starred
from capc_verify.faults.jobs import keeping
from capc_verify.faults.models import activations, folding, own_models, skips
from capc_verify.faults.planting import Fault
from capc_verify.faults.refusals import ranges, sessions, streams, wire
from capc_verify.faults.statements import bounds, draws, edges
from capc_verify.faults.transfers import checks, positions

_VIEWS = "tests/views/test_querying_party.py::"
_OTHER_SESSIONS = "tests/session/test_other_sessions.py::"
_TWO_PARTY = "tests/two_party/test_two_party.py::"
_GUARDED = "tests/two_party/circuits/test_guarded_circuits.py::test_"
_FIGURES = "tests/models/importing/test_figures.py::test_"
_NO_TIE = "tests/two_party/test_vote_rounds.py::test_errors_decide_no_tie"
_OFFSETS = "tests/faulty_parties/test_reverse_offsets.py::test_"
_JOURNAL = "tests/job/test_journal.py::"
_TURNS = "tests/job/test_turns.py::test_"
_SETS = "tests/job/test_multi_label.py::test_"
_SIMULATION = "tests/job/test_simulation.py::test_"
_USE_ONCE = "tests/steps/test_use_once.py::"
_ONE_LAW = _VIEWS + "test_shares_of_an_inference_have_one_law_for_all_models"
_MASKS = "tests/linear/test_masks.py::test_a_response_is_the_switched_sum_plus_masks_of_the_seed[default]"
_OFF_THE_GRID = (
    "tests/faulty_parties/test_weight_attacks.py::test_request_off_the_grid_reads_weights_only_without_masks[default]"
)
_SENT = "tests/faulty_parties/test_sent_words.py::test_words_phases_and_parts_are_uniform_for_every_request_and_key"


FAULTS: dict[str, Fault] = {
    **LEDGER_FAULTS,
    **LABEL_FAULTS,
    **checks.FAULTS,
    **starred.FAULTS,
    **releases.FAULTS,
    **activations.FAULTS,
    **folding.FAULTS,
    **own_models.FAULTS,
    **skips.FAULTS,
    **accounts.FAULTS,
    **ledgers.FAULTS,
    **disclosure.FAULTS,
    **histograms.FAULTS,
    **keeping.FAULTS,
    **ranges.FAULTS,
    **sessions.FAULTS,
    **streams.FAULTS,
    **wire.FAULTS,
    **positions.FAULTS,
    **bounds.FAULTS,
    **draws.FAULTS,
    **edges.FAULTS,
    "maximum_opened": Fault(opening.open_maximum, 1, (_ONE_LAW,)),
    "vote_opened_to_both": Fault(
        opening.open_vote,
        2,
        (
            _ONE_LAW,
            "tests/views/test_answering_party.py::test_view_of_a_whole_query_has_one_law_for_all_queries[False-0-worst_case]",
        ),
    ),
    "bounded_float_masks": Fault(masking.bounded_float_masks, 3, (_ONE_LAW,)),
    "separate_rounding": Fault(
        masking.separate_rounding,
        4,
        (_VIEWS + "test_every_logit_mask_and_noise_gives_the_label_of_the_ideal_functionality",),
    ),
    "truncated_float_noise": Fault(
        arithmetic.truncated_float_noise, 5, ("tests/noise/test_law.py::test_rounded_gaussian_matches_exact_law[1]",)
    ),
    "modulus_in_32_bits": Fault(
        arithmetic.modulus_in_32_bits, 6, ("tests/foundation/test_ring.py::test_a_shift_by_38_does_not_lose_bits",)
    ),
    "parsed_through_int": Fault(
        arithmetic.parsed_through_int, 7, ("tests/faults/test_bindings.py::test_wide_elements_survive_the_wire",)
    ),
    "messages_of_any_session": Fault(
        binding.messages_of_any_session,
        10,
        (
            "tests/faults/test_bindings.py::test_a_message_of_another_session_is_refused",
            "tests/faults/test_bindings.py::test_a_message_of_another_query_is_refused",
        ),
    ),
    "mask_keys_of_any_session": Fault(
        binding.mask_keys_of_any_session,
        None,
        (
            _OTHER_SESSIONS + "test_a_querying_party_that_names_two_documents_is_found_by_the_others",
            _OTHER_SESSIONS
            + "test_every_two_parties_compare_their_documents_each_way[answering_party_1-answering_party_2]",
        ),
    ),
    "hellos_of_any_length": Fault(
        binding.hellos_of_any_length,
        None,
        (_OTHER_SESSIONS + "test_a_hello_above_the_limit_is_refused_unread[empty_lists]",),
    ),
    "noise_for_any_shares": Fault(
        binding.noise_for_any_shares,
        10,
        (
            "tests/faults/test_bindings.py::test_other_shares_give_other_noise_from_the_same_seed",
            "tests/faults/test_bindings.py::test_a_receipt_for_other_shares_is_refused",
        ),
    ),
    "mask_reused_as_vote_share": Fault(masking.reused_mask, 12, (_ONE_LAW,)),
    "share_opened_before_reduction": Fault(opening.open_before_reduction, None, (_ONE_LAW,)),
    "last_index_on_ties": Fault(
        arithmetic.last_index_on_ties,
        None,
        ("tests/protocol/test_equals_ideal.py::test_tied_votes_go_to_the_lowest_class",),
    ),
    "last_class_by_comparisons": Fault(
        arithmetic.last_class_by_comparisons,
        None,
        ("tests/faulty_parties/test_share_attacks.py::test_any_words_give_one_vote[all_pairs-5]",),
    ),
    "dropped_bit_compared": Fault(
        arithmetic.dropped_bit_compared, None, (_GUARDED + "vote_by_tournament_for_all_words[2-3]",)
    ),
    "cap_wraps": Fault(arithmetic.cap_wraps, None, (_GUARDED + "capped_relu_for_all_values_shares_and_errors[4-0-1]",)),
    "cap_of_negative_sums": Fault(
        arithmetic.cap_of_negative_sums, None, (_GUARDED + "capped_relu_for_all_values_shares_and_errors[4-0-1]",)
    ),
    "session_scale_for_all_layers": Fault(
        arithmetic.session_scale_for_all_layers, None, ("tests/models/test_stages.py::test_scales_of_layers",)
    ),
    "bounds_of_weights_ignored": Fault(
        arithmetic.bounds_of_weights_ignored, None, (_FIGURES + "a_row_is_refused_exactly_above_its_bound",)
    ),
    "bounds_without_biases": Fault(
        arithmetic.bounds_without_biases, None, (_FIGURES + "a_row_is_refused_exactly_above_its_bound",)
    ),
    "addend_forgotten": Fault(
        arithmetic.addend_forgotten,
        None,
        (_GUARDED + "relu_for_all_values_shares_and_errors[3-3-0]", _NO_TIE + "[readable]", _NO_TIE + "[fast]"),
    ),
    "no_zero_sum_masks": Fault(
        masking.no_zero_sum_masks,
        None,
        (
            "tests/views/test_coalitions_with_the_querying_party.py"
            "::test_querying_party_and_guardian_see_the_vote_histogram_only[seen0]",
        ),
    ),
    "no_own_threshold_noise": Fault(
        arithmetic.no_own_threshold_noise,
        None,
        (
            "tests/views/test_privacy_guardian.py"
            "::test_in_realised_mode_the_guardians_own_noise_does_not_decide_the_answered_bit",
        ),
    ),
    "halved_noise": Fault(
        arithmetic.halved_noise,
        None,
        (
            "tests/noise/test_law.py::test_rounded_gaussian_matches_exact_law[1]",
            "tests/noise/test_mechanism.py::test_spread_of_samples_is_the_charged_deviation_on_the_grid",
        ),
    ),
    "biased_rounding": Fault(
        arithmetic.biased_rounding, None, ("tests/noise/test_law.py::test_rounded_gaussian_matches_exact_law[1]",)
    ),
    "one_sided_skellam": Fault(
        arithmetic.one_sided_skellam, None, ("tests/noise/test_shares.py::test_skellam_matches_exact_law[1]",)
    ),
    "colluders_count": Fault(
        arithmetic.colluders_count,
        None,
        ("tests/privacy/accountants/test_accountants.py::test_only_shares_that_count_protect",),
    ),
    "statistical_terms_left_out": Fault(
        arithmetic.statistical_terms_left_out,
        None,
        (
            "tests/privacy/test_sampler_distance.py::test_every_statement_has_its_term_or_promises_nothing",
            "tests/privacy/test_sampler_distance.py::test_exact_draws_cost_nothing_and_delta_never_exceeds_1",
        ),
    ),
    "no_noise": Fault(arithmetic.no_noise, None, (_VIEWS + "test_released_label_has_the_exact_noisy_law[votes_1]",)),
    "budget_of_one_run": Fault(
        durability.budget_of_one_run,
        11,
        (
            "tests/privacy/ledger/test_ledger.py::test_a_query_that_was_charged_and_not_sent_is_never_drawn_again[inputs]",
            "tests/job/test_ledger.py::test_a_second_run_continues_from_the_ledger",
        ),
    ),
    "ledger_not_synchronised": Fault(
        durability.not_synchronised,
        None,
        ("tests/privacy/ledger/test_power_cut.py::test_after_a_cut_at_any_write_every_message_that_left_is_charged",),
    ),
    "sent_before_commit": Fault(
        durability.sent_before_commit,
        None,
        (
            "tests/privacy/ledger/test_power_cut.py::test_after_a_cut_at_any_write_every_message_that_left_is_charged",
            "tests/privacy/ledger/test_crashes.py::test_a_guardian_killed_at_any_step_loses_no_charge",
        ),
    ),
    "rows_written_after_they_are_asked": Fault(
        durability.rows_written_after_they_are_asked,
        None,
        (_JOURNAL + "test_a_run_killed_at_any_line_loses_no_label_that_was_shown_and_no_row_that_was_charged",),
    ),
    "labels_written_after_they_are_shown": Fault(
        durability.labels_written_after_they_are_shown,
        None,
        (_JOURNAL + "test_a_run_killed_at_any_line_loses_no_label_that_was_shown_and_no_row_that_was_charged",),
    ),
    "simulation_without_noise": Fault(
        turns.simulation_without_noise,
        None,
        (
            _SIMULATION + "a_simulated_label_is_the_noisy_plurality_of_the_given_noise[plain]",
            _SIMULATION + "a_simulation_releases_what_the_protocol_releases_under_the_same_noise[plain]",
        ),
    ),
    "ballots_charged_as_one_vote": Fault(
        turns.ballots_charged_as_one_vote,
        None,
        tuple(
            f"{_SETS}a_query_costs_what_its_rule_moves[{adjacency}-{rule}]"
            for adjacency in ("replace_one", "null_vote")
            for rule in ("binary-4", "tau-3")
        ),
    ),
    "turn_charged_to_no_account": Fault(
        turns.turn_charged_to_no_account,
        None,
        (
            _TURNS + "all_are_charged_to_one_account_and_answer_with_the_models_they_began_with",
            _TURNS + "a_budget_that_ends_in_the_second_turn_ends_the_run_for_all[1]",
        ),
    ),
    "rows_asked_again_in_later_rounds": Fault(
        turns.rows_asked_again_in_later_rounds,
        None,
        (
            _TURNS + "each_round_chooses_with_the_model_of_the_one_before",
            _TURNS + "no_row_is_asked_twice_over_rounds_and_turns_and_rounds_divide_the_queries",
        ),
    ),
    "retrained_model_answers": Fault(
        turns.retrained_model_answers,
        None,
        (_TURNS + "all_are_charged_to_one_account_and_answer_with_the_models_they_began_with",),
    ),
    "terms_taken_on_trust": Fault(
        binding.terms_taken_on_trust,
        None,
        (
            "tests/privacy/ledger/test_ledger.py::test_no_ledger_is_made_whose_budget_does_not_keep_its_epsilon",
            "tests/privacy/ledger/test_ledger.py::test_a_joint_cost_below_its_bound_is_refused",
        ),
    ),
    "free_queries": Fault(
        binding.free_queries,
        None,
        ("tests/privacy/test_account.py::test_reserve_charges_check_and_answer_before_anything_is_known",),
    ),
    "prepared_mask_reused": Fault(
        masking.reused_value_mask,
        None,
        ("tests/views/test_prepared_batches.py::test_masked_query_and_masked_hidden_value_are_jointly_uniform",),
    ),
    "transfers_reused": Fault(
        garbling.transfers_reused,
        None,
        (_TWO_PARTY + "test_everything_is_spent_by_a_good_message_only[False-real]",),
    ),
    "choice_bits_in_the_clear": Fault(
        garbling.choice_bits_in_the_clear,
        None,
        (_TWO_PARTY + "test_choice_bits_are_the_inputs_xor_the_random_bits",),
    ),
    "projection_row_without_hashes": Fault(
        garbling.projection_without_hashes,
        None,
        (
            "tests/faults/test_garbling.py::test_a_projection_row_is_masked_by_two_hashes",
            _TWO_PARTY + "test_real_and_ideal_give_the_clear_outputs",
            "tests/two_party/vectorised/test_same_bytes.py::test_random_circuits",
        ),
    ),
    "reverse_labels_told_apart_by_colour": Fault(
        garbling.reverse_by_colour,
        None,
        (
            _OFFSETS + "no_offset_tells_a_sign[even-readable]",
            _OFFSETS + "no_offset_tells_a_sign[zero-fast]",
            _OFFSETS + "rows_of_zeros_read_no_sign_of_any_round[zero-readable]",
            _OFFSETS + "masked_bits_are_uniform_for_every_offset_and_request[zero-readable]",
            _OFFSETS + "masked_bits_are_uniform_for_every_offset_and_request[even-fast]",
        ),
    ),
    "tweaks_begin_again_in_each_chunk": Fault(
        garbling.tweaks_begin_again,
        None,
        ("tests/faults/test_garbling.py::test_no_tweak_occurs_in_two_chunks_of_a_batch",),
    ),
    "rows_share_a_tweak": Fault(
        garbling.rows_share_a_tweak,
        None,
        ("tests/faulty_parties/test_colliding_labels.py::test_one_label_on_all_wires_reads_no_input[GarbledTwoParty]",),
    ),
    "replaced_states_unspent": Fault(
        garbling.replaced_states_unspent,
        None,
        (_USE_ONCE + "test_copies_of_a_state_share_its_one_use[capc.two_party.transfers.Transfers]",),
    ),
    "prepared_and_evaluated_layers_mixed": Fault(
        garbling.batches_mixed,
        None,
        ("tests/steps/test_offline.py::test_masks_and_true_values_are_never_taken_for_each_other",),
    ),
    "vote_shares_shown": Fault(
        garbling.shares_shown,
        None,
        (
            "tests/repository/test_hidden.py::test_what_is_not_public_shows_its_type_only[capc.steps.messages.VoteShares]",
            "tests/repository/test_hidden.py::test_instances_of_the_protocol_show_nothing",
        ),
    ),
    "one_hash_key_for_all_chunks": Fault(
        garbling.one_hash_key,
        None,
        (
            "tests/two_party/garbling/test_hash_keys.py::test_no_key_hashes_more_than_its_rows[129]",
            "tests/two_party/vectorised/test_hash_keys.py::test_no_key_of_many_votes_hashes_more_than_its_rows",
        ),
    ),
    "masks_left_out": Fault(
        encryption.masks_left_out,
        None,
        (_MASKS, _OFF_THE_GRID, _SENT + "[honest-default]", _SENT + "[constant c0-default]"),
    ),
    "masks_before_the_switch": Fault(
        encryption.masks_before_the_switch, None, (_MASKS, _OFF_THE_GRID, _SENT + "[honest-default]")
    ),
    "one_mask_for_two_ciphertexts": Fault(
        encryption.one_mask_for_two_ciphertexts, None, (_MASKS, _SENT + "[b = 0-default]")
    ),
    "masks_without_rejection": Fault(
        encryption.masks_without_rejection,
        None,
        (
            "tests/linear/test_masks.py::test_masks_of_any_bytes_leave_out_what_is_not_below_the_bound",
            "tests/linear/test_laws.py::test_every_mask_comes_from_as_many_bytes[17-1-3]",
        ),
    ),
    "uniform_half_of_the_key_holder": Fault(
        encryption.uniform_half_of_the_key_holder,
        None,
        (
            "tests/linear/test_keys.py::test_the_uniform_half_is_expanded_from_the_binding_and_nothing_else",
            "tests/linear/test_keys.py::test_another_binding_gives_another_uniform_half[0]",
        ),
    ),
    **FAULTS_OF_COMPARISONS,
}
