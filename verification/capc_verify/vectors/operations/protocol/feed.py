"""What an oracle gives with one operation. docs/porting.md says which values, and with which operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capc_verify.vectors.values import Json

SUPPORTED = ("noise", "he", "two-party")
"""Oracles that the reference takes."""


class Feed:
    """What was given with the operation at hand. All copies of a state have the same feed.

    Attributes:
        classes: noise of each class, query by query; taken from the front.
        checks: noise of the check, likewise, draw after draw.
        shares: what a response decrypts to, for each query; None if it is not given.
        circuits: whether two-party computation is given.
        results: shares of a layer's value, or of votes, for each query.
        answered: the answered bit; None if it is not given.
        label: of a release; None for "no consensus".
    """

    def __init__(self) -> None:
        self.fill({})

    def __deepcopy__(self, _: object) -> Feed:
        return self

    def fill(self, oracle: Mapping[str, Json]) -> None:
        """Takes what a request gives; nothing is left of the one before."""
        several = isinstance(next(iter(oracle.get("class_noise", [])), None), list)

        def rows(name: str) -> list[list[int]]:
            given = oracle.get(name, [])
            return [list(map(int, row)) for row in (given if several else [given] if given else [])]

        self.classes, checks, own = rows("class_noise"), rows("threshold_noise"), rows("own_noise")
        # In one process the querying party's draws come before the guardian's, query by query.
        self.checks = [row for pair in zip(own, checks, strict=True) for row in pair] if own else checks
        self.shares = _rows(oracle.get("share_of_products"))
        self.circuits = "payloads" in oracle
        self.results = _rows(oracle.get("results")) or []
        self.answered: bool | None = oracle.get("answered")
        self._payload = b"".join(_payloads(oracle.get("payloads", {})))
        self.label: int | None = oracle.get("label")

    def take(self, length: int) -> bytes:
        """The next bytes of the payloads."""
        taken, self._payload = self._payload[:length], self._payload[length:]
        return taken

    def last(self, length: int) -> bytes:
        """The last bytes of the payloads."""
        return self._payload[len(self._payload) - length :]

    def outputs(self, count: int, *, with_answer: bool) -> list[int]:
        """The output bits of a release: the label's, after one that says whether a label left, where there is one."""
        answer = [int(self.label is not None)] if with_answer else []
        return [*answer, *((self.label or 0) >> bit & 1 for bit in range(count - len(answer)))]


def _rows(given: Json) -> list[list[int]] | None:
    return None if given is None else [list(map(int, row)) for row in given]


def _payloads(given: Mapping[str, Any]) -> Iterator[bytes]:
    """Of each field its payload, or those to each party, in order."""
    for value in given.values():
        yield from map(bytes.fromhex, value.values() if isinstance(value, dict) else [value])
