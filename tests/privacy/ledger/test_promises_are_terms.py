"""What a policy promises of its costs is fixed with a ledger, as its noise is; of its terms the budget alone is not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from capc.foundation.errors import InputError
from capc.privacy.ledger import Terms
from capc.session.parameters import Charge
from privacy.ledger.cases import make_ledger, make_terms

QUIET, ORDER = Fraction(400), Fraction(3)
_ANSWER = ORDER / QUIET**2
"""a D^2 / (2 s^2) of noised counts: a label costs no more, and a check and its answer together twice that."""


def promised(**fields: Any) -> Terms:
    plain = {"sigma": QUIET, "threshold": None, "threshold_sigma": None, "charge": Charge.WORST_CASE}
    return replace(make_terms(), policy=replace(make_terms().policy, **{**plain, **fields}), budget=Fraction(1))


@pytest.mark.req("CAPC-LEDG-002")
@pytest.mark.parametrize(
    ("name", "promise", "others"),
    [
        ("joint_cost", 2 * _ANSWER, {"threshold": Fraction(3), "threshold_sigma": QUIET, "renyi_order": ORDER}),
        ("argmax_cost", _ANSWER, {"renyi_order": ORDER}),
        ("argmax_queries", 10, {}),
    ],
)
def test_a_ledger_is_not_opened_on_another_promise(
    name: str, promise: Any, others: dict[str, Any], tmp_path: Path
) -> None:
    """Neither on a smaller one nor on a larger one, though each of them holds."""
    one, two = (promised(**{**others, name: times * promise}) for times in (1, 2))
    for folder, kept, opened in (("first", one, two), ("second", two, one)):
        (tmp_path / folder).mkdir()
        make_ledger(tmp_path / folder, kept).close()
        with pytest.raises(InputError, match=rf"^{name} = .*: the ledger was created with {name} = "):
            make_ledger(tmp_path / folder, opened)
        make_ledger(tmp_path / folder, replace(kept, budget=kept.budget / 2)).close()
