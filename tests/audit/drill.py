"""The tampering drill: what is done to a log, by whom, and what finds it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.audit import falsifications
from tests.audit.conftest import Federation

Change = Callable[[Federation, Path], list[str]]


@dataclass(frozen=True)
class Attack:
    """What is done, by whom, and which command finds it by which check, in which words.

    `unseen` is what this check alone cannot tell.
    """

    name: str
    by: str
    make: Change
    command: str
    check: str
    words: str
    unseen: str


NOT_ITS_OWN = "whether the issuer itself says something else elsewhere: compare"
ATTACKS = (
    Attack(
        "edit an event",
        "outsider",
        falsifications.edit,
        "verify",
        "signatures",
        "the signature is not by the key on that party's trusted card",
        "an edit by the issuer itself, who signs anew: compare",
    ),
    Attack(
        "write an event in another form",
        "outsider",
        falsifications.other_form,
        "verify",
        "format",
        "not in canonical form",
        "anything that is said in the right form",
    ),
    Attack(
        "say something that does not exist",
        "insider",
        falsifications.unknown_type,
        "verify",
        "schema",
        "is not known to this software",
        "a false statement in a known form: re-execution",
    ),
    Attack(
        "delete an event",
        "outsider",
        falsifications.delete,
        "verify",
        "sequence",
        "1 events of this stream are missing before it",
        "events missing at the end of a stream: compare",
    ),
    Attack(
        "insert an event of another party",
        "insider",
        falsifications.insert,
        "verify",
        "signatures",
        "the signature is not by the key on that party's trusted card",
        NOT_ITS_OWN,
    ),
    Attack(
        "reorder one party's events",
        "insider",
        falsifications.reorder,
        "verify",
        "sequence",
        "missing before it",
        "another order of different parties' events that respects all causes: none is wrong",
    ),
    Attack(
        "put an effect before its cause",
        "insider",
        falsifications.effect_before_cause,
        "verify",
        "causes",
        "its cause is no earlier event of this log",
        "a false cause that stands earlier in the same job: re-execution",
    ),
    Attack(
        "cut off the end of a file",
        "outsider",
        falsifications.truncate,
        "verify",
        "tree",
        "the events and the omitted parts do not make the tree of the root that is told",
        "a cut after which the owner signs a new checkpoint: compare",
    ),
    Attack(
        "cut off the end and sign it",
        "insider",
        falsifications.truncate_and_sign,
        "compare",
        "missing",
        "cut off at the end of that log, or not there yet when it was copied",
        "whether the end was cut or had not arrived: ask for a newer file",
    ),
    Attack(
        "swap a payload",
        "outsider",
        falsifications.swap_payload,
        "verify",
        "payloads",
        "the payload scores is not what its issuer committed to",
        "whether what was committed to is true: re-execution",
    ),
    Attack(
        "sign another party's event with another key",
        "insider",
        falsifications.resign,
        "verify",
        "signatures",
        "the signature is not by the key on that party's trusted card",
        "false cards in the same file, unless --card gives the right ones",
    ),
    Attack(
        "the same, with a false card in the file",
        "insider",
        falsifications.resign_with_card,
        "verify with cards",
        "cards",
        "is not the one that came with the log",
        "nothing, once the auditor has the cards from their owners",
    ),
    Attack(
        "rewrite the rest of a shared stream and sign all of it",
        "insider",
        falsifications.rewrite_suffix,
        "compare",
        "equivocation",
        "bank signed two: one is with bank, another with partner",
        "a rewriting that all holders of other copies agree to",
    ),
    Attack(
        "rewrite a private event and sign all that follows",
        "insider",
        falsifications.rewrite_private,
        "compare",
        "checkpoints",
        "bank told partner another root: its log was rewritten since",
        "a rewriting before the first checkpoint was given to anybody: re-execution",
    ),
    Attack(
        "tell two parties two things",
        "insider",
        falsifications.equivocate,
        "compare",
        "equivocation",
        "bank signed two: one is with partner, another with arbiter",
        "a fork between parties whose logs are not at hand: checkpoints tell them live",
    ),
    Attack(
        "date an event back",
        "insider",
        falsifications.back_date,
        "verify",
        "times",
        "before the event it follows",
        "a clock that is wrong, but never goes back",
    ),
    Attack(
        "say a thing twice in a round",
        "insider",
        falsifications.say_twice,
        "verify",
        "conformance",
        "partner says StopFlagRaised twice, round 1",
        "a false number in a message that is due: re-execution",
    ),
    Attack(
        "show other rows than were committed to",
        "insider",
        falsifications.other_data,
        "verify",
        "commitments",
        "commits to other data than the rows that were frozen",
        "false data committed to from the start",
    ),
    Attack(
        "give a false checkpoint",
        "insider",
        falsifications.false_checkpoint,
        "verify",
        "checkpoints",
        "the note is not signed with the key of its issuer",
        "a checkpoint of a log that nobody has: compare",
    ),
    Attack(
        "leave a private event out of a whole file",
        "outsider",
        falsifications.hide_private,
        "verify",
        "tree",
        "the events and the omitted parts do not make the tree of the root that is told",
        "a private event that never entered the log: re-execution",
    ),
)
