"""Faults in what is expanded, re-randomised or given out once: positions, encryptions of zero, labels of inputs."""

from __future__ import annotations

import numpy as np

from capc.foundation import aes_ctr
from capc.foundation.randomness import RandomSource, Seed
from capc.foundation.single_use import SpentMark
from capc.linear.bfv import masks, sampling
from capc.linear.bfv.keys import PublicKey
from capc.session.channel import Channel
from capc.two_party.garbling.half_gates import LabelHash
from capc.two_party.interface import OfflineGarbling
from capc_verify.faults.patching import replace_everywhere
from capc_verify.faults.planting import Fault


def one_position_for_all_queries() -> None:
    """Transfers of every query and layer are expanded at one position: bits and labels come again."""

    def nonce(self: Channel, query: int, layer: int = 0) -> int:  # noqa: ARG001
        return 0

    Channel.nonce = nonce  # type: ignore[method-assign]


def leaves_at_one_position() -> None:
    """The stream of a leaf begins at the same place in every extension, whatever position it is given."""
    correct = aes_ctr.stream_bits

    def stream_bits(key: bytes, nonce: int, count: int) -> int:  # noqa: ARG001
        return correct(key, 0, count)

    replace_everywhere(correct, stream_bits)


def tweaks_without_the_nonce() -> None:
    """Tweaks are numbers of rows and calls alone: another batch under one offset has the same ones."""
    correct = LabelHash.__init__

    def begin(self: LabelHash, key: bytes, nonce: int) -> None:  # noqa: ARG001
        correct(self, key, 0)

    LabelHash.__init__ = begin  # type: ignore[method-assign]


def zero_encrypted_once() -> None:
    """All ciphertexts of a response have the first one's encryption of zero: differences are not re-randomised."""
    correct = masks.fresh_zero

    def again(public_key: PublicKey, seed: Seed, number: int) -> object:  # noqa: ARG001
        return correct(public_key, seed, 0)

    replace_everywhere(correct, again)


def errors_left_out() -> None:
    """No error is added where one of a centred binomial law belongs: keys and responses are linear in secrets."""

    def none(source: RandomSource, count: int) -> object:  # noqa: ARG001
        return np.zeros(count, dtype=np.int64)

    replace_everywhere(sampling.centred_binomial, none)


def input_labels_given_again() -> None:
    """Circuits that were garbled ahead give out labels for a second set of inputs: two labels of a wire show Delta."""

    def keep(self: OfflineGarbling[object]) -> None:
        """Nothing is marked, and nothing is refused."""

    OfflineGarbling.spend = keep  # type: ignore[assignment, method-assign]
    OfflineGarbling.require_unspent = keep  # type: ignore[assignment, method-assign]


def states_follow_forks() -> None:
    """A forked process goes on with the states that it was forked with, as its parent does."""

    def spent(self: SpentMark) -> bool:
        return not self._left

    def take(self: SpentMark) -> bool:
        return bool(self._left) and self._left.pop()

    SpentMark.spent = property(spent)  # type: ignore[assignment, method-assign]
    SpentMark.take = take  # type: ignore[method-assign]


_MASKS = "tests/linear/test_masks.py::test_"

FAULTS = {
    "one_position_for_all_queries": Fault(
        one_position_for_all_queries,
        None,
        (
            "tests/session/test_envelope.py::test_context_is_common_to_both_ends_and_to_nobody_else",
            "tests/steps/test_seeds_and_contexts.py::test_contexts_hash_keys_and_offsets_never_repeat",
        ),
    ),
    "leaves_at_one_position": Fault(
        leaves_at_one_position,
        None,
        ("tests/two_party/garbling/transfers/test_ot_extension.py::test_other_positions_give_other_rows_and_bits",),
    ),
    "tweaks_without_the_nonce": Fault(
        tweaks_without_the_nonce,
        None,
        ("tests/two_party/test_vote_rounds.py::test_hash_keys_are_fresh_and_no_tweak_comes_twice",),
    ),
    "zero_encrypted_once": Fault(
        zero_encrypted_once, None, (_MASKS + "each_row_of_blocks_has_an_encryption_of_zero_of_its_own",)
    ),
    "errors_left_out": Fault(errors_left_out, None, (_MASKS + "an_error_is_the_heads_among_42_coins_less_21",)),
    "input_labels_given_again": Fault(
        input_labels_given_again,
        None,
        ("tests/two_party/test_two_party.py::test_everything_is_spent_by_a_good_message_only[True-real]",),
    ),
    "states_follow_forks": Fault(
        states_follow_forks,
        None,
        ("tests/steps/test_use_once.py::test_a_forked_process_can_use_no_state_and_takes_none_away",),
    ),
}
"""These faults, and the tests that must notice them."""
