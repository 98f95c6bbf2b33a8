"""Who asks Redis to wake somebody."""

import threading

import pytest

from shared.broker.waking import WakeUps


def list_publishers(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The threads that publish from now on, as a set that grows."""
    found: set[int] = set()
    wake = WakeUps.wake

    def note_and_wake(self: WakeUps, connection_id: str) -> None:
        found.add(threading.get_ident())
        wake(self, connection_id)

    monkeypatch.setattr(WakeUps, "wake", note_and_wake)
    return found
