"""Data sets: what is read, how it is scaled, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.learning.data import Scaling, load_digits, load_npz, row_digest


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


finite = st.floats(allow_nan=False, allow_infinity=False)
tables = st.tuples(st.integers(2, 6), st.integers(1, 3)).flatmap(
    lambda shape: st.one_of(
        arrays.arrays(np.float64, shape, elements=finite | st.sampled_from([0.0, -0.0, 5e-324, 1.7e308, -1.7e308])),
        arrays.arrays(np.int64, shape),
        arrays.arrays(np.uint8, shape),
        arrays.arrays(np.bool_, shape),
        arrays.arrays(np.float32, shape, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    )
)


def divided(table: NDArray[np.generic], scaling: Scaling) -> list[list[float]]:
    """The rule with exact rationals, a cell at a time."""
    exact = [[Fraction(cell) for cell in row] for row in table.astype(np.float64).tolist()]

    def divisor(column: int) -> Fraction:
        if scaling is Scaling.AUTO and table.dtype == np.uint8:
            return Fraction(255)
        cells = [abs(cell) for row in exact for cell in (row if scaling is Scaling.WHOLE else [row[column]])]
        return max(cells) or Fraction(1)

    return [[float(cell / divisor(column)) for column, cell in enumerate(row)] for row in exact]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-028")
@given(table=tables, scaling=st.sampled_from(Scaling))
def test_features_are_divided_exactly_by_the_rule(
    tmp_path_factory: pytest.TempPathFactory, table: NDArray[np.generic], scaling: Scaling
) -> None:
    """Also of the largest and the subnormal floats: in [-1, 1], zero at zero, nothing that is no number."""
    file = save(tmp_path_factory.mktemp("data"), x=table, y=np.arange(len(table)))
    scaled = load_npz(file, scaling=scaling).features
    assert np.all(np.abs(scaled) <= 1.0)
    assert not scaled[table == 0].any()
    assert scaled.tolist() == divided(table, scaling)


@pytest.mark.req("CAPC-RUN-028")
def test_bytes_and_tables_have_their_natural_scale(tmp_path: Path) -> None:
    """An image's brightest pixel may be missing from the file; an indicator that never occurs stays 0."""
    image = np.array([[0, 51], [0, 204]], dtype=np.uint8)
    assert load_npz(save(tmp_path, x=image, y=[0, 1])).features.tolist() == [[0.0, 0.2], [0.0, 0.8]]
    assert load_npz(save(tmp_path, x=image, y=[0, 1]), scaling=Scaling.WHOLE).features.tolist() == [[0, 0.25], [0, 1]]
    table = [[-40.0, 0.0, 5e-324], [10.0, 0.0, 0.0]]
    assert load_npz(save(tmp_path, x=table, y=[0, 1])).features.tolist() == [[-1.0, 0.0, 1.0], [0.25, 0.0, 0.0]]


@pytest.mark.parametrize("scaling", Scaling)
def test_a_row_is_known_by_what_the_source_holds_however_it_is_scaled(tmp_path: Path, scaling: Scaling) -> None:
    table = np.array([[3, 200], [9, 7]], dtype=np.uint8)
    found = load_npz(save(tmp_path, x=table, y=[0, 1]), scaling=scaling)
    assert found.digests == tuple(row_digest(row.astype(np.float64)) for row in table)


@given(
    values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=20)
    | st.lists(st.integers(2**63, 2**64 - 1), min_size=2, max_size=20)
    | st.lists(st.booleans(), min_size=2, max_size=20)
)
def test_a_column_is_read_as_codes_of_its_values(
    tmp_path_factory: pytest.TempPathFactory, values: list[int] | list[bool]
) -> None:
    rows = len(values)
    file = save(tmp_path_factory.mktemp("data"), x=np.zeros((rows, 1)), y=np.arange(rows), site=values)
    assert load_npz(file).columns == {}
    column = load_npz(file, columns=["site", "site"]).columns["site"]
    assert column.name == "site"
    assert list(column.values) == sorted(set(values))
    assert [column.values[code] for code in column.codes] == values
    some = column.of(np.arange(rows - 1, -1, -2))
    assert [some.values[code] for code in some.codes] == values[::-2]


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize(
    ("name", "values", "problem"),
    [
        ("sex", None, "the array sex is missing: the file holds x, y: name an array of 1025 integers as a column"),
        ("sex", np.zeros(1024, dtype=int), "sex has the shape (1024,) and there are 1025 rows: give one value"),
        ("sex", np.zeros((1025, 1), dtype=int), "sex has the shape (1025, 1)"),
        ("sex", np.zeros(1025), "sex has the type float64: give integers"),
        ("sex", np.full(1025, "f"), "sex has the type <U1: give integers"),
        ("sex", np.full(1025, None), "the array sex cannot be read: store plain numbers"),
        ("sex", np.arange(1025), "sex holds 1025 different values: give at most 1024"),
        ("x", None, "column x: this array holds features or labels: name another one"),
        ("y", None, "column y: this array holds features or labels"),
        ("a\nb", None, r"the array 'a\nb' is missing"),
        ("n" * 900, None, "is missing: the file holds x, y"),
    ],
)
def test_a_column_that_cannot_be_used_is_refused_before_features_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, values: NDArray[np.generic] | None, problem: str
) -> None:
    further = {} if values is None else {name: values}
    file = save(tmp_path, x=np.full((1025, 1), np.nan), y=np.arange(1025) % 2, **further)
    with pytest.raises(InputError) as refusal:
        load_npz(file, columns=[name])
    line = str(refusal.value)
    assert line.startswith(f"{file}: ")
    assert problem in line
    assert line.isprintable()
    assert len(line) < 400 + len(str(file))


@pytest.mark.req("CAPC-RUN-001")
def test_digits_have_no_columns() -> None:
    assert load_digits().columns == {}
    with pytest.raises(InputError, match=r"column sex: scikit-learn's digits have no columns: give an \.npz archive"):
        load_digits(columns=["sex"])


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
