"""Operators, pools and architectures as session documents hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from capc.models.architecture import STATED, Activation, Architecture, StageShape
from capc.models.model import QuantisedLayer
from capc.models.operators import Convolution, Dense, Grid, Operator, SumPool
from capc_verify.vectors.values import COUNT, RATIONAL, choice, constant, many, one_of, optional, record

_PAIR = many(COUNT)
_GRID = {
    "channels": COUNT,
    "height": COUNT,
    "width": COUNT,
    "kernel": _PAIR,
    "stride": _PAIR,
    "padding": _PAIR,
    "dilation": _PAIR,
}
GRID = record(_GRID)
"""Windows over a value."""
OPERATOR = one_of(
    {"kind": constant("dense"), "inputs": COUNT, "outputs": COUNT},
    {"kind": constant("convolution"), "grid": GRID, "out_channels": COUNT, "groups": COUNT},
)
"""A linear operator."""
_STAGE = {
    "operator": OPERATOR,
    "source": COUNT,
    "activation": choice(Activation),
    "skips": many(COUNT),
    "sum_pool": optional(record({"kind": constant("sumpool"), "grid": GRID})),
    "max_pool": optional(record({"kind": constant("grid"), **_GRID})),
}
_STATED = {**dict.fromkeys(STATED, COUNT), "cap": RATIONAL}
ARCHITECTURE = many(record(_STAGE, _STATED))
"""The stages of a model, in order."""


def architecture_from(stages: Sequence[Mapping[str, Any]]) -> Architecture:
    """The architecture that a document states."""
    return Architecture(tuple(map(_stage_from, stages)))


def layers_from(layers: Iterable[Mapping[str, Any]]) -> tuple[QuantisedLayer, ...]:
    """The layers that fields of weights and biases state."""
    return tuple(QuantisedLayer(tuple(map(tuple, layer["weights"])), tuple(layer["biases"])) for layer in layers)


def operator_from(fields: Mapping[str, Any]) -> Operator:
    """The operator that the fields name."""
    if fields["kind"] == "dense":
        return Dense(fields["inputs"], fields["outputs"])
    return Convolution(grid_from(fields["grid"]), fields["out_channels"], fields["groups"])


def grid_from(fields: Mapping[str, Any]) -> Grid:
    """The windows that the fields name."""
    sizes = {name: tuple(fields[name]) for name in ("kernel", "stride", "padding", "dilation")}
    return Grid(fields["channels"], fields["height"], fields["width"], **sizes)


def _stage_from(fields: Mapping[str, Any]) -> StageShape:
    sum_pool, max_pool = fields["sum_pool"], fields["max_pool"]
    return StageShape(
        operator_from(fields["operator"]),
        fields["source"],
        fields["activation"],
        tuple(fields["skips"]),
        None if sum_pool is None else SumPool(grid_from(sum_pool["grid"])),
        None if max_pool is None else grid_from(max_pool),
        **{name: fields[name] for name in _STATED if name in fields},
    )
