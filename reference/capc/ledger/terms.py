"""What is fixed for the life of a ledger, when it is created (CAPC-LEDG-002)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from capc.errors import InputError
from capc.parameters import Adjacency, Charge, NoiseName, ReleasePolicy


@dataclass(frozen=True)
class Terms:
    """Whose account of which data this is, and under which policy.

    Attributes:
        owner: who keeps the account: `privacy_guardian`; where there is no guardian, or noise is distributed, every
            answering party keeps its own, as `answering_party_1` and so on.
        data_set: a name of the protected data set that outlives certificates, sessions and queriers.
        policy: mechanism, deviations, threshold, charging, adjacency, epsilon and delta.
        grid_bits: g.
        budget: the limit of the composed cost, in the mechanism's unit.
    """

    owner: str
    data_set: str
    policy: ReleasePolicy
    grid_bits: int
    budget: Fraction

    def __post_init__(self) -> None:
        for name in ("owner", "data_set"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise InputError(f"{name} = {value!r}: give a name")
        if type(self.grid_bits) is not int:
            raise InputError(f"grid_bits = {self.grid_bits!r}: give a whole number")

    def document(self) -> dict[str, object]:
        """A flat mapping of every field to a string, an integer or None, in the order in which it is compared."""
        fields = {"owner": self.owner, "data_set": self.data_set, **asdict(self.policy)}
        fields |= {"grid_bits": self.grid_bits, "budget": self.budget}
        return {name: _plain(value) for name, value in fields.items()}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Terms:
        """The terms that :meth:`document` describes.

        Raises:
            KeyError, TypeError, ValueError: a field is missing, or has no such value.
        """
        rationals = {
            name: None if document[name] is None else Fraction(document[name])
            for name in ("sigma", "threshold", "threshold_sigma", "epsilon", "delta")
        }
        policy = ReleasePolicy(
            mechanism=NoiseName(document["mechanism"]),
            charge=Charge(document["charge"]),
            adjacency=Adjacency(document["adjacency"]),
            **rationals,  # type: ignore[arg-type]
        )
        budget = Fraction(document["budget"])
        return cls(document["owner"], document["data_set"], policy, document["grid_bits"], budget)

    def check_same(self, kept: Terms) -> None:
        """Checks that these terms are those of a ledger. Its budget is its own: it was fixed when it was created.

        Args:
            kept: the terms of the ledger.

        Raises:
            InputError: a field differs; the message names the first one.
        """
        wanted, found = self.document(), kept.document()
        for name, value in wanted.items():
            if name != "budget" and found[name] != value:
                raise InputError(
                    f"{name} = {value}: the ledger was created with {name} = {found[name]}, which is fixed for its "
                    "life: use the same, or another ledger for other data"
                )


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return str(value)
    return value.value if isinstance(value, StrEnum) else value
