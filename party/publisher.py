"""The publish pump: own events that recipients do not have yet go out, until each has confirmed.

At least once, in order for each recipient, and no recipient waits for another. A recipient that
has no queue yet, or a full one, keeps its events pending with a growing delay. Each payload is
sealed once.
"""

import math
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue

import structlog

from bus.endpoint import Endpoint
from bus.parcel import Outcome, Parcel
from events.envelope import Envelope
from party.errors import SealingError
from party.escrow import escrows_of
from party.lanes import Lane, Sending
from party.opening import Party
from party.pump import Pump
from party.sealing import Sealed
from party.spool import SealedPayloads
from party.transport import chunk_parcels, envelope_parcel, fit_behind
from party.turns import LOOK_SECONDS, Turns, takes_long
from store.entry import Delivery
from store.errors import CommitmentError, PayloadMissingError
from store.small_payloads import LARGEST_SMALL
from store.transaction import LogTransaction

PAGE = 200
PARK_AFTER = 10_000
LOOK_AGAIN_SECONDS = 30.0
# A commit for each confirm would hold up what is being said; one that is lost sends again.
NOTE_WITHIN_SECONDS = 0.25
MOST_UNNOTED = 100

REASONS: Mapping[Outcome, str] = {
    Outcome.UNROUTABLE: "the recipient has no queue at the broker: has it ever been started?",
    Outcome.FULL: "the recipient's queue is full: it has to run and read",
    Outcome.REFUSED: "the broker does not take it: check this user's permissions",
    Outcome.LOST: "the connection went before the broker confirmed",
}

log = structlog.get_logger()


class Publisher:
    """Sends what the log says is pending. `step` is for one thread at a time."""

    def __init__(
        self, party: Party, endpoint: Endpoint, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._party = party
        self._endpoint = endpoint
        self._clock = clock
        self._sealed = SealedPayloads(party.folder.spool)
        self._news: SimpleQueue[tuple[Sending, Outcome] | None] = SimpleQueue()
        self._collected_to = 0
        self._log_has_grown = True
        self._swept = False
        self._confirmed: list[Sending] = []
        self._tell: Callable[[], None] = lambda: None
        self._forget()
        party.log.when_addressed(self._hear_of_more)

    def join(self, turns: Turns) -> Pump:
        """Work among the pumps that take turns."""
        pump = Pump("publish", lambda: self.step(0.0), self._forget, LOOK_SECONDS)
        self._tell = turns.add(pump)
        return pump

    def step(self, timeout: float = 0.2) -> bool:
        """Note what the broker answered, send what is due; whether there is more to do at once.

        Waits for news first, if there is none.
        """
        answers = self._answers(timeout)
        self._settle(answers)
        idle = not answers and not self._log_has_grown
        if idle:  # or else nobody said so
            head = self._party.log.head()
            self._log_has_grown, self._collected_to = head > self._collected_to, head
        if idle or self._clock() >= self._note_by or len(self._confirmed) >= MOST_UNNOTED:
            self.note_confirmed()
        if self._log_has_grown or self._clock() >= self._look_again_at:
            self._collect()
        now = self._clock()
        for lane in self._lanes.values():
            while lane.ready and lane.not_before <= now:
                self._send(lane, lane.waiting.pop(0))
        return not self._news.empty()

    def look_again(self) -> None:
        """Some deliveries are pending again; any thread may say so."""
        self._look_again_at = self._clock()
        self._hear_of_more()

    def _hear_of_more(self) -> None:
        """On any thread: something is to be delivered."""
        self._news.put(None)
        self._tell()

    def _hear_answer(self, lane: Lane, sending: Sending, outcome: Outcome) -> None:
        """On any thread. That all went well can wait, unless it keeps others waiting."""
        self._news.put((sending, outcome))
        if lane.waiting or outcome is not Outcome.CONFIRMED:
            self._tell()

    def note_confirmed(self) -> None:
        """Write down in the log which deliveries are over."""
        confirmed = self._confirmed
        self._confirmed, self._note_by = [], math.inf
        if not confirmed:
            return
        with self._party.log.transaction() as transaction:
            for sending in confirmed:
                transaction.confirm_delivery(*sending.key)
        for sending in confirmed:
            self._close(sending.delivery)

    def finish(self) -> None:
        """Nothing more is sent: write down what has arrived."""
        answers = self._answers(0.0)
        self._settle([one for one in answers if one[1] is Outcome.CONFIRMED])
        self.note_confirmed()

    def _forget(self) -> None:
        """Start again from the log; answers still to come are for nobody."""
        self._lanes: dict[str, Lane] = {}
        self._open: dict[int, set[str]] = {}
        self._confirmed = []
        self._note_by = math.inf
        self._last_seen: Delivery | None = None
        self._log_has_grown = True
        self._look_again_at = self._clock() + LOOK_AGAIN_SECONDS

    def _answers(self, timeout: float) -> list[tuple[Sending, Outcome]]:
        """All news there is, waiting for the first until something is due."""
        due = [lane.not_before - self._clock() for lane in self._lanes.values() if lane.ready]
        wait = max(0.0, min([timeout, self._note_by - self._clock(), *due]))
        answers = []
        try:
            news = self._news.get(timeout=wait) if wait else self._news.get_nowait()
            while True:
                if news is None:
                    self._log_has_grown = True
                else:
                    answers.append(news)
                news = self._news.get_nowait()
        except Empty:
            return answers

    def _collect(self) -> None:
        """Deliveries that were added since, in order; from time to time all of them again."""
        if self._clock() >= self._look_again_at:  # an operator may have unparked some
            self._last_seen = None
            self._look_again_at = self._clock() + LOOK_AGAIN_SECONDS
        self._log_has_grown = False
        self._collected_to = max(self._collected_to, self._party.log.known_head)
        full = True
        while full:
            page = self._party.log.pending_deliveries(PAGE, self._last_seen)
            full = len(page) == PAGE
            for delivery in page:
                recipients = self._open.setdefault(delivery.position, set())
                if delivery.recipient not in recipients:
                    recipients.add(delivery.recipient)
                    self._lanes.setdefault(delivery.recipient, Lane()).add(delivery)
                self._last_seen = delivery
        if not self._swept:
            self._swept = True
            waiting = [delivery for lane in self._lanes.values() for delivery in lane.waiting]
            self._sealed.discard_all_but({waits.entry.envelope.id for waits in waiting})

    def _send(self, lane: Lane, delivery: Delivery) -> None:
        """Large payloads in chunks first, then the envelope; the answers come as news."""
        name, recipient, entry = self._party.name, delivery.recipient, delivery.entry
        sending = lane.begin(delivery)
        if any(one.size > LARGEST_SMALL for one in entry.envelope.payloads):
            takes_long()
        try:
            sealed = self._seal(entry.envelope, recipient)
        except (SealingError, PayloadMissingError, CommitmentError) as error:
            log.error("sealing_failed", recipient=recipient, error=str(error))  # noqa: TRY400
            sending.unanswered = 1
            self._hear_answer(lane, sending, Outcome.REFUSED)
            return
        if not fit_behind(sealed.values()):
            for file in sealed.values():
                for parcel in chunk_parcels(name, recipient, entry.envelope.id, file):
                    self._hand_over(lane, sending, parcel)
        self._hand_over(lane, sending, envelope_parcel(name, recipient, entry, sealed))

    def _hand_over(self, lane: Lane, sending: Sending, parcel: Parcel) -> None:
        sending.unanswered += 1
        self._endpoint.send(parcel, partial(self._hear_answer, lane, sending))

    def _seal(self, envelope: Envelope, recipient: str) -> dict[str, Sealed]:
        return {
            reference.name: self._sealed.get(
                envelope,
                reference,
                self._party.payloads,
                self._sealing_keys(envelope.stream, reference.readers),
            )
            for reference in envelope.payloads
            if recipient in reference.readers
        }

    def _sealing_keys(self, job: str, readers: tuple[str, ...]) -> list[str]:
        """Of the readers, and of the escrows that the job's members have agreed on."""
        cards = {name: self._party.trusted.card(name) for name in readers}
        if strangers := sorted(name for name, card in cards.items() if card is None):
            raise SealingError(f"no trusted card of {', '.join(strangers)}: trust it again")
        escrows = escrows_of(self._party.jobs.terms(job))
        known = [card.sealing_key for card in cards.values() if card is not None]
        return known + [escrow.sealing_key for escrow in escrows]

    def _settle(self, answers: list[tuple[Sending, Outcome]]) -> None:
        """Count the answers; a delivery that has them all is done, or tried again later."""
        settled = [sending for sending, outcome in answers if sending.answer(outcome)]
        failed = [one for one in settled if one.outcome is not Outcome.CONFIRMED]
        parked = set()
        if failed:
            with self._party.log.transaction() as transaction:
                parked = {one.key for one in failed if self._record(transaction, one)}
        for sending in settled:
            delivery = sending.delivery
            lane = self._lanes.get(delivery.recipient)
            if lane is None or not lane.end(sending):
                continue  # sent before the store failed: the log was read anew
            if sending.outcome is Outcome.CONFIRMED:
                lane.failures = 0
                self._confirmed.append(sending)
                self._note_by = min(self._note_by, self._clock() + NOTE_WITHIN_SECONDS)
            elif sending.key in parked:
                lane.failures = 0
                self._close(delivery)
            else:
                lane.put_back(delivery, self._clock())

    def _close(self, delivery: Delivery) -> None:
        """Nothing more is to be done about it, and the log says so."""
        self._open[delivery.position].discard(delivery.recipient)
        if not self._open[delivery.position]:
            del self._open[delivery.position]
            self._sealed.discard(delivery.entry.envelope.id)

    def _record(self, transaction: LogTransaction, sending: Sending) -> bool:
        """Write down that a delivery failed; True when it is given up."""
        position, recipient = sending.key
        reason = REASONS[sending.outcome]
        log.warning("not_delivered", recipient=recipient, reason=reason)
        if sending.outcome is Outcome.LOST:
            return False
        patience = sys.maxsize if sending.outcome is Outcome.FULL else PARK_AFTER
        return transaction.fail_delivery(position, recipient, reason, patience)
