"""Calls of ATen's operators, with their arguments by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from capc.models.importing.arithmetic import Operand, Place
from capc.models.importing.graph import Floats, UnsupportedError


class AtenCall:
    """One operator with its arguments by name.

    Args:
        place: in the graph.
        arguments: values by their names in the graph as :class:`Value`, tensors of constants, and settings.
    """

    def __init__(self, place: Place, arguments: Mapping[str, object]) -> None:
        self.place = place
        self._arguments = arguments

    def __contains__(self, name: str) -> bool:
        return self._arguments.get(name) is not None

    def setting(self, name: str, default: object = None) -> object:
        """A number, text, list or None."""
        given = self._arguments.get(name, default)
        return default if given is None else given

    def number(self, name: str, default: float | None = None) -> float:
        """A setting that is one number."""
        given = self.setting(name, default)
        if not isinstance(given, int | float):
            raise UnsupportedError(f"{name} is no constant number", "use a constant")
        return float(given)

    def integer(self, name: str, default: int | None = None) -> int:
        """A setting that is one whole number."""
        return int(self.number(name, default))

    def integers(self, name: str) -> list[int]:
        """A list of whole numbers; one number is a list, too."""
        given = self.setting(name, [])
        return [int(size) for size in given] if isinstance(given, list | tuple) else [self.integer(name)]

    def pair(self, name: str, default: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """A size for each of two axes."""
        sizes = self.integers(name) or list(default)
        if len(sizes) > 2:
            raise UnsupportedError(f"{name} has {len(sizes)} entries", "only two-dimensional windows are supported")
        return (sizes[0], sizes[-1])

    def value(self, name: str) -> str:
        """A value of the network."""
        given = self._arguments.get(name)
        if not isinstance(given, Value):
            raise UnsupportedError("an input of it is not a value of the network", "use only what layers compute")
        return given.name

    def operand(self, name: str) -> Operand:
        """A value, or constants."""
        given = self._arguments.get(name)
        if isinstance(given, Value):
            return given.name
        return array(given) if isinstance(given, Tensor) else np.array(given, dtype=np.float64)

    def constants(self, name: str) -> Floats:
        """Weights that do not depend on the query."""
        given = self._arguments.get(name)
        if not isinstance(given, Tensor):
            raise UnsupportedError("its weights depend on the query", "use constant weights")
        return array(given)

    def values(self, name: str) -> list[str]:
        """Several values of the network."""
        given = self.setting(name, [])
        parts = given if isinstance(given, list | tuple) else [given]
        names = [part.name for part in parts if isinstance(part, Value)]
        if len(names) != len(parts):
            raise UnsupportedError("it joins constants with a value", "join values of the network only")
        return names


class Value:
    """A value of the graph among the arguments of a call."""

    def __init__(self, name: str) -> None:
        self.name = name


def array(tensor: Tensor) -> Floats:
    """The numbers of a tensor in double precision."""
    return np.asarray(tensor.detach().cpu().double().numpy(), dtype=np.float64)
