"""Whether what was read of a network is the network that runs: both are run on the same rows, before anything else.

Reading sees what a network computes once, on a few rows. It does not see what depends on their number, on earlier
calls, or on being exported; only running the network does.

Spec: CAPC-PARAM-045.
"""

from __future__ import annotations

from math import prod
from time import monotonic

import numpy as np

from capc.foundation.errors import InputError
from capc.foundation.randomness import SEED_BYTES, Seed, XofSource
from capc.models.importing.evaluate import float_outputs, float_values, rows_at_once
from capc.models.importing.graph import Floats, Graph, refusal
from capc.models.importing.origin import Origin
from capc_spec.registry import TAGS

MOST_ROWS = 64
MOST_SECONDS = 10.0
RELATIVE_TOLERANCE = 1e-4
"""Of the largest distance of a logit from the mean of its row's logits."""
ROUNDINGS = 32
"""How many times more than the graph loses in the network's precision, two ways to compute the same may differ."""
_SINGLE = float(np.finfo(np.float32).eps)


def check_origin(graph: Graph, origin: Origin) -> None:
    """Runs the network and what was read of it on the same rows, and refuses a difference.

    A logit may differ by 10^-4 of the largest distance between a logit and the mean of its row's logits, plus 32 times
    what the graph itself loses by rounding in the network's precision. On the first row the values of all nodes that
    can be seen are compared in the same way, since a later node may hide a difference. At most 64 rows are taken, and
    fewer where they would take more than 10 seconds in all; one row is always run.

    Args:
        graph: what was read.
        origin: the network itself.

    Raises:
        InputError: the network fails, is random, or gives other logits; the line names the first node that differs,
            where that can be found.
    """
    started, done, size = monotonic(), 0, 1
    while size > 0:
        rows = sample_rows(prod(graph.input_shape), done, size)
        _check_rows(graph, origin, rows)
        if done == 0:
            problem = _first_difference(graph, origin, rows)
            if problem is not None:
                raise problem
        done += size
        spent = monotonic() - started
        # Half of what is left: a batch can take longer than those before it.
        affordable = int((MOST_SECONDS - spent) / 2 * done / max(spent, 1e-9))
        size = min(MOST_ROWS - done, rows_at_once(graph), affordable)


def sample_rows(features: int, first: int, count: int) -> Floats:
    """Rows in [-1, 1] that are the same everywhere; nothing about them is secret.

    Of every four rows one is uniform, one all but constant (as a large pool needs it), one of the corners -1 and 1, and
    one mostly 0.
    """
    rows = []
    for number in range(first, first + count):
        stream = XofSource(Seed(bytes(SEED_BYTES)), TAGS["importing-row"] + str(number).encode("ascii"))
        drawn = np.frombuffer(stream.read(2 * features), dtype="<i2") / (1 << 15)
        level = int.from_bytes(stream.read(2), "little", signed=True) / (1 << 15)
        corners, sparse = np.where(drawn < 0, -1.0, 1.0), np.where(np.abs(drawn) < 0.9, 0.0, drawn)
        rows.append((drawn, level + drawn * (1 - abs(level)) / 8, corners, sparse)[number % 4])
    return np.array(rows, dtype=np.float64)


def _check_rows(graph: Graph, origin: Origin, rows: Floats) -> None:
    own, expected = origin(rows), float_outputs(graph, rows)
    if own.shape != expected.shape:
        raise InputError(
            f"{origin.name}: run in evaluation it gives {own.shape[1]} numbers for a row, and what was read of it "
            f"gives {expected.shape[1]}: {origin.remedy}"
        )
    allowed = tolerance(expected, float_outputs(graph, rows, np.float32), origin.spacing)
    if not float(np.abs(origin(rows) - own).max()) <= allowed:
        raise InputError(
            f"{origin.name}: run twice in evaluation, it gives different logits for the same rows: remove what is "
            "random, and what remembers earlier rows"
        )
    difference = float(np.abs(own - expected).max())
    if not difference <= allowed:
        raise _first_difference(graph, origin, rows) or InputError(
            f"{origin.name}: run in evaluation, its logits differ by up to {difference:.3g} from those of what was "
            f"read, and no layer alone explains it: {origin.remedy}"
        )


def tolerance(exact: Floats, single: Floats, spacing: float) -> float:
    """The largest difference that the precision of a network explains.

    Args:
        exact: what the graph gives in double precision.
        single: what it gives in single precision.
        spacing: of the network's precision.
    """
    # The spacing of the largest number: a few sums can be exact by chance.
    lost = max(float(np.abs(single - exact).max()), _SINGLE * float(np.abs(exact).max()))
    spread = float(np.abs(exact - exact.mean(axis=1, keepdims=True)).max())
    allowed = RELATIVE_TOLERANCE * spread + ROUNDINGS * lost * spacing / _SINGLE
    # Numbers beyond the range of a precision explain nothing.
    return allowed if np.isfinite(allowed) else 0.0


def _first_difference(graph: Graph, origin: Origin, rows: Floats) -> InputError | None:
    """The refusal of the first node, of those that can be seen, that the network runs in another way."""
    seen = {value.node: value for value in origin.watch(rows)}
    single = float_values(graph, rows, precision=np.float32)
    for (node, given, made), (_, low_given, low_made) in zip(float_values(graph, rows), single, strict=True):
        if node.name not in seen:
            continue
        own = seen[node.name]
        if own.given is not None and _differs(own.given, given, low_given, origin):
            problem = "when the network runs, it is given something else than was read"
            return refusal(node.kind, node.name, problem, origin.remedy)
        if _differs(own.made, made, low_made, origin):
            problem = "when the network runs, it gives something else than was read"
            return refusal(node.kind, node.name, problem, origin.remedy)
    return None


def _differs(own: Floats, exact: Floats, single: Floats, origin: Origin) -> bool:
    return own.shape != exact.shape or not float(np.abs(own - exact).max()) <= tolerance(exact, single, origin.spacing)
