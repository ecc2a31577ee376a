"""Versions of the protocol, as a member tells the others which of them it speaks."""

from typing import Annotated

from pydantic import Field, model_validator

from events.vocabulary import Frozen

Version = Annotated[int, Field(ge=1, le=10_000)]


class Versions(Frozen):
    """Every version from the oldest to the newest. Who says nothing speaks the first alone."""

    oldest: Version = 1
    newest: Version = 1

    @model_validator(mode="after")
    def _are_in_order(self) -> "Versions":
        if self.oldest > self.newest:
            raise ValueError("the oldest version is newer than the newest")
        return self

    def common(self, other: "Versions") -> "Versions | None":
        """What both speak; None where there is no such version."""
        if self == other:
            return self
        oldest, newest = max(self.oldest, other.oldest), min(self.newest, other.newest)
        return Versions(oldest=oldest, newest=newest) if oldest <= newest else None

    def __str__(self) -> str:
        if self.oldest == self.newest:
            return f"version {self.oldest}"
        return f"versions {self.oldest} to {self.newest}"


ONLY_THE_FIRST = Versions()


def only(version: int) -> Versions:
    return Versions(oldest=version, newest=version)
