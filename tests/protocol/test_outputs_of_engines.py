"""Output bits of an outside engine that no correct release gives, under every policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from capc.foundation.errors import ErrorCode
from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.protocol.engine import EngineCost, ReleaseCase, ReleaseOutcome
from capc.protocol.engine_protocol import with_engine
from capc.session.parameters import Charge, Parameters, ReleasePolicy
from support.builders import confident_policy, make_parameters, make_policy, single_draw_policy
from support.collaborations import collaborate
from support.engines import ClearEngine
from support.refusals import refused

THRESHOLDS = {
    "worst case": confident_policy(Charge.WORST_CASE),
    "realised": confident_policy(Charge.REALISED),
    "single draw": single_draw_policy(),
}


@dataclass
class Wrong(ClearEngine):
    """Gives these output bits for every query."""

    bits: tuple[int, ...] = ()

    def release(self, parameters: Parameters, cases: Sequence[ReleaseCase]) -> tuple[list[ReleaseOutcome], EngineCost]:
        outcomes, cost = super().release(parameters, cases)
        return [outcome._replace(querying_party=self.bits) for outcome in outcomes], cost


def ask(policy: ReleasePolicy, bits: tuple[int, ...]) -> None:
    collaborate(make_parameters(policy=policy), methods=with_engine(Wrong(bits=bits))).label_batch([[0, 1]])


@pytest.mark.req("CAPC-REL-008")
def test_a_label_that_is_no_class_is_refused() -> None:
    """Three classes need two bits: 3 is none."""
    with refused(ErrorCode.VALUE_OUT_OF_RANGE, PRIVACY_GUARDIAN):
        ask(make_policy(), (1, 1))
    ask(make_policy(), (0, 1))


@pytest.mark.req("CAPC-REL-008")
@pytest.mark.parametrize("policy", THRESHOLDS.values(), ids=THRESHOLDS)
def test_no_class_and_a_class_beside_no_consensus_are_refused(policy: ReleasePolicy) -> None:
    """The bit that there is an answer, and two bits of its label."""
    with refused(ErrorCode.VALUE_OUT_OF_RANGE, PRIVACY_GUARDIAN):
        ask(policy, (1, 1, 1))
    for label in ((1, 0), (0, 1)):
        with refused(ErrorCode.NON_CANONICAL, PRIVACY_GUARDIAN):
            ask(policy, (0, *label))
    for honest in ((0, 0, 0), (1, 0, 1)):
        ask(policy, honest)
