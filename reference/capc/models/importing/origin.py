"""A network as its framework runs it: what was read of one is compared with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only


class NodeRun(NamedTuple):
    """What a node was given, or what came out of it, when the network ran.

    Attributes:
        node: its name in the graph.
        given: its input; None where that cannot be seen.
        made: its output.
    """

    node: str
    given: NDArray[np.float64] | None
    made: NDArray[np.float64]

    def __repr__(self) -> str:
        return type_only(self)


@dataclass(frozen=True, repr=False)
class Origin:
    """A network as its framework runs it in evaluation. It holds secret weights.

    Attributes:
        name: what it is, for messages.
        run: rows of flattened features to rows of flattened outputs, of any length.
        watch: the values of its nodes on such rows, in order, as far as they can be seen.
        spacing: the distance from 1 to the next number in the precision in which it computes.
        remedy: what to do if it computes something else than was read.
    """

    name: str
    run: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    watch: Callable[[NDArray[np.float64]], list[NodeRun]]
    spacing: float
    remedy: str

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the network itself gives, in double precision.

        Args:
            features: n rows of flattened features.

        Raises:
            InputError: it fails on them, or does not give one row of finite numbers for each.
        """
        outputs = self.run(features)
        if not np.isfinite(outputs).all():
            raise InputError(
                f"{self.name}: run in evaluation on features in [-1, 1], it gives logits that are not finite: "
                "correct or train it again"
            )
        return outputs
