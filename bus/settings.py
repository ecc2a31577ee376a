"""Where the broker is and how to log in."""

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from bus.errors import BrokerSettingsError

DELIVERY_LIMIT = 100  # counts crashes of the reader too: be generous
_PORTS = {"amqp": 5672, "amqps": 5671}
_TLS_OPTIONS = {"cacertfile", "certfile", "keyfile", "server_name_indication"}
_PROXY_PORT = 3128
_PLAINTEXT = "plaintext"
_OPTIONS = _TLS_OPTIONS | {"heartbeat", "startup_timeout", _PLAINTEXT}


class TlsSettings(BaseModel):
    """Files in PEM form; without `cacertfile` the system's authorities are trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cacertfile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    server_name_indication: str | None = None


class ProxySettings(BaseModel):
    """An HTTP proxy that makes tunnels (CONNECT)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1)
    port: int = Field(3128, gt=0, lt=65536)
    user: str | None = None
    password: SecretStr | None = None

    @property
    def address(self) -> str:
        """For messages: no user, no password."""
        return f"{self.host}:{self.port}"


class BrokerSettings(BaseModel):
    """One RabbitMQ, and how an endpoint behaves towards it. Times in seconds.

    Without a password the login is by client certificate (SASL EXTERNAL).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(min_length=1)
    port: int = Field(5672, gt=0, lt=65536)
    virtual_host: str = "/"
    user: str | None = None
    password: SecretStr | None = None
    tls: TlsSettings | None = None
    proxy: ProxySettings | None = None
    heartbeat: int = Field(30, ge=1, le=600)
    startup_timeout: float = Field(15, gt=0)
    closing_timeout: float = Field(5, ge=0)
    longest_pause: float = Field(10, gt=0)  # between two attempts to connect
    window: int = Field(64, ge=1)
    window_bytes: int = Field(16 * 1024 * 1024, ge=1024 * 1024)
    prefetch: int = Field(32, ge=1)
    delivery_limit: int = Field(DELIVERY_LIMIT, ge=1)

    @property
    def address(self) -> str:
        """For messages: no user, no password."""
        return f"{self.host}:{self.port}, virtual host {self.virtual_host!r}"

    def relative_to(self, folder: Path) -> "BrokerSettings":
        """The same, where relative paths of certificates begin at the folder."""
        if self.tls is None:
            return self
        files = {"cacertfile", "certfile", "keyfile"}
        paths = {name: folder / path for name, path in self.tls if name in files and path}
        return self.model_copy(update={"tls": self.tls.model_copy(update=paths)})


def broker_settings(url: str) -> BrokerSettings:
    """Settings from `amqp[s]://user:password@host:port/virtual-host?option=value`.

    Options are named as in RabbitMQ's own addresses: cacertfile, certfile, keyfile,
    server_name_indication, heartbeat; and startup_timeout. Outside this machine amqp:// needs
    plaintext=allowed. Raises BrokerSettingsError, which never repeats the address, for it may
    hold the password.
    """
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        port = parts.port
    except ValueError as error:
        raise BrokerSettingsError("the broker's address cannot be read as a URL") from error
    if parts.scheme not in _PORTS:
        raise BrokerSettingsError("the broker's address must begin with amqp:// or amqps://")
    if unknown := sorted(options.keys() - _OPTIONS):
        raise BrokerSettingsError(f"unknown option {unknown[0]!r}; known: {sorted(_OPTIONS)}")
    tls = {name: options.pop(name) for name in _TLS_OPTIONS & options.keys()}
    if tls and parts.scheme == "amqp":
        raise BrokerSettingsError(f"option {min(tls)!r} needs an address with amqps://")
    _refuse_plaintext(parts.scheme, parts.hostname or "", options.pop(_PLAINTEXT, None))
    values = {
        "host": parts.hostname or "",
        "port": port or _PORTS[parts.scheme],
        "virtual_host": unquote(parts.path[1:]) or "/",
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "tls": tls if parts.scheme == "amqps" else None,
        **options,
    }
    try:
        return BrokerSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BrokerSettingsError(f"the broker's address: {where}: {first['msg']}") from None


def proxy_settings(url: str) -> ProxySettings:
    """From `http://user:password@host:port`. Raises BrokerSettingsError, without the address."""
    try:
        parts = urlsplit(url)
        values = {
            "host": parts.hostname or "",
            "port": parts.port or _PROXY_PORT,
            "user": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
        }
        is_proxy = parts.scheme == "http" and parts.path in {"", "/"} and not parts.query
        if is_proxy:
            return ProxySettings.model_validate(values)
    except ValueError:
        pass
    raise BrokerSettingsError(
        "the proxy's address cannot be used: write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
    ) from None


def _refuse_plaintext(scheme: str, host: str, allowed: str | None) -> None:
    """Passwords and envelopes in the clear stay on this machine, unless somebody means it."""
    if allowed not in {None, "allowed"}:
        raise BrokerSettingsError(f"option {_PLAINTEXT!r} has one value: {_PLAINTEXT}=allowed")
    if scheme == "amqp" and host and not is_loopback(host) and allowed is None:
        raise BrokerSettingsError(
            "the broker's address is amqp:// to another machine, which would send password and "
            "envelopes unencrypted: use amqps:// (`tally broker certificates` makes what it "
            f"needs), or add {_PLAINTEXT}=allowed where the network itself is encrypted"
        )


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own, without asking anybody."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
