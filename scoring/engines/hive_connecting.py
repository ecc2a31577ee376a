"""Reaching a HiveServer2: TLS, a login, and what its refusals mean."""

import math
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pyhive import hive
from pyhive.exc import Error as PyHiveError
from sqlalchemy import exc
from sqlalchemy.engine import URL
from thrift.Thrift import TException
from thrift.transport.TSocket import TSocket
from thrift.transport.TSSLSocket import TSSLSocket
from thrift.transport.TTransport import TBufferedTransport, TTransportBase, TTransportException
from thrift_sasl import TSaslClientTransport

from scoring.engines.settings import EngineSettings
from scoring.errors import (
    EngineError,
    EngineSettingsError,
    EngineUnavailableError,
    LoginRefusedError,
    MissingTableError,
)

PORT = 10_000
ANYONE = "tally"
MISSING = re.compile(
    r"TABLE_OR_VIEW_NOT_FOUND\]?[^`]*`(?:[^`]*`\.`)*([^`]*)`|Table not found '?([^\s']*)"
)
ERROR_CLASS = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]")
# Classes of Spark's whose text names columns and no values.
TELLING = ("UNRESOLVED_COLUMN", "AMBIGUOUS_REFERENCE", "DATATYPE_MISMATCH", "TABLE_OR_VIEW_ALREADY")


def connect(url: URL, settings: EngineSettings, folder: Path) -> hive.Connection:
    """A DB-API connection. Raises EngineUnavailableError or LoginRefusedError."""
    address = url.render_as_string(hide_password=True)
    with _connection_faults(address, settings):
        socket = _socket(url, settings, folder)
        connection = hive.connect(
            thrift_transport=_transport(socket, url, settings),
            username=url.username or ANYONE,
            database=(url.database or "default").replace("`", ""),
        )
        socket.setTimeout(None)  # a statement takes as long as it takes
        return connection


def _socket(url: URL, settings: EngineSettings, folder: Path) -> TSocket:
    host, port = url.host or "localhost", url.port or PORT
    if settings.tls or settings.ca_file is not None:
        authorities = folder / settings.ca_file if settings.ca_file is not None else None
        context = ssl.create_default_context(cafile=authorities)
        socket = _TLSSocket(host, port, ssl_context=context, server_hostname=host)
    else:
        socket = TSocket(host, port)
    socket.setTimeout(max(2, math.ceil(settings.patience_seconds)) * 1000)
    return socket


class _TLSSocket(TSSLSocket):  # type: ignore[misc]
    def close(self) -> None:
        """Thrift's stumbles where the handshake failed, and hides why it did."""
        if self.handle is not None:
            super().close()


def _transport(socket: TSocket, url: URL, settings: EngineSettings) -> TTransportBase:
    authentication = settings.authentication or ("custom" if url.password else "none")
    if authentication == "nosasl":
        return TBufferedTransport(socket)
    if url.password is None and authentication != "none":
        raise EngineSettingsError(
            f"authentication {authentication} needs a password: set password_file, or "
            "${VARIABLE} in the url"
        )
    login = partial(
        hive.get_installed_sasl,
        host=url.host,
        sasl_auth="PLAIN",
        username=url.username or ANYONE,
        password=url.password or ANYONE,
    )
    return TSaslClientTransport(login, "PLAIN", socket)


@contextmanager
def _connection_faults(address: str, settings: EngineSettings) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise EngineSettingsError(f"there is no file {settings.ca_file} of authorities") from None
    except (TException, OSError) as error:
        raise _refusal(address, error) from None
    except PyHiveError as error:
        raise EngineError(f"{address}: {server_text(error)}") from None


def _refusal(address: str, error: Exception) -> EngineError:
    cause = getattr(error, "inner", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return LoginRefusedError(
            f"{address} shows a certificate that we do not trust: check `ca_file` "
            f"({cause.verify_message})"
        )
    if "validating the login" in str(error) or "Bad status" in str(error):
        return LoginRefusedError(
            f"{address} refused the login: check user, password and `authentication`"
        )
    not_open = isinstance(error, TTransportException) and error.type == error.NOT_OPEN
    if not_open and not isinstance(cause, ssl.SSLError):
        return EngineUnavailableError(
            f"{address} cannot be reached: check host and port, and that the server runs"
        )
    return LoginRefusedError(
        f"{address} hung up on us: check `tls` and `authentication` against the server's own"
    )


@contextmanager
def faults() -> Iterator[None]:
    """Around statements: EngineError instead of PyHive's, SQLAlchemy's and Thrift's."""
    try:
        yield
    except exc.NoSuchTableError as error:
        raise MissingTableError(f"there is no table {error} in Hive") from None
    except (exc.DBAPIError, PyHiveError) as error:
        original = error.orig if isinstance(error, exc.DBAPIError) else error
        if isinstance(original, TException | OSError):
            raise _lost() from None
        text = str(original)
        if found := MISSING.search(text):
            name = found[1] or found[2]
            raise MissingTableError(f"there is no table {name} in Hive") from None
        raise EngineError(f"Hive: {server_text(original)}") from None
    except (TException, OSError):
        raise _lost() from None


def _lost() -> EngineUnavailableError:
    return EngineUnavailableError("the connection to Hive is lost: open it again")


def server_text(error: BaseException | None) -> str:
    """What a server said, as far as it can quote no value."""
    text = str(error)
    if found := ERROR_CLASS.search(text):
        if found[1].startswith(TELLING):
            sentence = text[text.rindex(f"[{found[1]}]") :].partition("\\n")[0].partition(". ")[0]
            return sentence[:300]
        return f"the server refused the statement ({found[1]})"
    if "SemanticException" in text:
        return text[text.index("SemanticException") :].partition("\\n")[0].partition("',")[0][:300]
    if "ParseException" in text:
        return "the server cannot read the statement (ParseException)"
    return "the server failed in the statement; its log says why"
