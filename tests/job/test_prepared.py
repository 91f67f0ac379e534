"""Runs that prepare their batches, and runs whose HE work several processes share."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.job import job as job_module
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.report import document
from capc.job.state import Labeller, Status
from capc.linear.bfv import pool
from job.stand_in import Opener, Plurality, Recorder, validate

FLAGS = {"parameters": "test", "parties": "2", "queries": "3", "batch": "2"}
OFFLINE = {"setup", "ahead"}
"""Steps of which nothing is left when a batch's queries are used."""


def place(folder: Path) -> dict[str, str]:
    return {"ledger": str(folder / "ledger"), "journal": str(folder / "own" / "journal")}


def bytes_of(report: Any, *steps: str) -> int:
    return sum(cost["bytes"] for name, cost in report["steps"].items() if name in steps)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-022", "CAPC-RUN-010", "CAPC-AHEAD-001", "CAPC-AHEAD-004")
def test_a_prepared_run_releases_ideal_labels_and_tells_both_parts_apart(tmp_path: Path) -> None:
    reports: dict[str, Any] = {}
    for prepared in ("no", "yes"):
        folder = tmp_path / prepared
        folder.mkdir()
        job = Job(prepare(resolve({**FLAGS, **place(folder), "prepare": prepared})), Recorder())
        job.run()
        reports[prepared] = document(job.state)
        job.close()
        validate(reports[prepared])
        assert reports[prepared]["agreement"]["equal_to_ideal"] == 3
    at_once, apart = reports["no"], reports["yes"]
    assert apart["privacy"]["spent"] == at_once["privacy"]["spent"]
    # Set-up, three records of the ledger's own, and two of each query: preparing charges nothing.
    assert apart["ledger"]["records"] == at_once["ledger"]["records"]
    online = sum(query["bytes"] for query in apart["queries"])
    offline = sum(query["offline_bytes"] for query in apart["queries"])
    assert offline == pytest.approx(bytes_of(apart, "ahead"))
    assert online == pytest.approx(bytes_of(apart, *set(apart["steps"]) - OFFLINE))
    # All ciphertexts and tables are of the first part; what is left is masked values, labels and the release.
    assert "1b_masked_logits" not in apart["steps"]
    assert online < sum(query["bytes"] for query in at_once["queries"]) / 3
    assert all(query["offline_seconds"] > 0 and query["seconds"] > 0 for query in apart["queries"])
    assert all(query["offline_seconds"] == query["offline_bytes"] == 0 for query in at_once["queries"])


class Slow(Opener):
    """Of its own clock eight seconds pass in a preparation, and two while its queries are labelled."""

    seconds = 0.0

    def __call__(self, *arguments: Any) -> Labeller:
        labeller = super().__call__(*arguments)
        assert isinstance(labeller, Plurality)
        prepare_now, label_now = labeller.prepare, labeller.label_prepared

        def prepare_slowly(count: int) -> Any:
            self.seconds += 8
            return prepare_now(count)

        def label_slowly(*arguments: Any) -> Any:
            self.seconds += 2
            return label_now(*arguments)

        labeller.prepare, labeller.label_prepared = prepare_slowly, label_slowly  # type: ignore[method-assign]
        return labeller


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-022")
def test_seconds_and_bytes_before_and_after_the_preparation_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    opener = Slow()
    monkeypatch.setattr(job_module, "time", SimpleNamespace(perf_counter=lambda: opener.seconds))
    flags = {**FLAGS, "parameters": "default", "sigma": "9", "queries": "4", "prepare": "yes"}
    job = Job(prepare(resolve(flags)), Recorder(), opener)
    job.run()
    told: Any = document(job.state)
    names = ("offline_seconds", "offline_bytes", "seconds", "bytes")
    # Two queries share a batch; the stand-in sends 7 bytes of each ahead, and 2 of each after.
    assert [tuple(query[name] for name in names) for query in told["queries"]] == [(4, 7, 1, 2)] * 4


class Ends(Opener):
    """Its labeller's second preparation ends early."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def __call__(self, *arguments: Any) -> Labeller:
        labeller = super().__call__(*arguments)
        assert isinstance(labeller, Plurality)
        first = labeller.prepare

        def prepare_once(count: int) -> Any:
            labeller.prepare_error = self._error if labeller.prepared else None
            return first(count)

        labeller.prepare = prepare_once  # type: ignore[method-assign]
        return labeller


@pytest.mark.req("CAPC-RUN-023")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("refused"), BudgetExhaustedError("others")])
def test_a_preparation_that_ends_early_loses_work_only(tmp_path: Path, error: BaseException) -> None:
    """The second batch's row is not charged, does not count as asked, and is the one that the next run asks."""
    flags = {**FLAGS, "parameters": "default", **place(tmp_path), "sigma": "9", "prepare": "yes"}
    job = Job(prepare(resolve(flags)), Recorder(), Ends(error))
    if isinstance(error, BudgetExhaustedError):
        job.run()
        assert job.state.status is Status.BUDGET_EXHAUSTED
    else:
        with pytest.raises(type(error)):
            job.run()
        assert job.state.status is Status.INTERRUPTED
    validate(document(job.state))
    assert len(job.state.queries) == 2
    assert job.state.account.spent == 2 * job.state.account.cost.worst_case
    job.close()
    again = Job(prepare(resolve(flags)), Recorder(), Opener(first_query=50))
    assert again.state.turns[0].purse.asked_before == 2
    again.run()
    again.close()
    assert {query.row for query in again.state.queries}.isdisjoint(query.row for query in job.state.queries)


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ({"vote_variant": "multi_round"}, r"^prepare = True \(--prepare\): a vote in rounds \(--vote-variant\)"),
        ({"network": "loopback", "batch": "4096"}, r"^prepare = True \(--prepare\): a vote in rounds \(--network\)"),
        ({"engine": "mp-spdz:semi2k"}, r"^prepare = True \(--prepare\): only the embedded engine .*--engine"),
    ],
)
def test_what_cannot_be_prepared_is_refused_before_training(
    flags: dict[str, str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capc.job.plan.find_engine", lambda _: object())
    with pytest.raises(InputError, match=line):
        prepare(resolve({**FLAGS, **flags, "prepare": "yes"}))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The worker processes that are started."""
    processes: list[subprocess.Popen[bytes]] = []
    start = pool._start_worker

    def remembered() -> Any:
        pipe, process = start()
        processes.append(process)
        return pipe, process

    monkeypatch.setattr(pool, "_start_worker", remembered)
    yield processes
    for process in processes:
        process.kill()


@pytest.mark.slow
def test_workers_change_no_label_and_end_with_the_run(started: list[subprocess.Popen[bytes]]) -> None:
    reports: list[Any] = []
    for workers in ("0", "2"):
        job = Job(prepare(resolve({**FLAGS, "workers": workers})), Recorder())
        job.run()
        assert len(started) == int(workers)
        assert all(process.poll() is None for process in started)
        reports.append(document(job.state))
        validate(reports[-1])
        del job
        gc.collect()
        assert all(process.poll() is not None for process in started)
        assert reports[-1]["config"]["workers"] == int(workers)
        assert reports[-1]["agreement"]["equal_to_ideal"] == 3
    alone, shared = ({name: cost["bytes"] for name, cost in report["steps"].items()} for report in reports)
    assert alone == shared
