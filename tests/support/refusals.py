"""What a refusal must be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from capc.foundation.errors import ErrorCode, InvalidPayloadError, ProtocolError
from capc.foundation.parties import Party


@contextmanager
def refused(code: ErrorCode, blame: Party | None = None) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """The block is refused with this code, and blamed on this party; a payload alone blames nobody."""
    with pytest.raises(InvalidPayloadError if blame is None else ProtocolError) as caught:
        yield caught
    assert (caught.value.code, getattr(caught.value, "blame", None)) == (code, blame)
