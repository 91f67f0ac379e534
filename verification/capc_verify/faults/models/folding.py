"""Faults of what is folded into a neighbour: constants, zeros around a value, skips and concatenations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capc.models.importing import lower
from capc.models.importing.factors import Factors
from capc.models.importing.graph import Conv, Pad, Shape
from capc.models.importing.lowering import folding, forms, reordering
from capc.models.importing.lowering.folding import Folded
from capc.models.importing.lowering.forms import FloatLayer, Form, StageValue, Sums
from capc.models.importing.lowering.stages import Stages
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault

_FOLDS = "tests/models/importing/test_folding.py::test_fold_is_exact"
_REORDERED = "tests/models/importing/test_reordering.py::test_axes_in_another_order_are_read_exactly"


def shift_under_padding() -> None:
    """A shift before a padded convolution adds the same at every place, as if the zeros around it were shifted, too."""
    correct = folding.convolution

    def convolution(op: Conv, shape: Shape, given: StageValue) -> Folded:
        folded = correct(op, shape, given)
        rows = folded.operator.rows
        biases = folded.layer.biases.reshape(rows, -1)
        return Folded(folded.operator, FloatLayer(folded.layer.weights, biases[:, biases.shape[1] // 2]))

    replace_everywhere(correct, convolution)


def zeros_on_the_other_side() -> None:
    """Where opposite sides have unequal padding, the kernel gets its zeros on the wrong side."""
    correct = folding.padded_convolution

    def padded_convolution(op: Conv, pad: Pad) -> Conv:
        return correct(op, Pad((pad.rows[1], pad.rows[0]), (pad.columns[1], pad.columns[0])))

    replace_everywhere(correct, padded_convolution)


def skip_not_scaled() -> None:
    """A batch normalisation after an addition scales the sums, and not the value that is added to them."""

    def scaled_skip(self: Stages, place: str, skip: int, shape: Shape, scales: Factors) -> int | Sums:  # noqa: ARG001
        return skip

    Stages.scaled_skip = scaled_skip  # type: ignore[method-assign]


def channels_swapped() -> None:
    """What follows a concatenation works on its parts in the opposite order."""

    def parts_of(form: Form, shape: Shape) -> tuple[tuple[Form, Shape], ...]:
        return forms.parts_of(form, shape)[::-1]

    replace_in(lower, "parts_of", parts_of)


def channels_not_moved() -> None:
    """A convolution after channels were put in another order works on them as if they were in their own."""
    correct = reordering._channels

    def _channels(order: NDArray[np.int64], shape: Shape) -> NDArray[np.int64] | None:
        channels = correct(order, shape)
        return None if channels is None else np.sort(channels)

    reordering._channels = _channels


FAULTS = {
    "shift_under_padding": Fault(shift_under_padding, None, (_FOLDS + "[shift_under_padding]",)),
    "zeros_on_the_other_side": Fault(zeros_on_the_other_side, None, (_FOLDS + "[zeros_on_one_side]",)),
    "skip_not_scaled": Fault(skip_not_scaled, None, (_FOLDS + "[normalised_addition]",)),
    "channels_not_moved": Fault(channels_not_moved, None, (_REORDERED + "[channels]",)),
    "channels_swapped": Fault(channels_swapped, None, (_FOLDS + "[joined]",)),
}
"""These faults, and the tests that must notice them."""
