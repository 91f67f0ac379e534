"""The same layers with TenSEAL's own CKKS products, in the same run, so that ratios can be read off.

TenSEAL's rows hide nothing of the weights: no mask, no re-randomisation. Rows of a group share a layer:

| group     | layer                                                                     |
| 784-128   | fully connected, 784 to 128                                               |
| 64-32     | fully connected, 64 to 32                                                 |
| conv 7x7  | 1 x 28 x 28, five kernels of 7 x 7, stride 3: `conv2d_im2col` fits N=8192 |

"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tenseal as ts
from pytest_benchmark.fixture import BenchmarkFixture

from capc.linear.bfv import BfvLinear
from capc.models.operators import Convolution, Dense, Grid, Operator
from capc.session.widths import ParameterSet
from capc_bench.bench_he_layer import Layer

CONVOLUTION = Convolution(Grid(1, 28, 28, (7, 7), stride=(3, 3)), 5)
OPERATORS: dict[str, Operator] = {"784-128": Dense(784, 128), "64-32": Dense(64, 32), "conv 7x7": CONVOLUTION}
UNIT = 1 << 12
"""12 fraction bits, as the default set has."""


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("widths", ["conservative", "default"])
def test_exact_and_masked(benchmark: BenchmarkFixture, name: str, widths: str) -> None:
    """This layer: request, product, masks and decryption."""
    benchmark.group = name
    parameters = ParameterSet.named(widths)
    layer = Layer.random(BfvLinear(parameters), OPERATORS[name], parameters)
    benchmark.extra_info["bytes"] = len(layer.request) + len(layer.response)
    benchmark(layer.query)


@pytest.fixture(scope="module")
def ckks() -> ts.Context:
    """One level at 40 bits of scale, with the rotation keys that its products need, on one thread."""
    context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 60], n_threads=1)
    context.global_scale = 2**40
    context.generate_galois_keys()
    return context


@pytest.mark.parametrize("name", ["784-128", "64-32"])
def test_tenseal_mm(benchmark: BenchmarkFixture, ckks: ts.Context, name: str) -> None:
    """TenSEAL: encryption, `mm` and decryption."""
    layer, values = _real_layer(OPERATORS[name])
    columns = [list(column) for column in zip(*layer, strict=True)]
    expected = [sum(w * x for w, x in zip(row, values, strict=True)) for row in layer]

    def query() -> list[float]:
        result: list[float] = ts.ckks_vector(ckks, values).mm(columns).decrypt()
        return result

    _measure(benchmark, name, query, expected)


def test_tenseal_conv2d_im2col(benchmark: BenchmarkFixture, ckks: ts.Context) -> None:
    """TenSEAL: im2col encoding and encryption, one `conv2d_im2col` and decryption per kernel."""
    kernels, values = _real_layer(CONVOLUTION)
    grid = CONVOLUTION.grid
    image = [values[row : row + grid.width] for row in range(0, len(values), grid.width)]
    expected = [
        sum(w * values[index] for w, index in zip(kernel, window, strict=True))
        for kernel in kernels
        for window in grid.windows(0)
    ]
    size = grid.kernel[1]
    squares = [[kernel[row : row + size] for row in range(0, len(kernel), size)] for kernel in kernels]

    def query() -> list[float]:
        encrypted, windows = ts.im2col_encoding(ckks, image, *grid.kernel, grid.stride[0])
        results: list[float] = []
        for square in squares:
            results += encrypted.conv2d_im2col(square, windows).decrypt()
        return results

    _measure(benchmark, "conv 7x7", query, expected)


def _real_layer(operator: Operator) -> tuple[list[list[float]], list[float]]:
    """Weights and inputs below 2, as reals."""
    parameters = ParameterSet.named("default")
    layer = Layer.random(BfvLinear(parameters), operator, parameters)
    (vector,) = layer.vectors
    values = [value % UNIT / UNIT for value in vector]
    return [[weight / UNIT for weight in row] for row in layer.weights], values


def _measure(benchmark: BenchmarkFixture, group: str, query: Callable[[], list[float]], expected: list[float]) -> None:
    benchmark.group = group
    # A product takes seconds: two rounds say enough.
    results = benchmark.pedantic(query, rounds=2, warmup_rounds=0)  # type: ignore[no-untyped-call]
    error = max(abs(result - value) for result, value in zip(results, expected, strict=True))
    benchmark.extra_info["largest error"] = error
    assert error < 0.01
