"""Random schedules of processes and handles: no overspending, no accusation, and a ledger that verifies."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from capc.privacy.ledger import check_proof, load_known_head, open_ledger
from capc.session.parameters import Charge
from privacy.ledger.cases import make_terms, message_of, read
from privacy.ledger.schedules import play
from support.sizes import examples

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked"),
    # A test elsewhere may have left a sleeping thread behind; the children use none.
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]
QUERIES = 6
PARTS = 4
TERMS = make_terms(queries=QUERIES, charge=Charge.WORST_CASE)


@pytest.fixture
def folders() -> Iterator[Path]:
    """In memory, where there is such a place: what is killed is a process, and no test waits for a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-001", "CAPC-LEDG-007", "CAPC-LEDG-009", "CAPC-LEDG-010", "CAPC-LEDG-017", "CAPC-LEDG-022")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_schedule_overspends_or_accuses_and_each_ends_in_a_ledger_that_verifies(folders: Path, part: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(part, examples(ordinary=24, nightly=5000), PARTS):
        folder = folders / str(seed)
        folder.mkdir()
        outcome = play(folder, TERMS, seed)
        assert outcome.complaints == [], f"schedule {seed}"
        assert len(outcome.left) == len(set(outcome.left)) <= QUERIES, f"schedule {seed}: overspent"
        file = folder / "data" / "ledger"
        if not file.exists() or not file.stat().st_size:
            # All were killed before one of them had made it.
            assert outcome.left == []
            shutil.rmtree(folder)
            continue
        # First as the last process left it.
        log, _ = read(file)
        assert log.spent <= log.budget
        with open_ledger(file, TERMS, key_file=folder / "key") as ledger:
            assert ledger.head == log.head
            for tag, query in outcome.left:
                assert ledger.dispatched(tag, query) == message_of(query), f"schedule {seed}: a charge is lost"
            for number in (1, 2):
                kept = load_known_head(folder / f"party_{number}.json")
                if kept is not None:
                    assert check_proof(kept, ledger.proof(kept.head.size), TERMS).head == ledger.head
                    seen["heads"] += 1
        seen["killed"] += outcome.killed
        seen["spent"] += len(outcome.left) == QUERIES
        seen["left"] += len(outcome.left)
        shutil.rmtree(folder)
    # The schedules hold what can go wrong.
    for what in ("heads", "killed", "spent", "left"):
        assert seen[what] > seen.total() / 100, seen
