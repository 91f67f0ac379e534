"""Payloads that a step must refuse, whatever session they are of."""

from __future__ import annotations

from collections.abc import Iterable

from capc.session.envelope import HEADER
from capc_verify.vectors.cases.common import MessageFault, invalid_points
from capc_verify.vectors.values import Edited

_TAKES_A_HANDLE = {
    "answering_party_evaluate_layer",
    "answering_party_prepare_layer",
    "querying_party_choose_labels",
    "querying_party_begin_rounds",
}
_ENDS_IN_BITS = {
    "answering_party_take_transfers",
    "answering_party_garble_layer",
    "answering_party_garble_round",
    "privacy_guardian_release",
}
_ENDS_IN_AN_ELEMENT = {
    "querying_party_evaluate_layer",
    "querying_party_evaluate_round",
    "answering_party_send_labels",
}


def payload_faults(op: str, key: str, message: bytes, *, padded: bool) -> Iterable[MessageFault]:
    """One fault at a time in the payload of a message that a step takes.

    Args:
        op: the step.
        key: the argument that is the message.
        message: the honest one.
        padded: whether its bits end within a byte.
    """
    start = HEADER.size

    def fault(name: str, code: str, flag: str, rule: str, at: int, patch: bytes) -> MessageFault:
        return MessageFault(name, code, flag, rule, Edited(message, {"at": at, "replace": patch.hex()}))

    is_choice = key.startswith("choices") or op == "answering_party_finish_reverse"
    if is_choice or key.startswith(("offer", "mask_keys")):
        position = start + (32 * 64 if is_choice else 0)
        for name, point in invalid_points().items():
            yield fault(name, "invalid_point", "InvalidPoint", "CAPC-WIRE-005", position, point)
    if op in _TAKES_A_HANDLE:
        patch = (1 << 63).to_bytes(8, "little")
        yield fault("unknown_handle", "value_out_of_range", "OutOfRange", "CAPC-WIRE-004", start, patch)
    if op == "querying_party_finish_release" or (op in _ENDS_IN_BITS and padded):
        patch = bytes([message[-1] | 0x80])
        yield fault("padding", "non_canonical", "Padding", "CAPC-WIRE-004", len(message) - 1, patch)
    if op in _ENDS_IN_AN_ELEMENT:
        patch = b"\xff"
        yield fault("too_large", "value_out_of_range", "OutOfRange", "CAPC-WIRE-004", len(message) - 1, patch)
    if op == "answering_party_garble_round":
        # Of two bytes, after the hash key.
        yield fault("too_large", "value_out_of_range", "OutOfRange", "CAPC-WIRE-004", start + 17, b"\xff")
    if key.startswith("vote_shares"):
        yield fault("too_large", "value_out_of_range", "OutOfRange", "CAPC-WIRE-004", start + 2, b"\x00\x04")
    if op == "privacy_guardian_read_answered":
        patch = bytes([message[start] ^ 2])
        yield fault("forged", "invalid_output_label", "ForgedLabel", "CAPC-GC-005", start, patch)
