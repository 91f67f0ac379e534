"""Keys and certificates of one run, as MP-SPDZ's parties expect them: P0.pem, P0.key, and links by subject hash."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from capc.foundation.errors import InputError

DAYS = 7
"""The life of a certificate, if nothing else is chosen: that of a run is longer than any run."""
MOST_DAYS = 3650
_COMMON_NAME_OID = bytes.fromhex("0603550403")


def write_keys(folder: Path, parties: int) -> None:
    """Writes a fresh key and certificate for every party, as :func:`write_key` does, for a run on one machine."""
    for party in range(parties):
        write_key(folder, party)


def write_key(folder: Path, party: int, days: int = DAYS) -> list[Path]:
    """Writes a fresh key and a self-signed certificate of one party; returns the certificate's two files, to hand out.

    A party's name is its certificate's common name. The key is readable by the user only, and lives as long as the
    folder; the certificate is valid from an hour before now, so many days.

    Raises:
        InputError: a life that is none.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InputError(f"days = {days} (--days): choose 1 to {MOST_DAYS}")
    name = f"P{party}"
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(name, key, days).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    private_file = folder / f"{name}.key"
    private_file.touch(mode=0o600)
    private_file.write_bytes(private)
    public_files = [folder / f"{name}.pem", folder / f"{_subject_hash(name):08x}.0"]
    for file in public_files:
        file.write_bytes(certificate)
    return public_files


def certificate_of(folder: Path, party: int) -> x509.Certificate:
    """A party's certificate in a folder of keys, which is valid now.

    Raises:
        InputError: it is missing, is none, or its time is over or has not begun.
    """
    file = folder / f"P{party}.pem"
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file} (--keys): cannot be read ({error.strerror}): get it from party {party}") from None
    except ValueError:
        raise InputError(f"{file} (--keys): no certificate: get it from party {party}") from None
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    if not begins <= datetime.datetime.now(datetime.UTC) <= ends:
        raise InputError(
            f"{file} (--keys): valid from {begins:%Y-%m-%d} to {ends:%Y-%m-%d %H:%M} UTC only: party {party} makes "
            f"another with capc mpc keys"
        )
    return found


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, days: int) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )


def _subject_hash(name: str) -> int:
    """OpenSSL's name of a certificate in a folder.

    It is SHA-1 of the canonical subject (one attribute, in lower case, as UTF-8): its first four bytes, little-endian.
    """
    value = name.lower().encode()
    attribute = _COMMON_NAME_OID + b"\x0c" + bytes([len(value)]) + value
    sequence = b"\x30" + bytes([len(attribute)]) + attribute
    canonical = b"\x31" + bytes([len(sequence)]) + sequence
    return int.from_bytes(hashlib.sha1(canonical, usedforsecurity=False).digest()[:4], "little")
