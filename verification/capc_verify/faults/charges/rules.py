"""Faults in one branch of a ledger's rules: a record, a guard, a head or a checkpoint that is not looked at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from capc.privacy.events import Entry
from capc.privacy.ledger import KnownHead, LedgerError, LedgerLog, checkpoints, heads, records, watch
from capc.privacy.ledger.records import CHARGED, SETTLED, UNBLINDED, QueryRecord
from capc.privacy.ledger.terms import Terms
from capc.privacy.ledger.watch import Proof
from capc.privacy.storage import connections, schema
from capc.privacy.storage.store import SignedCheckpoint
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault


def guards_of_new_files_only() -> None:
    """A file that holds a table already gets none of the guards that it lacks."""
    complete = schema.complete_schema

    def completed(connection: connections.Connection) -> None:
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchall():
            complete(connection)

    replace_everywhere(complete, completed)


def anything_beside_a_settlement() -> None:
    """What lies beside a settled record is not looked at."""
    correct = LedgerLog._allowed_entry

    def allowed(self: LedgerLog, record: QueryRecord, beside: bytes | None) -> Entry:
        return correct(self, record, None if record.kind == SETTLED else beside)

    LedgerLog._allowed_entry = allowed  # type: ignore[method-assign]


def terms_agreed_to_once() -> None:
    """Terms are compared at the first look at a ledger, and at no later one."""
    correct = watch.check_proof

    def check(
        seen: KnownHead | None, message: bytes, terms: Terms, charged: Sequence[tuple[bytes, int]] = ()
    ) -> KnownHead:
        return correct(seen, message, terms if seen is None else seen.terms, charged)

    replace_everywhere(correct, check)


def oldest_runs_stay() -> None:
    """Of more runs than are kept the last ones are forgotten."""
    correct = heads._after_look

    def after(began: tuple[int, ...], begins: int | None, oldest_charge: int | None) -> tuple[int, ...]:
        full = begins is not None and len(began) == heads.MAX_BEGAN
        return began if full else correct(began, begins, oldest_charge)

    replace_in(heads, "_after_look", after)


def one_form_after_a_checkpoint() -> None:
    """Whoever begins at a checkpoint takes charges of the earlier form for charges of the new one, and opens them."""
    kinds = tuple(CHARGED if kind == UNBLINDED else kind for kind in checkpoints._KINDS)
    replace_in(checkpoints, "_KINDS", kinds)


def forks_of_one_length() -> None:
    """Two heads of as many records are taken for one, whatever their links are."""
    correct = heads._merged

    def merged(kept: KnownHead, seen: KnownHead, file: Path) -> KnownHead:
        return seen if kept.head.size == seen.head.size else correct(kept, seen, file)

    replace_in(heads, "_merged", merged)


def last_checkpoint_signed_only() -> None:
    """Whoever verifies looks at the signature of the last checkpoint only."""
    correct = LedgerLog.check_kept

    def check(self: LedgerLog, kept: Sequence[SignedCheckpoint]) -> None:
        try:
            correct(self, kept)
        except LedgerError as error:
            if "is not signed by its key" not in str(error):
                raise
            correct(self, kept[-1:])

    LedgerLog.check_kept = check  # type: ignore[method-assign]


def log_left_behind() -> None:
    """A reader copies a file without the log of an earlier version that lies beside it."""
    correct = connections._copy

    @contextmanager
    def copied(file: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202
        with correct(file) as target:
            target.with_name(target.name + "-wal").unlink(missing_ok=True)
            yield target

    replace_in(connections, "_copy", copied)


def checks_told_by_their_deviation() -> None:
    """A threshold of an earlier version is told as one only where a deviation stands beside it."""
    correct = records.read_opening

    def read(body: bytes) -> records.Opening:
        try:
            return correct(body)
        except LedgerError:
            if b'"threshold_sigma":null' in body:
                raise LedgerError("not the first record of a ledger (ValueError)") from None
            raise

    replace_everywhere(correct, read)


def proofs_under_a_shown_key() -> None:
    """A proof from the first record on is held against the key in the record that it shows, not the one kept."""
    correct = watch._links

    def links(seen: KnownHead, proof: Proof) -> list[bytes]:
        if proof.start == 0 and proof.opened:
            shown = records.read_opening(proof.opened[0]).public_key
            seen = KnownHead(seen.head, shown, seen.terms)
        return correct(seen, proof)

    replace_in(watch, "_links", links)


_ALONE = "tests/privacy/ledger/test_rules_alone.py::test_"

FAULTS = {
    "guards_of_new_files_only": Fault(
        guards_of_new_files_only,
        None,
        (_ALONE + "whatever_guard_a_file_lacks_it_has_again_once_it_was_opened",),
    ),
    "anything_beside_a_settlement": Fault(
        anything_beside_a_settlement,
        None,
        (_ALONE + "beside_a_record_lies_what_belongs_to_it_and_nothing_else[charged dispatched settled]",),
    ),
    "terms_agreed_to_once": Fault(
        terms_agreed_to_once, None, (_ALONE + "terms_are_those_that_were_agreed_to_at_every_look",)
    ),
    "oldest_runs_stay": Fault(
        oldest_runs_stay, None, (_ALONE + "of_more_than_64_runs_that_have_not_asked_the_last_ones_stay",)
    ),
    "one_form_after_a_checkpoint": Fault(
        one_form_after_a_checkpoint,
        None,
        (_ALONE + "a_charge_of_the_earlier_form_that_a_checkpoint_covers_is_opened_to_nobody_either[0]",),
    ),
    "forks_of_one_length": Fault(
        forks_of_one_length, None, (_ALONE + "two_histories_are_a_fork_whichever_of_them_is_longer[2-2]",)
    ),
    "last_checkpoint_signed_only": Fault(
        last_checkpoint_signed_only,
        None,
        (_ALONE + "whoever_verifies_holds_every_checkpoint_against_its_owners_key[1]",),
    ),
    "log_left_behind": Fault(
        log_left_behind, None, (_ALONE + "a_reader_counts_what_lies_in_the_log_of_an_earlier_version_only",)
    ),
    "checks_told_by_their_deviation": Fault(
        checks_told_by_their_deviation,
        None,
        (_ALONE + "a_check_of_an_earlier_version_is_told_whatever_else_its_record_says[3-None]",),
    ),
    "proofs_under_a_shown_key": Fault(
        proofs_under_a_shown_key,
        None,
        (_ALONE + "no_record_that_is_shown_brings_a_key_of_its_own_to_a_head_that_is_kept[True]",),
    ),
}
