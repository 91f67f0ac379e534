"""Faults at edges: one layer, byte or field too many, and of several windows, skips or positions one looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from capc.foundation import randomness
from capc.foundation.errors import ErrorCode, InputError, ProtocolError
from capc.foundation.randomness import XofSource
from capc.models import architecture
from capc.models.architecture import StageShape
from capc.models.operators import OUTSIDE
from capc.session.envelope import HEADER, Envelope
from capc.steps.answering_party import offline
from capc.steps.answering_party.inference import BatchTransfers
from capc.two_party.vectorised import extension
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault


def networks_of_256_layers() -> None:
    """A network may have 256 layers."""
    replace_in(architecture, "MAX_STAGES", 256)


def last_skip_compared_alone() -> None:
    """Of a layer's skipped values the last one is looked at: the others may have any length."""
    correct = architecture._problem_of_inputs

    def problem(stage: StageShape, *arguments: Any) -> str | None:  # noqa: ANN401
        return correct(replace(stage, skips=stage.skips[-1:]), *arguments)

    replace_everywhere(correct, problem)


def first_window_compared_alone() -> None:
    """Of a max pool's windows the first is looked at: others may lie in the padding, and have no largest element."""
    correct = architecture._problem_of_pools

    def problem(stage: StageShape) -> str | None:
        found = correct(stage)
        if found is None or stage.max_pool is None or "padding only" not in found:
            return found
        return found if set(next(iter(stage.max_pool.windows(0)))) == {OUTSIDE} else None

    replace_everywhere(correct, problem)


def layer_compared_before_query() -> None:
    """Of a message for another query and layer the layer is named, which comes after the query in the header."""
    correct = Envelope.check_header

    def check(self: Envelope, message: bytes) -> None:
        try:
            correct(self, message)
        except ProtocolError as error:
            if error.code is ErrorCode.WRONG_QUERY and HEADER.unpack_from(message)[3] != self.layer:
                raise ProtocolError(ErrorCode.WRONG_LAYER, error.blame, error.detail) from None
            raise

    Envelope.check_header = check  # type: ignore[method-assign]


def last_read_one_byte_short() -> None:
    """Who asks a stream for one byte more than it has gets one byte less than was asked for, and no error."""
    correct = XofSource.read

    def read(self: XofSource, length: int) -> bytes:
        beyond = self._position + length - randomness.STREAM_LIMIT
        return correct(self, length - 1 if beyond == 1 else length)

    XofSource.read = read  # type: ignore[method-assign]


def first_position_compared_alone() -> None:
    """Of the positions of an extension for several batches the first is looked at: others may come again."""
    owner = extension.ConnectionKey
    correct = owner.require_free

    def require_free(self: Any, nonce: int, count: int = 1) -> None:  # noqa: ANN401, ARG001
        correct(self, nonce)

    owner.require_free = require_free  # type: ignore[method-assign]


def refused_preparation_spends() -> None:
    """A batch of rounds that cannot be prepared is used up by the attempt."""
    correct = offline.answering_party_enter_offline

    def enter(state: BatchTransfers) -> offline.OfflineRequest:
        BatchTransfers.require(state)
        try:
            return correct(state)
        except InputError:
            state.spend()
            raise

    replace_everywhere(correct, enter)


_ARCHITECTURES = "tests/models/test_bounds_of_architectures.py::test_"

FAULTS = {
    "networks_of_256_layers": Fault(networks_of_256_layers, None, (_ARCHITECTURES + "255_layers_are_the_most",)),
    "last_skip_compared_alone": Fault(
        last_skip_compared_alone,
        None,
        (
            _ARCHITECTURES + "each_skipped_value_has_the_length_of_the_sums[0]",
            _ARCHITECTURES + "each_skipped_value_has_the_length_of_the_sums[1]",
        ),
    ),
    "first_window_compared_alone": Fault(
        first_window_compared_alone,
        None,
        (
            _ARCHITECTURES + "no_window_of_a_pool_is_padding_only[the second-False]",
            _ARCHITECTURES + "no_window_of_a_pool_is_padding_only[the third-True]",
        ),
    ),
    "layer_compared_before_query": Fault(
        layer_compared_before_query,
        None,
        ("tests/session/test_two_wrong_fields.py::test_the_first_of_two_wrong_fields_is_named[query-layer]",),
    ),
    "last_read_one_byte_short": Fault(
        last_read_one_byte_short,
        None,
        ("tests/foundation/test_ends_of_streams.py::test_a_stream_ends_at_its_last_byte[expanded]",),
    ),
    "first_position_compared_alone": Fault(
        first_position_compared_alone,
        None,
        (
            "tests/two_party/vectorised/test_positions_of_batches.py::"
            "test_an_extension_that_overlaps_another_is_refused_at_both_ends[3]",
            "tests/two_party/vectorised/test_positions_of_batches.py::"
            "test_an_extension_that_overlaps_another_is_refused_at_both_ends[4]",
        ),
    ),
    "refused_preparation_spends": Fault(
        refused_preparation_spends,
        None,
        (
            "tests/steps/test_refusals_spend_nothing.py::"
            "test_a_batch_of_rounds_that_is_not_prepared_is_still_answered_at_once",
        ),
    ),
}
"""These faults, and the tests that must notice them."""
