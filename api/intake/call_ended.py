"""The webhook `call.ended`: its body, checked, and what of it is kept."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, RootModel, ValidationError

from api.http.bodies import Identifier
from api.http.errors import InvalidRequestError, name_fields
from api.http.webhook_json import Repeated
from api.intake.readings import (
    Reader,
    Reading,
    UnreadableError,
    choose_value,
    is_nothing,
    read_duration,
    read_first_text,
    read_one_text,
    read_outcome,
    read_text,
    read_time,
)
from api.intake.transcripts import read_structured_data, read_transcript
from shared.activities.bounds import fit_to_note
from shared.calls.content import MAX_NAME, STRICT, CallContent, FieldWarning, Time
from shared.calls.directions import find_customers_number
from shared.calls.intake import NewCall

EVENT_TYPE = "call.ended"
MAX_CALLS = 1000

IDENTITY: Final = ("call_id", "user_id", "workspace_id")
NUMBERS: Final = ("phone_number", "from_number", "to_number")
GIVEN_TWICE: Final = "is given more than once, so it is not clear which one is meant: send one"

NO_TRACE: Final[Mapping[str, str]] = MappingProxyType({})


class EndedCall(CallContent):
    """The finished call. Everything but the three ids may be absent or null."""

    call_id: Identifier
    """Your id; with user and workspace it is the call's identity."""
    user_id: Identifier
    """Whose call it is."""
    workspace_id: Identifier
    """Which workspace of theirs."""

    def to_store(
        self, trace: Mapping[str, str] = NO_TRACE, warnings: tuple[FieldWarning, ...] = ()
    ) -> NewCall:
        """What is stored of it: what a note can hold, with the trace that it belongs to."""
        content, cuts = fit_to_note(self)
        payload = content.to_payload()
        return NewCall(
            user_id=self.user_id,
            workspace_id=self.workspace_id,
            call_id=self.call_id,
            phone_number=find_customers_number(payload),
            payload={"call_id": self.call_id, **payload, **trace},
            warnings=(*warnings, *cuts),
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


def parse_call(event: Mapping[str, Any], trace: Mapping[str, str] = NO_TRACE) -> NewCall | None:
    """The call of a webhook; None if it is of another type. Raises InvalidRequestError."""
    event_type = event.get("type")
    if isinstance(event_type, Repeated):
        raise InvalidRequestError.of("type", GIVEN_TWICE)
    if not isinstance(event_type, str):
        raise InvalidRequestError.of("type", f'must be a string; "{EVENT_TYPE}" is recorded')
    if event_type != EVENT_TYPE:
        return None
    data = event.get("data")
    if isinstance(data, Repeated):
        raise InvalidRequestError.of("data", GIVEN_TWICE)
    if isinstance(data, dict):
        return parse_data(data, trace, within="data.")
    message = "must be an object" if "data" in event else "Field required"
    raise InvalidRequestError.of("data", message)


def parse_data(
    data: Mapping[str, Any], trace: Mapping[str, str] = NO_TRACE, *, within: str = ""
) -> NewCall:
    """The call that a webhook's `data` describes, with warnings about what it could not say.

    Args:
        data: As JSON holds it.
        trace: What it belongs to.
        within: The path of `data`, for errors.

    Raises:
        InvalidRequestError: One of the three ids is missing or wrong.
    """
    try:
        # Nearly all are as they should be, and this costs them nothing.
        return EndedCall.model_validate(data).to_store(trace)
    except ValidationError:
        fields, warnings = _read_fields(data)
    try:
        call = EndedCall.model_validate(fields)
    except ValidationError as error:
        raise InvalidRequestError(
            each._replace(
                field=within + each.field,
                message=GIVEN_TWICE if isinstance(data.get(each.field), Repeated) else each.message,
            )
            for each in name_fields(error)
        ) from error
    return call.to_store(trace, tuple(warnings))


def _read_fields(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldWarning]]:
    """The fields as the model wants them, the ids as they are."""
    fields = {name: _only_value(data[name]) for name in IDENTITY if name in data}
    warnings = []
    for name, reader in READERS.items():
        try:
            reading = _read_field(data.get(name), reader, is_number=name in NUMBERS)
        except UnreadableError as error:
            warnings.append(FieldWarning(name, str(error)))
            continue
        fields[name] = reading.value
        if reading.message:
            warnings.append(FieldWarning(name, reading.message))
    return fields, warnings


def _only_value(value: Any) -> Any:
    """The value of an id that was given more than once, always the same."""
    is_same = isinstance(value, Repeated) and all(each == value[0] for each in value)
    return value[0] if is_same else value


def _read_field(value: Any, reader: Reader, *, is_number: bool) -> Reading:
    chosen = choose_value(value, is_number=is_number)
    if is_nothing(chosen.value):
        return Reading(None)
    reading = reader(chosen.value)
    return reading._replace(message=reading.message or chosen.message)


def _cut_name(read: Reader) -> Reader:
    def read_name(value: Any) -> Reading:
        reading = read(value)
        if not reading.value or len(reading.value) <= MAX_NAME:
            return reading
        return Reading(reading.value[:MAX_NAME], f"was cut to {MAX_NAME:,} characters")

    return read_name


_read_number: Final = read_one_text("number", "phone_number", "phone", "e164", "value")
READERS: Final[Mapping[str, Reader]] = {
    "phone_number": _read_number,
    "direction": _cut_name(read_one_text("direction", "value", "name", "type")),
    "from_number": _read_number,
    "to_number": _read_number,
    "started_at": read_time,
    "ended_at": read_time,
    "duration_seconds": read_duration,
    "summary": read_text("summary", "text", "content", "value", separator="\n"),
    "recording_url": read_first_text("url", "recording_url", "href", "link", "uri"),
    "transcript": read_transcript,
    "agent_name": _cut_name(read_text("name", "full_name", "display_name", "agent_name", "id")),
    "outcome": _cut_name(read_outcome),
    "structured_data": read_structured_data,
}
