"""What a handler may know besides the log: the party's name, policy, secret and payloads."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from events.envelope import PayloadReference
from events.versions import Versions
from handlers.drafts import Draft, Payload
from handlers.errors import JobError, SecretMissingError
from handlers.policy import Policy
from handlers.protocol_versions import SPOKEN
from paillier.feature_blocks import Workers
from paillier.generator import DeterministicGenerator
from paillier.keys import PrivateKey

T = TypeVar("T")
SALT_BYTES = 32

# The master secret, or, for who was shown no more, those of single jobs.
Secret = bytes | Mapping[str, bytes]


class PayloadReader(Protocol):
    """Read-only access to the party's payload store, by commitment."""

    def read(self, commitment: str) -> bytes: ...

    def array(self, commitment: str, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]: ...


def _no_mart_key() -> bytes:
    raise JobError("data", "the local party has not the key of the mart's members")


@dataclass(frozen=True)
class Own:
    """The party itself. Nothing here changes while a job runs, so decisions can be repeated."""

    name: str
    policy: Policy
    secret: Secret = field(repr=False)
    payloads: PayloadReader = field(repr=False)
    private_key: Callable[[str], PrivateKey] = field(repr=False)
    threads: int = 1
    mart_key: Callable[[], bytes] = field(default=_no_mart_key, repr=False, compare=False)
    workers: Workers | None = field(default=None, repr=False, compare=False)
    converts: bool = False
    speaks: Versions = SPOKEN
    remembered: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def read(self, reference: PayloadReference) -> bytes:
        return self.payloads.read(reference.commitment)

    def array(self, reference: PayloadReference, dtype: DTypeLike) -> NDArray[Any]:
        little = np.dtype(dtype).newbyteorder("<")
        return self.payloads.array(reference.commitment, little, reference.shape)

    def remember(self, key: tuple[str, str], make: Callable[[], T]) -> T:
        """A pure result that is costly to make again; the key is what it is, and the job."""
        if key not in self.remembered:
            self.remembered[key] = make()
        value: T = self.remembered[key]
        return value

    def forget(self, job: str) -> None:
        """Let go of what was remembered for a job; it can be made again."""
        for key in [key for key in list(self.remembered) if key[1] == job]:
            del self.remembered[key]

    def generator(self, job: str, *labels: str | int | bytes) -> DeterministicGenerator:
        """Randomness for one step of one job; pass a digest of what goes in (synthetic nonce)."""
        return DeterministicGenerator(job_secret(self.secret, job)).derive(*labels)


def payload_salt(own: Own, draft: Draft, payload: Payload) -> bytes:
    """The salt of a payload's commitment, from the generator: drawn again by re-execution."""
    digest = hashlib.sha256(payload.content).digest()
    labels = ("salt", draft.event.type_name(), payload.name, digest)
    return own.generator(draft.job, *labels).bytes(SALT_BYTES)


def job_secret(secret: Secret, job: str) -> bytes:
    """The secret of one job: can be shown to an auditor without showing the master.

    Raises SecretMissingError where only those of other jobs are at hand.
    """
    if not isinstance(secret, bytes):
        if job not in secret:
            raise SecretMissingError(f"the secret of {job} is not at hand")
        return secret[job]
    return hmac.digest(secret, b"tallystick job " + job.encode(), "sha256")


def secret_commitment(secret: Secret, job: str) -> str:
    """Binds the party to its job secret without showing it: the secret has 256 random bits."""
    content = b"tallystick job secret commitment " + job_secret(secret, job)
    return hashlib.sha256(content).hexdigest()
