"""A report that somebody hands over: whatever was changed, in it, beside it or in the files it is of, is found."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc import cli
from capc.foundation.errors import InputError
from capc_verify.audit.report.checking import check_report
from capc_verify.audit.report.page import page
from capc_verify.audit.report.signing import make_key, read_key, read_public_key
from support.toy_checkout import Audited

pytestmark = pytest.mark.slow


def test_a_report_as_it_was_made_is_found_right(of_all: Audited, capsys: pytest.CaptureFixture[str]) -> None:
    assert of_all.check() == 0
    name = of_all.document()["signed_by"]
    assert capsys.readouterr().out == f"as it was made, signed by {name}; it says that the evidence passes\n"
    assert of_all.verify("check", str(of_all.report)) == 0
    assert "whose key that is, --key would check" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "old", "new", "finding"),
    [
        ("report.json", '"passes": true', '"passes": false', "report.json: is not what was signed"),
        ("report.json", '"CAPC-TOY-004"', '"CAPC-TOY-005"', "report.json: is not what was signed"),
        ("report.html", "PASSES", "passes", "report.html: is not the page of this report: it was changed"),
        ("toy/spec/01-toy.md", "low", "LOW", "toy/spec/01-toy.md: text that is not as it was"),
        ("toy/spec/traceability.json", "test_each", "test_both", "traceability.json: text that is not as it was"),
        ("toy/reference/toy/toy.py", "2", "3", "toy/reference/toy/toy.py: code that is not as it was"),
        ("toy/tests/toy/test_toy.py", "2 < 3", "1 < 3", "toy/tests/toy/test_toy.py: evidence that is not as it was"),
        ("toy/tests/toy/test_more.py", "", "x", "test_more.py: evidence of which the report does not speak"),
        ("toy/tests/toy/test_toy.py", None, None, "test_toy.py: evidence of which the report speaks is missing here"),
        ("report.html", None, None, "report.html: the page of this report is missing"),
        ("report.json.sig", None, None, "report.json.sig: the signature is missing"),
    ],
)
def test_what_was_changed_is_found_and_named(
    audited: Audited, capsys: pytest.CaptureFixture[str], file: str, old: str | None, new: str | None, finding: str
) -> None:
    path = audited.report.parent / file
    if old is None or new is None:
        path.unlink()
    else:
        text = path.read_text("utf-8") if path.exists() else ""
        assert old in text
        path.write_text(text.replace(old, new) or new, "utf-8")
    assert audited.check() == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert finding in line


def write_with_page(audited: Audited, report: dict[str, Any]) -> None:
    """Writes a document and the page that it has."""
    shown = page({part: told for part, told in report.items() if part != "page"}).encode()
    audited.report.with_name("report.html").write_bytes(shown)
    report["page"] = {"name": "report.html", "sha256": hashlib.sha256(shown).hexdigest()}
    audited.report.write_text(json.dumps(report), "utf-8")


def test_what_is_changed_and_signed_by_somebody_else_is_not_signed_by_the_key(
    audited: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    other = audited.report.with_name("other")
    make_key(other)
    report = audited.document()
    report["signed_by"] = read_key(other).public_key().public_bytes_raw().hex()
    write_with_page(audited, report)
    audited.report.with_name("report.json.sig").write_bytes(read_key(other).sign(audited.report.read_bytes()))
    assert audited.verify("check", str(audited.report)) == 0
    capsys.readouterr()
    assert audited.check() == 1
    assert "which is not the key that was given (--key)" in capsys.readouterr().out


def test_hashes_that_do_not_fit_each_other_are_found_without_a_signature(
    audited: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    report = audited.document()
    report["tree"], report["signed_by"] = "0" * 64, ""
    audited.report.write_text(json.dumps(report), "utf-8")
    audited.report.with_name("report.json.sig").unlink()
    assert audited.verify("check", str(audited.report)) == 1
    assert "its hashes do not give the digest of all files" in capsys.readouterr().out


@pytest.mark.parametrize(
    "place",
    [
        ("passes",),
        ("run", "tests", "passed"),
        ("claims", 0, "text"),
        ("not_claimed", 0),
        ("statements", 0, "sentence"),
        ("statements", 0, "evidence", 0, "passed"),
        ("matrix", "faults", 0, "summary"),
        ("environment", "python"),
    ],
)
def test_what_a_report_says_is_what_its_page_says_also_without_a_signature(
    audited: Audited, capsys: pytest.CaptureFixture[str], place: tuple[str | int, ...]
) -> None:
    report = audited.document()
    report["signed_by"] = ""
    write_with_page(audited, report)
    audited.report.with_name("report.json.sig").unlink()
    assert audited.verify("check", str(audited.report)) == 0
    around: Any = report
    for name in place[:-1]:
        around = around[name]
    old = around[place[-1]]
    around[place[-1]] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old}0"
    audited.report.write_text(json.dumps(report), "utf-8")
    capsys.readouterr()
    assert audited.verify("check", str(audited.report)) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert "report.json: does not say what its page says: it or report.html was changed" in line


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_a_signed_report_or_signature_can_be_changed(
    of_all: Audited, data: st.DataObject, tmp_path: Path
) -> None:
    for name in ("report.json", "report.html", "report.json.sig"):
        shutil.copy(of_all.report.with_name(name), tmp_path / name)
    path = tmp_path / data.draw(st.sampled_from(["report.json", "report.html", "report.json.sig"]))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        key = read_public_key(Path(f"{of_all.key}.pub"))
        findings = check_report(of_all.toy.root, tmp_path / "report.json", key).findings
    except InputError as error:
        # It is no JSON any more, or of another form.
        findings = (str(error),)
    assert findings


def test_keys_and_signatures_are_those_of_openssl(audited: Audited, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    signature = f"{audited.report}.sig"
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{audited.key}.pub", "-rawin", "-in"]
    told = subprocess.run(
        [*verify, str(audited.report), "-sigfile", signature], capture_output=True, text=True, check=True
    )
    assert "Signature Verified Successfully" in told.stdout
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(tmp_path / "k")], check=True)
    (tmp_path / "k").chmod(0o600)
    assert len(read_key(tmp_path / "k").sign(b"")) == 64


def test_a_key_is_its_owners_and_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["verify", "key", str(tmp_path / "k")]) == 0
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    before = (tmp_path / "k").read_bytes()
    assert before.decode() not in capsys.readouterr().out
    assert cli.run(["verify", "key", str(tmp_path / "k")]) == 2
    assert "is there already, and no key is replaced: name another file" in capsys.readouterr().err
    assert (tmp_path / "k").read_bytes() == before
    (tmp_path / "k").chmod(0o644)
    with pytest.raises(InputError, match="others may read this signing key: chmod 600 it"):
        read_key(tmp_path / "k")
    (tmp_path / "bad").write_text("no key")
    (tmp_path / "bad").chmod(0o600)
    for file, reason in (("bad", "not an Ed25519 key in PEM"), ("none", "not readable")):
        with pytest.raises(InputError, match=reason):
            read_key(tmp_path / file)
    with pytest.raises(InputError, match=r"not an Ed25519 public key in PEM: name the file that ends with .pub"):
        read_public_key(tmp_path / "bad")
