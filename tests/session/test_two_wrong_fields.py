"""A header in which two fields are wrong is refused for the first of them, whichever two they are."""

from __future__ import annotations

from itertools import combinations

import pytest

from capc.foundation.errors import ErrorCode
from capc.foundation.parties import QUERYING_PARTY, answering_party
from capc.session.envelope import Envelope, MessageType
from support.header import OFFSETS, field, with_field
from support.refusals import refused

CODES = {
    "type": ErrorCode.WRONG_MESSAGE_TYPE,
    "tag": ErrorCode.FOREIGN_SESSION,
    "query": ErrorCode.WRONG_QUERY,
    "layer": ErrorCode.WRONG_LAYER,
    "sender": ErrorCode.WRONG_SENDER,
    "receiver": ErrorCode.WRONG_RECEIVER,
}
"""In the order of the header."""


@pytest.mark.req("CAPC-WIRE-002")
@pytest.mark.parametrize("pair", list(combinations(OFFSETS, 2)), ids="-".join)
def test_the_first_of_two_wrong_fields_is_named(pair: tuple[str, str]) -> None:
    envelope = Envelope(MessageType.LINEAR_REQUEST, bytes(32), 5, 3, QUERYING_PARTY, answering_party(2))
    message = envelope.seal(b"payload")
    for name in pair:
        message = with_field(message, name, bytes(byte ^ 0x55 for byte in field(message, name)))
    with refused(CODES[pair[0].partition("_")[0]], envelope.sender):
        envelope.open(message, 7)
