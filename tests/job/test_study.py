"""What a study tells of its runs, and by what it finds them again."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Any

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.job import study as study_module
from capc.job.config import OPTIONS, JobConfig
from capc.job.options import OF_THE_PROTOCOL
from capc.job.study import Study, figures, kept_report, read_study, run_file, summary
from capc.learning.baselines import Baseline
from capc.learning.strategies import Strategy

ACCURACY = st.floats(0, 1)
DATA = {"name": "rows", "sha256": "0" * 64, "rows": 100}


def score(accuracy: float, groups: tuple[float, ...] = (), labels: int = 0) -> dict[str, Any]:
    return {
        "accuracy": accuracy,
        "balanced": accuracy / 2,
        "per_class": [accuracy],
        "worst_class": accuracy / 4,
        "worst_group": min(groups, default=None),
        "groups": [{"value": place, "accuracy": told, "balanced": told} for place, told in enumerate(groups)],
        "per_label": [accuracy] * labels,
    }


def report(turns: list[tuple[float, float]], released: int = 4, correct: int = 3) -> dict[str, Any]:
    return {
        "queriers": [
            {"party": party, "before": score(before), "after": score(after), "rounds": [], "baselines": {}}
            for party, (before, after) in enumerate(turns)
        ],
        "parties": [{"per_class": [7], "per_group": []} for _ in turns],
        "agreement": {"queries": 5, "released": released, "correct": correct, "plurality": released},
        "ensemble": score(0.5),
        "privacy": {"realised": 2.0},
    }


def told_of(reports: list[dict[str, Any]]) -> dict[str, Any]:
    study = Study("", (({}, JobConfig()),), len(reports) or 1)
    document = summary(study, [reports], DATA)
    assert document["name"] == "rows"
    (cell,) = document["cells"]
    assert cell["repeats"] == len(reports)
    values: dict[str, Any] = cell["values"]
    return values


@pytest.mark.req("CAPC-RUN-045")
@given(st.lists(st.tuples(ACCURACY, ACCURACY), min_size=1, max_size=12))
def test_intervals_hold_what_students_law_says(accuracies: list[tuple[float, float]]) -> None:
    """The probability of the interval under the law of t, by the incomplete beta function."""
    values = told_of([report([turn]) for turn in accuracies])
    for name, expected in (("after", [after for _, after in accuracies]), ("gain", [b - a for a, b in accuracies])):
        found, count = values[name], len(expected)
        assert found["values"] == pytest.approx(expected)
        assert found["mean"] == pytest.approx(fmean(expected))
        if count == 1:
            assert found["low"] is found["high"] is None
            continue
        spread = mpmath.sqrt(sum((value - found["mean"]) ** 2 for value in expected) / (count - 1))
        assert found["mean"] - found["low"] == pytest.approx(found["high"] - found["mean"])
        if spread < 1e-6:
            assert found["high"] - found["mean"] < 1e-4
            continue
        t = (found["high"] - found["mean"]) / (spread / mpmath.sqrt(count))
        degrees = count - 1
        outside = mpmath.betainc(degrees / 2, 0.5, 0, degrees / (degrees + t**2), regularized=True)
        assert float(outside) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.req("CAPC-RUN-045")
@given(st.floats(0, 1), st.integers(2, 9))
def test_equal_values_have_an_interval_of_no_width(accuracy: float, count: int) -> None:
    found = told_of([report([(0.0, accuracy)])] * count)["after"]
    assert found["low"] == found["mean"] == found["high"]


@pytest.mark.req("CAPC-RUN-045")
@given(st.lists(st.tuples(ACCURACY, ACCURACY), min_size=1, max_size=5))
def test_several_querying_parties_of_one_repeat_are_one_value(turns: list[tuple[float, float]]) -> None:
    found = dict(figures(report(turns)))
    assert found["before"] == pytest.approx(fmean(before for before, _ in turns))
    assert found["gain"] == pytest.approx(fmean(after - before for before, after in turns))
    assert found["worst_class_gain"] == pytest.approx(found["gain"] / 4, abs=1e-12)


def test_what_a_party_has_no_rows_of_is_told_apart() -> None:
    told = report([(0.5, 0.75)])
    turn, party = told["queriers"][0], told["parties"][0]
    turn["before"], turn["after"] = score(0.5, (0.25, 0.75), 2), score(0.75, (0.5, 0.625), 2)
    for when, values in (("before", [0.5, 0.0, 0.25, None]), ("after", [0.75, 0.5, 0.5, None])):
        turn[when]["per_class"] = values
    party.update(per_class=[9, 0, 0, 0], per_group=[0, 9])
    found = told_of([told])
    of_labels = {"before": 0.5, "after": 0.75, "gain": 0.25}
    assert {name: found[name]["mean"] for name in found if name.startswith(("unseen", "label_", "per_label"))} == {
        **{"unseen_class_before": 0.125, "unseen_class_after": 0.5, "unseen_class_gain": 0.375},
        **{"unseen_group_before": 0.25, "unseen_group_after": 0.5, "unseen_group_gain": 0.25},
        **{f"label_{label}_{what}": mean for label in (0, 1) for what, mean in of_labels.items()},
        "per_label_gain": 0.25,
    }
    party.update(per_class=[9, 1, 1, 1], per_group=[1, 9])
    assert not [name for name in told_of([told]) if name.startswith("unseen")]


def test_a_figure_that_a_repeat_lacks_is_not_told_of_the_others() -> None:
    """A mean over fewer repeats than its cell has would pass for one over all."""
    assert "labels_right" in told_of([report([(0.1, 0.2)])] * 2)
    assert "labels_right" not in told_of([report([(0.1, 0.2)]), report([(0.1, 0.2)], released=0, correct=0)])
    assert told_of([]) == {}


SAMPLES: dict[str, object] = {
    **{"data": Path("elsewhere/rows.npz"), "keep": Path("models"), "batch": 7, "seed": 3, "epsilon": Fraction(3)},
    **{"strategy": Strategy.RANDOM},
}


def changed(name: str) -> JobConfig:
    """A configuration with another value of this option."""
    config, value = JobConfig(), getattr(JobConfig(), name)
    if name in SAMPLES:
        return replace(config, **{name: SAMPLES[name]})
    if isinstance(value, bool):
        return replace(config, **{name: not value})
    if hasattr(type(value), "__members__"):
        return replace(config, **{name: next(other for other in type(value) if other is not value)})
    if isinstance(value, int | Fraction):
        return replace(config, **{name: value + 1})
    return replace(config, **{name: {"baselines": ("noiseless",)}.get(name, "other")})


@pytest.mark.req("CAPC-RUN-046")
@pytest.mark.parametrize("name", OPTIONS)
def test_a_report_is_found_by_what_decides_it_and_by_nothing_else(name: str) -> None:
    of_no_result = {"data", "keep", "batch", *OF_THE_PROTOCOL}
    folder = Path("study")
    same = run_file(folder, changed(name), "digest") == run_file(folder, JobConfig(), "digest")
    assert same == (name in of_no_result)


@pytest.mark.req("CAPC-RUN-046")
def test_other_data_and_other_versions_are_other_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    folder, config = Path("study"), JobConfig()
    files = {run_file(folder, config, "digest"), run_file(folder, config, "another")}
    with monkeypatch.context() as patch:
        patch.setattr(study_module, "SPEC_VERSION", "capc/other")
        files.add(run_file(folder, config, "digest"))
    for package in ("capc", "torch", "numpy", "scikit-learn"):
        with monkeypatch.context() as patch:
            patch.setattr(study_module, "installed_version", lambda name, p=package: "9" if name == p else "1")
            files.add(run_file(folder, config, "digest"))
    assert len(files) == 7
    assert run_file(folder, replace(config, places={"seed": "--seed"}), "digest") in files
    monkeypatch.setattr("capc.job.study.RECIPE", "another")
    assert run_file(folder, JobConfig(), "digest") not in files
    assert {field.name for field in fields(JobConfig)} - set(OPTIONS) == {"places"}


@pytest.mark.req("CAPC-RUN-046")
@pytest.mark.parametrize(
    ("package", "config", "decides"),
    [
        ("scipy", JobConfig(), True),
        ("opacus", JobConfig(), False),
        ("opacus", JobConfig(baselines=(Baseline.DP_SGD,)), True),
    ],
)
def test_a_version_makes_another_run_where_it_computes_a_figure(
    monkeypatch: pytest.MonkeyPatch, package: str, config: JobConfig, decides: bool
) -> None:
    files = set()
    for version in ("1", "9"):
        monkeypatch.setattr(study_module, "installed_version", lambda name, v=version: v if name == package else "1")
        files.add(run_file(Path("study"), config, "digest"))
    assert (len(files) == 2) == decides


@pytest.mark.req("CAPC-RUN-046")
@given(st.binary(max_size=60), st.lists(st.sampled_from(sorted(report([(0.1, 0.2)])))))
def test_whatever_is_in_its_place_is_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, names: list[str]
) -> None:
    file = tmp_path_factory.mktemp("study") / "report.json"
    assert kept_report(file, JobConfig()) is None
    for damaged in (content, json.dumps(dict.fromkeys(names)).encode()):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=r"report\.json \(--out\): not the report of a run: remove it"):
            kept_report(file, JobConfig())


@given(st.lists(st.integers(1, 50), min_size=1, max_size=4, unique=True), st.integers(1, 5), st.integers(0, 9))
def test_a_file_describes_every_combination(
    tmp_path_factory: pytest.TempPathFactory, epsilons: list[int], repeats: int, seed: int
) -> None:
    file = tmp_path_factory.mktemp("study") / "noise.toml"
    file.write_text(f"repeats = 9\nseed = {seed}\n[sweep]\nepsilon = {epsilons}\nqueries = [3, 4]\n")
    study = read_study({"sigma": "9"}, file, repeats)
    assert (study.name, study.runs) == ("noise", len(epsilons) * 2 * repeats)
    assert [dict(labels) for labels, _ in study.cells] == [
        {"epsilon": str(epsilon), "queries": queries} for epsilon in epsilons for queries in (3, 4)
    ]
    for labels, config in study.cells:
        assert (str(config.epsilon), config.queries) == (labels["epsilon"], labels["queries"])
        assert (config.seed, config.sigma) == (seed, 9)
        assert config.place("epsilon") == f"{file}: sweep.epsilon"
    assert read_study({}, file, None).repeats == 9
