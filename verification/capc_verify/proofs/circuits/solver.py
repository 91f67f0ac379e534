"""One question to the solver at a time: a conclusion from assumptions, or a counterexample."""

from __future__ import annotations

from collections.abc import Sequence

import z3

from capc.foundation.errors import CapcError

TIMEOUT_SECONDS = 300


class ProofFailedError(CapcError):
    """A conclusion does not follow, or the solver gave up.

    Attributes:
        claim: what was to be proved.
        values: constants of a counterexample by name; empty if the solver gave up.
    """

    def __init__(self, claim: str, values: dict[str, int]) -> None:
        super().__init__(f"not proved: {claim}")
        self.claim = claim
        self.values = values


def prove(claim: str, assumptions: Sequence[z3.BoolRef], conclusion: z3.BoolRef) -> None:
    """Proves that the conclusion follows for all values of the constants.

    Raises:
        ProofFailedError: it does not, or the solver gave up.
    """
    values = counterexample(claim, assumptions, conclusion)
    if values is not None:
        raise ProofFailedError(claim, values)


def counterexample(claim: str, assumptions: Sequence[z3.BoolRef], conclusion: z3.BoolRef) -> dict[str, int] | None:
    """Values of constants that meet the assumptions and not the conclusion; None if there are none.

    Raises:
        ProofFailedError: the solver gave up.
    """
    solver = z3.Solver()
    solver.set("timeout", TIMEOUT_SECONDS * 1000)
    solver.add(*assumptions, z3.Not(conclusion))
    verdict = solver.check()
    if verdict == z3.unsat:
        return None
    if verdict == z3.unknown:
        raise ProofFailedError(claim, {})
    model = solver.model()
    return {str(name): model[name].as_long() for name in model.decls() if not z3.is_bool(model[name])}
