"""The webhook `call.ended`: its body, checked, and what of it is kept."""

from contextlib import suppress
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.bodies import BoundedObject, Identifier, StorableText, Time
from shared.call_details import CallDetails, Utterance
from shared.phone import InvalidNumberError, WithheldNumberError, parse_phone

EVENT_TYPE = "call.ended"
# One more than the longest text that is ever read as a number, so that cutting makes none valid.
MAX_STORED_NUMBER = 251
MAX_NAME = 1000
SECONDS_PER_YEAR = 31_536_000
# Only numbers that name their country are read here; any region does for them.
ANY_REGION = "US"

STRICT = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class TranscriptTurn(BaseModel):
    model_config = STRICT

    role: StorableText
    text: StorableText


class EndedCall(BaseModel):
    """The finished call. Everything but the three ids may be absent or null."""

    model_config = STRICT

    call_id: Identifier
    user_id: Identifier
    workspace_id: Identifier
    phone_number: StorableText | None = None
    direction: Annotated[StorableText, Field(max_length=MAX_NAME)] | None = None
    from_number: StorableText | None = None
    to_number: StorableText | None = None
    started_at: Time | None = None
    ended_at: Time | None = None
    duration_seconds: Annotated[float, Field(ge=0, le=SECONDS_PER_YEAR)] | None = None
    summary: StorableText | None = None
    recording_url: StorableText | None = None
    # Half a million wrong turns fit one body; naming each holds everybody else up for seconds.
    transcript: Annotated[list[TranscriptTurn], Field(fail_fast=True)] | None = None
    agent_name: Annotated[StorableText, Field(max_length=MAX_NAME)] | None = None
    outcome: Annotated[StorableText, Field(max_length=MAX_NAME)] | None = None
    structured_data: BoundedObject | None = None

    @property
    def customer_number(self) -> str | None:
        """The customer's number to store: in E.164 if it names its country; None if withheld."""
        direction = (self.direction or "").strip().lower()
        other = {"inbound": self.from_number, "outbound": self.to_number}.get(direction)
        for raw in (self.phone_number, other):
            with suppress(WithheldNumberError):
                return _storable_number(raw)
        return None

    def details(self) -> CallDetails:
        """What the note is written from."""
        return CallDetails(
            call_id=self.call_id,
            direction=self.direction,
            phone_number=self.phone_number,
            from_number=self.from_number,
            to_number=self.to_number,
            started_at=self.started_at,
            ended_at=self.ended_at,
            duration_seconds=self.duration_seconds,
            agent_name=self.agent_name,
            outcome=self.outcome,
            summary=self.summary,
            recording_url=self.recording_url,
            structured_data=self.structured_data,
            transcript=tuple(Utterance(turn.role, turn.text) for turn in self.transcript or ()),
        )


class CallEnded(BaseModel):
    """The whole body."""

    model_config = STRICT

    type: Literal["call.ended"]
    timestamp: Time | None = None
    data: EndedCall


def _storable_number(raw: str | None) -> str:
    try:
        number = parse_phone(raw, ANY_REGION)
    except InvalidNumberError:
        return (raw or "")[:MAX_STORED_NUMBER]  # the worker says why it cannot be called
    return number.e164 if number.names_country else (raw or "")[:MAX_STORED_NUMBER]
