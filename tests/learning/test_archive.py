"""Archives that are damaged, hostile or too large: one line, and no memory taken for what cannot be used."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.learning import archive
from capc.learning.data import MAX_ROWS, DataShape, load_npz, row_digest
from support.sizes import some

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
X = np.random.default_rng(1).normal(size=(50, 4))
Y = np.arange(50) % 3


def npy(array: NDArray[np.generic]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def with_header(text: str, content: bytes, version: tuple[int, int] = (1, 0)) -> bytes:
    encoded = text.encode("utf-8" if version == (3, 0) else "latin1")
    length = len(encoded).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + length + encoded + content


def packed(file: Path, method: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(file, "w", method) as stream:
        for name, content in members.items():
            stream.writestr(f"{name}.npy", content)
    return file


def refusal(file: Path) -> str:
    with pytest.raises(InputError) as refused:
        load_npz(file)
    line = str(refused.value)
    assert line.startswith(f"{file}: ")
    assert line.isprintable(), line
    return line


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
@given(data=st.data())
def test_an_archive_with_wrong_bytes_is_the_same_or_refused(
    tmp_path_factory: pytest.TempPathFactory, method: int, data: st.DataObject
) -> None:
    """A checksum covers the contents: what is read is what was written, or one line."""
    file = packed(tmp_path_factory.mktemp("fuzz") / "rows.npz", method, x=npy(X), y=npy(Y))
    intact = load_npz(file)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, 40))
    file.write_bytes(content[: len(content) - cut] if data.draw(st.booleans()) else content)
    try:
        found = load_npz(file)
    except InputError as refused:
        assert str(refused).startswith(f"{file}: ")  # noqa: PT017
        assert str(refused).isprintable()  # noqa: PT017
    else:
        assert np.array_equal(found.features, intact.features)
        assert np.array_equal(found.labels, intact.labels)


TOKENS = st.sampled_from(
    [
        *("'descr'", "'<f8'", "'|O'", "'<M8[s]'", "'fortran_order'", "'shape'", "True", "(50, 4)", "[('a', '<f8')]"),
        *("9" * 30, "(" * 300, "-" * 3000, "\\x", "'''", "{[]:1}", "None", "1e999", "L", "(50, 4, 1)"),
        *"{}()[],:'\\\"-1 \n\0",
    ]
)


@pytest.mark.req("CAPC-RUN-001")
@given(
    parts=st.lists(TOKENS | st.text(max_size=4, alphabet=st.characters(max_codepoint=255)), max_size=12),
    version=st.sampled_from([(1, 0), (2, 0), (3, 0), (4, 0), (0, 0)]),
    place=st.sampled_from(["x", "y"]),
)
def test_a_header_of_any_text_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], version: tuple[int, int], place: str
) -> None:
    members = {"x": npy(X), "y": npy(Y)} | {place: with_header("".join(parts), X.tobytes(), version)}
    refusal(packed(tmp_path_factory.mktemp("fuzz") / "rows.npz", **members))


FIELDS = st.fixed_dictionaries(
    {
        "descr": st.sampled_from(
            ["<f8", ">f8", "<f4", "<i8", "|O", "|V0", "<U9", "<M8[zz]", "<c16", "|a8", "f", [("a", "<f8")] * 2, {}, 8]
        ),
        "fortran_order": st.sampled_from([True, False, 1, None, "no"]),
        "shape": st.tuples(st.integers(-2, 60), st.integers(-2, 6)) | st.sampled_from([(), (10**30, 4), [50, 4], 50])
        | st.just((True, 4)) | st.just((1,) * 100) | st.just((10**12, 0)) | st.just((0, 10**12)),
    }
)  # fmt: skip


@pytest.mark.req("CAPC-RUN-001")
@given(fields=FIELDS, pad=st.integers(-8, 8))
def test_a_header_with_any_fields_is_refused_or_its_content_fits_it(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, object], pad: int
) -> None:
    content = X.tobytes()[: 1600 + min(pad, 0)] + bytes(max(pad, 0))
    file = tmp_path_factory.mktemp("fuzz") / "rows.npz"
    packed(file, x=with_header(repr(fields), content), y=npy(Y))
    try:
        found = load_npz(file)
    except InputError as refused:
        assert str(refused).isprintable()  # noqa: PT017
    else:
        assert pad == 0
        assert fields["shape"] == (50, 4)
        order = "F" if fields["fortran_order"] else "C"
        written = np.frombuffer(content, str(fields["descr"])).reshape((50, 4), order=order)
        assert found.digests == tuple(row_digest(row.astype(np.float64)) for row in written)


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("text", ["{'descr': (", "'''", "(" * 300, "{'descr': '<f8', 'shape': (3,4)", "-" * 9000 + "1"])
def test_headers_that_break_pythons_parser_are_refused(tmp_path: Path, text: str) -> None:
    line = refusal(packed(tmp_path / "rows.npz", x=with_header(text, bytes(96)), y=npy(Y)))
    assert "the array x cannot be read: store plain numbers" in line


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", "|u1", ">i8", "|b1"])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_every_layout_is_read_as_numpy_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, dtype: str, method: int
) -> None:
    """In pieces that do not end where rows do."""
    monkeypatch.setattr(archive, "_PIECE_CELLS", 7)
    rows = np.asarray(np.abs(X) * 50, dtype=dtype, order=order)  # type: ignore[call-overload]
    found = load_npz(packed(tmp_path / "rows.npz", method, x=npy(rows), y=npy(Y.astype(">i2"))))
    assert found.digests == tuple(row_digest(row.astype(np.float64)) for row in rows)
    assert found.labels.tolist() == Y.tolist()


def test_a_row_is_known_in_another_file_with_other_ranges(tmp_path: Path) -> None:
    first = load_npz(packed(tmp_path / "one.npz", x=npy(X), y=npy(Y)))
    other = np.concatenate([X[7:9] * 100, X[3:5]])
    second = load_npz(packed(tmp_path / "two.npz", x=npy(other), y=npy(Y[:4])))
    assert first.digests[3:5] == second.digests[2:]
    assert not set(first.digests) & set(second.digests[:2])
    assert not np.array_equal(first.features[3:5], second.features[2:])
    assert row_digest(np.array([0.0, 1.0])) == row_digest(np.array([-0.0, 1.0]))


@pytest.mark.req("CAPC-RUN-001")
def test_the_arrays_that_are_there_are_named_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.npz"
    np.savez(file, X, Y)
    assert "the array x is missing: the file holds arr_0, arr_1: write" in refusal(file)
    many = {f"part {number}": npy(Y) for number in range(40)} | {"new\nline \x1b[31m": npy(Y), "z" * 9000: npy(Y)}
    line = refusal(packed(file, **many))
    assert "part 0, part 1, " in line
    assert " and 32 more" in line
    assert len(refusal(packed(file, **dict(reversed(many.items()))))) < 700
    assert "the file holds no array" in refusal(packed(file))


def bomb(file: Path, shape: tuple[int, int], labels: NDArray[np.generic], method: int) -> Path:
    """An archive of a few bytes whose x is all zeros."""
    header = io.BytesIO()
    fields = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)  # type: ignore[arg-type]
    left = shape[0] * shape[1] * 8
    with zipfile.ZipFile(file, "w", method) as stream:
        with stream.open("x.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            while left:
                left -= member.write(bytes(min(left, 1 << 22)))
        stream.writestr("y.npy", npy(labels))
    return file


UNUSABLE = {
    "labels of other rows": (np.arange(400) % 2, "x has 2097152 rows and y has 400"),
    "too many rows": (np.arange(1 << 21) % 2, f"give at most {MAX_ROWS} rows"),
}


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("method", some(["deflated", "bzip2", "lzma"], ordinary=2))
@pytest.mark.parametrize("case", UNUSABLE)
def test_a_small_file_that_inflates_is_refused_before_its_features_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, case: str
) -> None:
    labels, fragment = UNUSABLE[case]
    file = bomb(tmp_path / "rows.npz", (1 << 21, 8), labels, METHODS[method])
    assert file.stat().st_size < 1 << 20

    def never(*_: object) -> None:
        pytest.fail("contents were read")

    monkeypatch.setattr(archive.Archive, "read", never)
    assert fragment in refusal(file)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-001")
def test_what_labels_or_a_run_refuse_costs_no_memory_for_the_features(tmp_path: Path) -> None:
    """In a process of its own, whose largest memory is that of the run: 64 MiB of features stay in the file."""
    one = bomb(tmp_path / "one.npz", (1 << 20, 64), np.zeros(1 << 20, dtype=np.int8), zipfile.ZIP_DEFLATED)
    two = bomb(tmp_path / "two.npz", (1 << 20, 64), np.arange(1 << 20) % 2, zipfile.ZIP_DEFLATED)
    script = """
import resource, sys
from pathlib import Path
from capc.foundation.errors import InputError
from capc.learning.data import load_npz
def no(shape): raise InputError(f"{shape}")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    try: load_npz(Path(name), no)
    except InputError as error: print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script, one, two], capture_output=True, text=True, check=True)
    first, second, grown = done.stdout.splitlines()
    assert "y holds 1 class" in first
    assert second == str(DataShape(1 << 20, 64, 2))
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(grown) * unit < 1 << 27


@pytest.mark.parametrize("announced", [(1 << 40, 4), (49, 4), (51, 4), (50, 5)])
def test_a_shape_that_its_content_does_not_fill_is_refused(tmp_path: Path, announced: tuple[int, int]) -> None:
    text = repr({"descr": "<f8", "fortran_order": False, "shape": announced})
    labels = npy(np.arange(min(announced[0], 60)) % 2)
    assert "cannot be read" in refusal(packed(tmp_path / "rows.npz", x=with_header(text, X.tobytes()), y=labels))
