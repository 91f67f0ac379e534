"""What a response shows is uniform for every request and key, honest or not: chi-squares of words, phases and parts.

Without masks each kind of request shows something: the check of the check.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from capc.foundation.randomness import Seed
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.wire import responses
from capc.linear.bfv.wire.packing import packed_length, unpack
from capc.linear.bfv.wire.responses import split_response
from capc.linear.bfv.wire.seal_format import Words
from faulty_parties.test_weight_attacks import DIGITS, LAYER, constant_key, off_the_grid, without_first
from linear.plain_bfv import negacyclic, secret_coefficients
from linear.support import BINDING, Setting, altered
from support.sizes import some

COUNT = LAYER.inputs * DIGITS
BINS = 256
LARGEST = 440.0
"""A chi-square of 255 degrees of freedom exceeds it with probability below 2^-36."""
RESPONSES = 6

Masks = Callable[[HeContext, Seed, int, int], Words]


def honest(setting: Setting) -> tuple[bytes, object]:
    """Uniform queries under an honest key."""
    return setting.request(LAYER, setting.rows(COUNT, LAYER.inputs, "x")), setting.public_key


def off_grid(setting: Setting) -> tuple[bytes, object]:
    """A request between noise and plaintext."""
    zeros = setting.request(LAYER, [[0] * LAYER.inputs] * COUNT)
    return off_the_grid(setting, zeros, COUNT), setting.public_key


def zero_key(setting: Setting) -> tuple[bytes, object]:
    """The key b = 0, and a request whose c0 is 0."""
    payload = bytes(setting.scheme.public_key_length())
    request = without_first(setting, setting.request(LAYER, [[0] * LAYER.inputs] * COUNT))
    return request, setting.scheme.read_public_key(payload, BINDING)


def constant_first(setting: Setting) -> tuple[bytes, object]:
    """A constant for c0 of the key, so that u is in the words, and a request whose c0 is 0."""
    request, _ = zero_key(setting)
    payload = constant_key(setting.scheme._context, setting.scheme._context.modulus >> 10)
    return request, setting.scheme.read_public_key(payload, BINDING)


REQUESTS = {"honest": honest, "off the grid": off_grid, "b = 0": zero_key, "constant c0": constant_first}


@cache
def _secret(name: str) -> list[int]:
    return secret_coefficients(altered(name))


def _chi_square(values: list[int], prime: int) -> float:
    counts = np.bincount([value * BINS // prime for value in values], minlength=BINS)
    mean = len(values) / BINS
    return float(((counts - mean) ** 2 / mean).sum())


def _statistics(name: str, request: bytes, key: object) -> dict[str, float]:
    """Of several responses to one request: words as sent, their differences, phases, and parts below the plaintext."""
    setting = altered(name)
    context = setting.scheme._context
    (prime,), modulus = context.response_primes, 1 << context.plain_bits
    prepared = setting.prepare_dense(setting.weights(LAYER, "secret weights", 15))
    encoding = setting.scheme._encoding(LAYER, COUNT)
    words: list[int] = []
    phases: list[int] = []
    differences: list[int] = []
    for number in range(RESPONSES):
        _, response = setting.scheme.evaluate(key, prepared, request, COUNT, setting.source(f"{name}/{number}"))
        before: list[int] = []
        for carried, payload in zip(encoding.responses, split_response(context, encoding, response), strict=True):
            head = packed_length(context.response_primes, carried.positions.size)
            first = unpack(payload[:head], (prime,), carried.positions.size, "response")[0].tolist()
            second = unpack(payload[head:], (prime,), context.degree, "response")[0].tolist()
            product = negacyclic(second, _secret(name))
            words += first
            differences += [(one - other) % prime for one, other in zip(first, before, strict=False)]
            phases += [(word + product[at]) % prime for word, at in zip(first, carried.positions, strict=True)]
            before = first
    kinds = {"words": words, "differences": differences, "phases": phases}
    return {kind: _chi_square(values, prime) for kind, values in kinds.items()} | {
        "parts": _chi_square([phase * modulus % prime for phase in phases], prime)
    }


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-004", "CAPC-HE-008", "CAPC-HE-012")
@pytest.mark.parametrize("name", some(["default", "conservative"], ordinary=1))
@pytest.mark.parametrize("request_of", REQUESTS)
def test_words_phases_and_parts_are_uniform_for_every_request_and_key(name: str, request_of: str) -> None:
    statistics = _statistics(name, *REQUESTS[request_of](altered(name)))
    assert max(statistics.values()) < LARGEST, statistics


def _left_out(context: HeContext, seed: Seed, number: int, count: int) -> Words:
    return np.zeros(count, dtype=np.uint64)


def _same_for_all(context: HeContext, seed: Seed, number: int, count: int) -> Words:
    return _REAL(context, seed, 0, count)


_REAL = responses.draw_masks

SHOWN: list[tuple[str, Masks, str]] = [
    ("honest", _left_out, "parts"),
    ("off the grid", _left_out, "phases"),
    ("b = 0", _left_out, "words"),
    ("constant c0", _left_out, "words"),
    ("b = 0", _same_for_all, "differences"),
    ("constant c0", _same_for_all, "differences"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("request_of", "weak", "shown"), SHOWN)
def test_without_masks_of_their_own_every_kind_of_request_shows_something(
    request_of: str, weak: Masks, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "draw_masks", weak)
    statistics = _statistics("default", *REQUESTS[request_of](altered("default")))
    assert statistics[shown] > 2 * LARGEST, statistics


def test_the_chi_square_is_that_of_the_definition() -> None:
    values: NDArray[np.int64] = np.arange(BINS * 4)
    assert _chi_square(values.tolist(), BINS * 4) == 0
    assert _chi_square([0] * BINS, BINS) == (BINS - 1) ** 2 + (BINS - 1)
