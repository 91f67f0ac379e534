"""A study: every combination of what varies, each with several seeds, told as means with intervals.

Seeds give other splits, first weights and noise. A repeat is one seed; of several querying parties it is the mean,
since they share parties, noise and budget. Intervals are of Student's t over repeats.

Spec: CAPC-RUN-045 to CAPC-RUN-047.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import isfinite, prod, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy import stats

from capc.foundation.environment import EXTRAS, installed_version
from capc.foundation.errors import InputError
from capc.job.config import MAX_SEED, OPTIONS, JobConfig, plain, read_options, resolve
from capc.job.keeping.files import to_json, write_text
from capc.job.options import NAME_LENGTH, OF_THE_PROTOCOL, Option, OptionValue, flag, named, whole
from capc.learning.baselines import Baseline
from capc.learning.training import RECIPE
from capc.session.parameters import SPEC_VERSION

SCHEMA = "study/v1"
CONFIDENCE = 0.95
MAX_RUNS = 100_000
_OF_NO_RESULT = {"data", "keep", "batch", *OF_THE_PROTOCOL}
"""Options that leave every figure of a simulation as it is; data are told by their digest."""
_ABOUT = ("name", "repeats")
VARIED = tuple(name for name in OPTIONS if name not in {"seed", "models", *_OF_NO_RESULT})
"""What a study can vary: it has one set of data and one of own models, and seeds are its repeats."""


@dataclass(frozen=True)
class Study:
    """What is run.

    Attributes:
        name: of the study; empty for that of its data.
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
    options = {} if file is None else read_options(file, besides=("sweep", *_ABOUT))
    sweep = options.pop("sweep", {})
    name = _about(options.pop("name", None), file, "name", named(f"a name of up to {NAME_LENGTH} characters"))
    in_file = _about(options.pop("repeats", None), file, "repeats", whole(1, MAX_RUNS))
    count = _count(repeats, in_file)
    if not isinstance(sweep, dict):
        raise InputError(f"sweep = {_shown(sweep)} ({file}): give a table [sweep] of lists of values")
    for varied, values in sweep.items():
        _check_varied(varied, values, file)
        if varied in flags or varied in options:
            place = flag(varied) if varied in flags else f"{file}: {varied}"
            raise InputError(f"{varied} ({place}): [sweep] of {file} varies it: leave out one of them")
    # Before they are made: ten lists of ten values would not fit the memory.
    runs = prod(map(len, sweep.values())) * count
    if runs > MAX_RUNS:
        raise InputError(f"sweep ({file}): {runs} runs with repeats = {count}: choose at most {MAX_RUNS}")
    cells = []
    places = {varied: f"{file}: sweep.{varied}" for varied in sweep}
    for combination in product(*sweep.values()):
        config = resolve(flags, file, {**options, **dict(zip(sweep, combination, strict=True))})
        config = replace(config, places={**config.places, **places})
        if config.seed + count - 1 > MAX_SEED:
            most = MAX_SEED - count + 1
            raise config.refusal("seed", f"repeats = {count} take the seeds from it on: choose at most {most}")
        cells.append(({each: config.document()[each] for each in sweep}, config))
    fallback = "" if file is None or not file.stem.isprintable() else file.stem
    return Study(fallback if name is None else str(name), tuple(cells), count)


def _count(given: int | None, in_file: OptionValue | None) -> int:
    if given is not None and not 1 <= given <= MAX_RUNS:
        raise InputError(f"repeats = {given} (--repeats): choose a whole number from 1 to {MAX_RUNS}")
    return given or (in_file if isinstance(in_file, int) else 1)


def _about(raw: object, file: Path | None, name: str, kind: Option) -> OptionValue | None:
    """What a file says of the study itself; None if it does not."""
    if raw is None:
        return None
    try:
        return kind.from_value(raw)
    except ValueError:
        raise InputError(f"{name} = {_shown(raw)} ({file}: {name}): choose {kind.remedy}") from None


def _check_varied(name: str, values: object, file: Path | None) -> None:
    """Checks that an option can be varied, and that each of its values is one, and another one."""
    if name not in VARIED:
        raise InputError(f"sweep.{name} ({file}): this cannot be varied: choose from {', '.join(VARIED)}")
    if not isinstance(values, list) or not values:
        raise InputError(f"sweep.{name} = {_shown(values)} ({file}): give a list of values")
    kind, read = OPTIONS[name], []
    for value in values:
        try:
            read.append(plain(kind.from_value(value)))
        except ValueError:
            raise InputError(f"{name} = {_shown(value)} ({file}: sweep.{name}): choose {kind.remedy}") from None
    twice = [told for told, count in Counter(map(str, read)).items() if count > 1]
    if twice:
        raise InputError(f"sweep.{name} = {twice[0]} ({file}): it is there twice: give each value once")


def _shown(value: object) -> str:
    return " ".join(str(value).split())[:NAME_LENGTH]


def run_file(folder: Path, config: JobConfig, data: str, own: Sequence[tuple[int, str]] = ()) -> Path:
    """Where the report of a run is kept, by all that decides its result: options, data, and what computes it.

    Args:
        folder: of the study.
        config: of the run, its seed included.
        data: SHA-256 of the archive, or the name of the data.
        own: the number of each party that brings a model, and what tells its file from any other.
    """
    of_baselines = ["opacus"] if Baseline.DP_SGD in config.baselines else []
    computing = {name: installed_version(name) for name in ("capc", *EXTRAS["learning"], *of_baselines)}
    decides = [SCHEMA, SPEC_VERSION, RECIPE, computing, data, _deciding(config.document()), *([own] if own else [])]
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return folder / "runs" / f"{digest[:32]}.json"


def _deciding(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if name not in _OF_NO_RESULT}


def kept_report(file: Path, config: JobConfig) -> dict[str, Any] | None:
    """A report that an earlier start of the study kept; None if there is none.

    Args:
        file: where it would be.
        config: of the run, its seed included.

    Raises:
        InputError: the file is no report of this run to its end.
    """
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        report = None
    try:
        ended = report["simulated"] is True and report["status"] != "interrupted" and bool(dict(figures(report)))
        is_this = ended and _deciding(report["config"]) == _deciding(config.document())
    except (KeyError, TypeError, ValueError, AttributeError):
        is_this = False
    if not is_this:
        raise InputError(f"{file} (--out): not the report of a run: remove it, and it is run again")
    return report  # type: ignore[no-any-return]


def keep_report(report: Mapping[str, object], file: Path) -> None:
    """Keeps a report; the folder is made.

    Raises:
        InputError: the disk refused.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"out = {file.parent} (--out): cannot be made ({error.strerror}): name another") from None
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
        "name": study.name or str(data["name"]),
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
        for name, value in (*_of_turn(turn), *_of_unseen(turn, report["parties"][turn["party"]])):
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
    for label, (old, new) in enumerate(zip(before["per_label"], after["per_label"], strict=True)):
        yield f"label_{label}_before", old
        yield f"label_{label}_after", new
        yield f"label_{label}_gain", new - old
    if before["per_label"]:
        yield "per_label_gain", fmean(after["per_label"]) - fmean(before["per_label"])
    for old, new in zip(before["groups"], after["groups"], strict=True):
        yield f"group_{old['value']}_before", old["balanced"]
        yield f"group_{old['value']}_after", new["balanced"]
        yield f"group_{old['value']}_gain", new["balanced"] - old["balanced"]
    for name, score in turn["baselines"].items():
        yield f"{name}_accuracy", score["accuracy"]
        yield f"{name}_gain", score["accuracy"] - before["accuracy"]


def _of_unseen(turn: Mapping[str, Any], party: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Of classes and groups of which the party has no labelled row: the mean over them."""
    before, after = turn["before"], turn["after"]
    values = {"class": [score["per_class"] for score in (before, after)]}
    if len(before["groups"]) == len(party["per_group"]):
        values["group"] = [[group["balanced"] for group in score["groups"]] for score in (before, after)]
    for kind, (old, new) in values.items():
        places = [place for place, rows in enumerate(party[f"per_{kind}"]) if not rows and old[place] is not None]
        if places:
            had, has = (fmean(score[place] for place in places) for score in (old, new))
            yield f"unseen_{kind}_before", had
            yield f"unseen_{kind}_after", has
            yield f"unseen_{kind}_gain", has - had


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
