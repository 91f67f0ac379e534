"""The job around the protocol: order, seeds, budget, interruption, and models that could wrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from capc.errors import InputError
from capc.job import job as job_module
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.observer import Stage
from capc.job.plan import prepare
from capc.job.report import document
from capc.job.state import Status
from capc.learning.training import FloatModel
from job.stand_in import Opener, Recorder, validate


def make_job(opener: Opener, **flags: str) -> tuple[Job, Recorder]:
    recorder = Recorder()
    options = {"parties": "3", "queries": "4", **flags}
    return Job(prepare(resolve(options)), recorder, opener), recorder


def test_a_whole_run_reports_every_query_and_gets_better_with_right_labels() -> None:
    opener = Opener()
    job, recorder = make_job(opener, queries="20")
    job.run()
    state = job.state
    assert state.status is Status.COMPLETE
    assert [query.index for query in state.queries] == list(range(1, 21))
    rows = [query.row for query in state.queries]
    assert len(set(rows)) == 20
    assert set(rows) <= set(state.split.pool.tolist())
    assert state.before is not None
    assert state.after is not None
    assert state.after.accuracy > state.before.accuracy + 0.05
    stages = [stage for event, stage in recorder.events if event == "started"]
    assert stages == list(Stage)
    assert recorder.events.count(("advanced", Stage.QUERIES)) == 20
    validate(document(state))


def test_the_answering_parties_have_different_architectures() -> None:
    job, _ = make_job(Opener(), parties="6")
    job.run()
    assert len({model.layer_sizes for model in job.state.models}) == 6


def test_what_the_protocol_is_given_does_not_contain_the_seed() -> None:
    """Another seed, the same data: what differs is the models and the queries, which the seed decides."""
    first, same, other = Opener(), Opener(), Opener()
    for opener, seed in ((first, "1"), (same, "1"), (other, "2")):
        make_job(opener, seed=seed)[0].run()
    assert first.parameters == same.parameters == other.parameters
    assert first.opened[0].models == same.opened[0].models
    assert first.opened[0].asked == same.opened[0].asked
    assert first.opened[0].models != other.opened[0].models


@pytest.mark.req("CAPC-RUN-004")
def test_the_run_stops_and_says_so_when_the_budget_admits_no_further_query() -> None:
    """Sigma 1 costs mu^2 = 2 a query; the budget of epsilon 10 admits 2 of the 4 planned ones."""
    opener = Opener()
    job, _ = make_job(opener, sigma="1")
    job.run()
    assert job.state.status is Status.BUDGET_EXHAUSTED
    assert len(job.state.queries) == len(opener.opened[0].asked) == 2
    assert job.state.after is not None
    assert job.state.account.spent <= job.state.account.budget
    report = document(job.state)
    validate(report)
    assert report["status"] == "budget_exhausted"


@pytest.mark.req("CAPC-RUN-003")
@pytest.mark.parametrize("interrupt_at", [1, 3])
def test_an_interrupted_run_has_a_valid_report_of_what_was_done(interrupt_at: int) -> None:
    job, _ = make_job(Opener(interrupt_at=interrupt_at))
    with pytest.raises(KeyboardInterrupt):
        job.run()
    report = document(job.state)
    validate(report)
    assert report["status"] == "interrupted"
    assert len(job.state.queries) == interrupt_at - 1
    # The interrupted query was charged and stays charged.
    assert job.state.account.spent == job.state.account.cost.worst_case * interrupt_at
    assert job.state.before is not None
    assert job.state.after is None


@pytest.mark.req("CAPC-RUN-003")
def test_a_run_that_is_interrupted_in_training_has_a_valid_report(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def interrupted(*arguments: object) -> FloatModel:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return FloatModel((np.zeros((10, 64)),), (np.zeros(10),))

    monkeypatch.setattr(job_module, "train", interrupted)
    opener = Opener()
    job, _ = make_job(opener)
    with pytest.raises(KeyboardInterrupt):
        job.run()
    assert not opener.opened
    assert len(job.state.models) == 2
    validate(document(job.state))


def wild(*_: object) -> FloatModel:
    """Sums of 64 * 2^12 = 2^18: 45 bits at 24 fraction bits, and 25 at 4."""
    return FloatModel((np.full((10, 64), 4096.0),), (np.zeros(10),))


def tame(*_: object) -> FloatModel:
    """Sums of 64 * 16 = 2^10: 17 bits at 4 fraction bits, and at 24 the 37 that the set `default` has."""
    return FloatModel((np.full((10, 64), 16.0),), (np.zeros(10),))


@pytest.mark.req("CAPC-RUN-005")
@pytest.mark.parametrize(
    ("model", "parameters", "fragments"),
    [
        (wild, "default", ["ring of 37 bits: no set is made", "choose other --data, or another --seed"]),
        (wild, "toy", ["ring of 12 bits: no set is made", "choose other --data, or another --seed"]),
        (tame, "toy", ["ring of 12 bits: choose --parameters default"]),
    ],
)
def test_a_model_that_could_wrap_is_refused_before_the_session_is_set_up(
    monkeypatch: pytest.MonkeyPatch,
    model: Callable[..., FloatModel],
    parameters: str,
    fragments: list[str],
) -> None:
    monkeypatch.setattr(job_module, "train", model)
    opener = Opener()
    job, _ = make_job(opener, parameters=parameters)
    with pytest.raises(InputError) as refusal:
        job.run()
    assert not opener.opened
    assert job.state.account.spent == 0
    line = str(refusal.value)
    assert line.startswith(f"parameters = {parameters} (--parameters): the model that answering_party_1 trained")
    assert all(part in line for part in fragments), line
    assert "weight decay" not in line


def test_withheld_labels_are_not_learned_from() -> None:
    """All labels withheld: retraining sees what training saw."""
    job, _ = make_job(Opener(withhold=frozenset({1, 2, 3, 4})))
    job.run()
    assert job.state.before == job.state.after
    report = document(job.state)
    validate(report)
    assert report["agreement"] == {"queries": 4, "released": 0, "withheld": 4, "equal_to_ideal": 4, "correct": 0}
