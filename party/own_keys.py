"""A party's own keys and what its log says of them: a killed rotation, keys of an old backup."""

from events.card import PartyCard
from events.card_history import CardHistory
from events.catalogue import CATALOGUE, Fact
from events.rotation import KeyRotated, rotation_stream
from party.errors import AlreadyRunningError, BusyError, RetiredKeysError
from party.folder import PartyFolder
from party.identity import Identity, read_identity
from party.key_files import discard_next, install_next, next_keys, next_signing_key
from party.lock import running_alone
from party.settings import PartySettings
from store.log import Log


def rotation_of(log: Log, name: str, card: PartyCard) -> Fact[KeyRotated] | None:
    """What the log of `name` says of the keys that followed those on this card."""
    for entry in log.stream(card.name, rotation_stream(card, name)):
        fact = CATALOGUE.read(entry.envelope)
        if isinstance(fact.event, KeyRotated):
            return Fact(fact.envelope, fact.event)
    return None


def settled_identity(folder: PartyFolder, settings: PartySettings, log: Log) -> Identity:
    """The party's keys, after a rotation that was killed is finished or undone.

    Raises KeyFileError, BusyError while a rotation is under way, and RetiredKeysError.
    """
    if next_keys(folder.keys).exists():
        try:
            with running_alone(folder.lock):
                _settle(folder, settings, log)
        except AlreadyRunningError:
            raise BusyError(f"the keys in {folder.keys} are being changed: try again") from None
    identity = read_identity(folder.keys)
    rotation = rotation_of(log, settings.name, identity.card(settings.name, settings.role))
    if rotation is not None:
        raise retired_keys(folder, rotation)
    return identity


def cards_after(identity: Identity, rotation: Fact[KeyRotated]) -> CardHistory:
    """The history of the own cards with the new one."""
    retired, known = rotation.event.retired, identity.history
    if known is not None and retired in known.cards:
        return known.before(retired).rotated(rotation)
    return CardHistory(current=retired).rotated(rotation)


def retired_keys(folder: PartyFolder, rotation: Fact[KeyRotated]) -> RetiredKeysError:
    """The one message of a party whose keys come from before a rotation."""
    return RetiredKeysError(
        f"the keys in {folder.keys} were retired at {rotation.envelope.time}, and nobody believes "
        f"them any more: they come from an older backup. Restore {folder.keys} from one made "
        f"since (fingerprint {rotation.event.card.fingerprint}), or begin anew as another party"
    )


def _settle(folder: PartyFolder, settings: PartySettings, log: Log) -> None:
    if not next_keys(folder.keys).exists():
        return
    identity = read_identity(folder.keys)
    fresh = next_signing_key(folder.keys)
    rotation = rotation_of(log, settings.name, identity.card(settings.name, settings.role))
    if fresh is None:  # it is in its place: the last step alone is missing
        discard_next(folder.keys)
    elif rotation is not None and rotation.event.card.signing_key == fresh:
        install_next(folder.keys, rotation.event.retired, cards_after(identity, rotation))
    else:
        discard_next(folder.keys)
