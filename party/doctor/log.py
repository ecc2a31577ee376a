"""The party's log, its clock, its payloads, and what its pumps have not done."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from party.doctor.finding import Finding, explained, failing, warning, well
from party.folder import PartyFolder
from party.opening import Party
from party.pruning import pruned_commitments
from party.pulse import read_pulses
from party.settings import PartySettings, log_address
from party.status import is_running, last_errors
from store.errors import StoreError
from store.integrity import LogFacts, inspect_log, sqlite_file

CLOCK_SECONDS = 5.0
STALE_SECONDS = 60.0
RECENT_ENTRIES = 5_000
PAGE = 500


def check_database(folder: PartyFolder, settings: PartySettings) -> Iterator[Finding | LogFacts]:
    """Findings, and last the facts where there are some."""
    url = log_address(settings, folder)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        what = f"{file} does not exist yet: the party has never run"
        yield warning("database", what, f"tally party run {folder.path}")
        return
    try:
        facts = inspect_log(url)
    except StoreError as error:
        yield explained("database", error)
        return
    yield well("database", f"{facts.place}: whole, {facts.events} events, format {facts.format}")
    yield facts


def check_clock(own: str, newest: Mapping[str, str]) -> Iterator[Finding]:
    """Nobody's envelope is from the future, unless a clock is wrong: theirs or ours."""
    now = datetime.now(UTC)
    ahead = {
        name: (datetime.fromisoformat(time) - now).total_seconds() for name, time in newest.items()
    }
    late = {name: seconds for name, seconds in ahead.items() if seconds > CLOCK_SECONDS}
    for name, seconds in sorted(late.items()):
        whose = "this party itself wrote" if name == own else f"{name} sent"
        yield failing(
            "clock",
            f"{whose} an event dated {seconds:.0f} s after this machine's time",
            "compare with a time server here and there (timedatectl)",
        )
    if not late:
        yield well("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC; no event in the log is later")


def check_process(party: Party) -> Iterator[Finding]:
    """Running or not is both well; hanging, dead or failing pumps are not."""
    if not is_running(party):
        yield well("process", f"not running (tally party run {party.folder.path} starts it)")
        return
    pulses = read_pulses(party.folder)
    stale = [pulse for pulse in pulses if pulse.age > STALE_SECONDS]
    for pulse in stale:
        yield failing(
            "process",
            f"the {pulse.process} (process {pulse.pid}) has given no sign of life for "
            f"{pulse.age:.0f} s",
            "look at its output; stop the party and run it again, which is always safe",
        )
    for error in last_errors(pulses):
        what = f"{error.where}: {error.what}" + (f" at {error.time}" if error.time else "")
        if error.is_over:
            yield well("process", f"{what}; it works again")
        else:
            yield failing("process", what, "the pump tries again by itself once that is mended")
    if not stale:
        since = min((pulse.since for pulse in pulses), default="a moment ago")
        yield well("process", f"running since {since}")


def check_work(party: Party) -> Iterator[Finding]:
    """What could not be delivered, waits for others, or was refused."""
    for one in party.log.undelivered_counts():
        what = f"{one.events} events for {one.recipient} from position {one.first_position} on"
        if one.state == "parked":
            remedy = f"mend it ({one.reason}), then: tally party retry {party.folder.path}"
            yield failing("delivery", f"{what} were given up", remedy)
        elif one.reason:
            yield warning("delivery", f"{what} wait", one.reason)
    for source, stream in party.log.held_streams():
        what = f"events of {source} in {stream} wait for one before them"
        yield warning("delivery", what, f"{source} sends it again when both are connected")
    for refusal in party.log.refusals():
        what = f"{refusal.count} messages of {refusal.sender} refused: {refusal.reason}"
        yield warning("refusals", f"{what}, last {refusal.last_time}", "ask its operator")


def check_payloads(party: Party) -> Iterator[Finding]:
    """Whether what the newest events commit to, for this party to read, is here."""
    head = party.log.head()
    pruned = pruned_commitments(party)
    position, looked_at, missing = max(0, head - RECENT_ENTRIES), 0, 0
    while entries := party.log.read(position, PAGE):
        position = entries[-1].position
        for entry in entries:
            envelope = entry.envelope
            for reference in envelope.payloads:
                is_ours = party.name in (envelope.source, *reference.readers)
                if is_ours and reference.commitment not in pruned:
                    looked_at += 1
                    missing += not party.payloads.has(reference.commitment)
    if missing:
        yield failing(
            "payloads",
            f"{missing} of {looked_at} payloads of the newest {RECENT_ENTRIES} events are gone",
            f"restore {party.folder.payloads} from a backup",
        )
    else:
        yield well("payloads", f"all {looked_at} of the newest events are here")
