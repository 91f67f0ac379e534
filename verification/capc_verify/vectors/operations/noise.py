"""Noise: a byte stream in, integers out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.foundation.randomness import BytesSource
from capc.noise.bernoulli import bernoulli, bernoulli_exp_minus
from capc.noise.discrete_gaussian import discrete_gaussian, discrete_laplace
from capc.noise.gaussian import round_gaussian
from capc.noise.mechanism import mechanism_for
from capc.noise.skellam import poisson, skellam
from capc.privacy.accountants.ball_arithmetic import exact_upper
from capc.privacy.analysis.argmax_law import IntegerNoise, noise_masses
from capc.session.parameters import NoiseName
from capc_verify.vectors.figures import bounded
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.values import COUNT, DATA, INTEGER, INTEGERS, RATIONAL, Kind, choice

_GIVES = {"integers": INTEGERS, "consumed": COUNT}


def _sampler(name: str, parameter: str, kind: Kind, draw: Callable[[BytesSource, Fraction], int]) -> Operation:
    def run(call: Call) -> Result:
        source = BytesSource(call["stream"])
        integers = [int(draw(source, call[parameter])) for _ in range(call["count"])]
        return Result({"integers": integers, "consumed": source.consumed})

    return Operation(name, run, {parameter: kind, "count": COUNT, "stream": DATA}, _GIVES)


def _laplace(source: BytesSource, scale: Fraction) -> int:
    return discrete_laplace(source, int(scale))


def _mechanism(call: Call) -> Result:
    source = BytesSource(call["stream"])
    mechanism = mechanism_for(call["mechanism"], call["sigma_votes"], call["grid_bits"])
    return Result({"integers": mechanism.sample(source, call["count"]), "consumed": source.consumed})


def _law(call: Call) -> list[Fraction]:
    mechanism = mechanism_for(call["mechanism"], call["sigma_votes"], call["grid_bits"])
    if not isinstance(mechanism, IntegerNoise):
        raise InputError(f"the law of {mechanism.name.value} is unknown")
    masses, _ = noise_masses(mechanism)
    return [exact_upper(mass) for mass in masses[len(masses) // 2 :][: call["count"]]]


NOISE = GroupType(
    "Noise",
    named(
        _sampler("bernoulli", "probability", RATIONAL, bernoulli),
        _sampler("bernoulli_exp_minus", "gamma", RATIONAL, bernoulli_exp_minus),
        _sampler("discrete_laplace", "scale", INTEGER, _laplace),
        _sampler("discrete_gaussian", "variance", RATIONAL, discrete_gaussian),
        _sampler("round_gaussian", "sigma", RATIONAL, round_gaussian),
        _sampler("poisson", "mean", RATIONAL, poisson),
        _sampler("skellam", "variance", RATIONAL, skellam),
        bounded(
            "noise_law",
            _law,
            {"mechanism": choice(NoiseName), "sigma_votes": RATIONAL, "grid_bits": COUNT},
            several=True,
        ),
        Operation(
            "mechanism_sample",
            _mechanism,
            {
                "mechanism": choice(NoiseName),
                "sigma_votes": RATIONAL,
                "grid_bits": COUNT,
                "count": COUNT,
                "stream": DATA,
            },
            _GIVES,
        ),
    ),
)
