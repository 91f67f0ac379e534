"""What ``module:factory`` or ``file.py:factory`` names: code of its owner, which is run to make a network."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

import torch
from torch import nn

from capc.foundation.errors import InputError
from capc.learning.own_models.perceptron import Perceptron
from capc.models.importing.graph import brief, plain

ONNX_SUFFIX = ".onnx"


def is_onnx(name: str) -> bool:
    """Whether a name is that of an ONNX file, of which no code is run."""
    return name.lower().endswith(ONNX_SUFFIX)


def make(name: str, folder: Path, seed: int = 0) -> nn.Module | Perceptron:
    """What a factory gives. This runs its owner's code, as whoever started this process.

    Its module may import others of its own folder. PyTorch's generator starts from the seed, and is afterwards where it
    was.

    Args:
        name: ``module:factory``, of a module on Python's path or in the folder, or ``file.py:factory``.
        folder: where relative names start.
        seed: decides the first weights that PyTorch draws.

    Returns:
        An ``nn.Module`` or a scikit-learn ``MLPClassifier``, a new one in each call.

    Raises:
        InputError: the module cannot be imported, has no such function, or the function fails or gives anything else.
    """
    where, _, factory = name.rpartition(":")
    if not where or not factory.isidentifier():
        raise InputError("this names no factory: give module:factory, file.py:factory, or a file that ends with .onnx")
    path = folder / where if where.endswith(".py") else None
    home = folder if path is None else path.parent
    with _beginning_at(home), torch.random.fork_rng(devices=[]):
        module = _module(where, path)
        # What a module draws when it is imported is drawn once, before.
        torch.manual_seed(seed)
        made = _called(module, factory)
    if isinstance(made, nn.Module) or is_perceptron(made):
        return made
    kind = plain(type(made).__name__)
    raise InputError(f"{factory}() gives a {kind}: return an nn.Module, or an MLPClassifier of scikit-learn")


def is_perceptron(made: object) -> TypeGuard[Perceptron]:
    """Whether this is a scikit-learn ``MLPClassifier``; without importing scikit-learn where nobody did."""
    module = sys.modules.get("sklearn.neural_network")
    return module is not None and isinstance(made, module.MLPClassifier)


@contextmanager
def _beginning_at(folder: Path) -> Iterator[None]:
    """Imports look into a folder first."""
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        # The code may have changed the path itself.
        if entry in sys.path:
            sys.path.remove(entry)


def _module(where: str, path: Path | None) -> ModuleType:
    if path is not None and not path.is_file():
        raise InputError(f"{path}: no such file: name a Python file")
    try:
        if path is None:
            return importlib.import_module(where)
        # Of a name of its own: a file may be called like a module that is used.
        name = f"capc_own_models.{path.resolve().as_posix().replace('.', '_')}"
        if name in sys.modules:
            return sys.modules[name]
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise InputError(f"{path}: this is no Python file: name one")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    except InputError:
        raise
    # Its owner's code may raise anything.
    except Exception as error:  # noqa: BLE001
        raise InputError(f"{plain(where)} cannot be imported ({brief(error)}): correct it, or its name") from None
    return module


def _called(module: ModuleType, factory: str) -> object:
    function = getattr(module, factory, None)
    if not callable(function):
        functions = vars(module).items()
        own = [name for name, value in functions if getattr(value, "__module__", None) == module.__name__]
        choices = ", ".join(name for name in own[:8] if not name.startswith("_")) or "none"
        raise InputError(f"there is no function {factory}: choose from {plain(choices, 200)}")
    try:
        return function()
    # As above.
    except Exception as error:  # noqa: BLE001
        raise InputError(f"{factory}() fails ({brief(error)}): correct it; it is called without arguments") from None
