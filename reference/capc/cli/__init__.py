"""The command line ``capc``; needs the extra ``capc[run]``. Errors of the user are one line, and exit with 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from capc.errors import InputError
from capc.job.environment import missing_module

EXIT_OK = 0
EXIT_INPUT = 2
EXIT_INTERRUPTED = 130


def main() -> None:
    """The entry point of the installed command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: what follows ``capc`` on the command line.

    Returns:
        The exit code: 0, or 2 for a mistake of the user (one line on stderr), or 130 after Ctrl-C. Other errors are
        not caught: they are faults, and their traceback is wanted.
    """
    try:
        from capc.cli import app  # noqa: PLC0415  # typer may be missing

        return app.invoke(arguments)
    except InputError as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        line = missing_module(error.name or "")
        if line is None:
            raise
        return _refuse(line)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _refuse(line: str) -> int:
    sys.stderr.write(f"capc: {' '.join(line.split())}\n")
    return EXIT_INPUT
