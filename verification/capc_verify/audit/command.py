"""``capc verify``: evidence run again by claim. Registered as an extension of ``capc`` in pyproject.toml."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TextIO

import typer
from typer.core import TyperGroup

from capc.cli import EXIT_INTERRUPTED
from capc.cli.app import Finished, interruptible
from capc.cli.terminal.options import JSON
from capc.cli.terminal.output import STDOUT, Output
from capc.foundation.errors import InputError
from capc.job.keeping.files import check_writable, to_json, write_text

EXIT_FAILED = 1
_REPORT = Path("build") / "verify" / "report.json"
_MOST_FINDINGS = 40


class _OfClaims(TyperGroup):
    """What is no command is a claim or a statement: `capc verify 1` is `capc verify run 1`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Puts the command in front that is meant."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_OfClaims,
    help=(
        "Run the evidence for claims again, and report what became of it: capc verify 1, capc verify CAPC-SEC-001, "
        "capc verify --quick, capc verify --all."
    ),
    no_args_is_help=True,
)


@app.callback()
def _verify() -> None:
    pass


Json = Annotated[str | None, typer.Option(metavar=JSON["json"][0], help=JSON["json"][1])]
Root = Annotated[Path, typer.Option(metavar="DIR", help="The checkout. Default: here.")]


@app.command()
def run(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[CLAIM|ID]...", help="Claims of section 90 (1, '1*'), or statements.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All evidence of all statements.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Of each statement only its cheapest evidence.")] = False,
    json: Annotated[Path, typer.Option(metavar="FILE", help="The report as JSON; its page lies beside it.")] = _REPORT,
    sign: Annotated[Path | None, typer.Option(metavar="KEY", help="Sign the JSON with this key.")] = None,
    workers: Annotated[int, typer.Option(metavar="N", min=0, max=64, help="Processes that share the tests.")] = 2,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not go on from an interrupted run.")] = False,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="Where the lines of the tests go.")] = None,
    root: Root = Path(),
) -> Finished:
    """Run evidence again, and write one page and one JSON document.

    Exit code 0 if nothing failed, 1 if something did, 2 if the command cannot work. After Ctrl-C the same command goes
    on.
    """
    from capc_verify.audit.auditing import audit, check_asked, reported  # noqa: PLC0415  # what other commands do without
    from capc_verify.audit.report import signing  # noqa: PLC0415  # likewise
    from capc_verify.audit.report.page import page  # noqa: PLC0415  # likewise
    from capc_verify.audit.runs.running import InterruptedRunError  # noqa: PLC0415  # likewise

    with interruptible():
        check_asked(what or (), everything=everything, quick=quick)
        key = signing.read_key(sign) if sign else None
        if json == _REPORT:
            json = root / json
            json.parent.mkdir(parents=True, exist_ok=True)
        html, signature = json.with_suffix(".html"), json.with_name(json.name + signing.SUFFIX)
        for file, option in ((json, "json"), (html, "json"), (signature, "sign")):
            check_writable(file, option)
        if html == json:
            raise InputError(f"json = {json} (--json): the page beside it has this name: end it with .json")
    try:
        report = audit(root.resolve(), what or (), quick=quick, workers=workers, fresh=fresh, log=log)
    except InterruptedRunError as interrupted:
        sys.stderr.write(f"capc: interrupted: {interrupted} tests had ended and are kept; the same command goes on\n")
        return Finished(EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        sys.stderr.write("capc: interrupted: no report was written; tests that had ended are kept\n")
        return Finished(EXIT_INTERRUPTED)
    report["signed_by"] = signing.name_of(key.public_key()) if key else ""
    text = page(report)
    report["page"] = {"name": html.name, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    signature.unlink(missing_ok=True)
    write_text(text, html)
    write_text(to_json(report), json)
    if key:
        signature.write_bytes(key.sign(json.read_bytes()))
    reported(root.resolve(), report)
    for line in _told(report):
        print(line)
    print(f"page: {html}\nJSON: {json}" + (f"\nsignature: {signature}" if key else ""))
    return Finished(0 if report["passes"] else EXIT_FAILED)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSON that capc verify wrote.")],
    key: Annotated[Path | None, typer.Option(metavar="FILE.pub", help="The key that must have signed it.")] = None,
    root: Root = Path(),
) -> Finished:
    """Compare a report with its signature, its page and a checkout, and name whatever differs.

    Exit code 0 if nothing differs, 1 if something does. What the report says of the evidence is told, not judged.
    """
    from capc_verify.audit.report.checking import check_report  # noqa: PLC0415  # what other commands do without
    from capc_verify.audit.report.signing import read_public_key  # noqa: PLC0415  # likewise

    with interruptible():
        checked = check_report(root.resolve(), file, read_public_key(key) if key else None)
        for finding in checked.findings[:_MOST_FINDINGS]:
            print(finding)
        if len(checked.findings) > _MOST_FINDINGS:
            print(f"and {len(checked.findings) - _MOST_FINDINGS} more")
        if checked.findings:
            return Finished(EXIT_FAILED)
        of = "signed by nobody: it and its page may be another's"
        if checked.signed_by:
            of = f"signed by {checked.signed_by}" + ("" if key else "; whose key that is, --key would check")
        print(f"as it was made, {of}; it says that the evidence {'passes' if checked.passes else 'FAILS'}")
        return Finished(0)


@app.command()
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="A statement, as CAPC-SEC-001.")],
    root: Root = Path(),
) -> Finished:
    """Print a statement with its claims, code, tests, vectors, seeded faults and last result."""
    from capc_verify.audit.auditing import shown  # noqa: PLC0415  # what other commands do without

    with interruptible():
        for line in shown(root.resolve(), identifier):
            print(line)
        return Finished(0)


@app.command()
def faults(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Seeded faults; none for all.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Try those again that were tried on these files.")] = False,
    json: Json = None,
    root: Root = Path(),
) -> Finished:
    """Put seeded faults into the code, one after the other: the tests that are named for each must fail.

    Exit code 0 if all are caught, 1 if one is not. Without names it goes on from where it was interrupted.
    """
    from capc_verify.audit.auditing import tried  # noqa: PLC0415  # what other commands do without

    try:
        results = tried(root.resolve(), names or (), fresh=fresh)
    except KeyboardInterrupt:
        sys.stderr.write("capc: interrupted: what was tried is kept; the same command goes on\n")
        return Finished(EXIT_INTERRUPTED)
    with interruptible():
        Output(json).finish({"faults": [asdict(result) for result in results]})
        for line in (line for result in results for line in result.lines):
            print(line, file=_people(json))
        return Finished(0 if all(result.caught for result in results) else EXIT_FAILED)


@app.command()
def stale(json: Json = None, root: Root = Path()) -> Finished:
    """List the records of long runs, and which of them are of other code or statements than those that are here.

    Exit code 0 if all are fresh, 1 if not. `make nightly ROOMS=stale` makes those of rooms of tests again.
    """
    from capc_verify.audit.auditing import records  # noqa: PLC0415  # what other commands do without

    with interruptible():
        found = records(root.resolve())
        Output(json).finish({"records": [{**asdict(record), "state": record.state} for record in found]})
        for record in found:
            print(record.line, file=_people(json))
        return Finished(0 if all(record.state == "fresh" for record in found) else EXIT_FAILED)


@app.command()
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The key; FILE.pub is what others need.")],
) -> Finished:
    """Make a key that signs reports, as `openssl genpkey -algorithm ed25519 -out FILE` does."""
    from capc_verify.audit.report import signing  # noqa: PLC0415  # what other commands do without

    with interruptible():
        public = signing.make_key(file)
        name = signing.name_of(signing.read_public_key(public))
        print(f"{file}: keep it; {public}: give it to whoever checks; it is {name}")
        return Finished(0)


def _people(json: str | None) -> TextIO:
    """Where lines for people go."""
    return sys.stderr if json == STDOUT else sys.stdout


def _told(report: dict[str, object]) -> list[str]:
    """What is told about a report at its end."""
    from capc_verify.audit.auditing import summary  # noqa: PLC0415  # what other commands do without

    return summary(report)
