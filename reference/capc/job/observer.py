"""How the job tells what it is doing; whoever runs it decides what to show."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Stage(StrEnum):
    """What a run does, in this order."""

    TRAINING = "training local models"
    SETUP = "setting up the session"
    QUERIES = "labelling queries"
    RETRAINING = "retraining"


class Display(Protocol):
    """Shows stages."""

    def started(self, stage: Stage, total: int) -> None:
        """A stage of ``total`` steps begins."""

    def advanced(self, stage: Stage) -> None:
        """One step of the stage is done."""


class JobObserver(Display, Protocol):
    """Told of every step forward. It must not raise."""

    def changed(self) -> None:
        """The job's report has changed."""
