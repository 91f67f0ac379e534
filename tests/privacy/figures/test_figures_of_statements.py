"""No number of a statement is a diagnostic, and none towards a cheat is below the one towards others."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from capc.foundation.errors import InputError
from capc.privacy.accountants.unit import Relation
from capc.privacy.analysis.theorem6 import data_dependent_renyi
from capc.privacy.figures.statement import PrivacyStatement

DIAGNOSTIC = data_dependent_renyi((40, 5), Fraction(4), Fraction(2))


def statement(**numbers: Any) -> PrivacyStatement:
    """One with these numbers."""
    fields: dict[str, Any] = {"epsilon": Fraction(1), "delta": Fraction(1, 10), **numbers}
    words = {"method": "m", "mechanism": "n", "rounding": "r", "hypotheses": ()}
    return PrivacyStatement(adjacency=Relation.REPLACE_ONE, guarantee=True, **words, **fields)


@pytest.mark.req("CAPC-ACCT-112")
@pytest.mark.parametrize("name", ["epsilon", "delta", "terms", "cheated"])
@pytest.mark.parametrize("number", [DIAGNOSTIC, DIAGNOSTIC.at_most, 1.5, 2, "2", Fraction(-1)])
def test_no_number_of_a_statement_is_a_diagnostic(name: str, number: object) -> None:
    """What is told of a querying party that cheats is an epsilon as well."""
    with pytest.raises(InputError, match=f"^{name} = .*: give an exact rational .* a diagnostic is no {name}"):
        statement(**{name: number})


@pytest.mark.req("CAPC-ACCT-112", "CAPC-ACCT-152")
def test_nobody_is_told_less_for_a_cheat_than_for_others() -> None:
    with pytest.raises(InputError, match=r"^cheated = 9/10: "):
        statement(cheated=Fraction(9, 10))
    for cheated in (None, Fraction(1), Fraction(2)):
        assert max(statement(cheated=cheated).towards.values()) == (cheated or 1)
