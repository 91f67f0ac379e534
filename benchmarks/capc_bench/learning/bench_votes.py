"""How fast the models of a simulation vote: exact integers of a network on many rows, beside the readable ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.job.models import exact_logits
from capc.learning.quantise import quantise
from capc.learning.training import FloatModel

SIZES = (784, 32, 10)
FRACTION_BITS = 12


@pytest.mark.parametrize(("engine", "rows"), [("readable", 1), ("arrays", 1), ("arrays", 9000)])
def test_integer_logits(benchmark: BenchmarkFixture, engine: str, rows: int) -> None:
    generator = np.random.default_rng(1)
    layers = list(pairwise(SIZES))
    weights = tuple(generator.normal(size=(outputs, inputs)) / inputs**0.5 for inputs, outputs in layers)
    model = quantise(FloatModel(weights, tuple(np.zeros(outputs) for _, outputs in layers)), FRACTION_BITS)
    features = np.rint(generator.uniform(-1, 1, (rows, SIZES[0])) * (1 << FRACTION_BITS)).astype(np.int64)
    if engine == "readable":
        benchmark(model.logits, features[0].tolist())
    else:
        benchmark(exact_logits, model, features)
