"""Documents of reports and studies with made-up figures, as their shapes run_report/v2 and study/v1 say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capc.foundation.parties import organisation
from capc.job.config import JobConfig

LABEL = "guarantee of the enforced budget"
NO_LABEL = "no guarantee: simulated in the clear, with noise from --seed"


def score(accuracy: float, classes: int, groups: Sequence[object] = ()) -> dict[str, Any]:
    """A score whose classes lie around its accuracy."""
    per_class: list[float | None] = [min(1.0, max(0.0, accuracy + 0.03 * (place % 7 - 3))) for place in range(classes)]
    found = [
        {"value": value, "accuracy": accuracy, "balanced": max(0.0, accuracy - 0.1 * place)}
        for place, value in enumerate(groups)
    ]
    return {
        "accuracy": accuracy,
        "balanced": accuracy - 0.01,
        "per_class": per_class,
        "worst_class": min(value for value in per_class if value is not None),
        "groups": found,
        "worst_group": min((entry["balanced"] for entry in found), default=None),
        "per_label": [],
    }


def run_report(
    *,
    simulated: bool = True,
    classes: Sequence[object] = tuple(range(10)),
    groups: Sequence[object] = (),
    parties: int = 21,
    queriers: int = 3,
    queries: int = 60,
    name: str = "digits",
    text: str = "text",
) -> dict[str, Any]:
    """A report of a run that ended.

    Args:
        simulated: whether it is one of `capc simulate`.
        classes: the source's labels.
        groups: the values of the group.
        parties: P.
        queriers: so many of them ask.
        queries: all together.
        name: of the data.
        text: stands where a report has words of its own: warnings, reasons, hypotheses.
    """
    count = len(classes)
    return {
        "schema": "run_report/v2",
        "simulated": simulated,
        "status": "complete",
        "config": {**JobConfig().document(), "data": name, "parties": parties - 1, "queriers": queriers},
        "data": {
            "name": name,
            "rows": 1797,
            "features": 64,
            "classes": list(classes),
            "labels_of_sets": 0,
            "group": {"name": text, "values": list(groups)} if groups else None,
            "split": {"test": 449, "pools": [60] * queriers, "parties": [50] * parties},
        },
        "parties": [
            {
                "party": party,
                "name": organisation(party),
                "layer_sizes": [64, 32, count],
                "rows": 50,
                "per_class": [5] * count,
                "per_group": [25] * len(groups),
                "score": score(0.6 + 0.3 * (party * 7 % parties) / parties, count, groups),
            }
            for party in range(parties)
        ],
        "queriers": [_querier(party, queries // max(1, queriers), count, groups) for party in range(queriers)],
        "ensemble": score(0.93, count, groups),
        "queries": [_query(index, queriers, count, parties - 1) for index in range(1, queries + 1)],
        "agreement": {"queries": queries, "released": queries - queries // 5, "withheld": queries // 5,
                      "equal_to_ideal": queries, "plurality": queries // 2, "correct": queries // 2},
        "privacy": {
            "epsilon": 2.0,
            "delta": 1e-6,
            "label": NO_LABEL if simulated else LABEL,
            "realised": 1.25,
            "realised_label": NO_LABEL if simulated else "not a guarantee unless the counts were fixed in advance",
            "all_queriers": {"budgets": "shared", "epsilon": 2.0},
            "mechanism": "rounded_gaussian",
            "adjacency": "replace_one",
            "method": text,
            "charge": "worst_case",
            "accounting": "argmax_renyi",
            "accounting_because": text,
            "adversaries": {"semi_honest": 2.0, "cheating_querying_party": 2.5},
            "joint": False,
            "renyi_order": None,
            "sigma": "65/2",
            "threshold": "12",
            "threshold_sigma": "65/2",
            "threshold_mode": "two_draws",
            "unit": "rho",
            "budget": "3/100",
            "spent": "1/100",
            "query_cost": "1/3000",
            "remaining_queries": 60,
            "rounding": text,
            "hypotheses": [text, "a record lies with one party only"],
        },
        "advice": {"sigma": "65/2", "threshold": None, "queries": 40, "warnings": [text], "reasons": [text]},
        "ledger": None,
        "journal": None,
        "engine": {"name": "embedded", "model": "base", "version": None, "parties": 2, "not_withstood": []},
        "garbling": None if simulated else {"hash_keys": 1, "rows": 123456, "most_rows": 123456, "key_bits": 110.0,
                                            "run_bits": 110.0, "delta_bits": 78.9},
        "steps": {} if simulated else {
            step: {"seconds": 1.234, "bytes": 1234567, "rounds": 16} for step in ("setup", "1a_layers", "3_release")
        },
        "versions": {"python": "3.12.1", "specification": "0.1.1"},
    }  # fmt: skip


def _querier(party: int, queries: int, count: int, groups: Sequence[object]) -> dict[str, Any]:
    before = 0.62 + 0.02 * party
    rounds = [
        {
            "round": number,
            "queries": queries * number // 4,
            "epsilon": 2.0 * (number / 4) ** 0.5,
            "score": score(before + 0.05 * number**0.7, count, groups),
        }
        for number in range(1, 5)
    ]
    return {
        "party": party,
        "before": score(before, count, groups),
        "after": rounds[-1]["score"],
        "rounds": rounds,
        "baselines": {"self_training": score(before + 0.01, count, groups), "pooled": score(0.96, count, groups)},
    }


def _query(index: int, queriers: int, count: int, voters: int) -> dict[str, Any]:
    most = voters // 3 + index * 5 % (voters - voters // 3)
    votes = [0] * count
    votes[index % count], votes[(index + 1) % count] = most, voters - most
    return {
        "index": index,
        "party": index % max(1, queriers),
        "round": 1 + index % 4,
        "row": 17 * index,
        "label": None if index % 5 == 0 else index % count,
        "ideal_label": None if index % 5 == 0 else index % count,
        "true_label": (index + (index % 4 == 0)) % count,
        "votes": votes,
        "seconds": 0.123,
        "bytes": 234567.5,
        "offline_seconds": 0.0,
        "offline_bytes": 0.0,
    }


def study(
    *,
    partitions: Sequence[object] = ("iid", "weak", "missing"),
    strategies: Sequence[object] = ("random", "margin", "margin_clusters"),
    epsilons: Sequence[object] = (1, 2, 5, 10),
    name: str = "mnist",
) -> dict[str, Any]:
    """A study with a cell for each setting."""
    return {
        "schema": "study/v1",
        "simulated": True,
        "name": name,
        "commands": [f"capc simulate --study {name}.toml"],
        "data": [{"name": name, "sha256": "ab" * 32, "rows": 70000}],
        "cells": [
            _cell(
                {"data": name, "partition": partition, "strategy": strategy, "epsilon": epsilon},
                (0.03 + 0.12 * place) * (1 - 0.7 / (1 + number)) + 0.01 * other,
            )
            for place, partition in enumerate(partitions)
            for other, strategy in enumerate(strategies)
            for number, epsilon in enumerate(epsilons)
        ],
    }


def _cell(labels: dict[str, object], gain: float) -> dict[str, Any]:
    values = {
        "before": _stat(0.6),
        "after": _stat(0.6 + gain),
        "gain": _stat(gain),
        "balanced_gain": _stat(gain * 0.9),
        "worst_class_gain": _stat(gain * 2 - 0.1),
        "labels_right": _stat(0.88),
        "ensemble": _stat(0.91),
        "self_training": _stat(0.61),
        "pooled": _stat(0.97),
    }
    return {"labels": labels, "config": JobConfig().document(), "repeats": 10, "queriers": 3, "values": values}


def _stat(mean: float) -> dict[str, Any]:
    return {"mean": mean, "low": mean - 0.012, "high": mean + 0.012, "values": [mean] * 10}
