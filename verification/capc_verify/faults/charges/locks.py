"""Faults in turns at a ledger's file, and in the small files beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from capc.job import checks
from capc.job.config import JobConfig
from capc.job.keeping.files import heads_folder
from capc.privacy.storage import disk, store
from capc.privacy.storage.file_lock import FileLock
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault


def lock_files_that_are_no_more() -> None:
    """A lock of a file that was removed or exchanged is a turn, beside that of the file by its name."""

    def in_place(self: FileLock, descriptor: int) -> bool:  # noqa: ARG001
        return True

    FileLock._is_in_place = in_place  # type: ignore[method-assign]


def lock_beside_the_link() -> None:
    """The lock of a ledger that is reached by a link lies beside the link."""
    named: list[Path] = []
    create = store.Store.create.__func__  # type: ignore[attr-defined]

    def created(cls: type[store.Store], file: Path, *rest: object) -> object:
        named.append(file.absolute())
        try:
            return create(cls, file, *rest)
        finally:
            named.pop()

    def gate(_path: Path) -> FileLock:
        return FileLock(named[-1])

    store.Store.create = classmethod(created)  # type: ignore[method-assign,assignment]
    replace_in(store, "FileLock", gate)


def children_keep_the_lock() -> None:
    """A forked child keeps the descriptors of its parent's locks open."""
    correct = FileLock.close

    def close(self: FileLock) -> None:
        if self._process == os.getpid():
            correct(self)

    FileLock.close = close  # type: ignore[method-assign]


def names_before_they_are_given() -> None:
    """A folder is synchronised before the file that is written beside gets its name there, and not after."""
    correct, sync = disk._written_beside, disk.sync_folder

    @contextmanager
    def beside(file: Path, content: bytes) -> Iterator[Path]:
        replace_in(disk, "sync_folder", lambda _folder: None)
        try:
            with correct(file, content) as temporary:
                sync(file.resolve().parent)
                yield temporary
        finally:
            replace_in(disk, "sync_folder", sync)

    replace_in(disk, "_written_beside", beside)


def one_head_is_none() -> None:
    """A ledger is made where one is missing of which a single answering party keeps a head."""
    correct = checks.check_not_lost

    def check(config: JobConfig) -> None:
        if config.ledger is None or len(list(heads_folder(config.ledger).glob("*.json"))) != 1:
            correct(config)

    replace_everywhere(correct, check)


_TURNS = "tests/privacy/ledger/test_turns.py::test_"
_NO_MORE = _TURNS + "who_had_a_lock_file_that_is_no_more_has_no_turn_beside_that_of_the_new_one"
_LIVES_ON = _TURNS + "a_turn_ends_with_its_process_whenever_it_forked_a_child_that_lives_on"
_SMALL = "tests/privacy/ledger/test_small_files.py::test_"

FAULTS = {
    "lock_files_that_are_no_more": Fault(
        lock_files_that_are_no_more, None, (_NO_MORE + "[removed]", _NO_MORE + "[exchanged]")
    ),
    "lock_beside_the_link": Fault(
        lock_beside_the_link, None, (_TURNS + "every_path_to_a_ledger_leads_to_the_lock_beside_it",)
    ),
    "children_keep_the_lock": Fault(children_keep_the_lock, None, (_LIVES_ON + "[False]",)),
    "names_before_they_are_given": Fault(
        names_before_they_are_given,
        None,
        tuple(
            f"{_SMALL}a_file_gets_its_name_when_it_is_whole_and_both_are_on_the_disk_when_the_call_returns[{name}]"
            for name in ("head", "key")
        ),
    ),
    "one_head_is_none": Fault(
        one_head_is_none,
        None,
        ("tests/job/test_missing_ledger.py::test_one_head_that_is_kept_is_enough_to_make_no_ledger_in_its_place[1]",),
    ),
}
