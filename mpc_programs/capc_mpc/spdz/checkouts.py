"""Which commit a checkout is at, read from its files: no git is needed."""

from __future__ import annotations

from pathlib import Path


def commit_of(folder: Path) -> str | None:
    """The commit at the head of a checkout, or of a worktree of one; None where there is none to be read."""
    try:
        return _head(_git_folder(folder / ".git"))
    except (OSError, ValueError, IndexError):
        return None


def _git_folder(place: Path) -> Path:
    """A worktree has a file in the place of the folder, which names it."""
    if place.is_dir():
        return place
    return (place.parent / _line(place).removeprefix("gitdir: ")).resolve()


def _head(git: Path) -> str | None:
    named = _line(git / "HEAD")
    if not named.startswith("ref: "):
        return named
    shared = (git / _line(git / "commondir")).resolve() if (git / "commondir").is_file() else git
    reference = named.removeprefix("ref: ")
    if (shared / reference).is_file():
        return _line(shared / reference)
    packed = (shared / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {reference}")), None)


def _line(file: Path) -> str:
    return file.read_text(encoding="utf-8").splitlines()[0].strip()
