"""Rules of sessions, the tag, single-use states, parties and errors."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import ErrorCode, InvalidPayloadError, ParameterError, StateReuseError, blamed_on
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.foundation.single_use import SingleUse
from capc.models.architecture import dense_architecture as dense
from capc.session.parameters import Charge, ReleasePolicy
from capc.session.session import Participant, Session, fresh_session_id
from support.builders import (
    confident_policy,
    make_parameters,
    make_participants,
    make_policy,
    make_session,
    make_widths,
    single_draw_policy,
)
from support.refusals import refused
from support.sessions import DIFFERENCES, PARAMETERS, SESSION

QP, AP1, AP2, PG = SESSION.participants


@pytest.mark.req("CAPC-ROLE-003", "CAPC-ROLE-024")
@pytest.mark.parametrize(
    ("participants", "message"),
    [
        pytest.param((), "0 answering parties", id="nobody"),
        pytest.param((QP, PG), "0 answering parties", id="no answering party"),
        pytest.param((AP1, AP2, PG), "in the order", id="no querying party"),
        pytest.param((QP, AP1, AP2), "in the order", id="no guardian"),
        pytest.param((QP, AP2, AP1, PG), "in the order", id="answering parties swapped"),
        pytest.param((QP, AP2, PG), "in the order", id="numbered from 2"),
        pytest.param((QP, AP1, AP1, PG), "in the order", id="one twice"),
        pytest.param((PG, AP1, AP2, QP), "in the order", id="reversed"),
        pytest.param((QP, QP, AP1, PG), "in the order", id="two querying parties"),
        pytest.param((QP, AP1, PG, PG), "in the order", id="two guardians"),
        pytest.param((QP, AP1, replace(AP2, identity=AP1.identity), PG), "identity of answering_party_2", id="shared"),
        pytest.param((QP, AP1, replace(PG, identity=QP.identity)), "identity of privacy_guardian", id="qp is pg"),
        pytest.param((QP, replace(AP1, identity=bytes(31)), PG), "identity of answering_party_1", id="short identity"),
        pytest.param((QP, replace(AP1, identity=bytes(33)), PG), "identity of answering_party_1", id="long identity"),
        pytest.param(
            (replace(QP, architecture=dense((2, 3))), AP1, PG),
            "querying_party declares",
            id="qp with a model",
        ),
        pytest.param(
            (QP, AP1, replace(PG, architecture=dense((2, 3)))),
            "privacy_guardian declares",
            id="pg with a model",
        ),
        pytest.param((QP, replace(AP1, architecture=None), PG), "run from 2 features to 3", id="no model"),
        pytest.param(
            (QP, replace(AP1, architecture=dense((3, 3))), PG),
            "run from 2 features to 3",
            id="other features",
        ),
        pytest.param(
            (QP, replace(AP1, architecture=dense((2, 4))), PG),
            "run from 2 features to 3",
            id="other classes",
        ),
    ],
)
def test_malformed_participant_sets_are_refused(participants: tuple[Participant, ...], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Session(PARAMETERS, bytes(32), participants)


@pytest.mark.req("CAPC-ROLE-003")
@given(st.integers(1, 12))
def test_sessions_with_any_number_of_answering_parties(count: int) -> None:
    session = make_session(PARAMETERS, [(2, i, 3) for i in range(1, count + 1)])
    assert session.num_answering == count
    assert session.answering_parties == tuple(answering_party(i) for i in range(1, count + 1))
    hidden = [session.architecture(party).stages[0].outputs for party in session.answering_parties]
    assert hidden == list(range(1, count + 1))
    for party in (QUERYING_PARTY, PRIVACY_GUARDIAN):
        with pytest.raises(ParameterError, match="has no model"):
            session.architecture(party)


@pytest.mark.req("CAPC-ROLE-024", "CAPC-PARAM-054")
def test_largest_models_and_sets_are_admitted() -> None:
    make_session(PARAMETERS, [(2, *[1] * 254, 3)])
    wide = make_parameters(make_widths(vote_bits=20), confident_policy())
    assert make_session(wide, [(2, 3)] * 4096).num_answering == 4096
    with pytest.raises(ParameterError, match="4097 answering parties"):
        make_session(wide, [(2, 3)] * 4097)


@pytest.mark.req("CAPC-ROLE-024")
@pytest.mark.parametrize("length", [0, 31, 33])
def test_session_ids_have_32_bytes(length: int) -> None:
    with pytest.raises(ParameterError, match=f"a session id of {length} bytes: it has 32"):
        replace(SESSION, session_id=bytes(length))


def test_fresh_session_ids_take_32_bytes() -> None:
    assert fresh_session_id(lambda count: bytes([5]) * count) == bytes([5]) * 32


@pytest.mark.req("CAPC-PARAM-033")
@given(count=st.integers(1, 5), sixteenths=st.integers(0, 200), charge=st.sampled_from(Charge))
def test_a_threshold_above_all_votes_is_refused_when_the_session_is_made(
    count: int, sixteenths: int, charge: Charge
) -> None:
    policy = make_policy(Fraction(1, 2), Fraction(sixteenths, 16), Fraction(9), charge)
    parameters = make_parameters(make_widths(vote_bits=20, grid_bits=4), policy)
    if sixteenths <= 16 * count:
        assert make_session(parameters, [(2, 3)] * count).num_answering == count
    else:
        with pytest.raises(ParameterError, match=rf"^threshold = .*: choose at most {count}$"):
            make_session(parameters, [(2, 3)] * count)


SINGLE_DRAW = single_draw_policy()


@pytest.mark.req("CAPC-PARAM-033")
@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(SINGLE_DRAW, id="noised counts"),
        pytest.param(
            replace(SINGLE_DRAW, renyi_order=Fraction(4), argmax_cost=Fraction(1, 9)), id="labels at an order"
        ),
        pytest.param(replace(SINGLE_DRAW, argmax_queries=7), id="labels that are counted"),
    ],
)
@pytest.mark.parametrize("count", [1, 4])
def test_a_threshold_on_counts_with_the_labels_noise_is_no_more_than_all_votes_either(
    policy: ReleasePolicy, count: int
) -> None:
    widths = make_widths(vote_bits=20, grid_bits=4)
    admitted = replace(policy, threshold=Fraction(count))
    assert make_session(make_parameters(widths, admitted), [(2, 3)] * count).num_answering == count
    above = replace(policy, threshold=count + Fraction(1, 16))
    with pytest.raises(ParameterError, match=rf"^threshold = .*: choose at most {count}$"):
        make_session(make_parameters(widths, above), [(2, 3)] * count)


@pytest.mark.req("CAPC-PARAM-031")
def test_votes_that_do_not_fit_are_refused_when_the_session_is_made() -> None:
    narrow = make_parameters(make_widths(vote_bits=5))
    with pytest.raises(ParameterError, match="vote_bits = 5: 2 votes plus this noise need at least 6"):
        make_session(narrow)


# The tag.


@pytest.mark.req("CAPC-ROLE-005")
def test_every_change_gives_a_tag_of_its_own() -> None:
    tags = {place: make().tag for place, make in DIFFERENCES.items()}
    assert len({*tags.values(), SESSION.tag}) == len(DIFFERENCES) + 1


@pytest.mark.req("CAPC-ROLE-005")
def test_tag_changes_with_the_version_of_the_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    before = SESSION.tag
    monkeypatch.setattr("capc.session.parameters.SPEC_VERSION", "0.1.2")
    assert make_session(make_parameters(make_widths(), PARAMETERS.release), [(2, 4, 3), (2, 3)]).tag != before


@pytest.mark.req("CAPC-PARAM-002", "CAPC-PARAM-003")
def test_tag_and_digest_by_hand() -> None:
    parameters = {
        "spec_version": "0.1.1",
        "name": "custom_l12_w11_g1_f2",
        "logit_bits": 12,
        "vote_bits": 11,
        "grid_bits": 1,
        "fraction_bits": 2,
        "guard_bits": 8,
        "he_poly_degree": 4096,
        "he_coefficient_bits": [56, 36, 17],
        "mechanism": "discrete_gaussian",
        "sigma": "1/2",
        "threshold": "1",
        "threshold_sigma": "1/2",
        "threshold_mode": "two_draws",
        "charge": "realised",
        "adjacency": "replace_one",
        "epsilon": "10",
        "delta": "1/1000000",
        "num_classes": 3,
        "num_features": 2,
    }
    names = ["querying_party", "answering_party_1", "answering_party_2", "privacy_guardian"]

    def stage(source: int, inputs: int, outputs: int, activation: str) -> dict[str, object]:
        operator = {"kind": "dense", "inputs": inputs, "outputs": outputs}
        bare = {"skips": [], "sum_pool": None, "max_pool": None}
        return {"source": source, "operator": operator, "activation": activation, **bare}

    models = [None, [stage(0, 2, 4, "relu"), stage(1, 4, 3, "vote")], [stage(0, 2, 3, "vote")], None]
    document = {
        "parameters": parameters,
        "participants": [
            {"party": name, "identity": hashlib.sha256(name.encode()).hexdigest(), "architecture": model}
            for name, model in zip(names, models, strict=True)
        ],
        "session_id": bytes(range(32)).hex(),
    }

    def encoded(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")

    digest = hashlib.sha256(b"CaPC/0.1/parameters" + encoded(parameters)).digest()
    assert PARAMETERS.digest == digest
    assert SESSION.tag == hashlib.sha256(b"CaPC/0.1/session" + digest + encoded(document)).digest()
    assert make_participants([(2, 4, 3), (2, 3)]) == SESSION.participants


# States and errors.


@dataclass(frozen=True, repr=False)
class _State(SingleUse):
    secret: int


@pytest.mark.req("CAPC-ROLE-008", "CAPC-ROLE-013")
def test_a_state_is_spent_once_and_shows_its_type_only() -> None:
    state, copy = _State(123456), _State(123456)
    assert repr(state) == str(state) == "<_State>"
    state.require_unspent()
    state.spend()
    for again in (state.require_unspent, state.spend):
        with pytest.raises(
            StateReuseError, match=r"^_State was used before: continue from the state that step returned$"
        ):
            again()
    copy.require_unspent()


@pytest.mark.req("CAPC-ERR-001")
@pytest.mark.parametrize("code", ErrorCode)
def test_a_payload_error_becomes_an_error_against_the_sender(code: ErrorCode) -> None:
    with refused(code, answering_party(7)) as caught, blamed_on(answering_party(7)):
        raise InvalidPayloadError(code, "some detail")
    assert str(caught.value) == f"{code.value}: {caught.value.detail} (blame: answering_party_7)"
    assert (caught.value.detail, caught.value.__suppress_context__) == ("some detail", True)


def test_other_errors_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), blamed_on(QUERYING_PARTY):
        _ = 1 // 0


def test_names_of_parties() -> None:
    names = [str(party) for party in (QUERYING_PARTY, answering_party(12), PRIVACY_GUARDIAN)]
    assert names == ["querying_party", "answering_party_12", "privacy_guardian"]
