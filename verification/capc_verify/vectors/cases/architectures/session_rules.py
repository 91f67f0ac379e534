"""Session documents that break a rule of their models' layers, and another one: which is looked at first."""

from __future__ import annotations

from typing import Any

from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.operators import Dense
from capc_verify.vectors.build import GroupBuilder
from capc_verify.vectors.cases.common import TOY_CLASSES, TOY_FEATURES, policy, toy_session
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.protocol.sessions import SESSION


def _stages(skips: int, **figures: int) -> list[dict[str, Any]]:
    """A layer without activation, whose sums the logits add so often; both layers state these figures."""
    sums = StageShape(Dense(TOY_FEATURES, TOY_CLASSES), 0, Activation.NONE, **figures)  # type: ignore[arg-type]  # of integers only
    logits = StageShape(Dense(TOY_FEATURES, TOY_CLASSES), 0, Activation.VOTE, (1,) * skips, **figures)  # type: ignore[arg-type]  # of integers only
    return Architecture((sums, logits)).document()


def _hidden(weight_bits: int) -> list[dict[str, Any]]:
    """A layer of ReLUs whose weights have so many fraction bits, and a vote."""
    hidden = StageShape(Dense(TOY_FEATURES, 1), 0, Activation.RELU, weight_bits=weight_bits)
    return Architecture((hidden, StageShape(Dense(1, TOY_CLASSES), 1, Activation.VOTE))).document()


_TOO_MANY_SKIPS = 63
"""Of sums, whose errors and one's own are 64, where the guard bits have room for 63."""
_TOO_MANY_BITS = 11
"""Of weights, or of what sums state: rings of 12 bits have room for 10."""
_ORDER: tuple[tuple[str, str, str, list[Any], str], ...] = (
    ("figures", "Bits of weights alone.", "CAPC-PARAM-055", [_hidden(_TOO_MANY_BITS), None], "input_error"),
    (
        "stated_bound",
        "A stated bound alone.",
        "CAPC-PARAM-056",
        [_stages(0, sum_bits=_TOO_MANY_BITS), None],
        "input_error",
    ),
    ("errors", "Errors of responses alone.", "CAPC-HE-017", [_stages(_TOO_MANY_SKIPS), None], "parameter_error"),
    (
        "stated_bound_before_errors",
        "A stated bound, and errors of responses, of one party.",
        "CAPC-ROLE-024",
        [_stages(_TOO_MANY_SKIPS, sum_bits=_TOO_MANY_BITS), None],
        "input_error",
    ),
    (
        "errors_of_an_earlier_party",
        "Errors of responses of AP_1, and bits of weights of AP_2.",
        "CAPC-ROLE-024",
        [_stages(_TOO_MANY_SKIPS), _hidden(_TOO_MANY_BITS)],
        "parameter_error",
    ),
)
"""Which rule of a session document is looked at first: name, what is wrong, statement, architectures, code."""


def order_of_rules(group: GroupBuilder) -> None:
    """Documents that break one rule of layers, or two."""
    for name, comment, requirement, stages, code in _ORDER:
        document = SESSION.read(toy_session(group.source, policy()).document())
        for participant, made in zip(document["participants"][1:], stages, strict=False):
            participant["architecture"] = made or participant["architecture"]
        fault = Fault.of_caller(code)
        group.case(
            "session_tag", f"order_{name}", comment, [requirement], ["BadParameter"], session=document, fault=fault
        )
    document = SESSION.read(toy_session(group.source, policy()).document())
    document["participants"][1]["architecture"] = _hidden(_TOO_MANY_BITS)
    identity = document["participants"][1]["identity"]
    document["participants"][2]["identity"] = identity
    comment = "Bits of weights of AP_1, and AP_2 has its identity."
    group.case(
        "session_tag",
        "order_figures_before_a_later_identity",
        comment,
        ["CAPC-ROLE-024"],
        ["BadParameter"],
        session=document,
        fault=Fault.of_caller("input_error"),
    )
