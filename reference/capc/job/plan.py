"""Everything that can be refused, before anything is trained or sent (CAPC-RUN-001)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from capc.accountants.conversion import budget_lower, calibrate_sigma
from capc.accounting import Account, query_cost
from capc.architecture import dense_architecture
from capc.circuits.choice import NETWORKS, fastest_vote
from capc.engine import EMBEDDED, SecureEngine
from capc.errors import InputError, ParameterError
from capc.job.config import JobConfig, rational_text
from capc.job.engines import find_engine
from capc.job.options import Inference, flag
from capc.learning.data import Dataset, load_digits, load_npz
from capc.learning.partition import Sizes
from capc.learning.training import ARCHITECTURES
from capc.ledger import Terms, open_ledger
from capc.parameters import Charge, Parameters, ParameterSet, ReleasePolicy, VoteVariant
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.session import IDENTITY_BYTES, SESSION_ID_BYTES, Participant, Session


class AllowanceFolder(NamedTuple):
    """Where answering parties keep their circuit-privacy allowances, each in a file of its own.

    Attributes:
        path: the folder.
        queries: how many each model is declared for.
        place: where the folder was given.
    """

    path: Path
    queries: int
    place: str


@dataclass(frozen=True)
class Plan:
    """A run that nothing speaks against, except a model that could wrap.

    Attributes:
        config: the options.
        dataset: all rows.
        parameters: what every session of the run is bound to.
        budget: the limit of the account, in the unit of the mechanism.
        engine: of steps 1c and 3; None for the embedded one.
    """

    config: JobConfig
    dataset: Dataset
    parameters: Parameters
    budget: Fraction
    engine: SecureEngine | None = None

    @property
    def allowances(self) -> AllowanceFolder | None:
        """The folder that the options name, or one beside the ledger; None without either."""
        config = self.config
        place = config.place("allowance" if config.allowance else "ledger")
        path = config.allowance
        if path is None and config.ledger is not None and self.parameters.widths.he_distance_bits:
            path = config.ledger.with_name(config.ledger.name + ".allowances")
        return None if path is None else AllowanceFolder(path, config.allowance_queries, place)

    def open_account(self) -> Account:
        """The ledger that the options name, or a new account in memory with the whole budget. A run opens one.

        Raises:
            InputError: the ledger or its key cannot be used, or it was created with another policy or other data.
        """
        release, grid_bits = self.parameters.release, self.parameters.widths.grid_bits
        if self.config.ledger is None:
            return Account(release, grid_bits, self.budget)
        terms = Terms(str(PRIVACY_GUARDIAN), self.dataset.name, release, grid_bits, self.budget)
        try:
            return open_ledger(self.config.ledger, terms, key_file=self.config.ledger_key)
        except InputError as error:
            raise InputError(f"{error} ({self.config.place('ledger')})") from None


def prepare(config: JobConfig) -> Plan:
    """Loads the data and settles noise, budget and sizes.

    Raises:
        InputError: the options contradict each other, the data cannot be used, a role would get too few rows, the
            noise or the votes do not fit the rings, not even one query fits the budget, or the engine cannot be used.
    """
    _check_together(config)
    widths = _parameter_set(config)
    if config.allowance is not None and not widths.he_distance_bits:
        raise config.refusal("allowance", f"parameters {widths.name} claim no circuit privacy: leave this out")
    release = _release_policy(config)
    dataset = load_digits() if config.data is None else load_npz(config.data)
    rows_place = "scikit-learn's digits" if config.data is None else str(config.data)
    sizes = Sizes.of(dataset.num_rows, dataset.num_classes)
    sizes.check(config.parties, config.queries, config.place("parties"), config.place("queries"), rows_place)
    parameters = _parameters(config, widths, dataset, release)
    _check_batch(config, parameters)
    budget = _budget(config, release, widths.grid_bits)
    return Plan(config, dataset, parameters, budget, find_engine(config))


def _check_together(config: JobConfig) -> None:
    if config.network is not None and config.vote_variant is not None:
        raise config.refusal("network", f"it chooses the vote's variant: leave out {flag('vote_variant')}, or this")
    if config.ledger_key is not None and config.ledger is None:
        raise config.refusal("ledger_key", f"give {flag('ledger')} too, or leave this out")
    # CAPC-RUN-014.
    if config.ledger is not None and config.inference is not Inference.EXACT:
        raise config.refusal(
            "inference", f"it leaks what a ledger is there to protect: leave out {flag('ledger')}, or this"
        )
    if config.allowance is not None and config.inference is not Inference.EXACT:
        raise config.refusal("allowance", f"{flag('inference')} {config.inference.value} keeps none: leave this out")
    if "allowance_queries" in config.places and config.allowance is None and config.ledger is None:
        raise config.refusal("allowance_queries", f"give {flag('allowance')} too, or leave this out")
    if config.engine != EMBEDDED.name and config.inference is not Inference.EXACT:
        raise config.refusal("engine", f"inference {config.inference.value} has the embedded one only: leave this out")
    if config.threshold is None:
        if config.threshold_sigma is not None:
            raise config.refusal("threshold_sigma", f"give {flag('threshold')} too, or leave this out")
        if config.charge is Charge.REALISED:
            raise config.refusal(
                "charge", f"give {flag('threshold')} too: without one every query is answered and charged in full"
            )
    elif config.threshold_sigma is not None and config.sigma is None:
        raise config.refusal(
            "threshold_sigma", f"give {flag('sigma')} too, or leave this out to have both calibrated together"
        )


def _parameter_set(config: JobConfig) -> ParameterSet:
    try:
        return ParameterSet.named(config.parameters)
    except ParameterError as error:
        raise InputError(f"{error} ({config.place('parameters')})") from None


def _release_policy(config: JobConfig) -> ReleasePolicy:
    sigma = config.sigma
    if sigma is None:
        sigma = _smallest_sigma(config, config.queries)
    threshold_sigma = None if config.threshold is None else config.threshold_sigma or sigma
    return ReleasePolicy(
        mechanism=config.mechanism,
        sigma=sigma,
        threshold=config.threshold,
        threshold_sigma=threshold_sigma,
        charge=config.charge,
        adjacency=config.adjacency,
        epsilon=config.epsilon,
        delta=config.delta,
    )


def _smallest_sigma(config: JobConfig, queries: int) -> Fraction:
    """The deviation that fits that many queries; the threshold's deviation keeps its proportion to it."""
    ratio = None
    if config.threshold is not None:
        ratio = Fraction(1)
        if config.threshold_sigma is not None and config.sigma is not None:
            ratio = config.threshold_sigma / config.sigma
    try:
        return calibrate_sigma(
            config.mechanism, config.adjacency, config.epsilon, config.delta, queries=queries, threshold_ratio=ratio
        )
    except InputError as error:
        raise _budget_refusal(config, error) from None


def _budget(config: JobConfig, release: ReleasePolicy, grid_bits: int) -> Fraction:
    cost = query_cost(release, grid_bits)
    try:
        budget = budget_lower(cost.unit, config.epsilon, config.delta)
    except InputError as error:
        raise _budget_refusal(config, error) from None
    if cost.worst_case > budget:
        remedy = f"choose at least {rational_text(_smallest_sigma(config, 1))}, or a larger epsilon"
        raise config.refusal("sigma", f"one query costs more than the whole budget: {remedy}")
    return budget


def _budget_refusal(config: JobConfig, error: InputError) -> InputError:
    return InputError(f"{error} ({config.place('epsilon')}, {config.place('delta')})")


def _vote_variant(config: JobConfig, widths: ParameterSet, num_classes: int) -> VoteVariant:
    """What was asked for, or what is fastest on the network for a batch of the job."""
    if config.vote_variant is not None:
        return config.vote_variant
    if config.network is None:
        return VoteVariant.TOURNAMENT
    return fastest_vote(num_classes, widths.logit_bits, widths.vote_bits, config.batch, NETWORKS[config.network])


def _parameters(config: JobConfig, widths: ParameterSet, dataset: Dataset, release: ReleasePolicy) -> Parameters:
    try:
        variant = _vote_variant(config, widths, dataset.num_classes)
        parameters = Parameters(widths, dataset.num_classes, dataset.num_features, release, variant)
    except ParameterError as error:
        raise InputError(f"{error} ({config.place('threshold')}, {config.place('parameters')})") from None
    try:
        parameters.check_vote_range(config.parties)
    except ParameterError as error:
        noise = f"sigma = {rational_text(release.sigma)}"
        if config.sigma is None:
            noise += f" for epsilon = {rational_text(config.epsilon)} ({config.place('epsilon')}) and {flag('queries')}"
        else:
            noise += f" ({config.place('sigma')})"
        places = ", ".join(config.place(name) for name in ("parties", "parameters"))
        raise InputError(f"{error}; {noise}, {places}") from None
    return parameters


def _check_batch(config: JobConfig, parameters: Parameters) -> None:
    """Refuses what the session will refuse, whose largest layer is known before training."""
    widest = max(width for hidden in ARCHITECTURES for width in hidden)
    architecture = dense_architecture((parameters.num_features, widest, parameters.num_classes))
    participants = (
        Participant(QUERYING_PARTY, bytes(IDENTITY_BYTES)),
        Participant(answering_party(1), b"1" * IDENTITY_BYTES, architecture),
        Participant(PRIVACY_GUARDIAN, b"2" * IDENTITY_BYTES),
    )
    try:
        Session(parameters, bytes(SESSION_ID_BYTES), participants).check_batch(min(config.batch, config.queries))
    except InputError as error:
        raise InputError(f"batch = {config.batch} ({config.place('batch')}): {error}: choose as few") from None
