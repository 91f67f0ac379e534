"""Laws of shares by enumeration: all masks, under primes and moduli small enough for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from capc.foundation.randomness import BytesSource
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.masks import shares_of
from capc.linear.bfv.sampling import below
from linear.plain_bfv import rounded
from linear.support import altered

TINY = [(17, 1, 3), (97, 2, 3), (193, 3, 3), (251, 2, 4)]
"""p below 2^8, so that a draw is a byte; l and h."""


def _context(prime: int, logit_bits: int, guard_bits: int) -> HeContext:
    """The functions of masks and shares look at these figures only."""
    real = altered("toy").scheme._context
    return replace(real, response_primes=(prime,), logit_bits=logit_bits, guard_bits=guard_bits)


def _every_mask(prime: int) -> list[int]:
    """What each byte is drawn to, those that are rejected left out."""
    accepted = []
    for byte in range(256):
        source = BytesSource(bytes([byte, 0]))
        (mask,) = below(source, 1, prime).tolist()
        if source.consumed == 1:
            accepted.append(mask)
    return accepted


@pytest.mark.req("CAPC-HE-008", kind="enumeration")
@pytest.mark.parametrize(("prime", "logit_bits", "guard_bits"), TINY)
def test_every_mask_comes_from_as_many_bytes(prime: int, logit_bits: int, guard_bits: int) -> None:
    assert len(set(Counter(_every_mask(prime)).values())) == 1
    assert set(_every_mask(prime)) == set(range(prime))


@pytest.mark.req("CAPC-HE-009", kind="enumeration")
@pytest.mark.parametrize(("prime", "logit_bits", "guard_bits"), TINY)
def test_each_share_has_one_law_for_every_product_and_request(prime: int, logit_bits: int, guard_bits: int) -> None:
    """Every word of a product, under every request, key and model, is some element of Z_p: all of them are tried."""
    context, masks = _context(prime, logit_bits, guard_bits), _every_mask(prime)
    own = Counter(shares_of(context, np.array(masks, dtype=np.uint64)).tolist())
    sent = {word: Counter((word + mask) % prime for mask in masks) for word in range(prime)}
    theirs = [Counter(rounded(context, (phase + mask) % prime) for mask in masks) for phase in range(prime)]
    assert all(law == sent[0] for law in sent.values())
    assert all(law == theirs[0] for law in theirs)
    # Not uniform, and it need not be: rounding gives some shares one preimage more.
    assert len(set(theirs[0].values())) == 2
    # Both are roundings of a uniform element of Z_p.
    assert own == theirs[0]


@pytest.mark.req("CAPC-HE-009", kind="enumeration")
@pytest.mark.parametrize(("prime", "logit_bits", "guard_bits"), TINY[:2])
def test_views_of_two_coefficients_have_one_law(prime: int, logit_bits: int, guard_bits: int) -> None:
    """Masks are independent: also together, shares of two outputs have one law, whatever their products are."""
    context, masks = _context(prime, logit_bits, guard_bits), range(prime)
    by_phase = [Counter(rounded(context, (phase + mask) % prime) for mask in masks) for phase in range(prime)]
    joint = Counter()
    for one, two in product(by_phase[0].items(), repeat=2):
        joint[one[0], two[0]] += one[1] * two[1]
    for phases in ((0, prime // 2), (3, 3), (prime - 1, 1)):
        found = Counter(
            (rounded(context, (phases[0] + one) % prime), rounded(context, (phases[1] + two) % prime))
            for one, two in product(masks, repeat=2)
        )
        assert found == joint


@pytest.mark.req("CAPC-HE-009")
@pytest.mark.parametrize(("prime", "logit_bits", "guard_bits"), TINY)
def test_both_shares_open_to_the_result_for_every_mask(prime: int, logit_bits: int, guard_bits: int) -> None:
    """Joint law: given one share the other one is the result's, up to the two roundings, for every mask."""
    context, modulus = _context(prime, logit_bits, guard_bits), 1 << logit_bits + guard_bits
    own = shares_of(context, np.arange(prime, dtype=np.uint64)).tolist()
    for phase, mask in product(range(prime), repeat=2):
        difference = (rounded(context, (phase + mask) % prime) + own[mask]) * prime - phase * modulus
        difference = (difference + modulus * prime // 2) % (modulus * prime) - modulus * prime // 2
        assert abs(difference) <= prime


@pytest.mark.parametrize(("prime", "logit_bits", "guard_bits"), TINY)
def test_masks_that_are_not_uniform_modulo_p_have_laws_that_tell(prime: int, logit_bits: int, guard_bits: int) -> None:
    """The check of the check: masks of whole bits, without rejection, and none."""
    context = _context(prime, logit_bits, guard_bits)
    bits = (prime - 1).bit_length()
    for masks in ([value % prime for value in range(1 << bits)], range(1 << bits - 1), [0]):
        laws = [Counter(rounded(context, (phase + mask) % prime) for mask in masks) for phase in range(prime)]
        assert any(law != laws[0] for law in laws)
