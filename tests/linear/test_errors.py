"""The bound of a response's error: derived once more in exact fractions, attained by worst cases, and enforced."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation import guarded
from capc.foundation.errors import ParameterError
from capc.foundation.randomness import RandomSource
from capc.linear.bfv import keys, masks
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.masks import shares_of
from capc.linear.bfv.wire import seal_format
from capc.models.operators import Dense
from capc.session.widths import ParameterSet
from linear.plain_bfv import negacyclic, rounded
from linear.support import altered

NAMES = ["conservative", "default", "test", "toy"]


def _phase_error(primes: tuple[int, ...], degree: int) -> Fraction:
    """The largest error of the phase of an encryption of zero under the first prime, in whole words.

    With s and u ternary and errors of 21: |e u| and |e' s| are at most 21 N each under q. Dropping a prime divides, and
    rounds c0 by half a word and c1 by half a word in each coefficient, which s multiplies.
    """
    error = Fraction(2 * 21 * degree)
    for dropped in primes[:0:-1]:
        error = error / dropped + Fraction(1, 2) + Fraction(1, 2) * degree
    return error


@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize("name", NAMES)
def test_the_bound_holds_for_the_actual_primes_and_gives_away_less_than_one(name: str) -> None:
    setting = altered(name)
    context, widths = setting.scheme._context, setting.widths
    exact = Fraction(3, 2) + _phase_error(context.data_primes, context.degree) * (1 << widths.share_bits) / prod(
        context.response_primes
    )
    assert floor(exact) <= widths.response_error <= exact + 1


@given(
    logit_bits=st.integers(3, 51),
    guard_bits=st.integers(3, 16),
    degree=st.sampled_from([1024, 4096, 32768]),
    bits=st.lists(st.integers(17, 60), min_size=2, max_size=5),
)
@pytest.mark.req("CAPC-HE-017")
def test_a_set_is_refused_exactly_if_its_bound_does_not_fit(
    logit_bits: int, guard_bits: int, degree: int, bits: list[int]
) -> None:
    fields = dict(replace(ParameterSet.named("toy"), logit_bits=12).__dict__)
    fields.pop("response_error", None)
    fields |= {"logit_bits": min(logit_bits, 59 - guard_bits), "guard_bits": guard_bits, "fraction_bits": 1}
    fields |= {"he_poly_degree": degree, "he_coefficient_bits": tuple(bits)}
    # The smallest primes that a context admits.
    least = tuple(2**each - 2 ** (each - 8) for each in bits[:-1])
    modulus = 1 << fields["logit_bits"] + guard_bits
    error = floor(Fraction(3, 2) + _phase_error(least, degree) * modulus / least[0])
    if error <= 2 ** (guard_bits - 2) - 1:
        assert ParameterSet(**fields).response_error == error
    else:
        with pytest.raises(ParameterError, match=f"error of {error} is above.*enlarge the first prime"):
            ParameterSet(**fields)


@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize("name", NAMES)
def test_the_worst_phases_stay_within_the_bound_and_one_attains_it(name: str) -> None:
    setting = altered(name)
    context, widths, source = setting.scheme._context, setting.widths, setting.source("phases")
    (prime,), modulus = context.response_primes, 1 << widths.share_bits
    # Between a phase and its exact result: the encryption of zero, and half a unit of request and weights.
    room = _phase_error(context.data_primes, context.degree) + Fraction(prime, 2 * modulus)
    drawn = [0, 1, prime - 1, *(source.below(prime) for _ in range(3000))]
    own = shares_of(context, np.array(drawn, dtype=np.uint64)).tolist()
    found = set()
    for mask, share in zip(drawn, own, strict=True):
        result = source.bits(widths.logit_bits) << widths.guard_bits
        exact = Fraction(prime * result, modulus)
        for phase in (floor(exact + room), -floor(-(exact - room))):
            error = (rounded(context, (phase + mask) % prime) + share - result) % modulus
            found.add(error - modulus if error > modulus // 2 else error)
    assert max(map(abs, found)) <= widths.response_error
    # Where noise is most of a unit the bound is met; the toy set has none to speak of, and the roundings alone are 1.
    assert max(map(abs, found)) >= (widths.response_error if name in {"conservative", "default"} else 1)


@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize("name", ["conservative", "default"])
def test_the_worst_roundings_of_a_switch_are_within_their_part_and_attain_it(name: str) -> None:
    context, source = altered(name).scheme._context, altered(name).source("switch")
    kept, dropped = context.data_primes
    words = np.zeros((2, 2, context.degree), dtype=np.uint64)
    words[:, 0] = [[source.below(kept) for _ in range(context.degree)] for _ in range(2)]
    # The remainders whose rounding is worst.
    words[:, 1] = dropped // 2
    ciphertext = seal_format.make_ciphertext(context, context.data_id, words)
    context.evaluator.mod_switch_to_inplace(ciphertext, list(context.response_id))
    switched = seal_format.read_pair(ciphertext, 1, context.degree)[:, 0].tolist()
    ones = [1] * context.degree
    inverse = pow(dropped, -1, kept)
    # Under q, by the Chinese remainder theorem.
    wide = [[d + dropped * ((k - d) * inverse % kept) for k, d in zip(*half, strict=True)] for half in words.tolist()]
    whole = [c + product for c, product in zip(wide[0], negacyclic_wide(wide[1]), strict=True)]
    after = [c + product for c, product in zip(switched[0], negacyclic(switched[1], ones), strict=True)]
    errors = []
    for before, now in zip(whole, after, strict=True):
        error = (now * dropped - before) % (kept * dropped)
        errors.append(Fraction(error - kept * dropped if error > kept * dropped // 2 else error, dropped))
    most = Fraction(context.degree + 1, 2)
    assert max(map(abs, errors)) <= most
    assert max(map(abs, errors)) > most * Fraction(999, 1000)


def negacyclic_wide(polynomial: list[int]) -> list[int]:
    """The product with 1 + X + ... + X^(N-1) modulo X^N + 1: sums up to each place, less those after it."""
    total, result, before = sum(polynomial), [], 0
    for value in polynomial:
        before += value
        result.append(2 * before - total)
    return result


def _all(value: int) -> object:
    def drawn(source: RandomSource, count: int) -> NDArray[np.int64]:
        return np.full(count, value)

    return drawn


def _ones(context: HeContext) -> keys.SecretKey:
    """The secret key of largest norm: every coefficient 1."""
    ones = np.zeros(context.degree, dtype=np.uint64) + np.uint64(1)
    polynomial = seal_format.make_plaintext(context, ones)
    context.evaluator.transform_to_ntt_inplace(polynomial, list(context.key_id))
    words = np.array([polynomial[at] for at in range(len(context.key_primes) * context.degree)], dtype=np.uint64)
    return keys.restore_secret_key(context, words.reshape(len(context.key_primes), -1))


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001", "CAPC-HE-017")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_errors_of_keys_and_responses_are_within_the_bound(
    name: str, sign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secret, ternary and errors of one sign and largest size, which do not cancel; weights as heavy as admitted."""
    setting, shape = altered(name), Dense(1, 4096)
    context, scheme = setting.scheme._context, setting.scheme
    monkeypatch.setattr(keys, "centred_binomial", _all(-21 * sign))
    monkeypatch.setattr(masks, "centred_binomial", _all(21 * sign))
    monkeypatch.setattr(masks, "ternary", _all(1))
    secret = _ones(context)
    payload = scheme.public_key(secret, b"binding", setting.source("key"))
    worst = replace(setting, secret_key=secret, public_key=scheme.read_public_key(payload, b"binding"))
    heaviest = min(setting.most_weight // shape.outputs, (1 << setting.widths.logit_bits - 1) - 1)
    weights = tuple((heaviest * (-1) ** row,) for row in range(shape.outputs))
    errors = worst.check(shape, weights, [worst.elements(1, "x")])
    assert len(errors) == 4096
    assert isinstance(worst.secret_key.decryptor, sealapi.Decryptor)


@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize("name", NAMES)
def test_the_room_of_named_sets_is_that_of_the_text(name: str) -> None:
    widths = ParameterSet.named(name)
    assert guarded.room(widths.guard_bits) == 63
    assert widths.response_error == {"conservative": 3, "default": 2}.get(name, 1)
