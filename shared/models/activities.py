"""What was written to HubSpot, and what is to be written to it again because its call has grown."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Id, Moment


class Activity(Base):
    """What an activity was written from and how HubSpot showed it then; nothing of it in words.

    No row, or none of the hashes: it was found in HubSpot, or written by a version before.
    """

    __tablename__ = "activities"

    log_id: Mapped[str] = mapped_column(
        Id, ForeignKey("hubspot_sync_logs.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(Text, server_default="note")
    written_revision: Mapped[int | None] = mapped_column(Integer)
    # Of the content that it was written from: `shared.calls.merging.fingerprint`.
    content_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    # Hashes of what HubSpot had then: `shared.activities.edits.Footprint`.
    footprint: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # How often it was written again.
    updates: Mapped[int] = mapped_column(Integer, server_default="0")
    updated_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())

    __table_args__ = (CheckConstraint("kind IN ('note', 'call')", "kind"),)


class ActivityUpdate(Base):
    """An activity that is to be written again, or that was given up; no row: it is as it should be.

    The columns of claim, suspicion and mark mean what they mean in the sync log.
    """

    __tablename__ = "activity_updates"

    log_id: Mapped[str] = mapped_column(
        Id, ForeignKey("hubspot_sync_logs.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    hub_id: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[datetime | None] = mapped_column(Moment)
    first_news_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    # How often it was said that the activity lags behind: tells what came while it was written.
    news: Mapped[int] = mapped_column(Integer, server_default="0")
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    claimed_by: Mapped[str | None] = mapped_column(Id)
    claimed_until: Mapped[datetime | None] = mapped_column(Moment)
    claim_size: Mapped[int | None] = mapped_column(SmallInteger)
    fence: Mapped[int] = mapped_column(Integer, server_default="0")
    suspect_size: Mapped[int | None] = mapped_column(SmallInteger)
    solo_crashes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    last_write_at: Mapped[datetime | None] = mapped_column(Moment)
    # `held`: kept back; a person may have it written by a retry.
    state: Mapped[str] = mapped_column(Text, server_default="waiting")
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index(
            "ix_activity_updates_due",
            "user_id",
            "workspace_id",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL AND claimed_by IS NULL"),
        ),
        Index(
            "ix_activity_updates_claims",
            "claimed_until",
            postgresql_where=text("claimed_by IS NOT NULL"),
        ),
        Index("ix_activity_updates_state", "state", "user_id", "workspace_id"),
        CheckConstraint("state IN ('waiting', 'failed', 'deleted', 'held')", "state"),
        CheckConstraint("(state = 'waiting') = (due_at IS NOT NULL)", "waiting_is_due"),
        CheckConstraint(
            "(claimed_by IS NULL) = (claimed_until IS NULL)"
            " AND (claimed_by IS NULL) = (claim_size IS NULL)",
            "claim_is_whole",
        ),
        CheckConstraint("claimed_by IS NULL OR due_at IS NOT NULL", "claimed_is_due"),
    )
