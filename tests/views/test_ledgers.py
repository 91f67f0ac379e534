"""What parties see of a ledger: its proofs, its charges opened, its size, and the moment at which its budget ends.

Hashes, commitments and signatures are ideal (:mod:`capc_verify.views.symbols`). Two queries, one after the other, each
a batch; every answering party looks before and after each of them and asks for the charge.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction

import pytest

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.models.model import QuantisedModel
from capc.session.parameters import Charge
from capc_verify.views.enumeration import Draw
from capc_verify.views.fixes import (
    FRESH_SHARES,
    LOGIT_SHARES,
    ZERO_SUM,
    Coalition,
    Source,
    first_of,
    in_step,
    owned_by,
    seen_values,
)
from capc_verify.views.law import Law, are_one, distance, image, worst_conditional_distance
from capc_verify.views.playback import Playback, PlayedView, output_and_randomness, output_of, without_output
from capc_verify.views.toy import TWO_SIDED, VOTES_0, VOTES_1, scaled_products, toy_parameters
from support.sizes import some

AP_1, AP_2, AP_3 = (answering_party(index) for index in (1, 2, 3))
TWO_QUERIES = [[(1,)], [(1,)]]
CHECK, ANSWER = Fraction(2), Fraction(2)
"""What a check and an answer cost under the toy's policy."""
BOTH = 2 * (CHECK + ANSWER)
"""A budget for two queries, answered or not."""
SECOND_IF_WITHHELD = 2 * CHECK + ANSWER
"""A budget that admits a second query in realised mode only, and only if the first was not answered."""
INPUTS = some([(-1, VOTES_0), (-1, VOTES_1), (1, VOTES_1), (1, VOTES_0)], ordinary=2)
"""A query, and the model of the honest answering party: beside VOTES_0 it agrees or not. Ordinarily both differ."""


def own_noise_of_labels(source: Source, draw: Draw) -> int | None:
    """The guardian's noise on the two classes is constant: it decides labels, not whether there is one."""
    return 0 if source.step == "privacy_guardian_release" and draw.position < 2 else None


def law_of_run(
    coalition: Coalition,
    query: int,
    models: Sequence[QuantisedModel],
    charge: Charge,
    budget: Fraction,
    before: Sequence[bool] = (),
) -> Law:
    """Two queries under a threshold of 2 votes, for a coalition that gets no share of the honest parties' secrets."""
    parameters = toy_parameters(4, threshold=2, charge=charge)
    constants = [in_step(step, salt=5) for step in (FRESH_SHARES, LOGIT_SHARES, ZERO_SUM)]
    fix = first_of(owned_by(coalition - {PRIVACY_GUARDIAN}, salt=4), *constants, own_noise_of_labels)
    playback = Playback(parameters, models, fix, budget=budget, before=before)
    return playback.run_law([[(query,)], [(query,)]], coalition)


def laws_of_runs(members: int, charge: Charge, budget: Fraction) -> list[Law]:
    """The first answering parties' laws, for two queries and two models of an honest one."""
    coalition = frozenset(answering_party(index) for index in range(1, members + 1))
    return [law_of_run(coalition, x, [VOTES_0] * members + [honest], charge, budget) for x, honest in INPUTS]


def took_place(seen: Hashable) -> Hashable:
    """How many queries the budget admitted."""
    assert isinstance(seen, PlayedView)
    assert isinstance(seen.output, tuple)
    return len(seen.output)


def assert_one_view(laws: Sequence[Law]) -> None:
    views = [without_output(law) for law in laws]
    assert are_one(views)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-002", kind="enumeration")
@pytest.mark.parametrize("charge", list(Charge))
def test_while_a_budget_lasts_the_ledger_tells_an_answering_party_nothing(charge: Charge) -> None:
    laws = laws_of_runs(1, charge, BOTH)
    assert_one_view(laws)
    # What was released does depend on the models: it is the ledger that does not show it.
    assert distance(laws[0], laws[1]) > 0


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-007", kind="enumeration")
@pytest.mark.parametrize("charge", list(Charge))
def test_while_a_budget_lasts_the_ledger_tells_two_answering_parties_nothing(charge: Charge) -> None:
    assert_one_view(laws_of_runs(2, charge, BOTH))


@pytest.mark.req("CAPC-SEC-011", kind="enumeration")
@pytest.mark.parametrize("members", [1, 2])
def test_in_worst_case_mode_the_end_of_a_budget_tells_answering_parties_nothing(members: int) -> None:
    laws = laws_of_runs(members, Charge.WORST_CASE, SECOND_IF_WITHHELD)
    assert_one_view(laws)
    assert {took_place(seen) for law in laws for seen in law} == {1}


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-011", kind="enumeration")
@pytest.mark.parametrize("members", [1, 2])
def test_in_realised_mode_the_end_of_a_budget_tells_how_many_were_answered_and_nothing_else(members: int) -> None:
    laws = laws_of_runs(members, Charge.REALISED, SECOND_IF_WITHHELD)
    # The view alone differs: whether the honest party agrees changes when the budget ends.
    assert distance(without_output(laws[0]), without_output(laws[1])) > 0
    assert {took_place(seen) for seen in laws[0]} == {1, 2}
    # It differs by nothing else.
    for law in laws[1:]:
        assert worst_conditional_distance(_views(law), _views(laws[0]), took_place) == 0


def _views(law: Law) -> Law:
    """Without the labels themselves, which answering parties are not given."""
    return image(law, lambda seen: seen._replace(output=(0,) * len(seen.output)))  # type: ignore[attr-defined]


@pytest.mark.req("CAPC-SEC-011", kind="enumeration")
@pytest.mark.parametrize("party", [QUERYING_PARTY, AP_1], ids=str)
@pytest.mark.parametrize("charge", list(Charge))
def test_of_other_sessions_a_ledger_tells_how_many_queries_were_answered_where_the_budget_ends(
    party: Party, charge: Charge
) -> None:
    """Four queries of others were charged, in a session in which nobody of this one takes part."""
    histories = [(False, False, True, True), (True, True, False, False), (False, True, True, True), (True,) * 4]
    fix = owned_by(frozenset({QUERYING_PARTY, AP_1, PRIVACY_GUARDIAN}), salt=6)

    def law(history: Sequence[bool], budget: Fraction) -> Law:
        playback = Playback(
            toy_parameters(4, threshold=1, charge=charge), [VOTES_0], fix, budget=budget, before=history
        )
        return playback.run_law(TWO_QUERIES, frozenset({party}))

    # Four at their full cost are 16, which leaves no room for a query in 18. An account that gives back has spent 12,
    # 12, 14 and 16: it admits two queries, which are withheld, or one, or none.
    for budget, ends in ((Fraction(40), False), (Fraction(18), True)):
        laws = [law(history, budget) for history in histories]
        assert distance(laws[0], laws[1]) == 0
        tells = ends and charge is Charge.REALISED
        assert [distance(laws[0], other) > 0 for other in laws[2:]] == [tells, tells]


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-003", "CAPC-SEC-006", kind="enumeration")
@pytest.mark.parametrize("coalition", [frozenset({PRIVACY_GUARDIAN}), frozenset({PRIVACY_GUARDIAN, AP_1})], ids=len)
@pytest.mark.parametrize("budget", [BOTH, SECOND_IF_WITHHELD], ids=["lasts", "ends"])
def test_in_worst_case_mode_a_ledger_tells_its_owner_nothing(coalition: Coalition, budget: Fraction) -> None:
    """One query, and the second refused or not. Vote shares are conditions here: their law is shown elsewhere."""
    laws = [guardian_law(coalition, honest, Charge.WORST_CASE, budget) for honest in (VOTES_0, VOTES_1)]
    assert_one_view(laws)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-004", kind="enumeration")
def test_in_realised_mode_a_ledger_tells_its_owner_the_answered_bits_only() -> None:
    coalition = frozenset({PRIVACY_GUARDIAN})
    laws = [guardian_law(coalition, honest, Charge.REALISED, SECOND_IF_WITHHELD) for honest in (VOTES_0, VOTES_1)]

    def bits(seen: Hashable) -> Hashable:
        assert isinstance(seen, PlayedView)
        assert isinstance(seen.output, tuple)
        return tuple(label is not None for label in seen.output), seen.randomness

    views = [image(law, lambda seen: seen._replace(output=bits(seen)[0])) for law in laws]  # type: ignore[attr-defined, index]
    assert worst_conditional_distance(views[0], views[1], output_and_randomness) == 0
    assert distance(views[0], views[1]) > 0


def guardian_law(coalition: Coalition, honest: QuantisedModel, charge: Charge, budget: Fraction) -> Law:
    """AP_2 is honest; its share and masks are constants, so what it sends the guardian is a condition."""
    parameters = toy_parameters(4, threshold=2, charge=charge)
    constants = first_of(in_step(FRESH_SHARES, salt=5), in_step(LOGIT_SHARES, salt=5), in_step(ZERO_SUM, salt=5))
    fix = first_of(owned_by(coalition - {PRIVACY_GUARDIAN}, salt=4), constants, own_noise_of_labels)
    return Playback(parameters, [VOTES_0, honest], fix, budget=budget).run_law(TWO_QUERIES, coalition)


@pytest.mark.req("CAPC-SEC-001", kind="enumeration")
@pytest.mark.parametrize("budget", [BOTH, CHECK + ANSWER], ids=["lasts", "ends"])
def test_given_the_label_a_ledger_tells_the_querying_party_nothing(budget: Fraction) -> None:
    """A query, and after it another one or a refusal."""
    alone, seen = frozenset({QUERYING_PARTY}), {0: 3, 1: 6}
    laws = [coalition_law([model], alone, seen, budget) for model in (VOTES_0, VOTES_1)]
    assert worst_conditional_distance(laws[0], laws[1], output_and_randomness) == 0
    assert image(laws[0], output_of) != image(laws[1], output_of)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-005", kind="enumeration")
@pytest.mark.parametrize("seen", [{0: 0, 1: 5}, {0: 3, 1: 6}])
def test_opened_charges_tell_the_querying_party_and_all_answering_parties_but_one_nothing(seen: dict[int, int]) -> None:
    """Given the label. The audit of a hash of vote shares: this coalition forms every candidate for the last one."""
    laws = [coalition_law([VOTES_1, honest], frozenset({QUERYING_PARTY, AP_1}), seen) for honest in (VOTES_0, VOTES_1)]
    assert worst_conditional_distance(laws[0], laws[1], output_and_randomness) == 0
    assert image(laws[0], output_of) != image(laws[1], output_of)


@pytest.mark.slow
@pytest.mark.req("CAPC-SEC-005", kind="enumeration")
def test_opened_charges_tell_them_nothing_of_the_histogram_of_two_honest_parties() -> None:
    seen = {0: 3, 1: 6}
    coalition = frozenset({QUERYING_PARTY, AP_1})
    honest = [(VOTES_0, VOTES_0), (VOTES_0, VOTES_1), (VOTES_1, VOTES_0), (VOTES_1, VOTES_1)]
    laws = [coalition_law([VOTES_1, *models], coalition, seen) for models in honest]
    for law in laws[1:]:
        assert worst_conditional_distance(law, laws[0], output_and_randomness) == 0
    assert image(laws[0], output_of) != image(laws[3], output_of)


def coalition_law(
    models: Sequence[QuantisedModel], coalition: Coalition, seen: Mapping[int, int], budget: Fraction = CHECK + ANSWER
) -> Law:
    """Two queries or one, under the condition that the querying party sees these shares from every honest party."""
    honest = {
        answering_party(i + 1): model for i, model in enumerate(models) if answering_party(i + 1) not in coalition
    }
    fix = first_of(
        owned_by(coalition, salt=2),
        seen_values(LOGIT_SHARES, {party: scaled_products(model, 1) for party, model in honest.items()}, seen),
        seen_values(FRESH_SHARES, {party: _onehot(model) for party, model in honest.items()}, seen),
        in_step(ZERO_SUM, salt=2),
    )
    playback = Playback(toy_parameters(4, noise=TWO_SIDED), models, fix, budget=budget)
    return playback.run_law(TWO_QUERIES, coalition)


def _onehot(model: QuantisedModel) -> list[int]:
    logits = model.logits((1,))
    return [int(c == logits.index(max(logits))) for c in range(len(logits))]
