"""Large bodies share the room there is, strangers an allowance; small bodies wait for nobody."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from api.http import slots
from api.http.errors import TryLaterError
from api.http.slots import SMALL_BYTES, Allowance, Room, Slots
from tests.local.waiting import GUARD_SECONDS

LARGE = SMALL_BYTES + 1


def test_body_waits_until_there_is_room_for_it() -> None:
    room = Room(LARGE)
    entered = Event()

    def enter() -> None:
        with room.taken(LARGE):
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with room.taken(LARGE):
            waiting = pool.submit(enter)
            with room.taken(SMALL_BYTES):
                assert not entered.is_set()
        waiting.result(GUARD_SECONDS)
    assert entered.is_set()


def test_body_for_which_no_room_comes_free_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "WAIT_FOR_ROOM_S", 0.01)
    room = Room(LARGE)
    with room.taken(LARGE), pytest.raises(TryLaterError), room.taken(LARGE):
        pass
    with room.taken(LARGE):  # nothing of what was refused is still taken
        pass


def test_room_comes_free_when_a_request_fails() -> None:
    room = Room(LARGE)
    for _ in range(2):
        with pytest.raises(ValueError, match="a defect"), room.taken(LARGE):
            raise ValueError("a defect")


def test_one_large_body_is_parsed_at_a_time() -> None:
    room = Room(LARGE)
    parsed = Event()

    def parse() -> None:
        with room.parsing(LARGE):
            parsed.set()

    with ThreadPoolExecutor(1) as pool:
        with room.parsing(LARGE):
            waiting = pool.submit(parse)
            with room.parsing(SMALL_BYTES):
                assert not parsed.is_set()
        waiting.result(GUARD_SECONDS)
    assert parsed.is_set()


def test_allowance_is_overdrawn_once_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.slots.time.monotonic", lambda: 0.0)
    allowance = Allowance(10, per_second=1)
    assert allowance.take(25) == 0
    assert allowance.take(1) == 15
    allowance.give_back(25)
    assert allowance.take(10) == 0
    assert allowance.take(1) > 0


def test_allowance_comes_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("api.http.slots.time.monotonic", lambda: now)
    allowance = Allowance(10, per_second=2)
    assert allowance.take(14) == 0
    assert allowance.take(1) == 2
    now = 2.5
    assert allowance.take(11) == 0
    now = 1000.0
    assert allowance.take(10) == 0
    assert allowance.take(1) > 0


def test_looking_whether_a_slot_is_free_takes_none() -> None:
    slots = Slots(1)
    for _ in range(2):
        slots.require_free()
    with slots.held(), pytest.raises(TryLaterError):
        slots.require_free()
    slots.require_free()


def test_slot_given_back_twice_is_one_slot() -> None:
    slots = Slots(1)
    slot = slots.take()
    slot.give_back()
    slot.give_back()
    with slots.held(), pytest.raises(TryLaterError):
        slots.take()
