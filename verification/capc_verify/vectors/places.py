"""Where the vectors and their schemas lie, and how they are read; needs nothing of what they test."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.vectors.values import Json

VECTORS, SCHEMAS = "vectors", "schemas"
"""The two folders under ``capc_spec``."""


def spec_folder() -> Path:
    """The installed folder of ``capc_spec``."""
    return Path(str(resources.files("capc_spec")))


def vector_path(folder: Path, stem: str) -> Path:
    """Where a vector file lies."""
    return folder / VECTORS / f"{stem}.json"


def schema_path(folder: Path, stem: str) -> Path:
    """Where its schema lies."""
    return folder / SCHEMAS / f"{stem}.schema.json"


def read_document(path: Path) -> Json:
    """A file of vectors, or a schema.

    Raises:
        InputError: it is not there, or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; run `capc-vectors generate`") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON ({error}); run `capc-vectors generate`") from None
