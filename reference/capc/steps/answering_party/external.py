"""An answering party's step around an outside engine that computes step 1c. Spec: CAPC-ARG-005."""

from __future__ import annotations

from capc.foundation import ring
from capc.foundation.randomness import Seed
from capc.models.architecture import Rows
from capc.steps.answering_party.inference import AnsweringVoteShare, AwaitingChoice, answering_vote_shares
from capc.steps.layer_circuits import require_vote


def answering_party_enter_argmax(
    state: AwaitingChoice, seed: Seed
) -> tuple[tuple[AnsweringVoteShare, ...], Rows, Rows]:
    """Step 1c: draws fresh vote shares, which have nothing to do with the masks of the logits.

    Args:
        state: before step 1c, of the layer that votes.
        seed: for the shares.

    Returns:
        the states that hold the shares; for each query the masks m and the fresh shares s, for the engine.
    """
    AwaitingChoice.require(state)
    request = state.request
    require_vote(request.stage)
    parameters, count = request.party.session.parameters, request.batch.count
    # Other masks, other shares: one seed never shares two votes alike.
    masks = b"".join(mask.to_bytes(8, "little") for row in state.sums for mask in row)
    source = request.party.suite.expand(seed, request.channel.label("answering_party_enter_argmax", bound_to=masks))
    width = parameters.widths.vote_bits
    fresh = tuple(tuple(ring.uniform(source, parameters.num_classes, width)) for _ in range(count))
    state.spend()
    return answering_vote_shares(request, fresh), state.sums, fresh
