"""Linear operators and pools; whole models are in :mod:`capc_verify.vectors.cases.architectures.models`."""

from __future__ import annotations

from typing import Any

from capc.models.operators import Convolution, Dense, Grid, Operator, document
from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.architectures.models import architectures, models, sessions
from capc_verify.vectors.cases.architectures.tensors import operate, sums_of_windows, windows
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.operators import OPERATORS

_SUMS = ("CAPC-HE-010",)
_WINDOWS = ("CAPC-ARG-009",)
_BITS = 12
_REFUSED = Fault.of_caller("input_error")


def operators() -> FileBuilder:
    """Operators, pools, models in the clear, architectures, sessions."""
    file = FileBuilder(
        "operators",
        "CAPC-LAYERS",
        [
            "Layers of models: what each computes, which fit together, and how many bits a model needs.",
            "A value of c channels is flattened channel by channel, row by row. Rows of a convolution's weights are",
            "output channels; columns are the input channels of its group, each with its window row by row.",
            "`operator_multiply` and `sum_pool` take elements of Z_{2^bits}, as a party's share is, and give such.",
            "`max_pool_windows` gives the indices of the sums of each window; a place in the padding holds the first",
            "place of the window that is inside.",
            "`model_logits` gives signed integers with 2f fraction bits. `model_check_ranges` refuses a model that",
            "needs more bits than are given. `architecture_lengths` gives the lengths of value 0, 1, ...",
            "Weights and values are elements of the file's seed with labels `<test>/weights` and `<test>/values`,",
            "those of models with labels `<model>/<layer>/weights` and `<model>/<layer>/biases`.",
            "Models `bias_for_each_sum` have as many biases as sums, where others have one for each row of weights.",
            "Not tested: layers on ciphertexts, which he.json has for fully connected ones; the text of an error.",
        ],
    )
    group = file.group(OPERATORS)
    for name, operator, flags in _OPERATORS:
        _multiply(group, name, operator, flags)
    _misfits(group)
    for name, grid, flags in _POOLS:
        _sum_pool(group, name, grid, flags)
        _max_pool(group, name, grid, flags)
    group.case(
        "max_pool_windows",
        "max_pool_empty_window",
        "The first window lies in the padding only.",
        _WINDOWS,
        ["BadArchitecture"],
        grid=vars(Grid(1, 2, 2, (1, 1), padding=(1, 1))),
        fault=_REFUSED,
    )
    models(file)
    architectures(file)
    sessions(file)
    return file


_EDGE = ["EdgeWindow"]
_OPERATORS: tuple[tuple[str, Operator, list[str]], ...] = (
    ("dense_1_1", Dense(1, 1), []),
    ("dense_5_3", Dense(5, 3), []),
    ("convolution_1x1", Convolution(Grid(3, 2, 3, (1, 1)), 2), []),
    ("convolution_3x3", Convolution(Grid(2, 4, 5, (3, 3)), 2), []),
    ("convolution_whole_input", Convolution(Grid(2, 3, 2, (3, 2)), 4), []),
    ("convolution_not_square", Convolution(Grid(1, 4, 6, (1, 3)), 2), []),
    ("convolution_stride", Convolution(Grid(1, 5, 5, (2, 2), stride=(2, 3)), 2), []),
    ("convolution_stride_leaves_rest", Convolution(Grid(1, 4, 6, (3, 3), stride=(2, 2)), 1), []),
    ("convolution_padding", Convolution(Grid(2, 3, 3, (3, 3), padding=(1, 1)), 2), _EDGE),
    ("convolution_padding_not_square", Convolution(Grid(1, 2, 3, (3, 2), padding=(2, 1)), 1), _EDGE),
    ("convolution_dilation", Convolution(Grid(1, 5, 6, (2, 2), dilation=(2, 3)), 2), []),
    ("convolution_all_at_once", Convolution(Grid(4, 5, 4, (3, 2), (2, 1), (1, 2), (2, 2)), 2, groups=2), _EDGE),
    ("convolution_two_groups", Convolution(Grid(4, 3, 3, (2, 2)), 6, groups=2), []),
    ("convolution_depthwise", Convolution(Grid(3, 4, 4, (3, 3), padding=(1, 1)), 3, groups=3), _EDGE),
    ("convolution_depthwise_twofold", Convolution(Grid(2, 3, 3, (2, 2)), 4, groups=2), []),
)
_POOLS: tuple[tuple[str, Grid, list[str]], ...] = (
    ("2x2", Grid(2, 4, 4, (2, 2), (2, 2)), []),
    ("overlapping", Grid(1, 5, 5, (3, 3), (2, 2)), []),
    ("padded", Grid(2, 4, 3, (3, 3), (2, 2), (1, 1)), _EDGE),
    ("padded_not_square", Grid(1, 3, 5, (2, 3), (1, 2), (1, 0)), _EDGE),
    ("dilated", Grid(1, 5, 5, (2, 2), (1, 2), (1, 1), (2, 2)), _EDGE),
    ("of_one", Grid(2, 2, 2, (1, 1)), []),
    ("of_everything", Grid(3, 3, 2, (3, 2)), []),
)


def _weights(group: GroupBuilder, name: str, operator: Operator) -> list[list[int]]:
    """Signed weights of 8 bits."""
    drawn = [w - 128 for w in group.source.elements(f"{name}/weights", operator.rows * operator.columns, 8)]
    return [drawn[row * operator.columns : (row + 1) * operator.columns] for row in range(operator.rows)]


def _multiply(group: GroupBuilder, name: str, operator: Operator, flags: list[str]) -> None:
    weights = _weights(group, name, operator)
    values = group.source.elements(f"{name}/values", operator.inputs, _BITS)
    found = group.case(
        "operator_multiply",
        name,
        "The operator on one party's share.",
        _SUMS,
        ["Wrap", *flags],
        operator=document(operator),
        weights=weights,
        values=values,
        bits=_BITS,
    )
    expected = [total % (1 << _BITS) for total in operate(operator, tuple(map(tuple, weights)), values)]
    expect_equal(found["sums"], expected, name)


def _misfits(group: GroupBuilder) -> None:
    operator = Convolution(Grid(2, 3, 3, (2, 2)), 2)
    for name, weights in (
        ("a_row_missing", [[1] * 8]),
        ("a_row_surplus", [[1] * 8] * 3),
        ("a_column_missing", [[1] * 7] * 2),
        ("one_row_shorter", [[1] * 8, [1] * 7]),
    ):
        fields: dict[str, Any] = {"weights": weights, "values": [0] * 18, "bits": _BITS}
        group.case(
            "operator_multiply",
            f"weights_{name}",
            "The weights do not fit the operator.",
            _SUMS,
            ["CallerMistake"],
            operator=document(operator),
            fault=_REFUSED,
            **fields,
        )


def _sum_pool(group: GroupBuilder, name: str, grid: Grid, flags: list[str]) -> None:
    test = group.test(f"sum_pool_{name}", "Sums of one party's share.", _SUMS, ["Wrap", *flags])
    values = group.source.elements(f"{test.name}/values", grid.inputs, _BITS)
    found = test.run("sum_pool", grid=vars(grid), values=values, bits=_BITS)
    expect_equal(found["sums"], [total % (1 << _BITS) for total in sums_of_windows(values, grid)], test.name)


def _max_pool(group: GroupBuilder, name: str, grid: Grid, flags: list[str]) -> None:
    found = group.case(
        "max_pool_windows", f"max_pool_{name}", "Which sums each window takes.", _WINDOWS, flags, grid=vars(grid)
    )
    expected = [
        [_first_inside(window) if index is None else index for index in window]
        for channel in windows(range(grid.inputs), grid, None)
        for window in channel
    ]
    expect_equal(found["windows"], expected, f"max_pool_{name}")


def _first_inside(window: list[int | None]) -> int:
    return next(index for index in window if index is not None)
