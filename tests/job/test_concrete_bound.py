"""The concrete bound of a run: the formula of section 05 with exact numbers, and the rows that a run really hashed."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.report import document
from capc.linear.ideal import IdealLinear
from capc.two_party.garbling.concrete_bound import garbling_bound
from capc.two_party.garbling.hash_keys import KEY_ROWS
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.hash_use import HashUse
from capc.two_party.vectorised import VectorisedTwoParty
from job.stand_in import Opener, Recorder, validate
from protocol.stages import LOGIT_BITS, staged_cases
from support.hashing import count_hashes
from support.sizes import examples

USES = st.lists(st.integers(1, KEY_ROWS), min_size=1, max_size=9).map(
    lambda rows: HashUse(len(rows), sum(rows), max(rows), sum(n * n for n in rows))
)


def advantage(use: HashUse, bits: float) -> Decimal:
    """Of 2^bits evaluations: 2^(p - 127) m + S / 2^127."""
    return (Decimal(2) ** Decimal(repr(bits)) * use.most + use.squares) / Decimal(2) ** 127


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-012")
@given(USES, st.integers(0, 400_000), st.integers(1, 30))
def test_figures_are_where_the_bound_reaches_its_limit(use: HashUse, thousandths: int, exponent: int) -> None:
    """A figure keeps the bound, and a tenth more does not; None where not even one evaluation does."""
    epsilon, delta = Fraction(thousandths, 1000), Fraction(1, 10**exponent)
    bound = garbling_bound(use, epsilon, delta)
    assert bound is not None
    with localcontext() as context:
        context.prec = 400
        factor = 1 + (Decimal(thousandths) / 1000).exp()
        for figure, limit in ((bound.run_bits, Decimal(1)), (bound.delta_bits, Decimal(10) ** -exponent / factor)):
            if figure is None:
                assert advantage(use, -60.0) > limit
                continue
            assert advantage(use, figure) <= limit * (1 + Decimal(10) ** -9)
            assert advantage(use, figure + 0.1001) > limit
        assert Decimal(2) ** Decimal(repr(bound.key_bits)) * use.most <= Decimal(2) ** 127 * (1 + Decimal(10) ** -9)
    assert bound.key_bits >= 110


@pytest.mark.req("CAPC-GC-012")
def test_the_figures_of_section_05() -> None:
    """A full key leaves 110 bits, and 78.9 at epsilon = 10 and delta = 1e-5; nothing hashed has no bound."""
    bound = garbling_bound(HashUse(1, KEY_ROWS, KEY_ROWS, KEY_ROWS**2), Fraction(10), Fraction(1, 10**5))
    assert bound is not None
    assert (bound.key_bits, bound.run_bits, bound.delta_bits) == (110.0, 110.0, 78.9)
    assert garbling_bound(HashUse(), Fraction(10), Fraction(1, 10**5)) is None


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-012")
@pytest.mark.parametrize("scheme", [GarbledTwoParty(), VectorisedTwoParty()], ids=["readable", "fast"])
@settings(max_examples=examples(ordinary=4, nightly=100))
@given(st.data())
def test_a_collaboration_tells_what_aes_hashed(scheme: GarbledTwoParty, data: st.DataObject) -> None:
    """Garblers hash both labels of a row, and evaluators one: a third of AES's work is the rows that are told."""
    case = data.draw(staged_cases())
    with pytest.MonkeyPatch.context() as patch:
        counted = count_hashes(patch)
        collaboration = case.collaborate(IdealLinear(LOGIT_BITS), two_party=type(scheme)())
        assert collaboration.hash_use == HashUse()
        collaboration.label_batch(case.queries)
        collaboration.label_prepared(collaboration.prepare(1), case.queries[:1])
    use, hashed = collaboration.hash_use, counted.values()
    rows = [count // 3 for count in hashed]
    assert use == HashUse(len(rows), sum(rows), max(rows), sum(n * n for n in rows))


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-012", "CAPC-RUN-008")
def test_the_report_has_the_bound_from_the_first_query_on() -> None:
    job = Job(prepare(resolve({"parties": "2", "queries": "2", "epsilon": "10"})), Recorder(), Opener())
    assert document(job.state)["garbling"] is None
    job.run()
    report: Any = document(job.state)
    validate(report)
    use = job.state.turns[0].labeller.hash_use  # type: ignore[union-attr]
    shown = report["garbling"]
    assert (shown["hash_keys"], shown["rows"], shown["most_rows"]) == use[:3]
    delta = Fraction(repr(report["privacy"]["delta"]))
    bound = garbling_bound(use, Fraction(10), delta)
    assert bound is not None
    assert (shown["key_bits"], shown["run_bits"], shown["delta_bits"]) == (
        bound.key_bits,
        bound.run_bits,
        bound.delta_bits,
    )
