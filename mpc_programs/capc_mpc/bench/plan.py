"""What will be measured, decided and checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc_mpc.bench import variants as points
from capc_mpc.bench.variants import Variant
from capc_mpc.interface.protocols import PROTOCOLS, protocol_named
from capc_mpc.spdz.machine import Machine
from capc_mpc.two_processes.ways import WAYS

QUICK, ALL = "quick", "all"
_QUICK = ("semi2k", "spdz2k", "semi-bin", "yao", "replicated-ring", "malicious-rep-ring", "replicated-bin")
"""One of each kind that needs seconds, not minutes, for a batch of a hundred."""
PROGRAMS = ("argmax", "argmax_ml", "argmax_types", "label_release_single_draw", "discrete_gaussian")
"""What is measured by default: the steps of a query, MP-SPDZ's own means beside one, and noise that nobody knows."""


@dataclass(frozen=True)
class Plan:
    """The variants of a report, in their order.

    Attributes:
        variants: what will be measured.
        left_out: what was asked for by a word for several protocols and cannot run, with the reason of each.
    """

    variants: tuple[Variant, ...]
    left_out: tuple[tuple[Variant, str], ...]


def make_plan(
    programs: Sequence[str], protocols: str, axes: Mapping[str, Sequence[int | str]], machine: Machine | None
) -> Plan:
    """The plan of a command line.

    Args:
        programs: their names, or `all`.
        protocols: names with commas, `quick` or `all`; the last two mean those of them that are installed. `embedded`
            alone is this project's own engine, which otherwise stands beside the others, in its first way if none of
            the others is named.
        axes: values for axes of the matrix.
        machine: the MP-SPDZ; None if :func:`needs_machine` says that none is needed.

    Raises:
        InputError: a name is unknown, a protocol that was named is not installed or has too few parties for a program,
            a size is outside of a program's limits, or a flag is the runner's.
    """
    named = protocols not in {QUICK, ALL}
    chosen = protocols.split(",") if named or machine is None else _installed(machine, protocols)
    for name in chosen:
        if name not in WAYS and machine is not None:
            machine.party_program(protocol_named(name).program)
    wanted = list(points.PROGRAMS) if list(programs) == [ALL] else list(programs)
    kept, left_out = [], []
    for variant in points.matrix(wanted, chosen, axes):
        why = _obstacle(variant)
        if why is None:
            kept.append(variant)
        elif named:
            raise InputError(f"{variant.told()}: {why}")
        else:
            left_out.append((variant, why))
    if not kept:
        raise InputError(f"nothing of {', '.join(wanted)} runs under {protocols}: name another protocol (--protocols)")
    return Plan(tuple(kept), tuple(left_out))


def needs_machine(protocols: str) -> bool:
    """Whether a command line asks for more than this project's own engine.

    Raises:
        InputError: a name is unknown, installed or not.
    """
    if protocols in {QUICK, ALL}:
        return True
    others = [name for name in protocols.split(",") if name not in WAYS]
    for name in others:
        protocol_named(name)
    return bool(others)


def _installed(machine: Machine, word: str) -> list[str]:
    """The installed protocols that a word stands for.

    Raises:
        InputError: there are none.
    """
    found = [name for name in machine.protocols() if word == ALL or name in _QUICK]
    if not found:
        raise InputError(f"no party program is in {machine.home}: build some there, such as {PROTOCOLS['yao'].program}")
    return found


def _obstacle(variant: Variant) -> str | None:
    """Why a variant cannot run under its protocol, None if it can.

    Raises:
        InputError: it can run nowhere.
    """
    if (variant.threads or 1) > variant.batch:
        raise InputError(f"{variant.told()}: there are more threads than cases (--threads)")
    variant.choices()
    if variant.protocol in WAYS:
        return None
    try:
        protocol_named(variant.protocol).parties_for(variant.step().parties)
    except InputError as error:
        return str(error)
    return None
