"""All checks in the order in which one needs the other."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bus.errors import BusError
from party.doctor.broker import check_broker
from party.doctor.finding import Finding, State, explained, well
from party.doctor.folder import (
    check_cards,
    check_disk,
    check_keys,
    check_permissions,
    check_source,
)
from party.doctor.log import (
    check_clock,
    check_database,
    check_payloads,
    check_process,
    check_work,
)
from party.errors import PartyError
from party.folder import PartyFolder
from party.opening import open_party
from party.settings import PartySettings, read_settings
from party.status import is_running
from store.errors import StoreError
from store.integrity import LogFacts


def examine(path: Path) -> Iterator[Finding]:
    """Look at the party in this folder, whether it runs or not; findings as they come."""
    folder = PartyFolder(path.absolute())
    try:
        settings = read_settings(folder)
    except PartyError as error:
        yield explained("settings", error)
        return
    yield well("settings", f"{settings.name} ({settings.role}) in {folder.path}")
    yield from check_permissions(folder)
    findings = list(_check_keys_and_log(folder, settings))
    yield from (finding for finding in findings if isinstance(finding, Finding))
    whole = [one for one in findings if isinstance(one, LogFacts)]
    runs = False
    if whole and all(_is_no_failure(one) for one in findings):
        for facts in whole:
            yield from check_clock(settings.name, facts.newest)
        try:
            with closing(open_party(folder.path)) as party:
                runs = is_running(party)
                yield from check_process(party)
                yield from check_work(party)
                yield from check_payloads(party)
        except (PartyError, StoreError, BusError) as error:
            yield explained("process", error)
    yield from check_disk(folder)
    yield from check_source(folder, settings)
    yield from check_broker(folder, settings, runs=runs)


def _check_keys_and_log(
    folder: PartyFolder, settings: PartySettings
) -> Iterator[Finding | LogFacts]:
    yield from check_keys(folder, settings)
    yield from check_cards(folder)
    yield from check_database(folder, settings)


def _is_no_failure(one: Finding | LogFacts) -> bool:
    return not isinstance(one, Finding) or one.state is not State.FAIL
