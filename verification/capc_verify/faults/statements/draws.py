"""Faults in draws and in what they are bound to: too early, under another's label, of another's stream, left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from capc.foundation.aes_ctr import KEY_BYTES
from capc.foundation.randomness import RandomSource, Seed, XofSource
from capc.linear.bfv import masks
from capc.session.channel import Channel, LayerChannel
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.readable_vote_rounds import GarbledVote
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vectorised.vote_rounds import VectorisedVote
from capc_spec.registry import TAGS
from capc_verify.faults.patching import FirstDraws, replace_everywhere
from capc_verify.faults.planting import Fault


class _ReadAhead(FirstDraws):
    """A source whose first two reads, of a label seed and a hash key, were made when it was."""

    def __init__(self, correct: RandomSource) -> None:
        super().__init__(lambda _: None, correct)
        self._left = [correct.read(KEY_BYTES), correct.read(KEY_BYTES)]

    def read(self, length: int) -> bytes:
        """What was read ahead, then correct bytes."""
        return self._left.pop(0) if self._left else super().read(length)


def _drawing_first(owner: type, name: str) -> None:
    correct: Callable[..., object] = getattr(owner, name)

    def garble(self: object, *arguments: Any) -> object:  # noqa: ANN401
        return correct(self, *arguments[:-1], _ReadAhead(arguments[-1]))

    setattr(owner, name, garble)


def circuits_drawn_before_choice_bits() -> None:
    """A garbler draws label seed and hash key first, and then looks at the choice bits."""
    for owner in (GarbledTwoParty, VectorisedTwoParty):
        _drawing_first(owner, "garble")
        _drawing_first(owner, "garble_offline")


def rounds_drawn_before_choice_bits() -> None:
    """In a round of a vote a garbler draws first, and then looks at the choice bits."""
    for owner in (GarbledVote, VectorisedVote):
        _drawing_first(owner, "garble")
        _drawing_first(owner, "garble_last")


def last_choice_in_the_clear() -> None:
    """The last choice bit of a batch is sent as it is: its random bit is taken for 0."""
    correct = GarbledTwoParty.choose

    def choose(self: GarbledTwoParty, transfers: Any, *arguments: Any) -> object:  # noqa: ANN401
        bits, labels = transfers.secret
        kept = bits & (1 << transfers.count - 1) - 1
        return correct(self, replace(transfers, secret=(kept, labels)), *arguments)

    GarbledTwoParty.choose = choose  # type: ignore[method-assign,assignment]


def masks_under_the_label_of_layer_0() -> None:
    """The mask of a prepared value has the label of the first layer, whichever layer it is of."""
    correct = LayerChannel.label

    def label(self: LayerChannel, step: str, bound_to: bytes | None = None) -> bytes:
        of_masks = step == "querying_party_keep_circuits"
        return correct(replace(self, layer=0) if of_masks else self, step, bound_to)

    LayerChannel.label = label  # type: ignore[method-assign]


def bindings_without_the_parties() -> None:
    """A public key's uniform half is of session and choice alone, and not of whose connection it is."""

    def key_binding(self: Channel, choice: bytes) -> bytes:
        return self.session_tag + choice

    Channel.key_binding = key_binding  # type: ignore[method-assign]


def bindings_of_one_choice() -> None:
    """A public key's uniform half is of the first base OT's choice alone."""

    def key_binding(self: Channel, choice: bytes) -> bytes:
        return self.context() + choice[:32]

    Channel.key_binding = key_binding  # type: ignore[method-assign]


def _stream_of_another(name: str, another: Callable[[int], int]) -> None:
    correct = masks._stream

    def stream(seed: Seed, tag: bytes, number: int) -> XofSource:
        return correct(seed, tag, another(number) if tag == TAGS[name] else number)

    replace_everywhere(correct, stream)


def one_error_for_all_ciphertexts() -> None:
    """All ciphertexts of a response have the error e of the first one."""
    _stream_of_another("error", lambda _: 0)


def one_ternary_for_two_ciphertexts() -> None:
    """Two neighbouring ciphertexts of a response have the same u: their difference has no fresh encryption of zero."""
    _stream_of_another("ternary", lambda number: number // 2)


_DRAWS = "tests/two_party/test_draws_after_checks.py::test_"
_BAD = _DRAWS + "bad_choice_bits_are_refused_before_any_draw"
_ROUNDS = _DRAWS + "no_round_of_a_vote_draws_for_bad_choice_bits"
_BINDINGS = "tests/steps/test_key_bindings.py::test_"
_STREAMS = (
    "tests/linear/test_streams_of_a_response.py::"
    "test_each_ciphertext_has_a_ternary_polynomial_errors_and_masks_of_its_own"
)
_MASKED = "tests/two_party/test_masked_choices.py::test_other_random_bits_change_what_is_sent_by_their_difference"

FAULTS = {
    "circuits_drawn_before_choice_bits": Fault(
        circuits_drawn_before_choice_bits,
        None,
        (
            _BAD + "[GarbledTwoParty-garble]",
            _BAD + "[GarbledTwoParty-garble_offline]",
            _BAD + "[VectorisedTwoParty-garble]",
            _BAD + "[VectorisedTwoParty-garble_offline]",
        ),
    ),
    "rounds_drawn_before_choice_bits": Fault(
        rounds_drawn_before_choice_bits,
        None,
        (_ROUNDS + "[readable-0]", _ROUNDS + "[readable-1]", _ROUNDS + "[fast-0]", _ROUNDS + "[fast-1]"),
    ),
    "last_choice_in_the_clear": Fault(last_choice_in_the_clear, None, (_MASKED + "[batch-27-readable]",)),
    "masks_under_the_label_of_layer_0": Fault(
        masks_under_the_label_of_layer_0,
        None,
        ("tests/steps/test_masks_of_one_seed.py::test_no_two_draws_of_prepared_batches_share_a_label",),
    ),
    "bindings_without_the_parties": Fault(
        bindings_without_the_parties,
        None,
        (
            _BINDINGS + "a_binding_is_the_whole_context_and_the_whole_choice[1]",
            _BINDINGS + "both_ends_of_every_connection_take_the_choice_that_was_sent",
        ),
    ),
    "bindings_of_one_choice": Fault(
        bindings_of_one_choice, None, (_BINDINGS + "a_binding_is_the_whole_context_and_the_whole_choice[258]",)
    ),
    "one_error_for_all_ciphertexts": Fault(one_error_for_all_ciphertexts, None, (_STREAMS,)),
    "one_ternary_for_two_ciphertexts": Fault(one_ternary_for_two_ciphertexts, None, (_STREAMS,)),
}
"""These faults, and the tests that must notice them."""
