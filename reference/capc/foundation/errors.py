"""The two families of errors: a caller's mistakes, and a peer's misbehaviour.

A caller's mistake is a ``ValueError`` whose one line names the value, the place and the remedy. A peer's
misbehaviour is a :class:`ProtocolError` with a stable code and the party to blame. No message of either
family ever contains a secret: values of shares, labels, keys, masks and noise are never formatted into it.

Spec: CAPC-ERR-005.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum, auto
from typing import TYPE_CHECKING

from capc_spec.registry import ERROR_CODES

if TYPE_CHECKING:
    from capc.foundation.parties import Party


class CapcError(Exception):
    """Everything this package raises on purpose."""


class InputError(CapcError, ValueError):
    """A caller's mistake: a file, flag, model, value or order of calls that cannot be used."""


class ParameterError(InputError):
    """A parameter set that breaks a rule of the specification (CAPC-PARAM)."""


class StateReuseError(InputError):
    """A single-use state was used again, or its session was destroyed; labels, masks and noise are never reused."""


class RandomnessExhaustedError(CapcError):
    """A randomness stream reached its declared end; there is no fallback."""


class BudgetExhaustedError(CapcError):
    """The privacy account refuses a charge, because the budget would be exceeded."""


class ErrorCode(StrEnum):
    """Stable, language-neutral codes of a peer's fault (CAPC-ERR); section 11 says what each proves.

    Message text is free, codes are not.
    """

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return ERROR_CODES[name.lower()]

    MALFORMED_LENGTH = auto()
    WRONG_MESSAGE_TYPE = auto()
    FOREIGN_SESSION = auto()
    WRONG_QUERY = auto()
    WRONG_LAYER = auto()
    WRONG_SENDER = auto()
    WRONG_RECEIVER = auto()
    VALUE_OUT_OF_RANGE = auto()
    NON_CANONICAL = auto()
    INVALID_POINT = auto()
    PARAMETER_MISMATCH = auto()
    INVALID_OUTPUT_LABEL = auto()
    INCONSISTENT_TRANSFERS = auto()
    MISSING_PARTICIPANT = auto()


class InvalidPayloadError(CapcError, ValueError):
    """A payload that cannot be decoded. Steps turn it into a :class:`ProtocolError` that names the sender."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(f"{code.value}: {detail}")
        self.code = code
        self.detail = detail


class ProtocolError(CapcError):
    """A peer sent what the protocol does not allow.

    The receiver's state is unchanged, and nothing is lost, but with `inconsistent_transfers`: this destroys the key
    that the transfers were for, and the receiver's session, of which every step raises :class:`StateReuseError`.

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
