"""Compiler options and flags that make a step cheap under a protocol, by the measurements in docs/mpc.md.

What is computed, and what a run withstands, does not depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation.errors import InputError
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
_RUNNERS_FLAGS = frozenset(
    {"-p", "--player", "-N", "--nparties", "-e", "--encrypted", "-u", "--unencrypted", "-v", "--verbose"}
    | {"-OF", "--output-file", "-IF", "--input-file", "-pn", "--portnumbase", "-mp", "--my-port", "-h", "--hostname"}
    | {"-ip", "--ip-file-name", "-F", "--file-preprocessing", "-I", "--interactive"}
)
"""What the runner tells party programs itself, or relies on not being told."""
_RUNNERS_OPTIONS = frozenset(
    {"-R", "--ring", "-F", "--field", "-B", "--binary", "-P", "--prime", "-G", "--garbled-circuit", "-o", "--output"}
)
"""What decides the domain of a program, in which the runner encodes inputs."""


@dataclass(frozen=True)
class Choices:
    """What somebody who compares variants chooses himself, in the place of what is derived from the step.

    Attributes:
        edabits: whether comparisons in a ring take edaBits; None where the step decides.
        party_flags: words for the party programs; one that is derived too is replaced.
        compile_options: words for the compiler, after the protocol's.
    """

    edabits: bool | None = None
    party_flags: tuple[str, ...] = ()
    compile_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _refuse(self.party_flags, _RUNNERS_FLAGS, "party program")
        _refuse(self.compile_options, _RUNNERS_OPTIONS, "compiler")


def _refuse(words: Sequence[str], known: frozenset[str], what: str) -> None:
    """Raises :class:`InputError` if one of the words is the runner's own."""
    for word in words:
        if word.partition("=")[0] in known:
            raise InputError(f"{word}: a flag of the {what} that the runner decides: leave it out")


DERIVED = Choices()
"""Nothing is chosen."""


def can_choose_edabits(row: Protocol) -> bool:
    """Whether a protocol's comparisons take daBits or edaBits."""
    return "{mixing}" in row.options


def compile_options(row: Protocol, step: Step, parties: int, chosen: Choices = DERIVED) -> list[str]:
    """What the compiler is told."""
    edabits = _gains_from_edabits(step) if chosen.edabits is None else chosen.edabits
    return [*row.compile_options(parties, edabits=edabits), *chosen.compile_options]


def party_flags(row: Protocol, step: Step, chosen: Choices = DERIVED) -> list[str]:
    """What every party program of a run is told besides its place in it.

    A field's openings print as signed numbers, so the prime is more than twice as large as any of them.
    """
    derived = {"-b": str(_preprocessed(row, step, chosen))}
    if row.name in _TINIER:
        derived["-B"] = "3"
    if row.domain is Domain.FIELD:
        widest = max(output.width for output in step.outputs)
        derived["-lgp"] = str(_SHORT_PRIME if widest <= _SHORT_PRIME - 2 else _LONG_PRIME)
    kept = [word for flag, value in derived.items() if flag not in chosen.party_flags for word in (flag, value)]
    return [*kept, *chosen.party_flags]


def _gains_from_edabits(step: Step) -> bool:
    """EdaBits are made by the thousand, for comparisons of many cases; the bits of noise are converted by daBits."""
    return step.batch >= MANY_CASES and not any(field.boolean for field in step.fields)


def _preprocessed(row: Protocol, step: Step, chosen: Choices) -> int:
    many = step.batch >= MANY_CASES
    if row.domain is Domain.BOOLEAN and row.name not in _TINIER:
        return _SMALL_BATCH if row.name == "semi-bin" and not many else _DEFAULT_BATCH
    if not many:
        return _DEFAULT_BATCH
    edabits = _gains_from_edabits(step) if chosen.edabits is None else chosen.edabits
    return _EDABIT_BATCH if can_choose_edabits(row) and edabits else _LARGE_BATCH
