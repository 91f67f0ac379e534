"""Sessions, models, parameters, suites and accounts at any widths, with defaults that make tests fast."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from hypothesis import strategies as st

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.foundation.randomness import RandomSource, Seed
from capc.models.architecture import Activation, Architecture, StageShape, dense_architecture
from capc.models.model import QuantisedLayer, QuantisedModel, dense_model
from capc.models.operators import Dense
from capc.noise.mechanism import CostUnit, ReleaseMechanisms
from capc.noise.sensitivity import Sensitivity
from capc.privacy.account import Account
from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy, ThresholdMode
from capc.session.session import Participant, Session
from capc.session.widths import ParameterSet


def make_widths(logit_bits: int = 12, vote_bits: int = 11, grid_bits: int = 1, fraction_bits: int = 2) -> ParameterSet:
    """A parameter set of these widths; the HE parameters are those of `toy`."""
    toy = ParameterSet.named("toy")
    return ParameterSet(
        f"custom_l{logit_bits}_w{vote_bits}_g{grid_bits}_f{fraction_bits}",
        logit_bits,
        vote_bits,
        grid_bits,
        fraction_bits,
        toy.guard_bits,
        toy.he_poly_degree,
        toy.he_coefficient_bits,
    )


def make_policy(
    sigma: Fraction = Fraction(1),
    threshold: Fraction | None = None,
    threshold_sigma: Fraction | None = None,
    charge: Charge = Charge.WORST_CASE,
    mechanism: NoiseName = NoiseName.DISCRETE_GAUSSIAN,
) -> ReleasePolicy:
    """A policy with a wide budget."""
    return ReleasePolicy(
        mechanism=mechanism,
        sigma=sigma,
        threshold=threshold,
        threshold_sigma=threshold_sigma,
        charge=charge,
        adjacency=Adjacency.REPLACE_ONE,
        epsilon=Fraction(10),
        delta=Fraction(1, 10**6),
        renyi_order=Fraction(4) if mechanism is NoiseName.SKELLAM else None,
    )


def confident_policy(charge: Charge = Charge.WORST_CASE, threshold: Fraction = Fraction(1)) -> ReleasePolicy:
    """Confident-GNMax with little noise."""
    return make_policy(Fraction(1, 2), threshold, Fraction(1, 2), charge)


def single_draw_policy(threshold: Fraction = Fraction(1)) -> ReleasePolicy:
    """The same threshold, on the counts with the label's noise."""
    return replace(make_policy(Fraction(1, 2)), threshold=threshold, threshold_mode=ThresholdMode.SINGLE_DRAW)


def make_parameters(
    widths: ParameterSet | None = None,
    policy: ReleasePolicy | None = None,
    num_classes: int = 3,
    num_features: int = 2,
) -> Parameters:
    return Parameters(widths or make_widths(), num_classes, num_features, policy or make_policy())


def identity(party: Party) -> bytes:
    """32 public bytes that differ for every party."""
    return hashlib.sha256(str(party).encode()).digest()


def make_participants(models: Sequence[tuple[int, ...] | Architecture]) -> tuple[Participant, ...]:
    """Querying party, one answering party per entry (the widths of a dense model, or an architecture), and guardian."""
    answering = [
        Participant(
            answering_party(i),
            identity(answering_party(i)),
            model if isinstance(model, Architecture) else dense_architecture(model),
        )
        for i, model in enumerate(models, start=1)
    ]
    return (
        Participant(QUERYING_PARTY, identity(QUERYING_PARTY)),
        *answering,
        Participant(PRIVACY_GUARDIAN, identity(PRIVACY_GUARDIAN)),
    )


def make_session(
    parameters: Parameters | None = None,
    layer_sizes: Sequence[tuple[int, ...]] | None = None,
    session_id: bytes = bytes(range(32)),
    num_answering: int = 2,
) -> Session:
    """A session; without layer sizes every answering party has a linear model."""
    parameters = parameters or make_parameters()
    if layer_sizes is None:
        layer_sizes = [(parameters.num_features, parameters.num_classes)] * num_answering
    return Session(parameters, session_id, make_participants(layer_sizes))


def make_account(parameters: Parameters, queries: int = 1000) -> Account:
    """An account that admits exactly that many queries."""
    account = Account(parameters.release, parameters.widths.grid_bits, Fraction(0))
    return Account(parameters.release, parameters.widths.grid_bits, account.cost.worst_case * queries)


def constant_model(sizes: Sequence[int], winner: int, fraction_bits: int, strength: int = 1) -> QuantisedModel:
    """A model that votes for one class whatever the query is."""
    layers = [
        QuantisedLayer(tuple((0,) * before for _ in range(after)), (0,) * after)
        for before, after in itertools.pairwise(sizes)
    ]
    biases = tuple(strength if c == winner else 0 for c in range(sizes[-1]))
    layers[-1] = QuantisedLayer(layers[-1].weights, biases)
    return dense_model(tuple(layers), fraction_bits)


def model_of_all_endings() -> QuantisedModel:
    """Votes 1. The sums of its first layer are kept, and added to those of the second, which has ReLUs."""
    stages = (
        StageShape(Dense(2, 2), 0, Activation.NONE),
        StageShape(Dense(2, 2), 0, Activation.RELU, skips=(1,)),
        StageShape(Dense(2, 3), 2, Activation.VOTE),
    )
    zeros = ((0, 0),) * 3
    layers = [QuantisedLayer(zeros[:2], (0, 0))] * 2
    return QuantisedModel(Architecture(stages), (*layers, QuantisedLayer(zeros, (0, 1, 0))), 2)


@st.composite
def models(draw: st.DrawFn, sizes: Sequence[int], fraction_bits: int, logit_bits: int) -> QuantisedModel:
    """Any model of these widths that range analysis admits; extremes and all-zero weights (so ties) are frequent."""
    bounds = [1 << fraction_bits] * sizes[0]
    layers = []
    for before, after in itertools.pairwise(sizes):
        limit = (1 << (logit_bits - 2)) - 1
        weight = limit // (max(sum(bounds), 1) * 2)
        entries = st.integers(-weight, weight) | st.sampled_from([-weight, 0, weight])
        rows = draw(st.lists(st.tuples(*[entries] * before), min_size=after, max_size=after))
        most = limit // 2
        biases = draw(st.tuples(*[st.integers(-most, most) | st.sampled_from([-most, 0, 1, most])] * after))
        layers.append(QuantisedLayer(tuple(rows), biases))
        bounds = [
            (sum(abs(w) * bound for w, bound in zip(row, bounds, strict=True)) + abs(bias)) >> fraction_bits
            for row, bias in zip(rows, biases, strict=True)
        ]
    return dense_model(tuple(layers), fraction_bits)


def queries(num_features: int, fraction_bits: int) -> st.SearchStrategy[list[int]]:
    one = 1 << fraction_bits
    return st.lists(st.integers(-one, one), min_size=num_features, max_size=num_features)


def seeds() -> st.SearchStrategy[Seed]:
    return st.binary(min_size=32, max_size=32).map(Seed)


def counter_seeds(name: str = "test") -> Callable[[], Seed]:
    """A deterministic source of seeds: SHA-256 of a name and a counter. For tests only."""
    count = 0

    def draw() -> Seed:
        nonlocal count
        count += 1
        return Seed(hashlib.sha256(f"{name}/{count}".encode()).digest())

    return draw


@dataclass(frozen=True)
class FixedNoise:
    """A mechanism whose draws are chosen by the test, in grid units: one list per call, the last one repeated."""

    calls: tuple[tuple[int, ...], ...]
    log: list[tuple[int, ...]] = field(default_factory=list, compare=False)
    name: NoiseName = NoiseName.DISCRETE_GAUSSIAN
    unit: CostUnit = CostUnit.RHO

    def sample(self, source: RandomSource, count: int) -> list[int]:
        """The next chosen draws; one byte is read, as a law would."""
        source.read(1)
        drawn = self.calls[min(len(self.log), len(self.calls) - 1)]
        self.log.append(drawn)
        if len(drawn) != count:
            raise AssertionError(f"{len(drawn)} draws were chosen, {count} are asked for")
        return list(drawn)

    def cost(self, squared_sensitivity: Fraction) -> Fraction:
        return squared_sensitivity

    def rdp_cost(self, order: Fraction, sensitivity: Sensitivity) -> Fraction:
        return order * sensitivity.squared


def fixed_mechanisms(
    answer: Sequence[Sequence[int]], threshold: Sequence[Sequence[int]] | None = None
) -> ReleaseMechanisms:
    check = None if threshold is None else FixedNoise(tuple(map(tuple, threshold)))
    return ReleaseMechanisms(FixedNoise(tuple(map(tuple, answer))), check)
