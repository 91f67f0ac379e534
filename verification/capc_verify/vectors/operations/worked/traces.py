"""Single numbers of samplers, with every draw on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from capc.foundation.randomness import BytesSource
from capc.noise.bernoulli import bernoulli, bernoulli_exp_minus
from capc.noise.discrete_gaussian import discrete_gaussian, discrete_laplace
from capc.noise.gaussian import round_gaussian
from capc.noise.skellam import poisson, skellam
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.worked import told_samplers as told
from capc_verify.vectors.operations.worked.told_samplers import Tracer
from capc_verify.vectors.values import COUNT, DATA, INTEGER, RATIONAL, TEXT, choice, many

Told = Callable[[Tracer, Fraction], int]
Sampler = Callable[[BytesSource, Fraction], int]


class TracedSampler(StrEnum):
    """What draws one number."""

    BERNOULLI = "bernoulli"
    TRIAL = "bernoulli_exp_minus"
    LAPLACE = "discrete_laplace"
    DISCRETE = "discrete_gaussian"
    ROUNDED = "round_gaussian"
    POISSON = "poisson"
    SKELLAM = "skellam"


@dataclass(frozen=True)
class Pair:
    """A sampler as the text tells it, and as it is shipped."""

    told: Told
    shipped: Sampler


def _bernoulli(tracer: Tracer, probability: Fraction) -> int:
    return int(tracer.below("below(b) < a", probability.denominator) < probability.numerator)


PAIRS: Mapping[TracedSampler, Pair] = {
    TracedSampler.BERNOULLI: Pair(_bernoulli, bernoulli),
    TracedSampler.TRIAL: Pair(lambda tracer, gamma: int(told.trial(tracer, "", gamma)), bernoulli_exp_minus),
    TracedSampler.LAPLACE: Pair(
        lambda tracer, scale: told.laplace(tracer, int(scale)),
        lambda source, scale: discrete_laplace(source, int(scale)),
    ),
    TracedSampler.DISCRETE: Pair(told.discrete, discrete_gaussian),
    TracedSampler.ROUNDED: Pair(told.rounded, round_gaussian),
    TracedSampler.POISSON: Pair(lambda tracer, mean: told.poisson(tracer, "", mean), poisson),
    TracedSampler.SKELLAM: Pair(told.difference, skellam),
}


def _trace(call: Call) -> Result:
    pair, data, parameter = PAIRS[call["sampler"]], call["stream"], call["parameter"]
    source, tracer = BytesSource(data), Tracer(data)
    integer = int(pair.shipped(source, parameter))
    pair.told(tracer, parameter)
    draws = [
        f"{each.step.removeprefix(', ')} | {each.call} | {each.taken.hex() or '-'} | {each.value}"
        for each in tracer.draws
    ]
    return Result({"integer": integer, "consumed": source.consumed}, (), {"draws": draws})


TRACES = GroupType(
    "NoiseTrace",
    named(
        Operation(
            "sampler_trace",
            _trace,
            {"sampler": choice(TracedSampler), "parameter": RATIONAL, "stream": DATA},
            {"integer": INTEGER, "consumed": COUNT},
            {"draws": many(TEXT)},
        )
    ),
)
"""A number of each sampler; the draws are intermediate values, which a port need not expose."""
