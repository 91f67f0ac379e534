"""Data sets: what is read, how it is scaled, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from capc.foundation.errors import InputError
from capc.learning.data import load_digits, load_npz


def test_digits_are_what_scikit_learn_ships() -> None:
    digits = load_digits()
    assert (digits.num_rows, digits.num_features, digits.num_classes) == (1797, 64, 10)
    assert digits.features.min() == 0.0
    assert digits.features.max() == 1.0
    assert sorted(set(digits.labels.tolist())) == list(range(10))


def save(folder: Path, **content: object) -> Path:
    file = folder / "rows.npz"
    np.savez(file, allow_pickle=True, **{name: np.asarray(value) for name, value in content.items()})
    return file


def test_labels_become_indices_and_keep_their_names(tmp_path: Path) -> None:
    data = load_npz(save(tmp_path, x=[[0.0], [1.0], [2.0]], y=np.array([7, -3, 7])))
    assert data.classes == (-3, 7)
    assert data.labels.tolist() == [1, 0, 1]
    assert data.num_classes == 2


def test_a_feature_is_mapped_from_its_range_and_a_constant_becomes_zero(tmp_path: Path) -> None:
    data = load_npz(save(tmp_path, x=[[10, 5], [20, 5], [40, 5]], y=[0, 1, 1]))
    assert data.features[:, 0].tolist() == pytest.approx([-1.0, -1 / 3, 1.0])
    assert data.features[:, 1].tolist() == [0.0, 0.0, 0.0]


finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.slow
@given(features=arrays.arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 3)), elements=finite))
def test_scaled_features_lie_in_range_and_keep_their_order(
    tmp_path_factory: pytest.TempPathFactory, features: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    """Also for the largest and the subnormal floats."""
    file = save(tmp_path_factory.mktemp("data"), x=features, y=np.arange(len(features)))
    scaled = load_npz(file).features
    assert np.all(np.abs(scaled) <= 1.0)
    for column in range(features.shape[1]):
        order = np.argsort(features[:, column], kind="stable")
        assert np.all(np.diff(scaled[order, column]) >= 0)


GOOD = np.zeros((4, 2))
LABELS = np.array([0, 1, 0, 1])
with_nan = GOOD.copy()
with_nan[2, 1] = np.nan
with_infinity = GOOD.copy()
with_infinity[0, 0] = np.inf


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"x": GOOD}, "the array y is missing"),
        ({"y": LABELS}, "the array x is missing"),
        ({"x": with_nan, "y": LABELS}, "x[2, 1] = nan"),
        ({"x": with_infinity, "y": LABELS}, "x[0, 0] = inf"),
        ({"x": GOOD[:, 0], "y": LABELS}, "x has the shape (4,)"),
        ({"x": np.zeros((4, 0)), "y": LABELS}, "x has 0 features"),
        ({"x": GOOD, "y": LABELS[:3]}, "x has 4 rows and y has 3"),
        ({"x": GOOD, "y": LABELS[:, None]}, "y has the shape (4, 1)"),
        ({"x": GOOD, "y": np.zeros(4, dtype=np.int64)}, "y holds 1 class:"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0, dtype=np.int64)}, "y holds 0 classes"),
        ({"x": GOOD, "y": LABELS.astype(float)}, "y has the type float64"),
        ({"x": GOOD.astype(complex), "y": LABELS}, "x has the type complex128"),
        ({"x": GOOD.astype(str), "y": LABELS}, "x has the type <U"),
        ({"x": GOOD.astype(object), "y": LABELS}, "the array x cannot be read"),
        ({"x": np.zeros((1025, 1)), "y": np.arange(1025)}, "y holds 1025 classes"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(tmp_path: Path, content: dict[str, object], problem: str) -> None:
    file = save(tmp_path, **content)
    with pytest.raises(InputError) as refusal:
        load_npz(file)
    assert problem in str(refusal.value)
    assert str(file) in str(refusal.value)


def intact(folder: Path) -> bytes:
    return save(folder, x=GOOD, y=LABELS).read_bytes()


@pytest.mark.parametrize("damage", ["missing", "folder", "text", "empty", "npy", "truncated", "flipped"])
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "broken.npz"
    content = intact(tmp_path)
    if damage == "folder":
        file.mkdir()
    elif damage == "text":
        file.write_text("x,y\n1,2\n")
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "npy":
        with file.open("wb") as stream:
            np.save(stream, GOOD)
    elif damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = content.index(b"\x93NUMPY") + 90
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    with pytest.raises(InputError, match=r"broken\.npz"):
        load_npz(file)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_file_with_one_wrong_byte_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    content = bytearray(intact(folder))
    content[position % len(content)] = value
    file = folder / "fuzzed.npz"
    file.write_bytes(content)
    try:
        data = load_npz(file)
    except InputError as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017
    else:
        assert np.isfinite(data.features).all()
