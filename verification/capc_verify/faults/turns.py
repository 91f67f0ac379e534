"""Faults of the main job: of its simulation, and of turns and rounds, which each alone still look right."""

from __future__ import annotations

from collections.abc import Sequence

from capc.job import advice, job, simulation
from capc.job.job import Job
from capc.job.models import PartyModel, Trained, quantised
from capc.job.state import Status, Turn
from capc.learning.data import Indices
from capc.learning.training import LocalModel
from capc.noise.release_noise import ReleaseNoise
from capc.noise.sensitivity import Sensitivity
from capc.privacy.account import Account
from capc.privacy.multi_label import SetVoting
from capc.privacy.query_cost import answer_sensitivity
from capc.protocol.functionality import IdealOutput, ideal_functionality
from capc.session.parameters import Adjacency, Parameters
from capc_verify.faults.patching import replace_in


def simulation_without_noise() -> None:
    """A simulation charges for noise and releases the plurality."""
    ideal = ideal_functionality

    def noiseless(
        parameters: Parameters, logits: Sequence[Sequence[int]], noise: ReleaseNoise, _: Sequence[int] = ()
    ) -> IdealOutput:
        return ideal(parameters, logits, ReleaseNoise((0,) * len(noise.classes), (0,) * len(noise.threshold)))

    replace_in(simulation, "ideal_functionality", noiseless)


def ballots_charged_as_one_vote() -> None:
    """A ballot for a set of labels costs what a vote for a class costs, and gets as little noise."""

    def of_one_vote(_: SetVoting, adjacency: Adjacency) -> Sensitivity:
        return answer_sensitivity(adjacency)

    replace_in(advice, "sensitivity_of", of_one_vote)


def turn_charged_to_no_account() -> None:
    """Whoever queries after the first party has a new account of its own, and the shared one hears of nothing."""
    take_turn = Job._take_turn

    def take_turn_for_nothing(self: Job, turn: Turn, models: Sequence[PartyModel]) -> Status:
        if turn.party:
            of_run = self.state.plan
            turn.account = Account(of_run.parameters.release, of_run.parameters.widths.grid_bits, of_run.budget)
        return take_turn(self, turn, models)

    Job._take_turn = take_turn_for_nothing  # type: ignore[method-assign]


def rows_asked_again_in_later_rounds() -> None:
    """Every round chooses from the whole pool, as the first one does."""

    def choose_from_all(self: Job, turn: Turn, own: LocalModel, number: int, count: int) -> Indices:
        config, features = self.state.plan.config, self.state.plan.dataset.features
        free, known = self._free[turn.party], self.state.split.parties[turn.party]
        # By the job's own name, which tests watch.
        chosen: Indices = vars(job)["choose"](
            config.strategy, own, features, known, free, count, (config.seed, turn.party, number)
        )
        return chosen

    Job._choose = choose_from_all  # type: ignore[method-assign]


def retrained_model_answers() -> None:
    """A party answers later turns with the model that it retrained, in which are labels that it bought."""
    take_turn, retrain = Job._take_turn, Job._retrain
    latest: dict[int, Trained] = {}

    def retrain_and_remember(self: Job, turn: Turn) -> Trained:
        latest[turn.party] = retrain(self, turn)
        return latest[turn.party]

    def take_turn_and_replace(self: Job, turn: Turn, models: list[PartyModel]) -> Status:
        status = take_turn(self, turn, models)
        models[turn.party] = PartyModel(latest[turn.party], quantised(self.state.plan, latest[turn.party]))
        return status

    Job._retrain = retrain_and_remember  # type: ignore[method-assign]
    Job._take_turn = take_turn_and_replace  # type: ignore[method-assign,assignment]
