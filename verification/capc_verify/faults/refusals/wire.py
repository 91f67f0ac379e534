"""Faults in the checks of bytes that a peer sent: each lets one kind of wrong bytes through."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from capc.foundation import encoding, primitives
from capc.foundation.parties import Party
from capc.foundation.primitives import Point
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.encoding.layout import Layout
from capc.linear.bfv.wire import packing, requests, seeded
from capc.linear.bfv.wire.seal_format import Words
from capc.session import hello
from capc.session.envelope import HEADER, Envelope
from capc.session.session import Session
from capc.two_party.interface import OutputLabels
from capc_verify.faults.patching import replace_everywhere
from capc_verify.faults.planting import Fault


def layers_of_headers_unchecked() -> None:
    """A receiver does not compare the layer in a header with the one that it waits for."""
    correct = Envelope.check_header

    def check_header(self: Envelope, message: bytes) -> None:
        if len(message) >= HEADER.size:
            fields = list(HEADER.unpack_from(message))
            fields[3] = self.layer
            message = HEADER.pack(*fields)
        correct(self, message)

    Envelope.check_header = check_header  # type: ignore[method-assign]


def payloads_may_be_longer() -> None:
    """What a payload has beyond its length is ignored."""
    correct = Envelope.open

    def open_front(self: Envelope, message: bytes, payload_length: int | tuple[int, ...]) -> bytes:
        most = payload_length if isinstance(payload_length, int) else max(payload_length)
        return correct(self, message[: HEADER.size + most], payload_length)

    Envelope.open = open_front  # type: ignore[method-assign]


def elements_reduced() -> None:
    """An element outside of its ring is reduced, so that one share has several encodings."""

    def elements(data: bytes, width: int) -> list[int]:
        size = (width + 7) // 8
        whole = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
        return [element % (1 << width) for element in whole]

    replace_everywhere(encoding.elements_from_bytes, elements)


def padding_ignored() -> None:
    """Padding bits may be anything."""

    def bits(data: bytes, count: int) -> int:
        encoding.require_length(data, (count + 7) // 8, "bits")
        return int.from_bytes(data, "little") & ((1 << count) - 1)

    replace_everywhere(encoding.bits_from_bytes, bits)


def any_point() -> None:
    """A peer's point is taken whether or not it lies in the prime-order group."""

    def read(data: bytes) -> Point:
        return Point(data)

    replace_everywhere(primitives.read_point, read)


def any_output_label() -> None:
    """A returned output label that is not the one of 0 counts as the one of 1."""

    def decode(self: OutputLabels, instance: int, output: int, returned: bytes) -> int:
        return int(int.from_bytes(returned, "little") != self.zero_labels[instance][output])

    OutputLabels.decode = decode  # type: ignore[method-assign]


def remainders_above_their_prime() -> None:
    """A coefficient of a ciphertext is not compared with its prime."""

    def unpack(payload: bytes, primes: Sequence[int], count: int, what: str) -> Words:
        encoding.require_length(payload, packing.packed_length(primes, count), what)
        words = np.zeros((len(primes), count), dtype="<u8")
        position = 0
        for row, prime in zip(words, primes, strict=True):
            width = packing._width(prime)
            packing.widen(np.frombuffer(payload, f"V{width}", count, position), row)
            position += count * width
        return words

    replace_everywhere(packing.unpack, unpack)


def one_seed_twice() -> None:
    """Two ciphertexts of a request may be expanded from one seed."""

    def check_request(context: HeContext, layout: Layout, request: bytes) -> None:
        encoding.require_length(request, requests.request_length(context, layout), "request")
        for number in range(layout.requests):
            seeded.check_seeded(context, requests._payload(context, request, number), "request")

    replace_everywhere(requests.check_request, check_request)


def any_hello() -> None:
    """A hello of any document is taken."""

    def check(session: Session, sender: Party, receiver: Party, message: bytes) -> None:  # noqa: ARG001
        return

    replace_everywhere(hello.check_hello, check)


def parser_trips() -> None:
    """A short header ends in an error of Python's, which blames nobody."""

    def check_header(self: Envelope, message: bytes) -> None:
        if len(message) < HEADER.size:
            raise ValueError(struct.calcsize("<B") + len(message))
        correct(self, message)

    correct = Envelope.check_header
    Envelope.check_header = check_header  # type: ignore[method-assign]


_HEADER = "tests/session/test_envelope.py::test_"
_DEVIATIONS = "tests/faulty_parties/test_deviations.py::test_deviation_is_refused_blamed_and_harmless"
_PAYLOADS = "tests/steps/test_payloads.py::test_"
_VECTOR = "tests/verification/test_vectors.py::test_vector"
_HE = "tests/linear/test_payloads.py::test_"

FAULTS = {
    "layers_of_headers_unchecked": Fault(
        layers_of_headers_unchecked, None, (_HEADER + "each_field_of_the_header_is_checked[layer]",)
    ),
    "payloads_may_be_longer": Fault(
        payloads_may_be_longer, None, (_HEADER + "other_lengths_are_refused", _DEVIATIONS + "[circuits-extends]")
    ),
    "elements_reduced": Fault(
        elements_reduced,
        None,
        (
            _PAYLOADS + "vote_shares",
            _DEVIATIONS + "[circuits-sends_elements_out_of_range]",
            "tests/two_party/test_vote_rounds.py::test_a_malformed_message_is_refused_and_spends_nothing[readable]",
        ),
    ),
    "padding_ignored": Fault(
        padding_ignored,
        None,
        (
            _PAYLOADS + "extension_rows",
            _VECTOR + "[messages::garbled_circuits_padding_208]",
        ),
    ),
    "any_point": Fault(
        any_point,
        None,
        (
            _PAYLOADS + "every_point_is_checked[BaseOtChoice-127]",
            _DEVIATIONS + "[circuits-adds_a_small_order_part]",
            _VECTOR + "[aggregation::pairwise_key_neutral]",
        ),
    ),
    "any_output_label": Fault(
        any_output_label,
        None,
        (
            "tests/two_party/test_two_party.py::test_only_the_two_labels_of_a_wire_decode",
            _DEVIATIONS + "[circuits-forges_the_answered_label]",
        ),
    ),
    "remainders_above_their_prime": Fault(
        remainders_above_their_prime,
        None,
        (
            _HE + "a_bad_last_coefficient_of_a_response_is_refused[toy]",
            _HE + "a_coefficient_that_is_not_below_its_prime_is_refused[default-0-public key]",
            _HE + "every_ciphertext_of_a_request_is_looked_at_before_the_first_is_read[2]",
        ),
    ),
    "one_seed_twice": Fault(
        one_seed_twice,
        None,
        (_HE + "a_request_with_one_seed_twice_is_refused[1]", _HE + "a_request_with_one_seed_twice_is_refused[2]"),
    ),
    "any_hello": Fault(any_hello, None, ("tests/session/test_told_hello.py::test_edited_hellos",)),
    "parser_trips": Fault(parser_trips, None, (_HEADER + "opening_is_total", _DEVIATIONS + "[circuits-truncates]")),
}
"""These faults, and the tests that must notice them."""
