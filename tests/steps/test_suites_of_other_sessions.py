"""A suite that was made for other parameters, in the hands of one role alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from capc.foundation.errors import InputError
from capc.foundation.parties import answering_party
from capc.foundation.randomness import Seed
from capc.steps.answering_party.setup import answering_party_begin_setup
from capc.steps.privacy_guardian.setup import privacy_guardian_answer_setup, privacy_guardian_begin_setup
from capc.steps.querying_party.setup import querying_party_begin_setup
from capc.steps.suite import Suite, hybrid_suite
from support.builders import constant_model, make_parameters, make_session

PARAMETERS = make_parameters()
SESSION = make_session(PARAMETERS, [(2, 3), (2, 3)])
RELEASE, WIDTHS = PARAMETERS.release, PARAMETERS.widths
OTHERS = {
    "noise": replace(PARAMETERS, release=replace(RELEASE, sigma=2 * RELEASE.sigma)),
    "budget": replace(PARAMETERS, release=replace(RELEASE, epsilon=2 * RELEASE.epsilon)),
    "HE layer": replace(PARAMETERS, widths=replace(WIDTHS, he_poly_degree=2 * WIDTHS.he_poly_degree)),
    "classes": replace(PARAMETERS, num_classes=PARAMETERS.num_classes + 1),
}
SEED = Seed(bytes(32))
MODEL = constant_model((2, 3), 1, WIDTHS.fraction_bits)
BEGIN: dict[str, Callable[[Suite], object]] = {
    "querying party": lambda suite: querying_party_begin_setup(SESSION, suite, SEED),
    "guardian": lambda suite: privacy_guardian_begin_setup(SESSION, suite),
    "guardian, later": lambda suite: privacy_guardian_answer_setup(SESSION, suite, b"", {}, SEED),
    "answering party": lambda suite: answering_party_begin_setup(SESSION, suite, answering_party(1), MODEL, SEED),
}


@pytest.mark.req("CAPC-ROLE-015")
@pytest.mark.parametrize("role", BEGIN)
@pytest.mark.parametrize("other", OTHERS)
def test_every_role_refuses_a_suite_of_other_parameters(role: str, other: str) -> None:
    with pytest.raises(InputError, match="made for other parameters than the session's"):
        BEGIN[role](hybrid_suite(OTHERS[other]))
