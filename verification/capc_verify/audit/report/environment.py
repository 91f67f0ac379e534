"""At which commit, and in which environment, evidence was run again."""

from __future__ import annotations

import os
import platform
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from capc.foundation.errors import InputError
from capc_verify.freshness.checkout import git


def commit_here(root: Path) -> dict[str, Any]:
    """The commit, and which files differ from it; the commit is empty without version control."""
    try:
        commit = git(root, "rev-parse", "HEAD")
    except InputError:
        return {"id": "", "uncommitted": []}
    changed = git(root, "status", "--porcelain", "--untracked-files=all").splitlines()
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
