"""Public keys: fresh, honest samples under a polynomial that comes from a seed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capc.linear.bfv import keys
from capc.linear.bfv.wire.seal_format import Words, read_pair
from linear.key_holder import KeyHolder, OpenSecretKey
from linear.support import altered, one_level


def _pair(payload: bytes) -> Words:
    context = one_level().scheme._context
    public_key = keys.read_public_key(context, payload)
    return read_pair(public_key.zero, len(context.data_primes), context.degree)


def test_noise_under_the_seeded_polynomial_is_what_seal_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "SecretKey", OpenSecretKey)
    secret_key, payload = one_level().scheme.generate_keys()
    holder = KeyHolder(replace(one_level(), secret_key=secret_key))
    pair = _pair(payload)[:, 0, :].astype(object)
    noise = holder.centred_from_ntt(pair[0] + pair[1] * holder.secret_polynomial().astype(object))
    # SEAL's centred binomial of 21 pairs has variance 10.5; over 4096 samples the mean square strays by 0.23.
    assert max(abs(value) for value in noise) <= 21
    assert 9 < sum(value * value for value in noise) / len(noise) < 12


def test_keys_are_fresh_and_the_seed_determines_the_second_polynomial() -> None:
    scheme = one_level().scheme
    _, first = scheme.generate_keys()
    _, second = scheme.generate_keys()
    assert first[-64:] != second[-64:]
    assert not (_pair(first)[1] == _pair(second)[1]).all(axis=1).any()
    assert (_pair(first[:-64] + second[-64:])[1] == _pair(second)[1]).all()


@pytest.mark.parametrize("name", ["default", "test", "toy"])
def test_a_public_key_payload_has_the_published_length(name: str) -> None:
    setting = altered(name)
    assert len(setting.public_payload) == setting.scheme.public_key_length()
