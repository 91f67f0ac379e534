"""The options of the main job, and how they reach it: flags over a TOML file over defaults (CAPC-RUN-001)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, get_type_hints

from capc.foundation.errors import InputError
from capc.job.options import (
    NAME_LENGTH,
    WITHDRAWN,
    Option,
    OptionValue,
    choice,
    file_name,
    flag,
    named,
    rational,
    several,
    whole,
    yes_or_no,
)
from capc.learning.baselines import Baseline
from capc.learning.data import MAX_CLASSES, MAX_ROWS, Scaling, no_file_because
from capc.learning.partition import Division, Partition, Skewed
from capc.learning.strategies import Strategy
from capc.privacy.multi_label import SetRule
from capc.protocol.engine import EMBEDDED
from capc.protocol.network import NetworkName
from capc.session.parameters import (
    MAX_RENYI_ORDER,
    Accounting,
    Adjacency,
    Charge,
    NoiseName,
    ThresholdMode,
    VoteVariant,
)
from capc.session.session import MAX_ANSWERING, MAX_QUERIES

MAX_BATCH = 4096
MAX_WORKERS = 256
MAX_ROUNDS = 1000
MAX_ALPHA = Fraction(10**6)
MAX_SIZE_RATIO = Fraction(10**4)
MAX_SEED = (1 << 63) - 1
MAX_VOTES = Fraction(10**6)
MAX_EPSILON = Fraction(1000)
"""Beyond it a promise is empty, and conversions need thousands of digits."""


class Budgets(StrEnum):
    """Whose queries a budget is for."""

    SHARED = "shared"
    """One for the queries of all querying parties: what a protected party's data are protected by."""
    SEPARATE = "separate"
    """One for each querying party, as in CaPC's paper: towards all of them together the costs add up."""


@dataclass(frozen=True)
class JobConfig:
    """The options of one run. Deviations and the threshold are in votes, as exact rationals.

    Attributes:
        data: an ``.npz`` archive; None takes scikit-learn's digits.
        models: a TOML file that gives parties models of their own; None gives all of them the default mix.
        parties: K, the number of parties that answer a query; there is one more.
        queries: how many points of its pool each querying party asks about, as far as the budget allows.
        batch: how many queries are asked at once; the last batch is what is left.
        prepare: whether a batch's transfers, encryptions and circuits are made before its queries are used.
        workers: processes that share the work of homomorphic encryption with the run's own.
        queriers: how many of the K + 1 parties ask in turn, each about points of its own pool; all others answer.
        budgets: whether the queries of all querying parties are charged to one budget, or each party's to its own.
        rounds: in how many parts each querying party asks, and retrains its model in between.
        strategy: which points of its pool a querying party asks about.
        multi_label: the rule by which parties vote on sets of labels; None where each row has one class.
        tau_squared: of `tau`, the squared length in votes^2 that a ballot is scaled down to.
        self_training: whether a retrained model also learns from what it predicts confidently on its own pool.
        baselines: what the querying party's gain is compared with.
        partition: how rows are divided among all parties.
        skewed: whether it skews the rows of all parties or of the querying parties.
        column: an array of the archive by whose values it divides, in the place of the classes.
        weak_classes: of `weak`, how many classes each party has little of.
        weak_ratio: of `weak`, which part of its share it has of them.
        missing_classes: of `missing`, how many classes each party lacks; None lacks half.
        alpha: of `dirichlet`, the concentration.
        test_rows: rows that are held out; None holds out a quarter.
        pool_rows: unlabelled rows of all querying parties together; None takes a tenth.
        party_rows: labelled rows of each party; None divides what there is.
        querying_rows: labelled rows of each querying party; None takes as many as of others.
        size_ratio: rows of the largest party for each one of the smallest.
        group: an array of the archive by whose values accuracy is told apart.
        scaling: how features reach [-1, 1].
        keep: the folder of models that are trained once; None trains anew.
        parameters: the name of a published parameter set.
        mechanism: the law of the noise.
        adjacency: the neighbouring relation of the budget.
        charge: which costs the account charges.
        joint: whether a check and its answer are charged as one step, always.
        renyi_order: of the account's costs; None charges mu^2 or rho, or takes one that suits the budget where noise or
            joint charges need an order.
        sigma: deviation of the noise on each class; None calibrates it so that ``queries`` fit the budget.
        threshold: T of Confident-GNMax; None answers every query.
        threshold_sigma: deviation of the check's own noise; None takes the one of the classes.
        threshold_mode: whether the check has draws of its own, or takes the label's; None as :attr:`draws` says.
        accounting: what the account charges for; None takes labels where nothing speaks against it.
        epsilon: the budget.
        delta: the budget's delta.
        vote_variant: how step 1c computes votes; None takes what is fastest on the network.
        network: what connects the parties, where votes may take rounds; None names a tournament.
        engine: of steps 1c and 3, `embedded` or another one and its protocol.
        declare_model: the threat model that is accepted, by name; an engine that is weaker is refused.
        seed: decides the split of the data and the training, and nothing else (CAPC-RUN-002).
        ledger: the file of the account, continued from run to run; None keeps the account in memory.
        ledger_key: the file of the key that signs the ledger; None takes the one beside it.
        journal: where the querying party keeps which rows it asked and the labels that it bought; None takes a file in
            the user's own state, named by the ledger's identity.
        ask_again: whether rows may be asked that were asked before.
        data_set: the name under which the ledger protects the data; None takes the name of the file.
        places: where each option was given that was given, by name.
    """

    data: Annotated[Path | None, file_name("an .npz archive")] = None
    models: Annotated[Path | None, file_name("a TOML file of own models")] = None
    parties: Annotated[int, whole(1, MAX_ANSWERING)] = 20
    queries: Annotated[int, whole(1, MAX_QUERIES)] = 20
    batch: Annotated[int, whole(1, MAX_BATCH)] = 10
    prepare: Annotated[bool, yes_or_no()] = False
    workers: Annotated[int, whole(0, MAX_WORKERS)] = 0
    queriers: Annotated[int, whole(1, MAX_ANSWERING)] = 1
    budgets: Annotated[Budgets, choice(Budgets)] = Budgets.SHARED
    rounds: Annotated[int, whole(1, MAX_ROUNDS)] = 1
    strategy: Annotated[Strategy, choice(Strategy)] = Strategy.MARGIN
    multi_label: Annotated[SetRule | None, choice(SetRule)] = None
    tau_squared: Annotated[Fraction | None, rational(MAX_VOTES)] = None
    self_training: Annotated[bool, yes_or_no()] = False
    baselines: Annotated[tuple[Baseline, ...], several(Baseline)] = ()
    partition: Annotated[Partition, choice(Partition)] = Partition.IID
    skewed: Annotated[Skewed, choice(Skewed)] = Skewed.ALL
    column: Annotated[str | None, named("the name of an array of the archive")] = None
    weak_classes: Annotated[int, whole(1, MAX_CLASSES)] = 2
    weak_ratio: Annotated[Fraction, rational(Fraction(1), zero=True)] = Fraction(1, 10)
    missing_classes: Annotated[int | None, whole(1, MAX_CLASSES)] = None
    alpha: Annotated[Fraction, rational(MAX_ALPHA)] = Fraction(1)
    test_rows: Annotated[int | None, whole(1, MAX_ROWS)] = None
    pool_rows: Annotated[int | None, whole(1, MAX_ROWS)] = None
    party_rows: Annotated[int | None, whole(1, MAX_ROWS)] = None
    querying_rows: Annotated[int | None, whole(1, MAX_ROWS)] = None
    size_ratio: Annotated[Fraction, rational(MAX_SIZE_RATIO)] = Fraction(1)
    group: Annotated[str | None, named("the name of an array of the archive")] = None
    scaling: Annotated[Scaling, choice(Scaling)] = Scaling.AUTO
    keep: Annotated[Path | None, file_name("a folder, which is made if it is not there")] = None
    parameters: Annotated[str, named("the name of a parameter set, such as default or test")] = "default"
    mechanism: Annotated[NoiseName, choice(NoiseName)] = NoiseName.ROUNDED_GAUSSIAN
    adjacency: Annotated[Adjacency, choice(Adjacency)] = Adjacency.REPLACE_ONE
    charge: Annotated[Charge, choice(Charge)] = Charge.WORST_CASE
    joint: Annotated[bool, yes_or_no()] = False
    renyi_order: Annotated[Fraction | None, rational(Fraction(MAX_RENYI_ORDER))] = None
    sigma: Annotated[Fraction | None, rational(MAX_VOTES)] = None
    threshold: Annotated[Fraction | None, rational(MAX_VOTES, zero=True)] = None
    threshold_sigma: Annotated[Fraction | None, rational(MAX_VOTES)] = None
    threshold_mode: Annotated[ThresholdMode | None, choice(ThresholdMode)] = None
    accounting: Annotated[Accounting | None, choice(Accounting)] = None
    epsilon: Annotated[Fraction, rational(MAX_EPSILON)] = Fraction(10)
    delta: Annotated[Fraction, rational(Fraction(1), open_above=True)] = Fraction(1, 100_000)
    vote_variant: Annotated[VoteVariant | None, choice(VoteVariant)] = None
    network: Annotated[NetworkName | None, choice(NetworkName)] = None
    engine: Annotated[str, named("embedded, or an engine and its protocol such as mp-spdz:semi2k")] = EMBEDDED.name
    declare_model: Annotated[str, named("base, or a weaker threat model by name such as honest_majority")] = (
        EMBEDDED.model
    )
    seed: Annotated[int, whole(0, MAX_SEED)] = 0
    ledger: Annotated[Path | None, file_name("a ledger, which is made if it is not there")] = None
    ledger_key: Annotated[Path | None, file_name("the file of the ledger's signing key")] = None
    journal: Annotated[Path | None, file_name("the querying party's journal, which is made if it is not there")] = None
    ask_again: Annotated[bool, yes_or_no()] = False
    data_set: Annotated[
        str | None, named(f"a name of the protected data that outlives its files, of up to {NAME_LENGTH} characters")
    ] = None
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> int:
        """How many points all querying parties together are to ask about."""
        return self.queries * self.queriers

    @property
    def charged(self) -> int:
        """How many queries one budget is to suffice for."""
        return self.asked if self.budgets is Budgets.SHARED else self.queries

    @property
    def draws(self) -> ThresholdMode:
        """What a threshold is compared with: the label's draws, at no further cost, unless own ones are needed."""
        if self.threshold_mode is not None:
            return self.threshold_mode
        apart = self.charge is Charge.REALISED or self.joint or self.threshold_sigma is not None
        return ThresholdMode.TWO_DRAWS if apart or self.threshold is None else ThresholdMode.SINGLE_DRAW

    @property
    def division(self) -> Division:
        """Who gets how many rows, and of which kind."""
        options = {name: getattr(self, name) for name in Division.__dataclass_fields__ if name != "parties"}
        return Division(parties=self.parties + 1, **options)

    def place(self, name: str) -> str:
        """Where an option was given: its flag, or its key in the file; its flag's default otherwise."""
        return self.places.get(name, f"default of {flag(name)}")

    def refusal(self, name: str, remedy: str) -> InputError:
        """The error that names an option, its value, its place and the remedy."""
        value = getattr(self, name)
        shown = "not given" if value is None else plain(value)
        shown = ",".join(map(str, shown)) if isinstance(shown, list) else shown
        return InputError(f"{name} = {shown} ({self.place(name)}): {remedy}")

    @contextmanager
    def placing(self, *names: str) -> Iterator[None]:
        """Adds to a refusal inside where these options were given."""
        try:
            yield
        except InputError as error:
            raise InputError(f"{error} ({', '.join(map(self.place, names))})") from None

    def document(self) -> dict[str, object]:
        """Every option as a JSON value; rationals are strings, what was not given is None."""
        return {name: plain(getattr(self, name)) for name in OPTIONS}


OPTIONS: dict[str, Option] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(JobConfig, include_extras=True).items()
    if hasattr(hint, "__metadata__")
}
"""Every option that a TOML file may hold, and the order in which they are shown."""


def resolve(flags: Mapping[str, str], file: Path | None = None, raw: Mapping[str, object] | None = None) -> JobConfig:
    """The configuration of a run.

    Args:
        flags: the text of each flag that was given, by the name of its option.
        file: a TOML file whose top-level keys are names of options.
        raw: what the file holds, if it was read already.

    Raises:
        InputError: the file cannot be read or holds an unknown key, a value has a wrong type or range, or an option is
            withdrawn. Every value is checked, also one that a flag overrides.
    """
    values: dict[str, OptionValue] = {}
    places: dict[str, str] = {}
    if raw is None:
        raw = {} if file is None else read_options(file)
    for name, value in raw.items():
        places[name] = f"{file}: {name}"
        values[name] = _checked(name, value, places[name], from_text=False)
    for name, text in flags.items():
        places[name] = flag(name)
        values[name] = _checked(name, text, places[name], from_text=True)
    return JobConfig(**values, places=places)  # type: ignore[arg-type]


def read_options(file: Path, besides: Sequence[str] = ()) -> dict[str, object]:
    """What a TOML file holds.

    Args:
        file: its name.
        besides: keys that it may hold besides names of options.

    Raises:
        InputError: the file cannot be read, or holds another key.
    """
    raw = _read_toml(file)
    for name in raw:
        if name not in OPTIONS and name not in WITHDRAWN and name not in besides:
            known = ", ".join((*besides, *OPTIONS))
            raise InputError(f"{name} ({file}): this option is unknown: choose from {known}")
    return raw


def _checked(name: str, raw: object, place: str, *, from_text: bool) -> OptionValue:
    shown = " ".join(str(raw).split())
    if name in WITHDRAWN:
        raise InputError(f"{name} = {shown} ({place}): {WITHDRAWN[name]}")
    kind = OPTIONS[name]
    try:
        return kind.from_text(str(raw)) if from_text else kind.from_value(raw)
    except ValueError:
        raise InputError(f"{name} = {shown} ({place}): choose {kind.remedy}") from None


def _read_toml(file: Path) -> dict[str, object]:
    if not file.is_file():
        raise InputError(f"config = {file} (--config): {no_file_because(file)}: name a TOML file")
    try:
        # Decimals keep the digits that were written; a float would make another rational of them.
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"config = {file} (--config): not a readable TOML file ({reason}): correct it") from None


def plain(value: object) -> object:
    """The JSON value of an option: rationals become strings, choices and paths their text, several of them a list."""
    if isinstance(value, Fraction):
        return rational_text(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    return value


def rational_text(value: Fraction) -> str:
    """The exact value as a decimal if it has one of at most 100 places, else as a fraction."""
    for places in range(101):
        scaled = value * 10**places
        if scaled.denominator == 1:
            return str(Decimal(f"{scaled.numerator}e-{places}"))
    return str(value)
