"""Architectures with one fault each, as documents: no object of the reference can hold them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

_Stage = dict[str, Any]

_LAYERS, _POOLS, _FIGURES = "CAPC-HE-010", "CAPC-ARG-009", "CAPC-ROLE-022"


def _dense(inputs: int, outputs: int, source: int, activation: str = "relu", **changes: object) -> _Stage:
    """A fully connected stage, and changes to it."""
    stage: _Stage = {
        "operator": {"kind": "dense", "inputs": inputs, "outputs": outputs},
        "source": source,
        "activation": activation,
        "skips": [],
        "sum_pool": None,
        "max_pool": None,
    }
    return {**stage, **changes}


def _grid(**changes: object) -> dict[str, Any]:
    """Windows of 2 x 2 over a value of 4 channels of 3 x 3, and changes to them."""
    grid: dict[str, Any] = {
        "channels": 4,
        "height": 3,
        "width": 3,
        "kernel": [2, 2],
        "stride": [1, 1],
        "padding": [0, 0],
        "dilation": [1, 1],
    }
    return {**grid, **changes}


def _convolution(votes: int = 16, out_channels: int = 4, groups: int = 2, **grid: object) -> list[_Stage]:
    """A convolution, and a vote on as many values as the formula gives for it, so that only one check fails."""
    operator = {"kind": "convolution", "grid": _grid(**grid), "out_channels": out_channels, "groups": groups}
    return [_dense(1, 1, 0, operator=operator), _dense(votes, 2, 1, "vote")]


def _max_pool(inputs: int = 36, activation: str = "relu_max_pool", **grid: object) -> list[_Stage]:
    pool = {"kind": "grid", **_grid(**grid)}
    return [_dense(5, inputs, 0, activation, max_pool=pool), _dense(16, 2, 1, "vote")]


def _sum_pool(inputs: int = 16, **grid: object) -> list[_Stage]:
    return [_dense(5, 36, 0), _dense(inputs, 2, 1, "vote", sum_pool={"kind": "sumpool", "grid": _grid(**grid)})]


VOTE_ONLY = _dense(32, 3, 0, "vote")
"""One stage that votes: 32 features, 3 classes."""
_VOTE = _dense(4, 4, 0, "vote")
_RELU = _dense(4, 4, 0)

FAULTY: Sequence[tuple[str, str, str, list[_Stage]]] = (
    ("no_stage", "There is no stage.", _LAYERS, []),
    (
        "too_many_stages",
        "255 stages are the most.",
        _LAYERS,
        [*(_dense(1, 1, i) for i in range(255)), _dense(1, 2, 255, "vote")],
    ),
    ("no_vote", "The last stage does not vote.", _LAYERS, [_RELU]),
    ("last_stage_leaves_sums", "The last stage does not vote.", _LAYERS, [_dense(4, 4, 0, "none")]),
    ("two_votes", "A stage before the last votes.", _LAYERS, [_VOTE, _dense(4, 4, 1, "vote")]),
    ("source_is_own_value", "A stage takes its own value.", _LAYERS, [_RELU, _dense(4, 4, 2, "vote")]),
    ("source_comes_later", "A stage takes a later value.", _LAYERS, [_dense(4, 4, 2), _dense(4, 4, 1, "vote")]),
    ("skip_is_own_value", "A stage adds its own value.", _LAYERS, [_RELU, _dense(4, 4, 1, "vote", skips=[2])]),
    ("skip_comes_later", "A stage adds a later value.", _LAYERS, [{**_RELU, "skips": [2]}, _dense(4, 4, 1, "vote")]),
    (
        "operates_on_sums",
        "A stage's source was left as sums.",
        _LAYERS,
        [_dense(4, 4, 0, "none"), _dense(4, 4, 1, "vote")],
    ),
    ("source_too_long", "The source has one more value.", _LAYERS, [_RELU, _dense(3, 2, 1, "vote")]),
    ("source_too_short", "The source has one value less.", _LAYERS, [_RELU, _dense(5, 2, 1, "vote")]),
    ("skip_too_long", "The added value has one more.", _LAYERS, [_RELU, _dense(4, 3, 1, "vote", skips=[0])]),
    ("skip_too_short", "The added value has one less.", _LAYERS, [_RELU, _dense(4, 5, 1, "vote", skips=[1])]),
    ("cap_of_no_bits", "A cap of 0 bits.", _FIGURES, [{**_RELU, "cap_bits": 0}, _dense(4, 2, 1, "vote")]),
    ("cap_of_nothing", "A cap of 0.", _FIGURES, [{**_RELU, "cap": Fraction(0)}, _dense(4, 2, 1, "vote")]),
    ("rational_cap_of_vote", "A vote with a cap.", _FIGURES, [_dense(4, 2, 0, "vote", cap=Fraction(6))]),
    ("leak_too_small", "A leak of slope 2^-33.", _FIGURES, [{**_RELU, "leak_bits": 33}, _dense(4, 2, 1, "vote")]),
    ("leak_of_vote", "A vote with a leak.", _FIGURES, [_dense(4, 2, 0, "vote", leak_bits=3)]),
    (
        "leak_and_cap",
        "A ReLU with a leak and a cap that is no figure.",
        _FIGURES,
        [{**_RELU, "leak_bits": 1, "cap": Fraction(6)}, _dense(4, 2, 1, "vote")],
    ),
    ("sums_of_no_bits", "A bound of 0 bits.", _FIGURES, [_dense(4, 2, 0, "vote", sum_bits=0)]),
    ("cap_of_vote", "A vote with a cap.", _FIGURES, [_dense(4, 2, 0, "vote", cap_bits=3)]),
    (
        "cap_of_sums",
        "Sums with a cap.",
        _FIGURES,
        [_dense(4, 4, 0, "none", cap_bits=3), _dense(4, 4, 0, "vote", skips=[1])],
    ),
    (
        "sums_of_other_weight_bits",
        "Sums with weights of 3 fraction bits are added to sums with 2.",
        _FIGURES,
        [_dense(4, 4, 0, "none", weight_bits=3), _dense(4, 4, 0, "vote", skips=[1], weight_bits=2)],
    ),
    (
        "sums_of_stated_weight_bits",
        "Sums with stated fraction bits of weights are added to sums without.",
        _FIGURES,
        [_dense(4, 4, 0, "none", weight_bits=2), _dense(4, 4, 0, "vote", skips=[1])],
    ),
    ("dense_no_inputs", "An operator without inputs.", _LAYERS, [_dense(0, 2, 0, "vote")]),
    ("dense_no_outputs", "An operator without outputs.", _LAYERS, [_dense(2, 0, 0, "vote")]),
    ("no_channels", "An input without channels.", _LAYERS, _convolution(channels=0)),
    ("no_height", "An input without rows.", _LAYERS, _convolution(height=0)),
    ("no_width", "An input without columns.", _LAYERS, _convolution(width=0)),
    ("window_without_rows", "A window of height 0.", _LAYERS, _convolution(32, kernel=[0, 2])),
    ("window_without_columns", "A window of width 0.", _LAYERS, _convolution(32, kernel=[2, 0])),
    ("stride_zero", "A stride of 0.", _LAYERS, _convolution(stride=[1, 0])),
    ("dilation_zero", "A dilation of 0.", _LAYERS, _convolution(24, dilation=[0, 1])),
    ("window_too_high", "A window of 4 rows on 3.", _LAYERS, _convolution(kernel=[4, 2])),
    ("window_too_wide", "A window of 4 columns on 3.", _LAYERS, _convolution(kernel=[2, 4])),
    ("dilated_window_too_wide", "A window that reaches over 4 of 3 columns.", _LAYERS, _convolution(dilation=[1, 3])),
    ("no_out_channels", "A convolution without outputs.", _LAYERS, _convolution(out_channels=0)),
    ("no_groups", "A convolution without groups.", _LAYERS, _convolution(groups=0)),
    (
        "groups_do_not_divide_inputs",
        "3 groups of 4 input channels.",
        _LAYERS,
        _convolution(24, out_channels=6, groups=3),
    ),
    ("groups_do_not_divide_outputs", "2 groups of 5 output channels.", _LAYERS, _convolution(20, out_channels=5)),
    ("sum_pool_gives_more", "A pool gives 16 sums and the operator takes 15.", _LAYERS, _sum_pool(15)),
    ("sum_pool_of_other_length", "A pool of 27 values on 36.", _LAYERS, _sum_pool(12, channels=3)),
    ("sum_pool_stride_zero", "A pool with a stride of 0.", _LAYERS, _sum_pool(stride=[0, 1])),
    (
        "max_pool_missing",
        "The activation pools, and there are no windows.",
        _POOLS,
        [_dense(5, 16, 0, "relu_max_pool"), _dense(16, 2, 1, "vote")],
    ),
    ("max_pool_of_relu", "There are windows, and the activation does not pool.", _POOLS, _max_pool(activation="relu")),
    (
        "max_pool_of_sums",
        "There are windows, and the activation is none.",
        _POOLS,
        [*_max_pool(activation="none")[:1], _dense(5, 2, 0, "vote")],
    ),
    ("max_pool_of_vote", "There are windows after the vote.", _POOLS, _max_pool(activation="vote")[:1]),
    ("max_pool_of_other_length", "A pool of 36 sums on 35.", _POOLS, _max_pool(35)),
    (
        "max_pool_empty_window",
        "The first window lies in the padding only.",
        _POOLS,
        [
            _dense(
                5,
                4,
                0,
                "relu_max_pool",
                max_pool={"kind": "grid", **_grid(kernel=[1, 1], padding=[1, 0], channels=1, height=2, width=2)},
            ),
            _dense(8, 2, 1, "vote"),
        ],
    ),
)
"""Name, what is wrong, the statement, the stages."""
