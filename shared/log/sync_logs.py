"""Reading the sync log: pages by offset or by cursor, capped totals, one entry with its attempts.

A page costs the same wherever it begins when it is asked for by cursor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple, Self

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    UnaryExpression,
    any_,
    func,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from shared.calls.content import CallContent
from shared.calls.contents import read_contents
from shared.models import ActivityUpdate, Attempt, SyncLog

MOST_COUNTED: Final = 10_000
MOST_ATTEMPTS: Final = 200


class Position(NamedTuple):
    """Where a page begins: after this entry, in the order newest first."""

    created_at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries of a user and workspace are meant; None means any.

    `phone_numbers` are spellings of one number as they may be stored, `updates` are states of an
    update (`shared.models.ActivityUpdate`). `since` is inclusive, `until` is not.
    """

    user_id: str
    workspace_id: str
    ids: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None
    error_code: str | None = None
    call_id: str | None = None
    phone_numbers: tuple[str, ...] | None = None
    updates: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def alternatives(self) -> list[Self]:
        """The same as filters for one status and one spelling each: none of them meet."""
        return [
            replace(self, statuses=statuses, phone_numbers=phone_numbers)
            for statuses in _one_by_one(self.statuses)
            for phone_numbers in _one_by_one(self.phone_numbers)
        ]

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as conditions on `SyncLog`."""
        found = [SyncLog.user_id == self.user_id, SyncLog.workspace_id == self.workspace_id]
        if self.ids is not None:
            found.append(SyncLog.id.in_(self.ids))
        if self.statuses is not None:
            found.append(SyncLog.status.in_(self.statuses))
        if self.error_code is not None:
            found.append(SyncLog.error_code == self.error_code)
        if self.call_id is not None:
            found.append(SyncLog.call_id == self.call_id)
        if self.phone_numbers is not None:
            found.append(SyncLog.phone_number.in_(self.phone_numbers))
        if self.updates is not None:
            found.append(SyncLog.id == any_(self._updated()))
        if self.since is not None:
            found.append(SyncLog.created_at >= self.since)
        if self.until is not None:
            found.append(SyncLog.created_at < self.until)
        return found

    def _updated(self) -> ColumnElement[list[str]]:
        """Ids, read first: few calls have an update, however long the log is."""
        updated = select(ActivityUpdate.log_id).where(
            ActivityUpdate.state.in_(self.updates or ()),
            ActivityUpdate.user_id == self.user_id,
            ActivityUpdate.workspace_id == self.workspace_id,
        )
        return func.array(updated.scalar_subquery(), type_=ARRAY(Text))


@dataclass(frozen=True, slots=True)
class LogSlice:
    """Entries newest first, and where the next slice begins; None after the last."""

    logs: Sequence[SyncLog]
    next_position: Position | None


def find_logs(
    session: Session,
    wanted: LogFilter,
    *,
    limit: int,
    offset: int = 0,
    after: Position | None = None,
) -> LogSlice:
    """Read up to `limit` entries, `offset` from the newest or after a position."""
    arms = []
    for each in wanted.alternatives():
        arm = select(SyncLog).where(*each.conditions()).order_by(*_newest_first(SyncLog))
        if after is not None:
            arm = arm.where(tuple_(SyncLog.created_at, SyncLog.id) < tuple_(*after))
        arms.append(arm)
    query = arms[0]
    if len(arms) > 1:  # hardly ever, and it takes a millisecond to put together
        union = union_all(*(arm.limit(offset + limit + 1) for arm in arms))
        entry = aliased(SyncLog, union.subquery())
        query = select(entry).order_by(*_newest_first(entry))
    logs = session.scalars(query.limit(limit + 1).offset(offset)).all()
    if len(logs) <= limit:
        return LogSlice(logs, None)
    last = logs[limit - 1]
    return LogSlice(logs[:limit], Position(last.created_at, last.id))


def count_logs(session: Session, wanted: LogFilter, *, most: int = MOST_COUNTED) -> int:
    """Count entries, but no further than one more than `most`."""
    arms = [
        # In the order of an index, or Postgres may read the log from its first row, whosever it is.
        select(SyncLog.id)
        .where(*each.conditions())
        .order_by(*_newest_first(SyncLog))
        .limit(most + 1)
        for each in wanted.alternatives()
    ]
    found = select(func.count()).select_from(union_all(*arms).subquery())
    return min(session.scalars(found).one(), most + 1)


def find_log(session: Session, log_id: str, *, user_id: str, workspace_id: str) -> SyncLog | None:
    """One entry, if it belongs to the user and workspace."""
    return session.scalars(
        select(SyncLog).filter_by(id=log_id, user_id=user_id, workspace_id=workspace_id)
    ).one_or_none()


def find_contents(session: Session, log_id: str) -> CallContent | None:
    """What the call's note is written from; None once it is deleted."""
    payload = read_contents(session, [log_id]).get(log_id)
    return CallContent.from_payload(payload) if payload is not None else None


def find_attempts(session: Session, log_id: str) -> Sequence[Attempt]:
    """The newest attempts of a call, at most `MOST_ATTEMPTS`, newest first."""
    return session.scalars(
        select(Attempt).filter_by(log_id=log_id).order_by(Attempt.id.desc()).limit(MOST_ATTEMPTS)
    ).all()


def _newest_first(entry: type[SyncLog]) -> tuple[UnaryExpression[datetime], UnaryExpression[str]]:
    return entry.created_at.desc(), entry.id.desc()


def _one_by_one(values: tuple[str, ...] | None) -> list[tuple[str, ...] | None]:
    return [None] if values is None else [(each,) for each in values]
