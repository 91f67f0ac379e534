"""Data sets for the demonstration: scikit-learn's digits, or a file of the user (CAPC-RUN-001).

A feature is a number in [-1, 1], because the range analysis of the models relies on that bound. In a deployment the
bounds of a feature are public and agreed beforehand; the demonstration takes them from the file that it splits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.learning.archive import MAX_CELLS, ArrayHeader, open_archive

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MAX_CLASSES = 1024
MAX_FEATURES = 1 << 20
MAX_ROWS = 1 << 20


class DataShape(NamedTuple):
    """What is known of a data set before its features are read: n, d and C."""

    rows: int
    features: int
    classes: int


@dataclass(frozen=True)
class Dataset:
    """Labelled rows.

    Attributes:
        name: where the rows come from, for reports.
        features: n x d, each in [-1, 1].
        labels: n class indices in [0, C).
        classes: the C >= 2 labels that the classes have in the source, by class index; every class occurs.
        digests: of each row as it stands in the source, before features are scaled.
    """

    name: str
    features: Floats
    labels: Indices
    classes: tuple[int, ...]
    digests: tuple[bytes, ...]

    @property
    def shape(self) -> DataShape:
        """Rows, features and classes."""
        return DataShape(self.num_rows, self.num_features, self.num_classes)

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
    digests = tuple(row_digest(row) for row in np.asarray(pixels, np.float64))
    features = np.asarray(pixels, np.float64) / 16
    return Dataset("digits", features, np.asarray(labels, np.int64), tuple(range(10)), digests)


def load_npz(path: Path, admit: Callable[[DataShape], object] | None = None) -> Dataset:
    """The rows of a user's archive, with classes numbered 0 to C - 1 in the order of their labels.

    Each feature is mapped linearly from its range in the file to [-1, 1]; a constant feature becomes 0. Headers are
    read first, then labels, then features: what is wrong with the former costs no time and memory for the latter.

    Args:
        path: an ``.npz`` archive with the arrays ``x`` (n x d real numbers) and ``y`` (n integers).
        admit: told of rows, features and classes before the features are read; it raises to refuse them.

    Raises:
        InputError: the file cannot be read, or the arrays are missing, have other shapes or types, are too large, hold
            NaN or an infinity, or hold fewer than two classes.
    """
    if not path.is_file():
        raise InputError(f"{path}: {no_file_because(path)}: name an .npz archive with the arrays x and y")
    with open_archive(path) as archive:
        of_features, of_labels = archive.header("x"), archive.header("y")
        _check_headers(of_features, of_labels, path)
        # The type decides which integers fit: 64 bits with a sign or without.
        labels = np.empty(of_labels.shape, np.uint64 if of_labels.dtype.kind == "u" else np.int64)
        archive.read(of_labels, labels)
        classes, indices = _numbered(labels, path)
        if admit is not None:
            admit(DataShape(len(labels), of_features.shape[1], len(classes)))
        features = np.empty(of_features.shape, np.float64)
        archive.read(of_features, features)
    _check_finite(features, path)
    digests = tuple(row_digest(row) for row in features)
    _scale(features)
    return Dataset(path.name, features, indices, classes, digests)


def row_digest(row: Floats) -> bytes:
    """SHA-256 of a row's features as they stand in the source, by which the row is known in any file.

    Args:
        row: d numbers; 0 and -0 are the same.
    """
    return hashlib.sha256(np.ascontiguousarray(row + 0.0, dtype="<f8").tobytes()).digest()


def no_file_because(path: Path) -> str:
    """Why there is no plain file of that name, to be said to a user."""
    if path.is_dir():
        return "this is a folder"
    return "this is not a plain file" if path.exists() else "there is no such file"


def _check_headers(of_features: ArrayHeader, of_labels: ArrayHeader, path: Path) -> None:
    """Everything that shapes and types decide."""
    if len(of_features.shape) != 2:
        raise InputError(f"{path}: x has the shape {of_features.shape}: give n rows of d features")
    if of_features.dtype.kind not in "fiub":
        raise InputError(f"{path}: x has the type {of_features.dtype}: give real numbers")
    rows, features = of_features.shape
    if not 1 <= features <= MAX_FEATURES:
        raise InputError(f"{path}: x has {features} features in a row: give 1 to {MAX_FEATURES}")
    if len(of_labels.shape) != 1:
        raise InputError(f"{path}: y has the shape {of_labels.shape}: give one label for each row")
    if of_labels.dtype.kind not in "iub":
        raise InputError(f"{path}: y has the type {of_labels.dtype}: give integer labels")
    if rows != of_labels.shape[0]:
        raise InputError(f"{path}: x has {rows} rows and y has {of_labels.shape[0]}: give one label for each row")
    most = min(MAX_ROWS, MAX_CELLS // features)
    if rows > most:
        raise InputError(f"{path}: x has {rows} rows of {features} features: give at most {most} rows")


def _numbered(labels: NDArray[np.generic], path: Path) -> tuple[tuple[int, ...], Indices]:
    """The classes, and each row's index among them."""
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"{path}: y holds {len(classes)} class{'' if len(classes) == 1 else 'es'}: give at least 2")
    if len(classes) > MAX_CLASSES:
        raise InputError(f"{path}: y holds {len(classes)} classes: give at most {MAX_CLASSES}")
    return tuple(map(int, classes)), indices.astype(np.int64)


def _check_finite(features: Floats, path: Path) -> None:
    for row, values in enumerate(features):
        if not np.isfinite(values).all():
            column = int(np.flatnonzero(~np.isfinite(values))[0])
            raise InputError(
                f"{path}: x[{row}, {column}] = {values[column]}: remove or replace values that are not finite"
            )


def _scale(features: Floats) -> None:
    """Maps each column to [-1, 1] in place."""
    low, high = features.min(axis=0), features.max(axis=0)
    # Halving first keeps the largest floats from overflowing.
    centre, half = low / 2 + high / 2, high / 2 - low / 2
    constant = half == 0
    features -= centre
    features /= np.where(constant, 1.0, half)
    features[:, constant] = 0.0
    np.clip(features, -1.0, 1.0, out=features)
