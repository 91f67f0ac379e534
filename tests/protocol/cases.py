"""Whole collaborations as hypothesis strategies: random K, C, l, w, models, queries and noise, edges included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from hypothesis import strategies as st

from capc.linear.interface import LinearScheme
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.protocol.collaboration import Collaboration
from capc.protocol.exchange import Observer
from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy, ThresholdMode, VoteVariant
from capc.session.session import Session
from capc.session.widths import ParameterSet
from capc.steps.suite import hybrid_suite, reference_suite
from capc.two_party.interface import TwoPartyScheme
from support.builders import fixed_mechanisms, make_participants, models

MODES = ("plain", "single_draw", "worst_case", "realised", "discrete")


@dataclass(frozen=True)
class Case:
    """A session, its models, queries, and noise: None for the real draws."""

    session: Session
    models: tuple[QuantisedModel, ...]
    queries: tuple[tuple[int, ...], ...]
    given_noise: tuple[int, ...] | None

    def collaborate(
        self,
        linear: LinearScheme | None,
        observer: Observer | None = None,
        two_party: TwoPartyScheme | None = None,
    ) -> Collaboration:
        """Ideal HE and two-party computation without a linear scheme, else the real suite."""
        parameters = self.session.parameters
        suite = hybrid_suite(parameters) if linear is None else reference_suite(parameters, linear, two_party)
        account = Account(parameters.release, parameters.widths.grid_bits, Fraction(10**9))
        if self.given_noise is not None:
            classes = parameters.num_classes
            answer, *checks = self.given_noise[:classes], self.given_noise[classes:]
            apart = parameters.release.threshold_sigma is not None
            account.mechanisms = fixed_mechanisms([answer], checks if apart else None)
            suite = replace(suite, mechanisms=account.mechanisms)
        return Collaboration(self.session, self.models, suite, account, observer=observer)


@st.composite
def cases(draw, mode: str, logit_bits=st.integers(8, 20)) -> Case:
    """A case in one of :data:`MODES`, whose votes are one circuit each."""
    num_answering = draw(st.integers(1, 4))
    num_classes = draw(st.integers(2, 5))
    num_features = draw(st.integers(1, 3))
    fraction_bits = draw(st.integers(0, 2))
    width = draw(logit_bits)
    variant = draw(st.sampled_from((VoteVariant.TOURNAMENT, VoteVariant.ALL_PAIRS)))
    grid_bits = draw(st.integers(0, 3))
    sigma = draw(st.fractions(Fraction(1, 4), Fraction(3), max_denominator=8))
    threshold = None
    if mode in {"single_draw", "worst_case", "realised"}:
        threshold = Fraction(draw(st.integers(0, num_answering << grid_bits)), 1 << grid_bits)
    policy = ReleasePolicy(
        mechanism=NoiseName.DISCRETE_GAUSSIAN if mode == "discrete" else NoiseName.ROUNDED_GAUSSIAN,
        sigma=sigma,
        threshold=threshold,
        threshold_sigma=None
        if mode not in {"worst_case", "realised"}
        else draw(st.fractions(Fraction(1, 4), Fraction(2), max_denominator=4)),
        charge=Charge.REALISED if mode == "realised" else Charge.WORST_CASE,
        adjacency=Adjacency.REPLACE_ONE,
        epsilon=Fraction(10),
        delta=Fraction(1, 10**5),
        threshold_mode=ThresholdMode.SINGLE_DRAW if mode == "single_draw" else ThresholdMode.TWO_DRAWS,
    )
    # The narrowest vote ring that the session admits: its edge is where a wrong bound would show.
    for vote_bits in range(2, 40):
        widths = ParameterSet("property", width, vote_bits, grid_bits, fraction_bits, 8, 4096, (56, 36, 17))
        parameters = Parameters(widths, num_classes, num_features, policy, variant)
        try:
            parameters.check_vote_range(num_answering)
        except ValueError:
            continue
        break
    given = None
    if draw(st.booleans()):
        most = (1 << (vote_bits - 1)) - 1 - (num_answering << grid_bits)
        extremes = st.one_of(st.integers(-most, most), st.sampled_from([-most, 0, most]), st.integers(-2, 2))
        # Of a check that both parties add a draw to, each draw is half as large at most.
        half = most // max(1, policy.check_draws)
        checks = st.one_of(st.integers(-half, half), st.sampled_from([-half, 0, half]), st.integers(-2, 2))
        given = (
            *draw(st.lists(extremes, min_size=num_classes, max_size=num_classes)),
            *draw(st.lists(checks, min_size=num_classes, max_size=num_classes)),
        )
    hidden = st.lists(st.integers(1, 2), max_size=2)
    sizes = [(num_features, *draw(hidden), num_classes) for _ in range(num_answering)]
    drawn = [draw(models(each, fraction_bits, width)) for each in sizes]
    session_id = draw(st.binary(min_size=32, max_size=32))
    one = 1 << fraction_bits
    feature = st.one_of(st.integers(-one, one), st.sampled_from([-one, 0, one]))
    queries = draw(st.lists(st.tuples(*[feature] * num_features), min_size=1, max_size=2))
    return Case(Session(parameters, session_id, make_participants(sizes)), tuple(drawn), tuple(queries), given)
