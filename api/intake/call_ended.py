"""The webhooks `call.ended` and `call.updated`: their body, checked, and what of it is kept."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    RootModel,
    ValidationError,
    WithJsonSchema,
)

from api.http.bodies import Identifier
from api.http.errors import InvalidRequestError, name_fields
from api.http.webhook_json import Repeated
from api.intake.readings import (
    NEITHER_NOR,
    Reader,
    Reading,
    UnreadableError,
    choose_value,
    is_nothing,
    kind_of,
    read_duration,
    read_first_text,
    read_flag,
    read_one_text,
    read_outcome,
    read_text,
    read_time,
)
from api.intake.transcripts import read_structured_data, read_transcript
from shared.activities.bounds import fit_to_note
from shared.calls.content import (
    FINAL_OUTCOMES,
    MAX_NAME,
    RUNNING_OUTCOMES,
    STRICT,
    CallContent,
    FieldWarning,
    Time,
    is_outcome_of,
)
from shared.calls.directions import find_customers_number
from shared.calls.intake import NewCall

ENDED: Final = "call.ended"
UPDATED: Final = "call.updated"
# Of two events of one time the later in this list counts.
RANKS: Final = {ENDED: 1, UPDATED: 2}
MAX_CALLS = 1000

IDENTITY: Final = ("call_id", "user_id", "workspace_id")
NUMBERS: Final = ("phone_number", "from_number", "to_number")
GIVEN_TWICE: Final = "is given more than once, so it is not clear which one is meant: send one"

NO_TRACE: Final[Mapping[str, str]] = MappingProxyType({})


def _require_field(name: str) -> str:
    if name not in CallContent.model_fields:
        raise ValueError("is no field of a call")
    return name


FieldName = Annotated[
    str,
    AfterValidator(_require_field),
    WithJsonSchema({"type": "string", "enum": list(CallContent.model_fields)}),
]


class EndedCall(CallContent):
    """The finished call. Everything but the three ids may be absent or null."""

    call_id: Identifier
    """Your id; with user and workspace it is the call's identity."""
    user_id: Identifier
    """Whose call it is."""
    workspace_id: Identifier
    """Which workspace of theirs."""
    withdrawn: Annotated[list[FieldName], Field(fail_fast=True)] | None = None
    """Names of fields that must not be kept, whatever was or will be sent: no consent, say."""
    final: bool | None = None
    """Nothing more will come of this call."""

    def to_store(
        self,
        event: "Event",
        trace: Mapping[str, str] = NO_TRACE,
        warnings: tuple[FieldWarning, ...] = (),
    ) -> NewCall:
        """What is stored of it: what a note can hold, with the trace that it belongs to."""
        content, cuts = fit_to_note(self)
        withdrawn = frozenset(self.withdrawn or ())
        payload = {
            name: value for name, value in content.to_payload().items() if name not in withdrawn
        }
        is_final = bool(self.final)
        return NewCall(
            user_id=self.user_id,
            workspace_id=self.workspace_id,
            call_id=self.call_id,
            phone_number=find_customers_number(payload),
            payload={"call_id": self.call_id, **payload},
            trace=trace,
            warnings=(*warnings, *cuts),
            event=event.type,
            rank=RANKS[event.type],
            occurred_at=event.occurred_at,
            withdrawn=tuple(sorted(withdrawn)),
            is_end=event.type == ENDED or is_final or self._is_over,
            is_running=is_outcome_of(self.outcome, RUNNING_OUTCOMES),
            is_final=is_final,
        )

    @property
    def _is_over(self) -> bool:
        """Whether a fact shows it, whatever the event is called."""
        has_ended = self.ended_at is not None or self.duration_seconds is not None
        return has_ended or is_outcome_of(self.outcome, FINAL_OUTCOMES)


class Event(NamedTuple):
    """What was sent beside the call: which event, and when that happened, if it says so."""

    type: str = ENDED
    occurred_at: datetime | None = None


CALL_ENDED: Final = Event()


class CallEnded(BaseModel):
    """The webhook's body."""

    model_config = STRICT

    type: Literal["call.ended", "call.updated"]
    """`call.updated` says more of a call, before its end or after; other types are ignored."""
    timestamp: Time | None = None
    """When it happened: of two values of a field the later counts. When it came, if left out."""
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
        raise InvalidRequestError.of("type", f'must be a string; "{ENDED}" is recorded')
    if event_type not in RANKS:
        return None
    data = event.get("data")
    if isinstance(data, Repeated):
        raise InvalidRequestError.of("data", GIVEN_TWICE)
    if isinstance(data, dict):
        told = Event(event_type, _read_timestamp(event.get("timestamp")))
        return parse_data(data, trace, event=told, within="data.")
    message = "must be an object" if "data" in event else "Field required"
    raise InvalidRequestError.of("data", message)


def _read_timestamp(value: Any) -> datetime | None:
    """When the event happened; None if it cannot be read: then its reception counts."""
    with suppress(UnreadableError):
        chosen = choose_value(value).value
        if not is_nothing(chosen):
            moment: datetime = read_time(chosen).value
            return moment
    return None


def parse_data(
    data: Mapping[str, Any],
    trace: Mapping[str, str] = NO_TRACE,
    *,
    event: Event = CALL_ENDED,
    within: str = "",
) -> NewCall:
    """The call that a webhook's `data` describes, with warnings about what it could not say.

    Args:
        data: As JSON holds it.
        trace: What it belongs to.
        event: What was sent beside it.
        within: The path of `data`, for errors.

    Raises:
        InvalidRequestError: One of the three ids is missing or wrong.
    """
    call, warnings = read_call(data, within=within)
    return call.to_store(event, trace, warnings)


def read_call(
    data: Mapping[str, Any], *, within: str = ""
) -> tuple[EndedCall, tuple[FieldWarning, ...]]:
    """The call that data describe, with warnings about what could not be read as it came.

    Raises:
        InvalidRequestError: One of the three ids is missing or wrong.
    """
    try:
        # Nearly all are as they should be, and this costs them nothing.
        return EndedCall.model_validate(data), ()
    except ValidationError:
        fields, warnings = _read_fields(data)
    try:
        return EndedCall.model_validate(fields), tuple(warnings)
    except ValidationError as error:
        raise InvalidRequestError(
            each._replace(
                field=within + each.field,
                message=GIVEN_TWICE if isinstance(data.get(each.field), Repeated) else each.message,
            )
            for each in name_fields(error)
        ) from error


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


def _read_withdrawn(value: Any) -> Reading:
    """Reads lists of names, and texts of them."""
    names = re.split(r"[\s,;]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(names, list):
        raise UnreadableError(NEITHER_NOR.format(kind=kind_of(value), wanted="list of names"))
    known = [each for each in names if isinstance(each, str) and each in CallContent.model_fields]
    is_whole = len(known) == len(names)
    return Reading(known, None if is_whole else "names what is no field: that was left out")


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
    "agent_email": _cut_name(read_one_text("email", "address", "value")),
    "agent_id": _cut_name(read_one_text("id", "agent_id", "value")),
    "outcome": _cut_name(read_outcome),
    "structured_data": read_structured_data,
    "withdrawn": _read_withdrawn,
    "final": read_flag,
}
