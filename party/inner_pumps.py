"""The pumps that work on the log alone, without a broker: react, project, deadlines and so on."""

from collections.abc import Sequence

from party.checkpointing import CheckpointKeeper
from party.deadlines import DeadlineKeeper
from party.opening import Party
from party.projecting import Projector
from party.reactor import Decide, Reactor
from party.settling import settle_payloads, settling_pump
from party.tracks import Track


class InnerPumps:
    """Threads from `start` to `stop`; what they have not finished they repeat."""

    def __init__(
        self, party: Party, decide: Decide, tracks: Sequence[Track] = tuple(Track)
    ) -> None:
        self._party = party
        self._projector = Projector(party)
        self._reactors = [Reactor(party, decide, track) for track in tracks]
        self.pumps = (
            *(reactor.pump() for reactor in self._reactors),
            self._projector.pump(),
            DeadlineKeeper(party).pump(),
            CheckpointKeeper(party).pump(),
            settling_pump(party),
        )

    def start(self) -> None:
        for pump in self.pumps:
            pump.start()

    def ask_to_stop(self) -> None:
        for pump in self.pumps:
            pump.stopping.set()

    def stop(self, timeout: float) -> None:
        """Finish the steps under way, make files of payloads, bring the views up to date."""
        self.ask_to_stop()
        for pump in self.pumps:
            pump.stop(timeout)
        try:
            settle_payloads(self._party)
            self._projector.step(timeout=0)
        finally:
            self._projector.close()
            for reactor in self._reactors:
                reactor.close()
