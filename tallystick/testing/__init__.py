"""The testing kit for integrators: sequences of events asserted in a few readable words (D4).

docs/testing.md shows it. The pytest plugin is `tallystick.testing.plugin`.
"""

from tallystick.testing.box import FederationInABox
from tallystick.testing.deciding import Given, PartyUnderTest, given
from tallystick.testing.expectations import Expectation
from tallystick.testing.reading import events_of
from tallystick.testing.sequence import Events

__all__ = [
    "Events",
    "Expectation",
    "FederationInABox",
    "Given",
    "PartyUnderTest",
    "events_of",
    "given",
]
