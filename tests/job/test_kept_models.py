"""Kept models: used again for the same training only, and never from a damaged file."""

from __future__ import annotations

import stat
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.job import models as models_module
from capc.job.keeping.kept_models import KeptModels
from capc.learning.training import FloatModel, TrainingTask

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
MODEL = FloatModel(
    (np.arange(12, dtype=np.float64).reshape(3, 4) / 7, np.ones((2, 3))), (np.zeros(3), np.array([0.1, -0.2]))
)


def file_of(folder: Path, key: bytes = KEY) -> Path:
    return folder / f"{key.hex()}.npz"


@pytest.mark.req("CAPC-RUN-027")
def test_a_kept_model_comes_back_as_it_was_for_its_own_training_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    kept = KeptModels(folder)
    assert kept.load(KEY) is None
    kept.save(KEY, MODEL)
    found = KeptModels(folder).load(KEY)
    assert found is not None
    pairs = zip((*MODEL.weights, *MODEL.biases), (*found.weights, *found.biases), strict=True)
    assert all(np.array_equal(mine, theirs) and theirs.dtype == np.float64 for mine, theirs in pairs)
    assert kept.load(OTHER) is None
    assert stat.S_IMODE(file_of(folder).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [file_of(folder).name]


FEATURES, LABELS = np.arange(8.0).reshape(4, 2) / 8, np.array([0, 1, 0, 1])
TASK = TrainingTask(FEATURES, LABELS, 2, (3,), (0, 1), (1.0, 2.0))
OTHERS: dict[str, list[Any]] = {
    "features": [FEATURES + 2.0**-40, FEATURES[::-1], FEATURES.T, FEATURES.reshape(2, 4)],
    "labels": [1 - LABELS, LABELS[::-1] * 0],
    "num_classes": [3],
    "hidden": [(4,), (3, 3), ()],
    "seed": [(0, 2), (1, 1), (0, 1, 0)],
    "bound": [(1.0, 2.0 + 2.0**-40), (2.0, 1.0), None],
}


@pytest.mark.req("CAPC-RUN-027")
def test_trainings_that_differ_in_anything_have_keys_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OTHERS.keys() == {field.name for field in fields(TrainingTask)}
    tasks = [replace(TASK, **{name: value}) for name, values in OTHERS.items() for value in values]
    keys = [models_module._key(task) for task in (TASK, *tasks)]
    for versions in ({"torch": "1", "numpy": "1"}, {"torch": "2", "numpy": "1"}, {"torch": "1", "numpy": "2"}):
        monkeypatch.setattr(models_module, "installed_version", versions.__getitem__)
        keys.append(models_module._key(TASK))
    monkeypatch.setattr(models_module, "RECIPE", "another")
    keys.append(models_module._key(TASK))
    monkeypatch.undo()
    assert len(set(keys)) == len(keys) == 1 + len(tasks) + 4
    assert models_module._key(replace(TASK, features=FEATURES.copy(), labels=LABELS.copy())) == keys[0]


@pytest.mark.req("CAPC-RUN-027")
def test_a_model_of_another_training_is_refused(tmp_path: Path) -> None:
    kept = KeptModels(tmp_path)
    kept.save(OTHER, MODEL)
    file_of(tmp_path, OTHER).rename(file_of(tmp_path))
    with pytest.raises(InputError, match=r"\.npz: it is of another training: .*remove this file to train again"):
        kept.load(KEY)


@pytest.mark.req("CAPC-RUN-027")
@given(data=st.data())
@settings(deadline=None)
def test_no_damage_gives_other_weights(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A cut or a changed byte is refused in one line, unless it is where nothing depends on it."""
    folder = tmp_path_factory.mktemp("kept")
    kept = KeptModels(folder)
    kept.save(KEY, MODEL)
    content = bytearray(file_of(folder).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    file_of(folder).write_bytes(content)
    try:
        found = kept.load(KEY)
    except InputError as error:
        line = str(error)
        assert "\n" not in line
        assert line.startswith(str(file_of(folder)))
        assert "remove this file to train again" in line
    else:
        assert found is not None
        pairs = zip((*MODEL.weights, *MODEL.biases), (*found.weights, *found.biases), strict=True)
        assert all(np.array_equal(mine, theirs) for mine, theirs in pairs)


@pytest.mark.req("CAPC-RUN-027")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights1": np.ones((2, 4))}, "layers do not fit"),
        ({"biases0": np.zeros(2)}, "layers do not fit"),
        ({"weights0": np.full((3, 4), np.nan)}, "not finite"),
        ({"weights0": np.ones((3, 4), np.float32)}, "weights0 cannot be read"),
        ({"biases0": np.zeros((3, 1))}, "biases0 cannot be read"),
        ({"layers": np.array([0])}, "0 layers"),
        ({"layers": np.array([], np.int64)}, "0 layers"),
        ({"layers": np.array([3])}, "weights2 is missing"),
        ({"key": np.array([b"x" * 32], dtype=object)}, "key cannot be read"),
    ],
)
def test_what_is_no_network_is_refused(tmp_path: Path, changes: dict[str, np.ndarray], words: str) -> None:
    arrays = {"key": np.frombuffer(KEY, np.uint8), "layers": np.array([2])}
    for number in range(2):
        arrays |= {f"weights{number}": MODEL.weights[number], f"biases{number}": MODEL.biases[number]}
    np.savez(file_of(tmp_path), **(arrays | changes))
    with pytest.raises(InputError, match=words) as refusal:
        KeptModels(tmp_path).load(KEY)
    assert str(refusal.value).endswith("remove this file to train again, or name another folder")


def test_places_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(InputError, match="a kept model cannot be used here"):
        KeptModels(tmp_path / "file").save(KEY, MODEL)
    file_of(tmp_path).mkdir()
    with pytest.raises(InputError, match="cannot be opened"):
        KeptModels(tmp_path).load(KEY)
    file_of(tmp_path, OTHER).symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="cannot be opened"):
        KeptModels(tmp_path).load(OTHER)
    with pytest.raises(InputError, match="a key of 3 bytes"):
        KeptModels(tmp_path).load(b"key")


def test_a_model_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptModels(tmp_path)
    kept.save(KEY, MODEL)
    before = file_of(tmp_path).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("capc.privacy.storage.disk.os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        kept.save(KEY, FloatModel((np.zeros((2, 2)),), (np.zeros(2),)))
    assert file_of(tmp_path).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file_of(tmp_path).name]
