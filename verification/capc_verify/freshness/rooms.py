"""The rooms of tests that have a nightly size."""

from __future__ import annotations

from pathlib import Path

_SIZES = "from support.sizes import"


def rooms(root: Path) -> dict[str, list[Path]]:
    """For each folder of ``tests`` that has tests with nightly sizes, their files, relative to the root."""
    found: dict[str, list[Path]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        if _SIZES in path.read_text(encoding="utf-8"):
            room = ".".join(path.relative_to(root / "tests").parts[:-1])
            found.setdefault(room, []).append(path.relative_to(root))
    return found
