"""The webhook `call.ended`: its body, checked, and what of it is kept."""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.bodies import BoundedObject, Identifier, StorableText, Time, parse_model
from api.errors import InvalidRequestError
from shared.call_details import CallDetails, Utterance
from shared.calls import NewCall
from shared.directions import choose_end
from shared.phone import NO_REGION, InvalidNumberError, WithheldNumberError, parse_phone

EVENT_TYPE = "call.ended"
# One more than the longest text that is ever read as a number, so that cutting makes none valid.
MAX_STORED_NUMBER = 251
MAX_NAME = 1000
MAX_CALLS = 1000
SECONDS_PER_YEAR = 31_536_000
# Only numbers that name their country are read here: the region is not known before the worker.

NO_TRACE: Final[Mapping[str, str]] = MappingProxyType({})

STRICT = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)


class TranscriptTurn(BaseModel):
    """What one side said."""

    model_config = STRICT

    role: StorableText
    """Who: `assistant` or `user`, or a name."""
    text: StorableText
    """What."""


class CallFields(BaseModel):
    """What is known of a call beside whose it is; all of it may be absent or null."""

    model_config = STRICT

    phone_number: StorableText | None = None
    """The customer's number in any spelling; absent or `anonymous` when withheld."""
    direction: Annotated[StorableText, Field(max_length=MAX_NAME)] | None = None
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
    agent_name: Annotated[StorableText, Field(max_length=MAX_NAME)] | None = None
    """Who or what spoke for you."""
    outcome: Annotated[StorableText, Field(max_length=MAX_NAME)] | None = None
    """How the call ended, in a word."""
    structured_data: BoundedObject | None = None
    """Anything else that is known; becomes a list."""

    def details_as(self, call_id: str) -> CallDetails:
        """What the note is written from, under an id of the caller's."""
        return CallDetails(
            call_id=call_id,
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


class EndedCall(CallFields):
    """The finished call. Everything but the three ids may be absent or null."""

    call_id: Identifier
    """Your id; with user and workspace it is the call's identity."""
    user_id: Identifier
    """Whose call it is."""
    workspace_id: Identifier
    """Which workspace of theirs."""

    @property
    def customer_number(self) -> str | None:
        """The customer's number to store: in E.164 if it names its country; None if withheld."""
        for raw in (
            self.phone_number,
            choose_end(self.direction, self.from_number, self.to_number),
        ):
            with suppress(WithheldNumberError):
                return _storable_number(raw)
        return None

    def details(self) -> CallDetails:
        """What the note is written from."""
        return self.details_as(self.call_id)

    def to_store(self, trace: Mapping[str, str] = NO_TRACE) -> NewCall:
        """What is stored of it, with the trace that it belongs to."""
        return NewCall(
            user_id=self.user_id,
            workspace_id=self.workspace_id,
            call_id=self.call_id,
            phone_number=self.customer_number,
            payload={**self.details().to_payload(), **trace},
        )


class CallEnded(BaseModel):
    """The webhook's body."""

    model_config = STRICT

    type: Literal["call.ended"]
    """Webhooks of other types are acknowledged and ignored."""
    timestamp: Time | None = None
    """When it was sent."""
    data: EndedCall


class CallsEnded(RootModel[list[CallEnded | EndedCall]]):
    """Up to 1,000 calls, each as a whole webhook or as its `data` alone.

    Describes the body; it is not checked as a whole, because a wrong call refuses only itself.
    """

    root: Annotated[list[CallEnded | EndedCall], Field(min_length=1, max_length=MAX_CALLS)]


def parse_call(event: dict[str, Any]) -> EndedCall | None:
    """The call of a webhook; None if it is of another type. Raises InvalidRequestError."""
    event_type = event.get("type")
    if not isinstance(event_type, str):
        raise InvalidRequestError.of("type", f'must be a string; "{EVENT_TYPE}" is recorded')
    return parse_model(CallEnded, event).data if event_type == EVENT_TYPE else None


def _storable_number(raw: str | None) -> str:
    try:
        number = parse_phone(raw, NO_REGION)
    except InvalidNumberError:
        return (raw or "")[:MAX_STORED_NUMBER]  # the worker says why it cannot be called
    return number.e164 if number.names_country else (raw or "")[:MAX_STORED_NUMBER]
