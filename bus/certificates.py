"""What a certificate says of itself, and whether it will do for a party at the broker."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from bus.errors import BrokerTlsError


@dataclass(frozen=True)
class CertificateFacts:
    """What a certificate says of itself; `hosts` are those that it may serve."""

    name: str
    not_before: datetime
    not_after: datetime
    hosts: tuple[str, ...]
    public_key: bytes

    def days_left(self, now: datetime) -> int:
        return (self.not_after - now).days


def certificate_facts(path: Path) -> CertificateFacts:
    """Of the first certificate in a PEM file. Raises BrokerTlsError."""
    try:
        return facts_of(x509.load_pem_x509_certificate(path.read_bytes()))
    except OSError as error:
        raise BrokerTlsError(f"cannot use {path}: {error.strerror}") from error
    except ValueError:
        raise BrokerTlsError(f"{path} is no certificate in PEM form") from None


def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    return CertificateFacts(
        name=common_name(certificate.subject),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        hosts=_hosts(certificate),
        public_key=public_bytes(certificate.public_key()),
    )


def check_client_certificate(path: Path, name: str | None, now: datetime | None = None) -> None:
    """Say here what the broker would only answer with silence. Raises BrokerTlsError.

    With a `name`, the certificate is the login, so its common name has to be that.
    """
    facts, now = certificate_facts(path), now or datetime.now(UTC)
    if facts.not_after < now:
        raise BrokerTlsError(
            f"{path} expired on {facts.not_after:%Y-%m-%d}: ask the federation's authority for a "
            "new one (`tally broker certificates`)"
        )
    if facts.not_before > now:
        raise BrokerTlsError(
            f"{path} is valid from {facts.not_before:%Y-%m-%d %H:%M} UTC on: check the clock"
        )
    if name is not None and facts.name != name:
        raise BrokerTlsError(
            f"{path} is the certificate of {facts.name!r}, and this is {name!r}: use its own"
        )


def common_name(subject: x509.Name) -> str:
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def public_bytes(key: CertificatePublicKeyTypes) -> bytes:
    """The key as it stands in a certificate, to compare two."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in names)
