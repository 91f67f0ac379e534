"""At which commit, and in which environment, evidence was run again."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any


def commit_here(root: Path) -> dict[str, Any]:
    """The commit, and which files differ from it; the commit is empty without version control."""
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=all").splitlines() if commit else []
    return {"id": commit, "uncommitted": sorted(line[3:] for line in changed)}


def environment_here() -> dict[str, Any]:
    """Interpreter, machine, and the versions of all packages."""
    packages = {entry.metadata["Name"]: entry.version for entry in distributions() if entry.metadata["Name"]}
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processors": os.cpu_count() or 0,
        "packages": dict(sorted(packages.items(), key=lambda entry: entry[0].lower())),
    }


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.rstrip()
