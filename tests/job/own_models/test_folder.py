"""A folder of models: files are named after parties."""

from __future__ import annotations

from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc.job.own_models.folder import read_models


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.req("CAPC-RUN-054")
def test_files_are_the_models_of_the_parties_that_they_are_named_after(tmp_path: Path) -> None:
    """What lies beside a model, as its weights, is left alone; no file is opened."""
    filled(tmp_path, "default.py", "answering_party_2.onnx", "answering_party_2.onnx.data", "notes.txt")
    table = read_models(tmp_path, 4, 1)
    assert [table.named[number].name for number in range(4)] == [
        "default.py:network", "default.py:network", "answering_party_2.onnx", "default.py:network",
    ]  # fmt: skip
    assert all(named.folder == tmp_path for named in table.named.values())
    assert table.place(2) == f"{tmp_path}: answering_party_2.onnx, answering_party_2"
    assert table.place(3) == f"{tmp_path}: default.py, answering_party_3"


@pytest.mark.req("CAPC-RUN-054", "CAPC-RUN-001")
@pytest.mark.parametrize(
    ("names", "fragments"),
    [
        ([], ["(--models)", "no model is in this folder", "default.py"]),
        (["weights.bin"], ["no model is in this folder"]),
        (["answering_party_9.onnx"], ["answering_party_9.onnx: there is no such party", "to answering_party_3"]),
        (["Default.py"], ["Default.py: there is no such party: choose default"]),
        (["default.py", "default.onnx"], ["default has default.onnx and default.py: leave one"]),
        (["default.onnx"], ["default.onnx, querying_party: model = default.onnx: a party that asks retrains"]),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, names: list[str], fragments: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_models(filled(tmp_path, *names), 4, 1)
    message = str(caught.value)
    assert str(tmp_path) in message
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


def test_a_file_is_read_as_a_table(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text('[answering_party_1]\nmodel = "a.onnx"\n')
    assert sorted(read_models(file, 4, 1).named) == [1]
