"""Every row has one role for ever, whichever of a ledger's runs gave it: labelled, of a pool, or held out."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from capc.foundation.errors import InputError
from capc.job.config import resolve
from capc.job.keeping.journal import Journal
from capc.job.purse import Purse
from capc.learning.data import Dataset
from capc.learning.partition import Split

ASKING, FIRST, SECOND = "querying_party", "answering_party_1", "answering_party_2"
ROLES = ["the held-out rows", ASKING, FIRST, ASKING, FIRST, SECOND]
"""Of each part of a split of two querying parties and one more: held-out rows, two pools, labelled rows of three."""
PARTS = range(len(ROLES))


def divide(file: Path, rows: list[int]) -> None:
    """A run's purse is opened, whose parts of the split have one row each, and no row occurs twice in the data."""
    digests = tuple(bytes([row]) * 32 for row in rows)
    dataset = Dataset("rows", np.zeros((len(rows), 1)), np.zeros(len(rows), np.int64), (0, 1), digests)
    test, *others = (np.array([part]) for part in PARTS)
    split = Split(test, tuple(others[:2]), tuple(others[2:]))
    Purse(dataset, split, resolve({}), 0, Journal(file, bytes(32)))


@pytest.mark.req("CAPC-RUN-020")
def test_no_row_of_any_run_changes_its_role(tmp_path: Path) -> None:
    """Of three runs that have no row in common, each row is alone in another part of a fourth one's new rows."""
    file = tmp_path / "own" / "journal"
    runs = [[len(ROLES) * number + part for part in PARTS] for number in range(3)]
    for rows in runs:
        divide(file, rows)
    for rows, before, after in itertools.product(runs, PARTS, PARTS):
        fourth = [100 + part for part in PARTS]
        fourth[after] = rows[before]
        if ROLES[before] == ROLES[after]:
            divide(file, fourth)
            continue
        moved = f"a row of {ROLES[before]} in an earlier run would be one of {ROLES[after]} now"
        with pytest.raises(InputError, match=f"^{re.escape(moved)}"):
            divide(file, fourth)
