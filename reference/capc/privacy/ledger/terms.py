"""What is fixed for the life of a ledger, when it is created (CAPC-LEDG-002)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from unicodedata import category

from capc.foundation.errors import InputError
from capc.privacy.accountants.policies import certify
from capc.session.parameters import Adjacency, Charge, NoiseName, ReleasePolicy, ThresholdMode

_MAX_GRID_BITS = 64
_MAX_DIGITS = 400
_NOT_IN_NAMES = {"Cc", "Cs", "Zl", "Zp"}
_RATIONAL = re.compile(r"(0|[1-9][0-9]*)(/[1-9][0-9]*)?")


@dataclass(frozen=True)
class Terms:
    """Whose account of which data this is, and under which policy.

    Attributes:
        owner: who keeps the account: `privacy_guardian`; where there is no guardian, or noise is distributed, every
            answering party keeps its own, as `answering_party_1` and so on.
        data_set: a name of the protected data set that outlives certificates, sessions and queriers.
        policy: mechanism, deviations, threshold, charging, adjacency, epsilon and delta.
        grid_bits: g.
        budget: the limit of the composed cost, in the unit of the policy's costs.

    Raises:
        InputError: a name, a number or the grid cannot be used, or it is not certified that the budget keeps the
            policy's epsilon and delta (CAPC-LEDG-014).
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
            if any(category(character) in _NOT_IN_NAMES for character in value):
                raise InputError(f"{name} = {value!r}: give a name without control characters or surrogates")
        if type(self.grid_bits) is not int or not 0 <= self.grid_bits <= _MAX_GRID_BITS:
            raise InputError(f"grid_bits: give a whole number from 0 to {_MAX_GRID_BITS}")
        for name, number in {**vars(self.policy), "budget": self.budget}.items():
            if isinstance(number, Fraction) and _is_long(number):
                raise InputError(f"{name}: a number of more than {_MAX_DIGITS} characters: give a shorter one")
        certify(self.policy, self.grid_bits, self.budget)

    def document(self) -> dict[str, object]:
        """A flat mapping of every field to a string, an integer or None, in the order in which it is compared."""
        names: dict[str, object] = {"owner": self.owner, "data_set": self.data_set}
        return names | self.policy.document() | {"grid_bits": self.grid_bits, "budget": str(self.budget)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Terms:
        """The terms that :meth:`document` describes.

        Raises:
            KeyError, TypeError, ValueError: a field is missing, or has no such value.
        """
        rationals = {
            name: None if document[name] is None else _read_rational(document[name])
            for name in ("sigma", "threshold", "threshold_sigma", "epsilon", "delta")
        }
        # These, the threshold's mode and a number of queries are written only where they say something.
        for name in {"renyi_order", "joint_cost", "argmax_cost"} & document.keys():
            rationals[name] = _read_rational(document[name])
        policy = ReleasePolicy(
            mechanism=NoiseName(document["mechanism"]),
            charge=Charge(document["charge"]),
            adjacency=Adjacency(document["adjacency"]),
            threshold_mode=ThresholdMode(document.get("threshold_mode", ThresholdMode.TWO_DRAWS)),
            argmax_queries=document.get("argmax_queries"),
            **rationals,  # type: ignore[arg-type]
        )
        budget = _read_rational(document["budget"])
        return cls(document["owner"], document["data_set"], policy, document["grid_bits"], budget)

    def check_same(self, kept: Terms) -> None:
        """Checks that these terms are those of a ledger. Its budget is its own: it was fixed when it was created.

        Args:
            kept: the terms of the ledger.

        Raises:
            InputError: a field differs; the message names the first one.
        """
        wanted, found = self.document(), kept.document()
        for name in dict.fromkeys([*wanted, *found]):
            if name != "budget" and found.get(name) != wanted.get(name):
                raise InputError(
                    f"{name} = {wanted.get(name)}: the ledger was created with {name} = {found.get(name)}, which is "
                    "fixed for its life: use the same, or another ledger for other data"
                )


def _is_long(number: Fraction) -> bool:
    """Whether no reader would take its text. Very long numbers have none in Python."""
    bits = max(number.numerator.bit_length(), number.denominator.bit_length())
    return bits > 4 * _MAX_DIGITS or len(str(number)) > _MAX_DIGITS


def _read_rational(text: object) -> Fraction:
    """The rational that :meth:`Terms.document` wrote: no other spelling, and none that takes long to compute with."""
    if not isinstance(text, str) or len(text) > _MAX_DIGITS or not _RATIONAL.fullmatch(text):
        raise ValueError
    return Fraction(text)
