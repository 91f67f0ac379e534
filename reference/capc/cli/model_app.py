"""``capc model`` and its options; what checks a model, which needs NumPy and PyTorch, is imported late."""

from __future__ import annotations

import typer

from capc.cli.terminal.options import JSON, takes

model_app = typer.Typer(
    name="model",
    help="Look at a model of one's own before it answers: whether it is read, what it keeps of itself, what it costs.",
    no_args_is_help=True,
)

CHECK_OPTIONS = {
    "parameters": ("NAME", "Parameter set: default, conservative, test or toy. Default: default."),
    "input": ("SHAPE", "Of one input, as 64 or 1,8,8. Default: that of the file."),
    "output": ("NAME", "Of an ONNX file with several outputs, that of the logits. Default: the only one."),
    "classes": ("C", "Of an MLPClassifier that is not fitted."),
    "trained": ("yes|no", "Whether a module comes trained, so that runs will not train it. Default: no."),
    "data": ("FILE", "Rows to compare labels on: array x of an .npz, or an .npy. Default: rows that suit everybody."),
    "parties": ("K", "Answering parties with such a model, for the cost of a query. Default: 20."),
    "batch": ("N", "Queries asked at once. Default: 10."),
    "measure": ("yes|no", "Also label a batch by the real protocol, here and now. Default: no."),
    **JSON,
}

CHECK_ARGUMENTS = {"model": ("MODEL", "FILE.onnx, or module:factory or file.py:factory, whose code is run.")}


@model_app.callback()
def _model() -> None:
    pass


@model_app.command()
@takes(CHECK_OPTIONS, arguments=CHECK_ARGUMENTS)
def check(given: dict[str, str]) -> None:
    """Say whether a model is read right, how many bits it needs, what a query costs, and what to change.

    A factory is called without arguments and gives an nn.Module or an MLPClassifier of scikit-learn. Its code runs as
    you; of an ONNX file none does. Nothing is sent to anybody.
    """
    from capc.cli import model_command  # noqa: PLC0415  # needs NumPy and torch

    model_command.check(given)
