"""From options as text, given as flags or in a JSON list, to questions for the calculator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from capc.cli.account.options import NEEDED, NOT_TAKEN, OPTIONS, Question
from capc.foundation.errors import InputError
from capc.noise.mechanism import DiscreteGaussian, RoundedGaussian, Skellam
from capc.noise.shares import DiscreteGaussianShare, SharedNoise, SkellamShare
from capc.privacy.accountants.ballots import BallotRelease, BinaryRelease, PowersetRelease, TauRelease
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.composition.recursion import MAX_LABELS
from capc.privacy.figures.calculator import Case
from capc.privacy.figures.labels import label_order
from capc.privacy.figures.methods import Method

MAX_BATCH = 10_000
MAX_COUNT = 1 << 29
"""Of queries."""
MAX_HELD_BY = 1000
_MAX_DIGITS = 200
# The exponent has three digits at most: the fraction of 1e-999999999 would not fit the memory.
_NUMBER = re.compile(r"[0-9]+/[0-9]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class NoiseChoice(StrEnum):
    """The laws that may be named."""

    ROUNDED_GAUSSIAN = "rounded_gaussian"
    DISCRETE_GAUSSIAN = "discrete_gaussian"
    SKELLAM = "skellam"
    DISCRETE_GAUSSIAN_SHARES = "discrete_gaussian_shares"
    SKELLAM_SHARES = "skellam_shares"


_DEFAULT_METHODS = {
    NoiseChoice.ROUNDED_GAUSSIAN: Method.GAUSSIAN_DP,
    NoiseChoice.DISCRETE_GAUSSIAN: Method.ZCDP,
    NoiseChoice.DISCRETE_GAUSSIAN_SHARES: Method.ZCDP,
    NoiseChoice.SKELLAM: Method.RENYI_IMPROVED,
    NoiseChoice.SKELLAM_SHARES: Method.RENYI_IMPROVED,
}


@dataclass(frozen=True)
class Asked:
    """A question that is ready to be answered.

    Attributes:
        question: what is asked.
        case: what would be done; its sigma is 1 where it is asked for.
        queries: how many; 0 where that is asked for.
        epsilon: the budget; 0 where there is none.
        understood: every option of the question as it was read, defaults included, by name.
        given: the options that were given, each with its place.
    """

    question: Question
    case: Case
    queries: int
    epsilon: Fraction
    understood: Mapping[str, str]
    given: str

    def refusal(self, error: InputError) -> InputError:
        """An error of the computation, whose quantities are the method's own, with the options that led to it."""
        return InputError(f"{self.given}: {error}")


class _Reader:
    """Options of one case; every refusal names the value, the place and the remedy."""

    def __init__(self, given: Mapping[str, str], place: Callable[[str], str]) -> None:
        self._given = given
        self._place = place
        self.understood: dict[str, str] = {}

    def has(self, name: str) -> bool:
        return name in self._given

    def refuse(self, name: str, remedy: str) -> InputError:
        return InputError(f"{name} = {self._given.get(name, 'none')} ({self._place(name)}): {remedy}")

    def number(self, name: str, default: Fraction, remedy: str, *, above: Fraction = Fraction(0)) -> Fraction:
        if name not in self._given:
            self.understood[name] = str(default)
            return default
        text = self._given[name]
        if len(text) > _MAX_DIGITS:
            raise InputError(f"{name} ({self._place(name)}): a number of {len(text)} characters: {remedy}")
        if not _NUMBER.fullmatch(text):
            raise self.refuse(name, remedy)
        try:
            value = Fraction(text)
        except ZeroDivisionError:
            raise self.refuse(name, remedy) from None
        # Longer texts than any sensible number would take for ever to compute with.
        if not above < value <= 10**9 or value.denominator > 10**200:
            raise self.refuse(name, remedy)
        self.understood[name] = str(value)
        return value

    def optional(self, name: str, without: str, remedy: str) -> Fraction | None:
        if name in self._given:
            return self.number(name, Fraction(0), remedy)
        self.understood[name] = without
        return None

    def count(self, name: str, default: int, least: int, most: int) -> int:
        value = self.number(
            name, Fraction(default), f"choose a whole number from {least} to {most}", above=Fraction(-1)
        )
        if value.denominator != 1 or not least <= value <= most:
            raise self.refuse(name, f"choose a whole number from {least} to {most}")
        return int(value)

    def choice(self, name: str, options: type[StrEnum], default: str) -> str:
        text = self._given.get(name, default)
        if text not in list(options):
            raise self.refuse(name, f"choose one of {', '.join(options)}")
        self.understood[name] = text
        return text

    def flag(self, name: str) -> bool:
        text = self._given.get(name, "no").lower()
        if text not in {"yes", "no", "true", "false"}:
            raise self.refuse(name, "choose yes or no")
        self.understood[name] = "yes" if text in {"yes", "true"} else "no"
        return text in {"yes", "true"}


class _BallotChoice(StrEnum):
    NONE = "none"
    BINARY = "binary"
    TAU = "tau"
    POWERSET = "powerset"


def read_case(question: str, given: Mapping[str, str], place: Callable[[str], str]) -> Asked:
    """Checks the options of one case.

    Args:
        question: one of :class:`Question`.
        given: options by name, as text.
        place: where an option was, or would be, given.

    Raises:
        InputError: an option is unknown, missing or cannot be used.
    """
    if question not in list(Question):
        raise InputError(f"question = {question} ({place('question')}): choose one of {', '.join(Question)}")
    asked = Question(question)
    reader = _Reader(given, place)
    for name in given:
        if name not in OPTIONS:
            raise reader.refuse(name, f"no such option: choose from {', '.join(OPTIONS)}")
    for name in NOT_TAKEN[asked]:
        if reader.has(name):
            raise reader.refuse(name, f"the question {asked.value} does not take it: leave it out")
    for name in NEEDED[asked]:
        if not reader.has(name):
            raise reader.refuse(name, f"the question {asked.value} needs it")
    law = NoiseChoice(reader.choice("mechanism", NoiseChoice, NoiseChoice.ROUNDED_GAUSSIAN))
    joint = reader.flag("joint")
    if joint and (not reader.has("threshold_ratio") or reader.has("answers") or reader.has("ballots")):
        raise reader.refuse("joint", "it needs a threshold_ratio and single labels, and charges every query in full")
    case = _case(reader, asked, law, joint=joint)
    if case.of_labels:
        _check_labels(reader, case)
    queries = 0
    if "queries" in NEEDED[asked]:
        queries = reader.count("queries", 0, 1 if asked is Question.CALIBRATE else 0, MAX_COUNT)
    if case.threshold_ratio is None and case.answers not in (None, queries):
        raise reader.refuse("answers", "without a threshold_ratio every query is answered: leave it out")
    epsilon = _if_asked(reader, asked, "epsilon", Fraction(0), "choose a number above 0, up to 1e9")
    case = _with_budget(reader, case, queries, epsilon)
    understood = {name: reader.understood[name] for name in OPTIONS if name in reader.understood}
    told = ", ".join(f"{name} = {given[name]} ({place(name)})" for name in OPTIONS if name in given)
    return Asked(asked, case, queries, epsilon, understood, told)


def _case(reader: _Reader, asked: Question, law: NoiseChoice, *, joint: bool) -> Case:
    return Case(
        noise=_noise(reader, law),
        sigma=_if_asked(reader, asked, "sigma", Fraction(1), "choose a number of votes above 0, up to 1e9"),
        threshold_ratio=reader.optional("threshold_ratio", "no threshold", "choose a number above 0"),
        answers=_answers(reader, asked),
        joint=joint,
        ballots=_ballots(reader),
        unit=_unit(reader),
        delta=_delta(reader),
        method=_method(reader, asked, Method.RENYI_IMPROVED if joint else _DEFAULT_METHODS[law]),
    )


def _with_budget(reader: _Reader, case: Case, queries: int, epsilon: Fraction) -> Case:
    """The case of labels with what its budget fixes."""
    if case.method is Method.ARGMAX_COMPOSITION:
        if queries > MAX_LABELS:
            raise reader.refuse("queries", f"method {case.method.value}: choose at most {MAX_LABELS}, or argmax_renyi")
        return replace(case, budget=epsilon or None)
    return replace(case, order=label_order(epsilon, case.delta)) if case.of_labels and epsilon else case


def _check_labels(reader: _Reader, case: Case) -> None:
    """Refuses what rules out that only labels leave, by its option's name."""
    law, together = reader.understood["mechanism"], case.method is Method.ARGMAX_COMPOSITION
    shared = {NoiseChoice.DISCRETE_GAUSSIAN_SHARES, NoiseChoice.SKELLAM_SHARES}
    for name, fits, remedy in (
        (
            "threshold_ratio",
            case.threshold_ratio is None,
            "a check takes the label's own draws, at no cost: leave it out",
        ),
        ("ballots", case.ballots in (None, PowersetRelease()), "more than one label leaves: choose another method"),
        ("held_by", len(case.unit.weights) == 1, "it is for a record that one party holds: choose gaussian_dp"),
        ("mechanism", law not in shared, "it is for the noise of one drawer"),
        ("mechanism", not together or law != NoiseChoice.SKELLAM, "it is for Gaussian noise: choose argmax_renyi"),
    ):
        if not fits:
            raise reader.refuse(name, f"method {case.method.value}: {remedy}")


def _if_asked(reader: _Reader, asked: Question, name: str, otherwise: Fraction, remedy: str) -> Fraction:
    return reader.number(name, otherwise, remedy) if name in NEEDED[asked] else otherwise


def _answers(reader: _Reader, asked: Question) -> int | None:
    if "answers" in NOT_TAKEN[asked]:
        return None
    if reader.has("answers"):
        return reader.count("answers", 0, 0, MAX_COUNT)
    reader.understood["answers"] = "every query"
    return None


def _method(reader: _Reader, asked: Question, default: Method) -> Method:
    return default if "method" in NOT_TAKEN[asked] else Method(reader.choice("method", Method, default))


def read_batch(file: Path) -> list[Asked]:
    """The cases of a JSON list, all checked.

    Raises:
        InputError: the file cannot be read, is not such a list, or a case cannot be used.
    """
    try:
        content = file.read_bytes()
        # Numbers stay text, so that 0.1 is one tenth, and objects stay pairs, so that a repeated name is seen.
        cases = json.loads(
            content.decode(json.detect_encoding(content)),
            parse_float=str,
            parse_int=str,
            parse_constant=str,
            object_pairs_hook=tuple,
        )
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"file = {file}: cannot be read ({type(error).__name__}): name a JSON file") from None
    except (json.JSONDecodeError, RecursionError):
        raise InputError(f"file = {file}: this is not JSON: write a list of objects") from None
    if not isinstance(cases, list) or not 1 <= len(cases) <= MAX_BATCH:
        raise InputError(f"file = {file}: write a JSON list of 1 to {MAX_BATCH} objects")
    return [_read_entry(entry, f"{file}[{number}]") for number, entry in enumerate(cases)]


def _read_entry(entry: object, place: str) -> Asked:
    if not isinstance(entry, tuple):
        raise InputError(f"{place} is not an object: write {{'question': ..., options by name}}")
    given: dict[str, str] = {}
    for name, value in entry:
        if name in given:
            raise InputError(f"{name} ({place}.{name}) is given more than once: leave all but one out")
        if not isinstance(value, str | bool):
            raise InputError(f"{name} ({place}.{name}): choose a number, a text, true or false")
        given[name] = str(value)
    return read_case(given.pop("question", "none"), given, lambda name: f"{place}.{name}")


def _noise(reader: _Reader, law: NoiseChoice) -> Callable[[Fraction], Noise]:
    grid_bits = reader.count("grid_bits", 4, 0, 16)
    shares = law in {NoiseChoice.DISCRETE_GAUSSIAN_SHARES, NoiseChoice.SKELLAM_SHARES}
    for name in ("shares", "uncounted"):
        if reader.has(name) and not shares:
            raise reader.refuse(
                name, f"mechanism {law.value} has no shares: choose discrete_gaussian_shares or skellam_shares"
            )
    if law is NoiseChoice.ROUNDED_GAUSSIAN:
        return lambda sigma: RoundedGaussian(sigma, grid_bits)
    if law is NoiseChoice.DISCRETE_GAUSSIAN:
        return lambda sigma: DiscreteGaussian(sigma, grid_bits)
    if law is NoiseChoice.SKELLAM:
        return lambda sigma: Skellam(sigma, grid_bits)
    contributors = reader.count("shares", 1, 1, 1000)
    uncounted = reader.count("uncounted", 0, 0, contributors - 1)
    share = DiscreteGaussianShare if law is NoiseChoice.DISCRETE_GAUSSIAN_SHARES else SkellamShare
    return lambda sigma: SharedNoise(share(sigma, grid_bits), contributors, uncounted)


def _unit(reader: _Reader) -> ProtectedUnit:
    weight = reader.number("weight", Fraction(1), "choose a number above 0")
    relation = Relation(reader.choice("adjacency", Relation, Relation.REPLACE_ONE))
    return ProtectedUnit(relation, (weight,) * reader.count("held_by", 1, 1, MAX_HELD_BY))


def _delta(reader: _Reader) -> Fraction:
    remedy = "choose a number of at least 1e-30 and below 1"
    delta = reader.number("delta", Fraction(1, 10**5), remedy)
    if not Fraction(1, 10**30) <= delta < 1:
        raise reader.refuse("delta", remedy)
    return delta


def _ballots(reader: _Reader) -> BallotRelease | None:
    kind = reader.choice("ballots", _BallotChoice, _BallotChoice.NONE)
    counted = kind in {_BallotChoice.BINARY, _BallotChoice.TAU}
    if reader.has("labels") != counted:
        remedy = f"ballots {kind} need the number of labels" if counted else "only binary and tau ballots count labels"
        raise reader.refuse("labels", remedy)
    labels = reader.count("labels", 1, 1, 1 << 20) if counted else 0
    if kind == _BallotChoice.TAU and not reader.has("tau"):
        raise reader.refuse("tau", "ballots tau need the length to which they are shortened")
    if kind != _BallotChoice.TAU and reader.has("tau"):
        raise reader.refuse("tau", "only tau voting shortens ballots: choose --ballots tau")
    if kind == _BallotChoice.BINARY:
        return BinaryRelease(labels)
    if kind == _BallotChoice.TAU:
        tau = reader.number("tau", Fraction(1), "choose a length above 0")
        return TauRelease(labels, tau**2)
    return PowersetRelease() if kind == _BallotChoice.POWERSET else None
