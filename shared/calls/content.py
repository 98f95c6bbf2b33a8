"""What is known of a call: the fields of the webhook, checked, and kept apart from the sync log.

Whatever speaks of a call's fields means these: intake checks them, Postgres keeps them as JSON
under the same names, and the note is written from them.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    with_config,
)
from typing_extensions import TypedDict

MAX_NAME: Final = 1000
SECONDS_PER_YEAR: Final = 31_536_000

STRICT = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)

# Valid in JSON, but Postgres cannot store them: NUL and halves of surrogate pairs.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_BETWEEN: Final = re.compile(r"[\s-]+")
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


# What a call ended as, and what some platforms say of one that has not.
FINAL_OUTCOMES: Final = frozenset(
    {"completed", "voicemail", "no_answer", "busy", "failed", "canceled"}
)
RUNNING_OUTCOMES: Final = frozenset({"queued", "initiated", "ringing", "in_progress", "ongoing"})


def normalise_outcome(outcome: str) -> str:
    """A producer's word as ours are written: `No answer` is `no_answer`."""
    return _BETWEEN.sub("_", outcome.strip().lower())


def is_outcome_of(outcome: object, words: Collection[str]) -> bool:
    """Whether a producer's word is one of these, in any spelling."""
    return isinstance(outcome, str) and normalise_outcome(outcome) in words


def make_storable(text: str) -> str:
    """The text without what Postgres cannot store.

    A producer that cuts a text in the middle of an emoji must not lose its call over it.
    """
    return _UNSTORABLE.sub("", text)


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 date and time as aware UTC; raises ValueError saying what is wanted."""
    try:
        if _RFC_3339.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # like 30 February: said below
    raise ValueError("must be a date and time like 2026-11-22T10:00:00Z (RFC 3339)")


def _read_time(value: object) -> datetime:
    if isinstance(value, datetime):  # read already
        return value
    if not isinstance(value, str):
        raise ValueError("must be a string like 2026-11-22T10:00:00Z (RFC 3339)")  # noqa: TRY004
    return parse_time(value)


StorableText = Annotated[str, AfterValidator(make_storable)]
Name = Annotated[StorableText, Field(max_length=MAX_NAME)]
Time = Annotated[
    datetime,
    BeforeValidator(_read_time),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="validation"),
]


class FieldWarning(NamedTuple):
    """What of a field was left out, cut or guessed. The message goes on from the field's name.

    It is kept with the sync log's entry, longer than the call's contents: it never quotes them.
    """

    field: str
    message: str


# A dictionary and no model: calls have hundreds of them, and they are stored as they are.
@with_config(STRICT)
class TranscriptTurn(TypedDict):
    """What one side said."""

    role: StorableText
    """Who: `assistant` or `user`, or a name."""
    text: StorableText
    """What."""


class CallContent(BaseModel):
    """What is known of a call beside whose it is; all of it may be absent or null.

    A webhook's fields of another kind are read where they can be read (`"67"` is 67), else left out
    and named in `warnings`; what is longer than a note is cut.
    """

    model_config = STRICT

    phone_number: StorableText | None = None
    """The customer's number in any spelling; absent or `anonymous` when withheld."""
    direction: Name | None = None
    """`inbound` or `outbound`, also as other platforms say it: `incoming`, `outbound-api`."""
    from_number: StorableText | None = None
    """Who called; the customer of an inbound call without `phone_number`."""
    to_number: StorableText | None = None
    """Who was called; the customer of an outbound call without `phone_number`."""
    started_at: Time | None = None
    """Where the note stands on the contact's timeline."""
    ended_at: Time | None = None
    """Stands in for `started_at`."""
    duration_seconds: Annotated[float, Field(ge=0, le=SECONDS_PER_YEAR)] | None = None
    """The difference of the two times if left out."""
    summary: StorableText | None = None
    """What was said, in short; line ends are kept."""
    recording_url: StorableText | None = None
    """Becomes a link if it is https; it is never fetched."""
    # Half a million wrong turns fit one body; naming each holds everybody else up for seconds.
    transcript: Annotated[list[TranscriptTurn], Field(fail_fast=True)] | None = None
    """What was said, word by word; shortened where the note would be too long."""
    agent_name: Name | None = None
    """Who or what spoke for you."""
    agent_email: Name | None = None
    """Their address, as a user of HubSpot or of your own."""
    agent_id: Name | None = None
    """Your id of theirs."""
    outcome: Name | None = None
    """How the call ended, in a word."""
    structured_data: dict[str, Any] | None = None
    """Anything else that is known; becomes a list."""

    def to_payload(self) -> dict[str, Any]:
        """The fields as JSON; what is unknown is left out.

        Postgres can store all of it, once `fit_to_note` has been through the structured data.
        """
        fields = ((name, getattr(self, name)) for name in CallContent.model_fields)
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in fields
            if value is not None and value != []
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """What `to_payload` wrote, of this version or an earlier one; not checked again."""
        fields = {name: payload[name] for name in CallContent.model_fields if name in payload}
        for name in _TIMES:
            if name in fields:
                fields[name] = _read_stored_time(fields[name])
        return cls.model_construct(**fields)


_TIMES: Final = ("started_at", "ended_at")


def _read_stored_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
