"""CAPC-ROLE-013 over every class of every package: what is not named here as public shows its type and nothing else."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum, StrEnum

import pytest

import capc
from capc.foundation.single_use import SingleUse
from capc.linear.bfv.scheme import BfvLinear
from capc.linear.ideal import IdealLinear
from capc.models.operators import Dense
from capc.protocol.engine import ArgmaxCase, ReleaseCase, ReleaseOutcome
from capc.protocol.functionality import IdealOutput
from capc.session.widths import ParameterSet
from capc.steps.messages import VoteShares
from capc.steps.privacy_guardian.release import ReleasedQuery
from capc.steps.querying_party.inference import VoteShare
from support.runs import POLICIES, fork, voters
from support.secrets import secrets_in

PUBLIC_ROOMS = {
    "capc.privacy.accountants": "laws of noise, policies and their costs: functions of public parameters",
    "capc.privacy.analysis": "the same, and figures that are printed",
    "capc.privacy.composition": "the same: noise, family, budget, and what was found",
    "capc.privacy.figures": "the same, and the questions to which they are answers",
    "capc.two_party.circuits": "circuits are public",
    "capc.cli": "options as they were typed, and exit codes",
}
PUBLIC = {
    "capc.protocol.network.Network": "an option",
    "capc.models.architecture.Architecture": "public in a session",
    "capc.models.architecture.StageShape": "public in a session",
    "capc.session.channel.Channel": "names of parties and the session's digest",
    "capc.session.channel.LayerChannel": "the same, and the numbers in headers",
    "capc.privacy.multi_label.SetVoting": "a rule and its public figures",
    "capc.privacy.query_cost.QueryCost": "a function of the policy",
    "capc.protocol.costs.StepCost": "seconds, bytes, rounds",
    "capc.job.model_check.costs.StageCost": "the same, by an architecture",
    "capc.job.model_check.costs.QueryCost": "the same, by an architecture",
    "capc.job.model_check.costs.Measured": "the same, of zeros or of the caller's rows",
    "capc.protocol.engine.EngineCost": "bytes, rounds",
    "capc.protocol.engine.EngineDescription": "names",
    "capc.privacy.events.Dispatch": "an event: digests that the ledger's readers see",
    "capc.privacy.events.Event": "an event",
    "capc.privacy.events.Receipt": "an event; the digest of its inputs is left out",
    "capc.privacy.events.Reservation": "an event",
    "capc.privacy.events.Settlement": "an event: the answered bit, which the account knows",
    "capc.two_party.hash_use.HashUse": "counts",
    "capc.linear.bfv.encoding.axis.Axis": "the shape of a layer",
    "capc.linear.bfv.context.HeContext": "parameters, in a library's objects",
    "capc.linear.bfv.encoding.polynomials.Response": "the shape of a layer",
    "capc.linear.bfv.encoding.layout.Layout": "the shape of a layer",
    "capc.linear.bfv.pool._Reference": "a number of an object",
    "capc.linear.bfv.pool._Refusal": "a code and a text that a refusal shows",
    "capc.linear.bfv.encoding.tiling.Costs": "counts",
    "capc.linear.bfv.encoding.tiling.Tiling": "the shape of a layer",
    "capc.models.importing.from_torch._LayerCall": "names of layers",
    "capc.models.importing.torch_modules.origin.Layer": "names of layers",
    "capc.models.importing.quantise.StageRange": "bits of a range, in the report for the model's owner",
    "capc.models.importing.quantise.QuantisationReport": "the report for the model's owner",
    "capc.job.config.JobConfig": "options as they were typed",
    "capc.foundation.environment.Requirement": "versions",
    "capc.job.advice.Advice": "a function of public figures",
    "capc.job.advice.Contest": "public figures",
    "capc.job.advice._Figures": "public figures",
    "capc.two_party.garbling.concrete_bound.GarblingBound": "counts",
    "capc.job.job._Moment": "seconds and bytes",
    "capc.job.rendering.drawing.Drawing": "a figure of what the report of a run shows",
    "capc.job.plan.Plan": "options and parameters; data sets show their type",
    "capc.job.state.PartyRecord": "what the report of a run shows",
    "capc.job.state.RoundRecord": "what the report of a run shows",
    "capc.job.study.Study": "options as they were typed",
    "capc.job.state.QueryRecord": "what the report of a run shows",
    "capc.privacy.ledger.chain.Head": "what every answering party is shown",
    "capc.privacy.ledger.heads.KnownHead": "what every answering party is shown",
    "capc.privacy.ledger.records.Opening": "what every answering party is shown",
    "capc.privacy.ledger.terms.Terms": "what every answering party is shown",
    "capc.privacy.ledger.watch.Proof": "what every answering party is shown",
    "capc.learning.archive.ArrayHeader": "the shape and type of an array",
    "capc.learning.data.DataShape": "numbers of rows, features and classes",
    "capc.learning.metrics.GroupScore": "what the report of a run shows",
    "capc.learning.metrics.Score": "what the report of a run shows",
    "capc.learning.division.Division": "options as they were typed",
    "capc.learning.division.RoleSizes": "counts",
    "capc.learning.partition._Groups": "classes of rows, which the seed on the command line gives",
    "capc.learning.partition.Split": "numbers of rows, which the seed on the command line gives",
    "capc.two_party.garbling.transfers.ot_messages.BaseOtChoice": "bytes on the wire",
    "capc.two_party.garbling.transfers.ot_messages.BaseOtOffer": "bytes on the wire",
    "capc.session.envelope.Envelope": "a header",
    "capc.steps.messages.MaskKey": "bytes on the wire",
    "capc.two_party.garbling.transfers.ot_messages.ExtensionCheck": "bytes on the wire",
    "capc.two_party.garbling.transfers.ot_messages.OtExtension": "bytes on the wire",
    "capc.two_party.garbling.transfers.ot_messages.OtTrees": "bytes on the wire",
    "capc.two_party.garbling.transfers.ot_messages.TreeCheck": "bytes on the wire",
    "capc.two_party.garbling.transfers.ot_messages.CheckedExtension": "bytes on the wire",
    "capc.two_party.garbling.transfers.universal_hash.Field": "constants",
    "capc.foundation.encoding.OnePoint": "bytes on the wire",
    "capc.models.model.QuantisedModel": "the architecture; layers show their type",
    "capc.two_party.vote_rounds.VoteShape": "public in a session",
    "capc.models.operators.Convolution": "the shape of a layer",
    "capc.models.operators.Dense": "the shape of a layer",
    "capc.models.operators.Grid": "the shape of a layer",
    "capc.models.operators.SumPool": "the shape of a layer",
    "capc.session.widths.ParameterSet": "parameters",
    "capc.session.parameters.Parameters": "parameters",
    "capc.session.parameters.ReleasePolicy": "parameters",
    "capc.foundation.parties.Party": "a name",
    "capc.protocol.collaboration.QueryResult": "the released label, for whom it was released; noise is left out",
    "capc.steps.querying_party.release.Answer": "the released label, for whom it was released; the other label is out",
    "capc.protocol.seats.Methods": "objects, which show their type",
    "capc.protocol.seats.QueryingTurn": "what all roles have agreed to do; the queries are left out",
    "capc.protocol.seats.Turn": "what all roles have agreed to do",
    "capc.session.session.Batch": "numbers of queries",
    "capc.session.session.Participant": "public in a session",
    "capc.session.session.Session": "public",
    "capc.steps.suite.Suite": "parameters; building blocks show their type",
    "capc.two_party.vectorised.plan.Plan": "circuits are public",
    "capc.two_party.vectorised.plan.PlannedStage": "circuits are public",
    "capc.two_party.vectorised.plan.XorGroup": "circuits are public",
    "capc.two_party.vectorised.plan._Wire": "circuits are public",
    "capc.job.models.PartyModel": "networks, which show their type",
    "capc.noise.mechanism.DiscreteGaussian": "parameters of noise",
    "capc.noise.mechanism.ReleaseMechanisms": "parameters of noise",
    "capc.noise.mechanism.RoundedGaussian": "parameters of noise",
    "capc.noise.mechanism.Skellam": "parameters of noise",
    "capc.noise.grid_noise.GridNoise": "parameters of noise",
    "capc.noise.sensitivity.Sensitivity": "parameters of noise",
    "capc.noise.shares.DiscreteGaussianShare": "parameters of noise",
    "capc.noise.shares.SharedNoise": "parameters of noise",
    "capc.noise.shares.SkellamShare": "parameters of noise",
}
PUBLIC_NESTED = {
    "capc.models.importing.graph": "shapes; operators with weights show their type",
    "capc.models.importing.lowering.forms": "places and shapes; layers and values with constants show their type",
    "capc.models.importing.lower": "places and shapes; layers with weights show their type",
    "capc.models.importing.lowering.reordering": "names and orders of axes",
    "capc.job.options": "what an option admits",
}
SHOW_A_SHAPE = {"capc.linear.bfv.encoding.weights.EncodedWeights"}
"""They show the operator that they are for, which is public."""
READ_THEIR_FIELDS = {"capc.models.importing.quantise.QuantisationReport"}
"""Its representation is made of numbers that it computes, and takes no canary."""
CANARY = "0x5ec7e7-of-a-party"


def name_of(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def classes() -> Iterator[type]:
    for found in pkgutil.walk_packages(capc.__path__, "capc."):
        module = importlib.import_module(found.name)
        for cls in vars(module).values():
            if inspect.isclass(cls) and cls.__module__ == module.__name__:
                yield cls


def attributes(cls: type) -> list[str]:
    if is_dataclass(cls):
        return [entry.name for entry in fields(cls)]
    names: list[str] = list(getattr(cls, "_fields", ()))
    return names


def is_listed(cls: type) -> bool:
    name = name_of(cls)
    rooms = (*PUBLIC_ROOMS, *PUBLIC_NESTED)
    return name in PUBLIC or any(name == room or name.startswith(f"{room}.") for room in rooms)


def shown(cls: type) -> str:
    """What an instance with canaries in all of its fields shows."""
    names = attributes(cls)
    if issubclass(cls, tuple):
        return repr(tuple.__new__(cls, [CANARY] * len(names)))
    made = object.__new__(cls)
    for name in names:
        object.__setattr__(made, name, CANARY)
    return repr(made)


def with_fields() -> list[type]:
    return [cls for cls in classes() if attributes(cls)]


@pytest.mark.req("CAPC-ROLE-013")
@pytest.mark.parametrize("cls", [cls for cls in with_fields() if not is_listed(cls)], ids=name_of)
def test_what_is_not_public_shows_its_type_only(cls: type) -> None:
    text = shown(cls)
    assert CANARY not in text
    assert cls.__name__ in text


def without_fields() -> list[type]:
    """Classes that choose what they show, and have no fields that could be filled in."""
    usual = (object.__repr__, Enum.__repr__, StrEnum.__repr__, BaseException.__repr__)
    own = [cls for cls in classes() if not attributes(cls) and cls.__repr__ not in usual and not is_listed(cls)]
    return [cls for cls in own if name_of(cls) not in SHOW_A_SHAPE]


@pytest.mark.req("CAPC-ROLE-013")
@pytest.mark.parametrize("cls", without_fields(), ids=name_of)
def test_what_has_no_fields_shows_its_type_without_reading_anything(cls: type) -> None:
    """An instance that holds nothing at all shows the same: so nothing that it holds is shown."""
    assert repr(object.__new__(cls)) in (f"<{cls.__name__}>", f"{cls.__name__}(<secret>)")


@pytest.mark.req("CAPC-ROLE-013")
def test_classes_are_found_and_every_exception_is_one() -> None:
    """States of all roles are among those that show nothing; no name on the list has lost its class, or needs none."""
    found = with_fields()
    assert len(found) > 200
    hidden = {cls for cls in found if not is_listed(cls)}
    assert {cls for cls in found if issubclass(cls, SingleUse)} <= hidden
    assert {ArgmaxCase, ReleaseCase, ReleaseOutcome, VoteShares, IdealOutput} <= hidden
    names = {name_of(cls): cls for cls in found}
    assert set(PUBLIC) <= set(names)
    for name in set(PUBLIC) - READ_THEIR_FIELDS:
        assert CANARY in shown(names[name]), name


@pytest.mark.req("CAPC-ROLE-013")
def test_instances_of_the_protocol_show_nothing() -> None:
    """The shares of engines and messages, the randomness of HE, and the plaintexts of the ideal HE."""
    numbers = (1048577, 1048583)
    cases = [
        ArgmaxCase(numbers, numbers, numbers),
        ReleaseCase(numbers, numbers),
        VoteShares(numbers, 16),
        IdealOutput(1048577, True),
    ]
    for case in cases:
        assert repr(case) == str(case) == f"{case}" == f"<{type(case).__name__}>"
    secret_key = BfvLinear(ParameterSet.named("toy")).generate_secret_key()
    assert repr(secret_key) == "SecretKey(<secret>)"
    ideal = IdealLinear(8)
    ideal.encrypt(ideal.generate_secret_key(), Dense(2, 1), [[201, 203]])
    assert "201" not in repr(ideal)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-013")
@pytest.mark.parametrize("policy", POLICIES)
def test_states_show_their_type_only(policy: str) -> None:
    driver = fork(policy, voters(1, 1, 1))
    driver.run_query([1, 2])
    driver.run_prepared([[1, 2]])
    states = [call.state for call in driver.calls]
    states += [entry for entry in driver.results if isinstance(entry, SingleUse | VoteShare)]
    found = 0
    for state in states:
        assert repr(state) == str(state) == f"<{type(state).__name__}>"
        found += sum(1 for _ in secrets_in(state))
    assert found > 1000


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-013")
def test_answers_and_noise_show_no_secret() -> None:
    driver = fork("realised", voters(1, 1, 1))
    driver.run_query([1, 2])
    (released,) = driver.states_of(ReleasedQuery)
    assert repr(released.noise) == "<ReleaseNoise>"
    (answer,) = [entry for entry in driver.results if type(entry).__name__ == "Answer"]
    assert repr(answer) == f"Answer(query=1, label={answer.label})"
