"""What each program reads and tells, per party and case: the Python side of the head comments of ``programs/*.mpc``.

Roles are the numbers that the programs give the parties. Every number is 0 <= number < 2^width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import resources
from pathlib import Path

from capc.foundation.errors import InputError
from capc_mpc.programs import capc_noise

MAX_CLASSES, MAX_PARTIES, MAX_WIDTH = 1 << 10, 1 << 6, 64
MODES = ("plain", "single_draw", "worst_case", "realised")
"""Of a release: without a threshold, with one on the label's noised counts, and with draws of the check's own."""
MAX_NUMBERS = 1 << 24
"""Inputs of all parties and cases together: some gigabytes."""


@dataclass(frozen=True)
class Field:
    """``count`` numbers that a party inputs in every case, one after another.

    Attributes:
        party: who inputs them.
        name: what they are.
        count: how many.
        width: their bits.
        uniform: whether they must be fresh and uniform; the runner draws them if the caller does not.
        boolean: whether they enter as bits under every protocol.
    """

    party: int
    name: str
    count: int
    width: int
    uniform: bool = False
    boolean: bool = False


@dataclass(frozen=True)
class Output:
    """One number that one party learns in every case, in the program's order.

    Attributes:
        party: who learns it, and in the Boolean domain inputs a pad for it.
        name: as the program prints it.
        width: its bits.
    """

    party: int
    name: str
    width: int


@dataclass(frozen=True)
class Step:
    """One program with its arguments.

    Attributes:
        program: the file's name without ``.mpc``.
        arguments: as the compiler gets them.
        parties: how many parties have inputs or outputs.
        batch: cases.
        fields: inputs, in the order in which each party inputs them.
        outputs: what is opened, in the program's order.
    """

    program: str
    arguments: tuple[str, ...]
    parties: int
    batch: int
    fields: tuple[Field, ...]
    outputs: tuple[Output, ...]

    def __post_init__(self) -> None:
        # Bits that enter as bits have any number of limbs.
        widths = [field.width for field in self.fields if not field.boolean]
        widths += [output.width for output in self.outputs]
        _require(self, "cases", self.batch, 1, MAX_NUMBERS)
        _require(self, "bits of a number", min(widths), 1, MAX_WIDTH)
        _require(self, "bits of a number", max(widths), 1, MAX_WIDTH)
        _require(self, "inputs in all", self.batch * sum(field.count for field in self.fields), 1, MAX_NUMBERS)


def _require(of: Step | str, what: str, number: int, least: int, most: int) -> None:
    """Raises :class:`InputError` unless a number of a program is within its bounds."""
    if not least <= number <= most:
        program = of if isinstance(of, str) else f"{of.program} {' '.join(of.arguments)}"
        raise InputError(f"{program}: {number} {what}: choose {least} to {most}")


def program_file(name: str) -> Path:
    """The text of a program or of a baseline, or of a file that the programs share."""
    baseline = Path(str(resources.files("capc_mpc") / "baselines" / name))
    return baseline if baseline.is_file() else Path(str(resources.files("capc_mpc") / "programs" / name))


def argmax(num_classes: int, logit_bits: int, vote_bits: int, batch: int) -> Step:
    """Step 1c. Party 0 is the answering party, 1 the querying party; shares of logits are in half units."""
    _require("argmax", "classes", num_classes, 2, MAX_CLASSES)
    return Step(
        "argmax",
        _texts(num_classes, logit_bits, vote_bits, batch),
        parties=2,
        batch=batch,
        fields=(
            Field(0, "masks", num_classes, logit_bits),
            Field(0, "mask_halves", num_classes, 1),
            Field(0, "fresh_shares", num_classes, vote_bits, uniform=True),
            Field(1, "logit_shares", num_classes, logit_bits),
            Field(1, "logit_halves", num_classes, 1),
        ),
        outputs=tuple(Output(1, f"vote.{c}", vote_bits) for c in range(num_classes)),
    )


def argmax_types(num_classes: int, logit_bits: int, vote_bits: int, batch: int) -> Step:
    """A baseline: what :func:`argmax` has, by another text."""
    return replace(argmax(num_classes, logit_bits, vote_bits, batch), program="argmax_types")


def argmax_ml(num_classes: int, logit_bits: int, vote_bits: int, batch: int) -> Step:
    """A baseline: the inputs of :func:`argmax`, and the label as shares of both parties in the place of the vote."""
    step = argmax(num_classes, logit_bits, vote_bits, batch)
    fresh = Field(0, "fresh_share", 1, vote_bits, uniform=True)
    fields = tuple(fresh if field.name == "fresh_shares" else field for field in step.fields)
    return replace(step, program="argmax_ml", fields=fields, outputs=(Output(1, "label.0", vote_bits),))


def label_release(num_classes: int, width: int, batch: int, mode: str) -> Step:
    """Step 3, with a mode of :data:`MODES`. Party 0 is the guardian, 1 the querying party."""
    _require("label_release", "classes", num_classes, 2, MAX_CLASSES)
    if mode not in MODES:
        raise InputError(f"mode {mode!r} is unknown: choose one of {', '.join(MODES)}")
    threshold, realised = mode != "plain", mode == "realised"
    fields = [
        Field(0, "checked_shares", num_classes, width) if mode in {"worst_case", "realised"} else None,
        Field(0, "noised_shares", num_classes, width),
        Field(0, "limit", 1, width) if threshold else None,
        Field(1, "vote_shares", num_classes, width),
        Field(1, "checked_shares", num_classes, width) if realised else None,
    ]
    return Step(
        "label_release",
        _texts(num_classes, width, batch, mode),
        parties=2,
        batch=batch,
        fields=tuple(field for field in fields if field is not None),
        outputs=_release_outputs(num_classes, 1, 0 if realised else None, threshold=threshold),
    )


def discrete_gaussian(variance: Fraction, width: int, batch: int, parties: int) -> Step:
    """Noise as shares of parties 0 and 1, from the randomness of all."""
    _require("discrete_gaussian", "parties", parties, 2, MAX_PARTIES)
    return Step(
        "discrete_gaussian",
        _texts(*variance.as_integer_ratio(), width, batch, parties),
        parties=parties,
        batch=batch,
        fields=(Field(0, "fresh_share", 1, width, uniform=True), *_noise_fields("noise_bits", parties, variance)),
        outputs=(Output(1, "noise.0", width),),
    )


def guardian_free(
    answering: int,
    num_classes: int,
    width: int,
    grid_bits: int,
    variance: Fraction,
    batch: int,
    threshold: tuple[int, Fraction | None] | None = None,
) -> Step:
    """Release without a guardian, with (threshold in grid units, variance of a check's own noise) or without."""
    _require("guardian_free", "answering parties", answering, 1, MAX_PARTIES - 1)
    _require("guardian_free", "classes", num_classes, 2, MAX_CLASSES)
    parties = answering + 1
    extra: tuple[int, ...] = () if threshold is None else (threshold[0],)
    check = None if threshold is None else threshold[1]
    fields = [Field(party, "vote_shares", num_classes, width) for party in range(parties)]
    for c in range(num_classes):
        fields += _noise_fields(f"noise_bits.{c}", parties, variance)
    if check is not None:
        extra += check.as_integer_ratio()
        for c in range(num_classes):
            fields += _noise_fields(f"threshold_bits.{c}", parties, check)
    return Step(
        "guardian_free",
        _texts(answering, num_classes, width, grid_bits, *variance.as_integer_ratio(), batch, *extra),
        parties=parties,
        batch=batch,
        fields=tuple(fields),
        outputs=_release_outputs(num_classes, answering, None, threshold=threshold is not None),
    )


def multi_label_vote(
    rule: str,
    num_labels: int,
    logit_bits: int,
    vote_bits: int,
    batch: int,
    tau: tuple[int, Fraction] | None = None,
) -> Step:
    """Step 1c of `binary`, `tau` or `powerset` voting; ``tau`` is (grid bits, tau squared), for that rule only.

    Shares of logits are in half units, as of :func:`argmax`.
    """
    _require(
        "multi_label_vote", "labels", num_labels, 1, MAX_CLASSES.bit_length() - 1 if rule == "powerset" else MAX_CLASSES
    )
    if rule not in {"binary", "tau", "powerset"} or (tau is not None) != (rule == "tau"):
        raise InputError(f"rule {rule!r}: choose binary, powerset, or tau with grid bits and tau squared")
    votes = 1 << num_labels if rule == "powerset" else num_labels
    extra = () if tau is None else (tau[0], *tau[1].as_integer_ratio())
    return Step(
        "multi_label_vote",
        _texts(rule, num_labels, logit_bits, vote_bits, batch, *extra),
        parties=2,
        batch=batch,
        fields=(
            Field(0, "masks", num_labels, logit_bits),
            Field(0, "mask_halves", num_labels, 1),
            Field(0, "fresh_shares", votes, vote_bits, uniform=True),
            Field(1, "logit_shares", num_labels, logit_bits),
            Field(1, "logit_halves", num_labels, 1),
        ),
        outputs=tuple(Output(1, f"vote.{v}", vote_bits) for v in range(votes)),
    )


def multi_label_release(num_labels: int, width: int, limit: int, batch: int) -> Step:
    """Step 3 of `binary` and `tau` voting, with a public limit in grid units. Party 0 is the guardian."""
    _require("multi_label_release", "labels", num_labels, 1, MAX_CLASSES)
    return Step(
        "multi_label_release",
        _texts(num_labels, width, limit, batch),
        parties=2,
        batch=batch,
        fields=(Field(0, "noised_shares", num_labels, width), Field(1, "vote_shares", num_labels, width)),
        outputs=tuple(Output(1, f"label.{j}", 1) for j in range(num_labels)),
    )


def _noise_fields(name: str, parties: int, variance: Fraction) -> list[Field]:
    components = len(capc_noise.plan(variance))
    bits = capc_noise.UNIFORM_BITS + 1
    return [Field(party, name, components, bits, uniform=True, boolean=True) for party in range(parties)]


def _release_outputs(num_classes: int, receiver: int, told: int | None, *, threshold: bool) -> tuple[Output, ...]:
    answered = [receiver] if told is None else [receiver, told]
    return (
        *(Output(party, "answered", 1) for party in answered if threshold),
        Output(receiver, "label", (num_classes - 1).bit_length()),
    )


def _texts(*arguments: object) -> tuple[str, ...]:
    return tuple(map(str, arguments))


def parse(program: str, arguments: Sequence[str]) -> Step:
    """A step from the command line's words, in the order of the program's head.

    Raises:
        InputError: no such program, or words that do not fit its head.
    """
    if program not in _READERS:
        raise InputError(f"program {program!r} is unknown: choose one of {', '.join(_READERS)}")
    try:
        return _READERS[program](list(arguments))
    except (ValueError, TypeError, ZeroDivisionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"arguments {' '.join(arguments)!r} do not fit the head of {program}.mpc: give {_head_arguments(program)}"
        ) from None


def _head_arguments(program: str) -> str:
    """What the head of a program says of its arguments."""
    text = program_file(f"{program}.mpc").read_text(encoding="utf-8")
    return text.split("Arguments:", 1)[1].split("\n", 1)[0].strip()


def _read_release(words: list[str]) -> Step:
    num_classes, width, batch, mode = words
    return label_release(int(num_classes), int(width), int(batch), mode)


def _read_noise(words: list[str]) -> Step:
    numerator, denominator, *rest = map(int, words)
    return discrete_gaussian(Fraction(numerator, denominator), *rest)


def _read_guardian_free(words: list[str]) -> Step:
    answering, num_classes, width, grid_bits, numerator, denominator, batch, *tail = map(int, words)
    threshold = (tail[0], Fraction(*tail[1:]) if tail[1:] else None) if tail else None
    variance = Fraction(numerator, denominator)
    return guardian_free(answering, num_classes, width, grid_bits, variance, batch, threshold)


def _read_multi_label_vote(words: list[str]) -> Step:
    num_labels, logit_bits, vote_bits, batch, *tail = map(int, words[1:])
    tau = (tail[0], Fraction(*tail[1:])) if tail else None
    return multi_label_vote(words[0], num_labels, logit_bits, vote_bits, batch, tau)


_READERS: dict[str, Callable[[list[str]], Step]] = {
    "argmax": lambda words: argmax(*map(int, words)),
    "label_release": _read_release,
    "discrete_gaussian": _read_noise,
    "guardian_free": _read_guardian_free,
    "multi_label_vote": _read_multi_label_vote,
    "multi_label_release": lambda words: multi_label_release(*map(int, words)),
    "argmax_ml": lambda words: argmax_ml(*map(int, words)),
    "argmax_types": lambda words: argmax_types(*map(int, words)),
}
PROGRAM_NAMES = tuple(_READERS)
"""What :func:`parse` knows."""
