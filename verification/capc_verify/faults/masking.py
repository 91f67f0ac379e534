"""Faults in the masks and shares of steps 1b and 1c."""

from __future__ import annotations

import random  # noqa: TID251 (the fault is to use it)
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import cycle, islice

from capc.foundation.randomness import RandomSource, Seed
from capc.models.architecture import Activation, Rows
from capc.steps import zero_sum
from capc.steps.answering_party import inference
from capc.steps.answering_party.inference import AnsweringLayer, AwaitingChoice
from capc.steps.querying_party import inference as querying_party
from capc.steps.querying_party import offline
from capc.steps.querying_party.inference import QueryingLayer
from capc.steps.querying_party.offline import OfflineCircuits, OfflineInput
from capc.two_party.circuits.builder import Circuit
from capc_verify.faults.patching import FirstDraws, replace_everywhere, with_suite

_ROUNDED_BITS = 1


def bounded_float_masks() -> None:
    """The answering party's share of a product is a float of Python's generator in (-2^(T-2), 2^(T-2)), truncated."""
    generator = random.Random(2021)  # noqa: S311

    def draw(width: int) -> int:
        bound = float(1 << (width - 2))
        return int(generator.uniform(-bound, bound))

    correct = inference.respond_to_request

    def respond(step: str, state: AnsweringLayer, request: bytes, seed: Seed) -> tuple[Rows, bytes]:
        expand = state.party.suite.expand
        drawing = with_suite(state, expand=lambda key, label: FirstDraws(draw, expand(key, label)))
        return correct(step, drawing, request, seed)

    replace_everywhere(correct, respond)


def reused_mask() -> None:
    """The garbler's share s of the vote, of step 1c, is its share of the logits again, mod 2^w."""
    garble, open_choice = inference.answering_party_garble_vote, inference.open_choice
    masks: list[int] = []

    def garble_vote(state: AwaitingChoice, bits: bytes, seed: Seed) -> object:
        masks[:] = [mask for row in state.sums for mask in row]
        return garble(state, bits, seed)

    def open_with_masks(step: str, at: AnsweringLayer, bits: bytes, seed: Seed) -> tuple[Circuit, bytes, RandomSource]:
        circuit, payload, source = open_choice(step, at, bits, seed)
        if at.stage.activation is not Activation.VOTE:
            return circuit, payload, source
        again = iter(masks)
        return circuit, payload, FirstDraws(lambda _: next(again, None), source)

    replace_everywhere(garble, garble_vote)
    replace_everywhere(open_choice, open_with_masks)


def reused_value_mask() -> None:
    """In a prepared batch the mask of the queries is also the mask of every later value."""
    correct = offline.querying_party_keep_circuits

    def keep_circuits(state: OfflineCircuits, circuits: bytes, seed: Seed) -> OfflineInput:
        following = correct(state, circuits, seed)
        first, last = following.values[0], following.values[-1]
        again = tuple(tuple(islice(cycle(mask), len(row))) for mask, row in zip(first, last, strict=False))
        return replace(following, values=(*following.values[:-1], again))

    replace_everywhere(correct, keep_circuits)


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

    replace_everywhere(zero_sum.zero_sum_mask, zero_sum_mask)


def separate_rounding() -> None:
    """Each party rounds its share of the logits on its own, instead of the model's owner rounding the logits."""
    garble, read = inference.answering_party_garble_vote, querying_party.read_sums

    def garble_rounded(state: AwaitingChoice, bits: bytes, seed: Seed) -> object:
        return garble(replace(state, sums=_rounded(state.sums)), bits, seed)

    def read_rounded(at: QueryingLayer, response: bytes) -> Rows:
        return _rounded(read(at, response))

    replace_everywhere(garble, garble_rounded)
    replace_everywhere(read, read_rounded)


def _rounded(rows: Rows) -> Rows:
    return tuple(tuple(value >> _ROUNDED_BITS << _ROUNDED_BITS for value in row) for row in rows)
