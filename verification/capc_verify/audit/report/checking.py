"""Checks a report that somebody hands over: its signature, its page, and every file of which it speaks.

A page follows from its document, so that each holds the other to what it says, also without a signature. Only a
signature shows that both were not changed together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from capc.foundation.errors import InputError
from capc_verify.audit.report.document import SCHEMA
from capc_verify.audit.report.inventory import digest, inventory
from capc_verify.audit.report.page import page
from capc_verify.audit.report.signing import SUFFIX, is_signed, key_named

SCHEMA_FILE = "verify_report.schema.json"


@dataclass(frozen=True)
class Checked:
    """What was found.

    Attributes:
        findings: what is wrong, one line each.
        signed_by: the key of the signature that was found right; empty if there is none.
        passes: what the report itself says of the evidence.
    """

    findings: tuple[str, ...]
    signed_by: str
    passes: bool


def check_report(root: Path, file: Path, key: Ed25519PublicKey | None) -> Checked:
    """Checks a report against its signature, its page, and the files of a checkout.

    Args:
        root: of the checkout.
        file: the JSON document. Its signature and its page lie beside it.
        key: whose signature it must be; None if any will do, or none.

    Raises:
        InputError: the file is no report.
    """
    try:
        content = file.read_bytes()
        report = json.loads(content)
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: no readable JSON ({error}): name the JSON that capc verify wrote") from None
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise InputError(f"{file}: not a report of the form {SCHEMA}: name the JSON that capc verify wrote")
    misshapen = _misshapen(report)
    if misshapen:
        return Checked((f"{file}: {misshapen}",), "", passes=False)
    signature = _signature(file, content, report, key)
    files = list(_files(root, report["hashes"]))
    # Another checkout may write another page of the same document; what is not as it was signed is named once.
    rendered = not files and not signature
    findings = [*signature, *_page(file, report, rendered=rendered), *_itself(file, report), *files]
    signed_by = "" if signature or not report["signed_by"] else report["signed_by"]
    return Checked(tuple(findings), signed_by, report["passes"])


def _misshapen(report: Mapping[str, Any]) -> str:
    """The first part that is not as the schema says; empty if there is none."""
    if find_spec("jsonschema") is None:
        raise InputError("a report is checked with the package jsonschema: pip install -e '.[verify]' in the checkout")
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # of the extra verify

    schema = resources.files("capc_spec") / "schemas" / SCHEMA_FILE
    validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    for error in validator.iter_errors(report):
        return f"{error.json_path} is not as the schema says: {error.message[:200]}"
    return ""


def _signature(file: Path, content: bytes, report: Mapping[str, Any], key: Ed25519PublicKey | None) -> list[str]:
    beside = file.with_name(file.name + SUFFIX)
    named = key_named(report["signed_by"])
    if not beside.is_file():
        if report["signed_by"] or key is not None:
            return [f"{beside}: the signature is missing"]
        return []
    if named is None:
        return [f"{beside}: a signature, and the report names no key"]
    if key is not None and key.public_bytes_raw() != named.public_bytes_raw():
        return [f"{file}: signed by {report['signed_by']}, which is not the key that was given (--key)"]
    if not is_signed(named, content, beside.read_bytes()):
        return [f"{file}: is not what was signed: it or {beside.name} was changed"]
    return []


def _page(file: Path, report: Mapping[str, Any], *, rendered: bool) -> list[str]:
    place = file.with_name(report["page"]["name"])
    if not place.is_file():
        return [f"{place}: the page of this report is missing"]
    content = place.read_bytes()
    if hashlib.sha256(content).hexdigest() != report["page"]["sha256"]:
        return [f"{place}: is not the page of this report: it was changed"]
    if rendered and content != _shown(report):
        return [f"{file}: does not say what its page says: it or {place.name} was changed, or made by another capc"]
    return []


def _shown(report: Mapping[str, Any]) -> bytes:
    """The page of a document; nothing if its parts do not fit each other, as those of none that was written here."""
    try:
        return page({part: told for part, told in report.items() if part != "page"}).encode()
    except (LookupError, ValueError):
        return b""


def _itself(file: Path, report: Mapping[str, Any]) -> Iterator[str]:
    if digest(report["hashes"]) != report["tree"]:
        yield f"{file}: its hashes do not give the digest of all files that it says"


def _files(root: Path, told: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    here = inventory(root)
    for group, hashes in told.items():
        found = here.get(group, {})
        for name in sorted(hashes.keys() | found.keys()):
            if name not in found:
                yield f"{root / name}: {group} of which the report speaks is missing here"
            elif name not in hashes:
                yield f"{root / name}: {group} of which the report does not speak"
            elif hashes[name] != found[name]:
                yield f"{root / name}: {group} that is not as it was when the report was made"
