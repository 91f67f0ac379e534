"""Faults in ranges: parameters, figures of layers, batches, corrections and networks that are taken as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from tenseal import sealapi

from capc.foundation import errors
from capc.foundation.errors import InvalidPayloadError, ProtocolError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.linear.bfv import context, masks
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.wire.seal_format import Words
from capc.models.architecture import Architecture
from capc.models.importing import agreement
from capc.noise.mechanism import RoundedGaussian
from capc.noise.sensitivity import Sensitivity
from capc.noise.shares import SharedNoise
from capc.privacy.accountants import zcdp
from capc.session import widths
from capc.session.session import Session
from capc.session.widths import ParameterSet
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault


def parameters_of_any_range() -> None:
    """No rule about the fields of parameters and policies is kept."""

    def require(holds: bool, field: str, value: object, remedy: str) -> None:
        pass

    replace_everywhere(widths.require, require)


def figures_of_any_size() -> None:
    """A session admits layers whose figures do not fit the logit ring."""

    def check(self: Session, party: Party, architecture: Architecture) -> None:
        pass

    Session._check_figures = check  # type: ignore[method-assign]


def batches_of_any_size() -> None:
    """A batch may need more randomness than one stream gives."""

    def check(self: Session, count: int) -> None:
        pass

    Session.check_batch = check  # type: ignore[method-assign]


def networks_unlike_what_was_read() -> None:
    """Nobody compares what was read of a network with the network itself."""

    def check(*_: Any) -> None:  # noqa: ANN401
        pass

    replace_everywhere(agreement.check_origin, check)


def sums_of_shares_taken_for_gaussian() -> None:
    """A sum of discrete Gaussian shares is charged as one discrete Gaussian: without its correction."""

    def nothing(noise: SharedNoise) -> int:  # noqa: ARG001
        return 0

    replace_everywhere(zcdp.share_correction, nothing)


def shares_rounded_down() -> None:
    """The answering party's share is rounded down, and both parties' shares do not open to the sum any more."""

    def shares(of: HeContext, drawn: Words) -> Words:
        (prime,) = of.response_primes
        bits = of.plain_bits
        found: Words = ((prime - drawn.astype(object) << bits) // prime - 2 & ((1 << bits) - 1)).astype("uint64")
        return found

    replace_everywhere(masks.shares_of, shares)


def blame_on_somebody_else() -> None:
    """A wrong payload is blamed on a party that did not send it."""

    @contextmanager
    def blamed(sender: Party) -> Iterator[None]:
        try:
            yield
        except InvalidPayloadError as error:
            other = QUERYING_PARTY if sender != QUERYING_PARTY else PRIVACY_GUARDIAN
            raise ProtocolError(error.code, other, error.detail) from None

    replace_everywhere(errors.blamed_on, blamed)


def errors_taken_for_zero() -> None:
    """Sets and sessions are checked as if responses had no error."""

    def response_error(self: ParameterSet) -> int:  # noqa: ARG001
        return 0

    ParameterSet.response_error = property(response_error)  # type: ignore[assignment, method-assign]


def encryption_of_any_strength() -> None:
    """The HE library's table of 128 bits is not asked."""
    level = SimpleNamespace(TC128=sealapi.SEC_LEVEL_TYPE.NONE)
    names = {name: getattr(sealapi, name) for name in dir(sealapi)}
    replace_in(context, "sealapi", SimpleNamespace(**{**names, "SEC_LEVEL_TYPE": level}))


def renyi_costs_at_order_2() -> None:
    """A step costs what it costs at the order 2, whatever order the policy fixes."""

    def cost(self: RoundedGaussian, order: Fraction, sensitivity: Sensitivity) -> Fraction:  # noqa: ARG001
        return self.cost(sensitivity.squared)

    RoundedGaussian.rdp_cost = cost  # type: ignore[method-assign]


_SESSIONS = "tests/session/test_told_sessions.py::test_"
_STATED = "tests/models/importing/test_figures.py::test_a_session_is_refused_by_what_is_stated_alone"
_ERRORS = "tests/linear/test_errors.py::test_"

FAULTS = {
    "parameters_of_any_range": Fault(
        parameters_of_any_range,
        None,
        (
            _SESSIONS + "integers_are_admitted_within_their_ranges_only",
            "tests/session/test_told_policies.py::test_fields_of_a_policy_go_together_as_the_rules_say",
            "tests/session/test_parameters.py::test_ranges_of_widths[fraction_bits-admitted4-refused4]",
        ),
    ),
    "figures_of_any_size": Fault(
        figures_of_any_size, None, (_SESSIONS + "figures_of_layers_fit_the_ring[figures0]", _STATED)
    ),
    "batches_of_any_size": Fault(batches_of_any_size, None, (_SESSIONS + "the_limit_of_a_batch[sizes0]",)),
    "networks_unlike_what_was_read": Fault(
        networks_unlike_what_was_read,
        None,
        ("tests/models/importing/test_origin.py::test_network_that_computes_something_else_is_refused[class]",),
    ),
    "sums_of_shares_taken_for_gaussian": Fault(
        sums_of_shares_taken_for_gaussian,
        None,
        ("tests/privacy/accountants/test_accountants.py::test_the_correction_of_summed_shares_is_charged",),
    ),
    "shares_rounded_down": Fault(
        shares_rounded_down,
        None,
        (
            "tests/linear/test_exactness.py::test_exact_when_a_block_of_several_is_all_zero[both]",
            "tests/linear/test_masks.py::test_the_answering_partys_shares_are_the_nearest_integers[conservative]",
        ),
    ),
    "blame_on_somebody_else": Fault(
        blame_on_somebody_else,
        None,
        ("tests/session/test_session.py::test_a_payload_error_becomes_an_error_against_the_sender[foreign_session]",),
    ),
    "errors_taken_for_zero": Fault(
        errors_taken_for_zero,
        None,
        (
            _ERRORS + "a_set_is_refused_exactly_if_its_bound_does_not_fit",
            _ERRORS + "the_room_of_named_sets_is_that_of_the_text[conservative]",
        ),
    ),
    "encryption_of_any_strength": Fault(
        encryption_of_any_strength,
        None,
        ("tests/linear/test_parameters.py::test_figures_that_seal_refuses_are_a_parameter_error[2048-bits1]",),
    ),
    "renyi_costs_at_order_2": Fault(
        renyi_costs_at_order_2,
        None,
        (
            "tests/privacy/test_account.py::test_query_cost_at_a_renyi_order_is_the_textbook_formula",
            "tests/privacy/accountants/test_accountants.py::test_an_edge_of_the_grid_is_said_and_nothing_is_negative",
        ),
    ),
}
"""These faults, and the tests that must notice them."""
