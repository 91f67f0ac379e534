"""The job around the protocol: order, seeds, budget, interruption, and models that could wrap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.job import models as models_module
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.report import document
from capc.job.state import Stage, Status
from capc.learning.training import FloatModel
from capc.session.parameters import Charge
from job.stand_in import Opener, Recorder, validate
from support.sizes import examples


def make_job(opener: Opener, **flags: str) -> tuple[Job, Recorder]:
    recorder = Recorder()
    options = {"parties": "3", "queries": "4", **flags}
    return Job(prepare(resolve(options)), recorder, opener), recorder


def train_at_once(monkeypatch: pytest.MonkeyPatch, train: Callable[..., FloatModel]) -> None:
    """This in the place of training, for all parties and for retraining."""
    monkeypatch.setattr(models_module, "train", train)
    monkeypatch.setattr(models_module, "train_side_by_side", lambda tasks, _: map(train, tasks))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model is the same at once: what is tested is around them."""
    model = FloatModel((np.eye(10, 64),), (np.zeros(10),))
    train_at_once(monkeypatch, lambda *_: model)


@pytest.mark.slow
def test_a_whole_run_reports_every_query_and_gets_better_with_right_labels() -> None:
    opener = Opener()
    job, recorder = make_job(opener, queries="40", parties="40")
    job.run()
    state = job.state
    assert state.status is Status.COMPLETE
    assert [query.index for query in state.queries] == list(range(1, 41))
    rows = [query.row for query in state.queries]
    assert len(set(rows)) == 40
    assert set(rows) <= set(state.split.pools[0].tolist())
    (turn,) = state.turns
    assert turn.before is not None
    assert turn.after is not None
    assert turn.after.accuracy > turn.before.accuracy
    stages = [stage for event, stage in recorder.events if event == "started"]
    assert stages == [Stage.TRAINING, Stage.SETUP, Stage.QUERIES, Stage.RETRAINING]
    assert recorder.events.count(("advanced", Stage.QUERIES)) == 40
    validate(document(state))


@pytest.mark.slow
def test_the_answering_parties_have_different_architectures() -> None:
    job, _ = make_job(Opener(), parties="6")
    job.run()
    assert len({party.layer_sizes for party in job.state.parties}) == 6


@pytest.mark.slow
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
    job, _ = make_job(opener, sigma="1", accounting="gaussian_dp")
    job.run()
    assert job.state.status is Status.BUDGET_EXHAUSTED
    assert len(job.state.queries) == len(opener.opened[0].asked) == 2
    assert job.state.turns[0].after is not None
    assert job.state.account.spent <= job.state.account.budget
    report = document(job.state)
    validate(report)
    assert report["status"] == "budget_exhausted"


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-004", "CAPC-RUN-010")
@settings(max_examples=examples(ordinary=15, nightly=300), suppress_health_check=list(HealthCheck))
@given(
    sigma=st.sampled_from(["1", "1.5", "2", "3"]),
    batch=st.integers(1, 12),
    withhold=st.frozensets(st.integers(1, 9)),
    charge=st.sampled_from(Charge),
)
def test_batches_answer_exactly_what_single_queries_would(
    trained: None, sigma: str, batch: int, withhold: frozenset[int], charge: Charge
) -> None:
    """Also where a withheld label gives back a part of its charge, so that the budget admits more than it seemed."""
    flags = {"queries": "9", "threshold": "1", "charge": charge.value, "sigma": sigma}
    runs = []
    for size in (1, batch):
        opener = Opener(withhold=withhold)
        job, _ = make_job(opener, batch=str(size), **flags)
        job.run()
        validate(document(job.state))
        runs.append((job.state.status, opener.opened[0].asked, job.state.account.spent))
        sizes = opener.opened[0].batches
        assert max(sizes, default=0) <= size
        assert sum(sizes) == len(job.state.queries)
    assert runs[0] == runs[1]


@pytest.mark.req("CAPC-RUN-010")
@pytest.mark.parametrize(
    ("flags", "sizes"),
    [
        ({"queries": "7", "batch": "3"}, [3, 3, 1]),
        ({"queries": "6", "batch": "3"}, [3, 3]),
        ({"queries": "2", "batch": "3"}, [2]),
        ({"queries": "12"}, [10, 2]),
        # Sigma 2 costs mu^2 = 1/2 a query: 8 fit, so that the second batch has fewer than are wanted.
        ({"queries": "20", "batch": "5", "sigma": "2", "accounting": "gaussian_dp"}, [5, 3]),
    ],
)
def test_batches_are_as_large_as_asked_for_and_the_last_is_what_is_left(
    trained: None, flags: dict[str, str], sizes: list[int]
) -> None:
    opener = Opener()
    job, recorder = make_job(opener, **flags)
    job.run()
    assert opener.opened[0].batches == sizes
    assert [query.bytes for query in job.state.queries] == [2] * sum(sizes)
    assert recorder.events.count(("advanced", Stage.QUERIES)) == sum(sizes)


@pytest.mark.req("CAPC-RUN-004")
def test_a_ledger_that_others_charged_in_the_meantime_ends_the_run_too(trained: None) -> None:
    class Late(Opener):
        def __call__(self, *arguments: Any) -> Any:
            labeller = super().__call__(*arguments)

            def refuse(queries: list[object]) -> object:
                account = labeller.account
                for number in range(account.remaining_queries() - len(queries) + 1):
                    account.reserve(bytes(32), number, bytes(32))
                raise BudgetExhaustedError("somebody else was faster")

            labeller.label_batch = refuse  # type: ignore[method-assign,assignment]
            return labeller

    job, _ = make_job(Late())
    job.run()
    assert job.state.status is Status.BUDGET_EXHAUSTED
    assert job.state.queries == []


@pytest.mark.req("CAPC-RUN-003", "CAPC-RUN-011")
@pytest.mark.parametrize(("interrupt_at", "batch"), [(1, 1), (3, 1), (2, 4), (4, 2), (3, 3)])
def test_an_interrupted_run_has_a_valid_report_of_what_was_done(interrupt_at: int, batch: int) -> None:
    job, _ = make_job(Opener(interrupt_at=interrupt_at), batch=str(batch))
    with pytest.raises(KeyboardInterrupt):
        job.run()
    report = document(job.state)
    validate(report)
    assert report["status"] == "interrupted"
    # All that was released is there, also of the batch that was under way; what was charged stays charged.
    assert len(job.state.queries) == interrupt_at - 1
    assert job.state.account.spent == job.state.account.cost.worst_case * interrupt_at
    assert job.state.turns[0].before is not None
    assert job.state.turns[0].after is None


@pytest.mark.req("CAPC-RUN-003")
def test_a_run_that_is_interrupted_in_training_has_a_valid_report(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def interrupted(*arguments: object) -> FloatModel:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return FloatModel((np.zeros((10, 64)),), (np.zeros(10),))

    train_at_once(monkeypatch, interrupted)
    opener = Opener()
    job, _ = make_job(opener)
    with pytest.raises(KeyboardInterrupt):
        job.run()
    assert not opener.opened
    assert len(job.state.parties) == 2
    validate(document(job.state))


def wild(*_: object) -> FloatModel:
    """Sums of 64 * 2^12 = 2^18: 45 bits at 24 fraction bits, and 25 at 4."""
    return FloatModel((np.full((10, 64), 4096.0),), (np.zeros(10),))


def tame(*_: object) -> FloatModel:
    """Sums of 64 * 16 = 2^10: 17 bits at 4 fraction bits, and at 24 the 37 that the set `default` has."""
    return FloatModel((np.full((10, 64), 16.0),), (np.zeros(10),))


@pytest.mark.req("CAPC-RUN-005")
@pytest.mark.parametrize(("model", "parameters"), [(wild, "default"), (wild, "toy"), (tame, "toy")])
def test_a_model_that_could_wrap_is_refused_before_the_session_is_set_up(
    monkeypatch: pytest.MonkeyPatch, model: Callable[..., FloatModel], parameters: str
) -> None:
    """Training keeps a bound, so that no model is refused unless training is replaced."""
    train_at_once(monkeypatch, model)
    opener = Opener()
    job, _ = make_job(opener, parameters=parameters)
    with pytest.raises(InputError, match=r"^layer 0 of the model needs \d+ bits and the logit ring has \d+"):
        job.run()
    assert not opener.opened
    assert job.state.account.spent == 0


def test_withheld_labels_are_not_learned_from() -> None:
    """All labels withheld: retraining sees what training saw."""
    job, _ = make_job(Opener(withhold=frozenset({1, 2, 3, 4})))
    job.run()
    assert job.state.turns[0].before == job.state.turns[0].after
    report = document(job.state)
    validate(report)
    assert report["agreement"] == {
        "queries": 4,
        "released": 0,
        "withheld": 4,
        "equal_to_ideal": 4,
        "plurality": 0,
        "correct": 0,
    }
