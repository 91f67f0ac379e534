"""What a module computes in evaluation, as ``torch.export`` writes it down: operators of ATen and their constants."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from capc.foundation.errors import InputError
from capc.models.importing.graph import Shape, plain
from capc.models.importing.torch_modules.origin import blamed_on, evaluation, numbers

ROWS = 3
"""The batch with which a module is exported: more than one, so that what works on one row only shows."""


def network(module: object) -> nn.Module:
    """The module to read: what was given, or what a compiled module was made from.

    Raises:
        InputError: it is no module, or one that cannot be exported.
    """
    kind = plain(type(module).__name__)
    if not isinstance(module, nn.Module):
        raise InputError(f"{kind} is no nn.Module: give the network itself, with its weights loaded")
    original = getattr(module, "_orig_mod", None)
    if isinstance(original, nn.Module):
        return network(original)
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise InputError(
            f"{kind} is scripted, and torch.export reads the Python of a module: give the module that it was made "
            "from, or an ONNX file"
        )
    for name, part in module.named_modules():
        if any(type(base).__name__ == "ScriptObject" for base in vars(part).values()) or hasattr(part, "_packed_params"):
            raise InputError(
                f"{plain(type(part).__name__)} at {plain(name or 'the root')}: its weights are quantised, packed for "
                "this machine: give the network of floats that it was made from"
            )
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_meta:
            raise InputError(
                f"{plain(name)} of {kind} is on the device meta, which holds no numbers: load the weights first"
            )
    return module


def exported(module: nn.Module, input_shape: Shape) -> ExportedProgram:
    """The operators of a module in evaluation, for a batch of ``ROWS``; nothing changes its input in place.

    Raises:
        InputError: it cannot be exported; the line says why.
    """
    like = numbers(module)
    rows = torch.zeros(ROWS, *input_shape, dtype=like.dtype, device=like.device)
    with blamed_on(module, "read by torch.export", "remove control flow that depends on values"), _quiet():
        with evaluation(module, 0):
            program = torch.export.export(module, (rows,), strict=False)
        if any(_is_mutable(node.target) for node in program.graph.nodes):
            program = program.run_decompositions({})
    return program


def constants(program: ExportedProgram) -> dict[str, object]:
    """By the name of its node: every input that is not the query."""
    found: dict[str, object] = {}
    for given in program.graph_signature.input_specs:
        if given.kind is InputKind.USER_INPUT:
            continue
        target = str(given.target)
        stored = program.state_dict if target in program.state_dict else program.constants
        found[str(given.arg.name)] = stored[target]
    return found


def _is_mutable(target: object) -> bool:
    return isinstance(target, torch._ops.OpOverload) and bool(target._schema.is_mutable)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch prints about its own code while it exports."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
