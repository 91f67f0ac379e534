"""Reads the arrays of an ``.npz`` archive: headers first, then contents in pieces, and never more than was announced.

An array of numbers is little more than its header's shape and type, so what is in a file of a few bytes can be refused
before any memory is taken for it. Objects are never unpickled.
"""

from __future__ import annotations

import ast
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.typing import NDArray

from capc.foundation.errors import InputError

MAX_CELLS = 1 << 26
"""Of one array; as float64 they take half a gibibyte."""
MAX_DIMENSIONS = 32

_REMEDY = "write one with numpy.savez(path, x=..., y=...)"
_MAGIC = b"\x93NUMPY"
_SUFFIX = ".npy"
_MAX_HEADER = 10_000
_PIECE_CELLS = 1 << 20
_NAMES_SHOWN = 10
_NAME_LENGTH = 40
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
_FIELDS = {"descr", "fortran_order", "shape"}


@dataclass(frozen=True)
class ArrayHeader:
    """What an archive says of one array before its content.

    Attributes:
        name: of the array.
        dtype: of each cell; no structure, no objects.
        shape: its dimensions.
        fortran_order: whether the first index runs fastest.
        start: bytes before the content.
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran_order: bool
    start: int

    @property
    def cells(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


class Archive:
    """An archive that is open for reading.

    Args:
        opened: the archive.
        path: its name, for messages.
    """

    def __init__(self, opened: zipfile.ZipFile, path: Path) -> None:
        self._opened = opened
        self._path = path
        self._members = [name for name in opened.namelist() if name.endswith(_SUFFIX)]

    def header(self, name: str, remedy: str = _REMEDY) -> ArrayHeader:
        """The header of an array; its content is not touched.

        Args:
            name: of the array.
            remedy: what to do where it is missing.

        Raises:
            InputError: there is no such array, or its header cannot be read or does not fit its content.
        """
        if name + _SUFFIX not in self._members:
            raise InputError(f"{self._path}: the array {shown(name)} is missing: {self._holds()}: {remedy}")
        with self._reading(name) as stream:
            found = _read_header(name, stream)
            announced = self._opened.getinfo(name + _SUFFIX).file_size
        if found.dtype.hasobject or found.start + found.cells * found.dtype.itemsize != announced:
            raise self.unreadable(name)
        return found

    def read(self, header: ArrayHeader, into: NDArray[np.generic]) -> None:
        """Fills an array of the same shape with the content, converted to its type piece by piece.

        Raises:
            InputError: the content is damaged.
        """
        # Of a view of the first index last, the flat order is that of the file.
        flat = (into.T if header.fortran_order else into).flat
        # Values that the type cannot hold become infinities, which whoever asked looks for.
        with self._reading(header.name) as stream, np.errstate(over="ignore", invalid="ignore"):
            _exactly(stream, header.start)
            for start in range(0, header.cells, _PIECE_CELLS):
                cells = min(_PIECE_CELLS, header.cells - start)
                piece = np.frombuffer(_exactly(stream, cells * header.dtype.itemsize), header.dtype)
                flat[start : start + cells] = piece.astype(into.dtype)
            # At the end the checksum is compared.
            stream.read(1)

    @contextmanager
    def _reading(self, name: str) -> Iterator[IO[bytes]]:
        try:
            with self._opened.open(name + _SUFFIX) as stream:
                yield stream
        except Exception:  # noqa: BLE001  # archives, decompressors and header texts raise what nobody lists
            raise self.unreadable(name) from None

    def unreadable(self, name: str) -> InputError:
        """The refusal of an array that is damaged, or not what was looked for."""
        return InputError(
            f"{self._path}: the array {shown(name)} cannot be read: store plain numbers, no objects, in an intact file"
        )

    def _holds(self) -> str:
        names = [shown(name.removesuffix(_SUFFIX)) for name in self._members]
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        return f"the file holds {', '.join(names[:_NAMES_SHOWN])}{more}" if names else "the file holds no array"


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Opens an archive.

    Raises:
        InputError: the file cannot be opened, or is no archive.
    """
    with _opened(path) as stream:
        if stream.read(len(_MAGIC)) == _MAGIC:
            raise InputError(f"{path}: a single array, not an .npz archive: {_REMEDY}")
        stream.seek(0)
        try:
            opened = zipfile.ZipFile(stream)
        except Exception:  # noqa: BLE001  # as of the members
            raise InputError(f"{path}: not an .npz archive: {_REMEDY}") from None
        with opened:
            yield Archive(opened, path)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}): name a readable .npz archive") from None


def _read_header(name: str, stream: IO[bytes]) -> ArrayHeader:
    """The header at the beginning of a member.

    Raises:
        ValueError: it is none; Python's parser of literals raises other errors besides.
    """
    start = _exactly(stream, len(_MAGIC) + 2)
    version = (start[-2], start[-1])
    if not start.startswith(_MAGIC) or version not in _LENGTH_BYTES:
        raise ValueError("not an array")
    length_bytes = _LENGTH_BYTES[version]
    length = int.from_bytes(_exactly(stream, length_bytes), "little")
    if length > _MAX_HEADER:
        raise ValueError("too long a header")
    text = _exactly(stream, length).decode("utf-8" if version == (3, 0) else "latin1")
    with warnings.catch_warnings():
        # A damaged text must not make Python or NumPy say more than the one line of the refusal.
        warnings.simplefilter("error")
        fields = ast.literal_eval(text)
        if not isinstance(fields, dict) or set(fields) != _FIELDS or not isinstance(fields["descr"], str):
            raise ValueError("another header")
        dtype = np.dtype(fields["descr"])
    shape, fortran_order = fields["shape"], fields["fortran_order"]
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS or not all(map(_is_dimension, shape)):
        raise ValueError("no shape")
    if not isinstance(fortran_order, bool):
        raise ValueError("no order")
    return ArrayHeader(name, dtype, shape, fortran_order, len(start) + length_bytes + length)


def _is_dimension(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) != count:
        raise EOFError
    return content


def shown(name: str) -> str:
    """An array's name in one line, whatever it is made of."""
    cut = name if len(name) <= _NAME_LENGTH else name[:_NAME_LENGTH] + "..."
    return cut if cut.isprintable() and cut.strip() == cut and cut else ascii(cut)
