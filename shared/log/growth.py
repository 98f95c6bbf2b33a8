"""What the log says of calls that grow: what is written of them, what is to be, and what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.calls.merging import DATA, FIELDS, to_microseconds
from shared.models import Activity, ActivityUpdate, Call, CallDelivery, SyncLog

MOST_DELIVERIES: Final = 20
# What an update is called by whoever reads the log, and the states that are meant. One that is held
# waits too: for a person.
UPDATES: Final[dict[str, tuple[str, ...]]] = {
    "waiting": ("waiting", "held"),
    "failed": ("failed",),
    "deleted": ("deleted",),
}
_SHOWN: Final = {state: shown for shown, states in UPDATES.items() for state in states}
FIRST_EVENT: Final = "call.ended"


@dataclass(frozen=True, slots=True)
class Growth:
    """How far a call's activity follows it.

    Attributes:
        revision: How many deliveries have changed the call, the first included; None once its
            content is deleted.
        written_revision: Which of these HubSpot shows; None if that is unknown, or nothing is
            written.
        update: A key of `UPDATES`; None if none is due.
        update_error: Why an update is not written: it failed, or is held. None while it waits by
            itself, although it may have been tried: attempts say that.
    """

    revision: int | None = None
    written_revision: int | None = None
    update: str | None = None
    update_error: str | None = None


def find_growth(session: Session, log_ids: Sequence[str]) -> dict[str, Growth]:
    """Read it of each entry that there is."""
    query = (
        select(
            SyncLog.id,
            Call.revision,
            Activity.written_revision,
            ActivityUpdate.state,
            ActivityUpdate.error,
        )
        .outerjoin(Call, Call.log_id == SyncLog.id)
        .outerjoin(Activity, Activity.log_id == SyncLog.id)
        .outerjoin(ActivityUpdate, ActivityUpdate.log_id == SyncLog.id)
        .where(SyncLog.id.in_(log_ids))
    )
    return {
        row.id: Growth(
            revision=row.revision,
            written_revision=row.written_revision,
            update=_SHOWN.get(row.state),
            update_error=row.error if row.state != "waiting" else None,
        )
        for row in session.execute(query)
    }


@dataclass(frozen=True, slots=True)
class SeenDelivery:
    """A delivery of a call, without what it said.

    Attributes:
        at: When it was received.
        event: The producer's word for what had happened.
        fields: What it brought: names of fields of `CallContent`.
        withdrawn: What must not be kept, it said.
    """

    at: datetime
    event: str
    fields: list[str]
    withdrawn: list[str]


def find_deliveries(session: Session, log_id: str) -> list[SeenDelivery]:
    """The newest `MOST_DELIVERIES` of a call, newest first; none once its content is deleted.

    Of the first one only those fields are known that no later one has replaced.
    """
    call = session.get(Call, log_id)
    if call is None:
        return []
    later = session.scalars(
        select(CallDelivery)
        .filter_by(log_id=log_id)
        .order_by(CallDelivery.received_at.desc(), CallDelivery.id.desc())
        .limit(MOST_DELIVERIES)
    )
    seen = [
        SeenDelivery(each.received_at, each.event, each.fields, each.withdrawn or [])
        for each in later
    ]
    if len(seen) < MOST_DELIVERIES:
        seen.append(
            SeenDelivery(call.received_at, call.first_event or FIRST_EVENT, _first_fields(call), [])
        )
    return seen


def _first_fields(call: Call) -> list[str]:
    """Fields whose fact has no stamp, or that of the first delivery."""
    base = to_microseconds(call.received_at)
    later = {
        key.removeprefix("~")
        for key, (_, _, received_at) in (call.stamps or {}).items()
        if received_at != base
    }
    data = call.payload.get(DATA) or {}
    if all(f"{DATA}.{key}" in later for key in data):
        later.add(DATA)
    return [name for name in FIELDS if name in call.payload and name not in later]
