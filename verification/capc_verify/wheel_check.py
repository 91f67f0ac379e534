"""``python -m capc_verify.wheel_check``: does the wheel hold exactly the files of the tree?

A build tool may leave out what an ignore file matches, or take in what version control does not know. Either way
a user would run something else than what was read and tested.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from capc.foundation.errors import InputError

SOURCE_ROOTS = {"capc_spec": "spec", "capc": "reference", "capc_mpc": "mpc_programs", "capc_verify": "verification"}
"""For each package of the wheel the folder that holds it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        0 if the file lists agree, 1 with one line per difference, 2 if the wheel cannot be built.
    """
    parser = argparse.ArgumentParser(prog="wheel_check", description="Compares the wheel's files with the tree.")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: here)")
    root: Path = parser.parse_args(argv).root.resolve()
    try:
        in_tree = tracked_files(root)
        in_wheel = wheel_files(root)
    except InputError as error:
        print(f"wheel_check: {error}", file=sys.stderr)
        return 2
    differences = compare(in_tree, in_wheel)
    print("\n".join(differences) or f"wheel: the same {len(in_tree)} files as the tree")
    return 1 if differences else 0


def compare(in_tree: frozenset[str], in_wheel: frozenset[str]) -> list[str]:
    """One line per file that only one of them holds, sorted by path."""
    return [
        f"{path}: in the tree, not in the wheel (does an ignore file match it?)"
        if path in in_tree
        else f"{path}: in the wheel, not tracked by git (add it, or remove it)"
        for path in sorted(in_tree ^ in_wheel)
    ]


def tracked_files(root: Path) -> frozenset[str]:
    """The files of the three packages that git tracks, by their path inside the wheel.

    Raises:
        InputError: git cannot list them.
    """
    folders = {f"{folder}/{package}/": f"{package}/" for package, folder in SOURCE_ROOTS.items()}
    listing = _run(["git", "ls-files", "-z", "--", *folders], root).decode().split("\0")
    return frozenset(
        inside + path.removeprefix(folder)
        for folder, inside in folders.items()
        for path in listing
        if path.startswith(folder)
    )


def wheel_files(root: Path) -> frozenset[str]:
    """Builds the wheel in a temporary folder and lists it, without its metadata.

    Raises:
        InputError: the build fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], root)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
    return frozenset(name for name in names if ".dist-info/" not in name)


def _run(command: list[str], root: Path) -> bytes:
    try:
        return subprocess.run(command, cwd=root, check=True, capture_output=True).stdout  # noqa: S603
    except FileNotFoundError as error:
        raise InputError(f"`{command[0]}` is not installed; the check needs it") from error
    except subprocess.CalledProcessError as error:
        last_line = (error.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise InputError(f"`{' '.join(command)}` failed in {root}: {last_line}") from error


if __name__ == "__main__":
    sys.exit(main())
