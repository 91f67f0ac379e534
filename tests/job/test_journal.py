"""What querying parties keep: rows are asked once, labels are used again, and no crash loses one that was seen."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from capc.foundation.errors import InputError
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.keeping import journal as journal_module
from capc.job.keeping.journal import Journal
from capc.job.models import PartyModel, train_parties
from capc.job.plan import Plan, prepare
from capc.job.report import document
from capc.job.state import Stage, Status
from capc.learning.data import Indices, load_digits
from capc.learning.partition import Split
from capc.learning.training import FloatModel
from capc.privacy.ledger import Ledger, reading
from capc.privacy.storage import disk
from job.stand_in import Opener, Recorder, validate
from support.sizes import examples

IDENTITY = bytes(range(32))
ROWS = [bytes([number]) * 32 for number in range(6)]


def options(folder: Path, **flags: str) -> dict[str, str]:
    place = {"ledger": str(folder / "ledger"), "journal": str(folder / "own" / "journal")}
    return {"parties": "2", "queries": "4", "sigma": "9", **place, **flags}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each model is trained once for all tests."""
    monkeypatch.setattr("capc.job.job.train_parties", parties)
    monkeypatch.setattr("capc.job.job.retrain", retrained)


TRAINED: dict[tuple[int, int], list[PartyModel]] = {}
TAUGHT: list[tuple[list[int], list[int]]] = []


def parties(plan: Plan, split: Split) -> Iterator[PartyModel]:
    kind = len(split.parties), plan.dataset.num_features
    if kind not in TRAINED:
        TRAINED[kind] = list(train_parties(plan, split))
    return iter(TRAINED[kind])


def retrained(plan: Plan, party: int, own: Indices, bought: Mapping[int, int], pool: Indices) -> FloatModel:
    labels = plan.dataset.labels[own].tolist()
    TAUGHT.append(([*own.tolist(), *bought], [*labels, *bought.values()]))
    return TRAINED[plan.config.parties + 1, plan.dataset.num_features][party].own


QUERY = itertools.count(1, 1000)
REPORTS: list[dict[str, Any]] = []


def run(folder: Path, opener: Opener | None = None, **flags: str) -> Job:
    """A run with its own query numbers, as a fresh session has its own tag."""
    job = Job(prepare(resolve(options(folder, **flags))), Recorder(), opener or Opener(first_query=next(QUERY)))
    try:
        job.run()
        REPORTS.append(document(job.state))
        validate(REPORTS[-1])
    finally:
        job.close()
    return job


def rows_of(job: Job) -> list[int]:
    return [query.row for query in job.state.queries]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-018", "CAPC-RUN-019")
def test_no_row_is_asked_twice_and_bought_labels_are_used_again(tmp_path: Path) -> None:
    asked: list[int] = []
    bought: dict[int, int] = {}
    for number in range(3):
        TAUGHT.clear()
        job = run(tmp_path, Opener(first_query=next(QUERY), withhold=frozenset({2})))
        assert len(rows_of(job)) == len(set(rows_of(job))) == 4
        assert not set(rows_of(job)) & set(asked)
        assert job.state.turns[0].purse.bought == bought
        asked += rows_of(job)
        told = {"asked_before": 4 * number, "labels_reused": 3 * number, "earlier_charges_unknown": False}
        assert REPORTS[-1]["journal"] == told
        # Before the first question only a run that has bought labels retrains.
        *before, after = TAUGHT
        assert len(before) == bool(bought)
        count = len(job.state.split.parties[0])
        for rows, labels in before:
            assert dict(zip(rows[count:], labels[count:], strict=True)) == bought
        bought |= {query.row: query.label for query in job.state.queries if query.label is not None}
        assert dict(zip(after[0][count:], after[1][count:], strict=True)) == bought
    assert len(bought) == 9


@pytest.mark.slow
def test_a_journal_that_was_lost_is_told(tmp_path: Path) -> None:
    run(tmp_path)
    shutil.rmtree(tmp_path / "own")
    for unknown in (True, False):
        run(tmp_path)
        journal: Any = REPORTS[-1]["journal"]
        assert journal["earlier_charges_unknown"] is unknown


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-019")
def test_the_user_may_ask_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    again = run(tmp_path, ask_again="yes")
    assert rows_of(again) == rows_of(first)
    assert not set(rows_of(run(tmp_path))) & set(rows_of(first))


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-019", "CAPC-RUN-001")
def test_rows_with_the_same_features_are_one_row_also_under_other_parameters(tmp_path: Path) -> None:
    """A pool of few distinct rows: what is left is said, and another set makes no new rows of old ones."""
    generator = np.random.default_rng(3)
    kinds = generator.normal(size=(40, 6))
    rows = np.arange(400) % 40
    np.savez(tmp_path / "rows.npz", x=kinds[rows], y=rows % 3)
    flags = {"data": str(tmp_path / "rows.npz"), "queries": "6"}
    seen: set[bytes] = set()
    for parameters in ("default", "conservative"):
        job = run(tmp_path, **flags, parameters=parameters)
        digests = [job.state.plan.dataset.digests[row] for row in rows_of(job)]
        assert len(set(digests)) == 6
        assert not seen & set(digests)
        seen |= set(digests)
    left = len({job.state.plan.dataset.digests[row] for row in job.state.split.pools[0].tolist()}) - len(seen)
    line = rf"^queries = {left + 1} \(--queries\): of the pool's 40 rows, {left} were not asked before: choose at most"
    with pytest.raises(InputError, match=line):
        run(tmp_path, **{**flags, "queries": str(left + 1)})
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    with pytest.raises(InputError, match=r"^queries = 40 .* were not asked before"):
        run(fresh, **{**flags, "queries": "40"})
    assert not list(fresh.iterdir())


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-020", "CAPC-RUN-001")
@pytest.mark.parametrize("change", [{"seed": "1"}, {"parties": "3"}, {"partition": "dirichlet"}], ids=str)
def test_a_split_that_gives_rows_to_others_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    run(tmp_path)
    before = (tmp_path / "own" / "journal").read_bytes(), (tmp_path / "ledger").stat().st_mtime_ns
    with pytest.raises(InputError, match=r"^a row of .* in an earlier run would be one of .* now: seed = ") as refused:
        run(tmp_path, **change)
    ((name, value),) = change.items()
    assert f"{name} = {value} (--{name})" in str(refused.value)
    assert before == ((tmp_path / "own" / "journal").read_bytes(), (tmp_path / "ledger").stat().st_mtime_ns)
    run(tmp_path)


@pytest.mark.req("CAPC-RUN-020")
def test_rows_of_another_file_that_change_hands_are_refused_too(tmp_path: Path) -> None:
    """Also where the file's ranges, and so all scaled features, are others; rows that nobody had are welcome."""
    digits = load_digits()
    x, y = digits.features * 16, digits.labels
    files = {"all": slice(1200), "less": slice(100, 1200), "new": slice(1200, None)}
    for name, rows in files.items():
        np.savez(tmp_path / f"{name}.npz", x=x[rows], y=y[rows])
    flags = {"data_set": "digits of the ward"}
    run(tmp_path, data=str(tmp_path / "all.npz"), **flags)
    with pytest.raises(InputError, match="in an earlier run would be one of"):
        run(tmp_path, data=str(tmp_path / "less.npz"), **flags)
    job = run(tmp_path, data=str(tmp_path / "new.npz"), **flags)
    assert job.state.turns[0].purse.asked_before == 0


@pytest.mark.req("CAPC-RUN-016")
def test_the_journal_is_its_owners_only_and_tells_no_rows_without_its_key(tmp_path: Path) -> None:
    job = run(tmp_path)
    folder = tmp_path / "own"
    assert {file.name for file in folder.iterdir()} == {f"journal{end}" for end in ("", ".key", ".roles", ".lock")}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        content = file.read_text()
        for row in rows_of(job):
            digest = job.state.plan.dataset.digests[row]
            assert digest.hex() not in content
    other = Journal(tmp_path / "other" / "journal", IDENTITY)
    assert other.digest(ROWS[0]) != Journal(tmp_path / "third" / "journal", IDENTITY).digest(ROWS[0])
    assert "key" not in repr(other).lower().replace("object at", "")
    for file in folder.iterdir():
        file.chmod(0o644)
    run(tmp_path)
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.suffix != ".lock"} == {0o600}
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name.startswith("ledger")) == [
        "ledger",
        "ledger-journal",
        "ledger.key",
        "ledger.lock",
    ]


@pytest.mark.req("CAPC-RUN-016", "CAPC-RUN-001")
def test_it_lies_in_the_users_own_state_and_never_in_the_ledgers_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    flags = {"ledger": str(tmp_path / "one"), "sigma": "9", "parties": "2", "queries": "2"}
    for _ in range(2):
        job = Job(prepare(resolve(flags)), Recorder(), Opener(first_query=next(QUERY)))
        job.run()
        job.close()
    assert job.state.turns[0].purse.asked_before == 2
    (tmp_path / "moved").mkdir()
    for suffix in ("", ".key"):
        (tmp_path / f"one{suffix}").rename(tmp_path / "moved" / f"two{suffix}")
    moved = Job(prepare(resolve({**flags, "ledger": str(tmp_path / "moved" / "two")})), Recorder(), Opener())
    moved.close()
    assert moved.state.turns[0].purse.asked_before == 4
    for name in ("j", "./j", "../" + tmp_path.name + "/j"):
        with pytest.raises(InputError, match=r"this is the folder of the ledger.*\(--journal\)"):
            prepare(resolve({**flags, "journal": str(tmp_path / name)}))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "moved" / "two" / "state"))
    with pytest.raises(InputError, match=r"cannot be written.*\(default of --journal\)"):
        prepare(resolve({**flags, "ledger": str(tmp_path / "fresh")}))
    assert not (tmp_path / "fresh").exists()


@pytest.mark.req("CAPC-RUN-016", "CAPC-RUN-001")
@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "{}", '{"format": "x"}', '{"format": "capc_journal/v1", "ledger": "LEDGER", "rows": 3}'),
        '{"format": "capc_journal/v1", "ledger": "LEDGER", "rows": {"ab": {"times": 1, "label": null}}}',
        '{"format": "capc_journal/v1", "ledger": "LEDGER", "rows": {"DIGEST": {"times": "1", "label": 0}}}',
    ],
)
def test_a_damaged_journal_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    file = tmp_path / "journal"
    Journal(file, IDENTITY).ask(ROWS, again=False)
    damaged = content.replace("LEDGER", IDENTITY.hex()).replace("DIGEST", "a" * 64)
    file.write_text(damaged)
    with pytest.raises(InputError, match="journal"):
        Journal(file, IDENTITY)
    assert file.read_text() == damaged


@pytest.mark.req("CAPC-RUN-016", "CAPC-RUN-001")
def test_a_journal_that_is_anothers_or_lost_its_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "own" / "journal"
    journal = Journal(file, IDENTITY)
    journal.ask(ROWS[:2], again=False)
    with pytest.raises(InputError, match="belongs to another ledger"):
        Journal(file, bytes(32))
    with pytest.raises(InputError, match=r"it belongs to another ledger than .*, which is not there"):
        prepare(resolve(options(tmp_path)))
    key = file.with_name("journal.key")
    key.write_text("zz")
    with pytest.raises(InputError, match="not the key of a journal"):
        Journal(file, IDENTITY)
    key.unlink()
    with pytest.raises(InputError, match="key is gone"):
        Journal(file, IDENTITY)
    file.unlink()
    with pytest.raises(InputError, match="the journal is gone"):
        journal.ask(ROWS, again=False)
    assert not file.exists()


def test_rows_that_the_budget_did_not_admit_may_be_asked_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", IDENTITY)
    assert journal.ask([ROWS[0], ROWS[1], ROWS[0]], again=False) == [True, True, False]
    journal.settle({ROWS[0]: -7, ROWS[1]: None})
    assert journal.ask(ROWS[:3], again=True) == [True] * 3
    journal.take_back(ROWS[:3])
    known = journal.rows()
    assert {known[journal.digest(row)] for row in ROWS[:2]} == {
        journal_module.AskedRow(1, -7),
        journal_module.AskedRow(1, None),
    }
    assert journal.digest(ROWS[2]) not in known


def take_turns(file: Path, got: Any) -> None:
    journal = Journal(file, IDENTITY)
    for start in range(0, 200, 5):
        rows = [number.to_bytes(32) for number in range(start, start + 5)]
        taken = [row for row, fits in zip(rows, journal.ask(rows, again=False), strict=True) if fits]
        journal.settle(dict.fromkeys(taken, 1))
        got.put(taken)
    got.put(None)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-019")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_runs_at_the_same_time_share_the_rows_among_them(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    got = context.SimpleQueue()
    workers = [context.Process(target=take_turns, args=(tmp_path / "journal", got)) for _ in range(3)]
    for worker in workers:
        worker.start()
    taken: list[bytes] = []
    done = 0
    while done < len(workers):
        entry = got.get()
        done += entry is None
        taken += entry or []
    for worker in workers:
        worker.join()
    assert len(taken) == len(set(taken)) == 200
    journal = Journal(tmp_path / "journal", IDENTITY)
    assert {row.label for row in journal.rows().values()} == {1}


class Shown:
    """Writes every label that a report could show into a pipe."""

    def __init__(self, pipe: int) -> None:
        self.job: Job | None = None
        self._pipe = pipe

    def started(self, stage: Stage, total: int) -> None:
        pass

    def advanced(self, stage: Stage) -> None:
        pass

    def changed(self) -> None:
        if self.job is not None:
            seen = [(query.row, query.label) for query in self.job.state.queries]
            os.write(self._pipe, (json.dumps(seen) + "\n").encode())


TRACED = {str(Path(str(module.__file__))) for module in (journal_module, disk)} | {
    str(Path(sys.modules[name].__file__ or "")) for name in ("capc.job.purse", "capc.job.job", "job.stand_in")
}


def killed_after(lines: int) -> Callable[[FrameType, str, object], object]:
    left = lines

    def trace(frame: FrameType, event: str, argument: object) -> object:
        nonlocal left
        if frame.f_code.co_filename not in TRACED or frame.f_code.co_name in {"digest", "_is_new", "<genexpr>"}:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def child(folder: Path, lines: int, first_query: int) -> tuple[int, list[tuple[int, int | None]]]:
    """A run in a process that dies after so many lines of this room; its end, and what it showed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(reader)
            observer = Shown(writer)
            plan = prepare(resolve(options(folder, batch="2", queries="6")))
            job = Job(plan, observer, Opener(first_query=first_query))
            observer.job = job
            sys.settrace(killed_after(lines))
            job.run()
            sys.settrace(None)
            job.close()
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as stream:
        shown = [json.loads(line) for line in stream]
    return os.waitpid(pid, 0)[1], [tuple(entry) for entry in shown[-1]] if shown else []


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-017", "CAPC-RUN-018", "CAPC-RUN-019")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forked")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_run_killed_at_any_line_loses_no_label_that_was_shown_and_no_row_that_was_charged(tmp_path: Path) -> None:
    """Then another run goes on: it asks none of these rows, and has every label that was shown."""
    (tmp_path / "first").mkdir()
    run(tmp_path / "first")
    ends, shown_once = [], 0
    step = examples(ordinary=37, nightly=1)
    for lines in itertools.count(1, step):
        folder = tmp_path / str(lines)
        folder.mkdir()
        code, shown = child(folder, lines, 1)
        ends.append(code)
        shown_once += bool(shown)
        job = Job(prepare(resolve(options(folder))), Recorder(), Opener(first_query=1000))
        journal = Journal(folder / "own" / "journal", ledger_of(job).head.identity)
        known, digests = journal.rows(), job.state.plan.dataset.digests
        asked = {row for row in job.state.split.pools[0].tolist() if journal.digest(digests[row]) in known}
        with reading(folder / "ledger") as (log, _):
            assert log.spent <= len(asked) * log.cost.worst_case
        for row, label in shown:
            assert known[journal.digest(digests[row])].label == label
            assert label is None or job.state.turns[0].purse.bought[row] == label
        job.run()
        job.close()
        assert job.state.status is Status.COMPLETE
        assert not set(rows_of(job)) & asked
        if code == 0:
            break
        assert code == signal.SIGKILL
    assert len(ends) > 8
    assert shown_once > 3


def ledger_of(job: Job) -> Ledger:
    assert isinstance(job.state.account, Ledger)
    return job.state.account
