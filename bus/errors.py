"""What can go wrong on the bus.

BusError
├── ParcelError               a parcel that no broker should see: name, header or size
├── EndpointClosedError       used after close()
├── DeliverySettledError      one delivery settled twice
├── BrokerSettingsError       an address or option that makes no sense
├── DefinitionsError          a federation that no broker can be prepared for
└── BrokerError               the broker, or the way to it; kept as an endpoint's last_error
    ├── BrokerUnreachableError    nobody answers, or the connection went
    │   └── ProxyError            the proxy on the way does not answer, or does not reach it
    ├── ProxyRefusedError         the proxy wants a login, or lets nobody through to there
    ├── LoginRefusedError         wrong user or password
    ├── VirtualHostError          the virtual host is missing or closed to this user
    ├── BrokerTlsError            certificates do not fit
    ├── TopologyError             a queue or exchange exists with other settings
    ├── ParcelTooLargeError       the broker's limit is below a parcel's
    └── AccessRefusedError        the user may not read its queue, or publish

No message holds a password or anything of a parcel's body.
"""


class BusError(Exception):
    """Anything the bus raises."""


class ParcelError(BusError):
    """The parcel breaks the bus's limits; the message names the field."""


class EndpointClosedError(BusError):
    """The endpoint was closed; open a new one."""


class DeliverySettledError(BusError):
    """The delivery was acknowledged, requeued or rejected before."""


class BrokerSettingsError(BusError):
    """The broker's address or options cannot be used."""


class DefinitionsError(BusError):
    """The broker cannot be prepared for these parties."""


class BrokerError(BusError):
    """The broker refused, or could not be reached."""


class BrokerUnreachableError(BrokerError):
    """No broker answers at the address, or it stopped answering."""


class ProxyError(BrokerUnreachableError):
    """The HTTP proxy cannot be reached, is none, or cannot reach the broker."""


class ProxyRefusedError(BrokerError):
    """The HTTP proxy refuses the login, or a tunnel to the broker."""


class LoginRefusedError(BrokerError):
    """The broker does not accept this user and password or certificate."""


class VirtualHostError(BrokerError):
    """The virtual host does not exist, or the user may not enter it."""


class BrokerTlsError(BrokerError):
    """The TLS handshake failed: certificate files, authority or host name."""


class TopologyError(BrokerError):
    """An exchange or queue of the same name exists with other settings."""


class ParcelTooLargeError(BrokerError):
    """The broker takes no messages of a parcel's size."""


class AccessRefusedError(BrokerError):
    """The broker's permissions do not let this user do what the endpoint needs."""
