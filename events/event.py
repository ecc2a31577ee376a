"""What every event declares: who may say it, who hears it, which vectors it carries."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import ClassVar

from events.vocabulary import ASKING_ROLES, Frozen, Role


@dataclass(frozen=True)
class PayloadRule:
    """A payload that an event carries, and the roles that may open it besides its issuer.

    Of these roles, `only` these parties, or only the one that asked, where the rule says so.
    """

    kind: str
    readers: frozenset[Role]
    meaning: str
    only: frozenset[str] | None = None
    for_asker: bool = False


class Event(Frozen):
    """A fact in the past tense. The class name is the type; a changed schema is a new VERSION."""

    VERSION: ClassVar[int] = 1
    PRIVATE: ClassVar[bool] = False
    ISSUERS: ClassVar[frozenset[Role]]
    PAYLOADS: ClassVar[Mapping[str, PayloadRule]] = MappingProxyType({})

    @classmethod
    def type_name(cls) -> str:
        return cls.__name__

    def rules(self) -> Mapping[str, PayloadRule]:
        """The payloads of this very event, where they depend on what it says."""
        return self.PAYLOADS


@lru_cache(maxsize=1024)
def only_to(rule: PayloadRule, name: str) -> PayloadRule:
    """The same, for one party alone."""
    return replace(rule, only=frozenset({name}))


def payload_rules(**rules: PayloadRule) -> Mapping[str, PayloadRule]:
    return MappingProxyType(rules)


def kept(kind: str, meaning: str) -> PayloadRule:
    """A payload that only its issuer reads."""
    return PayloadRule(kind=kind, readers=frozenset(), meaning=meaning)


def sealed_to(role: Role, kind: str, meaning: str) -> PayloadRule:
    """A payload that its issuer and the parties of one role read."""
    return PayloadRule(kind=kind, readers=frozenset({role}), meaning=meaning)


def sealed_to_asker(kind: str, meaning: str) -> PayloadRule:
    """A payload that its issuer and the party that opened the stream read."""
    return PayloadRule(kind=kind, readers=ASKING_ROLES, meaning=meaning, for_asker=True)
