"""Each position of an extension for several batches is used once, whichever of them was used before."""

from __future__ import annotations

from typing import Any, cast

import pytest

from capc.foundation.errors import InputError
from capc.two_party.vectorised import VectorisedTwoParty
from support.computations import fresh_keys

COUNTS = [8, 8, 8]


@pytest.mark.req("CAPC-OT-003")
@pytest.mark.parametrize("again", [3, 4, 5, 6, 7])
def test_an_extension_that_overlaps_another_is_refused_at_both_ends(again: int) -> None:
    """Three batches at 5, 6 and 7, and then three that have one of these positions or more."""
    scheme = VectorisedTwoParty()
    garbler, evaluator = cast(Any, fresh_keys(scheme, scheme))
    _, rows = scheme.extend_evaluator(evaluator, 5, COUNTS)
    scheme.extend_garbler(garbler, 5, COUNTS, rows)
    with pytest.raises(InputError, match=f"transfer nonce {max(again, 5)} comes again"):
        scheme.extend_evaluator(evaluator, again, COUNTS)
    with pytest.raises(InputError, match=f"transfer nonce {max(again, 5)} comes again"):
        scheme.extend_garbler(garbler, again, COUNTS, rows)
    _, rows = scheme.extend_evaluator(evaluator, 8, COUNTS)
    scheme.extend_garbler(garbler, 8, COUNTS, rows)
