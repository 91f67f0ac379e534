"""Finds every secret of a state, to check that nothing shows one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from capc.linear.ideal import IdealLinear
from capc.session.session import Session
from capc.steps.suite import Suite
from capc.two_party.circuits.builder import Circuit
from capc.two_party.ideal import IdealTwoParty

PUBLIC = (Session, Suite, Circuit, IdealLinear, IdealTwoParty)
LEAST_SECRET = 1 << 20
"""Smaller numbers are found by chance in lengths and indices."""


def secrets_in(value: object) -> Iterator[str]:
    """The texts (decimal, hexadecimal) of every large number and every byte string that a state holds."""
    if isinstance(value, PUBLIC) or value is None:
        return
    if isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if abs(value) >= LEAST_SECRET:
            yield str(abs(value))
            yield f"{abs(value):x}"
    elif isinstance(value, bytes):
        if len(value) >= 16:
            yield value.hex()
            yield repr(value)[2:-1]
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from secrets_in(entry)
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from secrets_in(entry)
    elif is_dataclass(value):
        for entry in fields(value):
            yield from secrets_in(getattr(value, entry.name))
