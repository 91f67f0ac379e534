"""A folder in which each file is a party's model, by its name.

    answering_party_2.onnx    of this party
    default.py                of all others: its function ``network`` makes one

Spec: CAPC-RUN-054.
"""

from __future__ import annotations

from pathlib import Path

from capc.foundation.errors import InputError
from capc.job.own_models.table import DEFAULT, Table, for_parties, no_such_party, read_table
from capc.learning.own_models.factories import ONNX_SUFFIX
from capc.learning.own_models.networks import Named
from capc.models.importing.graph import plain

FACTORY = "network"
"""The function of a `.py` that makes a party's network; it takes rows of features."""
_SUFFIXES = (".py", ONNX_SUFFIX)


def read_models(path: Path, parties: int, queriers: int) -> Table:
    """Of a folder, or of a TOML file; arguments and errors as of both."""
    return (read_folder if path.is_dir() else read_table)(path, parties, queriers)


def read_folder(folder: Path, parties: int, queriers: int) -> Table:
    """Who brings what; no file of it is opened yet. Files with other endings, as weights beside a model, are left.

    Args:
        folder: its files are named after parties, or ``default``.
        parties: K + 1.
        queriers: so many of the first parties ask, and retrain.

    Raises:
        InputError: the folder cannot be read or holds no model, a file is named after no party, or a party has two; or
            a party that asks would bring a network that is not trained.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise InputError(f"models = {folder} (--models): it cannot be read ({error.strerror}): allow it") from None
    if not files:
        raise InputError(
            f"models = {folder} (--models): no model is in this folder: name files after parties, as {DEFAULT}.py or "
            f"answering_party_1{ONNX_SUFFIX}, or give a TOML file"
        )
    entries: dict[str, tuple[Named, str]] = {}
    for file in files:
        unknown = no_such_party(file.stem, parties)
        if unknown:
            raise InputError(f"{folder}: {plain(file.name)}: {unknown}")
        if file.stem in entries:
            raise InputError(f"{folder}: {file.stem} has {entries[file.stem][1]} and {plain(file.name)}: leave one")
        is_code = file.suffix.lower() == ".py"
        entries[file.stem] = Named(f"{file.name}:{FACTORY}" if is_code else file.name, folder), plain(file.name)
    placed = {name: (named, f"{folder}: {shown}") for name, (named, shown) in entries.items()}
    return for_parties(placed, parties, queriers)
