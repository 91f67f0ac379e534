"""Kept allowances: charges outlive sessions and deaths, runs share one file, what is no allowance is refused."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.foundation.parties import Party
from capc.linear.ideal import IdealLinear
from capc.privacy.allowance import PrivacyAllowance
from capc.privacy.ledger import LedgerError, StoredAllowance, allowance_file, allowances
from capc.protocol.collaboration import Collaboration
from capc.protocol.costs import Step
from capc.steps.suite import reference_suite
from privacy.ledger.cases import Tap, alter
from privacy.ledger.guardians import Steps, ended, forked
from support.builders import constant_model, make_account, make_session
from support.runs import SIZES, parameters_for, voters

GOAL = PrivacyAllowance(Fraction(1, 1 << 40), 100)
STEP = Fraction(1, 1 << 50)
KILLED = -signal.SIGKILL


def kept(folder: Path, goal: PrivacyAllowance = GOAL) -> StoredAllowance:
    return StoredAllowance(folder / "folder" / "file", goal)


@pytest.mark.req("CAPC-HE-015")
def test_the_names_of_new_folders_are_on_the_disk_before_the_file_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power cut could take a folder with all charges in it; folders are for their owner only."""
    synced: list[tuple[Path, list[str]]] = []

    def sync(folder: Path) -> None:
        synced.append((folder, sorted(path.name for path in folder.iterdir())))

    monkeypatch.setattr(allowances, "sync_folder", sync)
    StoredAllowance(tmp_path / "a" / "b" / "file", GOAL)
    assert synced[:2] == [(tmp_path, ["a"]), (tmp_path / "a", ["b"])]
    assert synced[2][0] == tmp_path / "a" / "b"
    assert "file" in synced[2][1]
    assert [folder.stat().st_mode & 0o777 for folder in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700, 0o700]


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-011", "CAPC-HE-015")
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(charges=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 500)), max_size=5))
def test_every_session_goes_on_from_the_last_charge(
    charges: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, expected = tmp_path_factory.mktemp("kept"), GOAL
    for queries, steps in charges:
        session = kept(folder)
        assert session.value == expected
        try:
            expected = expected.charge(queries, steps * STEP)
        except BudgetExhaustedError:
            with pytest.raises(BudgetExhaustedError, match="of the 100 queries"):
                session.charge(queries, steps * STEP)
        else:
            session.charge(queries, steps * STEP)
        assert session.value == kept(folder).value == expected


@pytest.mark.req("CAPC-HE-015")
def test_runs_at_the_same_time_share_what_is_left(tmp_path: Path) -> None:
    kept(tmp_path)

    def run(_: int) -> int:
        mine, charged = kept(tmp_path), 0
        for _ in range(20):
            try:
                mine.charge(1, STEP)
            except BudgetExhaustedError:
                return charged
            charged += 1
        return charged

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(run, range(6))) == 100
    assert kept(tmp_path).value == replace(GOAL, charged=100, reached=100 * STEP)


@pytest.mark.req("CAPC-HE-015")
def test_a_file_belongs_to_one_identity_and_one_model() -> None:
    model = constant_model((2, 3), 0, 2)
    others = [constant_model((2, 3), 1, 2), constant_model((2, 3, 3), 0, 2), constant_model((2, 3), 0, 3)]
    names = [allowance_file(Path(), "party", bytes(32), each).name for each in [model, *others]]
    names.append(allowance_file(Path(), "party", bytes([1] * 32), model).name)
    assert len(set(names)) == 5
    assert allowance_file(Path(), "party", bytes(32), constant_model((2, 3), 0, 2)).name == names[0]


@pytest.mark.req("CAPC-HE-015")
@pytest.mark.parametrize("goal", [replace(GOAL, queries=101), replace(GOAL, distance=Fraction(1, 1 << 39))])
def test_another_goal_is_refused(tmp_path: Path, goal: PrivacyAllowance) -> None:
    kept(tmp_path)
    with pytest.raises(LedgerError, match=r"declared for 100 queries .* a goal is fixed for the life of a model"):
        kept(tmp_path, goal)
    assert kept(tmp_path).value == GOAL


@pytest.mark.req("CAPC-HE-015")
@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM allowance",
        "UPDATE allowance SET document = '{}'",
        "UPDATE allowance SET document = 'none'",
        "UPDATE allowance SET document = replace(document, '100', '-1')",
        "UPDATE allowance SET document = x'ff'",
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    session = kept(tmp_path)
    alter(session.file, damage)
    with pytest.raises(LedgerError, match="damaged one: restore it as it was, or train a new model"):
        session.charge(1, STEP)
    if "DELETE" not in damage:
        with pytest.raises(LedgerError, match="damaged"):
            kept(tmp_path)


@pytest.mark.req("CAPC-HE-015")
def test_what_is_no_database_or_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("not a database, and longer than a header of SQLite " * 9)
    for folder in (tmp_path, tmp_path / "folder" / "file"):
        with pytest.raises(LedgerError, match="not usable as an allowance") as caught:
            kept(folder)
        assert "\n" not in str(caught.value)


@pytest.mark.req("CAPC-HE-015")
def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    file = kept(tmp_path).file
    assert (file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077) == (0, 0)


forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


@pytest.mark.slow
@forks
@pytest.mark.req("CAPC-HE-015")
def test_a_death_at_any_statement_loses_no_charge_that_returned(tmp_path: Path) -> None:
    for dies_at in count():
        folder = tmp_path / str(dies_at)
        folder.mkdir()
        returned = folder / "returned"

        def work(dies_at: int = dies_at, folder: Path = folder, returned: Path = returned) -> None:
            steps = Steps(dies_at)
            allowances.connect = lambda file: Tap(file, steps.next)  # type: ignore[assignment]
            session = kept(folder)
            for number in (1, 2):
                session.charge(10, STEP)
                returned.write_text(str(number))

        signalled = ended(forked(work))
        done = int(returned.read_text()) if returned.exists() else 0
        value = kept(folder).value
        assert value.charged in (10 * done, 10 * done + 10)
        assert value.reached == value.charged * STEP / 10
        if not signalled:
            assert done == 2
            assert dies_at > 10
            break
        assert signalled == KILLED


class DiesAtMessage:
    """Kills its process as a message after the set-up is handed over."""

    def __init__(self, number: int) -> None:
        self._left = number

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        if step is not Step.SETUP:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@forks
@pytest.mark.req("CAPC-HE-015", "CAPC-BATCH-002")
@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_party_killed_at_its_first_messages_has_charged_the_whole_batch(tmp_path: Path, number: int) -> None:
    parameters = parameters_for("plain")
    session, models = make_session(parameters, SIZES), voters(0, 1, 2)
    suite = reference_suite(parameters, IdealLinear(14))

    def files() -> list[StoredAllowance]:
        return [StoredAllowance(tmp_path / str(party), GOAL) for party in session.answering_parties]

    def work() -> None:
        collaboration = Collaboration(
            session,
            models,
            suite,
            make_account(parameters),
            allowances=files(),
            observer=DiesAtMessage(number),
        )
        collaboration.label_batch([[1, 2], [3, 4], [0, 0]])

    assert ended(forked(work)) == KILLED
    assert [each.value.charged for each in files()] == [3, 3, 3]
    collaboration = Collaboration(session, models, suite, make_account(parameters), allowances=files())
    collaboration.label([1, 1])
    assert [each.value.charged for each in files()] == [4, 4, 4]


@pytest.mark.req("CAPC-HE-015")
def test_a_collaboration_takes_one_allowance_for_each_model(tmp_path: Path) -> None:
    parameters = parameters_for("plain")
    session, suite = make_session(parameters, SIZES), reference_suite(parameters, IdealLinear(14))
    with pytest.raises(InputError, match="1 allowances for 3 answering parties: give one each"):
        Collaboration(session, voters(0, 1, 2), suite, make_account(parameters), allowances=[kept(tmp_path)])
