"""The test vectors of docs/log-format.md, made from keys and times that never change."""

import base64
import json

from events.card import PartyCard
from events.checkpoint import origin, sign_checkpoint
from events.envelope import digest_of
from events.merkle import MerkleTree, leaf_hash
from events.rounds import RoundCompleted, StopFlagRaised
from events.vocabulary import Role
from tests.envelopes import Issuer

SEALING_KEY = "age1" + "q" * 58


def card_of(issuer: Issuer, role: Role) -> PartyCard:
    key = base64.b64encode(issuer.key.public_key().public_bytes_raw()).decode()
    return PartyCard(name=issuer.name, role=role, signing_key=key, sealing_key=SEALING_KEY)


def vectors() -> dict[str, object]:
    """Three events of two issuers, in the log of the second one."""
    partner, arbiter = Issuer("partner"), Issuer("arbiter")
    flag = partner.says(StopFlagRaised(round=1), "spring")
    done = arbiter.says(RoundCompleted(round=1), "spring", cause=flag)
    again = arbiter.says(RoundCompleted(round=2), "spring", cause=flag)
    leaves = [one.canonical_bytes() for one in (flag, done, again)]
    tree, card = MerkleTree(leaves), card_of(arbiter, Role.ARBITER)
    return {
        "signing_keys": {
            "partner": card_of(partner, Role.PARTICIPANT).signing_key,
            "arbiter": card.signing_key,
        },
        "events": [leaf.decode() for leaf in leaves],
        "digests": [digest_of(leaf) for leaf in leaves],
        "leaf_hashes": [leaf_hash(leaf).hex() for leaf in leaves],
        "roots": [tree.root(size).hex() for size in range(4)],
        "inclusion_of_leaf_1": [one.hex() for one in tree.inclusion(1)],
        "consistency_1_to_3": [one.hex() for one in tree.consistency(1)],
        "origin": origin(card),
        "checkpoint": sign_checkpoint(card, arbiter.key, 3, tree.root()).note(card),
    }


def as_text() -> str:
    return json.dumps(vectors(), indent=1, ensure_ascii=False)
