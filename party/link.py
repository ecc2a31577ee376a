"""A party's link to the others: one endpoint; pumps that publish, receive and compare heads.

Those that publish and receive take turns, with whatever else is added to `turns`.
"""

from contextlib import suppress

from bus.endpoint import Endpoint
from party.errors import RetiredKeysError
from party.heads_exchange import HeadsExchange
from party.opening import Party
from party.publisher import Publisher
from party.receiver import Receiver
from party.turns import Turns
from store.errors import StoreError

STOP_SECONDS = 1.0  # for others that take turns, and had their time to end


class Link:
    """Threads that send and receive until `stop`; what they have not finished they repeat."""

    def __init__(self, party: Party, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._publisher = Publisher(party, endpoint)
        heads = HeadsExchange(party, endpoint, self._publisher.look_again)
        self._receiver = Receiver(party, endpoint, heads)
        self.heads_agree = heads.agree
        self.turns = Turns()
        self._heads = heads.pump()
        self._taking_turns = (self._publisher.join(self.turns), self._receiver.join(self.turns))
        self.pumps = (*self._taking_turns, self._heads)

    def start(self) -> None:
        self.turns.start()
        self._heads.start()

    def stop(self) -> None:
        """Let each pump finish its step, then leave the broker."""
        self.turns.ask_to_stop()
        self._heads.stopping.set()
        self._endpoint.close()  # wakes a pump that waits for the broker
        for pump in self._taking_turns:
            self.turns.remove(pump)
        self.turns.stop(STOP_SECONDS)
        self._heads.stop()
        with suppress(StoreError):  # what is not noted is sent once more
            self._publisher.finish()
        with suppress(StoreError):
            self._receiver.settle_refusals()

    @property
    def ended_with(self) -> RetiredKeysError | None:
        """Why it ended by itself, where that is known."""
        return next((pump.ended_with for pump in self.pumps if pump.ended_with), None)

    @property
    def alive(self) -> bool:
        return all(pump.alive for pump in self.pumps)
