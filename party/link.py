"""A party's link to the others: one endpoint, the publish pump and the receive pump."""

from bus.endpoint import Endpoint
from party.opening import Party
from party.publisher import Publisher
from party.receiver import Receiver


class Link:
    """Threads that send and receive until `stop`; what they have not finished they repeat."""

    def __init__(self, party: Party, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.pumps = (*Publisher(party, endpoint).pumps(), Receiver(party, endpoint).pump())

    def start(self) -> None:
        for pump in self.pumps:
            pump.start()

    def stop(self) -> None:
        """Let each pump finish its step, then leave the broker."""
        for pump in self.pumps:
            pump.stopping.set()
        self._endpoint.close()  # wakes a pump that waits for the broker
        for pump in self.pumps:
            pump.stop()

    @property
    def alive(self) -> bool:
        return all(pump.alive for pump in self.pumps)
