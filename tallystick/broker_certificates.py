"""A federation's certificates, written to a folder: one part for each who gets them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bus.authority import Authority, Issued, requested_key, requested_name
from bus.certificates import certificate_facts
from events.card import PartyCard
from party.identity import read_secret, write_secret
from tallystick.broker_files import replace_file
from tallystick.errors import BrokerFilesError

AUTHORITY_NAME = "Tallystick federation"
RENEW_DAYS = 30  # what has fewer left is issued anew
BROKER = "the broker"
AUTHORITY, CERTIFICATE, KEY = "broker-authority.pem", "broker.pem", "broker.key"


@dataclass(frozen=True)
class CertificateFolder:
    """Where one owner's files are, until when they hold, and whether this run made them."""

    owner: str
    path: Path
    not_after: datetime
    is_new: bool


def write_certificates(
    out: Path,
    cards: Sequence[PartyCard],
    hosts: Sequence[str],
    requests: Sequence[Path],
    days: int,
) -> list[CertificateFolder]:
    """`authority/`, `server/` and `parties/NAME/`. What still holds for a month is left alone.

    Raises BrokerFilesError and BrokerTlsError before anything of a bad request is written.
    """
    now = datetime.now(UTC)
    asked = _requests(requests, [card.name for card in cards])
    authority = _authority(out / "authority", now)
    places = {BROKER: out / "server"}
    places |= {card.name: out / "parties" / card.name for card in cards}
    folders = []
    for owner, place in places.items():
        is_new = not _holds(place / CERTIFICATE, now, owner, hosts, asked)
        if is_new:
            _write(place, _issue(authority, owner, asked, hosts, now, days))
        replace_file(place / AUTHORITY, authority.issued.certificate)
        not_after = certificate_facts(place / CERTIFICATE).not_after
        folders.append(CertificateFolder(owner, place, not_after, is_new))
    return folders


def _issue(
    authority: Authority,
    owner: str,
    asked: Mapping[str, bytes],
    hosts: Sequence[str],
    now: datetime,
    days: int,
) -> Issued:
    if owner == BROKER:
        return authority.issue_server(hosts, now, days)
    if owner in asked:
        return authority.issue_requested(asked[owner], now, days)
    return authority.issue_party(owner, now, days)


def _requests(paths: Sequence[Path], names: Sequence[str]) -> dict[str, bytes]:
    """Signing requests by the name they ask for."""
    asked = {}
    for path in paths:
        request = path.read_bytes()
        name = requested_name(request)
        if name not in names:
            raise BrokerFilesError(f"{path} asks for {name!r}, of whom no card is given")
        asked[name] = request
    return asked


def _authority(folder: Path, now: datetime) -> Authority:
    """The one that is there, or a new one."""
    key = folder / "authority.key"
    if key.exists():
        return Authority.read(read_secret(key), (folder / AUTHORITY).read_bytes())
    made = Authority.create(AUTHORITY_NAME, now)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(folder / AUTHORITY, made.issued.certificate)
    if made.issued.key is not None:
        write_secret(key, made.issued.key)
    return made


def _holds(
    certificate: Path, now: datetime, owner: str, hosts: Sequence[str], asked: Mapping[str, bytes]
) -> bool:
    """Whether what is there will do for another month, for these hosts and this key."""
    if not certificate.exists():
        return False
    facts = certificate_facts(certificate)
    if facts.days_left(now) < RENEW_DAYS:
        return False
    if owner == BROKER:
        return set(facts.hosts) == set(hosts)
    return owner not in asked or facts.public_key == requested_key(asked[owner])


def _write(folder: Path, issued: Issued) -> None:
    """The key first: a certificate without its key would be taken for a whole pair."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / KEY).unlink(missing_ok=True)
    if issued.key is not None:
        write_secret(folder / KEY, issued.key)
    replace_file(folder / CERTIFICATE, issued.certificate)
