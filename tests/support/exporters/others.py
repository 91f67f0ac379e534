"""Files of exporters that need an environment of their own: scikit-learn's and TensorFlow's libraries are not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from support.exporters.files import Made

REQUIREMENTS = ("tensorflow-cpu==2.21.0", "tf2onnx==1.17.0", "skl2onnx==1.20.0")
SCRIPTS = ("from_sklearn", "from_keras")
_SECONDS = 1800


class NotInstallableError(Exception):
    """Why the exporters cannot be had here."""


def interpreter(folder: Path) -> Path:
    """The interpreter of an environment that has the exporters.

    Args:
        folder: where one is made, unless ``CAPC_EXPORTERS`` names an interpreter.

    Raises:
        NotInstallableError: pip does not install them, for this Python or on this machine.
    """
    given = os.environ.get("CAPC_EXPORTERS")
    if given:
        return Path(given)
    python = folder / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS],
    ):
        done = _run(command)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason was given"]
            raise NotInstallableError(f"{' '.join(command[1:4])} fails: {lines[-1][:200]}")
    return python


def files_of(script: str, python: Path, folder: Path) -> tuple[dict[str, str], list[Made]]:
    """The versions of the libraries, and the files that one script makes.

    Args:
        script: of ``SCRIPTS``.
        python: of the exporters' environment.
        folder: where the files go.
    """
    folder.mkdir()
    command = [str(python), str(Path(__file__).parent / f"{script}.py"), str(folder)]
    done = _run(command, os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 0, done.stderr[-2000:]
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest["versions"], [_made(folder, entry) for entry in manifest["files"]]


def _made(folder: Path, entry: dict[str, str]) -> Made:
    arrays = np.load(folder / f"{entry['name']}.npz")
    is_last = bool(entry.get("are_channels_last"))
    rows = np.moveaxis(arrays["rows"], 3, 1) if is_last else arrays["rows"]
    path = folder / f"{entry['name']}.onnx"
    return Made(path, entry["how"], rows, arrays["said"], entry["refused"], are_channels_last=is_last)


def _run(command: list[str], variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, env=variables, timeout=_SECONDS)
