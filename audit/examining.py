"""Every entry of a log examined by itself, in its order, on as many cores as are worth it."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from itertools import chain, islice

from audit.envelope_checks import EnvelopeChecks, Examined, Line
from audit.findings import Finding
from events.card_history import CardHistory
from store.entry import Entry

CHUNK = 500
# A process takes a second to begin; meanwhile this one is not idle.
WORTH_A_PROCESS = 10_000
BEGINS_ALONE = 3_000

Seen = tuple[bytes, Line | None, tuple[Finding, ...]]


def examine_all(
    entries: Iterable[Entry],
    histories: Mapping[str, CardHistory],
    *,
    signatures: bool = True,
    cores: int = 1,
) -> Iterator[Examined]:
    """The caller's own work on each entry takes about a core: the others have the signatures.

    Constant memory, however long the log.
    """
    waiting = iter(entries)
    checks = EnvelopeChecks(histories, signatures=signatures)
    first = list(islice(waiting, WORTH_A_PROCESS)) if cores > 1 else []
    if len(first) < WORTH_A_PROCESS:
        yield from map(checks.examine, chain(first, waiting))
        return
    later = chain(first[BEGINS_ALONE:], waiting)
    with _processes(cores - 1, histories, signatures=signatures) as pool:
        sent = deque(_send(chunk, pool) for chunk in islice(_chunks(later), 2 * cores))
        yield from map(checks.examine, first[:BEGINS_ALONE])
        while sent:
            chunk, examined = sent.popleft()
            found = examined.result()
            sent.extend(_send(chunk, pool) for chunk in islice(_chunks(later), 1))
            for entry, (leaf, line, findings) in zip(chunk, found, strict=True):
                yield Examined(entry, leaf, line, findings)


def _processes(count: int, histories: Mapping[str, CardHistory], *, signatures: bool) -> Executor:
    """By loky, which unlike the standard library does not run the caller's main module again."""
    from joblib.externals.loky import ProcessPoolExecutor  # noqa: PLC0415 - for large logs only

    pool: Executor = ProcessPoolExecutor(
        count, initializer=_begin, initargs=(dict(histories), signatures)
    )
    return pool


def _chunks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while chunk := list(islice(entries, CHUNK)):
        yield chunk


def _send(chunk: list[Entry], pool: Executor) -> tuple[list[Entry], "Future[list[Seen]]"]:
    return chunk, pool.submit(_examine, [(entry.position, entry.canonical) for entry in chunk])


_checks: list[EnvelopeChecks] = []


def _begin(histories: dict[str, CardHistory], signatures: bool) -> None:
    """Once a process."""
    _checks[:] = [EnvelopeChecks(histories, signatures=signatures)]


def _examine(chunk: Sequence[tuple[int, bytes]]) -> list[Seen]:
    """Facts are costly to send and cheap to read again."""
    examine = _checks[0].examine
    return [
        (one.leaf, one.line, one.findings)
        for one in (examine(Entry(position, canonical)) for position, canonical in chunk)
    ]
