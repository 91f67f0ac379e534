"""The matrix of variants: programs, protocols, classes, batch and parties, measured in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from capc.foundation.errors import InputError
from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import FullCase
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.expected import learnt_as_expected
from capc_mpc.interface.protocols import Adversary, Model, protocol_named
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.interface.steps import Step
from capc_mpc.measuring import embedded
from capc_mpc.measuring.network import Network, estimate
from capc_mpc.spdz.costs import Costs
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.running import Limits, run
from capc_spec.registry import TAGS

LOGIT_BITS, VOTE_BITS, GRID_BITS = 37, 16, 4
"""The widths of the default parameter set."""
_LONG_SECONDS = 20.0
"""A run that took longer is not repeated: what disturbs it is short beside it."""
_VARIANCE, _LARGE_VARIANCE = Fraction(20**2), Fraction(200**2)


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
    "label_release_single_draw": lambda v: steps.label_release(v.classes, VOTE_BITS, v.batch, "single_draw"),
    "label_release_worst_case": lambda v: steps.label_release(v.classes, VOTE_BITS, v.batch, "worst_case"),
    "label_release_realised": lambda v: steps.label_release(v.classes, VOTE_BITS, v.batch, "realised"),
    "discrete_gaussian": lambda v: steps.discrete_gaussian(_VARIANCE, VOTE_BITS, v.batch, 2),
    "discrete_gaussian_200": lambda v: steps.discrete_gaussian(_LARGE_VARIANCE, VOTE_BITS, v.batch, 2),
    "guardian_free": lambda v: steps.guardian_free(v.answering, v.classes, VOTE_BITS, GRID_BITS, _VARIANCE, v.batch),
}


@dataclass(frozen=True)
class Row:
    """What one variant cost, or why it did not run.

    Attributes:
        variant: the point of the matrix.
        parties: of the run.
        model: what the protocol withstands; the embedded engine is two-party and of the base model.
        adversary: what corrupted parties may do.
        equal: whether every party learnt what the reference says, and nothing else, each time.
        costs: of the run with the median time; None if it did not run.
        seconds: of every run.
        network_seconds: by the network's name, by the cost model.
        refused: why it did not run, else None.
    """

    variant: Variant
    parties: int
    model: Model
    adversary: Adversary
    equal: bool | None
    costs: Costs | None
    seconds: list[float]
    network_seconds: dict[str, float]
    refused: str | None = None


def matrix(
    programs: Sequence[str],
    protocols: Sequence[str],
    classes: Sequence[int],
    batches: Sequence[int],
    answering: Sequence[int],
) -> Iterator[Variant]:
    """All variants, the embedded engine first in each group. Numbers of answering parties are for `guardian_free`.

    Raises:
        InputError: an unknown program.
    """
    for program in programs:
        if program not in PROGRAMS:
            raise InputError(f"program {program!r} is unknown: choose among {', '.join(PROGRAMS)}")
        for count, batch in product(classes, batches):
            for parties in answering if program == "guardian_free" else answering[:1]:
                for protocol in (embedded.NAME, *protocols):
                    yield Variant(program, protocol, count, batch, parties)


def measure(
    variant: Variant, machine: Machine, limits: Limits, networks: Mapping[str, Network], repeats: int = 1
) -> Row:
    """Runs one variant on sampled inputs, several times if that is quick; what cannot run says why."""
    step = variant.step()
    cases = sample_cases(step, XofSource(fresh_seed(), TAGS["mpc-bench"]))
    parties, model, adversary = 2, Model.BASE, Adversary.SEMI_HONEST
    runs = []
    try:
        if variant.protocol != embedded.NAME:
            row = protocol_named(variant.protocol)
            model, adversary, parties = row.model, row.adversary, step.parties
            parties = row.parties_for(step.parties)
        for _ in range(repeats):
            runs.append(_run_once(step, cases, variant.protocol, machine, limits))
            if runs[-1][1].seconds > _LONG_SECONDS:
                break
    except (InputError, MpcError) as error:
        return Row(variant, parties, model, adversary, None, None, [], {}, str(error))
    costs = sorted((costs for _, costs in runs), key=lambda costs: costs.seconds)[len(runs) // 2]
    return Row(
        variant,
        parties,
        model,
        adversary,
        equal=all(equal for equal, _ in runs),
        costs=costs,
        seconds=[costs.seconds for _, costs in runs],
        network_seconds={name: estimate(costs, parties, network) for name, network in networks.items()},
    )


def _run_once(step: Step, cases: list[FullCase], protocol: str, machine: Machine, limits: Limits) -> tuple[bool, Costs]:
    """Whether every party learnt what it should and nothing else, and what that cost."""
    if protocol == embedded.NAME:
        return embedded.run_embedded(step, cases)
    done = run(step, cases, protocol, model=protocol_named(protocol).model, limits=limits, machine=machine)
    return learnt_as_expected(step, done.cases, done.learnt), done.costs
