"""A federation's own certificate authority, for those who have none: the broker's certificate, and
one for each party, by whose common name RabbitMQ knows it (SASL EXTERNAL).

Certificates follow RFC 5280; keys are P-256. A party's certificate cannot serve as a broker's, nor
the other way round (extended key usage).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from bus.certificates import common_name, public_bytes
from bus.errors import BrokerTlsError
from bus.parcel import check_party_name

AUTHORITY_DAYS = 3650
CLOCK_TOLERANCE = timedelta(hours=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and, unless its owner has kept it, its private key; both in PEM form."""

    certificate: bytes
    key: bytes | None


class Authority:
    """Whoever has its key can make a certificate in any party's name."""

    def __init__(self, key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @classmethod
    def create(cls, name: str, now: datetime) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        usage = _usage(signs_certificates=True)
        built = (
            _builder(subject, subject, key.public_key(), now, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
        )
        return cls(key, built.sign(key, hashes.SHA256()))

    @classmethod
    def read(cls, key: bytes, certificate: bytes) -> "Authority":
        """Raises BrokerTlsError: no such key, or another certificate's."""
        try:
            private = load_pem_private_key(key, password=None)
            public = x509.load_pem_x509_certificate(certificate)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise BrokerTlsError("the authority's files are damaged: restore them") from None
        is_pair = private.public_key() == public.public_key()
        if not isinstance(private, EllipticCurvePrivateKey) or not is_pair:
            raise BrokerTlsError("the authority's key and certificate do not belong together")
        return cls(private, public)

    @property
    def issued(self) -> Issued:
        return Issued(self._certificate.public_bytes(Encoding.PEM), _pem(self._key))

    def issue_server(self, hosts: Sequence[str], now: datetime, days: int) -> Issued:
        """For a broker that is reached under these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_host(host) for host in hosts])
        purpose = ExtendedKeyUsageOID.SERVER_AUTH
        built = self._leaf(hosts[0], key.public_key(), purpose, now, days)
        return self._sign(built.add_extension(alternatives, critical=False), key)

    def issue_party(self, name: str, now: datetime, days: int) -> Issued:
        """For a party of this name, its key included."""
        check_party_name(name)
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._sign(self._leaf(name, key.public_key(), purpose, now, days), key)

    def issue_requested(self, request: bytes, now: datetime, days: int) -> Issued:
        """For a party that made its key itself, by its signing request (PKCS 10).

        Only the common name and the key are taken from it. Raises BrokerTlsError, ParcelError.
        """
        asked = read_request(request)
        key = asked.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise BrokerTlsError("the request's key is not on an elliptic curve: make one on P-256")
        name = requested_name(request)
        check_party_name(name)
        built = self._leaf(name, key, ExtendedKeyUsageOID.CLIENT_AUTH, now, days)
        return self._sign(built, None)

    def _leaf(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        purpose: ObjectIdentifier,
        now: datetime,
        days: int,
    ) -> x509.CertificateBuilder:
        authority = self._key.public_key()
        return (
            _builder(_name(name), self._certificate.subject, key, now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False
            )
        )

    def _sign(
        self, builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey | None
    ) -> Issued:
        certificate = builder.sign(self._key, hashes.SHA256())
        return Issued(certificate.public_bytes(Encoding.PEM), _pem(key) if key else None)


def read_request(request: bytes) -> x509.CertificateSigningRequest:
    """Raises BrokerTlsError: no request, or not signed by the key that it names."""
    try:
        asked = x509.load_pem_x509_csr(request)
        if asked.is_signature_valid:
            return asked
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise BrokerTlsError("this is no certificate signing request in PEM form, or a damaged one")


def requested_name(request: bytes) -> str:
    return common_name(read_request(request).subject)


def requested_key(request: bytes) -> bytes:
    """As `CertificateFacts.public_key`."""
    return public_bytes(read_request(request).public_key())


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def is_host(text: str) -> bool:
    """Whether a certificate can be for this: a name or an address, no URL and no port."""
    if ":" in text:
        try:
            ip_address(text)
        except ValueError:
            return False
    return bool(text) and not set(text) & set(" \t/@")
