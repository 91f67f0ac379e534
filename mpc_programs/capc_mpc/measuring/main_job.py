"""The main job on record: one small run under the embedded engine, and the same under programs of the real machine.

One file per engine holds the report of :mod:`capc.job` as `capc run` writes it, and which text of the programs ran
(:mod:`capc_mpc.measuring.program_text`). A report of other programs, or with other options than `capc run` has, is no
evidence of what is here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from capc.job.config import OPTIONS, resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.report import document
from capc.job.state import Stage
from capc_mpc.measuring.evidence import folder
from capc_mpc.measuring.program_text import program_digest

NAME = "main_job"
"""As `capc mpc record --programs` names it, and the folder of its files."""
ENGINES = {
    "embedded": {"engine": "embedded"},
    "semi2k": {"engine": "mp-spdz:semi2k"},
    "yao": {"engine": "mp-spdz:yao"},
    "replicated-ring": {"engine": "mp-spdz:replicated-ring", "declare_model": "honest_majority"},
}
"""What `capc run` is told of the engine, by the name of the file."""
SETTING = {"parties": "3", "queries": "10", "batch": "5", "parameters": "test", "epsilon": "1000", "seed": "0"}
"""What it is told besides."""
_PROGRAMS = ("argmax", "label_release")


class _Unwatched:
    """An observer that shows nothing."""

    def started(self, stage: Stage, total: int) -> None:
        """Passes over the beginning of a stage."""

    def advanced(self, stage: Stage) -> None:
        """Passes over a step."""

    def changed(self) -> None:
        """Passes over a new report."""


def run_job(name: str) -> dict[str, Any]:
    """The report of the job under an engine.

    Args:
        name: of ``ENGINES``.

    Raises:
        InputError: MP-SPDZ or the protocol's program is missing, or failed.
    """
    job = Job(prepare(resolve({**SETTING, **ENGINES[name]})), _Unwatched())
    try:
        job.run()
        return document(job.state)
    finally:
        job.close()


def record(name: str) -> Path:
    """Runs the job under an engine and writes its file."""
    path = _file(name)
    text = {"report": run_job(name), "texts": _texts(name)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    return path


def load(name: str) -> dict[str, Any]:
    """The recorded report of an engine."""
    report: dict[str, Any] = _document(name)["report"]
    return report


def is_of_the_present() -> bool:
    """Whether every report is of the programs as they are now, and of exactly the options that `capc run` has."""
    return all(_file(name).is_file() and _is_of_the_present(_document(name), name) for name in ENGINES)


def _is_of_the_present(recorded: dict[str, Any], name: str) -> bool:
    texts: dict[str, str] = recorded["texts"]
    return texts == _texts(name) and set(recorded["report"]["config"]) == set(OPTIONS)


def _texts(name: str) -> dict[str, str]:
    return {} if name == "embedded" else {program: program_digest(program) for program in _PROGRAMS}


def _file(name: str) -> Path:
    return folder() / NAME / f"{name}.json"


def _document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_file(name).read_text(encoding="utf-8"))
    return found
