"""Engines of steps 1c and 3 for tests: in the clear, and the programs' text in the emulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from capc.foundation import ring
from capc.protocol.engine import EMBEDDED, ArgmaxCase, EngineCost, EngineDescription, ReleaseCase, ReleaseOutcome
from capc.session.parameters import Charge, Parameters
from capc_mpc.emulator.steps import DOMAINS, emulate_step
from capc_mpc.interface.encoding import complete
from capc_mpc.interface.protocols import PROTOCOLS
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.running import fresh_source


@dataclass
class ClearEngine:
    """Computes both steps in the clear, by their definitions.

    Attributes:
        argmax_runs: the cases of each run of step 1c.
        release_runs: the cases of each run of step 3.
        before_release: called when step 3 begins.
    """

    argmax_runs: list[list[ArgmaxCase]] = field(default_factory=list)
    release_runs: list[list[ReleaseCase]] = field(default_factory=list)
    before_release: Callable[[], None] = lambda: None
    description: EngineDescription = EMBEDDED

    def argmax(self, parameters: Parameters, cases: Sequence[ArgmaxCase]) -> tuple[list[tuple[int, ...]], EngineCost]:
        self.argmax_runs.append(list(cases))
        widths = parameters.widths
        rows = []
        for case in cases:
            sums = [m + e for m, e in zip(case.masks, case.logit_shares, strict=True)]
            # Words of l + 1 bits, of which the lowest is dropped.
            halves = [total % 2 ** (widths.logit_bits + 1) >> 1 for total in sums]
            logits = [ring.signed(word, widths.logit_bits) for word in halves]
            winner = logits.index(max(logits))
            rows.append(tuple((int(c == winner) - s) % 2**widths.vote_bits for c, s in enumerate(case.fresh_shares)))
        return rows, EngineCost(100 * len(rows), 7)

    def release(self, parameters: Parameters, cases: Sequence[ReleaseCase]) -> tuple[list[ReleaseOutcome], EngineCost]:
        self.before_release()
        self.release_runs.append(list(cases))
        return [clear_release(parameters, case) for case in cases], EngineCost(10 * len(cases), 3)


def clear_release(parameters: Parameters, case: ReleaseCase) -> ReleaseOutcome:
    """Step 3 by its definition."""
    classes, width = parameters.num_classes, parameters.widths.vote_bits

    def opened(shares: Sequence[int], others: Sequence[int]) -> list[int]:
        return [ring.signed((a + b) % 2**width, width) for a, b in zip(shares, others, strict=True)]

    guardian, own = list(case.privacy_guardian), list(case.querying_party)
    label_bits = (classes - 1).bit_length()
    if parameters.release.threshold is None:
        noisy = opened(guardian, own)
        return ReleaseOutcome(tuple(ring.to_bits(noisy.index(max(noisy)), label_bits)), None)
    *guardian, limit = guardian
    noisy = opened(guardian[-classes:], own[:classes])
    # Of single_draw the first words are the last ones.
    checked = opened(guardian[:classes], own[-classes:])
    answered = int(max(checked) >= ring.signed(limit, width))
    bits = ring.to_bits(answered * noisy.index(max(noisy)), label_bits)
    realised = parameters.release.charge is Charge.REALISED
    return ReleaseOutcome((answered, *bits), answered if realised else None)


def emulating(target: str) -> Callable[..., Any]:
    """A stand-in for `capc_mpc.spdz.running.run` that executes the program's text in the emulator."""

    def run(step, cases, protocol, *, model, limits, machine):
        full = complete(step, DOMAINS[target], cases, {party: fresh_source() for party in range(step.parties)})
        costs = SimpleNamespace(bytes_sent=0, rounds=0)
        return SimpleNamespace(learnt=emulate_step(step, full, target).learnt, costs=costs)

    return run


def machine_with_everything() -> Machine:
    """An installation that has every party program and can run none."""
    return Machine(Path("nowhere"), "0", {row.program: Path("nowhere") for row in PROTOCOLS.values()})
