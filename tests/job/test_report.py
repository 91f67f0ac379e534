"""The report: its schema, its one guarantee, and files that are whole at every moment."""

from __future__ import annotations

import copy
import errno
import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.job.config import OPTIONS, resolve
from capc.job.job import Job
from capc.job.keeping.files import check_writable, to_json, write_text
from capc.job.plan import prepare
from capc.job.report import document
from capc.privacy.accountants.conversion import epsilon_upper
from capc.privacy.accountants.policies import certify
from capc.privacy.figures.rounding import rounded_up, upwards
from capc.privacy.figures.statement import NOT_A_GUARANTEE, budget_statement
from job.stand_in import Opener, Recorder, validate
from support import reports
from support.few_passes import few_passes
from support.label_costs import set_label_costs


@pytest.fixture(scope="module")
def job(request: pytest.FixtureRequest) -> Job:
    flags = {"parties": "2", "queries": "3", "threshold": "1", "epsilon": "4.2", "charge": "realised"}
    with pytest.MonkeyPatch.context() as patch:
        few_passes(request, patch)
        set_label_costs(patch)
        job = Job(prepare(resolve(flags)), Recorder(), Opener(withhold=frozenset({2})))
        job.run()
    certify.cache_clear()
    return job


@pytest.mark.req("CAPC-RUN-008")
def test_a_report_has_the_published_shape_after_a_round_trip(job: Job) -> None:
    report = document(job.state)
    validate(report)
    assert json.loads(to_json(report)) == report
    assert [query["label"] is None for query in json.loads(to_json(report))["queries"]] == [False, True, False]


@pytest.mark.req("CAPC-RUN-008")
@pytest.mark.parametrize(
    "damage",
    [
        lambda report: report.pop("privacy"),
        lambda report: report["privacy"].pop("epsilon"),
        lambda report: report["queriers"][0].update(before="0.5"),
        lambda report: report["queries"][0].update(label=-1),
        lambda report: report["queries"][0].pop("ideal_label"),
        lambda report: report["steps"]["setup"].update(megabytes=1),
        lambda report: report.update(status="running"),
        lambda report: report.update(surprise=1),
        lambda report: report["steps"].update(before={"seconds": 0, "bytes": 0, "rounds": 0}),
        lambda report: report["queries"][0].pop("bytes"),
        lambda report: report["queries"][0].pop("votes"),
        lambda report: report["queries"][0].update(round=0),
        lambda report: report["parties"][0].pop("score"),
        lambda report: report["parties"][0]["score"].update(accuracy=1.5),
        lambda report: report["queriers"][0]["baselines"].update(guesses=report["parties"][0]["score"]),
        lambda report: report["queriers"][0]["rounds"][0].pop("epsilon"),
        lambda report: report["data"]["split"].update(pools=[]),
        lambda report: report["config"].pop("queriers"),
        lambda report: report["privacy"].pop("all_queriers"),
        lambda report: report.update(schema="run_report/v1"),
        lambda report: report.update(simulated=True),
        lambda report: report["advice"].update(queries=-1),
        lambda report: report["agreement"].pop("plurality"),
        lambda report: report["config"].update(batch=0),
        lambda report: report["privacy"].update(label="guarantee"),
        lambda report: report["privacy"].update(label="no guarantee: guarantee of the enforced budget"),
        lambda report: report["privacy"].update(realised_label="guarantee of the enforced budget"),
    ],
)
def test_the_schema_refuses_another_shape(job: Job, damage: Callable[[Any], object]) -> None:
    report = copy.deepcopy(document(job.state))
    damage(report)
    with pytest.raises(jsonschema.ValidationError):
        validate(report)


@pytest.mark.req("CAPC-RUN-006", "CAPC-ACCT-005")
def test_only_the_enforced_budget_is_called_a_guarantee(job: Job) -> None:
    """The enforced epsilon is the one that was asked for; what was spent says that it is no guarantee."""
    privacy: Any = document(job.state)["privacy"]
    account = job.state.account
    assert privacy["epsilon"] == 4.2
    assert privacy["label"] == "guarantee of the enforced budget"
    assert privacy["realised_label"] == NOT_A_GUARANTEE
    reading = epsilon_upper(account.cost.unit, account.spent, account.policy.delta, account.policy.renyi_order)
    assert Fraction(repr(privacy["realised"])) >= reading
    assert privacy["realised"] == pytest.approx(float(reading))
    assert Fraction(privacy["spent"]) == account.spent > 0
    assert Fraction(privacy["budget"]) == account.budget
    text = to_json(document(job.state)).replace(NOT_A_GUARANTEE, "")
    assert text.count("guarantee") == 1


@pytest.mark.req("CAPC-RUN-006")
@pytest.mark.parametrize("name", ["default", "test", "toy"])
@pytest.mark.parametrize("epsilon", ["1", "40", "1000"])
def test_under_every_set_the_budget_is_a_guarantee_at_the_delta_that_was_asked_for(name: str, epsilon: str) -> None:
    """HE responses are masked perfectly, so that no delta grows with epsilon."""
    flags = {"parties": "2", "queries": "3", "parameters": name, "epsilon": epsilon}
    state = Job(prepare(resolve(flags)), Recorder(), Opener()).state
    report: Any = document(state)
    validate(report)
    privacy = report["privacy"]
    assert (privacy["label"], privacy["delta"]) == ("guarantee of the enforced budget", 1e-5)
    assert "at delta = 0.00001 (guarantee" in str(budget_statement(state.account))


@given(numerator=st.integers(1, 10**20), denominator=st.integers(1, 10**20))
def test_a_printed_figure_is_never_below_the_exact_one(numerator: int, denominator: int) -> None:
    value = Fraction(numerator, denominator)
    printed = rounded_up(value)
    assert Fraction(repr(printed)) >= value
    assert printed == pytest.approx(float(value), rel=1e-15)


@given(decimal=st.decimals(min_value=0, max_value=1000, places=5))
def test_a_figure_that_a_user_gave_is_printed_as_given(decimal: Any) -> None:
    assert rounded_up(Fraction(decimal)) == float(decimal)
    assert Fraction(upwards(float(decimal))) == Fraction(decimal) or decimal >= 10


@pytest.mark.req("CAPC-ACCT-004")
@given(value=st.fractions(min_value=Fraction(1, 10**9), max_value=10**9))
@example(Fraction("13.123449"))
@example(Fraction("0.9999996"))
def test_six_digits_of_a_figure_are_no_smaller_than_it(value: Fraction) -> None:
    told = Fraction(upwards(rounded_up(value)))
    assert value <= told <= value * (1 + Fraction(1, 10**5))


def test_a_report_replaces_the_old_one_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.json"
    write_text(to_json({"number": 1}), file)

    def cut_short(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", cut_short)
    with pytest.raises(KeyboardInterrupt):
        write_text(to_json({"number": 2}), file)
    assert json.loads(file.read_text()) == {"number": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.json"
    write_text(to_json({"number": 1}), file)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"^json = .*report\.json \(--json\): not written \(No space left on device\)"):
        write_text(to_json({"number": 2}), file)
    assert json.loads(file.read_text()) == {"number": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_a_link_keeps_pointing_to_the_report(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    write_text(to_json({"number": 1}), link)
    assert link.is_symlink()
    assert json.loads(target.read_text()) == {"number": 1}


def test_a_report_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    for name in (tmp_path, tmp_path / "none" / "report.json", Path("/dev/null")):
        with pytest.raises(InputError, match="--json"):
            check_writable(name)
    check_writable(tmp_path / "report.json")


@pytest.mark.req("CAPC-RUN-008")
def test_documents_that_pages_are_tested_on_have_the_published_shapes() -> None:
    for simulated in (True, False):
        validate(reports.run_report(simulated=simulated))
        validate(reports.run_report(simulated=simulated, classes=(3, 5), groups=(0, 1), queriers=1))
    validate(reports.study(), "study")


@pytest.mark.parametrize(
    "damage",
    [
        lambda study: study.update(simulated=False),
        lambda study: study.pop("commands"),
        lambda study: study["data"][0].pop("sha256"),
        lambda study: study["cells"][0]["config"].pop("seed"),
        lambda study: study["cells"][0]["values"]["gain"].update(low="0.1"),
        lambda study: study["cells"][0].update(surprise=1),
    ],
)
def test_the_schema_of_studies_refuses_another_shape(damage: Callable[[Any], object]) -> None:
    study = reports.study()
    damage(study)
    with pytest.raises(jsonschema.ValidationError):
        validate(study, "study")


def test_the_schema_has_every_option_of_the_configuration() -> None:
    report: Any = reports.run_report()
    for name in OPTIONS:
        with pytest.raises(jsonschema.ValidationError):
            validate({**report, "config": {key: value for key, value in report["config"].items() if key != name}})
