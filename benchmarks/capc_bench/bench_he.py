"""The HE layer: each side of one linear operator. Run with ``pytest benchmarks/capc_bench/bench_he.py``.

Bytes of a request and a response are recorded next to the times.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.foundation.randomness import XofSource, fresh_seed
from capc.linear.bfv import BfvLinear, PooledLinear
from capc.models.operators import Convolution, Dense, Grid, Operator
from capc.session.widths import ParameterSet
from capc_bench.bench_he_layer import Layer

OPERATORS: dict[str, Operator] = {
    "64-32": Dense(64, 32),
    "32-10": Dense(32, 10),
    "784-128": Dense(784, 128),
    "conv 5x5, 1x28x28 to 5": Convolution(Grid(1, 28, 28, (5, 5)), 5),
    "conv 5x5 stride 2, 1x28x28 to 5": Convolution(Grid(1, 28, 28, (5, 5), stride=(2, 2), padding=(2, 2)), 5),
    "conv 3x3, 16x8x8 to 16": Convolution(Grid(16, 8, 8, (3, 3), padding=(1, 1)), 16),
    "conv 3x3, 3x32x32 to 16": Convolution(Grid(3, 32, 32, (3, 3), padding=(1, 1)), 16),
    "depthwise 3x3, 32x8x8": Convolution(Grid(32, 8, 8, (3, 3), padding=(1, 1)), 32, 32),
    "conv 1x1 stride 2, 16x16x16 to 32": Convolution(Grid(16, 16, 16, (1, 1), stride=(2, 2)), 32),
}

CHEETAH_BYTES = {
    ("64-32-10", 1): 630_000,
    ("64-32-10", 64): 1_260_000,
    ("784-128-10", 1): 960_000,
    ("784-128-10", 64): 2_990_000,
}
"""Networks and batches, and what SPU 0.9.5 (CHEETAH, semi-honest) sends in both directions for all of them: its figures
hold the non-linear layers and the argmax too."""


@pytest.fixture(params=["conservative", "default"])
def widths(request: pytest.FixtureRequest) -> ParameterSet:
    """The parameter set: N = 8192 or N = 4096."""
    return ParameterSet.named(request.param)


@pytest.fixture(params=OPERATORS)
def layer(request: pytest.FixtureRequest, widths: ParameterSet) -> Layer:
    """An operator with uniform shares and weights below 2 at 12 fraction bits."""
    return Layer.random(BfvLinear(widths), OPERATORS[request.param], widths)


STEPS: dict[str, Callable[[Layer], object]] = {
    "encrypt": Layer.encrypt,
    "evaluate": Layer.evaluate,
    "decrypt": Layer.decrypt,
    "multiply_in_the_clear": Layer.multiply,
    "prepare": lambda layer: layer.scheme.prepare(layer.operator, layer.weights),
    # Both sides of one query.
    "all_in": Layer.query,
}


@pytest.mark.parametrize("step", STEPS)
def test_step(benchmark: BenchmarkFixture, layer: Layer, step: str) -> None:
    _record(benchmark, layer)
    benchmark(STEPS[step], layer)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(("network", "count"), CHEETAH_BYTES)
def test_all_layers_of_a_network(
    benchmark: BenchmarkFixture, widths: ParameterSet, network: str, count: int, processes: int
) -> None:
    """Both sides of every layer of a fully connected network; no two-party computation."""
    with ExitStack() as stack:
        scheme = BfvLinear(widths) if processes == 1 else stack.enter_context(PooledLinear(widths, processes - 1))
        sizes = map(int, network.split("-"))
        layers = [Layer.random(scheme, Dense(*pair), widths, count) for pair in pairwise(sizes)]
        total = sum(len(layer.request) + len(layer.response) for layer in layers)
        benchmark.extra_info["queries"] = count
        benchmark.extra_info["bytes per query"] = total // count
        benchmark.extra_info["bytes per query, SPU CHEETAH, all of the query"] = CHEETAH_BYTES[network, count] // count

        def query() -> None:
            for layer in layers:
                layer.query()

        benchmark(query)


@pytest.mark.parametrize("count", [64, 2000])
def test_multiply_a_batch_in_the_clear(benchmark: BenchmarkFixture, count: int) -> None:
    """The answering party's own part, 784 to 128."""
    widths = ParameterSet.named("default")
    scheme = BfvLinear(widths)
    layer = Layer.random(scheme, Dense(784, 128), widths)
    rows = layer.vectors * count
    benchmark(lambda: scheme.multiply(layer.prepared, rows))


def test_generate_keys(benchmark: BenchmarkFixture, widths: ParameterSet) -> None:
    scheme = BfvLinear(widths)
    benchmark.extra_info["public key bytes"] = scheme.public_key_length()
    source = XofSource(fresh_seed(), b"bench")
    benchmark(lambda: scheme.public_key(scheme.generate_secret_key(), b"binding", source))


def _record(benchmark: BenchmarkFixture, layer: Layer) -> None:
    benchmark.extra_info["request bytes"] = len(layer.request)
    benchmark.extra_info["response bytes"] = len(layer.response)
