"""What is recorded of learning: of the studies that stand beside it, to their end, in tables that are theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capc.job.config import JobConfig
from capc.job.options import OF_THE_PROTOCOL, WITHDRAWN
from capc.job.study import VARIED, read_study
from capc.session.parameters import Accounting, ThresholdMode
from capc_bench.learning import tables
from job.stand_in import validate

ROOT = Path(__file__).parents[2]
EVIDENCE = ROOT / "benchmarks" / "evidence" / "learning"
STUDIES = ROOT / "benchmarks" / "capc_bench" / "learning"
RECORDED = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(EVIDENCE.glob("*.json"))}
TAKEN_OUT = {"keep", *OF_THE_PROTOCOL}
for _cell in (cell for study in RECORDED.values() for cell in study["cells"]):
    # What was recorded before an option was withdrawn names it, and before there was one it ran as by its default. A
    # mode of the threshold is none where there is no threshold.
    _kept = {name: value for name, value in _cell["config"].items() if name not in WITHDRAWN}
    _mode = None if _kept["threshold"] is None else ThresholdMode.TWO_DRAWS.value
    _cell["config"] = {"accounting": Accounting.GAUSSIAN_DP.value, "models": None, **_kept, "threshold_mode": _mode}


def test_every_record_is_of_a_study_and_those_without_one_are_named() -> None:
    """The README says which studies were not run to their end yet."""
    text = (EVIDENCE / "README.md").read_text(encoding="utf-8")
    studies = {file.stem for file in STUDIES.glob("*.toml")}
    assert set(RECORDED) <= studies
    named = text.partition("Not recorded yet:")[2].partition("\n\n")[0]
    assert {name for name in studies if f"`{name}`" in named} == studies - set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_a_record_is_of_the_study_that_stands_here_and_complete(name: str) -> None:
    recorded = RECORDED[name]
    validate(recorded, "study")
    study = read_study({}, STUDIES / f"{name}.toml", None)
    assert recorded["name"] == study.name
    assert len(recorded["cells"]) == len(study.cells)
    for cell, (labels, config) in zip(recorded["cells"], study.cells, strict=True):
        assert cell["labels"] == labels
        assert cell["repeats"] == study.repeats
        assert {len(figure["values"]) for figure in cell["values"].values()} == {study.repeats}
        assert told(cell["config"]) == told(config.document())
    assert recorded["commands"]


def told(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in TAKEN_OUT}


def test_tables_are_those_of_the_records() -> None:
    assert (EVIDENCE / "README.md").read_text(encoding="utf-8") == tables.page(EVIDENCE)


@pytest.mark.parametrize(("partition", "least"), [("iid", 0.03), ("weak", 0.12), ("missing", 0.30)])
def test_the_gains_that_the_project_claims_are_recorded(partition: str, least: float) -> None:
    """In the mean over ten repeats; neither the balanced accuracy nor the worst class falls."""
    (values,) = (
        cell["values"] for cell in RECORDED["mnist14_k250"]["cells"] if cell["labels"] == {"partition": partition}
    )
    assert len(values["gain"]["values"]) >= 10
    assert values["gain"]["mean"] >= least
    assert values["balanced_gain"]["mean"] >= 0
    assert values["worst_class_gain"]["mean"] >= 0


def test_options_that_are_varied_are_options() -> None:
    for recorded in RECORDED.values():
        for cell in recorded["cells"]:
            assert set(cell["labels"]) <= set(VARIED)
            assert set(cell["config"]) == {name for name in JobConfig.__dataclass_fields__ if name != "places"}


@pytest.mark.parametrize("name", ["adult_k20", "mnist_k50", "mnist14_k250"])
def test_recorded_runs_released_what_the_ideal_functionality_does(name: str) -> None:
    real, simulated = (
        json.loads((EVIDENCE / "real" / f"{name}_{kind}.json").read_text(encoding="utf-8"))
        for kind in ("run", "simulate")
    )
    assert (real["simulated"], simulated["simulated"]) == (False, True)
    asked = real["config"]["queries"]
    assert real["agreement"]["queries"] == real["agreement"]["equal_to_ideal"] == asked
    assert told(real["config"]) == told(simulated["config"])
    assert real["queriers"][0]["before"] == simulated["queriers"][0]["before"]


def test_every_architecture_of_the_default_mix_learns_mnist() -> None:
    recorded = json.loads((EVIDENCE / "real" / "mnist_k50_run.json").read_text(encoding="utf-8"))
    assert len(recorded["accuracy_by_layer_sizes"]) == 6
    assert min(found["mean"] for found in recorded["accuracy_by_layer_sizes"].values()) >= 0.85
