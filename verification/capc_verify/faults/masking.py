"""Faults in the masks and shares of steps 1b and 1c."""

from __future__ import annotations

import random  # noqa: TID251 (the fault is to use it)
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from capc import answering_party, querying_party, ring, sharing
from capc.querying_party import AwaitingResponse
from capc.randomness import RandomSource, Seed
from capc_verify.faults.patching import State, replace_everywhere, with_altered_state, with_suite

_ROUNDED_BITS = 1


class _FirstDraws:
    """A source whose draws come from a function for as long as that gives any, then from the correct source."""

    def __init__(self, draw: Callable[[int], int | None], correct: RandomSource) -> None:
        self._draw = draw
        self._correct = correct

    def bits(self, width: int) -> int:
        drawn = self._draw(width)
        return self._correct.bits(width) if drawn is None else ring.reduce(drawn, width)

    def read(self, length: int) -> bytes:
        return self._correct.read(length)

    def below(self, bound: int) -> int:
        return self._correct.below(bound)


def bounded_float_masks() -> None:
    """The mask m is a float of Python's generator in (-2^(l-2), 2^(l-2)), truncated."""
    generator = random.Random(2021)  # noqa: S311

    def draw(width: int) -> int:
        bound = float(1 << (width - 2))
        return int(generator.uniform(-bound, bound))

    def alter(state: State) -> State:
        expand = state.party.suite.expand
        return with_suite(state, expand=lambda seed, label: _FirstDraws(draw, expand(seed, label)))

    step = answering_party.answering_party_evaluate_layer
    replace_everywhere(step, with_altered_state(step, alter))


def reused_mask() -> None:
    """The vote share s of step 1c is the mask m of step 1b again, mod 2^w."""

    def alter(state: State) -> State:
        if state.layer < len(state.party.model.layers) - 1:
            return state
        again = iter(state.sums)
        expand = state.party.suite.expand
        return with_suite(
            state, expand=lambda seed, label: _FirstDraws(lambda _: next(again, None), expand(seed, label))
        )

    step = answering_party.answering_party_garble_layer
    replace_everywhere(step, with_altered_state(step, alter))


def no_zero_sum_masks() -> None:
    """The vote shares go to the guardian without zero-sum masks."""

    def zero_sum_mask(
        me: int,  # noqa: ARG001
        keys: Mapping[int, Seed],  # noqa: ARG001
        label: bytes,  # noqa: ARG001
        num_classes: int,
        vote_bits: int,  # noqa: ARG001
        expand: Callable[[Seed, bytes], RandomSource],  # noqa: ARG001
    ) -> list[int]:
        return [0] * num_classes

    replace_everywhere(sharing.zero_sum_mask, zero_sum_mask)


def separate_rounding() -> None:
    """Each party rounds its share of the logits on its own, instead of the model's owner rounding the logits."""

    def round_mask(state: State) -> State:
        return replace(state, sums=_rounded(state.sums))

    read = querying_party._read_sums

    def round_seen(state: AwaitingResponse, response: bytes) -> list[int]:
        return list(_rounded(read(state, response)))

    garble = answering_party.answering_party_garble_layer
    replace_everywhere(garble, with_altered_state(garble, round_mask))
    replace_everywhere(read, round_seen)


def _rounded(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(value >> _ROUNDED_BITS << _ROUNDED_BITS for value in values)
