"""Plays honest sessions whose votes take rounds."""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation.parties import QUERYING_PARTY, Party
from capc.steps.layer_circuits import vote_shape
from capc_verify.vectors.cases.protocol.honest_session import HonestSession


class RoundsSession(HonestSession):
    """A session with a second set-up, whose last layers are voted on round after round."""

    def set_up(self) -> None:
        """Step 0, and base OTs in reverse."""
        super().set_up()
        peers = self.session.answering_parties
        offers = {
            peer: self.step(
                "answering_party_offer_reverse", peer, [f"{peer}_1"], [f"offered_{peer}"], seed=self.test.seed()
            )["message"]
            for peer in peers
        }
        choices = self.step(
            "querying_party_choose_reverse",
            QUERYING_PARTY,
            ["qp_1"],
            ["choosing_qp"],
            offers=offers,
            seed=self.test.seed(),
        )["messages"]
        trees = {
            peer: self.step(
                "answering_party_finish_reverse",
                peer,
                [f"offered_{peer}"],
                [f"{peer}_1"],
                message=choices[peer],
                seed=self.test.seed(),
            )["message"]
            for peer in peers
        }
        self.step("querying_party_finish_reverse", QUERYING_PARTY, ["choosing_qp"], ["qp_1"], trees=trees)

    def _vote(self, here: str, peer: Party, response: bytes, votes: Sequence[str], shares: Sequence[str]) -> None:
        last = vote_shape(self.session.parameters, 1).rounds - 1
        message = self.step(
            "querying_party_begin_rounds",
            QUERYING_PARTY,
            [f"response_{here}"],
            [f"evaluator_{here}_0"],
            message=response,
        )["message"]
        self.step("answering_party_begin_rounds", peer, [f"choice_{here}"], [f"garbler_{here}_0"])
        for number in range(last + 1):
            answered = self.step(
                "answering_party_garble_round",
                peer,
                [f"garbler_{here}_{number}"],
                votes if number == last else [f"garbler_{here}_{number + 1}"],
                message=message,
                seed=self.test.seed(),
            )
            message = self.step(
                "querying_party_evaluate_round",
                QUERYING_PARTY,
                [f"evaluator_{here}_{number}"],
                shares if number == last else [f"evaluator_{here}_{number + 1}"],
                message=answered["message"],
                seed=self.test.seed(),
            )["message"]
