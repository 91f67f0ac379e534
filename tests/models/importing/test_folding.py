"""What is folded into its neighbours, one fold at a time: module, file, what was read, and integers agree.

Random networks of them are in ``test_equality``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from torch import nn

from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import lower
from support.integers import check, onnx_graph, rows_for, torch_logits
from support.networks import Between, Both, Constants, Shape, lively, seeded, shape_after
from support.onnx_files import OnnxWriter, onnx_model

IMAGE: Shape = (2, 4, 4)


def voting(*layers: nn.Module) -> nn.Module:
    network = nn.Sequential(*layers, nn.Flatten())
    (features,) = shape_after([network], IMAGE)
    return lively(seeded(nn.Sequential(*network, nn.Linear(features, 3)), seed=2))


def rectified(kernel: int, padding: int = 0) -> list[nn.Module]:
    return [nn.Conv2d(2, 2, kernel, padding=padding), nn.ReLU()]


def both(other: nn.Module, *, added: bool) -> nn.Module:
    main = [nn.Conv2d(2, 2, 3, padding=1), *([] if added else [nn.ReLU()])]
    return Both(nn.Sequential(*main), other, added=added)


FOLDS: dict[str, nn.Module] = {
    "shift_under_padding": voting(Constants((2, 1, 1), (2, 1, 1)), *rectified(3, 1)),
    "shift_of_each_pixel": voting(Constants((), IMAGE), *rectified(3, 1)),
    "shift_under_an_average_pool": voting(
        *rectified(1), Constants((), (2, 1, 1)), nn.AvgPool2d(2, 1, 1), *rectified(1)
    ),
    "zeros_on_one_side": voting(nn.ZeroPad2d((1, 0, 0, 2)), *rectified(2, 1)),
    "shift_under_zeros_on_one_side": voting(Constants((), (2, 1, 1)), nn.ZeroPad2d((0, 2, 1, 0)), *rectified(2)),
    "normalised_addition": voting(*rectified(1), both(nn.Identity(), added=True), nn.BatchNorm2d(2), nn.ReLU()),
    "normalised_addition_of_sums": voting(
        *rectified(1),
        both(nn.Sequential(*rectified(3, 1), nn.Conv2d(2, 2, 1)), added=True),
        nn.BatchNorm2d(2),
        nn.ReLU(),
    ),
    "normalised_layer_of_a_concatenation": voting(
        both(nn.Identity(), added=False), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2), nn.ReLU()
    ),
    "joined": voting(both(nn.Identity(), added=False), nn.Conv2d(4, 2, 1), nn.ReLU()),
    "joined_at_the_end": voting(both(nn.ReLU(), added=False)),
    "joined_and_normalised": voting(
        Both(nn.Sequential(*rectified(1)), nn.Identity(), added=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 2, 1),
        nn.ReLU(),
    ),
    "relu6": voting(nn.Conv2d(2, 2, 1), Constants((), (), positive=True), nn.ReLU6(), *rectified(1)),
    "shifted_relu_under_padding": voting(nn.Conv2d(2, 2, 1), nn.Hardtanh(-0.25, 0.25), *rectified(3, 1)),
    "bound_below_under_an_average_pool": voting(
        nn.Conv2d(2, 2, 1), Between(0.1, None), nn.AvgPool2d(2, 1, 1), *rectified(1)
    ),
    "bound_above": voting(nn.Conv2d(2, 2, 1), Between(None, 0.1), *rectified(3, 1)),
    "bound_above_after_an_addition": voting(*rectified(1), both(nn.Identity(), added=True), Between(None, 0.5)),
    "bounds_after_a_max_pool": voting(
        nn.Conv2d(2, 2, 1), nn.MaxPool2d(2, 1, 1), Between(-0.25, 0.375), *rectified(3, 1)
    ),
    "hard_sigmoid_before_a_max_pool": voting(nn.Conv2d(2, 2, 1), nn.Hardsigmoid(), nn.MaxPool2d(2), *rectified(1)),
    "bounds_one_after_another": voting(
        nn.Conv2d(2, 2, 1), nn.ReLU(), Between(None, 0.4), Between(0.2, None), *rectified(1)
    ),
    "shifted_skip": voting(nn.Conv2d(2, 2, 1), nn.Hardtanh(-0.25, 0.25), both(nn.Identity(), added=True), nn.ReLU()),
    "leak": voting(nn.Conv2d(2, 2, 1), nn.LeakyReLU(0.25), *rectified(3, 1)),
    "leak_with_pools": voting(
        nn.Conv2d(2, 2, 1), nn.LeakyReLU(0.125), nn.MaxPool2d(2, 1, 1), nn.AvgPool2d(2), *rectified(1)
    ),
    "relu_of_averaged_leaks": voting(
        nn.Conv2d(2, 2, 1), nn.LeakyReLU(0.5), nn.AvgPool2d(2, 1), nn.ReLU(), *rectified(1)
    ),
    "leak_and_its_ends": voting(
        nn.Conv2d(2, 2, 1), nn.LeakyReLU(0.5), both(nn.ReLU6(), added=True), nn.LeakyReLU(0.25), Between(-0.1, 0.5)
    ),
    "two_linear_layers": voting(nn.Flatten(), nn.Linear(32, 6), Constants((6,), (6,)), nn.Linear(6, 5)),
}


@pytest.mark.parametrize("name", FOLDS)
def test_fold_is_exact(name: str, tmp_path: Path) -> None:
    module, rows = FOLDS[name], rows_for(IMAGE)
    expected = torch_logits(module, rows)
    assert np.ptp(expected, axis=0).min() > 1e-4, "its ReLUs are dead: choose another seed"
    check(graph_from_torch(module, IMAGE), rows, expected)
    check(onnx_graph(onnx_model(module, IMAGE), tmp_path), rows, expected)


@pytest.mark.parametrize("turned", [False, True])
def test_a_long_chain_of_additions_is_scaled_in_no_time(turned: bool, tmp_path: Path) -> None:
    """Sums that are added to themselves again and again are scaled once each, and no chain is too long."""
    writer = OnnxWriter()
    first = made = writer.node("MatMul", "x", writer.constant(np.eye(4) / 2))
    for _ in range(40):
        made = writer.node("Add", made, made)
    for _ in range(150):
        made = writer.node("Add", first, made) if turned else writer.node("Add", made, first)
    onnx.save(writer.model(writer.node("Mul", made, writer.constant(0.25)), (4,)), tmp_path / "model.onnx")
    assert len(lower(graph_from_onnx(tmp_path / "model.onnx")).layers) <= 192
