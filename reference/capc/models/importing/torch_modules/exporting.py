"""What a module computes in evaluation, as ``torch.export`` writes it down: operators of ATen and their constants."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.nn.parameter import is_lazy

from capc.foundation.errors import InputError
from capc.models.importing.graph import Shape, brief, plain, refusal
from capc.models.importing.torch_modules.origin import evaluation, numbers

ROWS = 3
"""The batch with which a module is exported: more than one, so that what works on one row only shows."""
_ROOT = "the root"
_BRANCHED = frozenset({"DataDependentOutputException", "DynamicOutputShapeException", "GuardOnDataDependentSymNode"})
"""What PyTorch raises where the code of a module needs a number of the query. Not all of these names are public."""


def is_pytorchs_own(kind: str) -> bool:
    """Whether a class, by its module and name, is a layer of PyTorch's own that computes something by itself."""
    return kind.startswith("torch.nn.modules.") and not kind.startswith("torch.nn.modules.container.")


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
        if any(type(base).__name__ == "ScriptObject" for base in vars(part).values()) or hasattr(
            part, "_packed_params"
        ):
            problem = "its weights are quantised, packed for this machine"
            raise refusal(
                type(part).__name__, name or _ROOT, problem, "give the network of floats that it was made from"
            )
        if is_pytorchs_own(f"{type(part).__module__}.{type(part).__qualname__}") and part._forward_hooks:
            problem = "it has hooks, which are no part of a model and change what it gives"
            remedy = "remove them, or compute the same in a module's forward"
            raise refusal(type(part).__name__, name or _ROOT, problem, remedy)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if is_lazy(tensor):
            raise InputError(f"{plain(name)} of {kind} is not made yet: run the module once, on a batch of rows")
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
    _check_inputs(module)
    like = numbers(module)
    rows = torch.zeros(ROWS, *input_shape, dtype=like.dtype, device=like.device)
    try:
        with _quiet():
            with evaluation(module, 0):
                program = torch.export.export(module, (rows,), strict=False)
            if any(_is_mutable(node.target) for node in program.graph.nodes):
                program = program.run_decompositions({})
    # The code of a module may raise anything, and so may torch.export.
    except Exception as error:  # noqa: BLE001
        raise _failure(module, rows, error) from None
    return program


def _check_inputs(module: nn.Module) -> None:
    kind = plain(type(module).__name__)
    try:
        given = inspect.signature(module.forward).parameters.values()
    # Of a function that is not written in Python nothing is known.
    except (TypeError, ValueError):
        return
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    needed = [part.name for part in given if part.default is part.empty and part.kind not in variable]
    if len(needed) > 1:
        shown = plain(", ".join(needed))
        raise InputError(f"{kind} takes {len(needed)} inputs ({shown}): let its forward take one, the query")


def _failure(module: nn.Module, rows: Tensor, error: Exception) -> InputError:
    """Why a module cannot be exported: the layer in which it fails by itself too, or what torch.export says."""
    running: list[str] = []
    parts = dict(module.named_modules())
    handles = []

    def done(*_: object) -> None:
        running.pop()

    for path, part in parts.items():
        handles.append(part.register_forward_pre_hook(lambda *_, path=path: running.append(path), prepend=True))
        handles.append(part.register_forward_hook(done))
    try:
        with evaluation(module, 0):
            module(rows)
    # The code of a module may raise anything.
    except Exception as own:  # noqa: BLE001
        path = running[-1] if running else ""
        problem = f"it cannot be run on rows of the shape {tuple(rows.shape[1:])} ({brief(own)})"
        return refusal(type(parts[path]).__name__, path or _ROOT, problem, "correct it, or the input shape")
    finally:
        for handle in handles:
            handle.remove()
    kind = plain(type(module).__name__)
    if type(error).__name__ in _BRANCHED:
        problem = "its code branches on numbers of the query, or takes them out of their tensor"
        return InputError(f"{kind} cannot be read: {problem}: remove control flow that depends on values")
    problem = f"{kind} cannot be read by torch.export ({brief(error)})"
    return InputError(f"{problem}: use operators of PyTorch on tensors, or give an ONNX file")


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


def results(program: ExportedProgram) -> list[fx.Node]:
    """The nodes of what a module returns; what it keeps for later calls is none of it."""
    (output,) = (node for node in program.graph.nodes if node.op == "output")
    kinds = [told.kind for told in program.graph_signature.output_specs]
    made = [node for node, kind in zip(output.args[0], kinds, strict=True) if kind is OutputKind.USER_OUTPUT]
    return made if all(isinstance(node, fx.Node) for node in made) else []


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
