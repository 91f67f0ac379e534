"""The seeded faults of ledgers that several share, and of labels; :mod:`capc_verify.faults.registry` has all others."""

from __future__ import annotations

from capc_verify.faults.charges import compositions, label_costs, labels, locks, rules, shares, sharing
from capc_verify.faults.planting import Fault

_LEDGER = "tests/privacy/ledger/"

LEDGER_FAULTS: dict[str, Fault] = {
    **rules.FAULTS,
    **locks.FAULTS,
    **shares.FAULTS,
    "locks_of_the_process": Fault(
        sharing.locks_of_the_process,
        None,
        (
            _LEDGER + "test_sharing.py::test_two_handles_here_and_a_visitor_elsewhere_share_one_budget",
            _LEDGER + "test_sharing.py::test_what_opens_and_closes_the_file_inside_a_turn_frees_nobody",
        ),
    ),
    "handles_follow_forks": Fault(
        sharing.handles_follow_forks,
        None,
        (_LEDGER + "test_sharing.py::test_a_handle_is_refused_in_a_forked_child_which_opens_its_own",),
    ),
    "any_name_of_a_file": Fault(
        sharing.any_name_of_a_file,
        None,
        (
            _LEDGER + "test_sharing.py::test_a_file_with_two_names_is_refused_by_both_also_under_a_ledger_in_use",
            _LEDGER + "test_sharing.py::test_a_file_that_is_mounted_by_itself_is_refused",
        ),
    ),
    "charges_after_the_kept_head_only": Fault(
        sharing.charges_after_the_kept_head_only,
        None,
        (
            _LEDGER + "test_heads.py::test_a_head_that_another_run_advanced_does_not_hide_the_own_charge",
            _LEDGER + "test_heads.py::test_runs_in_any_order_find_their_charges",
        ),
    ),
    "last_head_wins": Fault(
        sharing.last_head_wins,
        None,
        (
            _LEDGER + "test_heads.py::test_a_smaller_head_never_replaces_a_larger_one",
            _LEDGER + "test_heads.py::test_two_histories_shown_to_two_runs_at_once_are_found[False]",
        ),
    ),
    "full_disk_unexplained": Fault(
        sharing.full_disk_unexplained,
        None,
        (_LEDGER + "test_heads.py::test_a_full_disk_is_one_line_and_keeps_the_head_that_is_there",),
    ),
    "schema_taken_on_trust": Fault(
        sharing.schema_taken_on_trust,
        None,
        (
            _LEDGER + "test_files_of_others.py::test_a_file_that_holds_anything_else_is_refused_at_once[trigger]",
            _LEDGER + "test_files_of_others.py::test_a_file_that_holds_anything_else_is_refused_at_once[view_beside]",
        ),
    ),
    "schema_looked_at_last": Fault(
        sharing.schema_looked_at_last,
        None,
        tuple(
            _LEDGER
            + f"test_files_of_others.py::test_nothing_is_read_before_the_schema_also_under_a_lock[{name}-ledger.lock]"
            for name in ("view", "trigger")
        ),
    ),
    "read_in_place": Fault(
        sharing.read_in_place,
        None,
        (
            _LEDGER + "test_files_of_others.py::test_readers_change_nothing_and_leave_nothing[killed]",
            _LEDGER + "test_files_of_others.py::test_readers_change_nothing_and_leave_nothing[earlier_closed]",
        ),
    ),
    "checkpoints_of_anybody": Fault(
        sharing.checkpoints_of_anybody,
        None,
        (_LEDGER + "test_checkpoints.py::test_a_checkpoint_of_somebody_else_is_replaced_and_refused[an_early_one]",),
    ),
    "checkpoints_of_any_history": Fault(
        sharing.checkpoints_of_any_history,
        None,
        (
            _LEDGER + "test_checkpoints.py::test_a_log_that_was_cut_below_its_checkpoint_is_refused",
            _LEDGER + "test_checkpoints.py::test_a_checkpoint_of_another_history_is_refused",
        ),
    ),
    "permissions_stay_loose": Fault(
        sharing.open_permissions_stay,
        None,
        (_LEDGER + "test_sharing.py::test_permissions_of_a_ledger_and_of_a_head_are_tightened",),
    ),
}

_LABELS = "tests/privacy/test_label_accounts.py::test_"

LABEL_FAULTS: dict[str, Fault] = {
    **label_costs.FAULTS,
    **compositions.FAULTS,
    "label_costs_taken_on_trust": Fault(
        labels.label_costs_taken_on_trust,
        None,
        (_LABELS + "a_labels_cost_is_certified_and_one_percent_less_is_refused[rounded_gaussian-null_vote]",),
    ),
    "label_costs_on_the_bare_grid": Fault(
        labels.label_costs_on_the_bare_grid,
        None,
        (_LABELS + "a_claim_is_checked_for_the_noise_on_its_grid_at_the_order_and_the_unit[skellam-null_vote]",),
    ),
    "more_than_a_label_at_a_labels_cost": Fault(
        labels.more_than_a_label_at_a_labels_cost,
        None,
        (
            _LABELS + "an_account_of_more_than_a_label_is_refused_by_the_methods_name[changes0]",
            _LABELS + "no_noise_is_calibrated_for_labels_where_more_leaves[changes1]",
        ),
    ),
    "labels_by_any_engine": Fault(
        labels.labels_by_any_engine,
        None,
        (
            "tests/job/test_accounting.py::test_no_simulation_of_votes_on_each_label_takes_an_account_of_labels",
            "tests/protocol/test_external_methods.py::test_no_guardian_lets_an_outside_engine_release_labels_at_their_cost[changes0]",
            "tests/mpc/test_guardian_free.py::test_what_cannot_run_is_refused_before_anything_is_charged",
        ),
    ),
    "labels_and_counts_in_one_policy": Fault(
        labels.labels_and_counts_in_one_policy,
        None,
        (_LABELS + "labels_are_charged_alone_and_in_one_way[0]",),
    ),
    "a_label_tells_a_cheat_no_more": Fault(
        labels.a_label_tells_a_cheat_no_more,
        None,
        (_LABELS + "a_figure_of_labels_says_towards_whom_it_holds[rounded_gaussian-replace_one]",),
    ),
    "ledger_forgets_labels": Fault(
        labels.ledger_forgets_labels,
        None,
        (_LABELS + "terms_of_labels_are_read_as_they_were_written",),
    ),
    "claims_for_a_vote_that_is_nulled": Fault(
        labels.claims_for_a_vote_that_is_nulled,
        None,
        (_LABELS + "calibrated_noise_of_labels_is_the_smallest_that_is_certified",),
    ),
}
