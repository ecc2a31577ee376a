"""What is done again by an auditor: views replayed, a party's decisions re-executed."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from audit.errors import EvidenceError
from audit.job_reexecution import JobReexecution, Material, reexecute_job
from audit.job_secret import JobSecret, job_secret_of, read_job_secret
from audit.opening import open_log
from audit.replay import Replay, replay
from handlers.protocol_versions import SPOKEN
from paillier.keys import PrivateKey
from party.choosing import SourceSettings
from party.contributions import read_mart_key
from party.folder import PartyFolder
from party.opening import open_party, read_private_key_file
from party.settings import PartySettings, parse_settings
from projections import Views, jobs
from tallystick.terminal import note, say, show_table

NOT_HELD = 1

Log = Annotated[str, typer.Argument(metavar="LOG", help="The log.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def replay_log(
    log: Log,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME|POSITION", help="As things stood then; the end without this."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the tables in this SQLite file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make every view again from the log alone, and compare with the party's own tables.

    Exit code 0 when they are the same or there is nothing to compare with, 1 otherwise.
    """
    if out is not None and out.exists():
        raise EvidenceError(f"{out} is there already: choose another file")
    with open_log(log) as copy, tempfile.TemporaryDirectory() as folder:
        file = out or Path(folder) / "views.sqlite"
        result = replay(copy, file, until)
        views = Views(f"sqlite:///{file.absolute()}", copy.payloads)
        states = [
            f"{row['job']}: {row['state']}, round {row['round']}" for row in views.select(jobs())
        ]
        views.close()
    if as_json:
        typer.echo(result.model_dump_json(indent=1))
    else:
        _show_replay(result, states)
    if not result.holds:
        raise typer.Exit(NOT_HELD)


def reexecute_log(
    log: Log,
    secret: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="From `tally secret export` of the party."),
    ] = None,
    job: Annotated[
        str | None, typer.Option(help="Of a party's own folder: the job, instead of --secret.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The party's data: the rows must be those of the log."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="party.toml", help="Its [policy], and [source] for --data."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The arbiter's key of the job, keys/paillier/ID.json."),
    ] = None,
    mart_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of a job with a mart: the bank's keys/mart.key."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a party's handlers again over its log, and compare every event and payload, to the bit.

    It proves that this party computed what the protocol says, from the data that it committed to.
    LOG is its folder, or `tally log export --job ID --private --payloads`. With the arbiter's key
    every decryption is done again. Says the first difference in each stream, in plain words.
    """
    with open_log(log) as copy:
        own_settings = _settings(settings or _settings_in(log))
        material = Material(
            secret=_secret(log, secret, job),
            policy=own_settings.policy if own_settings else None,
            speaks=own_settings.speaks if own_settings else SPOKEN,
            source=_source(data, settings),
            folder=settings.parent if settings else None,
            keys=_keys(log, key),
            mart_key=_mart_key(log, mart_key),
            threads=os.cpu_count() or 1,
        )
        result = reexecute_job(copy, material)
    if as_json:
        typer.echo(result.model_dump_json(indent=1))
    else:
        _show_reexecution(result)
    if not result.holds:
        raise typer.Exit(NOT_HELD)


def _secret(log: str, file: Path | None, job: str | None) -> JobSecret:
    if file is not None:
        return read_job_secret(file)
    if job is None or not Path(log).is_dir():
        raise typer.BadParameter("give --secret FILE, or --job ID with the party's own folder")
    party = open_party(Path(log))
    try:
        return job_secret_of(party, job)
    finally:
        party.close()


def _keys(log: str, file: Path | None) -> dict[str, PrivateKey]:
    files = [file] if file else sorted(Path(log).glob("keys/paillier/*.json"))
    keys = map(read_private_key_file, files)
    return {key.public.key_id: key for key in keys}


def _mart_key(log: str, file: Path | None) -> bytes | None:
    in_folder = PartyFolder(Path(log)).mart_key
    found = file or (in_folder if in_folder.is_file() else None)
    return read_mart_key(found) if found else None


def _settings_in(log: str) -> Path | None:
    file = Path(log) / "party.toml"
    return file if file.is_file() else None


def _settings(file: Path | None) -> PartySettings | None:
    return parse_settings(file.read_text(), file) if file else None


def _source(data: Path | None, settings: Path | None) -> SourceSettings | None:
    if data is not None:
        return SourceSettings(file=str(data.absolute()))
    return parse_settings(settings.read_text(), settings).source if settings else None


def _show_replay(result: Replay, states: list[str]) -> None:
    say(f"{result.place}: the log of {result.party} as of position {result.position} {result.time}")
    for state in states:
        say(f"job {state}")
    verdicts = {True: "the same", False: "DIFFERENT", None: ""}
    rows = [
        (
            view.name,
            view.digest[:16],
            verdicts[view.same] or view.note,
            "" if view.tables_at is None else str(view.tables_at),
        )
        for view in result.views
    ]
    say("")
    show_table(("view", "digest", "the party's table", "at"), rows, right="at")


def _show_reexecution(result: JobReexecution) -> None:
    say(f"job {result.job}, decided again for {result.party} ({result.role})")
    say(
        f"{result.events:,} events; {result.repeated:,} of {result.party} decided again"
        + (f", {result.decrypted:,} of them decryptions" if result.decrypted else "")
    )
    believed = ", ".join(f"{count} {name}" for name, count in result.from_outside.items())
    say(f"believed, as it came from outside: {believed or 'nothing'}")
    for one in result.commitments:
        verdict = "holds" if one.holds else f"FAILS  {one.detail}"
        say(f"commitment: {one.what}: {verdict}")
    for diverged in result.divergences:
        say(
            f"FAILS  position {diverged.position}, {diverged.event} in {diverged.stream}: "
            f"{diverged.detail}"
        )
    for text in result.notes:
        note(f"note: {text}")
    say("the same, to the bit" if result.holds else "THIS PARTY DID NOT DO WHAT ITS LOG SAYS")
