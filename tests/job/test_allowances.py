"""Runs whose answering parties keep their circuit-privacy allowances: later runs go on, until they are spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.state import Status
from capc.privacy.allowance import PrivacyAllowance
from capc.privacy.ledger import StoredAllowance
from job.stand_in import Recorder, finished

GOAL = PrivacyAllowance(queries=3)


def run(folder: Path, **flags: str) -> Job:
    """The real protocol at the default sizes: only they claim a distance."""
    options = {"parties": "2", "queries": "2", "sigma": "5", "allowance_queries": "3", **flags}
    return finished(Job(prepare(resolve({"allowance": str(folder / "kept"), **options})), Recorder()))


def charged(folder: Path) -> list[int]:
    files = sorted(folder.glob("*.allowance"))
    assert [file.name.split("-")[0] for file in files] == ["answering_party_1", "answering_party_2"]
    return [StoredAllowance(file, GOAL).value.charged for file in files]


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-015", "CAPC-RUN-015")
def test_runs_go_on_from_each_other_until_the_declared_queries_are_answered(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = run(tmp_path)
    assert (first.state.status, len(first.state.queries)) == (Status.COMPLETE, 2)
    assert charged(folder) == [2, 2]
    second = run(tmp_path)
    assert (second.state.status, len(second.state.queries)) == (Status.ALLOWANCE_EXHAUSTED, 1)
    assert charged(folder) == [3, 3]
    with pytest.raises(
        InputError, match=r"^answering_party_1: .* all of the 3 queries .* \(--allowance\): train a new"
    ):
        run(tmp_path)
    with pytest.raises(InputError, match=r"declared for 3 queries .* \(--allowance\)"):
        run(tmp_path, allowance_queries="4")


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-015")
def test_allowances_lie_beside_the_ledger_where_nothing_else_is_said(tmp_path: Path) -> None:
    plan = prepare(resolve({"ledger": str(tmp_path / "l"), "parties": "2", "sigma": "5"}))
    assert plan.allowances is not None
    assert plan.allowances.path == tmp_path / "l.allowances"
    assert plan.allowances.queries == 1 << 16
    plan = prepare(resolve({"ledger": str(tmp_path / "l"), "allowance": str(tmp_path / "a"), "sigma": "5"}))
    assert plan.allowances is not None
    assert plan.allowances.path == tmp_path / "a"
    assert prepare(resolve({"ledger": str(tmp_path / "l"), "parameters": "test", "sigma": "5"})).allowances is None
    assert prepare(resolve({})).allowances is None


@pytest.mark.req("CAPC-RUN-015")
@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("place", ["a", "a/b/c"])
def test_a_file_in_the_place_of_the_folder_is_refused_at_once(tmp_path: Path, place: str) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(InputError, match=r"^allowance = .* \(--allowance\): a file is in its place: name a folder"):
        prepare(resolve({"allowance": str(tmp_path / place)}))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"allowance": "a", "parameters": "fast"}, r"^allowance = a \(--allowance\): parameters fast claim no"),
        ({"allowance_queries": "9"}, r"^allowance_queries = 9 \(--allowance-queries\): give --allowance too"),
        ({"allowance": "a", "allowance_queries": "0"}, r"^allowance_queries = 0 .* whole number from 1"),
        ({"allowance": ""}, r"^allowance = .*choose the name of a folder"),
    ],
)
def test_what_cannot_be_kept_is_refused(flags: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(resolve(flags))
