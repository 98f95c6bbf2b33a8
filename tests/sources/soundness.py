"""What must be true of every reading, whatever the body was."""

import json
import math
from datetime import datetime, timedelta
from typing import Any, Final, get_type_hints

from sources.adapter import Event, Facts, Ignored, Reading, Unreadable

NAMES: Final = frozenset(get_type_hints(Facts))
TIMES: Final = frozenset({"started_at", "ended_at"})
TEXTS: Final = NAMES - TIMES - {"parties", "duration_seconds", "transcript", "structured_data"}


def check_sound(reading: Reading) -> None:
    assert reading.name
    _check_text(reading.name)
    assert len(reading.name) <= 100
    match reading:
        case Event():
            _check_event(reading)
        case Ignored():
            assert reading.misplaced is None or reading.misplaced.endswith(".")
        case Unreadable():
            assert reading.message.endswith(".")
            assert len(reading.message) < 500
            _check_text(reading.message)


def _check_event(event: Event) -> None:
    _check_text(event.call)
    assert not event.is_final or event.is_end
    assert event.withdrawn <= NAMES
    for text in (*event.tenant, event.user_id, event.workspace_id, *event.notices):
        if text is not None:
            _check_text(text)
    if event.occurred_at is not None:
        _check_time(event.occurred_at)
    assert set(event.facts) <= NAMES
    for name, value in event.facts.items():
        _check_fact(name, value)


def _check_fact(name: str, value: Any) -> None:
    if name in TIMES:
        _check_time(value)
    elif name in TEXTS:
        _check_text(value)
        assert name != "recording_url" or value.lower().startswith("https://")
    elif name == "duration_seconds":
        assert isinstance(value, str) or math.isfinite(value)
    elif name == "parties":
        assert len(value) == 2
        assert any(value)
        for each in value:
            if each is not None:
                _check_text(each)
    elif name == "transcript":
        assert value
        for turn in value:
            assert set(turn) == {"role", "text"}
            _check_text(turn["role"])
            _check_text(turn["text"])
    else:
        assert isinstance(value, dict)
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
        assert "\\u0000" not in text


def _check_time(time: datetime) -> None:
    assert time.utcoffset() == timedelta(0)
    assert 2000 <= time.year <= 2100


def _check_text(text: Any) -> None:
    assert isinstance(text, str)
    assert text == text.strip() != ""
    text.encode()
    assert "\0" not in text
