"""The commit of a checkout, read from its files as git itself tells it."""

import subprocess
from pathlib import Path

import pytest

from capc_mpc.spdz.checkouts import commit_of

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]


def git(folder: Path, *words: str) -> str:
    return subprocess.run([*GIT, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


@pytest.mark.parametrize("state", ["loose", "packed", "detached", "worktree"])
def test_the_commit_is_that_of_git(state: str, checkout: Path, tmp_path: Path) -> None:
    place = checkout
    if state == "packed":
        git(checkout, "pack-refs", "--all")
    elif state == "detached":
        git(checkout, "checkout", "-q", "--detach")
    elif state == "worktree":
        place = tmp_path / "other"
        git(checkout, "worktree", "add", "-q", "-b", "other", str(place))
        git(place, "commit", "-q", "--allow-empty", "-m", "second")
    assert commit_of(place) == git(place, "rev-parse", "HEAD")


def test_what_is_no_checkout_has_no_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert commit_of(tmp_path) is None
    (tmp_path / ".git" / "HEAD").write_text("")
    assert commit_of(tmp_path) is None
