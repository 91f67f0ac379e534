"""What is measured of a variant: one row, with every run that is behind it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any

from capc_mpc.bench.variants import Variant
from capc_mpc.interface.protocols import Adversary, Model
from capc_mpc.modelled.prediction import Prediction
from capc_mpc.spdz.costs import Costs, Phase


@dataclass(frozen=True)
class Once:
    """One run. Times are in seconds; what an engine does not tell is None.

    Attributes:
        seconds: what the slowest party needed from the first input to the last output, preprocessing included.
        setup: the longest of a party before and after that: start, connecting, handshakes, end.
        online: of party 0, what depends on the inputs.
        offline: of party 0, what does not.
        sent: bytes that each party sent, as the engine counts them: without what TLS and TCP add.
        peak: the most resident memory of each party, in bytes.
    """

    seconds: float
    setup: float | None
    online: float | None
    offline: float | None
    sent: tuple[int, ...]
    peak: tuple[int | None, ...]


@dataclass(frozen=True)
class Link:
    """Over which emulated link a row was measured, and what that link did besides.

    Attributes:
        delay: seconds one way, as asked for.
        rate: bits a second that each party can send, as asked for; None for no limit.
        kind: `tun` or `netem`.
        tcp: what controlled congestion.
        first: whether parties came before whatever else the machine did.
        late: seconds by which packets came later than asked, on average.
        cpu: seconds of the link's own process, in all runs of the row.
    """

    delay: float
    rate: float | None
    kind: str
    tcp: str
    first: bool
    late: float
    cpu: float


@dataclass(frozen=True)
class Row:
    """What one variant cost over one network, or why it did not run.

    Attributes:
        variant: the point of the matrix.
        network: over which it ran; `loopback` is none.
        parties: of the run.
        model: what the protocol withstands; the embedded engine is two-party and of the base model.
        adversary: what corrupted parties may do.
        channels: of :class:`capc_mpc.interface.protocols.Channels`.
        equal: whether every party learnt what the reference says, and nothing else, each time; None if it did not run.
        compile: what compiling took, or the embedded engine's plan of the circuit; None where it is not known apart.
        keys: what keys and certificates of all parties take, the median of the runs.
        joint_keys: what keys took that the parties made together, in the warm-up; None where there are none, or where
            those of an earlier run served.
        warm_ups: runs before the first that counts.
        runs: those that count.
        costs: of the run with the median time, with its counts and rounds; None if it did not run.
        predicted: by the name of a link, what the model says of it: of all that were asked for in the row over
            loopback, and of its own in another row; nothing where no traffic was recorded.
        link: over which it ran; None over loopback.
        refused: why it did not run, else None.
    """

    variant: Variant
    network: str
    parties: int
    model: Model
    adversary: Adversary
    channels: str
    equal: bool | None = None
    compile: float | None = None
    keys: float | None = None
    joint_keys: float | None = None
    warm_ups: int = 0
    runs: tuple[Once, ...] = ()
    costs: Costs | None = None
    predicted: dict[str, Prediction] = field(default_factory=dict)
    link: Link | None = None
    refused: str | None = None

    @property
    def ran(self) -> bool:
        """Whether there is a measurement."""
        return self.costs is not None

    @property
    def seconds(self) -> float:
        """The median of the runs; of none it is an error."""
        return median(run.seconds for run in self.runs)

    @property
    def spread(self) -> float:
        """The distance of the quartiles of the runs, as a part of the median; 0 of fewer than two runs."""
        times = [run.seconds for run in self.runs]
        if len(times) < 2 or not self.seconds:
            return 0.0
        lower, _, upper = quantiles(times, n=4, method="inclusive")
        return (upper - lower) / self.seconds

    @property
    def off(self) -> float | None:
        """By which part of the measurement the model misses it; None where it says nothing."""
        said = self.predicted.get(self.network)
        return None if said is None or not self.ran else said.seconds / self.seconds - 1

    def median_of(self, part: str) -> float | None:
        """The median of `setup`, `online` or `offline`; None if a run does not tell it."""
        told = [getattr(run, part) for run in self.runs]
        return None if not told or None in told else median(told)

    def sent(self) -> tuple[int, ...]:
        """Bytes that each party sent, of the run with the median time."""
        return () if self.costs is None else self.costs.sent

    def received(self) -> tuple[int, ...] | None:
        """Bytes that each party got; None of more than two parties, which do not tell to whom they send."""
        return self.sent()[::-1] if len(self.sent()) == 2 else None

    def peak(self) -> int | None:
        """The most resident memory of any party in any run."""
        seen = [peak for run in self.runs for peak in run.peak if peak is not None]
        return max(seen, default=None)


def to_json(row: Row) -> dict[str, Any]:
    """A row as the report has it: with the figures that follow from its runs."""
    entry = {**asdict(row), "runs": [asdict(run) for run in row.runs]}
    derived = {"median": row.seconds, "spread": row.spread, "received": row.received()} if row.ran else None
    return {**entry, "derived": derived}


def from_json(entry: dict[str, Any]) -> Row:
    """The row that :func:`to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    fields = {name: value for name, value in entry.items() if name != "derived"}
    return Row(
        **{
            **fields,
            "variant": Variant(**entry["variant"]),
            "model": Model(entry["model"]),
            "adversary": Adversary(entry["adversary"]),
            "runs": tuple(_once(run) for run in entry["runs"]),
            "costs": None if entry["costs"] is None else _costs(entry["costs"]),
            "predicted": {name: Prediction(**each) for name, each in entry["predicted"].items()},
            "link": None if entry["link"] is None else Link(**entry["link"]),
        }
    )


def _once(entry: dict[str, Any]) -> Once:
    return Once(**{**entry, "sent": tuple(entry["sent"]), "peak": tuple(entry["peak"])})


def _costs(entry: dict[str, Any]) -> Costs:
    phases = {name: None if entry[name] is None else Phase(**entry[name]) for name in ("online", "offline")}
    lists = {name: tuple(entry[name]) for name in ("sent", "party_seconds")}
    return Costs(**{**entry, **phases, **lists})
