"""Section 13: what the samplers of noise draw in an example, draw by draw."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from capc.foundation.randomness import BytesSource, Seed, XofSource
from capc.noise.discrete_gaussian import discrete_gaussian
from capc.noise.gaussian import round_gaussian
from capc.noise.skellam import skellam
from capc_verify.vectors.build import GenerationError
from capc_verify.vectors.operations.worked.told_samplers import Tracer, difference, discrete, rounded
from capc_verify.vectors.text.labels import SEED
from capc_verify.vectors.text.writing import table


def rounded_trace() -> str:
    """A number whose draws go through most of the steps."""
    return _trace(rounded, round_gaussian, Fraction(40), "rounded/476")


def discrete_trace() -> str:
    """Likewise."""
    return _trace(discrete, discrete_gaussian, Fraction(25, 4), "discrete/80")


def skellam_trace() -> str:
    """Likewise."""
    return _trace(difference, skellam, Fraction(3, 2), "skellam")


def _trace(
    told: Callable[[Tracer, Fraction], int],
    sampler: Callable[[BytesSource, Fraction], int],
    scale: Fraction,
    label: str,
) -> str:
    """One number from the stream of the example's seed under the label."""
    data = XofSource(Seed(SEED), label.encode("ascii")).read(256)
    tracer, source = Tracer(data), BytesSource(data)
    value = told(tracer, scale)
    if (value, tracer.consumed) != (sampler(source, scale), source.consumed):
        raise GenerationError(f"{label}: the text and the sampler disagree")
    rows: list[tuple[object, ...]] = [
        (each.step, each.call, each.taken.hex() or "-", each.value) for each in tracer.draws
    ]
    rows.append(("result", "", f"{tracer.consumed} in all", value))
    return table("step | draw | bytes | value", rows)
