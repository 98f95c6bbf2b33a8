"""What can be asked of the sync log: which entries, which page, which retries."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from api.http.bodies import Identifier
from api.http.queries import EPOCH, Span, decode_cursor, encode_cursor, read_count
from api.http.responses import ErrorCode
from api.identity.auth import Tenant
from api.log.entries import UpdateState
from shared.log.growth import UPDATES
from shared.log.replays import RETRYABLE, RETRYABLE_UPDATES, list_retryable
from shared.log.sync_logs import LogFilter, Position
from shared.phone import PhoneError, parse_phone
from shared.reasons import Reason, Status

MOST_PER_PAGE: Final = 200
MOST_SKIPPED: Final = 10_000
MOST_IDS: Final = 1000

IDS: Final = Field(min_length=1, max_length=MOST_PER_PAGE)
_CURSOR: Final = re.compile(r"(0|[1-9]\d{0,17}) (hs_[0-9a-f]{32})", re.ASCII)


def write_cursor(position: Position) -> str:
    micros = (position.created_at - EPOCH) // timedelta(microseconds=1)
    return encode_cursor(f"{micros} {position.id}")


def read_cursor(cursor: object) -> Position:
    """The position that `write_cursor` was given; raises ValueError for anything else."""
    micros, log_id = decode_cursor(cursor, _CURSOR).groups()
    try:
        return Position(EPOCH + timedelta(microseconds=int(micros)), log_id)
    except OverflowError as error:
        raise ValueError("must be the next_cursor of a page, unchanged") from error


def _read_list(value: object) -> list[str]:
    return str(value).split(",")


def _require_known(code: str) -> str:
    if code not in set(Reason):
        raise ValueError(f"must be one of {', '.join(Reason)}")
    return code


KnownCode = Annotated[ErrorCode, AfterValidator(_require_known)]


class LogSelection(Span):
    """Which entries are asked for. `from` is inclusive, `to` is not."""

    status: Status | None = Field(default=None, examples=["skipped"])
    """Calls in this state."""
    error_code: KnownCode | None = Field(default=None, examples=["contact_not_found"])
    """Calls with this reason."""
    update: UpdateState | None = Field(default=None, examples=["failed"])
    """Calls whose note does not show what has come in since."""
    call_id: Identifier | None = None
    """The call with this id of the producer's."""
    phone: Identifier | None = Field(default=None, examples=["+1 202 555 0123"])
    """Calls of this number, in any spelling."""

    def filter(self, tenant: Tenant, *, region: str) -> LogFilter:
        """The entries of the tenant that are meant; `region` reads the phone number."""
        return LogFilter(
            user_id=tenant.user_id,
            workspace_id=tenant.workspace_id,
            statuses=(self.status,) if self.status else None,
            error_code=self.error_code,
            call_id=self.call_id,
            phone_numbers=_spellings(self.phone, region) if self.phone else None,
            updates=UPDATES[self.update] if self.update else None,
            since=self.since,
            until=self.until,
        )


class LogQuery(LogSelection):
    """The parameters of the list."""

    ids: Annotated[list[Identifier], IDS, BeforeValidator(_read_list)] | None = None
    """These entries, separated by commas, and nothing else; up to 200."""
    limit: Annotated[
        int, Field(ge=1, le=MOST_PER_PAGE, examples=[20]), BeforeValidator(read_count)
    ] = 50
    """How many entries."""
    offset: Annotated[int, Field(ge=0, le=MOST_SKIPPED), BeforeValidator(read_count)] | None = None
    """How many newer ones to leave out; not together with `cursor`, which has no limit."""
    cursor: Annotated[Position, BeforeValidator(read_cursor, json_schema_input_type=str)] | None = (
        None
    )
    """The `next_cursor` of the page before."""

    @model_validator(mode="after")
    def _require_one_way(self) -> Self:
        if self.cursor is not None and self.offset is not None:
            raise ValueError("give `cursor` or `offset`, not both")
        return self

    @model_validator(mode="after")
    def _require_ids_alone(self) -> Self:
        if self.ids is not None and self.model_fields_set != {"ids"}:
            raise ValueError("give `ids` alone")
        if self.ids is not None:
            self.limit = MOST_PER_PAGE
        return self

    def filter(self, tenant: Tenant, *, region: str) -> LogFilter:
        found = super().filter(tenant, region=region)
        return replace(found, ids=tuple(self.ids)) if self.ids is not None else found


class RetryOrder(Span):
    """Which calls to try again: these ids, or all that a filter matches."""

    ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_IDS)] | None = None
    """These entries, and no filter."""
    status: Status | None = None
    """Calls in this state: `error` or `skipped`; `success` only with `update`. Left out, both, and
    updates that failed or wait for a person."""
    error_code: KnownCode | None = None
    """Calls with this reason."""
    update: UpdateState | None = None
    """Synced calls whose update `failed`, or is `waiting` for a person."""

    @model_validator(mode="after")
    def _require_one_kind(self) -> Self:
        has_filter = bool(self.model_fields_set - {"ids"})
        if (self.ids is None) != has_filter:
            names = "`status`, `error_code`, `update`, `from`, `to`"
            raise ValueError(f"give either `ids`, or some of {names}")
        if self.update is not None:
            if self.update not in RETRYABLE_UPDATES:
                raise ValueError("`update` must be failed or waiting: others cannot be retried")
            if self.status not in {None, Status.SUCCESS}:
                raise ValueError("`update` goes with `status` success, or none")
        elif self.status is not None and self.status not in RETRYABLE:
            raise ValueError("`status` must be error or skipped: others cannot be retried")
        return self

    def filters(self, tenant: Tenant) -> list[LogFilter]:
        """The entries of the tenant that the filter means; no two of these filters meet."""
        wanted = LogFilter(
            user_id=tenant.user_id,
            workspace_id=tenant.workspace_id,
            error_code=self.error_code,
            since=self.since,
            until=self.until,
        )
        return list_retryable(wanted, status=self.status, update=self.update)


def _spellings(phone: str, region: str) -> tuple[str, ...]:
    """A number as it may be stored: as it came, in E.164, and as it was before a renumbering."""
    text = f"+{phone[1:]}" if phone.startswith(" ") else phone
    try:
        number = parse_phone(text, region)
    except PhoneError:
        return (text,)
    return tuple(dict.fromkeys((text, number.e164, *number.earlier_e164s)))
