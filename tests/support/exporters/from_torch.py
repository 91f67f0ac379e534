"""Files of PyTorch's two exporters: the present one, from a graph by ``torch.export``, and the older by TorchScript."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from support.exporters.beyond import REFUSED
from support.exporters.files import Made
from support.exporters.networks import TRAINED
from support.networks import lively, seeded

ROWS = 8


@dataclass(frozen=True)
class Variant:
    """How an exporter is called.

    Attributes:
        is_present: by the present exporter, not the older one.
        opset: of the file.
        is_double: of doubles, not of floats.
        is_open: the batch is open, not fixed at two rows.
        is_folded: the older exporter computes what depends on constants only.
        is_beside: the present exporter writes weights to a file beside the model.
    """

    is_present: bool
    opset: int
    is_double: bool = False
    is_open: bool = True
    is_folded: bool = True
    is_beside: bool = False

    def __str__(self) -> str:
        more = [
            "float64" if self.is_double else "float32",
            f"batch {'open' if self.is_open else 'fixed'}",
            *([] if self.is_folded else ["constants not folded"]),
            *(["weights beside"] if self.is_beside else []),
        ]
        return f"{'dynamo' if self.is_present else 'TorchScript'}, opset {self.opset}, {', '.join(more)}"


PRESENT = [
    Variant(True, 18), Variant(True, 20, is_open=False), Variant(True, 21, is_double=True),
    Variant(True, 22, is_beside=True), Variant(True, 23), Variant(True, 24, is_open=False), Variant(True, 17),
]  # fmt: skip
OLDER = [
    Variant(False, 13), Variant(False, 17, is_open=False), Variant(False, 11, is_double=True),
    Variant(False, 18, is_folded=False), Variant(False, 9), Variant(False, 20, is_double=True, is_open=False),
    Variant(False, 15, is_folded=False, is_open=False), Variant(False, 23),
]  # fmt: skip
REFUSED_BY = [Variant(False, 17), Variant(True, 18)]
"""Networks beyond what is supported are exported by one exporter each, in turn."""
WAYS_OF_OLDER, WAYS_OF_PRESENT = 4, 2
NEWER = {"mlp_quantised_weights": 13, "unflattened": 13}
"""The oldest opset in which the older exporter writes them."""


def ways() -> Iterator[tuple[str, Variant]]:
    """Each network, in other ways than the one before it."""
    for number, name in enumerate(TRAINED):
        older = [OLDER[(number + 2 * step) % len(OLDER)] for step in range(WAYS_OF_OLDER)]
        present = [PRESENT[(number + 3 * step) % len(PRESENT)] for step in range(WAYS_OF_PRESENT)]
        for variant in (*older, *present):
            if variant.is_present or variant.opset >= NEWER.get(name, 0):
                yield name, variant
    for number, name in enumerate(REFUSED):
        # The older exporter wants to know how many rows there are, where they are compared.
        yield name, REFUSED_BY[1 if name == "batch_norm_of_the_batch" else number % 2]


def made_from(folder: Path, name: str, variant: Variant) -> Made:
    """Exports one network in one way."""
    make, shape, refused = (*TRAINED[name], None) if name in TRAINED else REFUSED[name]
    number = list({**TRAINED, **REFUSED}).index(name)
    module = lively(seeded(make(), number))
    kind = torch.float64 if variant.is_double else torch.float32
    module = module.to(kind).eval()
    rows = torch.tensor(np.random.default_rng(number).uniform(-1, 1, (ROWS, *shape)), dtype=kind)
    path = folder / f"{name}_{number}_{variant.opset}_{'dynamo' if variant.is_present else 'script'}.onnx"
    outputs = ["logits", "features"][: 1 + (name == "two_heads")]
    with _quiet():
        _export(module, rows[:2], path, variant, outputs)
    with torch.no_grad():
        said = module(rows)
    first = said[0] if isinstance(said, tuple) else said
    output = outputs[0] if len(outputs) > 1 else None
    return Made(path, str(variant), rows.numpy(), first.numpy(), refused, output)


def _export(module: nn.Module, rows: torch.Tensor, path: Path, variant: Variant, outputs: Sequence[str]) -> None:
    names = {"input_names": ["x"], "output_names": list(outputs), "opset_version": variant.opset, "verbose": False}
    if variant.is_present:
        batch = ({0: torch.export.Dim("batch")},) if variant.is_open else None
        torch.onnx.export(
            module, (rows,), str(path), dynamo=True, dynamic_shapes=batch, external_data=variant.is_beside, **names
        )
    else:
        axes = {"x": {0: "batch"}} if variant.is_open else None
        torch.onnx.export(
            module, (rows,), str(path), dynamo=False, dynamic_axes=axes, do_constant_folding=variant.is_folded, **names
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Both exporters tell a lot, on the output, as warnings and as logs."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
