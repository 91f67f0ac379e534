"""``capc conformance``: judge a port. Registered as an extension of ``capc`` in pyproject.toml."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from capc.cli.app import Finished, interruptible
from capc.cli.terminal.output import Output
from capc.foundation.errors import InputError
from capc.foundation.parties import Role
from capc.job.keeping.files import check_writable, write_text
from capc_verify.conformance.checks import opens_results
from capc_verify.conformance.expectations import read_expectations, with_expectations
from capc_verify.conformance.judge import Judge
from capc_verify.conformance.levels import LEVELS, groups
from capc_verify.conformance.oracles import ORACLES, check_oracles, judged_with
from capc_verify.conformance.report import Judgement, json_report, junit_report, lines
from capc_verify.conformance.session import Conversation
from capc_verify.conformance.verdicts import Verdict

app = typer.Typer(help="Judge a port of the specification, in whatever language it is.", no_args_is_help=True)
_EXIT_FAILED = 1
_MOST_SECONDS = 3600.0
_OPENING = ("numpy", "tenseal", "flint")
"""What the reference is imported with where it opens what a port made."""


@app.callback()
def _conformance() -> None:
    pass


Port = Annotated[str, typer.Option(metavar="CMD", help="The port: a program and its arguments; no shell.")]
Expect = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What must fail or be skipped, by its name; all else must pass.")
]
Seconds = Annotated[float, typer.Option(metavar="S", help="Time limit of one reply.")]
JsonFile = Annotated[str | None, typer.Option(metavar="FILE", help="Write the report as JSON; - is stdout.")]
JunitFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JUnit report.")]
Roles = Annotated[list[Role] | None, typer.Option(help="Only this role of the port. May be repeated.")]


@app.command()
def run(
    port: Port,
    level: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=f"Only this level: {', '.join(LEVELS)}. May be repeated.")
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(metavar="FILE::NAME", help="Only these vectors; * and ? fit any characters.")
    ] = None,
    expect: Expect = None,
    seconds: Seconds = 60.0,
    oracle: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=f"Give the port values of the vectors: {', '.join(ORACLES)}. May be repeated."
        ),
    ] = None,
    validate_io: Annotated[
        bool, typer.Option("--validate-io", help="Hold all inputs and results to the schemas as well.")
    ] = False,
    json: JsonFile = None,
    junit: JunitFile = None,
) -> Finished:
    """Have a port perform the operations of the test vectors, and compare. docs/porting.md says what a port must do.

    Exit code 0 if every vector passes, or is as the list of --expect says; 1 if not. With --oracle, only what is judged
    with it has passed.
    """
    with interruptible():
        if validate_io and find_spec("jsonschema") is None:
            raise InputError("--validate-io needs the package jsonschema: pip install -e '.[verify]' in the checkout")
        oracles = tuple(dict.fromkeys(oracle or ()))
        check_oracles(oracles, list(ORACLES))
        chosen, left_out = judged_with(oracles, groups(level or (), test or ()))
        if any(map(opens_results, chosen)) and not all(map(find_spec, _OPENING)):
            raise InputError(
                "some results of he_layers are opened here, with packages of the extra verify: pip install -e "
                "'.[verify]' in the checkout, or name levels without he"
            )
        names = [f"{group.stem}::{name}" for group in groups() for name in group.chosen]
        settings = _Settings(port, seconds, expect, json, junit, oracles, left_out)

        def judge(conversation: Conversation) -> Sequence[Verdict]:
            check_oracles(oracles, conversation.port.get("oracles", []))
            return Judge(conversation, validate=validate_io, oracles=oracles).judge(chosen)

        return _judged(settings, names, judge)


@app.command()
def live(
    port: Port,
    mode: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this mode, for example one_query. May be repeated.")
    ] = None,
    role: Roles = None,
    expect: Expect = None,
    seconds: Seconds = 60.0,
    json: JsonFile = None,
    junit: JunitFile = None,
) -> Finished:
    """Have a port play one party of whole sessions, message by message, with the reference in the others' place.

    Exit code 0 if every session passes, or is as the list of --expect says; 1 if not.
    """
    from capc_verify.conformance.live import judging  # noqa: PLC0415  # parties need what other commands do without

    with interruptible():
        chosen = judging.live_sessions(mode or (), role or ())
        names = [judging.session_name(judging.LIVE, *each) for each in judging.live_sessions()]
        settings = _Settings(port, seconds, expect, json, junit)
        return _judged(settings, names, lambda conversation: judging.LiveJudge(conversation).live(chosen))


@app.command()
def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the transcript goes, as lines of JSON.")],
    mode: Annotated[str, typer.Option(metavar="NAME", help="Of which mode, as of `live`.")] = "one_query",
) -> None:
    """Write down every message of a session in which the reference plays all parties."""
    from capc_verify.live import sessions, transcript  # noqa: PLC0415  # parties need what other commands do without

    with interruptible():
        session = sessions.live_session(mode)
        check_writable(file, "transcript")
        write_text(transcript.transcript_text(transcript.recorded(session)), file, "transcript")


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A transcript that `record` wrote.")],
    port: Port,
    role: Roles = None,
    expect: Expect = None,
    seconds: Seconds = 60.0,
    json: JsonFile = None,
    junit: JunitFile = None,
) -> Finished:
    """Give a port the recorded messages of one party after another, and compare what it sends.

    Exit code 0 if every party passes, or is as the list of --expect says; 1 if not.
    """
    from capc_verify.conformance.live import judging  # noqa: PLC0415  # parties need what other commands do without
    from capc_verify.live.transcript import read_transcript  # noqa: PLC0415  # likewise

    with interruptible():
        transcript = read_transcript(file)
        parties = judging.replayed_parties(transcript, role or ())
        names = [judging.session_name(judging.REPLAY, transcript.mode, me) for me in transcript.joins]
        settings = _Settings(port, seconds, expect, json, junit)
        return _judged(settings, names, lambda talk: judging.LiveJudge(talk).replay(transcript, parties))


class _Settings(NamedTuple):
    """What all commands that judge are given: the options of these names, and with oracles what is not judged."""

    port: str
    seconds: float
    expect: Path | None
    json: str | None
    junit: Path | None
    oracles: tuple[str, ...] = ()
    left_out: Sequence[str] = ()


def _judged(settings: _Settings, names: Sequence[str], judge: Callable[[Conversation], Sequence[Verdict]]) -> Finished:
    """Starts the port, has it judged, and tells; before it is started, everything else is looked at."""
    output = Output(settings.json)
    if settings.junit is not None:
        check_writable(settings.junit, "junit")
    command = _command(settings.port)
    if not 0 < settings.seconds <= _MOST_SECONDS:
        raise InputError(f"--seconds {settings.seconds:g}: give a value above 0, up to {_MOST_SECONDS:g}")
    expectations = read_expectations(settings.expect, names) if settings.expect else []
    conversation = Conversation(command, settings.seconds)
    try:
        verdicts = judge(conversation)
        farewell = conversation.stop()
    finally:
        conversation.end()
    told = with_expectations(verdicts, expectations)
    judgement = Judgement(conversation.port, told, farewell, conversation.stderr, settings.oracles, settings.left_out)
    for line in lines(judgement):
        print(line, file=sys.stderr if settings.json == "-" else sys.stdout)
    output.finish(json_report(judgement))
    if settings.junit is not None:
        write_text(junit_report(judgement), settings.junit, "junit")
    return Finished(0 if judgement.passes else _EXIT_FAILED)


def _command(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--port {text!r}: {error}") from None
    if not words:
        raise InputError("--port: give the program that is the port")
    return words
