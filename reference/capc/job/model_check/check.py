"""The check of an own model: read, compared with its framework, its bits, its cost, and what to change."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capc.foundation import fixed_point
from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.job.model_check.costs import Measured, QueryCost, measure, query_cost
from capc.learning.archive import open_archive
from capc.learning.data import Floats
from capc.learning.own_models.factories import is_onnx
from capc.learning.own_models.networks import Named, read_network
from capc.models.figures import bounded
from capc.models.importing.agreement import MOST_ROWS, sample_rows
from capc.models.importing.evaluate import stage_bits
from capc.models.importing.graph import Graph
from capc.models.importing.lower import lower
from capc.models.importing.quantise import QuantisationReport, quantisation_report, quantise_graph, rounded, stating
from capc.models.importing.rounding import MOST_LOST
from capc.session.widths import ParameterSet

SCHEMA = "model_check/v1"
MOST_DATA_ROWS = 500
MOST_SECONDS = 15.0
"""For the comparison of rows, about: fewer are compared of a large network."""
LEAST_AGREEMENT = 0.98
LARGE_BYTES = 1 << 30
"""Of one query and answering party."""


@dataclass(frozen=True)
class ModelCheck:
    """What was found. It depends on weights, and on the rows that were given: for their owner only.

    Attributes:
        named: the model.
        is_trained_in_runs: whether a run trains it anew, so that its weights here are not those that will answer.
        widths: the parameter set.
        parties: K, for the cost of a query.
        report: what figures by rule and rounding change, stage by stage.
        own_bits: for each stage the bits that its own weights need at worst, without those figures.
        cost: of a query with one such party; computed.
        measured: the same on this machine; None where nobody asked.
        rows_from: where the rows that were compared come from.
    """

    named: Named
    is_trained_in_runs: bool
    widths: ParameterSet
    parties: int
    report: QuantisationReport
    own_bits: tuple[int, ...]
    cost: QueryCost
    measured: Measured | None
    rows_from: str

    __repr__ = type_only

    def changes(self) -> list[str]:
        """What to change, if anything."""
        found, report = [], self.report
        if report.agreement < LEAST_AGREEMENT:
            found.append(
                f"labels are the same on {report.agreeing} of {report.rows} rows only: train with weight decay, scale "
                "activations down, or take a parameter set of more fraction bits"
            )
        for number, stage in enumerate(report.stages):
            if stage.clipped:
                found.append(
                    f"stage {number} ({stage.place}): {stage.clipped:.0%} of its rows of weights are above the bound "
                    "and scaled down: where labels differ, train with weight decay"
                )
            if stage.lost > MOST_LOST:
                found.append(
                    f"stage {number} ({stage.place}): rounding loses {stage.lost:.0%}: scale its weights up and those "
                    "of a later layer down"
                )
        dearest = max(range(len(self.cost.stages)), key=lambda number: self.cost.stages[number].bytes)
        if self.cost.bytes > LARGE_BYTES:
            share = self.cost.stages[dearest].bytes / self.cost.bytes
            found.append(
                f"a query takes {self.cost.bytes / 2**30:.1f} GiB with one party, {share:.0%} of it in stage {dearest} "
                f"({report.stages[dearest].place}): give it fewer channels, or a stride"
            )
        return found

    def document(self) -> dict[str, object]:
        """All of it in JSON values (capc_spec/schemas/model_check.schema.json)."""
        cost, report = self.cost, self.report
        stages = [
            {
                "place": stage.place,
                "bits": stage.bits,
                "own_bits": own,
                "rows_scaled_down": stage.clipped,
                "lost_to_rounding": stage.lost,
                **asdict(of_stage),
            }
            for stage, own, of_stage in zip(report.stages, self.own_bits, cost.stages, strict=True)
        ]
        return {
            "schema": SCHEMA,
            "model": self.named.name,
            "runs_code": not is_onnx(self.named.name),
            "trained_in_runs": self.is_trained_in_runs,
            "parameters": self.widths.name,
            "logit_bits": self.widths.logit_bits,
            "fraction_bits": self.widths.fraction_bits,
            "agreement": {
                "rows": report.rows,
                "rows_from": self.rows_from,
                "same_label": report.agreeing,
                "largest_difference_of_a_logit": report.largest_error,
            },
            "notes": list(report.notes),
            "stages": stages,
            "cost": {
                "batch": cost.batch,
                "parties": self.parties,
                "ands_per_party": cost.ands,
                "bytes_per_party": cost.bytes,
                "release_bytes": cost.release_bytes,
                "bytes": self.parties * cost.bytes + cost.release_bytes,
                "rounds": cost.rounds,
                "computed_seconds_per_party": cost.seconds,
                "computed_seconds": self.parties * cost.seconds,
            },
            "measured": None if self.measured is None else asdict(self.measured),
            "changes": self.changes(),
        }


def check_model(
    named: Named,
    widths: ParameterSet,
    *,
    parties: int,
    batch: int,
    data: Path | None = None,
    classes: int | None = None,
    measures: bool = False,
) -> ModelCheck:
    """Checks a model; for a factory this runs its owner's code.

    Args:
        named: the model.
        widths: the parameter set.
        parties: K of a run, all of them with such a model.
        batch: queries that are asked at once.
        data: rows to compare labels on; None takes rows in [-1, 1] that are the same everywhere.
        classes: of an MLPClassifier that is not fitted.
        measures: whether a batch is labelled by the protocol on this machine.

    Raises:
        InputError: it cannot be read, is no vote, gives other logits than its framework, or fits no session.
    """
    graph, is_trained = read_network(named, classes)
    lowered = lower(graph)
    architecture = bounded(lowered.architecture, widths.fraction_bits, widths.logit_bits)
    # First: it is quick, and refuses what no rows need be compared for.
    cost = query_cost(architecture, widths, batch)
    rows = _rows(graph, data)
    report = quantisation_report(graph, rows, widths.fraction_bits, widths.logit_bits, architecture)
    own = stage_bits(rounded(stating(lowered, widths.fraction_bits, None), widths.fraction_bits))
    measured = None
    if measures:
        queries = [
            fixed_point.quantise(row.tolist(), widths.fraction_bits) for row in np.resize(rows, (batch, rows.shape[1]))
        ]
        measured = measure(quantise_graph(graph, widths.fraction_bits, architecture), widths, queries)
    told = "the same everywhere, in [-1, 1]" if data is None else str(data)
    return ModelCheck(named, is_trained, widths, parties, report, own, cost, measured, told)


def _rows(graph: Graph, data: Path | None) -> Floats:
    """Rows to compare, as many as the time allows."""
    features = prod(graph.input_shape)
    rows = sample_rows(features, 0, MOST_ROWS) if data is None else read_rows(data, features)
    if graph.origin is None:
        return rows
    began = time.perf_counter()
    graph.origin(rows[:2])
    # Twice: the integers take about as long as the network.
    each = 2 * (time.perf_counter() - began) / len(rows[:2])
    return rows[: max(1, min(len(rows), int(MOST_SECONDS / max(each, 1e-9))))]


def read_rows(file: Path, features: int) -> Floats:
    """The first rows of a file: the array ``x`` of an ``.npz``, or an ``.npy``. Bytes are divided by 255, as in runs.

    Raises:
        InputError: the file cannot be read, or its rows have other lengths or features outside of [-1, 1].
    """
    array = _archived(file, features) if file.suffix == ".npz" else _single(file)
    _check_shape(file, array.shape, features)
    if array.dtype.kind not in "uif":
        raise InputError(f"data = {file} (--data): its entries are of the type {array.dtype}: give numbers")
    rows = array[:MOST_DATA_ROWS].reshape(-1, features)
    found: Floats = rows / 255.0 if rows.dtype == np.uint8 else rows.astype(np.float64)
    if not (np.abs(found) <= 1).all():
        raise InputError(f"data = {file} (--data): features must be in [-1, 1]: scale them, as capc run does by itself")
    return found


def _archived(file: Path, features: int) -> NDArray[Any]:
    with open_archive(file) as archive:
        header = archive.header("x")
        _check_shape(file, header.shape, features)
        array = np.empty(header.shape, header.dtype)
        archive.read(header, array)
        return array


def _single(file: Path) -> NDArray[Any]:
    try:
        # Mapped: only the rows that are compared are read.
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"data = {file} (--data): not readable as .npy or .npz ({reason}): name another") from None
    return array


def _check_shape(file: Path, shape: Sequence[int], features: int) -> None:
    if len(shape) < 2 or not shape[0] or prod(shape[1:]) != features:
        raise InputError(f"data = {file} (--data): it has the shape {tuple(shape)}: give rows of {features} numbers")
