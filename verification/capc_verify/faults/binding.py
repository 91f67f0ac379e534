"""Faults that loosen what belongs together: messages and sessions, noise and shares, releases and charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from capc.foundation.parties import Party
from capc.foundation.randomness import Seed
from capc.privacy import account
from capc.privacy.account import Account
from capc.privacy.accountants import policies
from capc.privacy.events import Event, EventKind, Receipt
from capc.session import envelope, hello
from capc.session.envelope import HEADER, Envelope
from capc.session.parameters import ReleasePolicy
from capc.session.session import Session
from capc.steps.answering_party import setup
from capc.steps.privacy_guardian import release as privacy_guardian
from capc.steps.privacy_guardian.aggregation import AggregatedVotes
from capc.steps.privacy_guardian.release import ReleasedQuery
from capc_verify.faults.patching import replace_everywhere


def messages_of_any_session() -> None:
    """A receiver compares neither the session tag nor the query of a message with its own."""
    correct = envelope.Envelope.open

    def open_any(self: Envelope, message: bytes, payload_length: int | tuple[int, ...]) -> bytes:
        if len(message) >= HEADER.size:
            _, session_tag, query, *_ = HEADER.unpack_from(message)
            self = replace(self, session_tag=session_tag, query=query)
        return correct(self, message, payload_length)

    envelope.Envelope.open = open_any  # type: ignore[method-assign]


def mask_keys_of_any_session() -> None:
    """An answering party does not compare the session tag of the others' mask keys with its own."""
    correct = setup._open_mask_keys

    def open_any(session: Session, me: Party, mask_keys: Mapping[Party, bytes]) -> dict[Party, bytes]:
        tagged = {peer: message[:1] + session.tag + message[33:] for peer, message in mask_keys.items()}
        return correct(session, me, tagged)

    replace_everywhere(correct, open_any)


def hellos_of_any_length() -> None:
    """A hello is parsed however long it is."""

    def no_limit(_: Session) -> int:
        return 1 << 62

    replace_everywhere(hello.hello_limit, no_limit)


def noise_for_any_shares() -> None:
    """The guardian draws the same noise from its seed whatever shares it received, and accepts a receipt for others."""
    correct = privacy_guardian.privacy_guardian_release

    def release(state: AggregatedVotes, receipt: Receipt, choice: bytes, seed: Seed) -> tuple[ReleasedQuery, bytes]:
        anything = bytes(len(state.inputs_digest))
        unbound = replace(receipt, inputs_digest=anything)
        result = correct(replace(state, inputs_digest=anything), unbound, choice, seed)
        return replace(result[0], receipt=receipt), result[1]

    replace_everywhere(correct, release)


def terms_taken_on_trust() -> None:
    """Nobody checks that a ledger's budget keeps its epsilon, or that a joint cost is one."""

    def trust(policy: ReleasePolicy, grid_bits: int, budget: Fraction) -> None:
        pass

    replace_everywhere(policies.certify, trust)


def free_queries() -> None:
    """The account notes what happened and charges nothing."""

    def record(self: Account, kind: EventKind, key: tuple[bytes, int]) -> None:
        self._events.append(Event(kind, key[0], key[1]))

    account.Account._record = record  # type: ignore[method-assign]
