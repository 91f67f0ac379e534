"""Faults in the checks of oblivious transfers, and in what a failed one ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capc.foundation import single_use
from capc.foundation.single_use import SingleUse, SpentMark
from capc.steps.release_transfers import ReleaseTransfers, Taken
from capc.two_party.garbling.transfers import extension_check, ot_messages, tree_check
from capc.two_party.garbling.transfers.ot_messages import ExtensionCheck, TreeCheck
from capc.two_party.transfers import Transfers
from capc_verify.faults.patching import replace_everywhere
from capc_verify.faults.planting import Fault

_INCONSISTENT = "tests/faulty_parties/test_inconsistent_transfers.py::test_"
_RELEASES = "tests/steps/test_release_transfers.py::test_"
_CHECK = "tests/two_party/garbling/transfers/test_extension_check.py::test_"
_VECTORS = "tests/verification/test_vectors.py::test_vector"


def trees_unchecked() -> None:
    """The garbler takes all trees: a wrong sum shows a bit of Delta later."""

    def all_hold(trees: Sequence[tree_check.Tags], checks: Sequence[TreeCheck]) -> bool:  # noqa: ARG001
        return True

    replace_everywhere(tree_check.all_hold, all_hold)


def extension_unchecked() -> None:
    """The garbler takes all rows: a wrong one gives four bits of Delta for a few released labels."""

    def holds(delta: int, columns: Sequence[bytes], check: ExtensionCheck) -> bool:  # noqa: ARG001
        return True

    replace_everywhere(extension_check.holds, holds)


def key_survives_failed_check() -> None:
    """A failed check destroys nothing: the cheat tries one guess after another."""

    def require_alive(destroyed: SpentMark) -> None:
        """Nothing is destroyed."""

    replace_everywhere(single_use.require_alive, require_alive)


def session_survives_failed_check() -> None:
    """A failed check destroys the key alone: what was prepared with it, and every other state, goes on."""

    def require_alive(self: SingleUse) -> None:
        single_use.require_alive(self.destroyed)

    SingleUse.require_alive = require_alive  # type: ignore[method-assign]


def sacrificed_block_not_whole() -> None:
    """The sacrificed transfers are what is left of a block: h(x) tells a combination of bits that are used."""

    def checked_transfers(transfers: int) -> int:
        return (transfers // ot_messages.BLOCK_BITS + 1) * ot_messages.BLOCK_BITS

    replace_everywhere(ot_messages.checked_transfers, checked_transfers)


def challenge_before_rows() -> None:
    """The hash that checks an extension does not depend on its rows: errors are chosen that it sends to 0."""
    correct = extension_check.challenge

    def challenge(set_up: bytes, nonce: int, rows: bytes | memoryview) -> bytes:  # noqa: ARG001
        return correct(set_up, nonce, b"")

    replace_everywhere(correct, challenge)


def transfers_of_releases_taken_again() -> None:
    """Transfers that one release used serve others for the same query: two inputs under the same random bits."""

    def take(self: ReleaseTransfers[Any], query: int) -> Taken[Any] | None:
        held = self._held
        transfers = held.left.get(query)
        return None if transfers is None else Taken(held.first, transfers.renewed(), held.digest)

    ReleaseTransfers.take = take  # type: ignore[method-assign]


def transfers_kept_after_a_late_answer() -> None:
    """The querying party goes back to transfers that the guardian has forgotten meanwhile."""

    def confirm(self: ReleaseTransfers[Any], first: int, transfers: Sequence[Transfers[Any]]) -> None:
        self.hold(first, transfers)

    ReleaseTransfers.confirm = confirm  # type: ignore[method-assign]


FAULTS = {
    "trees_unchecked": Fault(
        trees_unchecked,
        None,
        (_INCONSISTENT + "wrong_tree_sums_end_the_session[23]", _INCONSISTENT + "trees_end_a_set_up[privacy_guardian]"),
    ),
    "extension_unchecked": Fault(
        extension_unchecked,
        None,
        (
            _INCONSISTENT + "inconsistent_rows_read_nothing[7]",
            _INCONSISTENT + "nothing_is_drawn_before_transfers_and_choice_bits_are_checked[VectorisedTwoParty]",
        ),
    ),
    "key_survives_failed_check": Fault(
        key_survives_failed_check,
        None,
        (
            _INCONSISTENT + "retries_after_a_failed_check_read_nothing",
            _CHECK + "one_failed_check_ends_every_retry[readable]",
            _CHECK + "one_failed_check_ends_every_retry[arrays]",
        ),
    ),
    "session_survives_failed_check": Fault(
        session_survives_failed_check,
        None,
        (
            _INCONSISTENT + "an_answering_party_is_ended_by_rows_with_all_that_it_prepared",
            _INCONSISTENT + "a_guardian_is_ended_by_rows",
        ),
    ),
    "sacrificed_block_not_whole": Fault(
        sacrificed_block_not_whole,
        None,
        (_CHECK + "the_sacrificed_block_is_a_whole_one", _VECTORS + "[oblivious_transfer::checked_extension_1]"),
    ),
    "challenge_before_rows": Fault(
        challenge_before_rows,
        None,
        (
            _CHECK + "challenge_depends_on_all_that_was_said_before",
            _VECTORS + "[oblivious_transfer::checked_extension_1]",
        ),
    ),
    "transfers_of_releases_taken_again": Fault(
        transfers_of_releases_taken_again,
        None,
        (_RELEASES + "transfers_serve_one_release",),
    ),
    "transfers_kept_after_a_late_answer": Fault(
        transfers_kept_after_a_late_answer,
        None,
        (_RELEASES + "an_answer_that_is_lost_is_followed_by_new_transfers",),
    ),
}
"""These faults, and the tests that must notice them."""
