"""Faults that loosen what belongs together: messages and sessions, noise and shares, releases and charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from capc import accounting, answering_party_setup, handshake, messages, privacy_guardian
from capc.accountants import policies
from capc.accounting import Account
from capc.events import Event, EventKind, Receipt
from capc.messages import HEADER, Envelope
from capc.parameters import ReleasePolicy
from capc.parties import Party
from capc.privacy_guardian import Aggregated, Released
from capc.randomness import Seed
from capc.session import Session
from capc_verify.faults.patching import replace_everywhere


def messages_of_any_session() -> None:
    """A receiver compares neither the session tag nor the query of a message with its own."""
    correct = messages.Envelope.open

    def open_any(self: Envelope, message: bytes, payload_length: int) -> bytes:
        if len(message) >= HEADER.size:
            _, session_tag, query, *_ = HEADER.unpack_from(message)
            self = replace(self, session_tag=session_tag, query=query)
        return correct(self, message, payload_length)

    messages.Envelope.open = open_any  # type: ignore[method-assign]


def mask_keys_of_any_session() -> None:
    """An answering party does not compare the session tag of the others' mask keys with its own."""
    correct = answering_party_setup._open_mask_keys

    def open_any(session: Session, me: Party, mask_keys: Mapping[Party, bytes]) -> dict[Party, bytes]:
        tagged = {peer: message[:1] + session.tag + message[33:] for peer, message in mask_keys.items()}
        return correct(session, me, tagged)

    replace_everywhere(correct, open_any)


def hellos_of_any_length() -> None:
    """A hello is parsed however long it is."""

    def no_limit(_: Session) -> int:
        return 1 << 62

    replace_everywhere(handshake.hello_limit, no_limit)


def noise_for_any_shares() -> None:
    """The guardian draws the same noise from its seed whatever shares it received, and accepts a receipt for others."""
    correct = privacy_guardian.privacy_guardian_release

    def release(state: Aggregated, receipt: Receipt, choice: bytes, seed: Seed) -> tuple[Released, bytes]:
        anything = bytes(len(state.inputs_digest))
        unbound = replace(receipt, inputs_digest=anything)
        result = correct(replace(state, inputs_digest=anything), unbound, choice, seed)
        return replace(result[0], receipt=receipt), result[1]

    replace_everywhere(correct, release)


def terms_taken_on_trust() -> None:
    """Nobody checks that a ledger's budget keeps its epsilon, or that a joint cost is one."""

    def trust(policy: ReleasePolicy, budget: Fraction) -> None:
        pass

    replace_everywhere(policies.certify, trust)


def free_queries() -> None:
    """The account notes what happened and charges nothing."""

    def record(self: Account, kind: EventKind, key: tuple[bytes, int]) -> None:
        self._events.append(Event(kind, key[0], key[1]))

    accounting.Account._record = record  # type: ignore[method-assign]
