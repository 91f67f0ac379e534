"""What all values of the dialect share: no truth value, no identity, and no operation that their type does not have."""

from __future__ import annotations

from typing import NoReturn

from capc_mpc.emulator.errors import UnknownConstructError


class Value:
    """A run-time value. Python would give it a truth value, `==` and a hash of its own, so these are refused."""

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> NoReturn:
        raise UnknownConstructError(f"a run-time value ({type(self).__name__}) as a condition of Python")

    def __eq__(self, other: object) -> NoReturn:
        raise UnknownConstructError(f"{type(self).__name__} == {type(other).__name__}")

    def __ne__(self, other: object) -> NoReturn:
        raise UnknownConstructError(f"{type(self).__name__} != {type(other).__name__}")
