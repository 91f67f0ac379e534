"""Keys and certificates of one run, as MP-SPDZ's parties expect them: P0.pem, P0.key, and links by subject hash."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID_DAYS = 7
_COMMON_NAME_OID = bytes.fromhex("0603550403")


def write_keys(folder: Path, parties: int) -> None:
    """Writes a fresh key and certificate for every party, as :func:`write_key` does, for a run on one machine."""
    for party in range(parties):
        write_key(folder, party)


def write_key(folder: Path, party: int) -> list[Path]:
    """Writes a fresh key and a self-signed certificate of one party; returns the certificate's two files, to hand out.

    A party's name is its certificate's common name. The key is readable by the user only, and lives as long as the
    folder.
    """
    name = f"P{party}"
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(name, key).public_bytes(serialization.Encoding.PEM)
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


def _certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
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
