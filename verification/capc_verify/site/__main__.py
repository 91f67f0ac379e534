"""``python -m capc_verify.site``: builds the site and the PDF into `build`, and looks at what came of it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.site.atlas import Atlas
from capc_verify.site.book import unavailable, write_book
from capc_verify.site.checks import browser, links, search
from capc_verify.site.staging import BOOK, stage

_MOST_LINES = 40


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        0 if everything that could be built and checked here is well, 1 if something is wrong with it, 2 if it could
        not be built.
    """
    parser = argparse.ArgumentParser(prog="site", description="Builds the site and the specification as a PDF.")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: here)")
    parser.add_argument("--to", type=Path, default=Path("build"), help="the folder (default: build)")
    parser.add_argument("--only", choices=("book", "site", "check"), help="one part, with what there is of the others")
    options = parser.parse_args(argv)
    root, folder = options.root.resolve(), options.to.resolve()
    try:
        if options.only in {None, "book"}:
            _build_book(Atlas(root), folder / BOOK)
        if options.only in {None, "site"}:
            _build_site(Atlas(root), folder)
        return 0 if options.only in {"book", "site"} else _check(folder / "site", Atlas(root))
    except InputError as error:
        print(f"site: {error}", file=sys.stderr)
        return 2


def _build_book(atlas: Atlas, path: Path) -> None:
    missing = unavailable()
    if missing:
        path.unlink(missing_ok=True)
        print(f"PDF: SKIPPED: {missing}", file=sys.stderr)
        return
    print(f"PDF: {path}, {write_book(atlas, path)} pages")


def _build_site(atlas: Atlas, folder: Path) -> None:
    book, source = folder / BOOK, folder / "site-source"
    stage(atlas, source, book if book.is_file() else None)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    try:
        subprocess.run(command, cwd=source, check=True)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise InputError(f"Zensical did not build {source}: see above") from error
    shutil.rmtree(folder / "site", ignore_errors=True)
    shutil.move(source / "site", folder / "site")
    search.shorten(folder / "site")
    print(f"site: {folder / 'site' / 'index.html'}")


def _check(site: Path, atlas: Atlas) -> int:
    found = links.findings(site) + search.findings(site, atlas.specification.statements)
    pages = sum(1 for _ in site.rglob("*.html"))
    print(f"links and search: {pages} pages, {len(found)} findings")
    program = browser.chromium()
    if program is None:
        print(f"browser: SKIPPED: {browser.MISSING}", file=sys.stderr)
    else:
        seen = browser.findings(site, program)
        print(f"browser: {len(seen)} findings, at widths of {' and '.join(map(str, browser.WIDTHS))}")
        found += seen
    print("\n".join(found[:_MOST_LINES]))
    if len(found) > _MOST_LINES:
        print(f"and {len(found) - _MOST_LINES} more")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
