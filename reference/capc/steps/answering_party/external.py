"""An answering party's step around an outside engine that computes step 1c. Spec: CAPC-ARG-005, CAPC-MPC-041."""

from __future__ import annotations

from capc.foundation import guarded, ring
from capc.foundation.randomness import Seed
from capc.models.architecture import Rows
from capc.steps.answering_party.inference import AnsweringVoteShare, AwaitingChoice, answering_vote_shares
from capc.steps.layer_circuits import require_vote


def answering_party_enter_argmax(
    state: AwaitingChoice, seed: Seed
) -> tuple[tuple[AnsweringVoteShare, ...], Rows, Rows]:
    """Step 1c: draws fresh vote shares, which have nothing to do with the shares of the logits.

    Args:
        state: before step 1c, of the layer that votes.
        seed: for the shares.

    Returns:
        the states that hold the shares; for each query, for the engine, l + 1 bits of its share of each logit, and the
        fresh shares s.
    """
    AwaitingChoice.require(state)
    request = state.request
    require_vote(request.stage)
    parameters, count = request.party.session.parameters, request.batch.count
    # Other logits, other shares: one seed never shares two votes alike.
    logits = b"".join(share.to_bytes(8, "little") for row in state.sums for share in row)
    source = request.party.suite.expand(seed, request.channel.label("answering_party_enter_argmax", bound_to=logits))
    widths = parameters.widths
    fresh = tuple(tuple(ring.uniform(source, parameters.num_classes, widths.vote_bits)) for _ in range(count))
    words = tuple(map(tuple, guarded.garbler_words(state.sums, widths.logit_bits, widths.guard_bits)))
    state.spend()
    return answering_vote_shares(request, fresh), words, fresh
