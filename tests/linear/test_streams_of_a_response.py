"""Each ciphertext of a response has a u, an e and masks of streams that no other one has, under one seed."""

from __future__ import annotations

import hashlib
from itertools import combinations

import numpy as np
import pytest

from capc.foundation.randomness import Seed
from capc.linear.bfv.masks import draw_masks, fresh_zero
from capc.linear.bfv.sampling import centred_binomial
from capc.linear.bfv.wire.seal_format import read_pair
from capc_spec.registry import TAGS
from linear.support import altered

SEED = Seed(bytes(range(32)))
NUMBERS = (0, 1, 2, 3, 256, 1 << 16)
"""Of ciphertexts: neighbours, and some that differ in one byte of the number only."""


class ByHand:
    """The stream of a tag and a number."""

    def __init__(self, tag: bytes, number: int) -> None:
        self._data = hashlib.shake_256(TAGS["xof"] + bytes([32]) + SEED + tag + number.to_bytes(4, "little"))
        self._used = 0

    def read(self, length: int) -> bytes:
        self._used += length
        return self._data.digest(self._used)[-length:]


@pytest.mark.req("CAPC-HE-012")
def test_each_ciphertext_has_a_ternary_polynomial_errors_and_masks_of_its_own() -> None:
    setting = altered("toy")
    context = setting.scheme._context
    found = {"ternary": [], "error": [], "mask": []}
    for number in NUMBERS:
        zero, error = fresh_zero(setting.public_key, SEED, number)
        found["ternary"].append(read_pair(zero, len(context.data_primes), context.degree)[1])
        found["error"].append(error)
        found["mask"].append(draw_masks(context, SEED, number, 64))
        assert (error == centred_binomial(ByHand(TAGS["error"], number), context.degree)).all()
    for name, drawn in found.items():
        for one, two in combinations(drawn, 2):
            assert not np.array_equal(one, two), name
