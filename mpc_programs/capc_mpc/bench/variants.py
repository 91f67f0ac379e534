"""The matrix of variants: programs, protocols, sizes, and what somebody chooses in the place of the runner."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

from capc.foundation.errors import InputError
from capc_mpc.interface import steps
from capc_mpc.interface.protocols import Domain, protocol_named
from capc_mpc.interface.steps import Step
from capc_mpc.spdz.tuning import Choices, can_choose_edabits
from capc_mpc.two_processes.ways import ONE_CIRCUIT, WAYS, obstacle

AUTO, ON, OFF = "auto", "on", "off"
_EDABITS = {AUTO: None, ON: True, OFF: False}


@dataclass(frozen=True)
class Variant:
    """One point of the matrix. What has no meaning for its program or protocol is None.

    Attributes:
        program: a name of ``PROGRAMS``.
        protocol: of the table, or one of the embedded engine's ways.
        batch: cases.
        classes: C, or labels of a multi-label query.
        answering: K.
        logit_bits: l.
        vote_bits: w.
        grid_bits: g.
        sigma: deviation of the noise in grid units, a decimal number.
        edabits: `auto`, `on` or `off`.
        threads: runs side by side that share the batch.
        party_flags: for the party programs, as one text.
        compile_flags: for the compiler, likewise.
    """

    program: str
    protocol: str
    batch: int
    classes: int | None = None
    answering: int | None = None
    logit_bits: int | None = None
    vote_bits: int | None = None
    grid_bits: int | None = None
    sigma: str | None = None
    edabits: str | None = None
    threads: int | None = None
    party_flags: str | None = None
    compile_flags: str | None = None

    def step(self) -> Step:
        """The program with its arguments, for the whole batch.

        Raises:
            InputError: a size is outside of the program's limits.
        """
        return PROGRAMS[self.program].step(self)

    def parts(self) -> list[Step]:
        """The program with its arguments for each thread, whose cases follow one another."""
        threads = self.threads or 1
        sizes = [self.batch // threads + (number < self.batch % threads) for number in range(threads)]
        return [replace(self, batch=size).step() for size in sizes]

    def choices(self) -> Choices:
        """What was chosen in the place of the runner.

        Raises:
            InputError: a flag that the runner decides.
        """
        words = [tuple(shlex.split(text or "")) for text in (self.party_flags, self.compile_flags)]
        return Choices(_EDABITS[self.edabits or AUTO], *words)

    def told(self) -> str:
        """Its name among the others, in one line: what has a meaning, and is not left to the runner."""
        named: dict[str, int | str | None] = {
            "C": self.classes,
            "K": self.answering,
            "l": self.logit_bits,
            "w": self.vote_bits,
        }
        named |= {"g": self.grid_bits, "sigma": self.sigma, "B": self.batch}
        named["edabits"] = None if self.edabits == AUTO else self.edabits
        named["threads"] = None if self.threads == 1 else self.threads
        flags = [text for text in (self.party_flags, self.compile_flags) if text]
        return " ".join([self.program, self.protocol, *(f"{k}={v}" for k, v in named.items() if v is not None), *flags])


@dataclass(frozen=True)
class Program:
    """A program as the matrix has it.

    Attributes:
        step: its step at a point of the matrix.
        axes: the sizes that it has, besides the batch.
        domains: of the protocols that it is for.
        beside: of a baseline, the program whose rows it stands among.
    """

    step: Callable[[Variant], Step]
    axes: frozenset[str]
    domains: frozenset[Domain] = frozenset(Domain)
    beside: str | None = None


def _given(number: int | None) -> int:
    """A size that the program has."""
    if number is None:
        raise ValueError
    return number


def _variance(variant: Variant) -> Fraction:
    return Fraction(variant.sigma or 0) ** 2


def _argmax(v: Variant) -> Step:
    return steps.argmax(_given(v.classes), _given(v.logit_bits), _given(v.vote_bits), v.batch)


def _baseline(step: Callable[[int, int, int, int], Step], domain: Domain) -> Program:
    return Program(
        lambda v: step(_given(v.classes), _given(v.logit_bits), _given(v.vote_bits), v.batch),
        frozenset({"classes", "logit_bits", "vote_bits"}),
        frozenset({domain}),
        beside="argmax",
    )


def _release(mode: str) -> Program:
    return Program(
        lambda v: steps.label_release(_given(v.classes), _given(v.vote_bits), v.batch, mode),
        frozenset({"classes", "vote_bits"}),
    )


def _vote(rule: str) -> Program:
    axes = {"classes", "logit_bits", "vote_bits"}
    return Program(
        lambda v: steps.multi_label_vote(
            rule,
            _given(v.classes),
            _given(v.logit_bits),
            _given(v.vote_bits),
            v.batch,
            (_given(v.grid_bits), Fraction(2)) if rule == "tau" else None,
        ),
        frozenset(axes | {"grid_bits"} if rule == "tau" else axes),
    )


def _multi_label_release(v: Variant) -> Step:
    return steps.multi_label_release(_given(v.classes), _given(v.vote_bits), 1 << _given(v.grid_bits), v.batch)


def _guardian_free(v: Variant) -> Step:
    return steps.guardian_free(
        _given(v.answering), _given(v.classes), _given(v.vote_bits), _given(v.grid_bits), _variance(v), v.batch
    )


PROGRAMS: dict[str, Program] = {
    "argmax": Program(_argmax, frozenset({"classes", "logit_bits", "vote_bits"})),
    "label_release": _release("plain"),
    "label_release_single_draw": _release("single_draw"),
    "label_release_worst_case": _release("worst_case"),
    "label_release_realised": _release("realised"),
    "discrete_gaussian": Program(
        lambda v: steps.discrete_gaussian(_variance(v), _given(v.vote_bits), v.batch, 2),
        frozenset({"vote_bits", "sigma"}),
    ),
    "guardian_free": Program(_guardian_free, frozenset({"answering", "classes", "vote_bits", "grid_bits", "sigma"})),
    "multi_label_vote_binary": _vote("binary"),
    "multi_label_vote_tau": _vote("tau"),
    "multi_label_vote_powerset": _vote("powerset"),
    "argmax_ml": _baseline(steps.argmax_ml, Domain.RING),
    "argmax_types": _baseline(steps.argmax_types, Domain.BOOLEAN),
    "multi_label_release": Program(_multi_label_release, frozenset({"classes", "vote_bits", "grid_bits"})),
}
"""What can be measured; ``argmax_ml`` and ``argmax_types`` are MP-SPDZ's own means beside this project's.

Tau voting has tau squared 2, and multi-label votes are released above one vote.
"""

SIZES: dict[str, tuple[int | str, ...]] = {
    "batch": (1, 100),
    "classes": (10,),
    "answering": (2,),
    "logit_bits": (37,),
    "vote_bits": (16,),
    "grid_bits": (4,),
    "sigma": ("20",),
}
"""The axes of size with what they have by default: the widths of the default parameter set."""
CHOSEN: dict[str, tuple[int | str, ...]] = {
    "edabits": (AUTO,),
    "threads": (1,),
    "party_flags": ("",),
    "compile_flags": ("",),
}
"""The axes of what is chosen for MP-SPDZ, with what they have by default."""


def program_named(name: str) -> Program:
    """The program of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PROGRAMS:
        raise InputError(f"program {name!r} is unknown (--programs): choose among {', '.join(PROGRAMS)}")
    return PROGRAMS[name]


def matrix(programs: Sequence[str], protocols: Sequence[str], axes: Mapping[str, Sequence[int | str]]) -> list[Variant]:
    """All variants, those of one size beside each other; of each size the embedded engine first, if it has a circuit.

    Args:
        programs: names of ``PROGRAMS``.
        protocols: names of the table of protocols, and ways of the embedded engine besides the first.
        axes: values for some of ``SIZES`` and ``CHOSEN``; the others have their defaults.

    Raises:
        InputError: a program or protocol is unknown, or a size is outside of a program's limits.
    """
    values = {**SIZES, **CHOSEN, **axes}
    found: dict[Variant, None] = {}
    for name in programs:
        program = program_named(name)
        own = ["batch", *(axis for axis in SIZES if axis in program.axes)]
        for point in product(*(values[axis] for axis in own)):
            sized = _with(Variant(name, ONE_CIRCUIT, 1), dict(zip(own, point, strict=True)))
            for way in WAYS:
                if (way == ONE_CIRCUIT or way in protocols) and obstacle(way, sized.step()) is None:
                    found[replace(sized, protocol=way)] = None
            for protocol in protocols:
                if protocol not in WAYS and protocol_named(protocol).domain in program.domains:
                    found |= dict.fromkeys(_chosen(replace(sized, protocol=protocol), values))
    return list(found)


def _chosen(variant: Variant, values: Mapping[str, Sequence[int | str]]) -> Iterable[Variant]:
    """A variant under all that is chosen; without what its protocol cannot choose."""
    mixes = can_choose_edabits(protocol_named(variant.protocol))
    for point in product(*(values[axis] for axis in CHOSEN)):
        chosen = dict(zip(CHOSEN, point, strict=True))
        if not mixes:
            del chosen["edabits"]
        # A flag that was not given is none.
        yield _with(variant, {axis: value for axis, value in chosen.items() if value != ""})


def _with(variant: Variant, values: Mapping[str, Any]) -> Variant:
    """A variant with values of axes, each of which has the type of its axis."""
    return replace(variant, **values)
