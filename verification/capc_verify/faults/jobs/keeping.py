"""Faults in what a job keeps and gives out: rows of roles, journals, kept models, pages, weaker protocols."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from capc.job.keeping import kept_models
from capc.job.keeping.journal import Journal
from capc.job.purse import Purse
from capc.job.rendering import page
from capc.learning import partition
from capc.learning.archive import Archive
from capc.learning.data import Dataset, Floats
from capc.learning.division import Division
from capc.learning.partition import Split
from capc.privacy import multi_label
from capc_mpc.interface import protocols
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault


def rows_change_hands() -> None:
    """A later run gives a row to whomever its split gives it."""

    def keep(self: Journal, roles: Mapping[str, Sequence[bytes]], remedy: str) -> None:
        pass

    Journal.keep_roles = keep  # type: ignore[method-assign]


def rows_named_without_the_key() -> None:
    """A journal calls a row by a digest that whoever has the row can make."""

    def digest(self: Journal, row: bytes) -> str:  # noqa: ARG001
        return hashlib.sha256(row).hexdigest()

    Journal.digest = digest  # type: ignore[method-assign]


def journals_stay_open() -> None:
    """The permissions of a journal stay what they are."""

    def own(self: Journal, file: Path) -> None:
        pass

    Journal._own = own  # type: ignore[method-assign]


def pool_from_held_out_rows() -> None:
    """The last row of a pool is one of the held-out rows."""
    correct = partition.split

    def split(dataset: Dataset, division: Division, seed: int) -> Split:
        found = correct(dataset, division, seed)
        first, *others = found.pools
        return replace(found, pools=(np.append(first[:-1], found.test[:1]), *others))

    replace_everywhere(correct, split)


def numbers_of_biases_unlooked_at() -> None:
    """A kept model is used whatever its biases are."""
    correct = kept_models._array

    def array(archive: Archive, name: str, kind: type[np.generic], dimensions: int) -> Floats:
        found = correct(archive, name, kind, dimensions)
        return np.nan_to_num(found) if name.startswith("biases") else found

    replace_in(kept_models, "_array", array)


def any_kept_model() -> None:
    """A kept model is used whatever training it was kept for."""
    correct = kept_models._read

    def read(archive: Any, key: bytes, file: Path) -> Any:  # noqa: ANN401, ARG001
        own = kept_models._array(archive, "key", np.uint8, 1).tobytes()
        return correct(archive, own, file)

    replace_everywhere(correct, read)


def simulations_without_a_banner() -> None:
    """The page of a simulated report looks like that of a run."""
    correct = page._banner

    def banner(simulated: bool) -> Any:  # noqa: ANN401, ARG001
        return correct(False)

    replace_everywhere(correct, banner)


def weaker_protocols_admitted() -> None:
    """A protocol for an honest majority runs where nobody declared one."""

    def check(protocol: protocols.Protocol, declared: protocols.Model) -> None:
        pass

    replace_everywhere(protocols.check_model, check)


def tau_rounded_up() -> None:
    """A ballot is scaled to the grid with its entries rounded up, so that its norm may exceed tau."""
    correct = multi_label.tau_scale

    def scale(chosen: int, grid_bits: int, tau_squared: Any) -> int:  # noqa: ANN401
        return min(1 << grid_bits, correct(chosen, grid_bits, tau_squared) + 1)

    replace_everywhere(correct, scale)


def rows_of_broken_preparations_stay() -> None:
    """Rows of a preparation that was interrupted count as asked."""

    def take_back(self: Purse, rows: Sequence[int]) -> None:
        pass

    Purse.take_back = take_back  # type: ignore[method-assign]


_JOURNAL = "tests/job/test_journal.py::test_"
_OWNERS_ONLY = _JOURNAL + "the_journal_is_its_owners_only_and_tells_no_rows_without_its_key"
_SETS = "tests/privacy/test_multi_label.py::test_"

FAULTS = {
    "rows_change_hands": Fault(
        rows_change_hands, None, (_JOURNAL + "rows_of_another_file_that_change_hands_are_refused_too",)
    ),
    "rows_named_without_the_key": Fault(
        rows_named_without_the_key,
        None,
        (_OWNERS_ONLY,),
    ),
    "journals_stay_open": Fault(journals_stay_open, None, (_OWNERS_ONLY,)),
    "pool_from_held_out_rows": Fault(
        pool_from_held_out_rows,
        None,
        ("tests/learning/test_partition.py::test_every_row_has_at_most_one_role_and_every_role_its_rows",),
    ),
    "numbers_of_biases_unlooked_at": Fault(
        numbers_of_biases_unlooked_at,
        None,
        (
            "tests/job/test_kept_numbers.py::"
            "test_a_kept_model_with_a_number_that_is_not_finite_is_refused_wherever_it_is[3-nan]",
        ),
    ),
    "any_kept_model": Fault(
        any_kept_model, None, ("tests/job/test_kept_models.py::test_a_model_of_another_training_is_refused",)
    ),
    "simulations_without_a_banner": Fault(
        simulations_without_a_banner,
        None,
        ("tests/job/rendering/test_page.py::test_a_simulated_report_is_shown_as_such",),
    ),
    "weaker_protocols_admitted": Fault(
        weaker_protocols_admitted,
        None,
        ("tests/mpc/test_protocols.py::test_an_honest_majority_is_refused_unless_declared[malicious-rep-bin]",),
    ),
    "tau_rounded_up": Fault(tau_rounded_up, None, (_SETS + "a_tau_vote_is_the_largest_on_the_grid_within_the_norm",)),
    "rows_of_broken_preparations_stay": Fault(
        rows_of_broken_preparations_stay,
        None,
        ("tests/job/test_prepared.py::test_a_preparation_that_ends_early_loses_work_only[error0]",),
    ),
}
"""These faults, and the tests that must notice them."""
