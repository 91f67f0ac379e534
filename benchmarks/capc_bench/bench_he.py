"""The HE layer: each side of one fully connected layer. Run with ``pytest benchmarks/capc_bench/bench_he.py``.

Bytes of a request and a response are recorded next to the times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc import ring
from capc.he import BfvLinear
from capc.linear import LayerShape, LinearScheme, Matrix
from capc.parameters import ParameterSet
from capc.randomness import XofSource, fresh_seed

SHAPES = [LayerShape(64, 32), LayerShape(32, 10), LayerShape(784, 128)]
WEIGHT_BITS = 14


@dataclass
class Layer:
    """One layer between two parties, with every message that a benchmark may start from."""

    scheme: LinearScheme
    shape: LayerShape
    weights: Matrix
    vector: list[int]
    addend: list[int]

    def __post_init__(self) -> None:
        self.secret_key, payload = self.scheme.generate_keys()
        self.public_key = self.scheme.read_public_key(payload)
        self.prepared = self.scheme.prepare(self.weights)
        self.request = self.encrypt()
        self.response = self.evaluate()

    def encrypt(self) -> bytes:
        """The querying party's request."""
        return self.scheme.encrypt(self.secret_key, self.shape, self.vector)

    def evaluate(self) -> bytes:
        """The answering party's response, its blinding included."""
        source = XofSource(fresh_seed(), b"bench")
        return self.scheme.evaluate(self.public_key, self.prepared, self.request, self.addend, source)

    def decrypt(self) -> list[int]:
        """The querying party's result."""
        return self.scheme.decrypt(self.secret_key, self.shape, self.response)


@pytest.fixture(params=["default", "test"])
def widths(request: pytest.FixtureRequest) -> ParameterSet:
    """The parameter set: N = 8192 or N = 4096."""
    return ParameterSet.named(request.param)


@pytest.fixture(params=SHAPES, ids=lambda shape: f"{shape.inputs}-{shape.outputs}")
def layer(request: pytest.FixtureRequest, widths: ParameterSet) -> Layer:
    """A layer with uniform shares and weights below 2 at 12 fraction bits."""
    shape: LayerShape = request.param
    source = XofSource(fresh_seed(), b"layer")
    half = 1 << (WEIGHT_BITS - 1)
    rows = [[w - half for w in ring.uniform(source, shape.inputs, WEIGHT_BITS)] for _ in range(shape.outputs)]
    return Layer(
        scheme=BfvLinear(widths),
        shape=shape,
        weights=tuple(map(tuple, rows)),
        vector=ring.uniform(source, shape.inputs, widths.logit_bits),
        addend=ring.uniform(source, shape.outputs, widths.logit_bits),
    )


def test_encrypt(benchmark: BenchmarkFixture, layer: Layer) -> None:
    _measure(benchmark, layer, layer.encrypt)


def test_evaluate(benchmark: BenchmarkFixture, layer: Layer) -> None:
    _measure(benchmark, layer, layer.evaluate)


def test_decrypt(benchmark: BenchmarkFixture, layer: Layer) -> None:
    _measure(benchmark, layer, layer.decrypt)


def test_prepare(benchmark: BenchmarkFixture, layer: Layer) -> None:
    _measure(benchmark, layer, lambda: layer.scheme.prepare(layer.weights))


def test_generate_keys(benchmark: BenchmarkFixture, widths: ParameterSet) -> None:
    scheme = BfvLinear(widths)
    benchmark.extra_info["public key bytes"] = scheme.public_key_length()
    benchmark(scheme.generate_keys)


def _measure(benchmark: BenchmarkFixture, layer: Layer, operation: Callable[[], object]) -> None:
    benchmark.extra_info["request bytes"] = len(layer.request)
    benchmark.extra_info["response bytes"] = len(layer.response)
    benchmark(operation)
