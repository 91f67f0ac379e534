"""The two families of errors: a caller's mistakes, and a peer's misbehaviour.

A caller's mistake is a ``ValueError`` whose one line names the value, the place and the remedy. A peer's
misbehaviour is a :class:`ProtocolError` with a stable code and the party to blame. No message of either
family ever contains a secret: values of shares, labels, keys, masks and noise are never formatted into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capc.foundation.parties import Party


class CapcError(Exception):
    """Everything this package raises on purpose."""


class InputError(CapcError, ValueError):
    """A caller's mistake: a file, flag, model, value or order of calls that cannot be used."""


class ParameterError(InputError):
    """A parameter set that breaks a rule of the specification (CAPC-PARAM)."""


class StateReuseError(InputError):
    """A single-use state was used a second time; labels, masks and noise are never reused."""


class RandomnessExhaustedError(CapcError):
    """A randomness stream reached its declared end; there is no fallback."""


class BudgetExhaustedError(CapcError):
    """The privacy account refuses a charge, because the budget would be exceeded."""


class ErrorCode(StrEnum):
    """Stable, language-neutral codes of the specification (CAPC-ERR). Message text is free, codes are not."""

    MALFORMED_LENGTH = "malformed_length"
    """The message is shorter or longer than its type and the parameters say."""
    WRONG_MESSAGE_TYPE = "wrong_message_type"
    """The message is of another type than this step expects: sent out of order."""
    FOREIGN_SESSION = "foreign_session"
    """The message is bound to other parameters, participants, identities or another session id."""
    WRONG_QUERY = "wrong_query"
    """The message belongs to another query of this session: a replay, or a party out of step."""
    WRONG_LAYER = "wrong_layer"
    """The message belongs to another layer of the same query."""
    WRONG_SENDER = "wrong_sender"
    """The header names another sender than the channel it came from."""
    WRONG_RECEIVER = "wrong_receiver"
    """The header names another receiver."""
    VALUE_OUT_OF_RANGE = "value_out_of_range"
    """A field holds a number that its ring, field or modulus does not have."""
    NON_CANONICAL = "non_canonical"
    """The bytes decode to a value whose only valid encoding is another one (for example padding bits set)."""
    INVALID_POINT = "invalid_point"
    """A curve point is not in the prime-order group."""
    PARAMETER_MISMATCH = "parameter_mismatch"
    """A peer holds other parameters or another participant set; the detail names the first that differs."""
    INVALID_OUTPUT_LABEL = "invalid_output_label"
    """A returned output label is neither of the two labels of its wire."""
    MISSING_PARTICIPANT = "missing_participant"
    """The step was given no message of a party in the participant set."""


class InvalidPayloadError(CapcError, ValueError):
    """A payload that cannot be decoded. Steps turn it into a :class:`ProtocolError` that names the sender."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(f"{code.value}: {detail}")
        self.code = code
        self.detail = detail


class ProtocolError(CapcError):
    """A peer sent what the protocol does not allow. The receiver's state is unchanged: nothing is lost.

    Attributes:
        code: what is wrong, one of :class:`ErrorCode`.
        blame: the party whose message it was. The transport authenticates the sender, so the error proves
            that this party, or its channel, misbehaved.
        detail: one line for people, without secrets.
    """

    def __init__(self, code: ErrorCode, blame: Party, detail: str) -> None:
        super().__init__(f"{code.value}: {detail} (blame: {blame})")
        self.code = code
        self.blame = blame
        self.detail = detail


@contextmanager
def blamed_on(sender: Party) -> Iterator[None]:
    """Turns an :class:`InvalidPayloadError` inside the block into a :class:`ProtocolError` against ``sender``."""
    try:
        yield
    except InvalidPayloadError as error:
        raise ProtocolError(error.code, sender, error.detail) from None
