"""Finds every secret of a state, to check that nothing shows one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass

from capc.linear.ideal import IdealLinear
from capc.session.session import Session
from capc.steps.suite import Suite
from capc.two_party.circuits.builder import Circuit
from capc.two_party.ideal import IdealTwoParty

PUBLIC = Session | Suite | Circuit | IdealLinear | IdealTwoParty
LEAST_SECRET = 1 << 20
"""Smaller numbers are found by chance in lengths and indices."""


def secrets_in(value: object) -> Iterator[str]:
    """The texts (decimal, hexadecimal) of every large number and every byte string that a state holds."""
    inner: Iterable[object] = ()
    if isinstance(value, PUBLIC | bool):
        return
    if isinstance(value, int) and abs(value) >= LEAST_SECRET:
        yield from (str(abs(value)), f"{abs(value):x}")
    elif isinstance(value, bytes) and len(value) >= 16:
        yield from (value.hex(), repr(value)[2:-1])
    elif isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, tuple | list):
        inner = value
    elif is_dataclass(value):
        inner = [getattr(value, entry.name) for entry in fields(value)]
    for entry in inner:
        yield from secrets_in(entry)
