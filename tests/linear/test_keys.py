"""Public keys: honest samples under a polynomial that nobody chooses, against plain integers."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from capc.foundation.randomness import Seed, XofSource
from capc.linear.bfv.keys import read_public_key
from capc.linear.bfv.sampling import centred_binomial
from capc.linear.bfv.wire.packing import unpack
from capc.linear.bfv.wire.seal_format import Words, make_seeded_ciphertext, read_pair
from linear.plain_bfv import negacyclic, secret_coefficients
from linear.support import BINDING, Setting, altered

NAMES = ["conservative", "default", "toy"]


def _pair(setting: Setting, payload: bytes, binding: bytes) -> Words:
    """c0 and a of a public key as an answering party holds it, in coefficient form."""
    context = setting.scheme._context
    zero = read_public_key(context, payload, binding).zero
    context.evaluator.transform_from_ntt_inplace(zero)
    return read_pair(zero, len(context.data_primes), context.degree)


@pytest.mark.req("CAPC-HE-016")
@pytest.mark.parametrize("name", NAMES)
def test_a_public_key_is_the_error_less_the_product_with_the_secret_key(name: str) -> None:
    setting = altered(name)
    context, secret = setting.scheme._context, secret_coefficients(setting)
    assert set(secret) == {-1, 0, 1}
    source = XofSource(Seed(bytes(32)), b"public key")
    error = centred_binomial(source, context.degree).tolist()
    for prime, first, uniform in zip(
        context.data_primes, *_pair(setting, setting.public_payload, BINDING), strict=True
    ):
        product = negacyclic(uniform.tolist(), secret)
        assert first.tolist() == [-(value + noise) % prime for value, noise in zip(product, error, strict=True)]


@pytest.mark.req("CAPC-HE-016")
def test_the_uniform_half_is_expanded_from_the_binding_and_nothing_else() -> None:
    setting = altered("default")
    context, scheme = setting.scheme._context, setting.scheme
    seed = hashlib.shake_256(b"CaPC/0.1/public-key" + BINDING).digest(64)
    nothing = np.zeros((len(context.data_primes), context.degree), dtype=np.uint64)
    expected = read_pair(make_seeded_ciphertext(context, nothing, seed), *nothing.shape)[1]
    other_secret = scheme.generate_secret_key()
    payloads = [
        setting.public_payload,
        scheme.public_key(setting.secret_key, BINDING, setting.source("another error")),
        scheme.public_key(other_secret, BINDING, setting.source("another secret")),
        bytes(scheme.public_key_length()),
    ]
    assert len(set(payloads)) == len(payloads)
    for payload in payloads:
        assert (_pair(setting, payload, BINDING)[1] == expected).all()


@pytest.mark.req("CAPC-HE-016")
@pytest.mark.parametrize("place", [0, 40, -1])
def test_another_binding_gives_another_uniform_half(place: int) -> None:
    setting = altered("default")
    binding = bytes(80)
    other = bytearray(binding)
    other[place] ^= 1
    one, two = (_pair(setting, setting.public_payload, each)[1] for each in (binding, bytes(other)))
    # Uniform modulo a prime of 36 bits or more: a coefficient in common has probability 2^-23 in all.
    assert not (one == two).any()


@pytest.mark.req("CAPC-HE-016")
def test_a_binding_of_another_party_makes_results_wrong() -> None:
    setting = altered("toy")
    weights = ((1, 2), (3, 4))
    operator = setting.prepare_dense(weights).operator
    stranger = setting.scheme.read_public_key(setting.public_payload, b"what another party drew")
    reader = replace(setting, public_key=stranger)
    request = setting.request(operator, [[5, 6]])
    assert reader.opened(*reader.shares(operator, weights, request, 1)) != [[17, 39]]
    assert setting.opened(*setting.shares(operator, weights, request, 1)) == [[17, 39]]


def test_secret_keys_are_fresh_and_errors_are_the_sources() -> None:
    setting = altered("toy")
    scheme = setting.scheme
    one, two = (scheme.public_key(scheme.generate_secret_key(), BINDING, setting.source("same")) for _ in range(2))
    assert one != two
    again = [scheme.public_key(setting.secret_key, BINDING, setting.source("same")) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.req("CAPC-HE-005")
@pytest.mark.parametrize("name", ["conservative", "default", "test", "toy"])
def test_a_public_key_payload_has_the_published_length(name: str) -> None:
    setting = altered(name)
    context = setting.scheme._context
    assert len(setting.public_payload) == setting.scheme.public_key_length() == (7 + 5) * context.degree
    unpack(setting.public_payload, context.data_primes, context.degree, "public key")
