"""Payloads that a step must refuse, whatever session they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from capc.session.envelope import HEADER
from capc_verify.vectors.cases.common import MessageFault, invalid_points
from capc_verify.vectors.values import Edited


@dataclass(frozen=True)
class _Kind:
    """One sort of fault: as of :class:`MessageFault`, and for an honest message where other bytes go, and which."""

    name: str
    code: str
    flag: str
    requirement: str
    edit: Callable[[bytes], tuple[int, bytes]]

    def of(self, message: bytes) -> MessageFault:
        at, patch = self.edit(message)
        edited = Edited(message, {"at": at, "replace": patch.hex()})
        return MessageFault(self.name, self.code, self.flag, self.requirement, edited)


def _too_large(edit: Callable[[bytes], tuple[int, bytes]], name: str = "too_large") -> _Kind:
    return _Kind(name, "value_out_of_range", "OutOfRange", "CAPC-WIRE-004", edit)


_START = HEADER.size
_HANDLE = _too_large(lambda _: (_START, (1 << 63).to_bytes(8, "little")), "unknown_handle")
_REQUEST = _too_large(lambda _: (_START, bytes(8)), "handle_of_request")
"""The first table: as many queries, and as many elements as a query has features."""
_ELEMENT = _too_large(lambda message: (len(message) - 1, b"\xff"))
_SIGN = _too_large(lambda _: (_START + 18, b"\xff"))
"""Of an element of three bytes, after the hash key: its last."""
_SHARE = _too_large(lambda _: (_START + 2, b"\x00\x04"))
_PADDING = _Kind(
    "padding",
    "non_canonical",
    "Padding",
    "CAPC-WIRE-004",
    lambda message: (len(message) - 1, bytes([message[-1] | 0x80])),
)
_FORGED = _Kind(
    "forged",
    "invalid_output_label",
    "ForgedLabel",
    "CAPC-GC-005",
    lambda message: (_START, bytes([message[_START] ^ 2])),
)


def _inconsistent(requirement: str, place: Callable[[bytes], int]) -> _Kind:
    def edit(message: bytes) -> tuple[int, bytes]:
        at = place(message)
        return at, bytes([message[at] ^ 1])

    return _Kind("inconsistent", "inconsistent_transfers", "Inconsistent", requirement, edit)


_TREES = _inconsistent("CAPC-OT-008", lambda message: len(message) - 1)
_ROWS = _inconsistent("CAPC-OT-009", lambda _: _START)
_OF_STEP: Mapping[str, tuple[_Kind, ...]] = {
    "answering_party_finish_setup": (_TREES,),
    "privacy_guardian_finish_setup": (_TREES,),
    "answering_party_take_transfers": (_ROWS,),
    "privacy_guardian_release": (_ROWS,),
    "answering_party_evaluate_layer": (_HANDLE,),
    "answering_party_prepare_layer": (_HANDLE,),
    "querying_party_choose_labels": (_HANDLE, _REQUEST),
    "querying_party_keep_sums": (_HANDLE,),
    "querying_party_begin_rounds": (_HANDLE, _REQUEST),
    "querying_party_finish_release": (_PADDING,),
    "querying_party_evaluate_layer": (_ELEMENT,),
    "querying_party_evaluate_round": (_ELEMENT,),
    "answering_party_send_labels": (_ELEMENT,),
    "answering_party_garble_round": (_SIGN,),
    "privacy_guardian_aggregate": (_SHARE,),
    "privacy_guardian_read_answered": (_FORGED,),
}
_ENDS_IN_BITS = {
    "answering_party_garble_layer",
    "answering_party_garble_round",
    "privacy_guardian_release",
}
_TAKES_A_CHOICE = {"querying_party_finish_setup", "answering_party_finish_reverse"}
"""Of 128 points; other messages with a point have one."""
_POINT_FIELDS = ("offer", "mask_keys")


def payload_faults(op: str, key: str, message: bytes, *, padded: bool) -> Iterator[MessageFault]:
    """One fault at a time in the payload of a message that a step takes.

    Args:
        op: the step.
        key: the argument that is the message.
        message: the honest one.
        padded: whether its bits end within a byte.
    """
    takes_a_choice = op in _TAKES_A_CHOICE
    if takes_a_choice or key.startswith(_POINT_FIELDS):
        position = _START + (32 * 64 if takes_a_choice else 0)
        for name, point in invalid_points().items():
            edited = Edited(message, {"at": position, "replace": point.hex()})
            yield MessageFault(name, "invalid_point", "InvalidPoint", "CAPC-WIRE-005", edited)
    if padded and op in _ENDS_IN_BITS:
        yield _PADDING.of(message)
    # The HE public key, which comes with the trees, is checked for its length and range only.
    for kind in () if key == "he_public_key" else _OF_STEP.get(op, ()):
        yield kind.of(message)
