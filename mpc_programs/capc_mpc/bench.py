"""The matrix of variants: programs, protocols, classes, batch and parties, measured in one run and kept as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from capc.errors import InputError
from capc.randomness import XofSource, fresh_seed
from capc_mpc import embedded, steps
from capc_mpc.costs import Costs
from capc_mpc.encoding import complete
from capc_mpc.errors import MpcError
from capc_mpc.expected import expected
from capc_mpc.machine import Machine
from capc_mpc.network import LAN, WAN, Network, estimate
from capc_mpc.protocols import Domain, protocol_named
from capc_mpc.running import Limits, run
from capc_mpc.sampling import sample_cases
from capc_mpc.steps import Step

LOGIT_BITS, VOTE_BITS, GRID_BITS = 37, 16, 4
"""The widths of the default parameter set."""
_VARIANCE = Fraction(400)


@dataclass(frozen=True)
class Variant:
    """One point of the matrix.

    Attributes:
        program: a name of ``PROGRAMS``.
        protocol: of the table, or `embedded`.
        classes: C.
        batch: cases.
        answering: K, for `guardian_free`.
    """

    program: str
    protocol: str
    classes: int
    batch: int
    answering: int

    def step(self) -> Step:
        """The program with its arguments."""
        return PROGRAMS[self.program](self)


PROGRAMS: dict[str, Callable[[Variant], Step]] = {
    "argmax": lambda v: steps.argmax(v.classes, LOGIT_BITS, VOTE_BITS, v.batch),
    "label_release": lambda v: steps.label_release(v.classes, VOTE_BITS, v.batch, "plain"),
    "label_release_worst_case": lambda v: steps.label_release(v.classes, VOTE_BITS, v.batch, "worst_case"),
    "label_release_realised": lambda v: steps.label_release(v.classes, VOTE_BITS, v.batch, "realised"),
    "discrete_gaussian": lambda v: steps.discrete_gaussian(_VARIANCE, VOTE_BITS, v.batch, 2),
    "guardian_free": lambda v: steps.guardian_free(v.answering, v.classes, VOTE_BITS, GRID_BITS, _VARIANCE, v.batch),
}


@dataclass(frozen=True)
class Row:
    """What one variant cost, or why it did not run.

    Attributes:
        variant: the point of the matrix.
        parties: of the run.
        model: what the protocol withstands; the embedded engine is two-party and of the base model.
        equal: whether every party learnt what the reference says, and nothing else.
        costs: None if it did not run.
        network_seconds: by the network's name, by the cost model.
        refused: why it did not run, else None.
    """

    variant: Variant
    parties: int
    model: str
    equal: bool | None
    costs: Costs | None
    network_seconds: dict[str, float]
    refused: str | None = None


def matrix(
    programs: Sequence[str], protocols: Sequence[str], classes: Sequence[int], batches: Sequence[int], answering: int
) -> Iterator[Variant]:
    """All variants, the embedded engine first in each group.

    Raises:
        InputError: an unknown program or protocol.
    """
    for program in programs:
        if program not in PROGRAMS:
            raise InputError(f"program {program!r} is unknown: choose among {', '.join(PROGRAMS)}")
        for count in classes:
            for batch in batches:
                for protocol in (embedded.NAME, *protocols):
                    yield Variant(program, protocol, count, batch, answering)


def measure(variant: Variant, machine: Machine, limits: Limits, networks: dict[str, Network] | None = None) -> Row:
    """Runs one variant on sampled inputs; what cannot run says why."""
    step = variant.step()
    cases = sample_cases(step, XofSource(fresh_seed(), b"capc_mpc/bench"))
    named = networks or {"lan": LAN, "wan": WAN}
    if variant.protocol == embedded.NAME:
        circuit = embedded.circuit_of(step)
        if circuit is None:
            return Row(variant, 2, "base", None, None, {}, "the embedded engine has no circuit for it")
        sources = {party: XofSource(fresh_seed(), b"capc_mpc/bench") for party in range(step.parties)}
        full = complete(step, Domain.FIELD, cases, sources)
        costs = embedded.run_embedded(step, circuit, full)
        return Row(variant, 2, "base", None, costs, {name: estimate(costs, 2, net) for name, net in named.items()})
    row = protocol_named(variant.protocol)
    try:
        parties = row.parties_for(step.parties)
        done = run(step, cases, variant.protocol, model=row.model, limits=limits, machine=machine)
    except (InputError, MpcError) as error:
        return Row(variant, step.parties, row.model, None, None, {}, str(error))
    wanted = expected(step, done.cases)
    equal = done.learnt[: step.parties] == wanted and not any(done.learnt[step.parties :])
    seconds = {name: estimate(done.costs, parties, net) for name, net in named.items()}
    return Row(variant, parties, row.model, equal, done.costs, seconds)


def document(rows: Sequence[Row], machine: Machine) -> dict[str, Any]:
    """The rows as JSON."""
    return {"schema": "capc_mpc_bench/v1", "mp_spdz": machine.version, "rows": [asdict(row) for row in rows]}


def plot(rows: Sequence[Row], folder: Path) -> list[Path]:
    """One figure per program: time, bytes and rounds per case of each protocol, for the largest batch.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  # an extra
    except ModuleNotFoundError:
        raise InputError("plots need matplotlib: pip install -e '.[plots]' in the checkout") from None
    files = []
    for program in sorted({row.variant.program for row in rows}):
        measured = [(row.variant, row.costs) for row in rows if row.variant.program == program and row.costs]
        largest = max((variant.batch for variant, _ in measured), default=0)
        shown = [(variant, costs) for variant, costs in measured if variant.batch == largest]
        figure = Figure(figsize=(12, 4), layout="constrained")
        values = {
            "ms per case": [1000 * costs.seconds / variant.batch for variant, costs in shown],
            "bytes per case": [costs.bytes_sent / variant.batch for variant, costs in shown],
            "rounds": [costs.rounds for _, costs in shown],
        }
        for axes, (title, heights) in zip(figure.subplots(1, 3), values.items(), strict=True):
            axes.bar([f"{variant.protocol} C={variant.classes}" for variant, _ in shown], heights)
            axes.set_yscale("log")
            axes.set_title(f"{program}, batch {largest}: {title}")
            axes.tick_params(axis="x", rotation=90)
        files.append(folder / f"{program}.png")
        figure.savefig(files[-1])
    return files
