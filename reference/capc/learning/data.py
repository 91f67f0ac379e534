"""Data sets for the demonstration: scikit-learn's digits, or a file of the user (CAPC-RUN-001).

A feature is a number in [-1, 1], because the range analysis of the models relies on that bound. In a deployment the
bounds of a feature are public and agreed beforehand; the demonstration takes them from the file that it splits.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from capc.errors import InputError
from capc.hidden import type_only

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MAX_CLASSES = 1024
MAX_FEATURES = 1 << 20

_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    MemoryError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise for a damaged, encrypted or truncated archive, or one with pickled objects."""

_REMEDY = "write one with numpy.savez(path, x=..., y=...)"


@dataclass(frozen=True)
class Dataset:
    """Labelled rows.

    Attributes:
        name: where the rows come from, for reports.
        features: n x d, each in [-1, 1].
        labels: n class indices in [0, C).
        classes: the C >= 2 labels that the classes have in the source, by class index; every class occurs.
    """

    name: str
    features: Floats
    labels: Indices
    classes: tuple[int, ...]

    __repr__ = type_only

    @property
    def num_classes(self) -> int:
        """The number C of classes."""
        return len(self.classes)

    @property
    def num_rows(self) -> int:
        """The number n of rows."""
        return len(self.labels)

    @property
    def num_features(self) -> int:
        """The number d of features of a row."""
        return int(self.features.shape[1])


def load_digits() -> Dataset:
    """Scikit-learn's handwritten digits: 1797 rows, 64 pixels from 0 to 16 scaled to [0, 1], 10 classes."""
    from sklearn import datasets  # noqa: PLC0415  # a second of import time that `--data` does not need

    pixels, labels = datasets.load_digits(return_X_y=True)
    return Dataset("digits", np.asarray(pixels, np.float64) / 16, np.asarray(labels, np.int64), tuple(range(10)))


def load_npz(path: Path) -> Dataset:
    """The rows of a user's archive, with classes numbered 0 to C - 1 in the order of their labels.

    Each feature is mapped linearly from its range in the file to [-1, 1]; a constant feature becomes 0.

    Args:
        path: an ``.npz`` archive with the arrays ``x`` (n x d real numbers) and ``y`` (n integers).

    Raises:
        InputError: the file cannot be read, or the arrays are missing, have other shapes or types, hold NaN or an
            infinity, or hold fewer than two classes.
    """
    arrays = _read_arrays(path)
    features, labels = _checked_features(arrays["x"], path), _checked_labels(arrays["y"], path)
    if len(features) != len(labels):
        raise InputError(f"{path}: x has {len(features)} rows and y has {len(labels)}: give one label for each row")
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"{path}: y holds {len(classes)} class{'' if len(classes) == 1 else 'es'}: give at least 2")
    if len(classes) > MAX_CLASSES:
        raise InputError(f"{path}: y holds {len(classes)} classes: give at most {MAX_CLASSES}")
    return Dataset(path.name, _scaled(features), indices.astype(np.int64), tuple(map(int, classes)))


def no_file_because(path: Path) -> str:
    """Why there is no plain file of that name, to be said to a user."""
    if path.is_dir():
        return "this is a folder"
    return "this is not a plain file" if path.exists() else "there is no such file"


def _read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    if not path.is_file():
        raise InputError(f"{path}: {no_file_because(path)}: name an .npz archive with the arrays x and y")
    with _opened(path) as stream:
        try:
            archive = np.load(stream, allow_pickle=False)
        except _UNREADABLE:
            raise InputError(f"{path}: not an .npz archive: {_REMEDY}") from None
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError(f"{path}: a single array, not an .npz archive: {_REMEDY}")
        return {name: _read_array(archive, name, path) for name in ("x", "y")}


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}): name a readable .npz archive") from None


def _read_array(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> NDArray[np.generic]:
    if name not in archive.files:
        raise InputError(f"{path}: the array {name} is missing: {_REMEDY}")
    try:
        array: NDArray[np.generic] = archive[name]
    except _UNREADABLE:
        raise InputError(
            f"{path}: the array {name} cannot be read: store plain numbers, no objects, in an intact file"
        ) from None
    return array


def _checked_features(array: NDArray[np.generic], path: Path) -> Floats:
    if array.ndim != 2:
        raise InputError(f"{path}: x has the shape {array.shape}: give n rows of d features")
    if array.dtype.kind not in "fiub":
        raise InputError(f"{path}: x has the type {array.dtype}: give real numbers")
    if not 1 <= array.shape[1] <= MAX_FEATURES:
        raise InputError(f"{path}: x has {array.shape[1]} features in a row: give 1 to {MAX_FEATURES}")
    features = array.astype(np.float64)
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"{path}: x[{row}, {column}] = {features[row, column]}: remove or replace values that are not finite"
        )
    return features


def _checked_labels(array: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    if array.ndim != 1:
        raise InputError(f"{path}: y has the shape {array.shape}: give one label for each row")
    if array.dtype.kind not in "iub":
        raise InputError(f"{path}: y has the type {array.dtype}: give integer labels")
    return array


def _scaled(features: Floats) -> Floats:
    low, high = features.min(axis=0), features.max(axis=0)
    # Halving first keeps the largest floats from overflowing.
    centre, half = low / 2 + high / 2, high / 2 - low / 2
    constant = half == 0
    scaled = (features - centre) / np.where(constant, 1.0, half)
    scaled[:, constant] = 0.0
    clipped: Floats = np.clip(scaled, -1.0, 1.0)
    return clipped
