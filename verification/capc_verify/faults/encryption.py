"""Faults in what hides the weights in an HE response: its masks, and the public key's uniform half."""

from __future__ import annotations

import numpy as np

from capc.foundation.randomness import RandomSource, Seed
from capc.linear.bfv import keys, masks, sampling
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.wire.seal_format import Words
from capc_verify.faults.patching import replace_everywhere


def masks_left_out() -> None:
    """Coefficients of c0 are sent as they are: a request off the plaintext's grid reads all weights."""

    def none(context: HeContext, seed: Seed, number: int, count: int) -> Words:  # noqa: ARG001
        return np.zeros(count, dtype=np.uint64)

    replace_everywhere(masks.draw_masks, none)


def masks_before_the_switch() -> None:
    """The mask is one of the plaintext, added before the switch: nothing hides what lies below the plaintext."""
    correct = masks.draw_masks

    def on_the_grid(context: HeContext, seed: Seed, number: int, count: int) -> Words:
        (prime,), bits = context.response_primes, context.plain_bits
        plain = correct(context, seed, number, count) & np.uint64((1 << bits) - 1)
        # As SEAL scales a plaintext.
        return ((plain.astype(object) * prime + (1 << bits - 1) >> bits) % prime).astype(np.uint64)

    replace_everywhere(correct, on_the_grid)


def one_mask_for_two_ciphertexts() -> None:
    """All ciphertexts of a response have the masks of the first one: their differences are those of the products."""
    correct = masks.draw_masks

    def again(context: HeContext, seed: Seed, number: int, count: int) -> Words:  # noqa: ARG001
        return correct(context, seed, 0, count)

    replace_everywhere(correct, again)


def masks_without_rejection() -> None:
    """A draw of p and more is reduced instead of rejected: small masks are more likely than others."""

    def reduced(source: RandomSource, count: int, bound: int) -> Words:
        return np.array([source.bits((bound - 1).bit_length()) % bound for _ in range(count)], dtype=np.uint64)

    replace_everywhere(sampling.below, reduced)


def uniform_half_of_the_key_holder() -> None:
    """The public key's uniform half is not of what the peer drew: its holder knows it before, and may choose."""
    correct = keys._seed

    def known(binding: bytes) -> bytes:  # noqa: ARG001
        return correct(b"")

    replace_everywhere(correct, known)
