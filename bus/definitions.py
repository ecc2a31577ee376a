"""RabbitMQ's definitions for one federation: who may log in, and what each may do.

A party publishes as `<itself>.<recipient>` only, reads its own two queues only, and declares,
deletes or binds nothing: all there is, is declared here. RabbitMQ asks three questions, all
answered by regular expressions: the resource's name for configure, write and read; the routing
key for what goes to a topic exchange (https://www.rabbitmq.com/docs/access-control).
"""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from bus.errors import DefinitionsError
from bus.parcel import check_party_name
from bus.settings import DELIVERY_LIMIT
from bus.topology import DEAD_EXCHANGE, EXCHANGE, dead_queue_name, queue_arguments, queue_name

VIRTUAL_HOST = "tallystick"
NOTHING = "^$"
QUEUES = r"^tallystick\.[a-z][a-z0-9-]*$"
DEAD_QUEUES = r"^tallystick\.[a-z][a-z0-9-]*(\.samples\.[a-z][a-z0-9_]*)?\.dead$"
RESERVED = "dead"  # its queue would have the name of the dead letters' exchange
GIBIBYTE = 1 << 30
DAY_MILLISECONDS = 24 * 3600 * 1000

Definition = dict[str, object]


@dataclass(frozen=True)
class Limits:
    """What one party may take of the broker; a full queue makes its senders wait."""

    queue_bytes: int = 4 * GIBIBYTE
    dead_bytes: int = GIBIBYTE
    dead_days: int = 30
    connections: int = 32
    channels: int = 64


def federation_definitions(
    logins: Mapping[str, str | None], limits: Limits | None = None
) -> Definition:
    """The whole document. `logins` has each party's password, or None: by certificate alone.

    Raises ParcelError for a name that is none, DefinitionsError for one that cannot be used here.
    """
    limits = limits or Limits()
    for name in logins:
        check_party_name(name)
        if name == RESERVED:
            raise DefinitionsError(f"a party named {RESERVED!r} cannot use this broker: rename it")
    return {
        "vhosts": [{"name": VIRTUAL_HOST}],
        "users": [_user(name, password, limits) for name, password in logins.items()],
        "permissions": [_permissions(name) for name in logins],
        "topic_permissions": [each for name in logins for each in _topic_permissions(name)],
        "exchanges": [_exchange(name) for name in (EXCHANGE, DEAD_EXCHANGE)],
        "queues": [each for name in logins for each in _queues(name)],
        "bindings": [each for name in logins for each in _bindings(name)],
        "policies": [
            _policy("queues-are-bounded", QUEUES, {"max-length-bytes": limits.queue_bytes}),
            _policy(
                "dead-letters-are-bounded",
                DEAD_QUEUES,
                {
                    "max-length-bytes": limits.dead_bytes,
                    "message-ttl": limits.dead_days * DAY_MILLISECONDS,
                },
            ),
        ],
    }


def _user(name: str, password: str | None, limits: Limits) -> Definition:
    """Without tags: the management interface is closed to it. An empty hash fits no password."""
    return {
        "name": name,
        "password_hash": "" if password is None else _password_hash(name, password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
        "limits": {"max-connections": limits.connections, "max-channels": limits.channels},
    }


def _password_hash(name: str, password: str) -> str:
    """RabbitMQ's form. The salt follows from the password, so that a second run says the same."""
    salt = hmac.digest(password.encode(), name.encode(), "sha256")[:4]
    return b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _permissions(name: str) -> Definition:
    own = f"^{re.escape(queue_name(name))}"
    return {
        "user": name,
        "vhost": VIRTUAL_HOST,
        "configure": NOTHING,
        "write": f"^{re.escape(EXCHANGE)}$|^{re.escape(DEAD_EXCHANGE)}$",
        "read": rf"{own}(\.dead)?$",
    }


def _topic_permissions(name: str) -> list[Definition]:
    """An exchange without a line of its own would be open to every routing key."""
    party = re.escape(name)
    keys = {EXCHANGE: rf"^{party}\.[a-z][a-z0-9-]*$", DEAD_EXCHANGE: f"^{party}$"}
    return [
        {"user": name, "vhost": VIRTUAL_HOST, "exchange": exchange, "write": key, "read": NOTHING}
        for exchange, key in keys.items()
    ]


def _exchange(name: str) -> Definition:
    return {
        "name": name,
        "vhost": VIRTUAL_HOST,
        "type": "topic",
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def _queues(party: str) -> list[Definition]:
    arguments = {
        dead_queue_name(party): {"x-queue-type": "quorum"},
        queue_name(party): queue_arguments(party, DELIVERY_LIMIT),
    }
    shared = {"vhost": VIRTUAL_HOST, "durable": True, "auto_delete": False}
    return [{"name": name, **shared, "arguments": given} for name, given in arguments.items()]


def _bindings(party: str) -> list[Definition]:
    places = (
        (DEAD_EXCHANGE, dead_queue_name(party), party),
        (EXCHANGE, queue_name(party), f"*.{party}"),
    )
    return [
        {
            "source": exchange,
            "vhost": VIRTUAL_HOST,
            "destination": queue,
            "destination_type": "queue",
            "routing_key": key,
            "arguments": {},
        }
        for exchange, queue, key in places
    ]


def _policy(name: str, pattern: str, definition: Mapping[str, int]) -> Definition:
    return {
        "name": name,
        "vhost": VIRTUAL_HOST,
        "pattern": pattern,
        "apply-to": "queues",
        "priority": 0,
        "definition": dict(definition),
    }
