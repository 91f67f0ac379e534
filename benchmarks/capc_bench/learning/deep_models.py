"""Whether deep networks fit the default set by their architecture alone, and what caps and clipping cost them.

``python -m capc_bench.learning.deep_models lenet5 --data FILE.npz`` trains a network on images of 28 x 28 (arrays
``x``, bytes, n x 784, and ``y``), padded to 32 x 32, quantises it under ``figures.bounded``, and compares labels on
held-out rows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from capc.models.figures import bounded
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import lower
from capc.models.importing.quantise import quantisation_report
from capc.session.widths import ParameterSet

SIDE = 32
_BATCH = 64


def lenet5() -> nn.Module:
    """Two convolutions and three fully connected layers."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def vgg7() -> nn.Module:
    """Six convolutions of 3 x 3 with batch normalisation, and a vote on averages."""
    layers: list[nn.Module] = []
    channels = 1
    for number, out in enumerate((64, 64, 128, 128, 256, 256)):
        layers += [nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if number % 2 else []
        channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.own = nn.Sequential(
            *(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()),
            *(nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)),
        )
        changes = stride != 1 or channels != out
        projection = (nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.short = nn.Sequential(*projection) if changes else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, value: Tensor) -> Tensor:
        """The ReLU of the sum of both."""
        total: Tensor = self.relu(self.own(value) + self.short(value))
        return total


def resnet18(width: int = 64) -> nn.Module:
    """With a stem of 3 x 3 for small images."""
    layers: list[nn.Module] = [nn.Conv2d(1, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
    for times, stride in ((1, 1), (2, 2), (4, 2), (8, 2)):
        layers += [Block(channels, times * width, stride), Block(times * width, times * width, 1)]
        channels = times * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lenet5": lenet5,
    "vgg7": vgg7,
    "resnet18": resnet18,
    "resnet18_of_width_16": lambda: resnet18(16),
}


def images(file: Path) -> tuple[Tensor, Tensor]:
    """All images in [-1, 1], padded with -1, and their labels, in an order of a fixed seed."""
    with np.load(file) as arrays:
        pixels, labels = arrays["x"], arrays["y"]
    order = np.random.default_rng(0).permutation(len(pixels))
    padded = np.pad(pixels[order].reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    return torch.tensor(padded[:, None] / 127.5 - 1, dtype=torch.float32), torch.tensor(labels[order], dtype=torch.long)


def train(module: nn.Module, pixels: Tensor, labels: Tensor, epochs: int) -> None:
    """Adam at a falling rate."""
    steps = epochs * -(-len(pixels) // _BATCH)
    optimiser = torch.optim.Adam(module.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    module.train()
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(pixels)), _BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(pixels[rows]), labels[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    module.eval()


def study(
    name: str, file: Path, rows: int, held_out: int, epochs: int, weights: Path | None = None
) -> dict[str, object]:
    """Trains, quantises and compares; what was trained is written to ``weights``, if there is such a path."""
    torch.manual_seed(0)
    widths, module = ParameterSet.named("default"), NETWORKS[name]()
    pixels, labels = images(file)
    began = time.perf_counter()
    train(module, pixels[:rows], labels[:rows], epochs)
    trained = time.perf_counter()
    if weights is not None:
        torch.save(module.state_dict(), weights)
    tested, right = pixels[rows : rows + held_out], labels[rows : rows + held_out]
    with torch.no_grad():
        accuracy = float(
            (torch.cat([module(part) for part in torch.split(tested, _BATCH)]).argmax(1) == right).float().mean()
        )
    graph = graph_from_torch(module, (1, SIDE, SIDE))
    architecture = bounded(lower(graph).architecture, widths.fraction_bits, widths.logit_bits)
    report = quantisation_report(graph, tested.double().numpy(), widths.fraction_bits, widths.logit_bits, architecture)
    return {
        "network": name,
        "rows": rows,
        "epochs": epochs,
        "seconds_of_training": round(trained - began, 1),
        "held_out": held_out,
        "accuracy": round(accuracy, 4),
        "same_label": report.agreeing,
        "largest_difference_of_a_logit": round(report.largest_error, 5),
        "bits": [stage.bits for stage in report.stages],
        "fits": report.fits,
        "weight_bits": [stage.weight_bits for stage in architecture.stages],
        "clipped_rows": [round(stage.clipped, 4) for stage in report.stages],
        "lost_to_rounding": [round(stage.lost, 5) for stage in report.stages],
    }


def main() -> None:
    """Prints the study of one network as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=15_000)
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--weights", type=Path, help="where to write them, once trained")
    arguments = parser.parse_args()
    found = study(
        arguments.network, arguments.data, arguments.rows, arguments.held_out, arguments.epochs, arguments.weights
    )
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
