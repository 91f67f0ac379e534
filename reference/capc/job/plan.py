"""Everything that can be refused, before anything is trained or sent (CAPC-RUN-001).

Spec: CAPC-ACCT-135, CAPC-RUN-041.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from importlib.metadata import entry_points

from capc.foundation.errors import InputError, ParameterError
from capc.foundation.parties import PRIVACY_GUARDIAN, organisation
from capc.job.advice import Advice, advise, answered_by
from capc.job.checks import check_not_lost, check_together, checked_apart, counts_because
from capc.job.config import JobConfig, rational_text
from capc.job.keeping.files import beside
from capc.job.keeping.journal import Journal, default_folder
from capc.job.options import flag
from capc.job.own_models.folder import read_models
from capc.job.own_models.sessions import check_windows, session_of
from capc.job.own_models.table import admit_all
from capc.learning.architectures import mix
from capc.learning.bounds import weight_bound
from capc.learning.data import Column, Dataset, DataShape, load_digits, load_npz
from capc.learning.division import check_division, role_sizes
from capc.learning.own_models.networks import OwnModel
from capc.models.architecture import dense_architecture
from capc.privacy.account import Account
from capc.privacy.accountants.policies import (
    calibrate_sigma,
    calibrated,
    certify,
    default_order,
    fitting_queries,
    policy_budget,
    with_argmax_cost,
    with_argmax_queries,
    with_joint_cost,
)
from capc.privacy.ledger import Ledger, Terms, kept_terms, open_ledger
from capc.privacy.multi_label import SetRule, SetVoting
from capc.protocol.engine import EMBEDDED, EngineDescription, SecureEngine
from capc.protocol.network import NETWORKS, fastest_vote
from capc.session.parameters import Accounting, NoiseName, Parameters, ReleasePolicy, VoteVariant
from capc.session.widths import ParameterSet
from capc.two_party.vote_rounds import VoteShape

EXTENSIONS = "capc.engines"
"""The entry-point group of engines outside of this package."""


@dataclass(frozen=True)
class Plan:
    """A run that nothing speaks against, except a model that could wrap.

    Attributes:
        config: the options.
        dataset: all rows.
        parameters: what every session of the run is bound to.
        budget: the limit of the account, in the unit of the mechanism.
        engine: of steps 1c and 3; None for the embedded one.
        advice: what public figures say of the noise.
        voting: how sets of labels are voted on; None where each row has one class.
        simulated: whether F_CaPC in the clear takes the place of the protocol.
        accounting: why the account charges for what it does.
        own: by number, of parties that bring a model, which.
    """

    config: JobConfig
    dataset: Dataset
    parameters: Parameters
    budget: Fraction
    engine: SecureEngine | None
    advice: Advice
    voting: SetVoting | None = None
    simulated: bool = False
    accounting: str = ""
    own: Mapping[int, OwnModel] = field(default_factory=dict)

    @property
    def group(self) -> Column | None:
        """The attribute by which accuracy is told apart."""
        return None if self.config.group is None else self.dataset.columns[self.config.group]

    @property
    def architectures(self) -> tuple[tuple[int, ...], ...]:
        """Widths of hidden layers, which parties take in turn."""
        return _architectures(self.config, self.dataset.shape)

    @property
    def engine_description(self) -> EngineDescription:
        """What reports say of the engine."""
        return EMBEDDED if self.engine is None else self.engine.description

    def open_journal(self, account: Account, party: int) -> Journal | None:
        """What a querying party keeps over all runs on a ledger; None for an account in memory.

        Raises:
            InputError: the journal cannot be used, or belongs to another ledger.
        """
        if not isinstance(account, Ledger):
            return None
        identity = account.head.identity
        file = self.config.journal or default_folder() / f"{identity.hex()[:32]}.json"
        # Each party keeps a file of its own, which on one disk needs a name of its own.
        file = beside(file, f".{organisation(party)}") if party else file
        with self.config.placing("journal"):
            return Journal(file, identity)

    def open_account(self) -> Account:
        """The ledger that the options name, or a new account in memory with the whole budget. A run opens one.

        Raises:
            InputError: the ledger or its key cannot be used, or it was created with another policy or other data.
        """
        release, grid_bits = self.parameters.release, self.parameters.widths.grid_bits
        if self.config.ledger is None:
            certify(release, grid_bits, self.budget)
            return Account(release, grid_bits, self.budget, answered_by(release, self.voting))
        data_set = self.config.data_set or self.dataset.name
        terms = Terms(str(PRIVACY_GUARDIAN), data_set, release, grid_bits, self.budget)
        check_not_lost(self.config)
        with self.config.placing("ledger"):
            return open_ledger(self.config.ledger, terms, key_file=self.config.ledger_key)


def prepare(config: JobConfig, *, simulated: bool = False, dataset: Dataset | None = None) -> Plan:
    """Loads the data and settles noise, budget and sizes.

    Args:
        config: the options.
        simulated: whether F_CaPC in the clear takes the place of the protocol.
        dataset: what these options load, if it was loaded already.

    Raises:
        InputError: the options contradict each other, the data cannot be used, a role would get too few rows, the
            noise or the votes do not fit the rings, not even one query fits the budget, or the engine cannot be used.
    """
    check_together(config, simulated=simulated)
    with config.placing("parameters"):
        widths = ParameterSet.named(config.parameters)
    engine = find_engine(config)
    table = None if config.models is None else read_models(config.models, config.parties + 1, config.queriers)
    # What votes on sets cost depends on how many labels there are.
    release = None if config.multi_label is not None else _release_policy(config, widths.grid_bits)

    @cache
    def admit(shape: DataShape) -> tuple[Parameters, str, Mapping[int, OwnModel]]:
        settled = release or _release_policy(config, widths.grid_bits, _voting(config, widths.grid_bits, shape.classes))
        parameters = _parameters(config, widths, shape, settled[0])
        own = {} if table is None else admit_all(table, shape.features, shape.classes, widths)
        _check_networks(config, parameters, shape, own, simulated=simulated)
        return parameters, settled[1], own

    # Features are read last: all that can be refused without them is refused before.
    dataset = _load(config, admit) if dataset is None else dataset
    voting = _voting(config, widths.grid_bits, dataset.num_classes)
    parameters, accounting, own = admit(dataset.shape)
    advice = advise(
        answering=config.parties,
        classes=dataset.num_classes,
        pool=sum(role_sizes(config.division, dataset.num_rows).pools),
        queries=config.charged,
        release=parameters.release,
        grid_bits=widths.grid_bits,
        voting=voting,
    )
    budget = policy_budget(parameters.release)
    return Plan(config, dataset, parameters, budget, engine, advice, voting, simulated, accounting, own)


def _voting(config: JobConfig, grid_bits: int, classes: int) -> SetVoting | None:
    """How sets are voted on, of which there are as many as classes; None where each row has one class."""
    if config.multi_label is None:
        return None
    tau_squared = config.tau_squared if config.multi_label is SetRule.TAU else None
    return SetVoting(config.multi_label, (classes - 1).bit_length(), grid_bits, tau_squared)


def find_engine(config: JobConfig) -> SecureEngine | None:
    """The engine that the options name; None for the embedded one, the garbled circuits of the protocol.

    `NAME:PROTOCOL` is the entry point NAME of the group ``EXTENSIONS``: a function of the protocol and the declared
    threat model that returns a :class:`capc.protocol.engine.SecureEngine`.

    Raises:
        InputError: there is no such engine, it is not installed, or it is weaker than the declared model.
    """
    if config.engine == EMBEDDED.name:
        if config.declare_model != EMBEDDED.model:
            raise config.refusal("declare_model", "the embedded engine needs no weaker model: leave this out")
        return None
    name, _, protocol = config.engine.partition(":")
    found = {extension.name: extension for extension in entry_points(group=EXTENSIONS)}
    if name not in found:
        known = ", ".join([EMBEDDED.name, *(f"{other}:PROTOCOL" for other in found)])
        raise config.refusal("engine", f"there is no such engine: choose one of {known}")
    with config.placing("engine", "declare_model"):
        engine: SecureEngine = found[name].load()(protocol, config.declare_model)
    return engine


def _load(config: JobConfig, admit: Callable[[DataShape], object]) -> Dataset:
    columns = {name: getattr(config, name) for name in ("column", "group") if getattr(config, name) is not None}
    if config.data is None:
        for name in columns:
            raise config.refusal(name, f"scikit-learn's digits have no such array: give {flag('data')} too")
        return load_digits(sets=config.multi_label is not None)
    with config.placing(*columns) if columns else nullcontext():
        return load_npz(
            config.data,
            admit,
            columns=sorted(set(columns.values())),
            scaling=config.scaling,
            sets=config.multi_label is not None,
        )


def _release_policy(config: JobConfig, grid_bits: int, voting: SetVoting | None = None) -> tuple[ReleasePolicy, str]:
    """The policy that the options say, with noise that fits all queries if they name none, and why it is charged so.

    Raises:
        InputError: not even one query fits, or labels cannot be charged.
    """
    policy, why = _charged(config, grid_bits, voting)
    answered = answered_by(policy, voting)
    if not fitting_queries(policy, grid_bits, answered):
        least = rational_text(calibrate_sigma(policy, grid_bits, 1, answered))
        raise config.refusal(
            "sigma", f"one query costs more than the whole budget: choose at least {least}, or a larger epsilon"
        )
    return policy, why


def _charged(config: JobConfig, grid_bits: int, voting: SetVoting | None) -> tuple[ReleasePolicy, str]:
    """As :func:`_release_policy`, whether a query fits or not.

    Where options name no way of charging, that of a ledger is kept. Otherwise labels are charged where they can be, and
    where that needs no more noise, or admits no fewer queries, than charging counts: a choice by public figures.
    """

    def settled(accounting: Accounting, kept: ReleasePolicy | None = None) -> ReleasePolicy:
        return _settled(config, accounting, grid_bits, voting, kept)

    why_counts = counts_because(config, grid_bits)
    if why_counts is not None and config.accounting not in (None, Accounting.GAUSSIAN_DP):
        raise config.refusal("accounting", f"{why_counts}: choose gaussian_dp, or leave that out")
    kept = _kept_policy(config)
    if config.accounting is not None:
        return settled(config.accounting, kept), f"given ({config.place('accounting')})"
    if why_counts is not None:
        return settled(Accounting.GAUSSIAN_DP), f"not a label: {why_counts}"
    if kept is not None:
        return settled(kept.method, kept), f"as the ledger ({config.place('ledger')})"
    counts, labels = settled(Accounting.GAUSSIAN_DP), settled(Accounting.ARGMAX_RENYI)
    if config.sigma is None:
        less = labels.sigma <= counts.sigma
        told = f"sigma = {rational_text(labels.sigma)} for a label, {rational_text(counts.sigma)} for its noised counts"
    else:
        of_labels, of_counts = (fitting_queries(policy, grid_bits) for policy in (labels, counts))
        less = of_labels >= of_counts
        told = f"{of_labels} queries fit if a label is charged, {of_counts} if its noised counts are"
    return labels if less else counts, told


def _settled(
    config: JobConfig,
    accounting: Accounting,
    grid_bits: int,
    voting: SetVoting | None,
    kept: ReleasePolicy | None,
) -> ReleasePolicy:
    """The policy under one way of charging; a label's cost that a ledger has is kept: it is certified when opened."""
    policy = _policy_of_options(config, accounting)
    with config.placing("epsilon", "delta"):
        if config.sigma is None:
            return calibrated(policy, grid_bits, config.charged, answered_by(policy, voting))
        if policy.method is Accounting.GAUSSIAN_DP:
            return with_joint_cost(policy) if config.joint else policy
        if kept is not None and kept == replace(
            policy, argmax_cost=kept.argmax_cost, argmax_queries=kept.argmax_queries
        ):
            return kept
        if policy.method is Accounting.ARGMAX_COMPOSITION:
            return with_argmax_queries(policy, grid_bits)
        return with_argmax_cost(policy, grid_bits)


def _kept_policy(config: JobConfig) -> ReleasePolicy | None:
    """That of the ledger which the run goes on from; None for a new one, or none."""
    if config.ledger is None or not config.ledger.is_file():
        return None
    with config.placing("ledger"):
        return kept_terms(config.ledger).policy


def _policy_of_options(config: JobConfig, accounting: Accounting) -> ReleasePolicy:
    """Everything that the options say; a deviation that is to be calibrated is 1 for now, and a claimed cost is too."""
    sigma, labels = Fraction(1) if config.sigma is None else config.sigma, accounting is Accounting.ARGMAX_RENYI
    renyi_order = config.renyi_order
    needs_order = labels or config.joint or config.mechanism is NoiseName.SKELLAM
    if renyi_order is None and needs_order and accounting is not Accounting.ARGMAX_COMPOSITION:
        with config.placing("epsilon", "delta"):
            renyi_order = default_order(config.epsilon, config.delta, whole=not labels)
    with config.placing("renyi_order"):
        return ReleasePolicy(
            mechanism=config.mechanism,
            sigma=sigma,
            threshold=config.threshold,
            threshold_sigma=config.threshold_sigma or sigma if checked_apart(config) else None,
            charge=config.charge,
            adjacency=config.adjacency,
            epsilon=config.epsilon,
            delta=config.delta,
            renyi_order=renyi_order,
            joint_cost=Fraction(1) if config.joint else None,
            threshold_mode=config.draws,
            argmax_cost=Fraction(1) if labels else None,
            argmax_queries=config.charged if accounting is Accounting.ARGMAX_COMPOSITION else None,
        )


def _vote_variant(config: JobConfig, widths: ParameterSet, num_classes: int) -> VoteVariant:
    """What was asked for, or what is fastest on the network for a batch of the job."""
    if config.vote_variant is not None:
        return config.vote_variant
    if config.network is None:
        return VoteVariant.TOURNAMENT
    shape = VoteShape(num_classes, widths.logit_bits, widths.guard_bits, widths.vote_bits, config.batch)
    return fastest_vote(shape, NETWORKS[config.network])


def _parameters(config: JobConfig, widths: ParameterSet, shape: DataShape, release: ReleasePolicy) -> Parameters:
    """What sessions are bound to, once rows, features and classes are known."""
    rows_place = "scikit-learn's digits" if config.data is None else str(config.data)
    check_division(config.division, shape, config.place, rows_place, config.queries)
    variant = _vote_variant(config, widths, shape.classes)
    if config.prepare and variant is VoteVariant.MULTI_ROUND:
        place = config.place("vote_variant" if config.network is None else "network")
        raise config.refusal(
            "prepare", f"a vote in rounds ({place}) cannot be prepared: choose another, or leave this out"
        )
    with config.placing("threshold", "parameters"):
        parameters = Parameters(widths, shape.classes, shape.features, release, variant)
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


def _architectures(config: JobConfig, shape: DataShape) -> tuple[tuple[int, ...], ...]:
    """The mix for what a party is declared to hold."""
    declared = role_sizes(config.division, shape.rows).parties
    return mix(shape.features, shape.classes, sum(declared) // len(declared))


def _check_networks(
    config: JobConfig, parameters: Parameters, shape: DataShape, own: Mapping[int, OwnModel], *, simulated: bool
) -> None:
    """Refuses what training or the session will refuse: all networks' shapes are known before either."""
    mix, widths = _architectures(config, shape), parameters.widths
    parties, of_mix = range(config.parties + 1), {}
    for number in sorted({party % len(mix) for party in parties if party not in own}):
        sizes = (shape.features, *mix[number], shape.classes)
        with config.placing("parameters"):
            weight_bound(sizes, widths.fraction_bits, widths.logit_bits)
        of_mix[number] = dense_architecture(sizes)
    architectures = [own[party].architecture if party in own else of_mix[party % len(mix)] for party in parties]
    with config.placing("models", "parameters"):
        if own and not simulated:
            check_windows(widths, {model.architecture for model in own.values()})
        session = session_of(parameters, architectures[1:])
        for asker in range(1, config.queriers):
            session_of(parameters, [*architectures[:asker], *architectures[asker + 1 :]])
    try:
        session.check_batch(min(config.batch, config.queries))
    except InputError as error:
        raise InputError(f"batch = {config.batch} ({config.place('batch')}): {error}: choose as few") from None
