"""The rows of one variant over emulated links, each beside what the model says of it from recorded traffic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from capc.foundation.errors import InputError
from capc_mpc.bench import traffic
from capc_mpc.bench.links import told
from capc_mpc.bench.measure import Setting, blank, measure, run_once, task_of
from capc_mpc.bench.rows import Link, Row
from capc_mpc.bench.traffic import Traffic
from capc_mpc.bench.variants import Variant
from capc_mpc.emulated.network import EmulatedNetwork, LinkError, LinkSpec
from capc_mpc.emulated.stamped import moments_in
from capc_mpc.interface.errors import MpcError
from capc_mpc.modelled.prediction import marks_of
from capc_mpc.modelled.recording import Mark
from capc_mpc.spdz.namespaces import Namespaces
from capc_mpc.spdz.site import Loopback
from capc_mpc.two_processes.placed import measure_at
from capc_mpc.two_processes.ways import WAYS

_REPEATS = 3
"""Batches of the embedded engine in one recording."""


@dataclass(frozen=True)
class OverNetworks:
    """All rows of a variant: over loopback, and over links.

    Attributes:
        first: as of :class:`EmulatedNetwork`, over loopback too.
        say: a line for people.
        keep: takes what was recorded.
    """

    first: bool
    say: Callable[[str], None]
    keep: Callable[[Variant, Traffic], None]

    def __call__(self, variant: Variant, setting: Setting) -> list[Row]:
        """Measures and models it; what cannot be says why."""
        row = measure(variant, setting, Loopback(self.first))
        if not row.ran:
            return [row]
        recorded = self._recorded(variant, setting)
        if recorded is not None:
            self.keep(variant, recorded)
            row = replace(row, predicted={name: recorded.over(spec) for name, spec in setting.networks.items()})
        return [row, *(self._over(variant, setting, name, spec, recorded) for name, spec in setting.links.items())]

    def _recorded(self, variant: Variant, setting: Setting) -> Traffic | None:
        """What the model needs, None of what runs in several threads or could not be recorded."""
        if (variant.threads or 1) > 1:
            self.say("  several threads: not modelled")
            return None
        parties = blank(variant).parties
        try:
            return traffic.record(parties, lambda site: marks(variant, setting, site), first=self.first)
        except (InputError, MpcError, LinkError) as error:
            self.say(f"  not modelled: {error}")
            return None

    def _over(self, variant: Variant, setting: Setting, name: str, spec: LinkSpec, recorded: Traffic | None) -> Row:
        predicted = {} if recorded is None else {name: recorded.over(spec)}
        said = "" if recorded is None else f", predicted {predicted[name].seconds:.3g} s"
        self.say(f"  over {name} ({told(spec)}){said}")
        if recorded is not None and predicted[name].seconds > setting.long_seconds:
            # Without a warm-up, whose time would be that of a measurement.
            setting = replace(setting, repeats=1, warm_ups=0)
        parties = blank(variant).parties
        network = EmulatedNetwork(parties, spec, first=self.first)
        try:
            with network:
                row = measure(variant, setting, Namespaces(name, network))
            return replace(row, predicted=predicted, link=_link(network, spec, first=self.first))
        except (InputError, LinkError) as error:
            return replace(blank(variant), network=name, predicted=predicted, refused=str(error))


def _link(network: EmulatedNetwork, spec: LinkSpec, *, first: bool) -> Link | None:
    """What it did.

    Raises:
        LinkError: it lost packets, so that what was measured is of another link.
    """
    report = network.report
    if report is None:
        return None
    if report.dropped:
        raise LinkError(f"the emulated link lost {report.dropped} packets: its queue was full")
    return Link(spec.delay, spec.rate, report.kind, report.tcp, first, report.late_mean, report.cpu_seconds)


def marks(variant: Variant, setting: Setting, site: Namespaces) -> list[Mark]:
    """Runs a variant at a place that keeps stamps, and marks what it timed.

    Raises:
        InputError, MpcError: it does not run.
    """
    if variant.protocol in WAYS:
        done = measure_at(site, task_of(variant, 1, _REPEATS), (1 + _REPEATS) * setting.limits.seconds)
        return marks_of(1, zip(done.began, done.ended, strict=True))
    seconds = run_once(variant, setting, site)
    found = []
    for party, took in enumerate(seconds):
        ends = moments_in(site.stamps / str(party)) if site.stamps else []
        # A party that computes only may tell no time.
        if ends:
            found += marks_of(party, [(ends[-1] - took, ends[-1])])
    return found


def model_only(folder: Path, rows: list[Row], networks: Mapping[str, LinkSpec]) -> list[Row]:
    """Rows over loopback with what the model says of other links, from the traffic beside a report.

    Raises:
        InputError: what is there cannot be read.
    """
    found = []
    for row in rows:
        if row.link is None and row.ran:
            there = traffic.load(folder, row.variant)
            said = {} if there is None else {name: there.over(spec) for name, spec in networks.items()}
            found.append(replace(row, predicted=said))
    return found
