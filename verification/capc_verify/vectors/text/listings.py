"""Section 18: parts of the reference's source, as it is but for its docstrings and empty lines."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from capc.linear.bfv.encoding import tiling
from capc.noise import bernoulli, discrete_gaussian, gaussian, lazy_uniform, skellam
from capc.steps import zero_sum
from capc.steps.privacy_guardian import release
from capc.two_party.circuits import arithmetic, tournament
from capc.two_party.garbling import half_gates, output_sharing
from capc.two_party.garbling.transfers import ggm_tree, ot_extension
from capc_verify.vectors.text.writing import listing

Function = Callable[..., Any]


def source_of(function: Function) -> list[str]:
    """The lines of a function without its docstring and empty lines."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    (tree,) = ast.parse("\n".join(lines)).body
    body = tree.body if isinstance(tree, ast.FunctionDef) else []
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.end_lineno is not None:
        lines[first.lineno - 1 : first.end_lineno] = []
    return [line for line in lines if line.strip()]


def _listing(*functions: Function) -> str:
    return "".join(listing(source_of(function), "python") for function in functions)


def samplers() -> str:
    """Noise."""
    series, trial = bernoulli.exp_minus_by_series, bernoulli.bernoulli_exp_minus
    rounded = gaussian._half_normal, gaussian._accept, gaussian._attempt, gaussian._nearest, gaussian.round_gaussian
    others = discrete_gaussian.discrete_laplace, discrete_gaussian.discrete_gaussian
    poisson = skellam.poisson, skellam._small_poisson, skellam.skellam
    return _listing(series, trial, lazy_uniform.bernoulli_uniform, *rounded, *others, *poisson)


def pieces() -> str:
    """Circuits."""
    words = arithmetic._add_with_carry, arithmetic.open_word, arithmetic.less_than, arithmetic.less_than_any
    return _listing(*words, arithmetic.select, arithmetic.all_of, tournament._play, tournament._spread)


def transfers() -> str:
    """Trees and extensions."""
    return _listing(ggm_tree.grow, ggm_tree.grow_all_but_one, ot_extension.extend_receive, ot_extension.extend_send)


def garbling() -> str:
    """One instance, and what shares its outputs."""
    both = half_gates.garble_instance, half_gates.evaluate_instance
    return _listing(*both, output_sharing.project_by_garbler, output_sharing.project_by_evaluator)


def layouts() -> str:
    """The choice of a layout."""
    return _listing(tiling.cheapest_layout)


def releasing() -> str:
    """Masks of step 2 and words of step 3."""
    return _listing(zero_sum.zero_sum_mask, release.add_noise)
