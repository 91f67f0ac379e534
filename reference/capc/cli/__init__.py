"""The command line ``capc``; needs the extra ``capc[run]``. Errors of the user are one line, and exit with 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from capc.foundation.environment import missing_module
from capc.foundation.errors import InputError

EXIT_OK = 0
EXIT_INPUT = 2
EXIT_INTERRUPTED = 130

_INTERRUPTED = (
    "interrupted before anything was done: no report was written, and a report that is there is of an earlier run"
)


class EarlyInterruptError(Exception):
    """Ctrl-C before a command had done anything; the option parser would swallow a KeyboardInterrupt."""


def main() -> None:
    """The entry point of the installed command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: what follows ``capc`` on the command line.

    Returns:
        The exit code: 0, or 2 for a mistake of the user, or 130 after Ctrl-C, each with one line on stderr unless
        the command has reported the interruption itself. Other errors are not caught: they are faults, and their
        traceback is wanted.
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
    except (EarlyInterruptError, KeyboardInterrupt):
        _say(_INTERRUPTED)
        return EXIT_INTERRUPTED


def _refuse(line: str) -> int:
    _say(line)
    return EXIT_INPUT


def _say(line: str) -> None:
    sys.stderr.write(f"capc: {' '.join(line.split())}\n")
