"""Around an outside engine: for which receipt the guardian draws noise, and what its account holds afterwards."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from capc.foundation.errors import InputError
from capc.foundation.randomness import Seed
from capc.noise.mechanism import CostUnit
from capc.privacy.account import Account
from capc.privacy.events import Receipt
from capc.protocol import external_methods
from capc.protocol.collaboration import Collaboration
from capc.protocol.engine_protocol import with_engine
from capc.steps.privacy_guardian.aggregation import AggregatedVotes
from capc.steps.privacy_guardian.external import privacy_guardian_enter_release
from support.builders import make_account, make_parameters
from support.collaborations import collaborate
from support.engines import ClearEngine

PARAMETERS = make_parameters()
OTHERS: list[dict[str, Any]] = [
    {"session_tag": bytes(32)},
    {"query": 2},
    {"inputs_digest": b"1" * 32},
    {"reserved": Fraction(0)},
    {"unit": CostUnit.MU_SQUARED},
]


def on_an_engine(account: Account) -> Collaboration:
    return collaborate(PARAMETERS, (1, 1, 2), [(2, 3)] * 3, methods=with_engine(ClearEngine()), account=account)


@pytest.mark.req("CAPC-REL-004")
@pytest.mark.parametrize("change", OTHERS, ids=lambda change: next(iter(change)))
def test_the_guardian_wants_the_receipt_of_exactly_these_shares(change: dict[str, Any]) -> None:
    account = make_account(PARAMETERS)
    guardian = on_an_engine(account).table.guardian.party
    state = AggregatedVotes(guardian, 1, (0, 0, 0), bytes(32))
    receipt = account.reserve(guardian.session.tag, 1, bytes(32))
    with pytest.raises(InputError, match="was not given for these shares of query 1"):
        privacy_guardian_enter_release(state, replace(receipt, **change), Seed(bytes(32)))
    privacy_guardian_enter_release(state, receipt, Seed(bytes(32)))


class Remembering(Account):
    """Remembers which messages it was to hold."""

    def __init__(self) -> None:
        policy, grid_bits = PARAMETERS.release, PARAMETERS.widths.grid_bits
        super().__init__(policy, grid_bits, make_account(PARAMETERS, 2).budget)
        self.held: list[bytes] = []

    def dispatch(self, receipt: Receipt, message: bytes) -> None:
        self.held.append(message)
        super().dispatch(receipt, message)


@pytest.mark.req("CAPC-MPC-042")
def test_the_account_holds_the_commitments_that_the_step_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else: the digest of the inputs would commit to no word, and the words themselves hide nothing."""
    made: list[bytes] = []

    def noting(*given: Any) -> Any:
        result = privacy_guardian_enter_release(*given)
        made.append(result[2])
        return result

    monkeypatch.setattr(external_methods, "privacy_guardian_enter_release", noting)
    account = Remembering()
    on_an_engine(account).label_batch([[0, 1], [1, 0]])
    assert account.held == made
    assert len(set(made)) == 2
