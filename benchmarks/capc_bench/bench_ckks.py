"""A whole query with CKKS and squares, and the exact layers of the same shapes, in the same run.

Rows of a group share a network. The CKKS row is the comparison variant: request, evaluation under encryption, mask
and decryption, with every leak of docs/ckks-comparison.md. The exact row is the HE part of the protocol's own
inference, circuit private, blinding included: each linear layer's request, response and decryption, without the
two-party ReLU between them. The variant needs none: that is what squares buy.

`key bytes` is what each answering party receives once.

The last group is a batch of whole queries by the roles' programs, to released labels, with networks trained on digits:
once with CKKS, once with the protocol's own inference. Bytes of each step are beside the seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.foundation import fixed_point
from capc.foundation.randomness import XofSource, fresh_seed
from capc.job.collaboration import open_collaboration
from capc.job.state import Labeller
from capc.learning.bounds import weight_bound
from capc.learning.data import load_digits
from capc.learning.quantise import quantise
from capc.learning.training import TrainingTask, train
from capc.linear.bfv import BfvLinear
from capc.models.operators import Dense
from capc.privacy.account import Account
from capc.privacy.accountants.policies import policy_budget
from capc.session.parameters import Parameters
from capc.session.widths import ParameterSet
from capc_bench.bench_he_layer import Layer
from capc_bench.bench_inference import POLICY
from capc_bench.ckks.inference import Comparison, open_ckks_collaboration, open_comparison
from capc_bench.ckks.network import SquareNetwork
from capc_bench.ckks.training import train as train_squares

NETWORKS = [(64, 10), (64, 32, 10), (784, 128, 10)]
WIDTHS = ParameterSet.named("default")
_DRAW_BITS = 20


def group(sizes: tuple[int, ...]) -> str:
    return "query " + "-".join(map(str, sizes))


def reals(count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Numbers in [-1, 1)."""
    source = XofSource(fresh_seed(), b"bench")
    return np.array([source.bits(_DRAW_BITS) for _ in range(count)]) / (1 << (_DRAW_BITS - 1)) - 1.0


def one_query(comparison: Comparison, features: Sequence[float]) -> tuple[bytes, bytes, list[int], list[int]]:
    """Request, response, and both parties' shares of the logits."""
    request = comparison.encrypt(features)
    response, mask = comparison.respond(1, request, fresh_seed())
    return request, response, mask, comparison.open(response)


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
    request, response, mask, share = benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: one_query(comparison, features.tolist()), rounds=2, warmup_rounds=0
    )
    half, modulus = 1 << (WIDTHS.logit_bits - 1), 1 << WIDTHS.logit_bits
    opened = np.array([(a + b + half) % modulus - half for a, b in zip(share, mask, strict=True)]) / (
        1 << WIDTHS.fraction_bits
    )
    error = float(np.abs(opened - network.logits(features)).max())
    benchmark.extra_info["bytes"] = len(request) + len(response)
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


@pytest.mark.parametrize("inference", ["ckks", "exact"])
def test_labels(benchmark: BenchmarkFixture, inference: str) -> None:
    benchmark.group = "two queries to two parties with 64-10 and 64-16-10, to released labels"
    digits, hidden = load_digits(), ((), (16,))
    rows, labels = digits.features[:1300], digits.labels[:1300]
    parameters = Parameters(WIDTHS, 10, 64, POLICY)
    account = Account(POLICY, WIDTHS.grid_bits, policy_budget(POLICY))
    collaboration: Labeller
    if inference == "ckks":
        squares = [train_squares(rows, labels, 10, widths, 0) for widths in hidden]
        collaboration = open_ckks_collaboration(parameters, squares, account)
    else:
        bounds = [weight_bound((64, *widths, 10), WIDTHS.fraction_bits, WIDTHS.logit_bits) for widths in hidden]
        tasks = [
            TrainingTask(rows, labels, 10, widths, (0,), bound) for widths, bound in zip(hidden, bounds, strict=True)
        ]
        relus = [quantise(train(task), WIDTHS.fraction_bits) for task in tasks]
        collaboration = open_collaboration(parameters, relus, account)
    queries = [fixed_point.quantise(digits.features[row].tolist(), WIDTHS.fraction_bits) for row in (1400, 1500)]
    results = benchmark.pedantic(lambda: collaboration.label_batch(queries), rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["equal to the ideal"] = sum(result.label == result.ideal_label for result in results)
    benchmark.extra_info["bytes"] = {step: cost.bytes for step, cost in collaboration.costs.items()}
