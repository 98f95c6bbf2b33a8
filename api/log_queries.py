"""What can be asked of the sync log: query parameters and retry orders, checked."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from werkzeug.datastructures import MultiDict

from api.auth import Tenant
from api.bodies import Identifier, parse_model, parse_time
from shared.phone import PhoneError, parse_phone
from shared.reasons import Reason, Status
from shared.replays import RETRYABLE
from shared.sync_logs import LogFilter, Position

MOST_PER_PAGE: Final = 200
MOST_SKIPPED: Final = 10_000
MOST_IDS: Final = 1000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_EPOCH_MS: Final = re.compile(r"\d{1,15}", re.ASCII)
_CURSOR: Final = re.compile(r"(\d{1,18}) (hs_[0-9a-f]{32})", re.ASCII)
# A plus sign that was not escaped arrives as a blank.
_LOST_PLUS: Final = re.compile(r"(?<=\d) (?=\d\d:\d\d$)", re.ASCII)


def write_cursor(position: Position) -> str:
    """A position as text without meaning to clients: microseconds and id, in base64url."""
    micros = (position.created_at - EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{micros} {position.id}".encode()).rstrip(b"=").decode()


def read_cursor(cursor: object) -> Position:
    """The position that `write_cursor` was given; raises ValueError for anything else."""
    problem = ValueError("must be the next_cursor of a page, unchanged")
    try:
        padded = str(cursor) + "=" * (-len(str(cursor)) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise problem
        position = Position(EPOCH + timedelta(microseconds=int(match[1])), match[2])
    except (ValueError, OverflowError) as error:
        raise problem from error
    if write_cursor(position) != cursor:
        raise problem
    return position


def _read_moment(value: object) -> datetime:
    text = str(value)
    problem = ValueError("must be epoch milliseconds, or a time like 2026-11-22T10:00:00Z")
    try:
        if _EPOCH_MS.fullmatch(text):
            return EPOCH + timedelta(milliseconds=int(text))
        return parse_time(_LOST_PLUS.sub("+", text))
    except (ValueError, OverflowError) as error:
        raise problem from error


def _read_count(value: object) -> int:
    if not re.fullmatch(r"\d{1,9}", str(value), re.ASCII):
        raise ValueError("must be a whole number")
    return int(str(value))


Moment = Annotated[
    datetime,
    BeforeValidator(_read_moment, json_schema_input_type=int | str),
    Field(description="epoch milliseconds or RFC 3339"),
]


class _Span(BaseModel):
    model_config = ConfigDict(extra="ignore")

    error_code: Reason | None = None
    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.since and self.until and self.since > self.until:
            raise ValueError("`from` must not be later than `to`")
        return self


class LogQuery(_Span):
    """The parameters of the list. `from` is inclusive, `to` is not."""

    status: Status | None = None
    call_id: Identifier | None = None
    phone: Identifier | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_PER_PAGE), BeforeValidator(_read_count)] = 50
    offset: Annotated[int, Field(ge=0, le=MOST_SKIPPED), BeforeValidator(_read_count)] | None = (
        Field(default=None, description="not together with cursor; beyond 10,000 use cursor")
    )
    cursor: Annotated[Position, BeforeValidator(read_cursor, json_schema_input_type=str)] | None = (
        Field(default=None, description="the next_cursor of the page before")
    )

    @model_validator(mode="after")
    def _require_one_way(self) -> Self:
        if self.cursor is not None and self.offset is not None:
            raise ValueError("give `cursor` or `offset`, not both")
        return self

    def filter(self, tenant: Tenant, *, region: str) -> LogFilter:
        """The entries of the tenant that are asked for; `region` reads the phone number."""
        return LogFilter(
            user_id=tenant.user_id,
            workspace_id=tenant.workspace_id,
            statuses=(self.status,) if self.status else None,
            error_code=self.error_code,
            call_id=self.call_id,
            phone_numbers=_spellings(self.phone, region) if self.phone else None,
            since=self.since,
            until=self.until,
        )


class RetryOrder(_Span):
    """Which calls to try again: these ids, or all that a filter matches."""

    ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_IDS)] | None = None
    status: Status | None = None

    @model_validator(mode="after")
    def _require_one_kind(self) -> Self:
        has_filter = bool(self.model_fields_set - {"ids"})
        if (self.ids is None) != has_filter:
            raise ValueError("give either `ids`, or some of `status`, `error_code`, `from`, `to`")
        if self.status is not None and self.status not in RETRYABLE:
            raise ValueError("`status` must be error or skipped: others cannot be retried")
        return self

    def filter(self, tenant: Tenant) -> LogFilter:
        """The entries of the tenant that the filter means."""
        return LogFilter(
            user_id=tenant.user_id,
            workspace_id=tenant.workspace_id,
            statuses=(self.status,) if self.status else RETRYABLE,
            error_code=self.error_code,
            since=self.since,
            until=self.until,
        )


def read_query(parameters: MultiDict[str, str]) -> LogQuery:
    """Check the query parameters; an empty one counts as absent.

    Raises:
        InvalidRequestError: Every wrong parameter is named.
    """
    given: dict[str, Any] = {name: value for name, value in parameters.items() if value}
    return parse_model(LogQuery, given)


def _spellings(phone: str, region: str) -> tuple[str, ...]:
    """A number as it may be stored: as it came, and in E.164."""
    text = f"+{phone[1:]}" if phone.startswith(" ") else phone
    try:
        return tuple(dict.fromkeys((text, parse_phone(text, region).e164)))
    except PhoneError:
        return (text,)
