"""The guardian's steps around an outside engine that computes step 3.

Spec: CAPC-REL-004, CAPC-MPC-040 to CAPC-MPC-042.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.noise.release_noise import ReleaseNoise
from capc.privacy.events import Receipt
from capc.steps.privacy_guardian.aggregation import AggregatedVotes
from capc.steps.privacy_guardian.party import PrivacyGuardian
from capc.steps.privacy_guardian.release import add_noise, check_receipt
from capc_spec.registry import TAGS

_BLINDING_BITS = 256


@dataclass(frozen=True, repr=False)
class NoiseEntry(SingleUse):
    """The guardian's words are in the engine. Secret: the noise."""

    party: PrivacyGuardian
    query: int
    receipt: Receipt
    noise: ReleaseNoise


def privacy_guardian_enter_release(
    state: AggregatedVotes, receipt: Receipt, seed: Seed
) -> tuple[NoiseEntry, tuple[int, ...], bytes]:
    """Step 3: checks that the account was charged for exactly these shares, and only then draws noise.

    Returns:
        the state; its words of the release, for the engine; a hiding commitment to them, for the account to write
        down before they are entered. The commitment holds no noise to send again: a run that broke off is charged, and
        never repeated with the same noise, since the querying party could enter other shares.

    Raises:
        InputError: the receipt is for another session, query or set of shares.
    """
    AggregatedVotes.require(state)
    check_receipt(state, receipt)
    party = state.party
    label = party.channel.label("privacy_guardian_enter_release", state.query) + state.inputs_digest
    noise, words = add_noise(state, seed, label)
    blinding = party.suite.expand(seed, label + TAGS["commitment"]).bits(_BLINDING_BITS)
    content = blinding.to_bytes(_BLINDING_BITS // 8, "little") + b"".join(word.to_bytes(8, "little") for word in words)
    commitment = hashlib.sha256(TAGS["engine-commitment"] + content).digest()
    state.spend()
    return NoiseEntry(party, state.query, receipt, noise), tuple(words), commitment


def privacy_guardian_take_answered(state: NoiseEntry, answered: int | None) -> bool:
    """Realised mode: the answered bit, which the engine gives the guardian itself.

    Raises:
        InputError: the engine gave none, so the answer stays charged.
    """
    NoiseEntry.require(state)
    if answered not in (0, 1):
        raise InputError(f"the engine gave no answered bit of query {state.query}: its answer stays charged")
    state.spend()
    return bool(answered)
