"""Data sets for the demonstration: scikit-learn's digits, or a file of the user (CAPC-RUN-001).

A feature is a number in [-1, 1], because the range analysis of the models relies on that bound, and zero stays zero:
the dark background of an image and the absent category of a table weigh nothing in a sum. In a deployment the bounds of
a feature are public and agreed beforehand. Bytes are bounded by their type; of other numbers the demonstration takes
the bounds from the file that it splits.

Spec: CAPC-RUN-028.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.learning.archive import MAX_CELLS, Archive, ArrayHeader, open_archive, shown

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MAX_CLASSES = 1024
MAX_FEATURES = 1 << 20
MAX_ROWS = 1 << 20
MAX_VALUES = 1024
"""Different values of a column."""

_FEATURES, _LABELS = "x", "y"


class Scaling(StrEnum):
    """By what features are divided to lie in [-1, 1]; what is 0 in the source stays 0."""

    AUTO = "auto"
    """Bytes (uint8) by 255, the bound of their type; of other arrays each column by its own largest absolute value."""
    WHOLE = "whole"
    """All by the largest absolute value of the array."""
    COLUMN = "column"
    """Each column by its own largest absolute value."""


class DataShape(NamedTuple):
    """What is known of a data set before its features are read: n, d and C."""

    rows: int
    features: int
    classes: int


@dataclass(frozen=True)
class Column:
    """An attribute of each row that is no feature: a hospital, a state, a sex.

    Attributes:
        name: of the array in the source.
        values: the distinct values in the source, ascending.
        codes: n indices into ``values``.
    """

    name: str
    values: tuple[int, ...]
    codes: Indices

    __repr__ = type_only

    def of(self, rows: Indices) -> Column:
        """The same attribute of these rows, in their order; values that do not occur among them keep their index."""
        return replace(self, codes=self.codes[rows])


@dataclass(frozen=True)
class Dataset:
    """Labelled rows.

    Attributes:
        name: where the rows come from, for reports.
        features: n x d, each in [-1, 1].
        labels: n class indices in [0, C).
        classes: the C >= 2 labels that the classes have in the source, by class index; every class occurs, unless
            classes are sets.
        digests: of each row as it stands in the source, before features are scaled.
        columns: the attributes that were asked for, by name.
        labels_of_sets: L, where class n is the set that holds label j where bit j of n is set, for all 2^L of them; 0
            where classes are classes.
    """

    name: str
    features: Floats
    labels: Indices
    classes: tuple[int, ...]
    digests: tuple[bytes, ...]
    columns: Mapping[str, Column] = field(default_factory=dict)
    labels_of_sets: int = 0

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


def load_digits(columns: Sequence[str] = (), *, sets: bool = False) -> Dataset:
    """Scikit-learn's handwritten digits: 1797 rows, 64 pixels from 0 to 16 divided by 16, 10 classes, no columns.

    As sets, a digit is the set of its four bits.

    Raises:
        InputError: a column is asked for.
    """
    if columns:
        raise InputError(
            f"column {shown(columns[0])}: scikit-learn's digits have no columns: "
            "give an .npz archive that holds it, or leave it out"
        )
    from sklearn import datasets  # noqa: PLC0415  # a second of import time that `--data` does not need

    pixels, labels = datasets.load_digits(return_X_y=True)
    digests = tuple(row_digest(row) for row in np.asarray(pixels, np.float64))
    features = np.asarray(pixels, np.float64) / 16
    found = np.asarray(labels, np.int64)
    classes, bits = (_all_sets(found), _bits(found)) if sets else (tuple(range(10)), 0)
    return Dataset("digits", features, found, classes, digests, labels_of_sets=bits)


def load_npz(
    path: Path,
    admit: Callable[[DataShape], object] | None = None,
    *,
    columns: Sequence[str] = (),
    scaling: Scaling = Scaling.AUTO,
    sets: bool = False,
) -> Dataset:
    """The rows of a user's archive, with classes numbered 0 to C - 1 in the order of their labels.

    Headers are read first, then labels and columns, then features: what is wrong with the former costs no time and
    memory for the latter.

    Args:
        path: an ``.npz`` archive with the arrays ``x`` (n x d real numbers) and ``y`` (n integers).
        admit: told of rows, features and classes before the features are read; it raises to refuse them.
        columns: names of further arrays of n integers, to be read as attributes; a name given twice is read once.
        scaling: by what features are divided.
        sets: whether ``y`` holds numbers of sets of labels, whose bit j is set where a set holds label j.

    Raises:
        InputError: the file cannot be read, or the arrays are missing, have other shapes or types, are too large, hold
            NaN or an infinity, or hold fewer than two classes or more than ``MAX_VALUES`` values of an attribute.
    """
    if not path.is_file():
        raise InputError(f"{path}: {no_file_because(path)}: name an .npz archive with the arrays x and y")
    with open_archive(path) as archive:
        of_features, of_labels = archive.header(_FEATURES), archive.header(_LABELS)
        _check_headers(of_features, of_labels, path)
        of_columns = [_column_header(archive, name, of_labels.shape[0], path) for name in dict.fromkeys(columns)]
        classes, indices = (_sets if sets else _numbered)(_read_integers(archive, of_labels), path)
        attributes = {header.name: _column(archive, header, path) for header in of_columns}
        if admit is not None:
            admit(DataShape(len(indices), of_features.shape[1], len(classes)))
        features = np.empty(of_features.shape, np.float64)
        archive.read(of_features, features)
    _check_finite(features, path)
    digests = tuple(row_digest(row) for row in features)
    features /= _divisors(features, scaling, of_bytes=of_features.dtype == np.uint8)
    return Dataset(path.name, features, indices, classes, digests, attributes, _bits(indices) if sets else 0)


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


def _column_header(archive: Archive, name: str, rows: int, path: Path) -> ArrayHeader:
    """The header of an attribute, once everything is checked that shape and type decide."""
    if name in {_FEATURES, _LABELS}:
        raise InputError(f"{path}: column {name}: this array holds features or labels: name another one of n integers")
    header = archive.header(name, f"name an array of {rows} integers as a column, or leave it out")
    if header.shape != (rows,):
        raise InputError(
            f"{path}: {shown(name)} has the shape {header.shape} and there are {rows} rows: give one value for each"
        )
    if header.dtype.kind not in "iub":
        raise InputError(f"{path}: {shown(name)} has the type {header.dtype}: give integers")
    return header


def _column(archive: Archive, header: ArrayHeader, path: Path) -> Column:
    values, codes = np.unique(_read_integers(archive, header), return_inverse=True)
    if len(values) > MAX_VALUES:
        raise InputError(
            f"{path}: {shown(header.name)} holds {len(values)} different values: give at most {MAX_VALUES}"
        )
    return Column(header.name, tuple(map(int, values)), codes.astype(np.int64))


def _read_integers(archive: Archive, header: ArrayHeader) -> NDArray[np.generic]:
    """An array of integers; its type decides which fit: 64 bits with a sign or without."""
    integers = np.empty(header.shape, np.uint64 if header.dtype.kind == "u" else np.int64)
    archive.read(header, integers)
    return integers


def _numbered(labels: NDArray[np.generic], path: Path) -> tuple[tuple[int, ...], Indices]:
    """The classes, and each row's index among them."""
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"{path}: y holds {len(classes)} class{'' if len(classes) == 1 else 'es'}: give at least 2")
    if len(classes) > MAX_CLASSES:
        raise InputError(f"{path}: y holds {len(classes)} classes: give at most {MAX_CLASSES}")
    return tuple(map(int, classes)), indices.astype(np.int64)


def _sets(labels: NDArray[np.generic], path: Path) -> tuple[tuple[int, ...], Indices]:
    """All sets of as many labels as the largest number has bits, and each row's number."""
    classes, _ = _numbered(labels, path)
    for number in (classes[0], classes[-1]):
        if not 0 <= number < MAX_CLASSES:
            raise InputError(
                f"{path}: y holds {number}, which is no set of labels: give numbers from 0 to {MAX_CLASSES - 1}"
            )
    numbers = labels.astype(np.int64)
    return _all_sets(numbers), numbers


def _all_sets(numbers: Indices) -> tuple[int, ...]:
    return tuple(range(1 << _bits(numbers)))


def _bits(numbers: Indices) -> int:
    return int(numbers.max()).bit_length()


def _check_finite(features: Floats, path: Path) -> None:
    for row, values in enumerate(features):
        if not np.isfinite(values).all():
            column = int(np.flatnonzero(~np.isfinite(values))[0])
            raise InputError(
                f"{path}: x[{row}, {column}] = {values[column]}: remove or replace values that are not finite"
            )


def _divisors(features: Floats, scaling: Scaling, *, of_bytes: bool) -> Floats:
    """What to divide by: d numbers, or one for all; 1 where everything is 0.

    No number exceeds its divisor, so a quotient never leaves [-1, 1], not even of the largest or subnormal floats.
    """
    if of_bytes and scaling is Scaling.AUTO:
        return np.array(255.0)
    axis = None if scaling is Scaling.WHOLE else 0
    largest = np.maximum(features.max(axis=axis), -features.min(axis=axis))
    return np.where(largest == 0, 1.0, largest)
