"""Linear operators, pools, and whole models in the clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.model import QuantisedModel
from capc.models.operators import Dense, Grid, SumPool, check_weights, multiply
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.shapes import (
    ARCHITECTURE,
    GRID,
    OPERATOR,
    architecture_from,
    grid_from,
    layers_from,
    operator_from,
)
from capc_verify.vectors.values import COUNT, INTEGERS, many, record

_WEIGHTS = many(INTEGERS)
_LENGTHS = many(COUNT)


def _multiply(call: Call) -> Result:
    operator, weights = operator_from(call["operator"]), tuple(map(tuple, call["weights"]))
    check_weights(operator, weights)
    return Result({"sums": multiply(operator, weights, call["values"], call["bits"])})


def _sum_pool(call: Call) -> Result:
    pool = SumPool(grid_from(call["grid"]))
    stage = StageShape(Dense(pool.outputs, 1), 0, Activation.VOTE, sum_pool=pool)
    return Result({"sums": stage.pool_share(call["values"], call["bits"])})


def _max_pool_windows(call: Call) -> Result:
    grid = grid_from(call["grid"])
    return Result({"windows": [list(window) for window in _pooling(grid).stages[0].pool_windows()]})


def _pooling(grid: Grid) -> Architecture:
    """The smallest model with this max pool: only an architecture checks that no window is empty."""
    pool = StageShape(Dense(1, grid.inputs), 0, Activation.RELU_MAX_POOL, max_pool=grid)
    return Architecture((pool, StageShape(Dense(pool.outputs, 1), 1, Activation.VOTE)))


OPERATORS = GroupType(
    "Operator",
    named(
        Operation(
            "operator_multiply",
            _multiply,
            {"operator": OPERATOR, "weights": _WEIGHTS, "values": INTEGERS, "bits": COUNT},
            {"sums": INTEGERS},
        ),
        Operation("sum_pool", _sum_pool, {"grid": GRID, "values": INTEGERS, "bits": COUNT}, {"sums": INTEGERS}),
        Operation("max_pool_windows", _max_pool_windows, {"grid": GRID}, {"windows": many(_LENGTHS)}),
    ),
)


def _lengths(call: Call) -> Result:
    architecture = architecture_from(call["architecture"])
    return Result({"lengths": [architecture.inputs, *(stage.outputs for stage in architecture.stages)]})


ARCHITECTURES = GroupType(
    "Architecture",
    named(Operation("architecture_lengths", _lengths, {"architecture": ARCHITECTURE}, {"lengths": _LENGTHS})),
)


def model_from(params: Mapping[str, Any]) -> QuantisedModel:
    """The model that a group's parameters state."""
    architecture = architecture_from(params["architecture"])
    return QuantisedModel(architecture, layers_from(params["layers"]), params["fraction_bits"])


def _check_ranges(call: Call) -> Result:
    call.environment.check_ranges(call["logit_bits"])
    return Result()


MODELS = GroupType(
    "Model",
    named(
        Operation(
            "model_logits",
            lambda call: Result({"logits": call.environment.logits(call["features"])}),
            {"features": INTEGERS},
            {"logits": INTEGERS},
        ),
        Operation("model_check_ranges", _check_ranges, {"logit_bits": COUNT}),
    ),
    {
        "architecture": ARCHITECTURE,
        "layers": many(record({"weights": _WEIGHTS, "biases": INTEGERS})),
        "fraction_bits": COUNT,
    },
    model_from,
)
