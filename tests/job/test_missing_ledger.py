"""A ledger that is not there, whose heads are."""

from __future__ import annotations

from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc.job.checks import check_not_lost
from capc.job.config import resolve
from capc.job.keeping.files import heads_folder


@pytest.mark.req("CAPC-LEDG-024")
@pytest.mark.parametrize("heads", [1, 2, 5])
def test_one_head_that_is_kept_is_enough_to_make_no_ledger_in_its_place(heads: int, tmp_path: Path) -> None:
    config = resolve({"ledger": str(tmp_path / "ledger")})
    check_not_lost(config)
    folder = heads_folder(tmp_path / "ledger")
    folder.mkdir()
    check_not_lost(config)
    for number in range(heads):
        (folder / f"answering_party_{number + 1}.json").touch()
    with pytest.raises(InputError, match="it is not there, and answering parties keep its heads"):
        check_not_lost(config)
    (tmp_path / "ledger").touch()
    check_not_lost(config)
