"""A party stops when it is told to, whatever its main thread is doing at that moment."""

import signal

import pytest

from party.stopping import STOPPING, stop_signals


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_in_the_midst_of_waiting_stops_and_does_not_hang(number: signal.Signals) -> None:
    """Given the lock of the event is held by the very thread that the signal interrupts."""
    with stop_signals() as stopping:
        with stopping._cond:  # type: ignore[attr-defined]
            signal.raise_signal(number)
        assert stopping.wait(30)


def test_signals_mean_afterwards_what_they_meant_before() -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    with stop_signals():
        assert [signal.getsignal(number) for number in STOPPING] != before
    assert [signal.getsignal(number) for number in STOPPING] == before
