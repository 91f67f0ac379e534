"""Compositions of labels: how far one is, on standard error, and ``capc account certificate``, which checks one.

A line comes every ten seconds, so none if it is quick.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from capc.cli.terminal.output import Output
from capc.cli.terminal.timed_lines import beating, writer
from capc.foundation.errors import InputError
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.ball_arithmetic import decimal_text
from capc.privacy.composition.certificate import asked, decode
from capc.privacy.composition.checker import dominates
from capc.privacy.composition.kept import MOST_BYTES
from capc.privacy.composition.recursion import Composed


@contextmanager
def composing(write: Callable[[str], object] | None = None) -> Iterator[Callable[[int, float], None]]:
    """Gives what is to be told the number of labels so far, and their delta; lines come also while nothing is told.

    Args:
        write: takes one line; None for standard error.
    """
    begun = time.monotonic()
    reached: list[tuple[int, float]] = [(0, 0.0)]

    def say() -> None:
        labels, delta = reached[0]
        line = f"labels composed: {labels}, of delta {delta:.3g}, {time.monotonic() - begun:.0f} s"
        (write or writer(sys.stderr))(line)

    def told(labels: int, delta: float) -> None:
        reached[0] = (labels, delta)

    with beating([say]):
        yield told


def check(file: str, json_target: str | None) -> None:
    """Says what a certificate claims, once that was found to hold.

    Raises:
        InputError: the file cannot be read, is no certificate, or claims too little.
    """
    output, source = Output(json_target), Path(file)
    output.check_not_input({"FILE": source})
    composed = _read(source)
    with composing() as progress:
        if not dominates(composed, progress):
            raise InputError(f"file = {file}: its curves are below what so many labels can be worth: remove it")
    wanted = composed.wanted
    family = wanted.family
    told = {
        "mechanism": family.noise.name.value,
        "sigma": str(family.noise.sigma_votes),
        "grid_bits": family.noise.grid_bits,
        "weight": f"{family.shift / 2**family.noise.grid_bits:g}",
        "adjacency": "replace_one" if family.moves else "null_vote",
        "adversary": (Adversary.CHEATING if family.offsets else Adversary.SEMI_HONEST).value,
        "queries": composed.labels,
        "epsilon": decimal_text(wanted.epsilon),
        "delta": f"{composed.delta * (1 + 1e-6):.6g}",
        "check": "all curves are as high as a second way finds, to one part in 10^8",
    }
    for name, value in told.items():
        output.console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    output.finish(told)


def _read(file: Path) -> Composed:
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES)
    except OSError as error:
        raise InputError(f"file = {file}: cannot be read ({error.strerror}): name a certificate") from None
    try:
        return decode(content, asked(content))
    except InputError as error:
        raise InputError(f"file = {file}: refused, since {error}: name a certificate, or remove it") from None
