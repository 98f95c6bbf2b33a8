"""The sync log's entries as responses show them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field

from api.http.responses import ErrorCode, Moment, ResponseModel, Success
from shared.calls.content import FieldWarning
from shared.reasons import NOT_FOUND_MESSAGE, Reason, Status

# What examples show.
LOG_ID: Final = "hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1b"
CAME_IN: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)
CONTACT_URL: Final = "https://app.hubspot.com/contacts/62515/record/0-1/701"


class IntakeWarning(ResponseModel):
    """What was left out of a call, cut or guessed."""

    field: str
    """The call's field, such as `duration_seconds`."""
    message: str
    """What was done, as it goes on from the field's name; never what the field held."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {
            "left out": cls(field="duration_seconds", message="is negative: it was left out"),
        }


def describe_warnings(warnings: Iterable[FieldWarning]) -> list[IntakeWarning]:
    return [IntakeWarning(field=each.field, message=each.message) for each in warnings]


UpdateState = Literal["waiting", "failed", "deleted"]


class LogSource(ResponseModel):
    """Where a call came from."""

    model_config = ConfigDict(from_attributes=True)

    vendor: str
    """Whose phones they are, such as `generic`."""
    name: str
    """What the source is called in the dashboard."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {"generic": cls(vendor="generic", name="Reception")}


class LogEntry(ResponseModel):
    """What became of one call."""

    # The fields are also the columns of the CSV, in this order: a new one goes to the end.

    model_config = ConfigDict(from_attributes=True)

    created_at: Moment
    """When the call came in, in epoch milliseconds."""
    call_id: str
    """The producer's id."""
    phone_number: str | None
    """The caller's number, in full once it was read; null when withheld or erased."""
    status: Status
    error_code: ErrorCode | None
    error_message: str | None
    """The reason in words."""
    contact_id: str | None
    """The HubSpot contact with the caller's number."""
    engagement_id: str | None
    """The note in HubSpot."""
    attempts: int
    """How often it was tried; what is written again because the call has grown does not count."""
    next_attempt_at: Moment | None
    """When it is tried or looked up again, in epoch milliseconds; null when it is not."""
    updated_at: Moment
    """When the entry changed last, in epoch milliseconds."""
    id: str
    """The entry's own id."""
    revision: int | None = None
    """How many deliveries have changed the call, the first included; null once its contents are
    deleted."""
    written_revision: int | None = None
    """Which of these the note shows; null while there is none, or if that is not known."""
    update: UpdateState | None = None
    """What becomes of the note since the call has grown: it is `waiting` to be completed, that has
    `failed`, or somebody `deleted` it in HubSpot. Null if nothing is to be written."""
    update_error: str | None = None
    """Why the note is not completed, in words. While `update` is `waiting` it waits for a retry
    by hand, else it is null then."""
    activity: Literal["note", "call"] = "note"
    """What the call becomes in HubSpot."""
    source: LogSource | None = None
    """Where it came from; null if it came in by `/api/webhooks/call-ended` or an import."""
    notices: Annotated[list[str], BeforeValidator(lambda given: given or [])] = Field(default=[])
    """What was left out of the note and why, in sentences."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        synced = cls(
            id=LOG_ID,
            call_id="call_xyz",
            contact_id="701",
            engagement_id="8801",
            status=Status.SUCCESS,
            error_code=None,
            error_message=None,
            phone_number="+12025550123",
            attempts=1,
            next_attempt_at=None,
            created_at=CAME_IN,
            updated_at=CAME_IN + timedelta(seconds=1),
            revision=2,
            written_revision=2,
        )
        skipped = cls(
            id="hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1a",
            call_id="call_abc",
            contact_id=None,
            engagement_id=None,
            status=Status.SKIPPED,
            error_code=Reason.CONTACT_NOT_FOUND,
            error_message=NOT_FOUND_MESSAGE,
            phone_number="+12025550199",
            attempts=2,
            next_attempt_at=CAME_IN + timedelta(minutes=10),
            created_at=CAME_IN - timedelta(minutes=1),
            updated_at=CAME_IN,
            revision=1,
        )
        behind = synced.model_copy(
            update={
                "id": "hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a19",
                "call_id": "call_def",
                "engagement_id": "8800",
                "written_revision": 1,
                "update": "failed",
                "update_error": "HubSpot refused it: Property hs_region is required",
                "source": LogSource.examples()["generic"],
                "notices": ["The owner is not active in HubSpot: the note was written without."],
            }
        )
        return {"synced": synced, "skipped": skipped, "behind": behind}


class LogPage(Success):
    """Entries, newest first."""

    logs: list[LogEntry]
    """At most `limit`."""
    total: int
    """How many entries match, counted up to 10,000."""
    total_exact: bool
    """False when there are more than `total`."""
    limit: int
    """How many were asked for."""
    offset: int
    """How many newer ones were left out."""
    next_cursor: str | None
    """Asks for the next page; null on the last one."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        logs = list(LogEntry.examples().values())
        page = cls(logs=logs, total=3, total_exact=True, limit=50, offset=0, next_cursor=None)
        return {"page": page}


class LogAttempt(ResponseModel):
    """One try of the call."""

    model_config = ConfigDict(from_attributes=True)

    kind: Literal["create", "update"] = "create"
    """Whether the note was to be written, or to be completed by what has come in since."""
    started_at: Moment
    """In epoch milliseconds."""
    duration_ms: int
    """How long it took, the calls tried beside it included."""
    outcome: str
    """The status that it left the call in, or its update."""
    error_code: ErrorCode | None
    message: str | None
    """The reason in words; deleted together with the call's contents."""
    http_status: int | None
    """What HubSpot answered with."""
    correlation_id: str | None
    """What HubSpot's support asks for."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        written = cls(
            started_at=CAME_IN,
            duration_ms=412,
            outcome=Status.SUCCESS,
            error_code=None,
            message=None,
            http_status=None,
            correlation_id=None,
        )
        completed = written.model_copy(
            update={
                "kind": "update",
                "started_at": CAME_IN + timedelta(minutes=2),
                "message": "Somebody had edited the note; the summary was added below.",
            }
        )
        return {"completed": completed, "written": written}


class LogDelivery(ResponseModel):
    """What a voice platform sent of the call, without its contents."""

    model_config = ConfigDict(from_attributes=True)

    at: Moment
    """When it came in, in epoch milliseconds."""
    event: str
    """The producer's word for what had happened."""
    fields: list[str]
    """Names of the fields that it brought; of the first one those that nothing has replaced."""
    withdrawn: list[str]
    """Names of the fields that must not be kept, it said."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        later = cls(
            at=CAME_IN + timedelta(minutes=2),
            event="call.updated",
            fields=["summary", "recording_url"],
            withdrawn=[],
        )
        first = cls(
            at=CAME_IN,
            event="call.ended",
            fields=["phone_number", "direction", "duration_seconds"],
            withdrawn=[],
        )
        return {"later": later, "first": first}


class LogNote(ResponseModel):
    """The note, from the call as it is stored."""

    html: str
    """What stands on the contact's timeline, or would."""
    written: bool
    """Whether it is in HubSpot."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        html = (
            "<p><strong>Inbound call</strong> · 3 min<br>From: +12025550123</p>"
            "<p><strong>Summary</strong><br>Customer interested in product demo.</p>"
            f"<p>Call ID: call_xyz · Ref: {LOG_ID}</p>"
        )
        return {"written": cls(html=html, written=True)}


class LogDetail(Success):
    """One entry with all that is known of it."""

    log: LogEntry
    attempts: list[LogAttempt]
    """Newest first, at most 200."""
    deliveries: list[LogDelivery]
    """What came in of the call: newest first, the last 20; empty once its contents are deleted."""
    contact_url: str | None
    """The contact's page in HubSpot."""
    warnings: list[IntakeWarning]
    """What of the first delivery was left out, cut or guessed; empty if nothing was."""
    note: LogNote | None
    """Null once the call's contents are deleted."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        synced = LogEntry.examples()["synced"]
        whole = cls(
            log=synced,
            attempts=[*LogAttempt.examples().values()],
            deliveries=[*LogDelivery.examples().values()],
            contact_url=CONTACT_URL,
            warnings=[*IntakeWarning.examples().values()],
            note=LogNote.examples()["written"],
        )
        pruned = cls(
            log=synced, attempts=[], deliveries=[], contact_url=None, warnings=[], note=None
        )
        return {"synced": whole, "without contents": pruned}


class Requeued(Success):
    """What a retry did."""

    requeued: int
    """Calls that are pending again, and synced ones that are to be completed after all."""
    ignored: int
    """Calls that wait already, are synced with nothing left to write, have lost their contents, or
    are not there."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        return {
            "requeued": cls(requeued=1, ignored=0),
            "synced already": cls(requeued=0, ignored=1),
        }
