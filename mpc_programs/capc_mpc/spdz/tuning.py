"""Compiler options and flags that make a step cheap under a protocol, by the measurements in docs/mpc.md.

What is computed, and what a run withstands, does not depend on them.
"""

from __future__ import annotations

from capc_mpc.interface.protocols import Domain, Protocol
from capc_mpc.interface.steps import Step

MANY_CASES = 20
"""From this batch on, large batches of preprocessing are used up."""
_DEFAULT_BATCH, _SMALL_BATCH, _EDABIT_BATCH, _LARGE_BATCH = 1_000, 100, 4_000, 20_000
"""Items per batch of preprocessing. A program's need caps a batch, which Boolean machines of MP-SPDZ do not know."""
_TINIER = frozenset({"spdz2k", "mascot", "lowgear", "tinier"})
"""Protocols whose ANDs are those of Tinier, which checks triples in buckets: large batches do with buckets of three."""
_SHORT_PRIME, _LONG_PRIME = 64, 128
"""Bits of a field's prime: what one and what two machine words hold."""


def compile_options(row: Protocol, step: Step, parties: int) -> list[str]:
    """What the compiler is told."""
    return row.compile_options(parties, edabits=_gains_from_edabits(step))


def party_flags(row: Protocol, step: Step) -> list[str]:
    """What every party program of a run is told besides its place in it.

    A field's openings print as signed numbers, so the prime is more than twice as large as any of them.
    """
    flags = ["-b", str(_preprocessed(row, step))]
    if row.name in _TINIER:
        flags += ["-B", "3"]
    if row.domain is Domain.FIELD:
        widest = max(output.width for output in step.outputs)
        flags += ["-lgp", str(_SHORT_PRIME if widest <= _SHORT_PRIME - 2 else _LONG_PRIME)]
    return flags


def _gains_from_edabits(step: Step) -> bool:
    """EdaBits are made by the thousand, for comparisons of many cases; the bits of noise are converted by daBits."""
    return step.batch >= MANY_CASES and not any(field.boolean for field in step.fields)


def _preprocessed(row: Protocol, step: Step) -> int:
    many = step.batch >= MANY_CASES
    if row.domain is Domain.BOOLEAN and row.name not in _TINIER:
        return _SMALL_BATCH if row.name == "semi-bin" and not many else _DEFAULT_BATCH
    if not many:
        return _DEFAULT_BATCH
    return _EDABIT_BATCH if "{mixing}" in row.options and _gains_from_edabits(step) else _LARGE_BATCH
