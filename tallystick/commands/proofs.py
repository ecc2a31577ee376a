"""Checkpoints and proofs from the command line, in the formats that other tools read (C2SP)."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from audit import proofs
from audit.errors import EvidenceError
from audit.export import all_entries
from audit.opening import open_log
from events.checkpoint import read_checkpoint, sign_checkpoint, verifier_key
from events.merkle import MerkleTree
from party.checkpointing import CheckpointKeeper
from party.opening import open_party
from party.trust import read_card
from tallystick.terminal import note

ATTEMPTS = 20

CardFile = Annotated[
    Path, typer.Option("--card", metavar="FILE", help="The card of the party whose log it is.")
]


def checkpoint(
    folder: Annotated[Path, typer.Option("--as", metavar="DIR", help="The party that signs.")],
    job: Annotated[
        str | None, typer.Option(help="Also tell the members of this job, as an event.")
    ] = None,
) -> None:
    """Sign a checkpoint of the party's whole log as it is now, and print it as a signed note.

    Parties exchange checkpoints by themselves when a job ends, and at intervals.
    """
    with closing(open_party(folder)) as party:
        if job is not None:
            _post(CheckpointKeeper(party), job)
        tree = MerkleTree(entry.canonical for entry in all_entries(party.log))
        signed = sign_checkpoint(party.card, party.identity.signing, len(tree), tree.root())
        typer.echo(signed.note(party.card), nl=False)
        note(f"key for other tools: {verifier_key(party.card)}")


def prove(
    log: Annotated[str, typer.Argument(metavar="LOG", help="The log.")],
    event: Annotated[
        str | None,
        typer.Argument(metavar="EVENT", help="An event's id (its beginning will do) or position."),
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(metavar="SIZE", help="Prove that the log goes on from its first SIZE events."),
    ] = None,
    card: Annotated[
        Path | None, typer.Option("--card", metavar="FILE", help="The card of the log's owner.")
    ] = None,
) -> None:
    """Print the proof that an event stands in a log, or that a log only grew.

    The proof, the party's card and `tally audit check-proof` are all that anybody needs: the
    event is in it, the rest of the log is not.
    """
    if (event is None) == (since is None):
        raise typer.BadParameter("name an EVENT, or --since SIZE")
    with open_log(log, [read_card(card)] if card else []) as copy:
        if event is not None:
            typer.echo(proofs.prove_event(copy, event), nl=False)
        elif since is not None:
            typer.echo(proofs.prove_growth(copy, since), nl=False)


def check_proof(
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="What `tally audit prove` gave.")],
    card: CardFile,
    old: Annotated[
        Path | None,
        typer.Option(metavar="NOTE", help="The earlier checkpoint, for a proof with --since."),
    ] = None,
) -> None:
    """Say what a proof proves. Exit code 0 when it holds, 1 when it does not."""
    owner = read_card(card)
    earlier = read_checkpoint(old.read_text(), owner) if old else None
    try:
        proven = proofs.check_proof(proof.read_text(), owner, earlier)
    except EvidenceError as error:
        note(f"tally: {error}")
        raise typer.Exit(1) from None
    size = proven.checkpoint.size
    if isinstance(proven, proofs.ProvenGrowth):
        typer.echo(f"the log of {owner.name}, {size} events, begins with the {proven.old} before")
        return
    envelope = proven.envelope
    typer.echo(
        f"event {proven.index + 1} of {size} in the log of {owner.name}: {envelope.type} of "
        f"{envelope.source} in {envelope.stream}, {envelope.time}, id {envelope.id}"
    )


def _post(keeper: CheckpointKeeper, job: str) -> None:
    """A running party appends meanwhile: then the tree is caught up, and it is tried again."""
    for _ in range(ATTEMPTS):
        keeper.catch_up()
        if keeper.post(job) is not None:
            note(f"the members of {job} get it when the party runs")
            return
    raise EvidenceError("the log grows too fast for a checkpoint now: try again")
