"""What answering parties see, alone and together: that a query took place, and nothing else."""

from __future__ import annotations

import pytest

from capc.foundation.parties import Party
from capc.models.model import QuantisedModel
from capc.session.parameters import Charge
from capc_verify.views.fixes import FRESH_SHARES, first_of, in_step, owned_by
from capc_verify.views.law import Law, are_one, distance
from capc_verify.views.playback import Playback, Until, without_output
from capc_verify.views.toy import AP_1, AP_2, VOTES_0, VOTES_1, toy_parameters
from support.sizes import ordinarily, some

QUERIES = (-1, 0, 1)


@pytest.mark.req("CAPC-SEC-002", kind="enumeration")
@pytest.mark.parametrize("charge", list(Charge))
@pytest.mark.parametrize(("ahead", "salt"), [(False, 0), (False, 1), (True, 0)])
def test_view_of_a_whole_query_has_one_law_for_all_queries(charge: Charge, ahead: bool, salt: int) -> None:
    # Its own draws are constants; of a prepared batch every mask, and every outcome of all others' noise is played.
    parameters = toy_parameters(3, threshold=1, charge=charge)
    playback = Playback(parameters, [VOTES_0], owned_by(frozenset({AP_1}), salt))
    released = [playback.law((x,), frozenset({AP_1}), ahead=ahead) for x in QUERIES]
    views = [without_output(law) for law in released]
    assert are_one(views)
    # The query matters for what is released: it is the view that does not show it.
    assert distance(released[0], released[2]) > 0


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-002", kind="enumeration")
def test_view_up_to_aggregation_has_one_law_for_all_queries_and_other_models() -> None:
    assert_one_law(frozenset({AP_1}), [VOTES_0])


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-007", kind="enumeration")
def test_view_of_two_answering_parties_has_one_law_for_all_queries_and_other_models() -> None:
    assert_one_law(frozenset({AP_1, AP_2}), [VOTES_0, VOTES_1])


@pytest.mark.req("CAPC-SEC-007", kind="enumeration")
def test_view_of_all_answering_parties_has_one_law_for_all_queries() -> None:
    coalition = frozenset({AP_1, AP_2})
    playback = Playback(toy_parameters(3, threshold=2), [VOTES_0, VOTES_1], owned_by(coalition, salt=2))
    views = [without_output(playback.law((x,), coalition)) for x in QUERIES]
    assert are_one(views)


def assert_one_law(coalition: frozenset[Party], own_models: list[QuantisedModel]) -> None:
    """Plays every outcome of an honest answering party's draws, for several queries and models of its own.

    Ordinarily for two pairs of which both the query and the model differ, and with one sharing of what circuits give:
    the querying party sees the other half of it.
    """
    laws: list[Law] = []
    for x, honest in some([(-1, VOTES_0), (-1, VOTES_1), (1, VOTES_1), (1, VOTES_0)], ordinary=2):
        fix = first_of(owned_by(coalition, salt=3), ordinarily(in_step(FRESH_SHARES, salt=3)))
        playback = Playback(toy_parameters(2, releases=False), [*own_models, honest], fix)
        laws.append(playback.law((x,), coalition, Until.AGGREGATION))
    assert are_one(laws)
