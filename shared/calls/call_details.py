"""What a note is written from: the contents of a call, as stored apart from its sync log."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

MAX_NESTING = 20

# Text that Postgres cannot hold in jsonb: NUL and halves of surrogate pairs. A producer that cuts
# a transcript in the middle of an emoji must not lose its call over it.
_UNSTORABLE = dict.fromkeys((0, *range(0xD800, 0xE000)))


class Utterance(NamedTuple):
    """One turn of the conversation: who spoke, `assistant` or `user` say, and what."""

    role: str
    text: str


class FieldWarning(NamedTuple):
    """What of a field was left out, cut or guessed. The message goes on from the field's name.

    It is kept with the sync log's entry, longer than the call's contents: it never quotes them.
    """

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetails:
    """A finished call. Everything but `call_id` may be unknown; times are aware UTC."""

    call_id: str
    direction: str | None = None
    phone_number: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: float | None = None
    agent_name: str | None = None
    outcome: str | None = None
    summary: str | None = None
    recording_url: str | None = None
    structured_data: Mapping[str, Any] | None = None
    transcript: tuple[Utterance, ...] = ()

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """Read what `to_payload` wrote; the names are those of the webhook's `data`."""
        structured_data = payload.get("structured_data")
        outcome = payload.get("outcome") or (structured_data or {}).get("outcome")
        return cls(
            call_id=payload["call_id"],
            direction=payload.get("direction"),
            phone_number=payload.get("phone_number"),
            from_number=payload.get("from_number"),
            to_number=payload.get("to_number"),
            started_at=_read_time(payload.get("started_at")),
            ended_at=_read_time(payload.get("ended_at")),
            duration_seconds=payload.get("duration_seconds"),
            agent_name=payload.get("agent_name"),
            outcome=outcome if isinstance(outcome, str) else None,
            summary=payload.get("summary"),
            recording_url=payload.get("recording_url"),
            structured_data=structured_data,
            transcript=tuple(
                Utterance(turn["role"], turn["text"]) for turn in payload.get("transcript") or ()
            ),
        )

    def to_payload(self) -> dict[str, Any]:
        """Return the call as JSON that Postgres can store; what is unknown is left out.

        What jsonb cannot hold is dropped: some characters, NaN and infinities, and whatever is
        nested more than `MAX_NESTING` levels deep.
        """
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields["transcript"] = [turn._asdict() for turn in self.transcript]
        return {
            name: value.isoformat() if isinstance(value, datetime) else _make_storable(value)
            for name, value in fields.items()
            if value is not None and value != []
        }


def _read_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _make_storable(value: Any, nesting: int = 0) -> Any:
    match value:
        case str():
            return value.translate(_UNSTORABLE)
        case float() if not math.isfinite(value):
            return None
        case Mapping() | list() | tuple() if nesting == MAX_NESTING:
            return None
        case Mapping():
            return {
                str(key).translate(_UNSTORABLE): _make_storable(item, nesting + 1)
                for key, item in value.items()
            }
        case list() | tuple():
            return [_make_storable(item, nesting + 1) for item in value]
        case _:
            return value
