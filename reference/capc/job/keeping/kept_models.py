"""Trained networks that a party keeps, to use them again for the same training (CAPC-RUN-027)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.learning.archive import Archive, open_archive
from capc.learning.data import Floats
from capc.learning.training import FloatModel
from capc.privacy.storage.disk import replace_bytes

KEY_BYTES = 32
_MOST_LAYERS = 1 << 10


class KeptModels:
    """A folder with a file for each network, readable by its owner only, since weights are secret.

    Args:
        folder: made when the first network is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    __repr__ = type_only

    def load(self, key: bytes) -> FloatModel | None:
        """The network of that training; None where none was kept.

        Args:
            key: 32 bytes, SHA-256 of all that decides the training.

        Raises:
            InputError: the file is damaged, or was kept for another training.

        Spec: CAPC-RUN-027.
        """
        file = self._file(key)
        with self._placing(file):
            # A link to nothing is something that is in the place.
            if not file.exists() and not file.is_symlink():
                return None
        try:
            with open_archive(file) as archive:
                return _read(archive, key, file)
        except InputError as error:
            raise InputError(f"{str(error).split(': ', 1)[0]}: {_said(error)}") from None

    def save(self, key: bytes, model: FloatModel) -> None:
        """Keeps a network; at every moment the whole file is there or none.

        Args:
            key: as of ``load``.
            model: what the training gave.

        Raises:
            InputError: the disk refused.
        """
        file, content = self._file(key), io.BytesIO()
        arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
            "key": np.frombuffer(key, np.uint8),
            "layers": np.array([len(model.weights)], np.int64),
        }
        for number, (weights, biases) in enumerate(zip(model.weights, model.biases, strict=True)):
            arrays |= {f"weights{number}": weights, f"biases{number}": biases}
        np.savez(content, allow_pickle=False, **arrays)
        with self._placing(file):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_bytes(file, content.getvalue())

    def _file(self, key: bytes) -> Path:
        if len(key) != KEY_BYTES:
            raise InputError(f"a key of {len(key)} bytes: give the {KEY_BYTES} of a SHA-256")
        return self._folder / f"{key.hex()}.npz"

    @contextmanager
    def _placing(self, file: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{file}: a kept model cannot be used here ({error.strerror}): name a folder of your own"
            ) from None


_REMEDY = "remove this file to train again, or name another folder"


def _said(error: InputError) -> str:
    """What was wrong, without a remedy that is meant for data sets."""
    return str(error).split(": ", 1)[1].split(": ", 1)[0] + f": no kept model of this training: {_REMEDY}"


def _read(archive: Archive, key: bytes, file: Path) -> FloatModel:
    """The network in a file.

    Raises:
        InputError: it is of another training, or no network.
    """
    if _array(archive, "key", np.uint8, 1).tobytes() != key:
        raise InputError(f"{file}: it is of another training")
    (layers,) = [*_array(archive, "layers", np.int64, 1), 0][:1]
    if not 1 <= layers <= _MOST_LAYERS:
        raise InputError(f"{file}: {layers} layers")
    weights = tuple(_array(archive, f"weights{number}", np.float64, 2) for number in range(layers))
    biases = tuple(_array(archive, f"biases{number}", np.float64, 1) for number in range(layers))
    shapes = [(*weight.shape, *bias.shape) for weight, bias in zip(weights, biases, strict=True)]
    fitting = all(before[0] == after[1] for before, after in pairwise(shapes))
    if not fitting or any(rows != units for rows, _, units in shapes):
        raise InputError(f"{file}: its layers do not fit each other")
    if not all(np.isfinite(array).all() for array in (*weights, *biases)):
        raise InputError(f"{file}: a weight is not finite")
    return FloatModel(weights, biases)


def _array(archive: Archive, name: str, kind: type[np.generic], dimensions: int) -> Floats:
    header = archive.header(name)
    if header.dtype != np.dtype(kind) or len(header.shape) != dimensions:
        raise archive.unreadable(name)
    found = np.empty(header.shape, kind)
    archive.read(header, found)
    return found
