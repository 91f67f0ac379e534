"""Faults of ReLUs with a cap of any number, and with a leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from capc.models.architecture import StageShape
from capc.models.importing.factors import Factors
from capc.models.importing.graph import Floats
from capc.models.importing.lowering.forms import RectifiedSums, StageValue
from capc.models.importing.lowering.stages import Stages
from capc.session.parameters import Parameters
from capc.steps import layer_circuits
from capc.two_party.circuits import relu
from capc.two_party.circuits.arithmetic import Word, select
from capc.two_party.circuits.builder import ZERO, Builder, Wire
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault

_KINDS = "tests/two_party/circuits/test_relu_kinds.py::test_"
_FOLDS = "tests/models/importing/test_folding.py::test_fold_is_exact"
_STAGES = "tests/models/importing/test_private_constants.py::test_any_constants_of_a_module_make_the_same_stages"
_LABELS = "tests/protocol/test_kinds_of_relu.py::test_labels_follow_the_models_integers"


def cap_by_its_highest_bit() -> None:
    """Whether a cap is reached is asked of its highest bit only: ReLU6 becomes 6 from 4 on."""

    def highest(builder: Builder, word: Sequence[Wire], bound: int) -> Wire:  # noqa: ARG001
        return word[-1]

    replace_in(relu, "reaches", highest)


def leak_without_sign() -> None:
    """Below 0 zeros are moved in from above, so that a small negative number becomes a large one."""

    def leaking(builder: Builder, sign: Wire, word: Word, leak_bits: int) -> Word:
        return select(builder, sign, [*word[leak_bits:], *[ZERO] * leak_bits][: len(word)], word)

    replace_in(relu, "_leaking", leaking)


def leak_without_saturation_below() -> None:
    """A cap of a leak holds above 0 only; below it the word wraps."""

    def above_only(builder: Builder, positive: Wire, kept: Word, cap_bits: int) -> Word:
        capped = relu._capped(builder, positive, kept, (1 << cap_bits) - 1)
        return select(builder, positive, capped, kept[:cap_bits])

    replace_in(relu, "_saturated", above_only)


def offset_of_words_kept() -> None:
    """The answering party takes its shares of a leak's words for those of the value: 2^m is added to each."""

    def rows(
        parameters: Parameters,  # noqa: ARG001
        stage: StageShape,  # noqa: ARG001
        outputs: Sequence[Sequence[int]],
        count: int,
    ) -> tuple[tuple[int, ...], ...]:
        return layer_circuits.rows_by_query(outputs, count)

    replace_everywhere(layer_circuits.garbled_rows, rows)


def cap_of_network_ignored() -> None:
    """ReLUs have the cap of their figures, and not that of their network."""

    def most(self: StageShape, fraction_bits: int) -> int | None:  # noqa: ARG001
        return None if self.cap_bits is None else (1 << self.cap_bits) - 1

    StageShape.most = most  # type: ignore[method-assign]


def bound_not_added_again() -> None:
    """What follows a bound below takes the value as if it began at 0."""
    correct = Stages.activated

    def activated(self: Stages, form: RectifiedSums) -> StageValue:
        return replace(correct(self, form), shifts=None)

    Stages.activated = activated  # type: ignore[method-assign]


def leaks_taken_for_nonnegative() -> None:
    """A ReLU after an average of what leaks is left out, as if nothing in it could be negative."""
    correct = Stages.activated

    def activated(self: Stages, form: RectifiedSums) -> StageValue:
        return replace(correct(self, form), is_signed=False)

    Stages.activated = activated  # type: ignore[method-assign]


def signs_of_constants_asked() -> None:
    """Whether a value counts as one that may be negative depends on the constants that it was multiplied with."""
    correct = StageValue.times

    def times(self: StageValue, scales: Factors | None, shifts: Floats | None) -> StageValue:
        parts = (None if scales is None else scales.numbers, shifts)
        negative = any(part is not None and bool((part < 0).any()) for part in parts)
        return replace(correct(self, scales, shifts), is_signed=self.is_signed or negative)

    StageValue.times = times  # type: ignore[method-assign]


def equal_numbers_taken_for_one_factor() -> None:
    """Whether the entries of a channel share a factor is asked of the factors."""
    correct = Factors.of_channels

    def of_channels(self: Factors, channels: int) -> Factors | None:
        _, equal = np.unique(self.numbers, return_inverse=True)
        return correct(Factors(self.numbers, equal.reshape(-1)), channels)

    Factors.of_channels = of_channels  # type: ignore[method-assign]


FAULTS = {
    "bound_not_added_again": Fault(bound_not_added_again, None, (_FOLDS + "[shifted_relu_under_padding]",)),
    "leaks_taken_for_nonnegative": Fault(leaks_taken_for_nonnegative, None, (_FOLDS + "[relu_of_averaged_leaks]",)),
    "signs_of_constants_asked": Fault(signs_of_constants_asked, None, (_STAGES + "[a relu of a scaled value]",)),
    "equal_numbers_taken_for_one_factor": Fault(
        equal_numbers_taken_for_one_factor, None, (_STAGES + "[entries of sums that were scaled]",)
    ),
    "cap_by_its_highest_bit": Fault(
        cap_by_its_highest_bit, None, (_KINDS + "relu_at_most_any_cap_for_all_values_shares_and_errors[4-0]",)
    ),
    "leak_without_sign": Fault(
        leak_without_sign, None, (_KINDS + "leaky_relu_for_all_values_shares_and_errors[3-0-1-None]",)
    ),
    "leak_without_saturation_below": Fault(
        leak_without_saturation_below, None, (_KINDS + "leaky_relu_for_all_values_shares_and_errors[4-0-1-2]",)
    ),
    "offset_of_words_kept": Fault(offset_of_words_kept, None, (_LABELS + "[{'leak_bits': 1}]",)),
    "cap_of_network_ignored": Fault(cap_of_network_ignored, None, (_LABELS + "[{'cap': Fraction(1, 1)}]",)),
}
