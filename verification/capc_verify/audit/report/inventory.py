"""Hashes of the text, the code and the evidence: every file of which a report speaks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

GROUPS: dict[str, tuple[str, ...]] = {
    "text": ("spec", "docs", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    "code": ("reference", "mpc_programs", "verification/capc_verify", "pyproject.toml", "Makefile", ".importlinter"),
    "evidence": ("tests", "verification/evidence", "benchmarks", "ports"),
}
"""The folders and files of each group, relative to the root."""

_LEFT_OUT = {"__pycache__", "node_modules", "target"}


def inventory(root: Path) -> dict[str, dict[str, str]]:
    """The SHA-256 of every file, by group and name."""
    return {
        group: {name: _hash(root / name) for place in places for name in _files(root, place)}
        for group, places in GROUPS.items()
    }


def digest(hashes: Mapping[str, Mapping[str, str]]) -> str:
    """One digest of all of them: that of the lines `hash  name` in the order of names, as sha256sum writes them."""
    lines = sorted((name, value) for group in hashes.values() for name, value in group.items())
    return hashlib.sha256("".join(f"{value}  {name}\n" for name, value in lines).encode()).hexdigest()


def _files(root: Path, place: str) -> list[str]:
    path = root / place
    if path.is_file():
        return [place]
    found = (file.relative_to(root) for file in path.rglob("*") if file.is_file())
    kept = (file for file in found if not any(part in _LEFT_OUT or part[0] == "." for part in file.parts))
    return sorted(
        file.as_posix() for file in kept if file.suffix not in {".pyc", ".pyo"} and ".egg-info" not in str(file)
    )


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
