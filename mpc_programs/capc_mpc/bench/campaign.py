"""Measuring a plan row by row: told beforehand, kept after every row, and ended whole whatever ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from capc_mpc.bench import forecast
from capc_mpc.bench.document import Status
from capc_mpc.bench.measure import Setting, measure
from capc_mpc.bench.plan import Plan
from capc_mpc.bench.rows import Row
from capc_mpc.bench.variants import Variant

Measure = Callable[[Variant, Setting], Sequence[Row]]
"""All rows of one variant: over loopback, and over other networks if they were asked for."""
Keep = Callable[[Sequence[Row], Status], None]
"""Writes the report as it is."""


def over_loopback(variant: Variant, setting: Setting) -> list[Row]:
    """The one row of a variant over loopback."""
    return [measure(variant, setting)]


@dataclass
class Campaign:
    """One report in the making.

    Attributes:
        plan: what is to be measured.
        setting: how often, within which limits.
        minutes: how long it may take; what has not begun by then is not begun.
        keep: writes the report.
        say: a line for people.
        measure: the rows of one variant.
        rows: what there is, also from an earlier call.
    """

    plan: Plan
    setting: Setting
    minutes: float
    keep: Keep
    say: Callable[[str], None]
    measure: Measure = over_loopback
    rows: list[Row] = field(default_factory=list)

    def left(self) -> list[Variant]:
        """What has no row."""
        there = {row.variant for row in self.rows}
        return [variant for variant in self.plan.variants if variant not in there]

    def run(self) -> Status:
        """Measures what has no row, and tells how that ended. Ctrl-C ends it too, and the rows so far are kept."""
        end = time.monotonic() + 60 * self.minutes
        todo = self.left()
        self.keep(self.rows, Status.RUNNING)
        try:
            for number, variant in enumerate(todo, 1):
                if time.monotonic() > end:
                    return self._ended(Status.OUT_OF_TIME)
                rest = forecast.total(todo[number - 1 :], self.setting, forecast.factor_of(self.rows))
                self.say(f"{number}/{len(todo)} {variant.told()}, {forecast.told(rest)} left")
                self.rows += self.measure(variant, self.setting)
                self.keep(self.rows, Status.RUNNING)
        except KeyboardInterrupt:
            return self._ended(Status.INTERRUPTED)
        return self._ended(Status.COMPLETE)

    def _ended(self, status: Status) -> Status:
        self.keep(self.rows, status)
        return status

    def missing(self) -> list[str]:
        """What was asked for and has no measurement, each with the reason."""
        failed = [f"{row.variant.told()} over {row.network}: {row.refused}" for row in self.rows if not row.ran]
        return failed + [f"{variant.told()}: not begun" for variant in self.left()]
