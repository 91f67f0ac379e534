"""What a program's head demands of inputs that no party can check alone: it needs the shares of all.

For runs whose inputs come from one file, such as an example; where parties hold their shares the protocol sees to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation.errors import InputError
from capc_mpc.interface.encoding import Case
from capc_mpc.interface.expected import logits_of
from capc_mpc.interface.steps import Step

_LOGITS = frozenset({"argmax", "argmax_ml", "argmax_types", "multi_label_vote"})


def check_precondition(step: Step, cases: Sequence[Case]) -> None:
    """Checks what the program's head demands of all parties' inputs together.

    Args:
        step: program and arguments.
        cases: complete but for what the runner draws.

    Raises:
        InputError: a case breaks it; the line has the case, the place and the value.
    """
    if step.program not in _LOGITS:
        return
    width = next(field.width for field in step.fields if field.name == "masks")
    bound = 1 << width - 2
    for number, case in enumerate(cases):
        for place, logit in enumerate(logits_of(case, width)):
            if not -bound < logit < bound:
                raise InputError(
                    f"case {number}, logit {place} (--inputs): the shares add up to {logit}, and logits of {width} "
                    f"bits are above -{bound} and below {bound}"
                )
