"""The argmax under MP-SPDZ's yao, by two programs: this project's circuit, and one in MP-SPDZ's own integer types."""

from __future__ import annotations

from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc.interface.expected import learnt_as_expected
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.interface.steps import Step, argmax, argmax_types
from capc_mpc.spdz.costs import Costs
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.running import run


def with_own_circuit(machine: Machine, num_classes: int, logit_bits: int, vote_bits: int, instances: int) -> Costs:
    """The program that this project runs: tournament, additions of one AND per bit."""
    return _costs(machine, argmax(num_classes, logit_bits, vote_bits, instances))


def with_integer_types(machine: Machine, num_classes: int, logit_bits: int, vote_bits: int, instances: int) -> Costs:
    """The same inputs and outputs with MP-SPDZ's integers, comparisons and reduction by a tree."""
    return _costs(machine, argmax_types(num_classes, logit_bits, vote_bits, instances))


def _costs(machine: Machine, step: Step) -> Costs:
    """What a run of samples costs.

    Raises:
        ValueError: a vote is not the argmax in the clear.
    """
    done = run(step, sample_cases(step, XofSource(fresh_seed(), b"benchmark")), "yao", machine=machine)
    if not learnt_as_expected(step, done.cases, done.learnt):
        raise ValueError("yao's votes differ from the argmax in the clear")
    return done.costs
