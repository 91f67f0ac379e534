"""Files of reports that are whole at every moment."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from capc.foundation.errors import InputError


def write_text(text: str, file: Path, option: str = "json") -> None:
    """Writes a text so that the file holds the whole old one or the whole new one at every moment.

    Raises:
        InputError: the disk refused.
    """
    file = file.resolve()
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        raise InputError(
            f"{option} = {file} (--{option}): not written ({error.strerror}): make room, or name another"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def beside(file: Path, suffix: str) -> Path:
    """What lies beside a file under its name with a suffix, whatever the name is."""
    return file.parent / f"{file.name}{suffix}"


def to_json(report: Mapping[str, object]) -> str:
    """The text of a report."""
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def check_writable(file: Path, option: str = "json") -> None:
    """Checks that a report, or what another option names, can be written.

    Raises:
        InputError: what has that name is no plain file or is read-only, or its folder is missing or read-only.
    """
    folder = file.resolve().parent
    stdout = ", or - for standard output" if option == "json" else ""
    if file.exists() and not file.is_file():
        raise InputError(f"{option} = {file} (--{option}): not a plain file: name one{stdout}")
    if file.exists() and not os.access(file, os.W_OK):
        raise InputError(f"{option} = {file} (--{option}): this file is read-only: name another")
    if not folder.is_dir():
        raise InputError(
            f"{option} = {file} (--{option}): the folder {folder} does not exist: create it, or name another"
        )
    if not os.access(folder, os.W_OK):
        raise InputError(f"{option} = {file} (--{option}): the folder {folder} is read-only: name another")


def check_folder(folder: Path, option: str) -> None:
    """Checks that files can be put into a folder, which may still have to be made.

    Raises:
        InputError: a file is in its place, or it is read-only.
    """
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{option} = {folder} (--{option}): {there} is no folder that can be written: name another")


def check_not_input(file: Path, inputs: Mapping[str, Path], option: str = "json") -> None:
    """Checks that a report, or what another option names, would not replace a file that is used otherwise.

    Args:
        file: where the report goes.
        inputs: the files that are used, by the place where each was named.
        option: which names the file.

    Raises:
        InputError: the report's file is one of them, under this or another name.
    """
    for place, source in inputs.items():
        if _same(file, source):
            raise InputError(f"{option} = {file} (--{option}): this is the file {source} ({place}): name another")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        # One of them does not exist yet, or cannot be looked at; whoever opens it says so.
        return one.resolve() == other.resolve()


def heads_folder(ledger: Path) -> Path:
    """Where answering parties keep the heads of a ledger."""
    return beside(ledger, ".heads")
