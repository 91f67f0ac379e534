"""A study: every combination of what varies, each with several seeds, told as means with intervals.

Seeds give other splits, first weights and noise. A repeat is one seed; of several querying parties it is the mean,
since they share parties, noise and budget. Intervals are of Student's t over repeats.

Spec: CAPC-RUN-045 to CAPC-RUN-047.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy import stats

from capc.foundation.errors import InputError
from capc.job.config import OPTIONS, JobConfig, read_options, resolve
from capc.job.keeping.files import to_json, write_text
from capc.job.options import flag

SCHEMA = "study/v1"
CONFIDENCE = 0.95
MAX_RUNS = 100_000
_OF_NO_RESULT = {"keep", "places"}
_ABOUT = ("name", "repeats")


@dataclass(frozen=True)
class Study:
    """What is run.

    Attributes:
        name: of the study.
        cells: what varies, and the options of each combination but for the seed.
        repeats: how many seeds each is run with.
    """

    name: str
    cells: tuple[tuple[Mapping[str, object], JobConfig], ...]
    repeats: int

    @property
    def runs(self) -> int:
        """How many runs it has."""
        return len(self.cells) * self.repeats


def read_study(flags: Mapping[str, str], file: Path | None, repeats: int | None) -> Study:
    """The study that flags and a file describe; without a table ``sweep`` it has one cell.

    Args:
        flags: the text of each option that was given, by name.
        file: a TOML file of options, in which ``sweep`` is a table of lists, ``repeats`` a number and ``name`` a name.
        repeats: how many seeds, if a flag says so.

    Raises:
        InputError: an option cannot be used, or what varies is no list of values.
    """
    options = {} if file is None else dict(read_options(file, besides=("sweep", *_ABOUT)))
    sweep = options.pop("sweep", {})
    name, in_file = options.pop("name", "" if file is None else file.stem), options.pop("repeats", 1)
    place = "--repeats" if repeats is not None else f"{file}: repeats"
    repeats = in_file if repeats is None else repeats  # type: ignore[assignment]
    if type(repeats) is not int or not 1 <= repeats <= MAX_RUNS:
        raise InputError(f"repeats = {repeats} ({place}): choose a whole number from 1 to {MAX_RUNS}")
    if not isinstance(name, str) or not isinstance(sweep, dict):
        raise InputError(
            f"{'name' if isinstance(sweep, dict) else 'sweep'} ({file}): give a text, and a table of lists"
        )
    for varied, values in sweep.items():
        _check_varied(varied, values, flags, file)
    cells = []
    for combination in product(*sweep.values()):
        labels = dict(zip(sweep, combination, strict=True))
        config = resolve(flags, file, {**options, **labels})
        cells.append(({each: config.document()[each] for each in sweep}, config))
    study = Study(name, tuple(cells), repeats)
    if study.runs > MAX_RUNS:
        raise InputError(f"sweep ({file}): {study.runs} runs: choose at most {MAX_RUNS}")
    return study


def _check_varied(name: str, values: object, flags: Mapping[str, str], file: Path | None) -> None:
    if name not in OPTIONS or name == "seed":
        others = ", ".join(option for option in OPTIONS if option != "seed")
        raise InputError(f"sweep.{name} ({file}): this cannot be varied: choose from {others}")
    if not isinstance(values, list) or not values:
        raise InputError(f"sweep.{name} = {values} ({file}): give a list of values")
    if name in flags:
        raise InputError(f"{name} = {flags[name]} ({flag(name)}): {file} varies it: leave this out")


def run_file(folder: Path, config: JobConfig, data: str) -> Path:
    """Where the report of a run is kept, by all that decides its result.

    Args:
        folder: of the study.
        config: of the run, its seed included.
        data: SHA-256 of the archive, or the name of the data.
    """
    decides = {name: value for name, value in config.document().items() if name not in _OF_NO_RESULT and name != "data"}
    digest = hashlib.sha256(json.dumps([SCHEMA, data, decides], sort_keys=True).encode()).hexdigest()
    return folder / "runs" / f"{digest[:32]}.json"


def kept_report(file: Path) -> dict[str, Any] | None:
    """A report that an earlier start of the study kept; None if there is none.

    Raises:
        InputError: the file is no report.
    """
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        report = None
    if not isinstance(report, dict) or "queriers" not in report:
        raise InputError(f"{file}: not the report of a run: remove it, and it is run again")
    return report


def keep_report(report: Mapping[str, object], file: Path) -> None:
    """Keeps a report; the folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(to_json(report), file, "out")


def summary(study: Study, reports: Sequence[Sequence[Mapping[str, Any]]], data: Mapping[str, object]) -> dict[str, Any]:
    """The document of a study, as far as it went.

    Args:
        study: what was to be run.
        reports: for each cell those of its repeats that are done.
        data: of the archive: its name, SHA-256 and number of rows.
    """
    return {
        "schema": SCHEMA,
        "simulated": True,
        "name": study.name,
        "data": [dict(data)],
        "cells": [
            {
                "labels": dict(labels),
                "config": config.document(),
                "repeats": len(done),
                "queriers": config.queriers,
                "values": {name: _interval(values) for name, values in sorted(_collected(done).items())},
            }
            for (labels, config), done in zip(study.cells, reports, strict=True)
        ],
    }


def _collected(reports: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Every figure that all repeats have, one value for each."""
    rows = [dict(figures(report)) for report in reports]
    names = set.intersection(*map(set, rows)) if rows else set()
    return {name: [row[name] for row in rows] for name in names}


def figures(report: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The figures of one run; those of querying parties are their mean."""
    turns = [turn for turn in report["queriers"] if turn["before"] and turn["after"]]
    by_name: dict[str, list[float]] = {}
    for turn in turns:
        for name, value in _of_turn(turn):
            by_name.setdefault(name, []).append(value)
    for name, values in by_name.items():
        # A class or group that one party's figures lack is told of those that have it.
        yield name, fmean(values)
    told = report["agreement"]
    yield "queries", float(told["queries"])
    yield "released", float(told["released"])
    if told["released"]:
        yield "labels_right", told["correct"] / told["released"]
        yield "labels_of_the_plurality", told["plurality"] / told["released"]
    if report["ensemble"]:
        yield "ensemble", report["ensemble"]["accuracy"]
        yield "ensemble_balanced", report["ensemble"]["balanced"]
    yield "epsilon", report["privacy"]["realised"]


def _of_turn(turn: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    before, after = turn["before"], turn["after"]
    named = (
        ("", "accuracy"),
        ("balanced_", "balanced"),
        ("worst_class_", "worst_class"),
        ("worst_group_", "worst_group"),
    )
    for prefix, key in named:
        if before[key] is not None and after[key] is not None:
            yield f"{prefix}before", before[key]
            yield f"{prefix}after", after[key]
            yield f"{prefix}gain", after[key] - before[key]
    for old, new in zip(before["groups"], after["groups"], strict=True):
        yield f"group_{old['value']}_before", old["balanced"]
        yield f"group_{old['value']}_after", new["balanced"]
        yield f"group_{old['value']}_gain", new["balanced"] - old["balanced"]
    for name, score in turn["baselines"].items():
        yield f"{name}_accuracy", score["accuracy"]
        yield f"{name}_gain", score["accuracy"] - before["accuracy"]


def _interval(values: Sequence[float]) -> dict[str, object]:
    """Mean and 95 % interval by Student's t; of one value there is none."""
    mean = fmean(values)
    low: float | None = None
    high: float | None = None
    if len(values) > 1:
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) / sqrt(len(values))
        low, high = mean - reach, mean + reach
    if not isfinite(mean):
        raise InputError(f"a figure of the study is not finite: {mean}")
    return {"mean": mean, "low": low, "high": high, "values": list(values)}
