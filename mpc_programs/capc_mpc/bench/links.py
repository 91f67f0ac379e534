"""The links that are measured and modelled, by name."""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation.errors import InputError
from capc_mpc.emulated.network import LinkSpec

LAN, WAN, SLOW = "lan", "wan", "slow"
LINKS = {LAN: LinkSpec(0.0005, 1e9), WAN: LinkSpec(0.02, 1e8), SLOW: LinkSpec(0.0004, 2e7)}
"""Half a millisecond and 1 Gbit/s; 20 ms and 100 Mbit/s; 0.4 ms and 20 Mbit/s."""
GIVEN = "given"


def links(latency_ms: float | None, megabits: float) -> dict[str, LinkSpec]:
    """The named ones, and the one that was asked for.

    Raises:
        InputError: there is no such link.
    """
    asked = LinkSpec((latency_ms or 0.0) / 1000, megabits * 1e6)
    return LINKS if latency_ms is None else {**LINKS, GIVEN: asked}


def chosen(names: str, there: dict[str, LinkSpec]) -> dict[str, LinkSpec]:
    """Some of them, by their names with commas.

    Raises:
        InputError: a name is unknown.
    """
    wanted: Sequence[str] = names.split(",")
    for name in wanted:
        if name not in there:
            raise InputError(f"link {name!r} is unknown (--links): choose among {', '.join(there)}")
    return {name: there[name] for name in wanted}


def told(spec: LinkSpec) -> str:
    """A link, for people."""
    rate = "no limit" if spec.rate is None else f"{spec.rate / 1e6:g} Mbit/s"
    return f"{1000 * spec.delay:g} ms, {rate}"
