"""An escrow: somebody outside of a job who can open what its members seal for each other."""

from events.card import AgeRecipient
from events.vocabulary import Frozen, PartyName

MOST_ESCROWS = 8


class EscrowCard(Frozen):
    """The name of an escrow's holder, and the public key (age recipient) that payloads go to."""

    name: PartyName
    sealing_key: AgeRecipient
