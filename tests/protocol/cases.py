"""Whole collaborations as hypothesis strategies: random K, C, l, w, models, queries and noise, edges included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import strategies as st

from capc.accounting import Account
from capc.exchange import Observer
from capc.linear import LinearScheme
from capc.model import QuantisedLayer, QuantisedModel, dense_model
from capc.noise.mechanism import ReleaseMechanisms
from capc.noise.sensitivity import Sensitivity
from capc.parameters import Adjacency, Charge, NoiseName, Parameters, ParameterSet, ReleasePolicy, VoteVariant
from capc.protocol import Collaboration
from capc.randomness import RandomSource
from capc.session import Session
from capc.suite import hybrid_suite, reference_suite
from capc.two_party import TwoPartyScheme
from support.builders import make_participants

MODES = ("plain", "worst_case", "realised", "discrete")


@dataclass(frozen=True)
class GivenNoise:
    """A mechanism whose draws are chosen by the test; its cost is that of the mechanism it stands for."""

    values: tuple[int, ...]
    inner: object

    @property
    def name(self):
        return self.inner.name

    @property
    def unit(self):
        return self.inner.unit

    def sample(self, source: RandomSource, count: int) -> list[int]:
        source.read(1)
        return [self.values[i % len(self.values)] for i in range(count)]

    def cost(self, squared_sensitivity: Fraction) -> Fraction:
        return self.inner.cost(squared_sensitivity)

    def renyi_cost(self, order: Fraction, sensitivity: Sensitivity) -> Fraction:
        return self.inner.renyi_cost(order, sensitivity)


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
            mechanisms = suite.mechanisms
            threshold = mechanisms.threshold and GivenNoise(self.given_noise[-1:], mechanisms.threshold)
            suite = replace(
                suite, mechanisms=ReleaseMechanisms(GivenNoise(self.given_noise, mechanisms.answer), threshold)
            )
            account.mechanisms = suite.mechanisms
        return Collaboration(self.session, self.models, suite, account, observer=observer)


def layers(limit: int, fraction_bits: int, sizes: tuple[int, ...]) -> st.SearchStrategy[tuple[QuantisedLayer, ...]]:
    """Layers none of whose sums can reach ``limit``; extremes and all-zero weights (so ties) are frequent."""
    strategies = []
    bound = 1 << fraction_bits
    for inputs, outputs in pairwise(sizes):
        weight = (limit - 1) // (2 * inputs * bound)
        weights = st.one_of(st.integers(-weight, weight), st.sampled_from([-weight, 0, weight]))
        bias = (limit - 1) // 2
        biases = st.one_of(st.integers(-bias, bias), st.sampled_from([-bias, 0, 1, bias]))
        rows = st.tuples(*[st.tuples(*[weights] * inputs)] * outputs)
        strategies.append(st.builds(QuantisedLayer, rows, st.tuples(*[biases] * outputs)))
        bound = max((limit - 1) >> fraction_bits, 1)
    return st.tuples(*strategies)


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
    if mode in {"worst_case", "realised"}:
        threshold = Fraction(draw(st.integers(0, num_answering << grid_bits)), 1 << grid_bits)
    policy = ReleasePolicy(
        mechanism=NoiseName.DISCRETE_GAUSSIAN if mode == "discrete" else NoiseName.ROUNDED_GAUSSIAN,
        sigma=sigma,
        threshold=threshold,
        threshold_sigma=None
        if threshold is None
        else draw(st.fractions(Fraction(1, 4), Fraction(2), max_denominator=4)),
        charge=Charge.REALISED if mode == "realised" else Charge.WORST_CASE,
        adjacency=Adjacency.REPLACE_ONE,
        epsilon=Fraction(10),
        delta=Fraction(1, 10**5),
    )
    # The narrowest vote ring that the session admits: its edge is where a wrong bound would show.
    for vote_bits in range(2, 40):
        widths = ParameterSet("property", width, vote_bits, grid_bits, fraction_bits, 4096, (46, 46, 17), 40, 0)
        parameters = Parameters(widths, num_classes, num_features, policy, variant)
        try:
            parameters.check_vote_range(num_answering)
        except ValueError:
            continue
        break
    given = None
    if draw(st.booleans()):
        most = (1 << (vote_bits - 2)) - 1 - (num_answering << grid_bits)
        extremes = st.one_of(st.integers(-most, most), st.sampled_from([-most, 0, most]), st.integers(-2, 2))
        threshold_most = parameters.noise_bound(policy.threshold_sigma) if policy.threshold_sigma else 0
        given = (
            *draw(st.lists(extremes, min_size=num_classes, max_size=num_classes)),
            draw(st.integers(-threshold_most, threshold_most)),
        )
    models = []
    for _ in range(num_answering):
        hidden = draw(st.lists(st.integers(1, 2), max_size=2))
        sizes = (num_features, *hidden, num_classes)
        models.append(dense_model(draw(layers(1 << (width - 2), fraction_bits, sizes)), fraction_bits))
    participants = make_participants([model.layer_sizes for model in models])
    session_id = draw(st.binary(min_size=32, max_size=32))
    one = 1 << fraction_bits
    feature = st.one_of(st.integers(-one, one), st.sampled_from([-one, 0, one]))
    queries = draw(st.lists(st.tuples(*[feature] * num_features), min_size=1, max_size=2))
    return Case(Session(parameters, session_id, participants), tuple(models), tuple(queries), given)
