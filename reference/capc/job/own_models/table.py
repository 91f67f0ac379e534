"""The file that gives parties models of their own: a table for each party, and one for all others.

    [default]
    model = "networks.py:small"
    input = [1, 8, 8]

    [answering_party_2]
    model = "ward.onnx"

Spec: CAPC-RUN-054, CAPC-RUN-055.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.foundation.parties import organisation
from capc.learning.data import no_file_because
from capc.learning.own_models.factories import is_onnx
from capc.learning.own_models.networks import Named, OwnModel, admit
from capc.models.importing.graph import Shape, plain
from capc.session.widths import ParameterSet

DEFAULT = "default"
"""The table of every party that has none of its own."""
MOST_BYTES = 1 << 20
_KEYS = ("model", "input", "output", "trained")


@dataclass(frozen=True)
class Table:
    """What a file says.

    Attributes:
        file: its name.
        named: for each party that brings a model, by number, how it is named.
        lines: for each of them the line of the file.
    """

    file: Path
    named: Mapping[int, Named]
    lines: Mapping[int, int]

    __repr__ = type_only

    def place(self, party: int) -> str:
        """Where a party's model is named."""
        return f"{self.file}, line {self.lines[party]}, {organisation(party)}"


def read_table(file: Path, parties: int, queriers: int) -> Table:
    """Who brings what; nothing that it names is opened yet.

    Args:
        file: TOML.
        parties: K + 1.
        queriers: so many of the first parties ask, and retrain.

    Raises:
        InputError: the file cannot be read, or names another party, another key, or no model; or a party that asks
            would bring a network that is not trained.
    """
    text = _text(file)
    tables = _parsed(file, text)
    numbers = {organisation(number): number for number in range(parties)}
    entries: dict[str, tuple[Named, int]] = {}
    for name, table in tables.items():
        line = _line(text, name, None)
        if name != DEFAULT and name not in numbers:
            last = organisation(parties - 1)
            raise InputError(
                f"{file}, line {line}: {plain(name)}: there is no such party: choose {DEFAULT}, or one from "
                f"{organisation(0)} to {last}"
            )
        if not isinstance(table, dict):
            raise InputError(f"{file}, line {line}: {plain(name)} is no table: write [{plain(name)}] and its keys")
        entries[name] = _entry(file, text, name, table)
    named, lines = {}, {}
    for name, number in numbers.items():
        entry = entries.get(name, entries.get(DEFAULT))
        if entry is not None:
            named[number], lines[number] = entry
    table_read = Table(file, named, lines)
    for number in range(queriers):
        if number in named and (named[number].is_trained or is_onnx(named[number].name)):
            raise InputError(
                f"{table_read.place(number)}: model = {plain(named[number].name)}: a party that asks retrains its "
                f"model with the labels that it got: give [{organisation(number)}] a module that is trained"
            )
    return table_read


def admit_all(table: Table, features: int, classes: int, widths: ParameterSet) -> dict[int, OwnModel]:
    """Every own model, read and admitted before any training; those that are named alike are read once.

    Raises:
        InputError: one cannot be used; the line names file, line, party and model.
    """
    known: dict[Named, OwnModel] = {}
    admitted = {}
    for party, named in table.named.items():
        if named not in known:
            try:
                known[named] = admit(named, features, classes, widths)
            except InputError as error:
                raise InputError(f"{table.place(party)}: model = {plain(named.name)}: {error}") from None
        admitted[party] = known[named]
    return admitted


def input_shape(raw: object) -> Shape | None:
    """A shape from what TOML or JSON holds; None if it is none."""
    if not isinstance(raw, list) or len(raw) not in {1, 3}:
        return None
    if not all(isinstance(size, int) and not isinstance(size, bool) and size >= 1 for size in raw):
        return None
    return tuple(raw)


def _text(file: Path) -> str:
    if not file.is_file():
        raise InputError(f"models = {file} (--models): {no_file_because(file)}: name a TOML file")
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise InputError(f"models = {file} (--models): more than {MOST_BYTES} bytes: name a TOML file")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"models = {file} (--models): not a readable TOML file ({reason}): correct it") from None


def _parsed(file: Path, text: str) -> dict[str, object]:
    try:
        tables: dict[str, object] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"models = {file} (--models): not a readable TOML file ({reason}): correct it") from None
    if not tables:
        raise InputError(f"models = {file} (--models): it names no model: write [{DEFAULT}], or a party's name")
    return tables


def _entry(file: Path, text: str, name: str, table: Mapping[str, object]) -> tuple[Named, int]:
    def refused(key: str, remedy: str) -> InputError:
        shown = f"{key} = {plain(str(table[key]))}" if key in table else key
        return InputError(f"{file}, line {_line(text, name, key)}, {name}: {shown}: {remedy}")

    for key in table:
        if key not in _KEYS:
            raise refused(key, f"this key is unknown: choose from {', '.join(_KEYS)}")
    model = table.get("model")
    if not isinstance(model, str) or not model or not model.isprintable():
        raise refused("model", "give module:factory, file.py:factory, or the name of an ONNX file")
    shape = input_shape(table["input"]) if "input" in table else None
    if "input" in table and shape is None:
        raise refused("input", "give [features] or [channels, height, width]")
    output, trained = table.get("output"), table.get("trained", False)
    if "output" in table and (not isinstance(output, str) or not is_onnx(model)):
        raise refused("output", "give the name of an ONNX file's output, or leave it out")
    if not isinstance(trained, bool):
        raise refused("trained", "give true or false")
    if trained is False and "trained" in table and is_onnx(model):
        raise refused("trained", "an ONNX file is only inferred with: leave it out, or give a module")
    named = Named(model, file.parent, shape, output if isinstance(output, str) else None, trained)
    return named, _line(text, name, "model")


def _line(text: str, name: str, key: str | None) -> int:
    """The line of a table's key, or of the table if it has none. TOML's parser tells neither."""
    found, inside = 1, False
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*[\"']?([^\]\"']*?)[\"']?\s*\]", line)
        if header or re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[.=]", line):
            inside = header is None or header[1].strip() == name
            if inside:
                found = number
            if inside and key is None:
                return number
        if inside and key is not None and re.search(rf"(?:^|[\s.{{,\"']){re.escape(key)}[\"']?\s*=", line):
            return number
    return found
