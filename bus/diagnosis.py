"""What a broken connection means to the person who runs the party."""

import socket
import ssl
from collections.abc import Iterator
from typing import TypeVar

from pika import exceptions

from bus.errors import (
    AccessRefusedError,
    BrokerError,
    BrokerTlsError,
    BrokerUnreachableError,
    LoginRefusedError,
    ParcelTooLargeError,
    ProxyError,
    ProxyRefusedError,
    TopologyError,
    VirtualHostError,
)
from bus.settings import BrokerSettings

Cause = TypeVar("Cause", bound=BaseException)

_ACCESS_REFUSED = 403
_NOT_FOUND = 404
_PRECONDITION_FAILED = 406

# Trying again heals a missing broker; these it does not heal.
NEEDS_A_PERSON = (
    AccessRefusedError,
    BrokerTlsError,
    LoginRefusedError,
    ParcelTooLargeError,
    ProxyRefusedError,
    TopologyError,
    VirtualHostError,
)


def explain_connection(error: BaseException, settings: BrokerSettings) -> BrokerError:
    """Why there is no connection (any more), and what to do."""
    causes = list(_causes(error))
    where = settings.address
    result: BrokerError
    if through := _first(causes, ProxyError, ProxyRefusedError):
        result = through
    elif tls := _first(causes, ssl.SSLError):
        result = _tls_failed(tls, settings)
    elif _first(causes, exceptions.ProbableAuthenticationError, exceptions.AuthenticationError):
        result = _login_refused(settings)
    elif denied := _first(causes, exceptions.ProbableAccessDeniedError):
        result = _not_let_in(denied, settings)
    elif _first(causes, exceptions.IncompatibleProtocolError):
        result = _no_common_protocol(settings)
    elif closed := _first(causes, exceptions.ConnectionClosed):
        result = BrokerUnreachableError(
            f"{where} closed the connection ({closed.reply_text}): the party connects again by "
            "itself; where that goes on, look at the broker's log"
        )
    else:
        result = _no_connection(causes, settings)
    return result


def _no_connection(causes: list[BaseException], settings: BrokerSettings) -> BrokerError:
    """The system's words, and what a person can do about them."""
    spoken = (OSError, exceptions.StreamLostError, exceptions.AMQPHeartbeatTimeout)
    cause = _first(causes, *spoken)
    why = getattr(cause, "strerror", None) or cause or type(causes[-1]).__name__
    if _first(causes, ConnectionRefusedError):
        remedy = "start the broker, or correct host and port in its address"
    elif _first(causes, socket.gaierror):
        remedy = f"correct the host in the broker's address, or have {settings.host} resolved here"
    elif isinstance(cause, TimeoutError) or "timed out" in str(cause):
        remedy = (
            f"have the firewall allow outgoing connections to port {settings.port}, or name a "
            'way around it (proxy = "http://HOST:PORT" in party.toml)'
        )
    else:
        remedy = "the party connects again by itself; where that goes on, look at the network"
    return BrokerUnreachableError(f"no connection to {settings.address} ({why}): {remedy}")


def _tls_failed(tls: ssl.SSLError, settings: BrokerSettings) -> BrokerTlsError:
    if isinstance(tls, ssl.SSLCertVerificationError):
        return BrokerTlsError(
            f"TLS with {settings.address}: certificate verify failed ({tls.verify_message}): "
            "cacertfile must hold the authority of the broker's certificate, and that "
            "certificate the host's name"
        )
    return BrokerTlsError(
        f"TLS with {settings.address} failed ({tls.reason or tls}): the port must be the broker's "
        "TLS port, and certfile, keyfile of an authority that the broker trusts"
    )


def explain_channel(error: BaseException, settings: BrokerSettings) -> BrokerError:
    """Why the broker closed a channel."""
    if not isinstance(error, exceptions.ChannelClosedByBroker):
        return explain_connection(error, settings)
    text = f"{settings.address}: {error.reply_text}"
    if error.reply_code == _ACCESS_REFUSED:
        return AccessRefusedError(f"{text}: an administrator must grant it")
    if error.reply_code == _PRECONDITION_FAILED:
        return _precondition(text)
    if error.reply_code == _NOT_FOUND:
        return BrokerError(
            f"{text}: the user must be allowed to declare it, or somebody else do so"
        )
    return BrokerUnreachableError(text)


def _precondition(text: str) -> BrokerError:
    """One code for three things."""
    if "timed out" in text:
        return BrokerUnreachableError(
            f"{text}: what was not acknowledged comes again (the broker's consumer_timeout)"
        )
    if "larger than" in text:
        return ParcelTooLargeError(f"{text}: an administrator must allow 2 MiB (max_message_size)")
    return TopologyError(f"{text}: delete it, or use the settings that it was made with")


def is_refused(error: BaseException) -> bool:
    """Whether the broker closed the channel for want of a permission."""
    return (
        isinstance(error, exceptions.ChannelClosedByBroker) and error.reply_code == _ACCESS_REFUSED
    )


def is_missing(error: BaseException) -> bool:
    """Whether the broker closed the channel because an exchange or queue is gone."""
    return isinstance(error, exceptions.ChannelClosedByBroker) and error.reply_code == _NOT_FOUND


def _login_refused(settings: BrokerSettings) -> BrokerError:
    where, user = settings.address, settings.user
    if settings.password is None:
        return LoginRefusedError(
            f"{where} refuses the login by certificate: it must allow EXTERNAL, and have a user "
            "whose name is the certificate's common name (`tally broker definitions`)"
        )
    by_certificate = (
        "" if settings.tls is None else "; it may let in certificates only (certfile, keyfile)"
    )
    return LoginRefusedError(
        f"{where} refuses user {user!r}: check name and password{by_certificate}"
    )


def _not_let_in(denied: BaseException, settings: BrokerSettings) -> BrokerError:
    where, user = settings.address, settings.user
    if "limit" in str(denied):
        return BrokerUnreachableError(
            f"{where}: user {user!r} has as many connections as it may have; a process of the "
            "same party must end first, or an administrator raise the limit"
        )
    return VirtualHostError(
        f"{where} does not exist, or is closed to user {user!r}: correct the address, or have an "
        "administrator make it"
    )


def _no_common_protocol(settings: BrokerSettings) -> BrokerError:
    if settings.tls is not None:
        return BrokerTlsError(
            f"{settings.address} hung up during TLS: it may want a client certificate of an "
            "authority that it trusts (certfile, keyfile)"
        )
    return BrokerUnreachableError(
        f"{settings.address} does not speak AMQP 0-9-1 in the clear; a TLS port needs amqps://"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything inside it: pika nests them as arguments and attributes."""
    yield error
    inner = [*error.args, *getattr(error, "exceptions", ()), getattr(error, "exception", None)]
    for cause in inner:
        if isinstance(cause, BaseException):
            yield from _causes(cause)


def _first(causes: list[BaseException], *kinds: type[Cause]) -> Cause | None:
    return next((cause for cause in causes if isinstance(cause, kinds)), None)
