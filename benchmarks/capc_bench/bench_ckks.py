"""A whole query with CKKS and squares, and the exact layers of the same shapes, in the same run.

Rows of a group share a network. The CKKS row is the comparison variant: request, evaluation under encryption, mask
and decryption, with every leak of docs/ckks-comparison.md. The exact row is the HE part of the protocol's own
inference, circuit private, blinding included: each linear layer's request, response and decryption, without the
two-party ReLU between them. The variant needs none: that is what squares buy.

`key bytes` is what each answering party receives once.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.comparison import SquareNetwork, open_comparison
from capc.foundation.randomness import XofSource, fresh_seed
from capc.linear.bfv import BfvLinear
from capc.models.operators import Dense
from capc.session.parameters import ParameterSet
from capc_bench.bench_he_layer import Layer

NETWORKS = [(64, 10), (64, 32, 10), (784, 128, 10)]
WIDTHS = ParameterSet.named("default")
_DRAW_BITS = 20


def group(sizes: tuple[int, ...]) -> str:
    return "query " + "-".join(map(str, sizes))


def reals(count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Numbers in [-1, 1)."""
    source = XofSource(fresh_seed(), b"bench")
    return np.array([source.bits(_DRAW_BITS) for _ in range(count)]) / (1 << (_DRAW_BITS - 1)) - 1.0


@pytest.mark.parametrize("sizes", NETWORKS, ids=group)
def test_ckks_with_squares(benchmark: BenchmarkFixture, sizes: tuple[int, ...]) -> None:
    benchmark.group = group(sizes)
    pairs = list(pairwise(sizes))
    network = SquareNetwork(
        tuple(reals(inputs * outputs).reshape(outputs, inputs) / sqrt(inputs) for inputs, outputs in pairs),
        tuple(reals(outputs) for _, outputs in pairs),
    )
    comparison = open_comparison(WIDTHS, [network])
    features = reals(sizes[0])
    # A query takes seconds: two rounds say enough.
    shares = benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: comparison.logit_shares(features.tolist(), [fresh_seed()])[0], rounds=2, warmup_rounds=0
    )
    half, modulus = 1 << (WIDTHS.logit_bits - 1), 1 << WIDTHS.logit_bits
    pairs_of_shares = zip(shares.querying_party, shares.answering_party, strict=True)
    opened = np.array([(a + b + half) % modulus - half for a, b in pairs_of_shares]) / (1 << WIDTHS.fraction_bits)
    error = float(np.abs(opened - network.logits(features)).max())
    benchmark.extra_info["bytes"] = len(comparison.encrypt(features.tolist())) + len(shares.response)
    benchmark.extra_info["key bytes"] = len(comparison.public_key_message)
    benchmark.extra_info["largest error"] = error
    assert error < 0.01


@pytest.mark.parametrize("sizes", NETWORKS, ids=group)
def test_exact_layers(benchmark: BenchmarkFixture, sizes: tuple[int, ...]) -> None:
    benchmark.group = group(sizes)
    scheme = BfvLinear(WIDTHS)
    layers = [Layer.random(scheme, Dense(inputs, outputs), WIDTHS) for inputs, outputs in pairwise(sizes)]
    benchmark.extra_info["bytes"] = sum(len(layer.request) + len(layer.response) for layer in layers)
    benchmark.extra_info["key bytes"] = scheme.public_key_length()
    benchmark(lambda: [layer.query() for layer in layers])
