"""What options rule out together, before any data are read (CAPC-RUN-001).

Spec: CAPC-LEDG-024.
"""

from __future__ import annotations

from pathlib import Path

from capc.job.config import Budgets, JobConfig
from capc.job.keeping.files import beside, heads_folder
from capc.job.keeping.journal import check_place, default_folder
from capc.job.options import OF_THE_PROTOCOL, WITHDRAWN_ALLOWANCES, flag
from capc.learning.baselines import DP_SGD_LEAST_EPSILON, Baseline, dp_sgd_is_installed
from capc.privacy.multi_label import SetRule
from capc.protocol.engine import EMBEDDED
from capc.session.parameters import Charge, NoiseName, ThresholdMode


def check_together(config: JobConfig, *, simulated: bool) -> None:
    """Refuses options that contradict each other, or that name what cannot be used.

    Args:
        config: the options.
        simulated: whether F_CaPC in the clear takes the place of the protocol.

    Raises:
        InputError: they do.
    """
    _check_study(config, simulated=simulated)
    _check_label_sets(config, simulated=simulated)
    if config.keep is not None and not _may_be_folder(config.keep):
        raise config.refusal("keep", "a file is in its place: name a folder")
    if config.network is not None and config.vote_variant is not None:
        raise config.refusal("network", f"it chooses the vote's variant: leave out {flag('vote_variant')}, or this")
    _check_ledger(config)
    if config.prepare and config.engine != EMBEDDED.name:
        raise config.refusal(
            "prepare", f"only the embedded engine prepares batches: leave out {flag('engine')}, or this"
        )
    _check_composition(config)
    _check_threshold(config)
    _check_noise_of_threshold(config)


def _check_noise_of_threshold(config: JobConfig) -> None:
    if config.threshold is None:
        for name in ("threshold_sigma", "threshold_mode"):
            if getattr(config, name) is not None:
                raise config.refusal(name, f"give {flag('threshold')} too, or leave this out")
        if config.charge is Charge.REALISED:
            raise config.refusal(
                "charge", f"give {flag('threshold')} too: without one every query is answered and charged in full"
            )
    elif config.draws is ThresholdMode.SINGLE_DRAW:
        place = config.place("threshold_mode")
        if config.threshold_sigma is not None:
            raise config.refusal("threshold_sigma", f"the check takes the label's noise ({place}): leave this out")
        if config.charge is Charge.REALISED:
            raise config.refusal("charge", f"check and label are one answer ({place}): leave out one of both")
    elif config.threshold_sigma is not None and config.sigma is None:
        raise config.refusal(
            "threshold_sigma", f"give {flag('sigma')} too, or leave this out to have both calibrated together"
        )


def check_not_lost(config: JobConfig) -> None:
    """Refuses to make a ledger where one is missing whose heads are there: every answering party would refuse it."""
    if config.ledger is None or config.ledger.exists():
        return
    folder = heads_folder(config.ledger)
    if any(folder.glob("*.json")):
        raise config.refusal(
            "ledger", f"it is not there, and answering parties keep its heads in {folder}: put it back, or name another"
        )


def _check_study(config: JobConfig, *, simulated: bool) -> None:
    """What the parties do around the protocol."""
    for name in OF_THE_PROTOCOL if simulated else ():
        # Also one that code sets, and no flag or file: a ledger would be opened.
        if name in config.places or getattr(config, name) != JobConfig.__dataclass_fields__[name].default:
            raise config.refusal(name, "a simulation runs no protocol and charges no ledger: leave this out")
    if config.queriers > config.parties + 1:
        raise config.refusal(
            "queriers",
            f"there are {config.parties + 1} parties ({config.place('parties')} and one): choose at most as many",
        )
    if config.rounds > config.queries:
        raise config.refusal(
            "rounds", f"there are {config.queries} queries ({config.place('queries')}): choose as many"
        )
    if Baseline.DP_SGD in config.baselines and not dp_sgd_is_installed():
        raise config.refusal(
            "baselines", "the package opacus is not installed: pip install opacus, or leave dp_sgd out"
        )
    if Baseline.DP_SGD in config.baselines and config.models is not None:
        raise config.refusal("baselines", f"dp_sgd trains the default mix: leave it out, or {flag('models')}")
    if Baseline.DP_SGD in config.baselines and config.epsilon < DP_SGD_LEAST_EPSILON:
        raise config.refusal(
            "baselines", f"epsilon = {float(config.epsilon):g} is too low for Opacus: leave dp_sgd out"
        )
    if config.budgets is Budgets.SEPARATE and config.ledger is not None:
        raise config.refusal("budgets", f"a ledger holds one budget for all: leave out {flag('ledger')}, or this")


def _check_label_sets(config: JobConfig, *, simulated: bool) -> None:
    """What voting on sets of labels goes without."""
    if config.multi_label is None:
        if config.tau_squared is not None:
            raise config.refusal("tau_squared", f"give {flag('multi_label')} tau too, or leave this out")
        return
    if not simulated:
        raise config.refusal(
            "multi_label", "the protocol of capc run has one class for each row: use capc simulate, or leave this out"
        )
    if config.multi_label is SetRule.TAU and config.tau_squared is None:
        raise config.refusal("tau_squared", f"tau voting ({config.place('multi_label')}) needs it: give a rational")
    if config.threshold is not None:
        raise config.refusal("threshold", f"voting on sets ({config.place('multi_label')}) has none: leave this out")


def _check_ledger(config: JobConfig) -> None:
    for name in ("ledger_key", "data_set", "journal"):
        if getattr(config, name) is not None and config.ledger is None:
            raise config.refusal(name, f"give {flag('ledger')} too, or leave this out")
    if config.ledger is not None and not _may_be_folder(heads_folder(config.ledger)):
        raise config.refusal("ledger", f"a file is in the place of {heads_folder(config.ledger)}: name another ledger")
    if config.ledger is not None and (kept := beside(config.ledger, ".allowances")).exists():
        raise config.refusal("ledger", f"{kept} {WITHDRAWN_ALLOWANCES}: remove it")
    if config.ledger is not None:
        with config.placing("journal"):
            check_place(config.journal or default_folder() / "journal", config.ledger)


def _check_composition(config: JobConfig) -> None:
    if not config.joint:
        return
    if config.threshold is None:
        raise config.refusal("joint", f"give {flag('threshold')} too: without one there is no check to charge jointly")
    for name, found, needed in (
        ("threshold_mode", config.draws, ThresholdMode.TWO_DRAWS),
        ("charge", config.charge, Charge.WORST_CASE),
        ("mechanism", config.mechanism, NoiseName.ROUNDED_GAUSSIAN),
    ):
        if found is not needed:
            raise config.refusal(name, f"joint charges need {needed.value}: leave out {flag('joint')}, or this")


def checked_apart(config: JobConfig) -> bool:
    """Whether a threshold is checked with draws of its own."""
    return config.threshold is not None and config.draws is ThresholdMode.TWO_DRAWS


def counts_because(config: JobConfig, grid_bits: int) -> str | None:
    """Why an account of the run has to charge for noised counts; None where it may charge for labels.

    Args:
        config: the options.
        grid_bits: g.
    """
    reasons = {
        "charging what was released gives back answers": config.charge is Charge.REALISED,
        "the check has draws of its own": checked_apart(config),
        "each label of a set is released by itself": config.multi_label in {SetRule.BINARY, SetRule.TAU},
        "another engine is not known to tell labels only": config.engine != EMBEDDED.name,
        "a vote is not an even number of grid units": grid_bits == 0,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _check_threshold(config: JobConfig) -> None:
    if config.threshold is not None and config.threshold > config.parties:
        raise config.refusal(
            "threshold",
            f"no label gets more than {config.parties} votes ({config.place('parties')}), one of each answering party: "
            f"choose at most {config.parties}, or more parties",
        )


def _may_be_folder(path: Path) -> bool:
    """Whether a path is a folder, or one could be made there."""
    there = path.absolute()
    while not there.exists():
        there = there.parent
    return there.is_dir()
